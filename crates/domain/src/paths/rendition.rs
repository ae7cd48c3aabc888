//! Names of renditions, as they stand in paths.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Longest name of a rendition, in characters; ours have at most seven.
pub const MAX_RENDITION_CHARS: usize = 32;
/// What multivariant playlists are called.
pub(super) const INDEX: &str = "index";

/// The name of a rendition: letters, digits, hyphen and underscore; not `index`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionName(String);

/// Not a rendition's name.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("not a rendition's name: expected at most {MAX_RENDITION_CHARS} of A-Z a-z 0-9 - _, not `index`")]
pub struct BadRenditionName;

impl RenditionName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RenditionName {
    type Err = BadRenditionName;

    fn from_str(text: &str) -> Result<Self, BadRenditionName> {
        let named = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_name = (1..=MAX_RENDITION_CHARS).contains(&text.len()) && text.bytes().all(named);
        if is_name && text != INDEX { Ok(Self(text.to_owned())) } else { Err(BadRenditionName) }
    }
}

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
