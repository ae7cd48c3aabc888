//! Glass to glass: a picture with the time in it is published, and read back in a browser (tests/browser/latency.mjs).

use std::time::Duration;

use anyhow::Context as _;
use headwater_local::Stack;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::Bench;
use super::edge_log;
use super::first_segment::{create_with, small, stack};
use super::report::{Report, Row, Section};

const SECONDS: u32 = 30;
/// For the browser to start on a busy machine as well.
const GIVE_UP: Duration = Duration::from_secs(240);

#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "glassToGlass")]
    age: Age,
    pictures: u32,
    stalls: u32,
    errors: Vec<serde_json::Value>,
}

/// Of the pictures on the screen, seconds.
#[derive(Deserialize)]
struct Age {
    median: f64,
    p95: f64,
    most: f64,
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section =
        Section::new("latency", format!("Latency glass to glass, {SECONDS} s in Chromium with hls.js"));
    for (mode, budget) in [("low", 3.0), ("standard", 9.0)] {
        let stack = stack(bench.folder(), Duration::ZERO).await?;
        let seen = watch(&stack, mode, &mut bench.report).await;
        stack.stop().await;
        let Seen { age, pictures, stalls, errors } = seen?;
        let remark = format!(
            "median {:.2}, most {:.2}; {pictures} pictures, {stalls} stalls, {} errors",
            age.median,
            age.most,
            errors.len()
        );
        let row = Row::new(format!("{mode} latency: 95 % of pictures within"), age.p95, "s");
        section.rows.push(row.at_most(budget).remark(remark));
    }
    Ok(section)
}

async fn watch(stack: &Stack, mode: &str, report: &mut Report) -> anyhow::Result<Seen> {
    let stream = create_with(stack, json!({ "ladder": small(), "latency": mode })).await?;
    let queries = || stack.regions[0].dynamodb.operations().get("Query").copied().unwrap_or(0);
    let playlists = || {
        let functions = ["playlist", "low-latency"].into_iter();
        let stats = functions.filter_map(|name| stack.regions[0].lambda.stats(name));
        stats.map(|stats| stats.invocations).sum::<u64>()
    };
    let before = (queries(), playlists());
    let mut command = Command::new("node");
    command.arg("tests/browser/latency.mjs").args(["--json", "--seconds", &SECONDS.to_string()]);
    command.args(["--url", &stack.edge_url(), "--stream", &stream.id]);
    command.args(["--rtmp", &format!("{}/{}", stack.regions[0].rtmp_url(), stream.key)]);
    let said = tokio::time::timeout(GIVE_UP, command.kill_on_drop(true).output());
    let said = said.await.context("the browser took too long")??;
    // It says what it saw when that was not good, too.
    let seen = serde_json::from_slice(&said.stdout)
        .with_context(|| format!("no account: {}", String::from_utf8_lossy(&said.stderr)));
    let seen = seen?;
    let viewer = edge_log::viewer(stack.data())?;
    let values = [
        ("requests", viewer.requests),
        ("bytes", viewer.bytes),
        ("playlists", viewer.playlists),
        ("media", viewer.media),
        ("queries_per_playlist", (queries() - before.0) as f64 / (playlists() - before.1).max(1) as f64),
    ];
    for (name, value) in values {
        report.note(format!("latency.{mode}.{name}"), value);
    }
    Ok(seen)
}
