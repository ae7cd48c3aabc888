//! The stream: the permanent thing a user creates, and its settings.
//!
//! A stream is one document per region that ever wrote it. What holds is the highest `(deleted, version, region)` of
//! them, the same in both regions once replication has caught up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{Region, StreamId};
use crate::objects::Retention;
use crate::text::{self, Unreadable};
use crate::time::Timestamp;

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Longest label of a key, in characters: a line in a list.
pub const MAX_LABEL_CHARS: usize = 100;
/// Most renditions of one stream: each costs a scaler and an encoder.
pub const MAX_RUNGS: usize = 5;
/// Video heights that a rung may have.
pub const RUNG_HEIGHTS: std::ops::RangeInclusive<u32> = 90..=1080;
/// Video bitrates that a rung may have, in kbit/s.
pub const RUNG_KBPS: std::ops::RangeInclusive<u32> = 50..=12_000;
/// Length of a segment, in seconds. It is every live playlist's EXT-X-TARGETDURATION, which may never change while players
/// have the playlist (RFC 8216bis section 6.2.1): so it is a setting, and no segment is longer once rounded.
pub const SEGMENT_SECONDS: u32 = 2;
/// Longest reconnect window; the task is paid for while it waits.
pub const MAX_RECONNECT_WINDOW: Duration = Duration::from_secs(900);
/// How far back live viewers can seek.
pub const DVR_WINDOW_SECONDS: std::ops::RangeInclusive<u32> = 12..=7_200;

/// What happens when a second encoder brings a good key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishPolicy {
    /// The newest publisher wins at once: a dead connection never locks its own encoder out.
    #[default]
    Takeover,
    /// The first publisher stays.
    Reject,
}

/// How far behind the encoder viewers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Segments of two seconds: some seven seconds behind, with every player.
    #[default]
    Standard,
    /// Low-Latency HLS: parts of half a second, some three seconds behind; ten times the requests to S3.
    Low,
}

/// Whether the source's own packets may serve as the top rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passthrough {
    /// Wherever they are fit for it: nothing is lost, and the dearest encode is saved.
    #[default]
    Auto,
    /// Never: viewers get bitrates that are ours, whatever the encoder sends.
    AlwaysEncode,
}

/// What a transcoder that starts late does with what the gateway has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColdStart {
    /// The first frame if the stream is recorded, else the live edge.
    #[default]
    Auto,
    /// Transcodes all of it, faster than real time: nothing is missing in the recording.
    FirstFrame,
    /// Starts at the newest key frame: viewers are near the live edge at once.
    LiveEdge,
}

/// One encoded quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// Lines of the picture (of its shorter side).
    pub height: u32,
    /// Average bits per second, in thousands.
    pub kbps: u32,
}

/// What a user may set on a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSettings {
    /// Qualities, highest first; those above the source are left out. Without, they follow from the source.
    pub ladder: Option<Vec<Rung>>,
    /// How far behind viewers are.
    pub latency: Latency,
    /// Whether the source may be the top rendition as it is.
    pub passthrough: Passthrough,
    /// Whether a broadcast can be watched after it has ended; holds from the next broadcast on.
    pub record: bool,
    /// Where a late transcoder starts.
    pub cold_start: ColdStart,
    /// What a second encoder gets.
    pub publish_policy: PublishPolicy,
    /// How long a lost encoder may take to come back into the same broadcast.
    pub reconnect_window_seconds: u32,
    /// How far back live viewers can seek.
    pub dvr_window_seconds: u32,
    /// Whether the player page lists the stream while it is live.
    pub listed: bool,
    /// Whether media is written to both regions' buckets.
    pub mirror: bool,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            ladder: None,
            latency: Latency::default(),
            passthrough: Passthrough::default(),
            record: true,
            cold_start: ColdStart::default(),
            publish_policy: PublishPolicy::default(),
            reconnect_window_seconds: 60,
            dvr_window_seconds: 60,
            listed: false,
            mirror: true,
        }
    }
}

/// What is wrong with a name or a setting; a sentence that says what to send instead.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct BadSetting {
    /// The JSON field.
    pub field: &'static str,
    /// What to do about it.
    pub problem: String,
}

impl StreamSettings {
    /// Checks every value against its limits.
    pub fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, problem: String| Err(BadSetting { field, problem });
        if self.ladder.as_ref().is_some_and(|rungs| rungs.is_empty() || rungs.len() > MAX_RUNGS) {
            return bad("settings.ladder", format!("needs 1 to {MAX_RUNGS} rungs, or null for the default"));
        }
        for rung in self.ladder.iter().flatten() {
            if !RUNG_HEIGHTS.contains(&rung.height) || rung.height % 2 == 1 {
                let (low, high) = (RUNG_HEIGHTS.start(), RUNG_HEIGHTS.end());
                return bad(
                    "settings.ladder",
                    format!("a rung's height is an even number from {low} to {high}"),
                );
            }
            if !RUNG_KBPS.contains(&rung.kbps) {
                let (low, high) = (RUNG_KBPS.start(), RUNG_KBPS.end());
                return bad("settings.ladder", format!("a rung's kbps is from {low} to {high}"));
            }
        }
        if !self.ladder.iter().all(|rungs| rungs.windows(2).all(|pair| pair[0].height > pair[1].height)) {
            return bad(
                "settings.ladder",
                "lists rungs from the highest to the lowest, each height once".into(),
            );
        }
        if Duration::from_secs(self.reconnect_window_seconds.into()) > MAX_RECONNECT_WINDOW {
            let most = MAX_RECONNECT_WINDOW.as_secs();
            return bad("settings.reconnect_window_seconds", format!("is at most {most}"));
        }
        if !DVR_WINDOW_SECONDS.contains(&self.dvr_window_seconds) {
            let (low, high) = (DVR_WINDOW_SECONDS.start(), DVR_WINDOW_SECONDS.end());
            return bad("settings.dvr_window_seconds", format!("is from {low} to {high}"));
        }
        Ok(())
    }

    /// What the transcoder needs of it.
    pub fn transcode(&self) -> TranscodeSettings {
        TranscodeSettings {
            ladder: self.ladder.clone(),
            latency: self.latency,
            passthrough: self.passthrough,
            from_live_edge: match self.cold_start {
                ColdStart::Auto => !self.record,
                ColdStart::FirstFrame => false,
                ColdStart::LiveEdge => true,
            },
            segment_seconds: SEGMENT_SECONDS,
            audio_kbps: 128,
            mirror: self.mirror,
            retention: if self.record { Retention::Recorded } else { Retention::Unrecorded },
        }
    }
}

/// Checks a stream's name: something that people see, and that leaves the text around it alone.
pub fn check_name(name: &str) -> Result<(), BadSetting> {
    text::check(name, MAX_NAME_CHARS).map_err(|unreadable| {
        let problem = match unreadable {
            Unreadable::Invisible => {
                "is a name people will recognise; it needs a character that can be seen".into()
            }
            Unreadable::TooLong => format!("is at most {MAX_NAME_CHARS} characters"),
            Unreadable::Control => "cannot have line breaks or other control characters".into(),
            Unreadable::Direction => {
                "cannot have characters that turn the direction of text (U+202A to U+202E, U+2066 to U+2069)"
                    .into()
            }
        };
        BadSetting { field: "name", problem }
    })
}

/// Checks a key's label: none (an empty one), or what a name may be.
pub fn check_label(label: &str) -> Result<(), BadSetting> {
    if label.is_empty() {
        return Ok(());
    }
    text::check(label, MAX_LABEL_CHARS).map_err(|_| {
        let problem = format!(
            "is at most {MAX_LABEL_CHARS} characters of one line, of which one can be seen and none turns the direction of text"
        );
        BadSetting { field: "label", problem }
    })
}

/// What a transcoder is told of a stream's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscodeSettings {
    /// Qualities, highest first; without, they follow from the source.
    #[serde(default)]
    pub ladder: Option<Vec<Rung>>,
    /// How far behind viewers are.
    #[serde(default)]
    pub latency: Latency,
    /// Whether the source may be the top rendition as it is.
    #[serde(default)]
    pub passthrough: Passthrough,
    /// Whether a broadcast may start at the newest key frame, instead of the first, if the transcoder starts late.
    #[serde(default)]
    pub from_live_edge: bool,
    /// Length of a segment.
    pub segment_seconds: u32,
    /// AAC bitrate in kbit/s.
    pub audio_kbps: u32,
    /// Whether to write both buckets.
    pub mirror: bool,
    /// How long media is kept.
    #[serde(default)]
    pub retention: Retention,
}

/// A stream as one region wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDocument {
    /// The stream.
    pub id: StreamId,
    /// Which region wrote this document.
    pub region: Region,
    /// Counts changes, over both regions.
    pub version: u64,
    /// The user's word for it.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When this document was written.
    pub updated_at: Timestamp,
    /// Set once the stream is deleted; a deleted stream never comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Its settings.
    pub settings: StreamSettings,
}

impl StreamDocument {
    /// The document that holds, of those of all regions.
    pub fn current(documents: impl IntoIterator<Item = Self>) -> Option<Self> {
        documents.into_iter().max_by(|a, b| a.rank().cmp(&b.rank()))
    }

    fn rank(&self) -> (bool, u64, &Region) {
        (self.deleted_at.is_some(), self.version, &self.region)
    }

    /// The next version of it, written by `region`.
    #[must_use]
    pub fn successor(&self, region: &Region, now: Timestamp) -> Self {
        Self { region: region.clone(), version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_outranks_what_it_follows() {
        let (old, region) = (document("us-east-1", 3, false), "eu-west-1".parse().unwrap());
        let new = old.successor(&region, Timestamp(99));
        assert_eq!((new.version, &new.region, new.updated_at), (4, &region, Timestamp(99)));
        assert_eq!((new.created_at, &new.name), (old.created_at, &old.name));
        assert_eq!(StreamDocument::current([new.clone(), old]), Some(new));
    }

    fn document(region: &str, version: u64, deleted: bool) -> StreamDocument {
        StreamDocument {
            id: StreamId::from_random(1),
            region: region.parse().unwrap(),
            version,
            name: format!("{region} {version}"),
            created_at: Timestamp(0),
            updated_at: Timestamp(version),
            deleted_at: deleted.then_some(Timestamp(9)),
            settings: StreamSettings::default(),
        }
    }

    #[test]
    fn both_regions_see_the_same_document_whatever_the_order() {
        let (a, b) = (document("eu-west-1", 3, false), document("us-east-1", 3, false));
        let ab = StreamDocument::current([a.clone(), b.clone()]);
        assert_eq!(ab, StreamDocument::current([b.clone(), a.clone()]));
        assert_eq!(ab, Some(b.clone()));
        let gone = document("eu-west-1", 2, true);
        assert_eq!(StreamDocument::current([gone.clone(), b]), Some(gone), "a deleted stream stays deleted");
    }

    #[test]
    fn settings_out_of_bounds_are_named() {
        let with = |change: fn(&mut StreamSettings)| {
            let mut settings = StreamSettings::default();
            change(&mut settings);
            settings.check().err().map(|bad| bad.field)
        };
        assert_eq!(with(|_| ()), None);
        let ladder = |rungs: &[(u32, u32)]| {
            let ladder = Some(rungs.iter().map(|&(height, kbps)| Rung { height, kbps }).collect());
            StreamSettings { ladder, ..StreamSettings::default() }.check().err().map(|bad| bad.field)
        };
        assert_eq!(ladder(&[(720, 2_800), (360, 800)]), None);
        assert_eq!(ladder(&[]), Some("settings.ladder"));
        assert_eq!(ladder(&[(721, 2_800)]), Some("settings.ladder"));
        assert_eq!(ladder(&[(720, 0)]), Some("settings.ladder"));
        assert_eq!(ladder(&[(360, 800), (720, 2_800)]), Some("settings.ladder"));
        assert_eq!(with(|s| s.reconnect_window_seconds = 901), Some("settings.reconnect_window_seconds"));
        assert_eq!(with(|s| s.dvr_window_seconds = 3), Some("settings.dvr_window_seconds"));
        assert!(check_name("Ma chaîne ✨").is_ok());
        assert!(check_label("").is_ok(), "a key may be without");
        for (bad, why) in [
            ("\u{200b}", "seen"),
            ("a\nb", "line breaks"),
            ("evil\u{202e}live", "direction"),
            (&"x".repeat(101), "100 characters"),
        ] {
            let refused = check_name(bad).unwrap_err();
            assert!(refused.problem.contains(why), "{refused:?}");
            assert_eq!(check_label(bad).unwrap_err().field, "label", "{bad:?}");
        }
        assert_eq!(check_name("").unwrap_err().field, "name");
        assert!(check_name(&"x".repeat(100)).is_ok() && check_label(&"x".repeat(100)).is_ok());
    }
}
