//! What lies in the media buckets, where, and for how long. Both buckets have the same keys: own objects and mirrored ones.
//!
//! | key | what | kept |
//! |---|---|---|
//! | `<region>/media/<broadcast>/<lease>/<rendition>/<n>.m4s`, `…/init-<n>.mp4` | recorded media | `MediaExpirationDays`, or for ever |
//! | `<region>/media/unrecorded/<broadcast>/…` | media of what is not recorded, from its first object on | a day |
//! | `<region>/parts/<broadcast>/<lease>/<rendition>/<n>.<part>.m4s` | parts of low-latency segments; never mirrored | a day |
//! | `web/…` | the player page | as long as the stack |
//!
//! Nothing else is stored: playlists are rendered. template.yaml has a lifecycle rule for each prefix that expires; S3
//! counts days from when an object was written, and deletes at the midnight (UTC) after.
//!
//! Invariant: nothing that a playlist names is as old as its rule. A window reaches back two hours at most; initialization
//! sections, which outlive that, are written anew while they are in use ([`RENEW_EVERY`]).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ids::{BroadcastId, Lease, SegmentNumber};
use crate::paths::{ObjectPath, PartPath, init_path, media_path, part_path};
pub use crate::retention::Retention;
use crate::time::Timestamp;
use crate::timeline::Entry;

impl Retention {
    /// Of the media object at `path`.
    pub fn of(path: &str) -> Option<Self> {
        match KeyKind::of(path)? {
            KeyKind::Recorded => Some(Self::Recorded),
            KeyKind::Unrecorded => Some(Self::Unrecorded),
            KeyKind::Part | KeyKind::Page => None,
        }
    }
}

/// What is not recorded is deleted so long after it was written, at the midnight (UTC) after; so is what the timeline says of it.
pub const UNRECORDED_FOR: Duration = Duration::from_secs(24 * 3600);
/// An initialization section that is in use is written anew so often: its age is what lifecycle rules go by.
pub const RENEW_EVERY: Duration = Duration::from_secs(30 * 60);
/// An initialization section is at most so much older than media that goes with it: a lease uses that of the one before
/// for [`RENEW_EVERY`], at the beginning of which it was as old.
const INIT_OLDER_BY: Duration = Duration::from_secs(2 * RENEW_EVERY.as_secs());
/// Longest that recordings are kept if not for ever, in days.
const MAX_DAYS: u32 = 3_650;

/// For how long recorded media can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptFor(Option<Duration>);

impl KeptFor {
    /// Whether what `entry` names may be gone by `now`, or is about to go.
    pub fn is_over(&self, entry: &Entry, now: Timestamp) -> bool {
        self.0.is_some_and(|kept| now.since(entry.committed_at) + INIT_OLDER_BY >= kept)
    }

    /// Whether `entry` names media that can be watched when its broadcast is over.
    pub fn has_recording(&self, entry: &Entry, now: Timestamp) -> bool {
        !entry.gap && !entry.is_unrecorded() && !self.is_over(entry, now)
    }
}

/// Days from 0, which is for ever, as the template's `MediaExpirationDays` says them.
impl FromStr for KeptFor {
    type Err = BadDays;

    fn from_str(text: &str) -> Result<Self, BadDays> {
        let days: u32 = text.parse().map_err(|_| BadDays)?;
        match days {
            0 => Ok(Self(None)),
            1..=MAX_DAYS => Ok(Self(Some(Duration::from_secs(u64::from(days) * 24 * 3600)))),
            _ => Err(BadDays),
        }
    }
}

/// Not a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is a number of days from 0 (for ever) to {MAX_DAYS}")]
pub struct BadDays;

/// What an object in a media bucket is, told by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// A segment, or an initialization section, of a recording.
    Recorded,
    /// The same of what is not recorded.
    Unrecorded,
    /// A part of a low-latency segment.
    Part,
    /// A file of the player page.
    Page,
}

impl KeyKind {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Recorded, Self::Unrecorded, Self::Part, Self::Page];

    /// Of the object with this key; `None` for what we never write.
    pub fn of(key: &str) -> Option<Self> {
        if key.parse::<PartPath>().is_ok() {
            return Some(Self::Part);
        }
        match key.parse::<ObjectPath>() {
            Ok(ObjectPath { retention: Retention::Recorded, .. }) => Some(Self::Recorded),
            Ok(ObjectPath { retention: Retention::Unrecorded, .. }) => Some(Self::Unrecorded),
            Err(_) => key.starts_with("web/").then_some(Self::Page),
        }
    }

    /// Keys of this kind as they are written by a lease.
    pub fn examples(self, broadcast: &BroadcastId, lease: &Lease) -> Vec<String> {
        let media = |retention| {
            let number = SegmentNumber(12);
            vec![
                media_path(broadcast, lease, retention, "720p", number),
                init_path(broadcast, lease, retention, "720p", number),
            ]
        };
        match self {
            Self::Recorded => media(Retention::Recorded),
            Self::Unrecorded => media(Retention::Unrecorded),
            Self::Part => vec![part_path(broadcast, lease, "720p", SegmentNumber(12), 3)],
            Self::Page => vec!["web/index.html".into(), "web/assets/player.js".into()],
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recorded => "recorded",
            Self::Unrecorded => "unrecorded",
            Self::Part => "part",
            Self::Page => "page",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    #[test]
    fn every_key_that_is_written_is_told_by_its_kind() {
        for kind in KeyKind::ALL {
            for key in kind.examples(&samples::broadcast(), &samples::lease(1)) {
                assert_eq!(KeyKind::of(&key), Some(kind), "{key}");
            }
        }
        let mut entry = samples::entry(1, 7);
        for (retention, kind) in
            [(Retention::Recorded, KeyKind::Recorded), (Retention::Unrecorded, KeyKind::Unrecorded)]
        {
            entry.renditions[0].retention = retention;
            assert_eq!(KeyKind::of(&entry.media_path("720p")), Some(kind));
            assert_eq!(KeyKind::of(&entry.media_path("audio")), Some(KeyKind::Recorded), "each by itself");
        }
    }

    #[test]
    fn other_keys_are_of_no_kind() {
        let media = &KeyKind::Unrecorded.examples(&samples::broadcast(), &samples::lease(1))[0];
        for (from, to) in [
            ("us-east-1/media", "eu-west-1/media"),
            ("/media/", "/pictures/"),
            ("unrecorded", "other"),
            (".m4s", ".mp4"),
            ("12.m4s", "x.m4s"),
            ("720p/", ""),
        ] {
            let other = media.replacen(from, to, 1);
            assert!(other != *media && KeyKind::of(&other).is_none(), "{other}");
        }
        assert_eq!(KeyKind::of("web/"), Some(KeyKind::Page));
        assert_eq!(KeyKind::of(""), None);
    }

    #[test]
    fn what_is_kept_for_days_is_over_before_its_initialization_section_goes() {
        let entry = samples::entry(1, 7);
        let at = |hours: u64| entry.committed_at + Duration::from_secs(hours * 3600);
        let days = |text: &str| text.parse::<KeptFor>();
        let (one, ever) = (days("1").unwrap(), days("0").unwrap());
        assert!(one.has_recording(&entry, at(22)) && one.is_over(&entry, at(23)));
        assert!(!ever.is_over(&entry, at(1_000_000)) && ever == KeptFor::default());
        assert!(days("3650").is_ok());
        for bad in ["3651", "-1", "", "x", "1.5"] {
            assert_eq!(days(bad), Err(BadDays), "{bad}");
        }
        let mut unrecorded = entry.clone();
        unrecorded.renditions.iter_mut().for_each(|one| one.retention = Retention::Unrecorded);
        assert!(!ever.has_recording(&unrecorded, at(0)) && unrecorded.is_unrecorded());
        assert!(!ever.has_recording(&Entry { gap: true, ..entry.clone() }, at(0)));
        let none = Entry { renditions: Vec::new(), ..entry };
        assert!(!none.is_unrecorded(), "nothing is said of what it lacks");
    }

    /// The test of template.yaml's lifecycle rules reads the file.
    #[test]
    fn the_keys_that_the_template_is_held_against_are_these() {
        let mirrored = Lease { region: samples::region_b(), ..samples::lease(1) };
        let keys = |kind: KeyKind| {
            let own = kind.examples(&samples::broadcast(), &samples::lease(1)).into_iter();
            let both = own.chain(kind.examples(&samples::broadcast(), &mirrored));
            both.collect::<std::collections::BTreeSet<_>>()
        };
        let all: std::collections::BTreeMap<_, _> =
            KeyKind::ALL.map(|kind| (kind.to_string(), keys(kind))).into();
        let expected = serde_json::to_string_pretty(&all).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/deploy/object-keys.json");
        let file = std::fs::read_to_string(path).unwrap();
        assert_eq!(file, expected, "write this to tests/deploy/object-keys.json:\n{expected}");
    }
}
