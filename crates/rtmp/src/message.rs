//! Messages (RTMP §6): what the chunk stream carries, before anything is understood of the payload.

use bytes::Bytes;

/// Message type ids this crate names (RTMP §5.4, §6.2, §7.1).
pub mod type_id {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3.
    pub const DATA_AMF3: u8 = 15;
    /// Shared object in AMF3: Flash's, of no use here.
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// Command in AMF3.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// Shared object in AMF0.
    pub const SHARED_OBJECT_AMF0: u8 = 19;
    /// Command in AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate.
    pub const AGGREGATE: u8 = 22;
    /// RTMP Go Away: asks a client that announced `supportsGoAway` to reconnect at its next keyframe.
    pub const GO_AWAY: u8 = 32;

    /// What a message of type `id` is called; `None` if no specification names the type.
    #[must_use]
    pub fn name(id: u8) -> Option<&'static str> {
        Some(match id {
            SET_CHUNK_SIZE..=SET_PEER_BANDWIDTH | GO_AWAY => "control",
            AUDIO => "audio",
            VIDEO => "video",
            DATA_AMF3 | DATA_AMF0 => "data",
            SHARED_OBJECT_AMF3 | SHARED_OBJECT_AMF0 => "shared object",
            COMMAND_AMF3 | COMMAND_AMF0 => "command",
            AGGREGATE => "aggregate",
            _ => return None,
        })
    }
}

/// User control event types (RTMP §7.1.7).
pub mod user_control {
    /// Stream Begin.
    pub const STREAM_BEGIN: u16 = 0;
    /// Stream EOF.
    pub const STREAM_EOF: u16 = 1;
    /// Ping Request.
    pub const PING_REQUEST: u16 = 6;
    /// Ping Response.
    pub const PING_RESPONSE: u16 = 7;
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// See [`type_id`].
    pub type_id: u8,
    /// Message stream id.
    pub stream_id: u32,
    /// Milliseconds, as sent: wraps at 2³².
    pub timestamp: u32,
    /// Message body.
    pub payload: Bytes,
}

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Message type 8.
    Audio,
    /// Message type 9.
    Video,
}

impl MediaKind {
    /// The RTMP message type and FLV tag type, which are one numbering.
    #[must_use]
    pub fn type_id(self) -> u8 {
        match self {
            Self::Audio => type_id::AUDIO,
            Self::Video => type_id::VIDEO,
        }
    }

    /// The kind of a message type, if it is media.
    #[must_use]
    pub fn from_type_id(id: u8) -> Option<Self> {
        match id {
            type_id::AUDIO => Some(Self::Audio),
            type_id::VIDEO => Some(Self::Video),
            _ => None,
        }
    }
}
