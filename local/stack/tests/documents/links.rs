//! Every link from one document to another leads to a file, and to a heading if it names one.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::repository::{documents, files, prose, root, text, without_spans};

/// The targets of the links and images of a line. Code spans cannot hold links.
fn targets(line: &str) -> Vec<String> {
    let line = without_spans_of_links(line);
    let mut found = Vec::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find("](") {
        let target = &rest[at + 2..];
        let Some(end) = target.find(')') else { break };
        found.push(target[..end].split_whitespace().next().unwrap_or_default().to_owned());
        rest = &target[end..];
    }
    found
}

/// A link's text may be code; what is inside code is no link.
fn without_spans_of_links(line: &str) -> String {
    without_spans(line)
}

/// A path without `.` and `..`; `None` if it leads out of the repository.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => plain.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|one| match one {
                ' ' => Some('-'),
                one if one.is_alphanumeric() || one == '-' || one == '_' => Some(one),
                _ => None,
            })
            .collect();
        let repeated = (0..).map(|n| if n == 0 { anchor.clone() } else { format!("{anchor}-{n}") });
        let new = repeated.into_iter().find(|one| !anchors.contains(one)).unwrap();
        anchors.insert(new);
    }
    anchors
}

/// What is wrong with a link of a document.
fn complaint(document: &str, target: &str, files: &BTreeSet<String>) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let whole = if path.is_empty() {
        PathBuf::from(document)
    } else {
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        match plain(&folder.join(path)) {
            Some(whole) => whole,
            None => return Some("leads out of the repository".into()),
        }
    };
    let name = whole.to_string_lossy().into_owned();
    let is_folder = files.iter().any(|file| name.is_empty() || file.starts_with(&format!("{name}/")));
    if !files.contains(&name) && !is_folder {
        return Some(format!("there is no {name}"));
    }
    if anchor.is_empty() || is_folder {
        return None;
    }
    let has = anchors(&text(&name)?).contains(anchor);
    (!has).then(|| format!("{name} has no heading #{anchor}"))
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let files: BTreeSet<String> = files().into_iter().collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        let text = text(&document).unwrap();
        for (number, line) in prose(&text) {
            for target in targets(line) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                seen += 1;
                let said = complaint(&document, &target, &files);
                wrong.extend(said.map(|said| format!("{document}:{number}: {target}: {said}")));
            }
        }
    }
    assert!(seen > 100, "{seen} links were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing outside may be needed to understand what is inside.
#[test]
fn documents_name_no_place_of_the_machine_that_they_were_written_on() {
    let places = ["root", "home", "work"].map(|folder| format!("/{folder}/"));
    let mut wrong = Vec::new();
    for document in documents() {
        let text = text(&document).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            if places.iter().any(|place| line.contains(place)) {
                wrong.push(format!("{document}:{number}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_are_read_and_judged() {
    assert_eq!(targets("a [b](c.md#d \"title\") ![e](f.png) `[g](h)` [`i`](j)"), ["c.md#d", "f.png", "j"]);
    let anchors =
        anchors("# What a status means\n## What a status means\n```\n# no\n```\n### `..`, %2f and more: A_b");
    let expected = ["what-a-status-means", "what-a-status-means-1", "-2f-and-more-a_b"];
    assert_eq!(anchors, expected.into_iter().map(str::to_owned).collect());
    let files = ["README.md", "docs/a.md"].into_iter().map(str::to_owned).collect();
    assert_eq!(complaint("docs/a.md", "../README.md", &files), None);
    assert_eq!(complaint("README.md", "docs/", &files), None);
    assert!(complaint("README.md", "../README.md", &files).unwrap().contains("out of the repository"));
    assert!(complaint("README.md", "docs/b.md", &files).unwrap().contains("there is no docs/b.md"));
    let has_readme = root().join("README.md").is_file();
    assert!(has_readme && complaint("README.md", "#no-such-heading", &files).is_some());
}
