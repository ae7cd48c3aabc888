//! Every address that Headwater answers at, spelled once: the sister of the table's `schema.rs`.
//!
//! | path | what | type |
//! |---|---|---|
//! | `/live/index.json` | listed streams that are live | [`EdgePath`] |
//! | `/live/<stream>/index.m3u8` | multivariant playlist of the running broadcast | |
//! | `/<region>/playlists/<broadcast>/<rendition>.m3u8` | live media playlist; ENDLIST after the end | |
//! | `/<region>/low-latency/<broadcast>/<rendition>.m3u8` | the same with parts; may wait | |
//! | `/<region>/playlists/<broadcast>/index.m3u8` | multivariant playlist of a finished broadcast | |
//! | `/<region>/playlists/<broadcast>/vod/<rendition>.m3u8` | its whole media playlist | |
//! | `/<region>/media/…`, `/<region>/media/unrecorded/…` | segments, initialization sections | [`ObjectPath`] |
//! | `/<region>/parts/…` | parts of low-latency segments | [`PartPath`] |
//! | `/health`, `/v1/…` | the REST API | [`ApiPath`] |
//! | `/hooks/…` | what gateways and tasks ask | [`HookPath`] |
//!
//! Each path has one spelling: what parses prints the very same text, so that no cache keeps two answers of one question.
//! Objects are kept in buckets under their path without the slash in front. A path that is not there says what is
//! missing, for the answer; it never quotes the text.
//!
//! The addresses of `paths.json` are these; tests in other languages (template.yaml's behaviours and routes, the page's
//! `ids.js`) read it.

mod api;
mod edge;
mod hook;
mod object;
mod part;
mod rendition;

use thiserror::Error;

pub use self::api::ApiPath;
pub use self::edge::{EdgeBehavior, EdgePath};
pub use self::hook::HookPath;
pub use self::object::{ObjectFile, ObjectPath, init_path, media_folder, media_path};
pub use self::part::{BadPartPath, MAX_PART_INDEX, PartPath, part_path};
pub use self::rendition::{BadRenditionName, MAX_RENDITION_CHARS, RenditionName};

/// A text that is none of our paths.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("there is no such {what}")]
pub struct UnknownPath {
    what: &'static str,
}

impl UnknownPath {
    const fn no(what: &'static str) -> Self {
        Self { what }
    }

    /// What is not there: the first thing in the path that cannot be one of ours.
    pub fn what(self) -> &'static str {
        self.what
    }
}

/// Reads one thing of a path.
fn read<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, UnknownPath> {
    text.parse().map_err(|_| UnknownPath::no(what))
}

#[cfg(test)]
mod tests;
