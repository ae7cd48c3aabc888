//! The repository's files, as git lists them, and how Markdown is taken apart.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A file's text; `None` of what is no text.
pub(super) fn text(path: &str) -> Option<String> {
    String::from_utf8(std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))).ok()
}

/// Every file that is tracked and there, with `/` between folders.
pub(super) fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root()).args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let listed = git.output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> =
        listed.split('\0').filter(|path| root().join(path).is_file()).map(str::to_owned).collect();
    assert!(files.iter().any(|path| path == "README.md"), "git lists this repository");
    files
}

/// The Markdown files.
pub(super) fn documents() -> Vec<String> {
    let all = files();
    let found: Vec<_> = all.into_iter().filter(|path| path.ends_with(".md")).collect();
    assert!(found.len() > 30, "{found:?}");
    found
}

/// The lines of Markdown outside fenced code, with their numbers from 1.
pub(super) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start().starts_with("```");
        if fence {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number, line));
        }
    }
    lines
}

/// A line's code spans.
pub(super) fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// A line without its code spans.
pub(super) fn without_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What stands for each of the alternatives in braces: `{a,b}.rs` is `a.rs` and `b.rs`.
pub(super) fn alternatives(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((inside, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    inside.split(',').flat_map(|one| alternatives(&format!("{before}{one}{after}"))).collect()
}

#[test]
fn markdown_is_taken_apart() {
    let text = "a `b` c\n```\n`d`\n```\ne";
    assert_eq!(prose(text), [(1, "a `b` c"), (5, "e")]);
    assert_eq!(spans("a `b` c `d`"), ["b", "d"]);
    assert_eq!(without_spans("a `b` c").split_whitespace().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(alternatives("x/{a,b}/{c,d}.rs").len(), 4);
}
