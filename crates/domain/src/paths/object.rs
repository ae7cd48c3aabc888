//! Segments and initialization sections: paths at the edge and, without the slash in front, keys in both buckets.
//! [`objects`](crate::objects) says what becomes of them.

use std::fmt;
use std::str::FromStr;

use super::rendition::RenditionName;
use super::{UnknownPath, read};
use crate::ids::{BroadcastId, Lease, Region, SegmentNumber};
use crate::retention::Retention;

/// The key of a segment, or of an initialization section:
/// `<region>/media[/unrecorded]/<broadcast>/<lease>/<rendition>/<file>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who wrote it; its region is the first segment of the path.
    pub lease: Lease,
    /// How long it is kept.
    pub retention: Retention,
    /// Which rendition.
    pub rendition: RenditionName,
    /// Which file of it.
    pub file: ObjectFile,
}

/// A file of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFile {
    /// `<n>.m4s`: a segment.
    Segment(SegmentNumber),
    /// `init-<n>.mp4`: the initialization section of the segments from this one on.
    Init(SegmentNumber),
}

impl fmt::Display for ObjectFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(number) => write!(f, "{}.m4s", number.0),
            Self::Init(number) => write!(f, "init-{}.mp4", number.0),
        }
    }
}

impl FromStr for ObjectFile {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        let none = UnknownPath::no("object");
        let number = |digits: Option<&str>| {
            digits.and_then(|digits| digits.parse().ok()).map(SegmentNumber).ok_or(none)
        };
        match text.strip_prefix("init-") {
            Some(init) => number(init.strip_suffix(".mp4")).map(Self::Init),
            None => number(text.strip_suffix(".m4s")).map(Self::Segment),
        }
    }
}

/// The key of a segment of a rendition that an entry has.
pub fn media_path(
    broadcast: &BroadcastId,
    lease: &Lease,
    retention: Retention,
    rendition: &str,
    number: SegmentNumber,
) -> String {
    spelled(broadcast, lease, retention, rendition, ObjectFile::Segment(number))
}

/// The key of the initialization section of a rendition's segments from `number` on.
pub fn init_path(
    broadcast: &BroadcastId,
    lease: &Lease,
    retention: Retention,
    rendition: &str,
    number: SegmentNumber,
) -> String {
    spelled(broadcast, lease, retention, rendition, ObjectFile::Init(number))
}

/// Folder of all that a lease writes of a rendition, with a slash at the end.
pub fn media_folder(broadcast: &BroadcastId, lease: &Lease, retention: Retention, rendition: &str) -> String {
    let folder = match retention {
        Retention::Recorded => "media",
        Retention::Unrecorded => "media/unrecorded",
    };
    format!("{}/{folder}/{broadcast}/{lease}/{rendition}/", lease.region)
}

fn spelled(
    broadcast: &BroadcastId,
    lease: &Lease,
    retention: Retention,
    rendition: &str,
    file: ObjectFile,
) -> String {
    format!("{}{file}", media_folder(broadcast, lease, retention, rendition))
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broadcast, lease, retention, rendition, file } = self;
        f.write_str(&spelled(broadcast, lease, *retention, rendition.as_str(), *file))
    }
}

impl FromStr for ObjectPath {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        let none = UnknownPath::no("object");
        let parts: Vec<&str> = text.split('/').collect();
        let (region, retention, rest) = match parts.as_slice() {
            [region, "media", "unrecorded", rest @ ..] => (region, Retention::Unrecorded, rest),
            [region, "media", rest @ ..] => (region, Retention::Recorded, rest),
            _ => return Err(none),
        };
        let region: Region = read(region, "region")?;
        let [broadcast, lease, rendition, file] = rest else { return Err(none) };
        let path = Self {
            broadcast: read(broadcast, "broadcast")?,
            lease: read(lease, "object")?,
            retention,
            rendition: read(rendition, "rendition")?,
            file: file.parse()?,
        };
        // Only the one way to write it: `+1` and `01` are numbers, too, but other addresses.
        if path.lease.region == region && path.to_string() == text { Ok(path) } else { Err(none) }
    }
}
