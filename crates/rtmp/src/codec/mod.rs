//! What is inside an audio or video message: codec, sequence header, keyframe, composition time.
//!
//! Reads the first bytes of FLV tag bodies (FLV 10.1 annex E, E-RTMP "Enhanced Video/Audio") and, for H.264 and
//! HEVC, NAL unit headers. Decodes nothing and knows no session.

mod audio;
mod ex;
mod fourcc;
mod head;
mod inspect;
mod nal;
mod track;
mod video;

pub use audio::{AudioCodec, AudioPacket, AudioTag};
pub use fourcc::FourCc;
pub(crate) use head::with_frame_type;
pub use head::{BodyHead, FrameType};
pub use inspect::{Codec, Inspector, MediaClass, MediaInfo};
pub use nal::{Av1Config, AvcConfig, HevcConfig, NalUnits, RandomAccess};
pub use track::single_track;
pub use video::{VideoCodec, VideoPacket, VideoTag};

/// Why a tag body cannot be classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The body ends inside its header.
    #[error("media message is cut short")]
    Truncated,
    /// E-RTMP v2 multitrack: several tracks in one message.
    #[error("multitrack media is not supported")]
    Multitrack,
}
