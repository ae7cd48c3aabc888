//! What viewers ask the edge for, and which of its behaviours answers.

use std::fmt;
use std::str::FromStr;

use super::rendition::{INDEX, RenditionName};
use super::{ObjectPath, PartPath, UnknownPath, read};
use crate::ids::{BroadcastId, Region, StreamId};

/// A path at the edge, with its slash in front. The page's own files are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgePath {
    /// Listed streams that are live.
    Listing,
    /// The multivariant playlist of a stream's running broadcast.
    Live(StreamId),
    /// A live media playlist; its region is asked first.
    Media(Region, BroadcastId, RenditionName),
    /// The same in low latency, where the answer may wait for media.
    LowLatency(Region, BroadcastId, RenditionName),
    /// The multivariant playlist of a finished broadcast.
    Recording(Region, BroadcastId),
    /// A whole media playlist of a finished broadcast.
    RecordingMedia(Region, BroadcastId, RenditionName),
    /// A segment or an initialization section.
    Object(ObjectPath),
    /// A part of a low-latency segment.
    Part(PartPath),
}

impl EdgePath {
    /// The region that is asked first; `None` for what both know alike.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Listing | Self::Live(_) => None,
            Self::Media(region, ..)
            | Self::LowLatency(region, ..)
            | Self::Recording(region, _)
            | Self::RecordingMedia(region, ..) => Some(region),
            Self::Object(object) => Some(&object.lease.region),
            Self::Part(part) => Some(&part.lease.region),
        }
    }

    /// Which behaviour of the edge answers it.
    pub fn behavior(&self) -> EdgeBehavior {
        match self {
            Self::Listing | Self::Live(_) => EdgeBehavior::Live,
            Self::Media(..) => EdgeBehavior::Playlists,
            Self::LowLatency(..) => EdgeBehavior::LowLatency,
            Self::Recording(..) => EdgeBehavior::Recordings,
            Self::RecordingMedia(..) => EdgeBehavior::RecordedMedia,
            Self::Object(_) => EdgeBehavior::Media,
            Self::Part(_) => EdgeBehavior::Parts,
        }
    }
}

impl fmt::Display for EdgePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing => f.write_str("/live/index.json"),
            Self::Live(stream) => write!(f, "/live/{stream}/{INDEX}.m3u8"),
            Self::Media(region, broadcast, name) => write!(f, "/{region}/playlists/{broadcast}/{name}.m3u8"),
            Self::LowLatency(region, broadcast, name) => {
                write!(f, "/{region}/low-latency/{broadcast}/{name}.m3u8")
            }
            Self::Recording(region, broadcast) => write!(f, "/{region}/playlists/{broadcast}/{INDEX}.m3u8"),
            Self::RecordingMedia(region, broadcast, name) => {
                write!(f, "/{region}/playlists/{broadcast}/vod/{name}.m3u8")
            }
            Self::Object(object) => write!(f, "/{object}"),
            Self::Part(part) => write!(f, "/{part}"),
        }
    }
}

impl FromStr for EdgePath {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        let key = text.strip_prefix('/').ok_or(UnknownPath::no("page"))?;
        let region = |text| read::<Region>(text, "region");
        let broadcast = |text| read::<BroadcastId>(text, "broadcast");
        match key.split('/').collect::<Vec<_>>().as_slice() {
            ["live", "index.json"] => Ok(Self::Listing),
            ["live", stream, "index.m3u8"] => Ok(Self::Live(read(stream, "stream")?)),
            [at, "playlists", of, "index.m3u8"] => Ok(Self::Recording(region(at)?, broadcast(of)?)),
            [at, "playlists", of, "vod", file] => {
                Ok(Self::RecordingMedia(region(at)?, broadcast(of)?, rendition(file)?))
            }
            [at, "playlists", of, file] => Ok(Self::Media(region(at)?, broadcast(of)?, rendition(file)?)),
            [at, "low-latency", of, file] => {
                Ok(Self::LowLatency(region(at)?, broadcast(of)?, rendition(file)?))
            }
            [_, "media", ..] => Ok(Self::Object(key.parse()?)),
            [at, "parts", ..] => {
                region(at)?;
                Ok(Self::Part(read(key, "part")?))
            }
            _ => Err(UnknownPath::no("page")),
        }
    }
}

/// `720p.m3u8` → `720p`.
fn rendition(file: &str) -> Result<RenditionName, UnknownPath> {
    let name = file.strip_suffix(".m3u8").filter(|name| !name.is_empty());
    read(name.ok_or(UnknownPath::no("playlist"))?, "rendition")
}

/// What the edge does with a path: each is a cache behaviour of CloudFront. Of those that take a path the first one in this
/// order has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeBehavior {
    /// What is live: both regions know it alike.
    Live,
    /// Whole media playlists of recordings: long, so they may take longer.
    RecordedMedia,
    /// Multivariant playlists of recordings: measured over all of one, so they may take longer.
    Recordings,
    /// Media playlists.
    Playlists,
    /// Media playlists that may wait.
    LowLatency,
    /// Segments and initialization sections.
    Media,
    /// Parts.
    Parts,
}

impl EdgeBehavior {
    /// All that there are, in CloudFront's order.
    pub const ALL: [Self; 7] = [
        Self::Live,
        Self::RecordedMedia,
        Self::Recordings,
        Self::Playlists,
        Self::LowLatency,
        Self::Media,
        Self::Parts,
    ];

    /// CloudFront's path pattern, with `{region}` where it has one behaviour for each.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Live => "/live/*",
            Self::RecordedMedia => "/{region}/playlists/*/vod/*",
            Self::Recordings => "/{region}/playlists/*/index.m3u8",
            Self::Playlists => "/{region}/playlists/*",
            Self::LowLatency => "/{region}/low-latency/*",
            Self::Media => "/{region}/media/*",
            Self::Parts => "/{region}/parts/*",
        }
    }

    /// CloudFront's path pattern; `*` is any text.
    pub fn pattern(self, region: &Region) -> String {
        self.template().replace("{region}", region.as_str())
    }
}

impl fmt::Display for EdgeBehavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::RecordedMedia => "recorded-media",
            Self::Recordings => "recordings",
            Self::Playlists => "playlists",
            Self::LowLatency => "low-latency",
            Self::Media => "media",
            Self::Parts => "parts",
        })
    }
}
