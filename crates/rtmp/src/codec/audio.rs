//! Audio tag bodies (FLV 10.1 §E.4.2, E-RTMP "Enhanced Audio").

use super::head::{AUDIO_AAC, BodyHead};
use super::{FourCc, TagError, ex};
use crate::message::MediaKind;

const PACKET_MULTITRACK: u8 = 5;

/// What an audio message is coded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC, in the classic or the enhanced form.
    Aac,
    /// Another classic format, by its FLV number (2 is MP3, 11 is Speex).
    Classic(u8),
    /// Another enhanced format.
    Enhanced(FourCc),
}

/// What an audio message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioPacket {
    /// Decoder configuration.
    SequenceHeader,
    /// Coded audio.
    Frames,
    /// End of sequence.
    SequenceEnd,
    /// Anything else.
    Other,
}

/// A classified audio message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTag<'a> {
    /// Codec.
    pub codec: AudioCodec,
    /// What it holds.
    pub packet: AudioPacket,
    /// Whether the header has the enhanced form, which FLV readers of before 2023 do not know.
    pub enhanced: bool,
    /// What follows the header: configuration or coded audio.
    pub data: &'a [u8],
}

impl<'a> AudioTag<'a> {
    /// Reads the header of an audio message.
    ///
    /// # Errors
    /// When the body is shorter than its header, or multitrack.
    pub fn parse(body: &'a [u8]) -> Result<Self, TagError> {
        let head = BodyHead::read(MediaKind::Audio, body).ok_or(TagError::Truncated)?;
        let rest = &body[1..];
        match head.number() {
            packet_type if head.is_enhanced() => Self::parse_enhanced(packet_type, rest),
            AUDIO_AAC => {
                let (&packet_type, data) = rest.split_first().ok_or(TagError::Truncated)?;
                let packet = match packet_type {
                    0 => AudioPacket::SequenceHeader,
                    1 => AudioPacket::Frames,
                    _ => AudioPacket::Other,
                };
                Ok(Self { codec: AudioCodec::Aac, packet, enhanced: false, data })
            }
            format => Ok(Self {
                codec: AudioCodec::Classic(format),
                packet: AudioPacket::Frames,
                enhanced: false,
                data: rest,
            }),
        }
    }

    fn parse_enhanced(packet_type: u8, rest: &'a [u8]) -> Result<Self, TagError> {
        let (packet_type, rest) = ex::skip_modifiers(packet_type, rest)?;
        if packet_type == PACKET_MULTITRACK {
            return Err(TagError::Multitrack);
        }
        let (code, data) = ex::fourcc(rest)?;
        let packet = match packet_type {
            ex::SEQUENCE_START => AudioPacket::SequenceHeader,
            ex::CODED_FRAMES => AudioPacket::Frames,
            ex::SEQUENCE_END => AudioPacket::SequenceEnd,
            _ => AudioPacket::Other,
        };
        let codec = if code == FourCc::AAC { AudioCodec::Aac } else { AudioCodec::Enhanced(code) };
        Ok(Self { codec, packet, enhanced: true, data })
    }
}
