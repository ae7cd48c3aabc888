//! HLS playlists as RFC 8216bis and Apple's authoring specification have them: values in, text out.
//!
//! A caller describes a playlist ([`Ladder`] or [`Window`]), a validating constructor turns it into
//! [`MultivariantPlaylist`] or [`MediaPlaylist`], and rendering those cannot fail. What reaches a playlist
//! as text went through [`Uri`] or [`QuotedText`] first, so no value can end its line or its quotes.
//!
//! A live window of two segments, the second behind a break:
//!
//! ```
//! use headwater_hls::{MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, Uri, WallClock, Window};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let two_seconds = MediaDuration::new(180_000, 90_000)?;
//! let init: Uri = "init.mp4".parse()?;
//! let segment = |name: &str, unix_ms| {
//!     let moment = WallClock::from_unix_ms(unix_ms)?;
//!     Ok::<_, Box<dyn std::error::Error>>(Segment::new(name.parse()?, two_seconds).with_map(init.clone()).at(moment))
//! };
//! let playlist = MediaPlaylist::new(Window {
//!     target_duration: TargetDuration::from_seconds(2)?,
//!     media_sequence: 7,
//!     discontinuity_sequence: 0,
//!     playlist_type: PlaylistType::Live,
//!     ended: false,
//!     independent_segments: true,
//!     segments: vec![segment("7.m4s", 14_000)?, segment("8.m4s", 60_000)?.after_break(true)],
//!     low_latency: None,
//! })?;
//! assert_eq!(
//!     playlist.render(),
//!     "#EXTM3U\n\
//!      #EXT-X-VERSION:6\n\
//!      #EXT-X-TARGETDURATION:2\n\
//!      #EXT-X-MEDIA-SEQUENCE:7\n\
//!      #EXT-X-DISCONTINUITY-SEQUENCE:0\n\
//!      #EXT-X-INDEPENDENT-SEGMENTS\n\
//!      #EXT-X-MAP:URI=\"init.mp4\"\n\
//!      #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:14.000Z\n\
//!      #EXTINF:2.000000,\n\
//!      7.m4s\n\
//!      #EXT-X-DISCONTINUITY\n\
//!      #EXT-X-MAP:URI=\"init.mp4\"\n\
//!      #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00.000Z\n\
//!      #EXTINF:2.000000,\n\
//!      8.m4s\n"
//! );
//! # Ok(())
//! # }
//! ```
//!
//! What is no valid playlist is refused with a reason:
//!
//! ```
//! use headwater_hls::{MediaPlaylist, PlaylistType, TargetDuration, Uri, Window, WindowError};
//!
//! let empty = Window {
//!     target_duration: TargetDuration::from_seconds(2).expect("more than 0"),
//!     media_sequence: 0,
//!     discontinuity_sequence: 0,
//!     playlist_type: PlaylistType::Vod,
//!     ended: true,
//!     independent_segments: true,
//!     segments: Vec::new(),
//!     low_latency: None,
//! };
//! assert_eq!(MediaPlaylist::new(empty), Err(WindowError::Empty));
//!
//! let smuggled = "a.m4s\n#EXT-X-ENDLIST".parse::<Uri>();
//! assert_eq!(smuggled.unwrap_err().to_string(), "character '\\n' at byte 5 is not allowed");
//! ```
//!
//! This crate must not know streams, leases or tables, nor any clock, network or file.

#![warn(missing_docs, reason = "strangers read the libraries' rustdoc; programs are read in their source")]

mod low_latency;
mod media;
mod multivariant;
mod reference;
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
