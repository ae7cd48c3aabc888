//! The secret of a publish request.

use std::fmt;

use super::error::Refusal;

/// Longest stream key, bytes. Our own have 48; the room is for keys of foreign systems.
const MAX_KEY_BYTES: usize = 512;

/// A stream key as the encoder sent it. `Debug` does not show it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StreamKeyText(String);

impl StreamKeyText {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        // People paste keys together with the space or line end beside them.
        let text = text.trim();
        if text.is_empty() {
            return Err(Refusal::NoStreamKey);
        }
        // U+FFFD is what text that was not UTF-8 decodes to.
        // Spaces in the middle cannot be told from two keys; what cannot be seen is for the one who checks the key to forgive.
        let unusable = |c: char| c.is_control() || c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
        if text.len() > MAX_KEY_BYTES || text.contains(unusable) {
            return Err(Refusal::BadStreamKey(MAX_KEY_BYTES));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the one who checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKeyText(****)")
    }
}
