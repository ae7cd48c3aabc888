//! `make drill`: breaks one part of a running platform after the other in front of a person and tells what the encoder
//! and the viewers saw of it. Everything that is told was measured; it ends with success only if every promise held.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the program's output")]

mod account;
mod drill;
mod narrator;
mod playlist;
mod promises;
mod publisher;
mod scene;
mod viewer;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum as _};
use drill::Drill;
use narrator::Narrator;
use scene::Scene;

/// The whole drill takes no longer, whatever happens.
const MAX_TIME: Duration = Duration::from_secs(180);

/// Breaks things while somebody watches.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Only these scenes, in this order.
    #[arg(long, value_enum)]
    only: Vec<Scene>,
    /// Print the report as JSON; the story goes to stderr.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Options { only, json } = Options::parse();
    let narrator = Narrator::new(json);
    let scenes = if only.is_empty() { Scene::value_variants().to_vec() } else { only };
    match play(&scenes, &narrator).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("headwater-drill: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all promises held.
async fn play(scenes: &[Scene], narrator: &Narrator) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    let drilled = async {
        let mut drill = Drill::start(folder.path(), narrator).await?;
        let mut acts = Vec::new();
        for scene in scenes {
            acts.push(drill.play(*scene).await?);
        }
        drill.end().await;
        Ok(acts)
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(MAX_TIME, drilled) => {
            ended.context("the drill took longer than 3 minutes").and_then(|acts| acts)
        }
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot wait for Ctrl-C")?;
            Err(anyhow::anyhow!("interrupted"))
        }
    };
    let kept = ended.as_ref().is_ok_and(|acts| acts.iter().all(|act| act.broken.is_empty()));
    if !kept {
        eprintln!("The logs are in {}", folder.keep().join("data/logs").display());
    }
    narrator.report(&ended?);
    Ok(kept)
}
