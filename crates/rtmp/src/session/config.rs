//! What the owner sets, and the limits a peer meets.

use crate::chunk::{MessageLimits, Skips};
use crate::codec::FourCc;
use crate::handshake::RANDOM_LEN;

/// Default for [`SessionConfig::chunk_size_out`], bytes. FFmpeg adopts the server's chunk size for what it sends, so a
/// large one saves it and us a header every 128 bytes.
const CHUNK_SIZE_OUT: u32 = 65_536;
/// Default for [`SessionConfig::server_window_ack`], bytes: what Flash Media Server and nginx-rtmp announce.
const SERVER_WINDOW_ACK: u32 = 5_000_000;
/// Default for [`SessionLimits::message_bytes`]: five times an intra-only 4K picture at 400 Mbit/s and 30 fps.
const MAX_MESSAGE_BYTES: u32 = 8 << 20;
/// Default for [`SessionLimits::buffered_bytes`]: one message of the largest size and what may interleave with it.
const MAX_BUFFERED_BYTES: usize = 12 << 20;
/// Default for [`SessionLimits::pending_bytes`]: two seconds at 16 Mbit/s. Encoders wait for the answer before they
/// send media, and nobody has vouched for this one yet.
const MAX_PENDING_BYTES: usize = 4 << 20;

/// Longest message before a publish request, bytes: commands of about 300 bytes are all that belongs there.
const MAX_MESSAGE_BEFORE_PUBLISH: u32 = 64 << 10;
/// Incomplete messages before a publish request, bytes.
const MAX_BUFFERED_BEFORE_PUBLISH: usize = 128 << 10;
/// Longest command or control message, bytes.
const MAX_COMMAND_BYTES: u32 = 64 << 10;
/// Longest data message, bytes: metadata is about 400, timed text may carry pictures.
const MAX_DATA_BYTES: u32 = 1 << 20;

/// Settings of a session.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Window the client is asked to acknowledge by, bytes.
    pub server_window_ack: u32,
    /// Chunk size announced to the client, bytes, 1 to 2³¹−1.
    pub chunk_size_out: u32,
    /// Random bytes of S1. They need not be secret.
    pub handshake_random: [u8; RANDOM_LEN],
    /// Enhanced RTMP video codecs the owner can use; clients that negotiate are told these.
    pub video_four_ccs: Vec<FourCc>,
    /// The same for audio.
    pub audio_four_ccs: Vec<FourCc>,
    /// The port is for TLS, and this connection came without: its connect command is answered with that.
    pub wants_tls: bool,
    /// What a peer may make this session hold.
    pub limits: SessionLimits,
}

impl SessionConfig {
    /// Defaults, with the random bytes of one connection.
    #[must_use]
    pub fn new(handshake_random: [u8; RANDOM_LEN]) -> Self {
        Self {
            server_window_ack: SERVER_WINDOW_ACK,
            chunk_size_out: CHUNK_SIZE_OUT,
            handshake_random,
            video_four_ccs: vec![FourCc::AVC, FourCc::HEVC, FourCc::AV1],
            audio_four_ccs: vec![FourCc::AAC],
            wants_tls: false,
            limits: SessionLimits::default(),
        }
    }
}

/// Bounds on memory a peer can claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Longest media message, bytes, at most 2²⁴−1.
    pub message_bytes: u32,
    /// Incomplete messages of all chunk streams together, bytes.
    pub buffered_bytes: usize,
    /// Media held while a publish request waits for its answer, bytes with bookkeeping.
    pub pending_bytes: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            message_bytes: MAX_MESSAGE_BYTES,
            buffered_bytes: MAX_BUFFERED_BYTES,
            pending_bytes: MAX_PENDING_BYTES,
        }
    }
}

impl SessionLimits {
    pub(super) fn before_publish() -> MessageLimits {
        MessageLimits {
            media: MAX_MESSAGE_BEFORE_PUBLISH,
            data: MAX_MESSAGE_BEFORE_PUBLISH,
            command: MAX_COMMAND_BYTES,
            buffered: MAX_BUFFERED_BEFORE_PUBLISH,
            skips: Skips::Nothing,
        }
    }

    pub(super) fn while_pending(&self) -> MessageLimits {
        let half = self.pending_bytes / 2;
        MessageLimits {
            media: self.message_bytes.min(u32::try_from(half).unwrap_or(u32::MAX)),
            data: MAX_MESSAGE_BEFORE_PUBLISH,
            command: MAX_COMMAND_BYTES,
            buffered: self.buffered_bytes.min(self.pending_bytes),
            skips: Skips::Nothing,
        }
    }

    /// Of a publisher that has sent media nothing foreign is an end. One that has not is perhaps none.
    pub(super) fn publishing(&self, has_sent_media: bool) -> MessageLimits {
        MessageLimits {
            media: self.message_bytes,
            data: MAX_DATA_BYTES,
            command: MAX_COMMAND_BYTES,
            buffered: self.buffered_bytes,
            skips: if has_sent_media { Skips::Foreign } else { Skips::Long },
        }
    }
}
