//! What a process and a folder hold at a moment, from /proc and the disk.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

const MIB: f64 = 1_024.0;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    pub(crate) pid: u32,
    /// Resident memory, MiB.
    pub(crate) memory: f64,
    /// The most it has been, MiB.
    pub(crate) peak: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
}

impl Holding {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such line")?;
            let number = line.split_whitespace().next().context("no number")?;
            Ok::<f64, anyhow::Error>(number.parse()?)
        };
        Ok(Self {
            pid,
            memory: number("VmRSS:")? / MIB,
            peak: number("VmHWM:")? / MIB,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
            threads: number("Threads:")?,
        })
    }
}

/// The whole at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) transcoder: Holding,
    pub(crate) gateway: Holding,
    pub(crate) tasks: f64,
    pub(crate) sessions: f64,
    pub(crate) spool_files: f64,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transcoder, gateway, .. } = self;
        write!(
            f,
            "transcoder {:.0} MiB, {} descriptors, {} threads; gateway {:.1} MiB, {} descriptors, {} threads, {} files",
            transcoder.memory,
            transcoder.descriptors,
            transcoder.threads,
            gateway.memory,
            gateway.descriptors,
            gateway.threads,
            self.spool_files
        )
    }
}

/// Files below a folder, however deep.
pub(crate) fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
