//! HLS playlists as RFC 8216bis and Apple's authoring specification have them: values in, text out.
//!
//! A caller describes a playlist ([`Ladder`] or [`Window`]), a validating constructor turns it into
//! [`MultivariantPlaylist`] or [`MediaPlaylist`], and rendering those cannot fail. What reaches a playlist
//! as text went through [`Uri`] or [`QuotedText`] first, so no value can end its line or its quotes.
//!
//! This crate must not know streams, leases or tables, nor any clock, network or file.

mod low_latency;
mod media;
mod multivariant;
mod segment;
mod text;
mod time;

pub use low_latency::{LowLatency, OpenSegment, Part, PartTarget, RenditionReport};
pub use media::{MAX_FURTHER_BREAKS, MediaPlaylist, PartProblem, PlaylistType, Window, WindowError};
pub use multivariant::{AudioGroup, FrameRate, Ladder, LadderError, MultivariantPlaylist, Variant};
pub use segment::{ByteRange, Segment};
pub use text::{MAX_TEXT_BYTES, MAX_URI_BYTES, QuotedText, TextError, Uri};
pub use time::{MAX_TIMESCALE, MediaDuration, TargetDuration, TimeError, WallClock};

/// The `Content-Type` of every playlist (RFC 8216bis section 4; Apple authoring specification 10.4).
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

/// `EXT-X-VERSION` of everything rendered here: 6 is the lowest that allows EXT-X-MAP in a playlist that is
/// not I-frames-only (RFC 8216bis section 8). A higher number would only turn players away.
const VERSION: u8 = 6;

/// `EXT-X-VERSION` of a delta update: the lowest that has EXT-X-SKIP. Only who asked for one gets it.
const DELTA_VERSION: u8 = 9;
