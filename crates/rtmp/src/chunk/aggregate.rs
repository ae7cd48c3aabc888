//! Aggregate messages (RTMP §7.1.6): FLV tags in one message.

use bytes::{Buf, Bytes};

use crate::message::Message;

const TAG_HEADER_LEN: usize = 11;
const BACK_POINTER_LEN: usize = 4;

/// An aggregate whose tags do not fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("aggregate message is cut short")]
pub struct AggregateError;

/// The messages inside an aggregate, in order, sharing its memory. The first takes the aggregate's timestamp and the
/// others keep their distance from it.
#[derive(Debug, Clone)]
pub struct Aggregate {
    rest: Bytes,
    stream_id: u32,
    timestamp: u32,
    first_tag_time: Option<u32>,
}

impl Aggregate {
    /// Splits `message`, which must be of the aggregate type.
    #[must_use]
    pub fn new(message: Message) -> Self {
        let Message { stream_id, timestamp, payload, .. } = message;
        Self { rest: payload, stream_id, timestamp, first_tag_time: None }
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rest.len()
    }

    fn tag(&mut self) -> Option<Message> {
        let mut head = self.rest.get(..TAG_HEADER_LEN)?;
        let type_id = head.get_u8();
        let length = usize::try_from(head.get_uint(3)).ok()?;
        let low = u32::try_from(head.get_uint(3)).ok()?;
        let time = u32::from(head.get_u8()) << 24 | low;
        let payload = self.rest.get(TAG_HEADER_LEN..)?.get(..length)?;
        let payload = self.rest.slice_ref(payload);
        // The last back pointer is left out by some senders.
        let end = TAG_HEADER_LEN + length + BACK_POINTER_LEN;
        self.rest.advance(end.min(self.rest.len()));
        let first = *self.first_tag_time.get_or_insert(time);
        let timestamp = self.timestamp.wrapping_add(time.wrapping_sub(first));
        Some(Message { type_id, stream_id: self.stream_id, timestamp, payload })
    }
}

impl Iterator for Aggregate {
    type Item = Result<Message, AggregateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let tag = self.tag();
        if tag.is_none() {
            self.rest.clear();
        }
        Some(tag.ok_or(AggregateError))
    }
}
