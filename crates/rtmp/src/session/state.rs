//! Where a session is, and what it holds there.

use std::collections::VecDeque;

use super::event::{Event, PublishId};
use crate::amf;
use crate::chunk::Aggregate;
use crate::handshake::Handshake;

/// Memory of a held event beside its payload, bytes, so that empty ones are bounded too.
const HELD_EVENT_BYTES: usize = 128;

/// Where a session is, for the owner's timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Handshake incomplete.
    Handshake,
    /// Handshake done, waiting for the connect command.
    Connecting,
    /// Connected, nothing published.
    Idle,
    /// A publish request waits for the owner's answer.
    Pending,
    /// Publishing.
    Publishing,
    /// Over: write what [`poll_output`](super::ServerSession::poll_output) has left, shut the sending side down and
    /// read the peer to its end for a moment. A close with unread input resets the connection, and the reason that
    /// was just written may never be seen.
    Closed,
}

#[derive(Debug)]
pub(super) enum State {
    Handshake(Handshake),
    Connecting,
    Idle,
    Pending(Publication, PendingEvents),
    Publishing(Publication),
    Closed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Publication {
    pub(super) id: PublishId,
    pub(super) stream_id: u32,
}

/// What waits for the owner. Of an aggregate the parts become events one by one, when they are asked for: half a million
/// of them fit into a message.
#[derive(Debug)]
pub(super) enum Queued {
    Event(Event),
    Parts(Aggregate),
}

/// Events that came before the owner's answer.
#[derive(Debug, Default)]
pub(super) struct PendingEvents {
    pub(super) events: VecDeque<Queued>,
    pub(super) bytes: usize,
}

impl PendingEvents {
    pub(super) fn push(&mut self, queued: Queued) {
        let payload = match &queued {
            Queued::Event(Event::Media(media)) => media.payload.len(),
            Queued::Event(Event::Metadata(metadata)) => {
                metadata.payload.len() + amf::footprint(&metadata.values)
            }
            Queued::Event(Event::Data(data)) => data.payload.len(),
            Queued::Event(_) => 0,
            Queued::Parts(parts) => parts.bytes(),
        };
        self.bytes += payload + HELD_EVENT_BYTES;
        self.events.push_back(queued);
    }
}

impl State {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Handshake(_) => Phase::Handshake,
            Self::Connecting => Phase::Connecting,
            Self::Idle => Phase::Idle,
            Self::Pending(..) => Phase::Pending,
            Self::Publishing(_) => Phase::Publishing,
            Self::Closed => Phase::Closed,
        }
    }

    pub(super) fn publication(&self) -> Option<Publication> {
        match self {
            Self::Pending(publication, _) | Self::Publishing(publication) => Some(*publication),
            _ => None,
        }
    }
}
