//! Words that GLOSSARY.md says are not used stay away from the code and from what documents show of it.
//!
//! It reads the lines `Not used: …` of the glossary. A word is written there as
//!
//! - `Seat`: a name that is exactly this; `functions::Verdict`: the same, below that folder only;
//! - `seat`, `go_behind`: words in a row within any name, whatever its case (`own_seat`, `SeatRecord`);
//! - `live/seat.rs`: the end of a file's path.
//!
//! Comments and texts are not looked at: there a word may have its ordinary meaning.

use std::collections::BTreeMap;

use super::repository::{documents, files, prose, spans, text};

/// What is not used for new names, and not gone yet. Whoever removes the last use of one takes it off this list.
const STILL_THERE: &[&str] = &[];

/// A word that is not used.
#[derive(Debug, PartialEq)]
enum Unused<'a> {
    /// The end of a path.
    File(&'a str),
    /// A whole name, in a folder or everywhere.
    Name(&'a str, &'a str),
    /// Words in a row, in lower case.
    Words(Vec<String>),
}

impl<'a> Unused<'a> {
    fn of(span: &'a str) -> Self {
        if span.ends_with(".rs") {
            return Self::File(span);
        }
        let (folder, name) = span.split_once("::").unwrap_or(("", span));
        if name.starts_with(char::is_uppercase) { Self::Name(folder, name) } else { Self::Words(words(name)) }
    }

    /// How often it stands in a file.
    fn count(&self, path: &str, names: &BTreeMap<String, usize>) -> usize {
        let sum =
            |fits: &dyn Fn(&str) -> bool| names.iter().filter(|(name, _)| fits(name)).map(|(_, n)| n).sum();
        match self {
            Self::File(end) => usize::from(path.ends_with(&format!("/{end}"))),
            Self::Name(folder, _) if !folder.is_empty() && !path.starts_with(&format!("{folder}/")) => 0,
            Self::Name(_, name) => names.get(*name).copied().unwrap_or_default(),
            Self::Words(row) => sum(&|name| words(name).windows(row.len()).any(|window| window == row)),
        }
    }
}

/// The words of a name: `SeatRecord`, `seat_record` and `SEAT_RECORD` are `seat`, `record`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let is_shouted = !part.chars().any(char::is_lowercase);
        let mut begin = true;
        for one in part.chars() {
            if begin || one.is_uppercase() && !is_shouted {
                words.push(String::new());
            }
            begin = false;
            words.last_mut().unwrap().extend(one.to_lowercase());
        }
    }
    words
}

/// Rust without comments and without what stands in quotes.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(one) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(end) =
            raw_end(rest).filter(|_| !code.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        {
            end
        } else if one == '"' {
            quoted_end(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            code.push(one);
            rest = &rest[one.len_utf8()..];
        }
    }
    code
}

/// Where a raw string ends that begins here.
fn raw_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = inside.len() - inside.trim_start_matches('#').len();
    let begin = text.len() - inside.len() + hashes + 1;
    inside[hashes..].starts_with('"').then_some(())?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

/// Where a string in quotes ends that begins here.
fn quoted_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The names in a text, and how often each is there.
fn names(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    let found = text.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|name| !name.is_empty());
    found.for_each(|name| *names.entry(name.to_owned()).or_default() += 1);
    names
}

/// The crate or folder that a file belongs to.
fn place(path: &str) -> String {
    let depth = if ["crates/", "local/"].iter().any(|folder| path.starts_with(folder)) { 2 } else { 1 };
    let parts: Vec<_> = path.split('/').collect();
    parts[..depth.min(parts.len() - 1)].join("/")
}

#[test]
fn words_that_are_not_used_are_not_used() {
    let glossary = text("GLOSSARY.md").unwrap();
    let listed: Vec<&str> =
        glossary.lines().filter_map(|line| line.strip_prefix("Not used: ")).flat_map(spans).collect();
    assert!(listed.len() > 40, "{listed:?}");
    for word in STILL_THERE {
        assert!(listed.contains(word), "GLOSSARY.md does not say that {word} is not used");
    }
    let mut texts = Vec::new();
    for path in files().into_iter().filter(|path| path.ends_with(".rs")) {
        let names = names(&code(&text(&path).unwrap()));
        texts.push((place(&path), path, names));
    }
    // Decisions and changelog tell of before, and the glossary names the words themselves.
    let told = documents().into_iter().filter(|path| !path.starts_with("docs/adr/0"));
    for path in told.filter(|path| !["GLOSSARY.md", "CHANGELOG.md"].contains(&path.as_str())) {
        let shown = text(&path).unwrap();
        let shown: Vec<_> = prose(&shown).into_iter().flat_map(|(_, line)| spans(line)).collect();
        texts.push(("documents".into(), path, names(&shown.join(" "))));
    }
    let mut wrong = Vec::new();
    for word in &listed {
        let unused = Unused::of(word);
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, path, names) in &texts {
            let count = unused.count(path, names);
            if count > 0 {
                *found.entry(place).or_default() += count;
            }
        }
        match (STILL_THERE.contains(word), found.is_empty()) {
            (true, true) => println!("{word} is gone: take it off STILL_THERE"),
            (true, false) => println!("{word} is still there: {found:?}"),
            (false, true) => {}
            (false, false) => wrong.push(format!("{word}: {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "GLOSSARY.md says what to write instead of\n{}", wrong.join("\n"));
}

#[test]
fn words_are_found_in_names_and_nowhere_else() {
    assert_eq!(words("ownSeat_RECORD"), ["own", "seat", "record"]);
    let text = "// seat\nlet a_seat = \"seat\"; r#\"seat \" seat\"#; /* seat */ SeatRecord::for_seat('\"', seat2) \"\\\"seat\"";
    let names = names(&code(text));
    assert_eq!(Unused::of("seat").count("x/y.rs", &names), 3, "{names:?}");
    assert_eq!(Unused::of("Seat").count("x/y.rs", &names), 0);
    assert_eq!(Unused::of("SeatRecord").count("x/y.rs", &names), 1);
    assert_eq!(Unused::of("x::SeatRecord").count("x/y.rs", &names), 1);
    assert_eq!(Unused::of("z::SeatRecord").count("x/y.rs", &names), 0);
    assert_eq!(Unused::of("seat_record").count("x/y.rs", &names), 1);
    assert_eq!(Unused::of("live/seat.rs").count("crates/domain/src/live/seat.rs", &names), 1);
    assert_eq!(Unused::of("live/seat.rs").count("crates/domain/src/alive/seat.rs", &names), 0);
    assert_eq!(place("crates/domain/src/lib.rs"), "crates/domain");
    assert_eq!(place("local/stack/src/lib.rs"), "local/stack");
}
