//! A strict playlist reader: what a playlist says, and everything about its text that RFC 8216bis §4 forbids. It goes on
//! after a fault, so that one fault is reported once and the rest is still judged. Must not know what is in segments.
//!
//! It is the judge's, and the one that tools and tests read playlists with.

mod address;
mod attributes;
mod lines;
mod media;
mod multivariant;
mod segments;

pub use address::{at_path, resolve_references};
pub use media::{MediaPlaylist, PlaylistType, RenditionReport, ServerControl};
pub use multivariant::{Alternative, Multivariant, Variant};
pub use segments::{Part, Segment};

use url::Url;

use crate::recording::ByteRange;

/// A piece of a resource that a playlist names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Where it is.
    pub url: Url,
    /// Which piece; `None`: all of it.
    pub range: Option<ByteRange>,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.range {
            Some(range) => write!(f, "{}[{}@{}]", self.url.path(), range.length, range.offset),
            None => f.write_str(self.url.path()),
        }
    }
}

/// What is wrong with a playlist's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0: of the playlist as a whole.
    pub line: usize,
    pub what: String,
}

/// Collects problems; there is no playlist with more than a few that is worth reading on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problems(Vec<Problem>);

/// Problems that are kept of one playlist.
const MAX_PROBLEMS: usize = 50;

impl Problems {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Problem { line, what: what.into() });
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;
