//! `headwater-bench`: measures against peers and budgets, in one run, and reports what misses as well.
//!
//! CPU is that of whole processes, as the kernel accounts it; ours and the peer's take turns, and medians are shown.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;

mod cold;
mod cost;
mod edge_log;
mod engine;
mod first_segment;
mod functions;
mod gateway;
mod latency;
mod load;
mod measure;
mod methods;
mod nginx;
mod peer;
mod prices;
mod quality;
mod report;
mod requests;
mod sources;
mod stages;
mod table;
mod transcode;

use report::{Report, Section};

/// Measures Headwater. Run it in the repository's root.
#[derive(Parser)]
struct Arguments {
    /// Only parts whose id begins so; docs/BENCHMARKS.md is then left alone.
    #[arg(long, default_value = "")]
    only: String,
    /// Write docs/BENCHMARKS.md anyway: what was not measured now is as it was measured last.
    #[arg(long)]
    write: bool,
    /// Seconds for which the gateway is measured under load.
    #[arg(long, default_value_t = 60)]
    load_seconds: u32,
    /// The folder of the functions whose cold starts are measured; else beside this program.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Transcode this file and say nothing: how the bench measures the engine as a process of its own.
    #[arg(long, hide = true)]
    engine: Option<PathBuf>,
    #[command(flatten)]
    job: engine::Job,
}

/// What the parts share.
struct Bench {
    me: PathBuf,
    folder: tempfile::TempDir,
    sources: sources::Sources,
    report: Report,
    load_seconds: u32,
    /// Where the functions are that are measured alone.
    functions: PathBuf,
}

impl Bench {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn measure(&mut self, id: &str) -> anyhow::Result<Section> {
        match id {
            "transcode" => transcode::measure(self).await,
            "quality" => quality::measure(self).await,
            "stages" => stages::measure(self).await,
            "memory" => stages::memory(self).await,
            "catch-up" => stages::catch_up(self).await,
            "first-segment" => first_segment::measure(self).await,
            "latency" => latency::measure(self).await,
            "requests" => requests::measure(self).await,
            "gateway" => gateway::measure(self).await,
            "functions" => functions::measure(self).await,
            "cold" => cold::measure(self).await,
            "cost" => cost::measure(self),
            _ => anyhow::bail!("no such part: {id}"),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(source) = arguments.engine {
        return engine::Job { source, ..arguments.job }.work();
    }
    let me = std::env::current_exe()?;
    let beside = me.parent().context("a program in a folder")?.to_owned();
    let target = me.parent().and_then(Path::parent).context("a program in a target folder")?.join("bench");
    std::fs::create_dir_all(&target)?;
    let json = target.join("report.json");
    let folder = tempfile::tempdir()?;
    let sources = sources::Sources::new(folder.path());
    let mut bench = Bench {
        me,
        folder,
        sources,
        report: Report::load(&json),
        load_seconds: arguments.load_seconds,
        functions: arguments.functions.unwrap_or(beside),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut failed = Vec::new();
    for (id, _) in methods::PARTS.into_iter().filter(|(id, _)| id.starts_with(&arguments.only)) {
        println!("measuring {id} ...");
        let when = measure::now();
        // One that cannot be measured here does not keep the others from it.
        match runtime.block_on(bench.measure(id)) {
            Ok(section) => {
                let section = Section { when, ..section };
                println!("\n{}\n{}", section.title, table::table(&section.rows));
                bench.report.put(section);
                bench.report.save(&json)?;
            }
            Err(error) => {
                println!("not measured: {error:#}\n");
                failed.push(id);
            }
        }
    }
    println!("Written to {}", json.display());
    if arguments.only.is_empty() || arguments.write {
        std::fs::write("docs/BENCHMARKS.md", table::markdown(&bench.report, methods::PARTS.into_iter()))?;
        println!("Written to docs/BENCHMARKS.md");
    }
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}
