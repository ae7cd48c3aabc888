//! The path of one part of one rendition, read back: what a viewer may ask for before it is there.
//!
//! A path that parses names an object under `<region>/parts/` and nothing else, whatever the viewer sent.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::ids::{BroadcastId, Lease, SegmentNumber};
use crate::timeline::{Entry, part_path};

/// Longest name of a rendition, in characters; ours have at most five.
pub const MAX_RENDITION_CHARS: usize = 32;
/// Highest index of a part: a segment has four, a long one of an irregular source some twenty.
pub const MAX_PART_INDEX: usize = 999;

/// Not the path of a part.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error(
    "not the path of a part: expected <region>/parts/<broadcast>/<lease>/<rendition>/<segment>.<part>.m4s"
)]
pub struct BadPartPath;

/// The path of a part; [`part_path`] writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPath {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who writes it; its region is the first segment of the path.
    pub lease: Lease,
    /// Which rendition: letters, digits, hyphen and underscore.
    rendition: String,
    /// Its segment.
    pub number: SegmentNumber,
    /// Which part of that, from 0.
    pub part: usize,
}

impl PartPath {
    /// Which rendition.
    pub fn rendition(&self) -> &str {
        &self.rendition
    }

    /// Whether `entry` says that it is stored.
    pub fn is_in(&self, entry: &Entry) -> bool {
        let stored = entry.renditions.iter().any(|one| one.name == self.rendition) && !entry.gap;
        let names_it = entry.parts.get(self.part).is_some_and(|part| {
            part.lease.as_ref().unwrap_or(&entry.lease) == &self.lease && entry.number == self.number
        });
        stored && names_it
    }
}

impl fmt::Display for PartPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&part_path(&self.broadcast, &self.lease, &self.rendition, self.number, self.part))
    }
}

impl FromStr for PartPath {
    type Err = BadPartPath;

    fn from_str(text: &str) -> Result<Self, BadPartPath> {
        let [region, "parts", broadcast, lease, rendition, file] = *text.split('/').collect::<Vec<_>>()
        else {
            return Err(BadPartPath);
        };
        let (number, part) =
            file.strip_suffix(".m4s").and_then(|stem| stem.split_once('.')).ok_or(BadPartPath)?;
        let path = Self {
            broadcast: broadcast.parse().map_err(|_| BadPartPath)?,
            lease: lease.parse().map_err(|_| BadPartPath)?,
            rendition: rendition.to_owned(),
            number: SegmentNumber(number.parse().map_err(|_| BadPartPath)?),
            part: part.parse().map_err(|_| BadPartPath)?,
        };
        let named = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_name = (1..=MAX_RENDITION_CHARS).contains(&rendition.len()) && rendition.bytes().all(named);
        let fits = is_name && path.part <= MAX_PART_INDEX && path.lease.region.as_str() == region;
        // Only the one way to write it: `+1` and `01` are numbers, too, but other addresses.
        if fits && path.to_string() == text { Ok(path) } else { Err(BadPartPath) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples;
    use crate::timeline::EntryPart;

    fn path() -> PartPath {
        let (broadcast, lease) = (samples::broadcast(), samples::lease(1));
        PartPath { broadcast, lease, rendition: "720p".into(), number: SegmentNumber(7), part: 2 }
    }

    #[test]
    fn only_our_own_paths_are_read() {
        let fine = path().to_string();
        assert_eq!(fine.parse(), Ok(path()));
        for (from, to) in [
            ("us-east-1/parts", "us-east-1/media"),
            ("us-east-1/parts", "eu-west-1/parts"),
            ("us-east-1/parts", "/us-east-1/parts"),
            ("/720p/", "/../"),
            ("/720p/", "/%2e%2e/"),
            ("/720p/", "/"),
            ("/720p/", "//"),
            ("/720p/", "/72 0p/"),
            ("/7.2.m4s", "/7.2.mp4"),
            ("/7.2.m4s", "/+7.2.m4s"),
            ("/7.2.m4s", "/7.02.m4s"),
            ("/7.2.m4s", "/7.-2.m4s"),
            ("/7.2.m4s", "/7.1000.m4s"),
            ("/7.2.m4s", "/7.m4s"),
            ("/7.2.m4s", "/7.2.3.m4s"),
            ("/7.2.m4s", "/99999999999999999999.2.m4s"),
            ("/7.2.m4s", "/7.2.m4s/"),
        ] {
            let bad = fine.replace(from, to);
            assert_ne!(bad, fine);
            assert_eq!(bad.parse::<PartPath>(), Err(BadPartPath), "{bad}");
        }
    }

    #[test]
    fn an_entry_says_which_parts_are_stored() {
        let part = |lease| EntryPart { video: None, audio: None, independent: false, gap: false, lease };
        let parts = vec![part(None), part(None), part(None)];
        let entry = Entry { open: true, parts, ..samples::entry(1, 7) };
        assert!(path().is_in(&entry));
        assert!(!PartPath { part: 3, ..path() }.is_in(&entry));
        assert!(!PartPath { rendition: "90p".into(), ..path() }.is_in(&entry));
        assert!(!path().is_in(&Entry { gap: true, ..entry.clone() }));
        let adopted = Entry { parts: vec![part(Some(samples::lease(1))); 3], ..samples::entry(2, 7) };
        assert!(path().is_in(&adopted), "a successor names its predecessor's parts");
        assert!(!path().is_in(&Entry { lease: samples::lease(2), ..entry }));
    }

    proptest! {
        #[test]
        fn what_parses_prints_itself_and_stays_in_its_folder(text in "(us-east-1|x)/parts/\\PC{0,80}") {
            if let Ok(path) = text.parse::<PartPath>() {
                prop_assert_eq!(path.to_string(), text.clone());
                prop_assert!(!text.contains(".."));
            }
        }
    }
}
