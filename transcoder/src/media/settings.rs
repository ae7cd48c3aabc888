//! What the caller decides about a run: ladder and latency.
//! Plain values; knows nothing of libav.

use std::io::Read;
use std::num::NonZero;

use super::plan::governor::Pace;
use super::problem::Problems;
use super::{MediaTime, Passthrough};

/// On so many the encoders leave nothing for a second decoder thread to win: it costs 5 % of decoding and a picture's
/// delay.
const FEW_PROCESSORS: usize = 2;

/// One quality that may be produced; dropped when the source is smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Rendition name, part of object keys.
    pub name: String,
    /// Lines of a landscape picture; the shorter side of a portrait one.
    pub height: u32,
    /// Bits per second that hard pictures cost on average; easy ones cost less.
    pub bitrate: u32,
    /// Rate at which the decoder's buffer fills, bits per second.
    pub maxrate: u32,
    /// Size of that buffer, bits.
    pub buffer: u32,
}

impl Rung {
    /// A rung whose peak is 7 % above its average over a buffer of a second.
    #[must_use]
    pub fn new(name: &str, height: u32, bitrate: u32) -> Self {
        Self { name: name.to_owned(), height, bitrate, maxrate: bitrate / 100 * 107, buffer: bitrate }
    }
}

/// What a run produces.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Qualities, in any order; without, they follow from the source.
    pub ladder: Option<Vec<Rung>>,
    /// Whether the source's own packets are a rendition, wherever they are fit for it.
    pub passthrough: Passthrough,
    /// Boundaries fall at multiples of this, counted from T = 0; at IDRs at most so far apart if the source is copied.
    pub segment_duration: MediaTime,
    /// Low latency: segments are handed out in parts of about this length as well, and nothing looks ahead.
    pub part_duration: Option<MediaTime>,
    /// Bits per second of the audio rendition when stereo; half of it when mono.
    pub audio_bitrate: u32,
    /// Threads of the video decoder.
    pub decode_threads: usize,
    /// Names that renditions of the broadcast's pictures have had: each goes on, whatever the source has become.
    pub names: Vec<String>,
    /// Where the run says what is wrong with its source.
    pub problems: Problems,
}

impl Default for EngineSettings {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            ladder: None,
            passthrough: Passthrough::ALL,
            segment_duration: MediaTime::from_secs(2),
            part_duration: None,
            audio_bitrate: 128_000,
            decode_threads: if processors > FEW_PROCESSORS { 2 } else { 1 },
            names: Vec::new(),
            problems: Problems::default(),
        }
    }
}

/// One FLV response of the source link.
pub struct RunInput {
    /// The bytes. `Ok(0)` is a clean end, an error an abrupt one. While a read waits it must return
    /// `ErrorKind::Interrupted` now and then (or when cancelled), so that a cancel is noticed; [`super::source::feed`] does.
    pub reader: Box<dyn Read + Send>,
    /// Cursor of the first media tag (`Headwater-Cursor`).
    pub first_cursor: u64,
    /// Tells how late the run is. Without it nothing is ever reduced.
    pub pace: Option<Box<dyn Pace>>,
}
