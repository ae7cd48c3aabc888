//! Where the engine's CPU goes, how much memory it takes at most, and how fast it goes when nothing holds it back.

use super::Bench;
use super::engine::{Account, Job, Ladder};
use super::measure::median;
use super::report::{Row, Section};

/// Of the transcode's CPU, percent.
const MAX_REST: f64 = 5.0;
/// MiB.
const MAX_MEMORY: f64 = 400.0;
/// Seconds of media in a second, on two cores.
const MIN_SPEED: f64 = 2.5;
const ROUNDS: usize = 3;

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("stages", "CPU by stage, seconds of the engine's thread time");
    let jobs = [
        (720, Ladder::Source, false, "720p30, top rung copied"),
        (720, Ladder::Three, true, "720p30, three rungs encoded"),
        (1_080, Ladder::Source, false, "1080p30, top rung copied"),
        (1_080, Ladder::Source, true, "1080p30, four rungs encoded"),
    ];
    for (height, ladder, encode_all, what) in jobs {
        let mut job = Job::new(&bench.sources.obs(height).await?.path, ladder);
        (job.encode_all, job.single) = (encode_all, true);
        let (_, account) = job.measure(&bench.me).await?;
        rows(&account, what, &mut section.rows);
    }
    Ok(section)
}

fn rows(account: &Account, what: &str, rows: &mut Vec<Row>) {
    let mut known = 0.0;
    for (stage, spent) in &account.stages {
        let spent = spent.as_secs_f64();
        known += spent;
        let share = format!("{:.1} %", spent / account.cpu * 100.0);
        rows.push(Row::new(format!("{what}: {stage}"), spent, "s").remark(share));
    }
    let rest = (account.cpu - known) / account.cpu * 100.0;
    rows.push(
        Row::new(format!("{what}: everything else"), rest, "%")
            .remark(format!("{:.2} of {:.2} s", account.cpu - known, account.cpu))
            .at_most(MAX_REST),
    );
}

pub(crate) async fn memory(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("memory", "Peak resident memory of a transcode in a process of its own");
    let source = bench.sources.obs(1_080).await?.path;
    for (encode_all, what) in [(true, "four rungs encoded"), (false, "top rung copied")] {
        let mut job = Job::new(&source, Ladder::Source);
        job.encode_all = encode_all;
        let (_, account) = job.measure(&bench.me).await?;
        anyhow::ensure!(account.renditions.len() == 5, "four rungs and sound");
        let row = Row::new(format!("1080p30 to 4 rungs, {what}"), account.peak / 1_024.0, "MiB");
        section.rows.push(row.at_most(MAX_MEMORY));
    }
    Ok(section)
}

pub(crate) async fn catch_up(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("catch-up", "Catching up: seconds of media in a second");
    let cores = std::thread::available_parallelism()?.get() as f64;
    for (height, budget) in [(720, Some(MIN_SPEED)), (1_080, None)] {
        let source = bench.sources.obs(height).await?.path;
        let (mut speeds, mut bounds) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (_, account) = Job::new(&source, Ladder::Source).measure(&bench.me).await?;
            speeds.push(account.media / account.wall);
            bounds.push(account.media / account.cpu * cores);
        }
        let bound = format!("at most {:.1} if nothing else ran", median(bounds));
        let row = Row::new(format!("{height}p30, top rung copied, {cores} cores"), median(speeds), "×")
            .remark(bound);
        section.rows.push(match budget {
            Some(budget) => row.at_least(budget),
            None => row,
        });
    }
    Ok(section)
}
