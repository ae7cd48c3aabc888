//! `headwater-bench`: measures the budgets of the design against peers, in one run, and reports what misses as well.
//!
//! CPU is that of whole processes, as the kernel accounts it; ours and the peer's take turns, and medians are shown.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;

mod clip;
mod first_segment;
mod functions;
mod gateway;
mod measure;
mod nginx;
mod report;
mod transcode;

/// Measures Headwater.
#[derive(Parser)]
struct Arguments {
    /// Only measurements whose id begins so.
    #[arg(long, default_value = "")]
    only: String,
    /// Transcode this file and say nothing: how the bench measures the engine as a process of its own.
    #[arg(long, hide = true)]
    engine: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(source) = arguments.engine {
        return transcode::engine(&source);
    }
    let me = std::env::current_exe()?;
    let target = me.parent().and_then(Path::parent).context("a program in a target folder")?.to_owned();
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let wanted = |id: &str| id.starts_with(&arguments.only);
    if wanted("transcode") {
        rows.extend(runtime.block_on(transcode::measure(&me, folder.path()))?);
    }
    if wanted("first-segment") {
        rows.extend(runtime.block_on(first_segment::measure(folder.path()))?);
    }
    if wanted("gateway") {
        rows.extend(runtime.block_on(gateway::measure(folder.path()))?);
    }
    if wanted("functions") {
        rows.extend(runtime.block_on(functions::measure(folder.path()))?);
    }
    print!("{}", report::table(&rows));
    let json = target.join("bench/report.json");
    std::fs::create_dir_all(target.join("bench"))?;
    std::fs::write(&json, serde_json::to_vec_pretty(&rows)?)?;
    if arguments.only.is_empty() {
        std::fs::write("docs/BENCHMARKS.md", report::markdown(&rows))?;
    }
    println!("\nWritten to {} and docs/BENCHMARKS.md", json.display());
    Ok(())
}
