//! The path of one part of one rendition, read back: what a viewer may ask for before it is there.
//!
//! A path that parses names an object under `<region>/parts/` and nothing else, whatever the viewer sent.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::rendition::RenditionName;
use crate::ids::{BroadcastId, Lease, SegmentNumber};

/// Highest index of a part: a segment has four, a long one of an irregular source some twenty.
pub const MAX_PART_INDEX: usize = 999;

/// Not the path of a part.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error(
    "not the path of a part: expected <region>/parts/<broadcast>/<lease>/<rendition>/<segment>.<part>.m4s"
)]
pub struct BadPartPath;

/// The key of a part of a rendition that an entry has:
/// `<region>/parts/<broadcast>/<lease>/<rendition>/<segment>.<part>.m4s`. Parts expire in a day.
pub fn part_path(
    broadcast: &BroadcastId,
    lease: &Lease,
    rendition: &str,
    number: SegmentNumber,
    part: usize,
) -> String {
    format!("{}/parts/{broadcast}/{lease}/{rendition}/{}.{part}.m4s", lease.region, number.0)
}

/// The path of a part; [`part_path`] writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPath {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who writes it; its region is the first segment of the path.
    pub lease: Lease,
    /// Which rendition.
    pub rendition: RenditionName,
    /// Its segment.
    pub number: SegmentNumber,
    /// Which part of that, from 0.
    pub part: usize,
}

impl fmt::Display for PartPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&part_path(&self.broadcast, &self.lease, self.rendition.as_str(), self.number, self.part))
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
            rendition: rendition.parse().map_err(|_| BadPartPath)?,
            number: SegmentNumber(number.parse().map_err(|_| BadPartPath)?),
            part: part.parse().map_err(|_| BadPartPath)?,
        };
        let fits = path.part <= MAX_PART_INDEX && path.lease.region.as_str() == region;
        // Only the one way to write it: `+1` and `01` are numbers, too, but other addresses.
        if fits && path.to_string() == text { Ok(path) } else { Err(BadPartPath) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples;

    fn path() -> PartPath {
        let (broadcast, lease) = (samples::broadcast(), samples::lease(1));
        PartPath { broadcast, lease, rendition: "720p".parse().unwrap(), number: SegmentNumber(7), part: 2 }
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
