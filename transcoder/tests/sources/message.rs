//! What an encoder sends: RTMP messages, and ways to change them.

use bytes::Bytes;
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::{BodyHead, FrameType, VideoPacket, VideoTag};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN, TagHead};

/// RTMP type ids (RTMP 7.1).
pub const AUDIO: u8 = 8;
pub const VIDEO: u8 = 9;
pub const DATA: u8 = 18;

/// One message of an encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    /// Milliseconds, as they go over the wire.
    pub time: u32,
    pub body: Bytes,
}

impl Message {
    pub fn new(kind: u8, time: u32, body: impl Into<Bytes>) -> Self {
        Self { kind, time, body: body.into() }
    }

    fn head(&self) -> Option<BodyHead> {
        let kind = match self.kind {
            AUDIO => MediaKind::Audio,
            VIDEO => MediaKind::Video,
            _ => return None,
        };
        BodyHead::read(kind, &self.body)
    }

    /// A decoder configuration, classic or enhanced.
    pub fn is_header(&self) -> bool {
        self.head().is_some_and(BodyHead::is_sequence_header)
    }

    pub fn is_picture(&self) -> bool {
        self.kind == VIDEO && self.body.len() > 5 && !self.is_header()
    }

    pub fn is_key(&self) -> bool {
        self.is_picture() && self.head().is_some_and(|head| head.frame_type() == FrameType::Key)
    }

    pub fn is_sound(&self) -> bool {
        self.kind == AUDIO && !self.is_header()
    }

    /// NAL units of a classic H.264 picture.
    pub fn nals(&self) -> Vec<&[u8]> {
        let mut rest = &self.body[5..];
        let mut units = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let (unit, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
            units.push(unit);
            rest = behind;
        }
        units
    }

    /// The same classic H.264 picture of other NAL units.
    pub fn with_nals<'a>(&self, units: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut body = self.body[..5].to_vec();
        for unit in units {
            body.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            body.extend_from_slice(unit);
        }
        Self { body: body.into(), ..self.clone() }
    }
}

/// Messages of an FLV file.
pub fn of_flv(file: &[u8]) -> Vec<Message> {
    let mut rest = &file[FILE_HEADER_LEN..];
    let mut messages = Vec::new();
    while let Some(head) = TagHead::read(rest) {
        let body = Bytes::copy_from_slice(&rest[TAG_HEADER_LEN..head.tag_len() - TAG_TRAILER_LEN]);
        // FFmpeg ends a file with an end of sequence, which no encoder sends in mid-stream.
        let is_end = head.type_id == VIDEO
            && VideoTag::parse(&body)
                .is_ok_and(|tag| tag.packet == VideoPacket::SequenceEnd && !tag.enhanced);
        if !is_end {
            messages.push(Message { kind: head.type_id, time: head.timestamp_ms, body });
        }
        rest = &rest[head.tag_len()..];
    }
    messages
}

/// Each message becomes what `change` makes of it.
pub fn each(messages: Vec<Message>, change: impl FnMut(Message) -> Vec<Message>) -> Vec<Message> {
    messages.into_iter().flat_map(change).collect()
}

/// Pictures become what `change` makes of each and of its place among them.
pub fn pictures(
    messages: Vec<Message>,
    mut change: impl FnMut(usize, Message) -> Vec<Message>,
) -> Vec<Message> {
    let mut count = 0;
    each(messages, |message| {
        if !message.is_picture() {
            return vec![message];
        }
        count += 1;
        change(count - 1, message)
    })
}

/// Only those that are wanted.
pub fn only(messages: Vec<Message>, wanted: impl Fn(&Message) -> bool) -> Vec<Message> {
    messages.into_iter().filter(wanted).collect()
}

/// With other times.
pub fn timed(messages: Vec<Message>, time: impl Fn(&Message) -> u32) -> Vec<Message> {
    each(messages, |message| vec![Message { time: time(&message), ..message }])
}

/// In the order of time, as encoders send; what shares a time keeps its order.
pub fn merged(tracks: impl IntoIterator<Item = Vec<Message>>) -> Vec<Message> {
    let mut all: Vec<Message> = tracks.into_iter().flatten().collect();
    all.sort_by_key(|message| (message.is_sound() || message.is_picture(), message.time));
    all
}

/// SPS and PPS of the classic H.264 sequence header.
pub fn parameter_sets(messages: &[Message]) -> (Vec<u8>, Vec<u8>) {
    let header = messages.iter().find(|message| message.kind == VIDEO && message.is_header()).unwrap();
    let record = &header.body[5..];
    let set = |at: usize| {
        let length = usize::from(u16::from_be_bytes([record[at], record[at + 1]]));
        record[at + 2..at + 2 + length].to_vec()
    };
    let sps = set(6);
    let pps = set(6 + 2 + sps.len() + 1);
    (sps, pps)
}
