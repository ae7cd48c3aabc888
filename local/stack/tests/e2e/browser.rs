//! A person's browser: headless Chromium with hls.js plays the page at the edge.

use std::path::PathBuf;

use headwater_aws::clock::wall_clock;
use headwater_local::RegionId;
use serde_json::{Value, json};

use super::hls::renditions;
use super::support::{Picture, Platform, Running, Stream, artifacts, eventually, root};

/// Three qualities that two busy cores can encode and play at once.
fn switchable() -> Value {
    json!({ "listed": true, "ladder": [{"height": 360, "kbps": 600}, {"height": 270, "kbps": 400}, {"height": 180, "kbps": 200}] })
}

fn browser(platform: &Platform, stream: &Stream, name: &str, more: &[&str]) -> Running {
    let script = root().join("tests/browser/play.mjs");
    let (page, folder) = (format!("{}/", platform.stack.edge_url()), artifacts());
    let (shot, report) = (folder.join(format!("{name}.png")), folder.join(format!("{name}.json")));
    let mut arguments = vec![script.to_str().unwrap(), "--url", &page, "--stream", &stream.id];
    arguments.extend(["--screenshot", shot.to_str().unwrap(), "--json", report.to_str().unwrap()]);
    arguments.extend(more);
    Running::start("node", &arguments)
}

/// A browser that plays until it is told that it is enough; it may see no 5xx.
struct Watching {
    browser: Running,
    enough: PathBuf,
}

impl Watching {
    /// Once it plays.
    async fn begin(platform: &Platform, stream: &Stream, name: &str) -> Self {
        let (ready, enough) = (platform.folder().join("playing"), platform.folder().join("done"));
        let files = [
            "--ready-file",
            ready.to_str().unwrap(),
            "--until-file",
            enough.to_str().unwrap(),
            "--max-5xx",
            "0",
        ];
        let browser = browser(platform, stream, name, &files);
        eventually("the browser plays", || async { ready.exists().then_some(()) }).await;
        Self { browser, enough }
    }

    /// Whether it is content, and what it said.
    async fn end(self) -> (bool, String) {
        std::fs::write(&self.enough, "").unwrap();
        self.browser.end().await
    }
}

/// What the browser's script wrote down.
fn report(name: &str) -> String {
    std::fs::read_to_string(artifacts().join(format!("{name}.json")))
        .unwrap_or_else(|error| format!("no report: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_plays_and_switches_renditions() {
    let platform = Platform::start().await;
    let stream = platform.create(switchable()).await;
    let encoder = Picture { size: "640x360", ..Picture::default() }.publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;
    let (ok, said) =
        browser(&platform, &stream, "plays", &["--seconds", "15", "--switch", "--max-stall", "15"])
            .end()
            .await;
    assert!(ok, "{said}\n{}\n{}", report("plays"), platform.logs());
    platform.conforms(&stream.playback).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_goes_on_after_a_whole_region_has_died() {
    let platform = Platform::start().await;
    let stream = platform.create(switchable()).await;
    let encoder = Picture { size: "320x180", ..Picture::default() }.publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;
    let watching = Watching::begin(&platform, &stream, "whole-region-lost").await;
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.stack.stop_region(RegionId::A).await;
    let lost = wall_clock().0;
    assert!(!encoder.end().await.0, "it is cut off");
    let encoder = Picture { size: "320x180", ..Picture::default() }.publish(&platform.rtmp(1, &stream.key));
    platform
        .media_until(&path, |playlist| {
            playlist.segments.iter().filter(|segment| segment.uri.contains(".eu-west-1.")).count() >= 8
        })
        .await;
    // Its own verdict: it was not reloaded, no error, no 5xx, and it plays at the end.
    let (ok, said) = watching.end().await;
    let (.., playlist) = platform.get(&path).await;
    let playlist = String::from_utf8_lossy(&playlist);
    assert!(ok, "{said}\n{}\n{playlist}\n{}", report("whole-region-lost"), platform.logs());
    let report: Value = serde_json::from_str(&report("whole-region-lost")).unwrap();
    let failed = |state: &Value| state["state"] == "failed" || state["state"] == "ended";
    assert!(!report["states"].as_array().unwrap().iter().any(failed), "{report}");
    assert_eq!(report["reloads"], 0);
    let shown = report["shownFrom"].as_u64().unwrap();
    assert!(shown > lost, "what is shown was captured {} ms before the loss", lost - shown);
    println!("{said}shown: captured {} ms after the loss", shown - lost);
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_plays_on_while_region_a_loses_api_and_s3() {
    let platform = Platform::start().await;
    let stream = platform.create(switchable()).await;
    let encoder = Picture { size: "320x180", ..Picture::default() }.publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;
    let watching = Watching::begin(&platform, &stream, "region-lost").await;
    platform.stack.regions[0].api.stop().await;
    platform.stack.regions[0].s3.stop().await;
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    let before = platform.media(&path).await;
    let seen = before.media_sequence + before.segments.len() as u64;
    platform.media_until(&path, |now| now.media_sequence + now.segments.len() as u64 >= seen + 6).await;
    let (ok, said) = watching.end().await;
    assert!(ok, "{said}\n{}\n{}", report("region-lost"), platform.logs());
    platform.conforms(&stream.playback).await;
    encoder.kill().await;
    platform.stop().await;
}
