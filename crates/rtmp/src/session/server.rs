//! The session itself: bytes in, bytes and events out, and the owner's decisions.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::acks::AckWindow;
use super::caps::ReconnectSignal;
use super::config::{SessionConfig, SessionLimits};
use super::error::{ErrorKind, SessionError};
use super::event::{ConnectInfo, Event, Ignored, PublishId, RejectCode};
use super::output::{Level, Output};
use super::state::{Phase, Queued, State};
use crate::amf::Value;
use crate::chunk::{ChunkReader, ReaderStats};
use crate::handshake::Handshake;

/// Skipped messages of a connection that its owner is told of.
const MAX_IGNORED_TOLD: u32 = 64;
/// Events that a queue keeps room for while it is empty: those of a read of 64 KiB at 50 Mbit/s.
const MAX_IDLE_EVENTS: usize = 64;

/// One RTMP connection, server side.
///
/// Owner's loop: read the socket, [`receive`](Self::receive), act on every [`poll_event`](Self::poll_event), write
/// every [`poll_output`](Self::poll_output). When `receive` fails or [`phase`](Self::phase) is [`Phase::Closed`],
/// write what is left and close.
pub struct ServerSession {
    pub(super) config: SessionConfig,
    pub(super) reader: ChunkReader,
    pub(super) out: Output,
    pub(super) events: VecDeque<Queued>,
    pub(super) state: State,
    pub(super) acks: AckWindow,
    pub(super) client: Option<ConnectInfo>,
    pub(super) streams_created: u32,
    pub(super) publish_requests: u32,
    pub(super) commands_before_publish: u32,
    pub(super) unknown_commands: u32,
    /// Messages of unknown types,
    pub(super) foreign: u32,
    /// and whether there was media that makes sense, of this publication.
    pub(super) has_sent_media: bool,
    ignored: u32,
    bytes_received: u64,
}

/// Work done by a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes received, handshake included.
    pub bytes_received: u64,
    /// Chunk reader's work.
    pub reader: ReaderStats,
}

impl ServerSession {
    /// A session at the first byte of a connection.
    #[must_use]
    pub fn new(config: SessionConfig) -> Self {
        Self {
            state: State::Handshake(Handshake::new(config.handshake_random)),
            reader: ChunkReader::new(SessionLimits::before_publish()),
            out: Output::new(),
            events: VecDeque::new(),
            acks: AckWindow::new(),
            client: None,
            streams_created: 0,
            publish_requests: 0,
            commands_before_publish: 0,
            unknown_commands: 0,
            foreign: 0,
            has_sent_media: false,
            ignored: 0,
            bytes_received: 0,
            config,
        }
    }

    /// Takes bytes as they come, in any pieces. Linear in their number. Ignores them once the phase is `Closed`.
    ///
    /// # Errors
    /// On a protocol violation or refusal: write what [`poll_output`](Self::poll_output) still has, then close.
    /// Events that came before it are still to be polled.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let received = self.consume(bytes);
        if let Err(error) = &received {
            self.tell(error);
            self.state = State::Closed;
        }
        received
    }

    /// Tells a client that has spoken RTMP why it is not listened to any more. Refusals were told where they arose.
    fn tell(&mut self, error: &SessionError) {
        if self.client.is_some() && error.kind() != ErrorKind::Refused {
            let publishes = self.state.publication().is_some();
            let code = if publishes { RejectCode::Rejected } else { RejectCode::Closed };
            self.close_with(code, &error.to_string());
        }
    }

    fn consume(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        if matches!(self.state, State::Closed) {
            return Ok(());
        }
        self.bytes_received += bytes.len() as u64;
        self.acks.received(bytes.len());
        let mut input = bytes;
        if let State::Handshake(handshake) = &mut self.state {
            handshake.receive(&mut input, self.out.raw())?;
            if !handshake.is_done() {
                return Ok(());
            }
            self.state = State::Connecting;
        }
        while let Some(message) = self.reader.read(&mut input).map_err(|error| self.explain(error))? {
            self.handle(message)?;
            if matches!(self.state, State::Closed) {
                return Ok(());
            }
        }
        if !self.out.is_waiting()
            && let Some(sequence) = self.acks.due()
        {
            self.out.acknowledge(sequence);
        }
        Ok(())
    }

    /// Bytes that wait to be written to the client.
    #[must_use]
    pub fn output_waiting(&self) -> usize {
        self.out.waiting()
    }

    /// The next bytes to write to the client.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.out.take()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(queued) = self.events.pop_front() {
            match queued {
                Queued::Event(event) => return Some(event),
                Queued::Parts(mut parts) => {
                    if let Some(event) = self.next_of(&mut parts) {
                        self.events.push_front(Queued::Parts(parts));
                        return Some(event);
                    }
                }
            }
        }
        if self.events.capacity() > MAX_IDLE_EVENTS {
            self.events = VecDeque::new();
        }
        None
    }

    /// Tells of what was skipped, as often as somebody may want to know: a message without a body is one byte to its
    /// sender, and an event here.
    pub(super) fn ignore(&mut self, what: Ignored) {
        let told = self.ignored(what);
        self.events.extend(told.map(Queued::Event));
    }

    /// The same as an event, if it is to be told.
    pub(super) fn ignored(&mut self, what: Ignored) -> Option<Event> {
        self.ignored = self.ignored.saturating_add(1);
        (self.ignored <= MAX_IGNORED_TOLD).then_some(Event::Ignored(what))
    }

    /// Where the session is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Whether the owner should go on reading. False while a publish request waits and much media has come already:
    /// more than the limit's other half ends the session.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::Pending(_, held) => held.bytes <= self.config.limits.pending_bytes / 2,
            State::Closed => false,
            _ => true,
        }
    }

    /// Work done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { bytes_received: self.bytes_received, reader: self.reader.stats() }
    }

    /// What the client said of itself, once connected.
    #[must_use]
    pub fn client(&self) -> Option<&ConnectInfo> {
        self.client.as_ref()
    }

    /// Allows a publish request: the client is told to start, and media that came meanwhile is delivered. Returns
    /// false, and does nothing, when the request is no longer waiting.
    pub fn accept_publish(&mut self, request: PublishId) -> bool {
        let State::Pending(publication, held) = &mut self.state else { return false };
        if publication.id != request {
            return false;
        }
        let publication = *publication;
        self.events.append(&mut held.events);
        self.state = State::Publishing(publication);
        self.reader.set_limits(self.config.limits.publishing(self.has_sent_media));
        self.out.stream_begin(publication.stream_id);
        self.out.status(publication.stream_id, Level::Status, "NetStream.Publish.Start", "publishing");
        true
    }

    /// Denies a publish request: the client is told `reason`, which FFmpeg and OBS show or log, media that came
    /// meanwhile is dropped, and the session is over. Returns false when the request is no longer waiting.
    pub fn reject_publish(&mut self, request: PublishId, code: RejectCode, reason: &str) -> bool {
        if !matches!(&self.state, State::Pending(publication, _) if publication.id == request) {
            return false;
        }
        self.close_with(code, reason);
        true
    }

    /// Ends the session from the server's side and tells the client why: a revoked key, a newer publisher.
    pub fn close_with(&mut self, code: RejectCode, reason: &str) {
        if matches!(self.state, State::Handshake(_) | State::Closed) {
            self.state = State::Closed;
            return;
        }
        let stream_id = match (code, self.state.publication()) {
            (RejectCode::Closed, _) | (_, None) => 0,
            (_, Some(publication)) => publication.stream_id,
        };
        self.out.status(stream_id, Level::Error, code.as_str(), reason);
        self.state = State::Closed;
    }

    /// Asks the client to reconnect at its next keyframe, to `tc_url` if it can be told so. `None` when it announced
    /// no way to be asked: it can only be cut off. The session goes on until the client closes.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, reason: &str) -> Option<ReconnectSignal> {
        if matches!(self.state, State::Closed) {
            return None;
        }
        let capabilities = &self.client.as_ref()?.capabilities;
        if capabilities.reconnect {
            let url = tc_url.map(|url| ("tcUrl".to_owned(), Value::from(url))).into_iter().collect();
            self.out.status_with(0, Level::Status, "NetConnection.Connect.ReconnectRequest", reason, url);
            return Some(ReconnectSignal::ReconnectRequest);
        }
        if capabilities.go_away {
            self.out.go_away();
            return Some(ReconnectSignal::GoAway);
        }
        None
    }
}

/// Shows where the session is. Buffers and the client's URL may hold a stream key.
impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSession")
            .field("phase", &self.phase())
            .field("client", &self.client)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
