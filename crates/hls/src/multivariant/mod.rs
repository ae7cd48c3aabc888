//! Multivariant playlists: which ladder is valid, what each variant costs, and in which order they are listed.
//! Must not know how they are written down.

mod render;

use std::fmt;

use crate::{QuotedText, Uri};

/// Average bandwidth, in bit/s, that the variant listed first should stay under.
///
/// Players start with the first variant before they have measured anything (AVPlayer takes it as it is, hls.js as
/// its first bandwidth estimate). Apple's authoring specification (section 9) puts the default at about 2 Mbit/s.
const MAX_STARTUP_BANDWIDTH: u64 = 2_000_000;

/// Frames per second as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    frames: u32,
    seconds: u32,
}

impl FrameRate {
    /// `frames` in `seconds`, e.g. 30000 in 1001. `None` if either is 0.
    pub fn new(frames: u32, seconds: u32) -> Option<Self> {
        (frames > 0 && seconds > 0).then_some(Self { frames, seconds })
    }
}

impl fmt::Display for FrameRate {
    /// Rounded to three decimals, as FRAME-RATE wants it (RFC 8216bis section 4.4.6.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = u64::from(self.seconds);
        let milli = (2_000 * u64::from(self.frames) + seconds) / (2 * seconds);
        write!(f, "{}.{:03}", milli / 1_000, milli % 1_000)
    }
}

/// One video rendition, without its audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What people call it, `720p`.
    pub name: QuotedText,
    /// Its media playlist.
    pub uri: Uri,
    /// Peak of any segment, in bit/s.
    pub bandwidth: u64,
    /// Average over the whole, in bit/s.
    pub average_bandwidth: u64,
    /// RFC 6381, `avc1.64001f`.
    pub codecs: QuotedText,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Highest of any segment.
    pub frame_rate: FrameRate,
}

/// The audio that all video variants share, or all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioGroup {
    /// What variants refer to.
    pub group_id: QuotedText,
    /// What people call it.
    pub name: QuotedText,
    /// Its media playlist.
    pub uri: Uri,
    /// Played unless the viewer chooses otherwise.
    pub default: bool,
    /// How many, at most.
    pub channels: u32,
    /// RFC 6381, `mp4a.40.2`.
    pub codecs: QuotedText,
    /// Peak of any segment, in bit/s.
    pub bandwidth: u64,
    /// Average over the whole, in bit/s.
    pub average_bandwidth: u64,
}

/// What a multivariant playlist is to say. The order of `video` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Video renditions; none for a radio.
    pub video: Vec<Variant>,
    /// The sound; none for a silent stream.
    pub audio: Option<AudioGroup>,
    /// Every segment of every rendition decodes by itself.
    pub independent_segments: bool,
}

/// Why a ladder is not a valid playlist. `name` is the rendition's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// Neither video nor audio.
    #[error("no renditions")]
    Empty,
    /// Zero, or an average above its peak.
    #[error("rendition {name} has an impossible bandwidth: average {average}, peak {peak} bit/s")]
    Bandwidth {
        /// The rendition's name.
        name: QuotedText,
        /// Its average.
        average: u64,
        /// Its peak.
        peak: u64,
    },
    /// Width or height is 0.
    #[error("rendition {name} has no area")]
    Resolution {
        /// The rendition's name.
        name: QuotedText,
    },
    /// Two renditions of one name or address.
    #[error("rendition {name} is listed twice")]
    Twice {
        /// The rendition's name.
        name: QuotedText,
    },
}

/// A ladder that was found valid, in the order it is listed; rendering it cannot fail.
///
/// ```
/// use headwater_hls::{FrameRate, Ladder, MultivariantPlaylist, Variant};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let variant = |name: &str, height: u32, bandwidth| {
///     Ok::<_, Box<dyn std::error::Error>>(Variant {
///         name: name.parse()?,
///         uri: format!("{name}.m3u8").parse()?,
///         bandwidth,
///         average_bandwidth: bandwidth * 9 / 10,
///         codecs: "avc1.64001f".parse()?,
///         width: height * 16 / 9,
///         height,
///         frame_rate: FrameRate::new(30, 1).ok_or("no frame rate")?,
///     })
/// };
/// let video = vec![variant("1080p", 1080, 6_000_000)?, variant("480p", 480, 1_400_000)?];
/// let playlist = MultivariantPlaylist::new(Ladder { video, audio: None, independent_segments: true })?;
/// let listed: Vec<_> = playlist.render().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
/// assert_eq!(listed, ["480p.m3u8", "1080p.m3u8"], "players start with what most networks carry");
/// # Ok(())
/// # }
/// ```
///
/// Order: first the best variant whose average stays under 2 Mbit/s (the smallest one if none does), because that is
/// what players start with; then the others, best first; last the sound alone, for phones on a poor network
/// (Apple authoring specification 9.21 wants a variant of at most 192 kbit/s).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultivariantPlaylist {
    ladder: Ladder,
    session_data: Vec<SessionData>,
}

/// Something that whoever reads the playlist may want to know (RFC 8216bis section 4.4.6.4), in English.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SessionData {
    id: QuotedText,
    value: QuotedText,
}

impl MultivariantPlaylist {
    /// Checks what players rely on, and puts the variants in order.
    pub fn new(mut ladder: Ladder) -> Result<Self, LadderError> {
        if ladder.video.is_empty() && ladder.audio.is_none() {
            return Err(LadderError::Empty);
        }
        for (index, variant) in ladder.video.iter().enumerate() {
            check(variant, &ladder.video[..index])?;
        }
        if let Some(audio) = &ladder.audio {
            check_bandwidth(&audio.name, audio.bandwidth, audio.average_bandwidth)?;
        }
        order(&mut ladder);
        Ok(Self { ladder, session_data: Vec::new() })
    }

    /// The same, and it also says `value`, for those who know what `id` means. A playlist says one thing under each id.
    #[must_use]
    pub fn with_session_data(mut self, id: QuotedText, value: QuotedText) -> Self {
        self.session_data.retain(|one| one.id != id);
        self.session_data.push(SessionData { id, value });
        self
    }

    /// The playlist's text.
    pub fn render(&self) -> String {
        render::multivariant(&self.ladder, &self.session_data)
    }
}

fn check(variant: &Variant, before: &[Variant]) -> Result<(), LadderError> {
    let name = || variant.name.clone();
    check_bandwidth(&variant.name, variant.bandwidth, variant.average_bandwidth)?;
    if variant.width == 0 || variant.height == 0 {
        return Err(LadderError::Resolution { name: name() });
    }
    if before.iter().any(|other| other.name == variant.name || other.uri == variant.uri) {
        return Err(LadderError::Twice { name: name() });
    }
    Ok(())
}

fn check_bandwidth(name: &QuotedText, peak: u64, average: u64) -> Result<(), LadderError> {
    if average == 0 || average > peak {
        return Err(LadderError::Bandwidth { name: name.clone(), average, peak });
    }
    Ok(())
}

fn order(ladder: &mut Ladder) {
    let audio = ladder.audio.as_ref().map_or(0, |audio| audio.average_bandwidth);
    ladder.video.sort_by_key(|variant| std::cmp::Reverse(variant.bandwidth));
    let affordable = |v: &Variant| v.average_bandwidth.saturating_add(audio) <= MAX_STARTUP_BANDWIDTH;
    let first = ladder.video.iter().position(affordable).or(ladder.video.len().checked_sub(1));
    if let Some(first) = first {
        ladder.video[..=first].rotate_right(1);
    }
}
