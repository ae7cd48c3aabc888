//! A share of one CPU, as Lambda gives it to a function's memory: a cgroup with a quota. Must not know what runs in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Memory that has a whole CPU (Lambda developer guide, "Configure Lambda function memory").
pub(crate) const FULL_CPU_MIB: u32 = 1_769;
/// What the quota is counted over, in microseconds. Shorter ones are kinder than Lambda's, longer ones unkinder.
const PERIOD_US: u32 = 20_000;

/// A cgroup. [`clear`] removes it.
#[derive(Debug)]
pub(crate) struct Share(PathBuf);

impl Share {
    /// For a function with so much memory.
    pub(crate) fn of(memory_mib: u32, name: &str) -> anyhow::Result<Self> {
        let quota = (PERIOD_US * memory_mib / FULL_CPU_MIB).max(1_000);
        let group = format!("headwater-{}-{name}", std::process::id());
        // The controller's own hierarchy (version 1), or the one for all.
        let first = Path::new("/sys/fs/cgroup/cpu");
        let (folder, settings) = if first.is_dir() {
            let settings =
                vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota.to_string())];
            (first.join(group), settings)
        } else {
            (Path::new("/sys/fs/cgroup").join(group), vec![("cpu.max", format!("{quota} {PERIOD_US}"))])
        };
        let share = Self(folder);
        let needs = "needs a cgroup with the cpu controller (root, or a delegated one)";
        std::fs::create_dir(&share.0).context(needs)?;
        for (file, value) in settings {
            std::fs::write(share.0.join(file), value).context(needs)?;
        }
        Ok(share)
    }

    /// A program that runs `program` with this share.
    pub(crate) fn wrap(&self, program: &Path, script: &Path) -> anyhow::Result<PathBuf> {
        let (procs, program) = (self.0.join("cgroup.procs"), program.display());
        let text = format!("#!/bin/sh\necho $$ >'{}' && exec '{program}'\n", procs.display());
        std::fs::write(script, text)?;
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700))?;
        Ok(script.to_owned())
    }

    /// What its processes have used, by the scheduler's own account.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let tasks = std::fs::read_to_string(self.0.join("cgroup.threads"))
            .or_else(|_| std::fs::read_to_string(self.0.join("tasks")))
            .unwrap_or_default();
        let of = |task: &str| {
            let account = std::fs::read_to_string(format!("/proc/{task}/schedstat")).ok()?;
            account.split_whitespace().next()?.parse::<f64>().ok()
        };
        tasks.split_whitespace().filter_map(of).sum::<f64>() / 1e9
    }
}

/// Removes the shares of this process; their processes must be gone.
pub(crate) fn clear() {
    let own = format!("headwater-{}-", std::process::id());
    for folder in [Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup")] {
        for group in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if group.file_name().to_string_lossy().starts_with(&own) {
                // One that is left over holds nothing.
                let _ = std::fs::remove_dir(group.path());
            }
        }
    }
}
