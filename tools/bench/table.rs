//! How sections are shown: tables for a terminal that are Markdown as they are, and docs/BENCHMARKS.md.

use super::report::{Report, Row, Section};

const HEAD: [&str; 7] = ["what", "Headwater", "peer", "ratio", "budget", "met", "remark"];

fn number(value: f64, unit: &str) -> String {
    if unit == "$" {
        format!("{value:.4}")
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn cells(row: &Row) -> [String; 7] {
    let peer = row.peer.as_ref().map(|(name, value)| format!("{} ({name})", number(*value, &row.unit)));
    [
        row.what.clone(),
        format!("{} {}", number(row.value, &row.unit), row.unit),
        peer.unwrap_or_default(),
        row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        row.budget.clone().unwrap_or_default(),
        row.ok.map_or_else(String::new, |ok| if ok { "yes".into() } else { "**no**".into() }),
        row.remark.clone().unwrap_or_default(),
    ]
}

/// Columns in which nothing would stand are left out.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let used = |column: &usize| cells.iter().skip(1).any(|row| !row[*column].is_empty());
    let columns: Vec<_> = (0..HEAD.len()).filter(used).map(|column| (column, width(column))).collect();
    let line = |row: &[String; 7]| {
        let padded: Vec<_> =
            columns.iter().map(|&(column, width)| format!("{:<width$}", row[column])).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule: Vec<_> = columns.iter().map(|(_, width)| "-".repeat(width + 2)).collect();
    let rule = format!("|{}|\n", rule.join("|"));
    let lines = cells.iter().enumerate();
    lines.fold(String::new(), |text, (at, row)| text + &line(row) + if at == 0 { rule.as_str() } else { "" })
}

/// `docs/BENCHMARKS.md`, its sections in the order of `parts`: id and method of each.
pub(crate) fn markdown<'a>(report: &Report, parts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut text = format!(
        "# Benchmarks\n\nMade by `make bench` on a Linux machine with {cores} cores, release build.\n\
         What misses its budget says so.\n\
         Within a section ours and the peer take turns in the same run.\n\
         CPU is that of whole processes as the kernel accounts it, which other work on the machine changes little; \
         wall times it does change: each section says how busy the machine was.\n\
         `make bench PART=<id>` measures one section again.\n"
    );
    for (id, method) in parts {
        let Some(section) = report.sections.iter().find(|section| section.id == id) else { continue };
        let Section { title, when, rows, .. } = section;
        text += &format!("\n## {title}\n\n`{id}`, {when}\n\n{}\n{method}\n", table(rows));
    }
    text
}
