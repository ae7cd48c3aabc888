//! Media and data messages of a publication.

use bytes::{Buf, Bytes};

use super::error::{Refusal, SessionError};
use super::event::{DataMessage, Event, Ignored, MediaMessage, Metadata, RejectCode};
use super::server::ServerSession;
use super::state::State;
use crate::amf::{self, AmfError, Value};
use crate::codec::{AudioTag, TagError, VideoTag, single_track};
use crate::message::{MediaKind, Message};

/// AMF0 string marker, and AMF3's.
const AMF0_STRING: u8 = 0x02;
const AMF3_STRING: u8 = 0x06;
/// Longest name of a data message, bytes.
const MAX_NAME_BYTES: usize = 256;

impl ServerSession {
    pub(super) fn handle_media(&mut self, kind: MediaKind, message: Message) -> Result<(), SessionError> {
        // Empty messages carry nothing; FFmpeg and OBS send none, keep-alives of hardware do.
        if message.payload.is_empty() || self.state.publication().is_none() {
            return Ok(());
        }
        let payload = single_track(kind, &message.payload).unwrap_or(message.payload);
        if is_multitrack(kind, &payload) {
            self.close_with(RejectCode::Rejected, &Refusal::Multitrack.to_string());
            return Err(Refusal::Multitrack.into());
        }
        self.deliver(Event::Media(MediaMessage { kind, timestamp: message.timestamp, payload }))
    }

    pub(super) fn handle_data(&mut self, message: &Message) -> Result<(), SessionError> {
        if self.state.publication().is_none() {
            return Ok(());
        }
        match data_event(message) {
            Ok(Some(event)) => self.deliver(event),
            Ok(None) => Ok(()),
            Err(error) => {
                self.ignore(Ignored::Data(error));
                Ok(())
            }
        }
    }

    /// Hands the event on, or holds it while the owner has not decided.
    fn deliver(&mut self, event: Event) -> Result<(), SessionError> {
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

fn is_multitrack(kind: MediaKind, payload: &[u8]) -> bool {
    let error = match kind {
        MediaKind::Audio => AudioTag::parse(payload).err(),
        MediaKind::Video => VideoTag::parse(payload).err(),
    };
    error == Some(TagError::Multitrack)
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
