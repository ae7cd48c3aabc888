//! CPU and memory of processes, from /proc.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// The kernel's USER_HZ, which /proc counts in; 100 on every Linux that we run on.
const TICKS: f64 = 100.0;

/// User and system seconds that a process has used; its state.
pub(crate) fn cpu(pid: u32) -> Option<(f64, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds =
        |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).map(|ticks| ticks / TICKS);
    Some((seconds(11)? + seconds(12)?, fields.first()?.chars().next()?))
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> Option<f64> {
    status(pid, "VmRSS:")
}

/// The most it has ever been, in KiB.
pub(crate) fn peak(pid: u32) -> Option<f64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command to its end; its CPU seconds. A process keeps its account until it is waited for.
pub(crate) async fn run(command: &mut Command) -> anyhow::Result<f64> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().context("it has just been started")?;
    let used = loop {
        match cpu(pid) {
            Some((used, 'Z')) => break used,
            Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            None => anyhow::bail!("the process is gone"),
        }
    };
    ensure!(child.wait().await?.success(), "the command failed: {command:?}");
    Ok(used)
}

/// What a command says.
pub(crate) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the command failed: {command:?}: {}", complaint.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Date, commit, and how many programs wanted a core in the last minute.
pub(crate) fn now() -> String {
    let date = time::OffsetDateTime::from(headwater_emulators::clock::now()).date();
    let git = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = git.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    format!("measured on {date} at {}; load average before it {load}", commit.trim())
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
