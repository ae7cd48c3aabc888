//! The first two bytes of an audio or video message: the only place that knows what their bits mean (FLV 10.1 §E.4.2.1 and
//! §E.4.3.1, E-RTMP "Enhanced Audio", "Enhanced Video").

use crate::message::MediaKind;

/// Sound format 9: the enhanced form.
const AUDIO_ENHANCED: u8 = 9;
/// Sound format 10.
pub(super) const AUDIO_AAC: u8 = 10;
/// Codec id 7.
pub(super) const VIDEO_AVC: u8 = 7;
/// Codec id 12: HEVC in the classic form, as Chinese encoders sent it before Enhanced RTMP.
pub(super) const VIDEO_HEVC: u8 = 12;
/// The bit of a video message's first byte that marks the enhanced form.
const VIDEO_ENHANCED: u8 = 0x80;
/// A command instead of a picture.
pub(super) const FRAME_COMMAND: FrameType = FrameType::Other(5);
/// Type of a packet, in either form, that is a decoder configuration.
const SEQUENCE_START: u8 = 0;

/// What the tag says of the picture. Encoders mark open-GOP pictures as keyframes too: see
/// [`NalUnits`](super::NalUnits) for what the stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameType {
    /// Keyframe.
    Key,
    /// Inter frame.
    Inter,
    /// Disposable inter frame, generated keyframe, command.
    Other(u8),
}

impl FrameType {
    fn of(number: u8) -> Self {
        match number {
            1 => Self::Key,
            2 => Self::Inter,
            other => Self::Other(other),
        }
    }
}

/// What the first two bytes of a message say; a reader that passes bytes on need not see more.
///
/// ```
/// use headwater_rtmp::MediaKind;
/// use headwater_rtmp::codec::{BodyHead, FrameType};
///
/// let head = BodyHead::read(MediaKind::Video, &[0x17, 0]).expect("there is a byte");
/// assert!(head.is_sequence_header() && !head.is_enhanced());
/// assert_eq!(head.frame_type(), FrameType::Key);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHead {
    kind: MediaKind,
    first: u8,
    second: Option<u8>,
}

impl BodyHead {
    /// Of the message that begins with `body`; `None` if there is no byte of it.
    #[must_use]
    pub fn read(kind: MediaKind, body: &[u8]) -> Option<Self> {
        Some(Self { kind, first: *body.first()?, second: body.get(1).copied() })
    }

    /// Whether it has the enhanced form, which FLV readers of before 2023 do not know.
    #[must_use]
    pub fn is_enhanced(self) -> bool {
        match self.kind {
            MediaKind::Audio => self.first >> 4 == AUDIO_ENHANCED,
            MediaKind::Video => self.first & VIDEO_ENHANCED != 0,
        }
    }

    /// Whether it is HEVC in the classic form, which FLV 10.1 does not have.
    #[must_use]
    pub fn is_classic_hevc(self) -> bool {
        self.kind == MediaKind::Video && !self.is_enhanced() && self.number() == VIDEO_HEVC
    }

    /// The classic form's codec, or the enhanced form's type of packet.
    pub(super) fn number(self) -> u8 {
        match self.kind {
            MediaKind::Audio if !self.is_enhanced() => self.first >> 4,
            MediaKind::Audio | MediaKind::Video => self.first & 0x0F,
        }
    }

    /// What a video message says of its picture. Of sound it means nothing.
    #[must_use]
    pub fn frame_type(self) -> FrameType {
        FrameType::of(self.first >> 4 & 0x07)
    }

    /// Whether it tells the reader to seek, and holds no picture.
    fn is_command(self) -> bool {
        self.kind == MediaKind::Video && self.frame_type() == FRAME_COMMAND
    }

    /// Whether it is a decoder configuration. Of one that has modifiers before its type (E-RTMP "ModEx") two bytes do not tell.
    #[must_use]
    pub fn is_sequence_header(self) -> bool {
        if self.is_enhanced() {
            return self.number() == SEQUENCE_START && !self.is_command();
        }
        let has_type = match self.kind {
            MediaKind::Audio => self.number() == AUDIO_AAC,
            MediaKind::Video => matches!(self.number(), VIDEO_AVC | VIDEO_HEVC),
        };
        has_type && self.second == Some(SEQUENCE_START)
    }
}

/// The first byte of a video message with another frame type; one that has a number of its own stays.
pub(crate) fn with_frame_type(first: u8, frame_type: FrameType) -> u8 {
    let number = match frame_type {
        FrameType::Key => 1,
        FrameType::Inter => 2,
        FrameType::Other(_) => return first,
    };
    first & 0x8F | number << 4
}

#[cfg(test)]
mod tests {
    use super::super::ex::MOD_EX;
    use super::super::{AudioPacket, AudioTag, VideoPacket, VideoTag};
    use super::*;

    /// Its type of packet stands behind what modifies it.
    fn is_modified(head: BodyHead) -> bool {
        head.is_enhanced() && head.number() == MOD_EX
    }

    /// Two bytes say the same as the whole header does, whatever they are.
    #[test]
    fn the_first_bytes_say_what_the_whole_header_says() {
        for (first, second) in (0..=u16::MAX).map(|bytes| (bytes.to_be_bytes()[0], bytes.to_be_bytes()[1])) {
            let body = [first, second, b'v', b'c', b'1', 0, 0, 0, 0];
            let video = BodyHead::read(MediaKind::Video, &body).unwrap();
            if let Ok(tag) = VideoTag::parse(&body) {
                assert_eq!((video.is_enhanced(), video.frame_type()), (tag.enhanced, tag.frame_type));
                let is_header = tag.packet == VideoPacket::SequenceHeader;
                assert!(video.is_sequence_header() == is_header || is_modified(video), "{body:?}");
            }
            let audio = BodyHead::read(MediaKind::Audio, &body).unwrap();
            if let Ok(tag) = AudioTag::parse(&body) {
                assert_eq!(audio.is_enhanced(), tag.enhanced);
                let is_header = tag.packet == AudioPacket::SequenceHeader;
                assert!(audio.is_sequence_header() == is_header || is_modified(audio), "{body:?}");
            }
        }
    }

    #[test]
    fn one_byte_tells_what_it_can() {
        assert_eq!(BodyHead::read(MediaKind::Video, &[]), None);
        let head = BodyHead::read(MediaKind::Video, &[0x1C]).unwrap();
        assert!(head.is_classic_hevc() && !head.is_sequence_header() && head.frame_type() == FrameType::Key);
        let enhanced = BodyHead::read(MediaKind::Audio, &[0x90]).unwrap();
        assert!(enhanced.is_enhanced() && enhanced.is_sequence_header() && !enhanced.is_classic_hevc());
    }
}
