//! Decisions have one form, and the list of them is whole.

use super::repository::{documents, text};

const FOLDER: &str = "docs/adr/";
/// What each must have, so that a reader finds the same answer in the same place.
const SECTIONS: [&str; 4] =
    ["\n## Context\n", "\n## Decision\n", "\n## Alternatives\n", "\n## Consequences\n"];

/// `2026-11-30`, anywhere in a line.
fn has_date(line: &str) -> bool {
    line.split(|one: char| one != '-' && !one.is_ascii_digit()).any(|word| {
        let parts: Vec<_> = word.split('-').map(str::len).collect();
        parts == [4, 2, 2]
    })
}

#[test]
fn every_decision_has_its_form_and_its_line_in_the_list() {
    let list = text("docs/adr/README.md").unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in documents() {
        let Some(name) = path.strip_prefix(FOLDER).filter(|name| *name != "README.md") else { continue };
        seen += 1;
        let mut complain = |said: &str| wrong.push(format!("{path}: {said}"));
        let number: u32 = name.split('-').next().unwrap().parse().unwrap();
        let whole = text(&path).unwrap();
        let Some(title) = whole.lines().next().unwrap().strip_prefix(&format!("# {number}. ")) else {
            complain("its first line is not `# <number>. <title>` with the number of its name");
            continue;
        };
        let head: Vec<_> = whole.lines().take(8).collect();
        if !head.iter().any(|line| line.starts_with("Status: ")) {
            complain("there is no line `Status: …` below the title");
        }
        if !head.iter().any(|line| line.starts_with("Date: ") && has_date(line)) {
            complain("there is no line `Date: <year>-<month>-<day>.` below the title");
        }
        for section in SECTIONS {
            if !whole.contains(section) {
                complain(&format!("there is no section `{}`", section.trim()));
            }
        }
        let line = format!("- [{number}]({name}): {title}");
        if !list.lines().any(|one| one == line) {
            complain(&format!("docs/adr/README.md lacks the line: {line}"));
        }
    }
    assert!(seen > 20, "{seen} decisions were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dates_are_known() {
    assert!(has_date("Date: 2026-11-30."));
    assert!(!has_date("Date: November 2026."));
    assert!(!has_date("Date: 30-11-2026"));
}
