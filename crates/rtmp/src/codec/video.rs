//! Video tag bodies (FLV 10.1 §E.4.3, E-RTMP "Enhanced Video").

use super::head::{BodyHead, FRAME_COMMAND, FrameType, VIDEO_AVC, VIDEO_HEVC};
use super::{FourCc, TagError, ex};
use crate::message::MediaKind;

const PACKET_CODED_FRAMES_X: u8 = 3;
const PACKET_METADATA: u8 = 4;
const PACKET_MULTITRACK: u8 = 6;

/// What a video message is coded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264, in the classic or the enhanced form.
    Avc,
    /// H.265, in the classic (codec id 12) or the enhanced form.
    Hevc,
    /// AV1.
    Av1,
    /// Another classic codec, by its FLV number (2 is H.263, 4 is VP6).
    Classic(u8),
    /// Another enhanced codec.
    Enhanced(FourCc),
}

/// What a video message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoPacket {
    /// Decoder configuration (avcC, hvcC, av1C).
    SequenceHeader,
    /// Coded pictures.
    Frames,
    /// End of sequence.
    SequenceEnd,
    /// Metadata such as HDR information, or a seek command.
    Other,
}

/// A classified video message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTag<'a> {
    /// Codec.
    pub codec: VideoCodec,
    /// What it holds.
    pub packet: VideoPacket,
    /// What the tag says of the picture.
    pub frame_type: FrameType,
    /// PTS − DTS, milliseconds.
    pub composition_time_ms: i32,
    /// Whether the header has the enhanced form, which FLV readers of before 2023 do not know.
    pub enhanced: bool,
    /// What follows the header: configuration or coded pictures.
    pub data: &'a [u8],
}

impl<'a> VideoTag<'a> {
    /// Reads the header of a video message.
    ///
    /// # Errors
    /// When the body is shorter than its header, or multitrack.
    pub fn parse(body: &'a [u8]) -> Result<Self, TagError> {
        let head = BodyHead::read(MediaKind::Video, body).ok_or(TagError::Truncated)?;
        let (frame_type, rest) = (head.frame_type(), &body[1..]);
        if head.is_enhanced() {
            return Self::parse_enhanced(frame_type, head.number(), rest);
        }
        match head.number() {
            codec @ (VIDEO_AVC | VIDEO_HEVC) => {
                let (head, data) = rest.split_first_chunk::<4>().ok_or(TagError::Truncated)?;
                let packet = match head[0] {
                    0 => VideoPacket::SequenceHeader,
                    1 => VideoPacket::Frames,
                    2 => VideoPacket::SequenceEnd,
                    _ => VideoPacket::Other,
                };
                let codec = if codec == VIDEO_AVC { VideoCodec::Avc } else { VideoCodec::Hevc };
                let composition_time_ms = i24([head[1], head[2], head[3]]);
                Ok(Self { codec, packet, frame_type, composition_time_ms, enhanced: false, data })
            }
            codec => Ok(Self {
                codec: VideoCodec::Classic(codec),
                packet: if frame_type == FRAME_COMMAND { VideoPacket::Other } else { VideoPacket::Frames },
                frame_type,
                composition_time_ms: 0,
                enhanced: false,
                data: rest,
            }),
        }
    }

    fn parse_enhanced(frame_type: FrameType, packet_type: u8, rest: &'a [u8]) -> Result<Self, TagError> {
        let (packet_type, rest) = ex::skip_modifiers(packet_type, rest)?;
        if packet_type == PACKET_MULTITRACK {
            return Err(TagError::Multitrack);
        }
        if frame_type == FRAME_COMMAND && packet_type != PACKET_METADATA {
            // A command byte instead of a FourCC.
            return Ok(Self {
                codec: VideoCodec::Classic(0),
                packet: VideoPacket::Other,
                frame_type,
                composition_time_ms: 0,
                enhanced: true,
                data: rest,
            });
        }
        let (code, mut data) = ex::fourcc(rest)?;
        let mut composition_time_ms = 0;
        if packet_type == ex::CODED_FRAMES && [FourCc::AVC, FourCc::HEVC, FourCc::VVC].contains(&code) {
            let (time, after) = data.split_first_chunk::<3>().ok_or(TagError::Truncated)?;
            composition_time_ms = i24(*time);
            data = after;
        }
        let packet = match packet_type {
            ex::SEQUENCE_START => VideoPacket::SequenceHeader,
            ex::CODED_FRAMES | PACKET_CODED_FRAMES_X => VideoPacket::Frames,
            ex::SEQUENCE_END => VideoPacket::SequenceEnd,
            _ => VideoPacket::Other,
        };
        let codec = match code {
            FourCc::AVC => VideoCodec::Avc,
            FourCc::HEVC => VideoCodec::Hevc,
            FourCc::AV1 => VideoCodec::Av1,
            other => VideoCodec::Enhanced(other),
        };
        Ok(Self { codec, packet, frame_type, composition_time_ms, enhanced: true, data })
    }
}

fn i24(bytes: [u8; 3]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], 0]) >> 8
}
