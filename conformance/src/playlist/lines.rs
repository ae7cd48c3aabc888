//! Lines of a playlist: tags and addresses (RFC 8216bis §4.1). Must not know what a tag means.

use super::Problems;

/// Bytes of one line that a strict client still takes.
const MAX_LINE: usize = 16 << 10;
/// Lines of one playlist: a day of parts is below.
const MAX_LINES: usize = 1 << 20;

/// One line that says something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line<'a> {
    /// `#EXT…`, with what stands behind its colon.
    Tag { name: &'a str, value: Option<&'a str> },
    /// An address.
    Uri(&'a str),
}

/// The lines, each with its number from 1; without comments and blank ones.
pub(super) fn lines<'a>(body: &'a [u8], problems: &mut Problems) -> Vec<(usize, Line<'a>)> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            problems.add(0, "is not UTF-8");
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
    };
    let text = text.strip_prefix('\u{feff}').map_or(text, |rest| {
        problems.add(1, "begins with a byte order mark");
        rest
    });
    if text.lines().next() != Some("#EXTM3U") {
        problems.add(1, "does not begin with #EXTM3U");
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problems.add(text.lines().count(), "the last line is not ended: the playlist may be cut off");
    }
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()).take(MAX_LINES) {
        if line.len() > MAX_LINE {
            problems.add(number, "the line is too long");
            continue;
        }
        if line.chars().any(char::is_control) {
            problems.add(number, "has a control character");
        }
        match line.strip_prefix("#EXT") {
            Some(rest) => {
                let (name, value) = rest.split_once(':').map_or((rest, None), |(name, v)| (name, Some(v)));
                found.push((number, Line::Tag { name, value }));
            }
            None if line.is_empty() || line.starts_with('#') => {}
            None => {
                if line.contains(char::is_whitespace) {
                    problems.add(number, "an address has white space");
                }
                found.push((number, Line::Uri(line.trim())));
            }
        }
    }
    found
}
