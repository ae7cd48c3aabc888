//! What a stream is meant to be, and so which rules there must be something to look at for. A rule about a tag that is not
//! there is not applicable, and a stream without a single low-latency tag would pass for a good low-latency one. Must not
//! know how rules look.

use std::str::FromStr;

use crate::rules::RULES;

/// What a stream is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Pictures and sound, going on, with nothing known of its past.
    Live,
    /// The same, reloaded at least once.
    Watched,
    /// The same, by Low-Latency HLS.
    LowLatency,
    /// A finished broadcast of pictures and sound.
    Recording,
}

/// What a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracks {
    /// Pictures and sound.
    Both,
    /// Pictures alone.
    Pictures,
    /// Sound alone, in one rendition.
    Sound,
}

/// Neither a profile nor a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {name:?}; there are: {known}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: String,
}

/// Every stream of pictures and sound.
const ALL: &[&str] = &[
    "multivariant-syntax",
    "media-syntax",
    "codecs",
    "resolution",
    "frame-rate",
    "independent-segments",
    "audio-declared",
    "bandwidth",
    "average-bandwidth",
    "segment-length",
    "same-target-duration",
    "map",
    "boundaries-aligned",
    "segments-available",
    "no-redirects",
    "gzip",
    "mime-types",
    "cors",
    "mp4",
    "one-track",
    "default-base-moof",
    "tfdt",
    "styp",
    "mfhd",
    "tfdt-continuity",
    "extinf",
    "idr-first",
    "idr-interval",
    "no-leading-pictures",
    "sync-samples",
    "h264-profile",
    "parameter-sets",
];
const LIVE: &[&str] = &[
    "program-date-time",
    "program-date-time-step",
    "program-date-time-aligned",
    "discontinuity-sequence",
    "discontinuities-aligned",
];
const WATCHED: &[&str] =
    &["media-sequence", "published-unchanged", "target-unchanged", "discontinuity-count"];
const LOW_LATENCY: &[&str] = &[
    "low-latency-everywhere",
    "server-control",
    "part-hold-back",
    "part-target",
    "part-duration",
    "parts-available",
    "parts-make-segment",
    "parts-independent",
    "blocking-reload",
    "far-ahead",
    "part-alone",
    "rendition-reports",
    "preload-hint",
];
const RECORDING: &[&str] = &["playlist-type", "same-range", "endlist", "bandwidth-vod"];

/// Of these, what there is only with pictures and sound.
const OF_BOTH: &[&str] = &["audio-declared"];
/// What is about pictures.
const OF_PICTURES: &[&str] = &[
    "resolution",
    "frame-rate",
    "idr-first",
    "idr-interval",
    "no-leading-pictures",
    "sync-samples",
    "h264-profile",
    "parameter-sets",
];
/// What compares renditions.
const OF_SEVERAL: &[&str] = &[
    "same-target-duration",
    "boundaries-aligned",
    "discontinuities-aligned",
    "program-date-time-aligned",
    "same-range",
    "rendition-reports",
];

impl Profile {
    /// All of them, by name.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("live", Self::Live),
        ("watched", Self::Watched),
        ("low-latency", Self::LowLatency),
        ("recording", Self::Recording),
    ];

    /// The same for a stream that has no pictures, or no sound.
    pub fn rules_of(self, tracks: Tracks) -> Vec<&'static str> {
        let left_out: &[&[&str]] = match tracks {
            Tracks::Both => &[],
            Tracks::Pictures => &[OF_BOTH],
            Tracks::Sound => &[OF_BOTH, OF_PICTURES, OF_SEVERAL],
        };
        self.rules().into_iter().filter(|rule| !left_out.iter().any(|some| some.contains(rule))).collect()
    }

    /// The rules that must have been looked at.
    pub fn rules(self) -> Vec<&'static str> {
        let groups: &[&[&'static str]] = match self {
            Self::Live => &[ALL, LIVE],
            Self::Watched => &[ALL, LIVE, WATCHED],
            Self::LowLatency => &[ALL, LIVE, WATCHED, LOW_LATENCY],
            Self::Recording => &[ALL, RECORDING],
        };
        groups.concat()
    }
}

impl FromStr for Profile {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::NAMES.iter().find(|(one, _)| *one == name);
        found.map(|(_, profile)| *profile).ok_or_else(|| UnknownName {
            what: "profile",
            name: name.to_owned(),
            known: Self::NAMES.map(|(name, _)| name).join(", "),
        })
    }
}

/// The rule of this name.
pub fn rule_named(name: &str) -> Result<&'static str, UnknownName> {
    RULES.iter().map(|rule| rule.id).find(|id| *id == name).ok_or_else(|| UnknownName {
        what: "rule",
        name: name.to_owned(),
        known: RULES.iter().map(|rule| rule.id).collect::<Vec<_>>().join(", "),
    })
}
