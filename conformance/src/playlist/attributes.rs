//! Attribute lists (RFC 8216bis §4.2), strictly: no spaces, no doubles, each value of its type.

use super::Problems;

/// The attributes of one tag.
pub(super) struct Attributes<'a> {
    line: usize,
    tag: &'a str,
    found: Vec<(&'a str, Value<'a>)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'a> {
    Quoted(&'a str),
    Plain(&'a str),
}

impl<'a> Attributes<'a> {
    pub(super) fn read(line: usize, tag: &'a str, value: Option<&'a str>, problems: &mut Problems) -> Self {
        let mut list = Self { line, tag, found: Vec::new() };
        let mut rest = value.unwrap_or_default();
        while !rest.is_empty() {
            let Some((name, after)) = rest.split_once('=') else {
                list.complain(problems, format!("{rest:?} is not an attribute"));
                break;
            };
            let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || !name.bytes().all(legal) {
                list.complain(problems, format!("{name:?} is not an attribute's name"));
            }
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => match quoted.split_once('"') {
                    Some((value, next)) => (Value::Quoted(value), next),
                    None => {
                        list.complain(problems, format!("{name} is not closed"));
                        break;
                    }
                },
                None => {
                    let end = after.find(',').unwrap_or(after.len());
                    (Value::Plain(&after[..end]), &after[end..])
                }
            };
            if value == Value::Plain("") || matches!(value, Value::Plain(text) if text.contains([' ', '"'])) {
                list.complain(problems, format!("{name} has no value of any type"));
            }
            if list.found.iter().any(|(other, _)| *other == name) {
                list.complain(problems, format!("{name} is there twice"));
            }
            list.found.push((name, value));
            rest = match next.strip_prefix(',') {
                Some("") => {
                    list.complain(problems, "the list ends with a comma".into());
                    ""
                }
                Some(next) => next,
                None if next.is_empty() => next,
                None => {
                    list.complain(problems, format!("{next:?} follows {name}"));
                    break;
                }
            };
        }
        list
    }

    fn complain(&self, problems: &mut Problems, what: String) {
        problems.add(self.line, format!("EXT{}: {what}", self.tag));
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        self.found.iter().find(|(one, _)| *one == name).map(|(_, value)| *value)
    }

    /// A quoted string.
    pub(super) fn quoted(&self, name: &str, problems: &mut Problems) -> Option<&'a str> {
        match self.value(name)? {
            Value::Quoted(text) => Some(text),
            Value::Plain(_) => {
                self.complain(problems, format!("{name} is not quoted"));
                None
            }
        }
    }

    fn plain<T>(
        &self,
        name: &str,
        kind: &str,
        problems: &mut Problems,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let found = if let Value::Plain(text) = value { read(text) } else { None };
        if found.is_none() {
            self.complain(problems, format!("{name} is not {kind}"));
        }
        found
    }

    /// A decimal integer, from 0 to 2^64 - 1.
    pub(super) fn integer(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        self.plain(name, "a decimal integer", problems, integer)
    }

    /// A number of seconds or the like.
    pub(super) fn decimal(&self, name: &str, problems: &mut Problems) -> Option<f64> {
        self.plain(name, "a decimal number", problems, decimal)
    }

    /// `YES`, or `NO` which is the same as not being there.
    pub(super) fn yes(&self, name: &str, problems: &mut Problems) -> bool {
        self.plain(name, "YES or NO", problems, |text| match text {
            "YES" => Some(true),
            "NO" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// One of several words.
    pub(super) fn word(&self, name: &str, problems: &mut Problems) -> Option<&'a str> {
        self.plain(name, "a word", problems, Some)
    }

    /// Width and height.
    pub(super) fn resolution(&self, name: &str, problems: &mut Problems) -> Option<(u32, u32)> {
        self.plain(name, "a resolution", problems, |text| {
            let (width, height) = text.split_once('x')?;
            let side = |text| u32::try_from(integer(text)?).ok();
            Some((side(width)?, side(height)?))
        })
    }

    /// Complains of required attributes that are not there.
    pub(super) fn require(&self, names: &[&str], problems: &mut Problems) {
        for name in names.iter().filter(|name| self.value(name).is_none()) {
            self.complain(problems, format!("{name} is missing"));
        }
    }
}

/// A decimal integer: digits only.
pub(super) fn integer(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// An unsigned decimal number: digits, and a point if need be.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.parse().ok()).flatten()
}
