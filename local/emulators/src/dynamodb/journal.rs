//! The file that lets replication survive a restart: what was about to be written, what was not after all, what the
//! peer has. One JSON object a line, appended without fsync (it has to survive our death, not the machine's).
//! Must not know the engine.

use super::stamp::{Stamp, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// An item is about to be written here.
    Intent(JournalEntry),
    /// That write did not happen.
    Cancelled(u64),
    /// The peer has it (or newer).
    Acknowledged(u64),
    /// An item arrived from the peer, or an older line was compacted.
    Known(JournalEntry),
}

/// Which write of which item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct JournalEntry {
    pub(super) number: u64,
    pub(super) table: String,
    pub(super) key: Value,
    pub(super) stamp: Stamp,
}

/// What a journal says when it is opened.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The newest write of every item.
    pub(super) known: Vec<JournalEntry>,
    /// Writes that the peer may not have; the newest one of each item, in order.
    pub(super) unacknowledged: Vec<JournalEntry>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Reads the file, writes it anew without what is settled, and opens it for appending.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Recovered)> {
        let recovered =
            if path.exists() { recover(BufReader::new(File::open(path)?))? } else { Recovered::default() };
        let fresh = path.with_extension("new");
        let mut out = BufWriter::new(File::create(&fresh)?);
        let known = recovered.known.iter().cloned().map(Line::Known);
        for line in known.chain(recovered.unacknowledged.iter().cloned().map(Line::Intent)) {
            write_line(&mut out, &line)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(&fresh, path)?;
        Ok((Self { file: File::options().append(true).open(path)? }, recovered))
    }

    /// Appends one line.
    pub(super) fn append(&mut self, line: &Line) -> io::Result<()> {
        write_line(&mut self.file, line)
    }
}

fn write_line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    // One write call for the whole line: what is on disk after a kill is whole lines and at most one torn one.
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn recover(lines: impl BufRead) -> io::Result<Recovered> {
    let mut known: HashMap<(String, String), JournalEntry> = HashMap::new();
    let mut open: HashMap<u64, JournalEntry> = HashMap::new();
    for line in lines.lines() {
        let Ok(line) = serde_json::from_str(&line?) else {
            continue; // the torn line of a kill
        };
        match line {
            Line::Intent(entry) => {
                open.insert(entry.number, entry);
            }
            Line::Cancelled(number) => {
                open.remove(&number);
            }
            Line::Acknowledged(number) => {
                if let Some(entry) = open.remove(&number) {
                    newest(&mut known, entry);
                }
            }
            Line::Known(entry) => newest(&mut known, entry),
        }
    }
    let mut pending = HashMap::new();
    for entry in open.into_values() {
        newest(&mut pending, entry);
    }
    let mut unacknowledged: Vec<_> = pending.into_values().collect();
    unacknowledged.sort_by_key(|entry| entry.number);
    Ok(Recovered { known: known.into_values().collect(), unacknowledged })
}

fn newest(entries: &mut HashMap<(String, String), JournalEntry>, entry: JournalEntry) {
    let item = (entry.table.clone(), canonical(&entry.key));
    match entries.get(&item) {
        Some(there) if there.stamp >= entry.stamp => {}
        _ => {
            entries.insert(item, entry);
        }
    }
}
