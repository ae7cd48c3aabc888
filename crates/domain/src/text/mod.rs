//! Short text that people write and other people read: names of streams, labels of keys. Must not know whose it is.
//!
//! Every script is welcome, and what it needs to be written: marks, joiners, variation selectors, direction marks, flags made
//! of tags. But somebody must be able to see it, and it must not turn the text around it: a name of zero-width spaces cannot be
//! pointed at in a list, and an override (U+202E) shows `evil` as `live`, also in what stands behind it.

mod blank;

use blank::BLANK;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing of it can be seen.
    Invisible,
    /// It has more characters than are allowed.
    TooLong,
    /// It breaks the line, or has another control character.
    Control,
    /// It changes the direction of text by force.
    Direction,
}

/// Checks that a text can be read in a line with others, and has at most so many characters.
pub fn check(text: &str, most: usize) -> Result<(), Unreadable> {
    if text.chars().count() > most {
        Err(Unreadable::TooLong)
    } else if text.chars().any(is_control) {
        Err(Unreadable::Control)
    } else if text.chars().any(is_directing) {
        Err(Unreadable::Direction)
    } else if !text.chars().any(is_visible) {
        Err(Unreadable::Invisible)
    } else {
        Ok(())
    }
}

/// Whether a text may have this character at all.
pub fn is_allowed(character: char) -> bool {
    !is_control(character) && !is_directing(character)
}

/// Whether somebody who looks at this character alone sees something.
pub fn is_visible(character: char) -> bool {
    // Behind an even number of boundaries nothing has begun that has not ended.
    BLANK.partition_point(|boundary| *boundary <= u32::from(character)) % 2 == 0
}

/// Unicode's controls, and its separators of lines and paragraphs.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates (UAX #9, 2.1 to 2.5): what stands behind the text is inside as well unless they are closed.
/// Marks (U+061C, U+200E, U+200F) act on their neighbours only, and Arabic and Hebrew are written with them.
fn is_directing(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
