//! The only text that may enter a playlist: URIs and quoted strings that cannot break out of their place.
//! Knows nothing of the tags they are used in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest URI, in bytes: ours are about 100; 2,048 is what CDNs and players handle everywhere.
pub const MAX_URI_BYTES: usize = 2_048;

/// Longest quoted string, in bytes: names and codec lists; longer ones are a mistake or an attack.
pub const MAX_TEXT_BYTES: usize = 256;

/// Why a text may not enter a playlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// An empty line or attribute means nothing to a player.
    #[error("text is empty")]
    Empty,
    /// Longer than its limit.
    #[error("text has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// What it has.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A character that would end the line or the quotes, or that a URI cannot hold.
    #[error("character {character:?} at byte {at} is not allowed")]
    Forbidden {
        /// The character.
        character: char,
        /// Where it stands.
        at: usize,
    },
}

/// A URI reference, absolute or relative, made of the characters of RFC 3986 only.
///
/// Anything else must arrive percent-encoded; nothing is escaped silently, because an escaped
/// name would then not be the object's name. Cloning is cheap: an init URI is shared by its segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri(Arc<str>);

impl Uri {
    /// The text as it stands in the playlist.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Made from the characters of one that was checked, and dots and slashes.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }
}

impl FromStr for Uri {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        check(text, MAX_URI_BYTES, |at, c| {
            // A line that starts with '#' is a tag or a comment, never a URI (section 4.1).
            let is_forbidden = matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
            c.is_ascii_graphic() && !is_forbidden && !(at == 0 && c == '#')
        })?;
        Ok(Self(text.into()))
    }
}

/// The inside of a quoted-string attribute: any characters but quotes and line ends (section 4.2), and no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuotedText(Arc<str>);

impl QuotedText {
    /// The text between the quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QuotedText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // U+2028 and U+2029 are not control characters, yet some line readers split at them.
        let fits = |_, c: char| c != '"' && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
        check(text, MAX_TEXT_BYTES, fits)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for QuotedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(text: &str, limit: usize, allowed: impl Fn(usize, char) -> bool) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > limit {
        return Err(TextError::TooLong { bytes: text.len(), limit });
    }
    match text.char_indices().find(|&(at, c)| !allowed(at, c)) {
        Some((at, character)) => Err(TextError::Forbidden { character, at }),
        None => Ok(()),
    }
}
