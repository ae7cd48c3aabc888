//! How long what is injected lasts, and what memory it may cost the media programs meanwhile.
//!
//! Lengths are short in every run of the tests; `make outages SECONDS=60` makes them as long as it says.

#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use std::collections::BTreeMap;
use std::time::Duration;

use super::support::{LOOK, Platform};

/// Most anonymous memory of a transcoder (an unoptimized build with two small renditions), MiB: what it holds beside the
/// codecs is bounded by queues, so a longer outage must not need more.
const MAX_TRANSCODER_MIB: u64 = 96;
/// Most anonymous memory of a gateway with one stream, MiB: what it keeps is on disk.
const MAX_GATEWAY_MIB: u64 = 40;

/// `usual`, or what HEADWATER_OUTAGE_SECONDS says.
pub(crate) fn length(usual: u64) -> Duration {
    Duration::from_secs(asked_for().unwrap_or(usual))
}

/// The same in segments of a second.
pub(crate) fn segments(usual: u64) -> usize {
    usize::try_from(length(usual).as_secs()).unwrap()
}

/// How much longer than usual something may take for it.
pub(crate) fn more_patience() -> Duration {
    Duration::from_secs(asked_for().unwrap_or(0))
}

fn asked_for() -> Option<u64> {
    std::env::var("HEADWATER_OUTAGE_SECONDS").ok().map(|text| text.parse().expect("a number of seconds"))
}

/// The most memory that each program ever had, as far as was looked.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<(&'static str, u32), u64>);

impl Memory {
    /// Looks at the programs that run now.
    pub(crate) async fn look(&mut self, platform: &Platform) {
        for region in &platform.stack.regions {
            let gateway = region.gateway.pid().await.map(|pid| ("gateway", pid));
            let tasks = region.ecs.running().into_iter().filter_map(|task| task.pid);
            for (program, pid) in tasks.map(|pid| ("transcoder", pid)).chain(gateway) {
                // A program may end while we look.
                let Some(now) = anonymous_mib(pid) else { continue };
                let most = self.0.entry((program, pid)).or_default();
                *most = now.max(*most);
            }
        }
    }

    /// Looks on for so long.
    pub(crate) async fn watch(&mut self, platform: &Platform, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < until {
            self.look(platform).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// None had more than it may.
    pub(crate) fn is_bounded(&self) {
        println!("memory, MiB at most: {:?}", self.0);
        for ((program, pid), most) in &self.0 {
            let bound = if *program == "gateway" { MAX_GATEWAY_MIB } else { MAX_TRANSCODER_MIB };
            assert!(most <= &bound, "{program} {pid} had {most} MiB, allowed are {bound}");
        }
    }
}

/// RssAnon (proc_pid_status(5)): without the program's own file, whose debug build is large.
fn anonymous_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1_024)
}
