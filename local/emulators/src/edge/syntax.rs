//! nginx's own words: names, quoted text, patterns. Pure; must not know where they are written.

use super::error::RenderError;

/// The variable of a header that only answers to OPTIONS have.
pub(super) fn preflight(behavior: usize, number: usize) -> String {
    format!("$preflight_{behavior}_{number}")
}

/// A regular expression for `gzip` with a weight in a list of codings; without one it has the weight 1.
pub(super) fn gzip(weight: &str) -> String {
    let bare = if weight.contains('1') { "?" } else { "" };
    format!("(^|,)[ \\t]*(x-)?gzip[ \\t]*(;[ \\t]*q={weight}){bare}[ \\t]*(,|$)")
}

/// A CloudFront path pattern as an anchored regular expression. CloudFront matches the path as it was sent, nginx with
/// `%0A` as a line break, which a wildcard must take as well.
pub(super) fn pattern(pattern: &str) -> Result<String, RenderError> {
    let mut out = String::from("(?s)^");
    for character in unquoted(pattern)?.chars() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '.' | '+' | '(' | ')' | '[' | ']' | '|' | '^' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out.push('$');
    Ok(format!("\"{out}\""))
}

/// Text that needs no quoting and has no meaning of its own: names.
pub(super) fn plain(text: &str) -> Result<&str, RenderError> {
    let fine =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if fine { Ok(text) } else { Err(RenderError::Unusable(text.to_owned())) }
}

/// Text without characters that nginx would read as its own.
pub(super) fn unquoted(text: &str) -> Result<&str, RenderError> {
    let foul = |c: char| c.is_control() || c.is_whitespace() || "\"'\\${};#".contains(c);
    if text.chars().any(foul) { Err(RenderError::Unusable(text.to_owned())) } else { Ok(text) }
}

/// Text in quotes; may have spaces. `$` cannot be escaped in nginx.
pub(super) fn quoted(text: &str) -> Result<String, RenderError> {
    let foul = |c: char| c.is_control() || "\"\\$".contains(c);
    if text.chars().any(foul) {
        Err(RenderError::Unusable(text.to_owned()))
    } else {
        Ok(format!("\"{text}\""))
    }
}
