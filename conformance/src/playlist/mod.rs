//! A strict playlist reader: what a playlist says, and everything about its text that RFC 8216bis §4 forbids. It goes on
//! after a fault, so that one fault is reported once and the rest is still judged. Must not know what is in segments.

mod address;
mod attributes;
mod lines;
mod media;
mod multivariant;
mod segments;

pub use address::resolve_references;
pub(crate) use media::{MediaPlaylist, PlaylistType, RenditionReport};
pub(crate) use multivariant::{Multivariant, Variant};
pub(crate) use segments::{Part, Segment};

use url::Url;

use crate::recording::ByteRange;

/// A piece of a resource that a playlist names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) url: Url,
    pub(crate) range: Option<ByteRange>,
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
pub(crate) struct Problem {
    /// From 1; 0: of the playlist as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Collects problems; there is no playlist with more than a few that is worth reading on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Problems(Vec<Problem>);

/// Problems that are kept of one playlist.
const MAX_PROBLEMS: usize = 50;

impl Problems {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Problem { line, what: what.into() });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;
