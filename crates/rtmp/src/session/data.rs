//! Media and data messages of a publication.

use bytes::{Buf, Bytes};

use super::error::{Refusal, SessionError};
use super::event::{DataMessage, Event, Ignored, MediaMessage, Metadata, RejectCode};
use super::server::ServerSession;
use super::state::{Queued, State};
use crate::amf::{self, AmfError, Value};
use crate::chunk::{Aggregate, ChunkError};
use crate::codec::{AudioTag, TagError, VideoTag, single_track};
use crate::message::{MediaKind, Message, type_id};

/// AMF0 string marker, and AMF3's.
const AMF0_STRING: u8 = 0x02;
const AMF3_STRING: u8 = 0x06;
/// Messages of unknown types after which a publisher that has sent no media sends something else than FLV.
const MAX_FOREIGN: u32 = 16;
/// Longest name of a data message, bytes.
const MAX_NAME_BYTES: usize = 256;

impl ServerSession {
    pub(super) fn handle_media(&mut self, kind: MediaKind, message: Message) -> Result<(), SessionError> {
        // Empty messages carry nothing; FFmpeg and OBS send none, keep-alives of hardware do.
        if message.payload.is_empty() || self.state.publication().is_none() {
            return Ok(());
        }
        let payload = single_track(kind, &message.payload).unwrap_or(message.payload);
        self.judge(kind, &payload)?;
        self.deliver(Queued::Event(Event::Media(MediaMessage {
            kind,
            timestamp: message.timestamp,
            payload,
        })))
    }

    /// What media says of its sender, before anybody asks for it.
    fn judge(&mut self, kind: MediaKind, payload: &[u8]) -> Result<(), SessionError> {
        match parse(kind, payload) {
            Ok(()) if !self.has_sent_media => {
                self.has_sent_media = true;
                if matches!(self.state, State::Publishing(_)) {
                    self.reader.set_limits(self.config.limits.publishing(true));
                }
                Ok(())
            }
            Err(TagError::Multitrack) => {
                self.close_with(RejectCode::Rejected, &Refusal::Multitrack.to_string());
                Err(Refusal::Multitrack.into())
            }
            _ => Ok(()),
        }
    }

    /// Messages of a type that nobody knows are passed over; somebody who sends nothing else is told.
    pub(super) fn handle_foreign(&mut self, type_id: u8) -> Result<(), SessionError> {
        self.ignore(Ignored::MessageType(type_id));
        self.foreign = self.foreign.saturating_add(1);
        let publishes = matches!(self.state, State::Publishing(_)) && !self.has_sent_media;
        if publishes && self.foreign >= MAX_FOREIGN {
            return Err(SessionError::NotFlv(type_id));
        }
        Ok(())
    }

    /// A chunk stream that is none because FFmpeg was told to write another format.
    pub(super) fn explain(&self, error: ChunkError) -> SessionError {
        let is_foreign = |id: u8| type_id::name(id).is_none();
        match error {
            ChunkError::MessageTooLong { type_id, .. }
                if is_foreign(type_id)
                    && matches!(self.state, State::Publishing(_))
                    && !self.has_sent_media =>
            {
                SessionError::NotFlv(type_id)
            }
            other => other.into(),
        }
    }

    /// An aggregate is looked through at once; its parts wait in its own memory.
    pub(super) fn handle_aggregate(&mut self, message: Message) -> Result<(), SessionError> {
        if self.state.publication().is_none() {
            return Ok(());
        }
        let parts = Aggregate::new(message);
        for part in parts.clone() {
            match part.map(|part| (MediaKind::from_type_id(part.type_id), part.payload)) {
                Ok((Some(kind), payload)) if !payload.is_empty() => {
                    self.judge(kind, &single_track(kind, &payload).unwrap_or(payload))?;
                }
                Ok(_) => {}
                // What came whole counts.
                Err(_) if matches!(self.state, State::Publishing(_)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.deliver(Queued::Parts(parts))
    }

    /// The next event of an aggregate that was looked through.
    pub(super) fn next_of(&mut self, parts: &mut Aggregate) -> Option<Event> {
        loop {
            let part = match parts.next()? {
                Ok(part) => part,
                Err(error) => return self.ignored(Ignored::Aggregate(error)),
            };
            let event = match (part.type_id, MediaKind::from_type_id(part.type_id)) {
                (_, Some(kind)) if !part.payload.is_empty() => {
                    let payload = single_track(kind, &part.payload).unwrap_or(part.payload);
                    let timestamp = part.timestamp;
                    Some(Event::Media(MediaMessage { kind, timestamp, payload }))
                }
                (type_id::DATA_AMF0, _) => match data_event(&part) {
                    Ok(event) => event,
                    Err(error) => self.ignored(Ignored::Data(error)),
                },
                _ => None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    pub(super) fn handle_data(&mut self, message: &Message) -> Result<(), SessionError> {
        if self.state.publication().is_none() {
            return Ok(());
        }
        match data_event(message) {
            Ok(Some(event)) => self.deliver(Queued::Event(event)),
            Ok(None) => Ok(()),
            Err(error) => {
                self.ignore(Ignored::Data(error));
                Ok(())
            }
        }
    }

    /// Hands the event on, or holds it while the owner has not decided.
    fn deliver(&mut self, event: Queued) -> Result<(), SessionError> {
        match &mut self.state {
            State::Publishing(_) => self.events.push_back(event),
            State::Pending(_, held) => {
                held.push(event);
                if held.bytes > self.config.limits.pending_bytes {
                    return Err(SessionError::TooMuchPending(self.config.limits.pending_bytes));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn parse(kind: MediaKind, payload: &[u8]) -> Result<(), TagError> {
    match kind {
        MediaKind::Audio => AudioTag::parse(payload).map(|_| ()),
        MediaKind::Video => VideoTag::parse(payload).map(|_| ()),
    }
}

fn data_event(message: &Message) -> Result<Option<Event>, AmfError> {
    let timestamp = message.timestamp;
    let mut payload = as_amf0(&message.payload)?;
    let mut name = first_string(&payload)?;
    if *name == *b"@clearDataFrame" {
        return Ok(None);
    }
    if *name == *b"@setDataFrame" {
        payload.advance(3 + name.len());
        name = first_string(&payload)?;
    }
    if *name == *b"onMetaData" {
        let values = match amf::decode(&payload[3 + name.len()..])?.into_iter().next() {
            Some(Value::Object(values) | Value::EcmaArray(values)) => values,
            _ => Vec::new(),
        };
        return Ok(Some(Event::Metadata(Metadata { timestamp, payload, values })));
    }
    let name = String::from_utf8_lossy(&name[..name.len().min(MAX_NAME_BYTES)]).into_owned();
    Ok(Some(Event::Data(DataMessage { name, timestamp, payload })))
}

/// The body in AMF0, which is what FLV script tags hold. Data of type 15 is AMF0 behind a zero byte, or AMF3.
fn as_amf0(payload: &Bytes) -> Result<Bytes, AmfError> {
    match payload.first() {
        Some(0) => Ok(payload.slice(1..)),
        Some(&AMF3_STRING) => Ok(amf::encode(&amf::decode_amf3(payload)?)),
        _ => Ok(payload.clone()),
    }
}

/// The short string a script message starts with.
fn first_string(payload: &Bytes) -> Result<Bytes, AmfError> {
    match **payload {
        [AMF0_STRING, high, low, ref rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            rest.get(..length).map(|name| payload.slice_ref(name)).ok_or(AmfError::Truncated)
        }
        [other, _, _, ..] => Err(AmfError::Marker(other)),
        _ => Err(AmfError::Truncated),
    }
}
