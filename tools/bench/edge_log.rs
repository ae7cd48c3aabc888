//! What one viewer asked of the edge, from the edge's own log.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The end of the log that is looked at, seconds: the page and the player's start are before it.
const WINDOW: i64 = 20;

#[derive(Deserialize)]
struct Line {
    time: String,
    path: String,
    bytes: u64,
    cache: String,
}

/// Per hour.
#[derive(Debug, Default)]
pub(crate) struct Viewer {
    pub(crate) requests: f64,
    pub(crate) bytes: f64,
    /// Requests for playlists that reached a region.
    pub(crate) playlists: f64,
    /// Requests for media that reached a bucket.
    pub(crate) media: f64,
}

/// The newest requests for playlists and media, as many as an hour of them would be.
pub(crate) fn viewer(data: &Path) -> anyhow::Result<Viewer> {
    let log = std::fs::read_to_string(data.join("edge/access.log")).context("the edge's log")?;
    let mut seen = Vec::new();
    for line in log.lines() {
        let line: Line = serde_json::from_str(line).context("a line of the edge's log")?;
        if line.path.ends_with(".m3u8") || line.path.ends_with(".m4s") {
            seen.push((OffsetDateTime::parse(&line.time, &Rfc3339)?.unix_timestamp(), line));
        }
    }
    let newest = seen.iter().map(|(at, _)| *at).max().context("nobody has watched")?;
    let (mut viewer, each) = (Viewer::default(), 3_600.0 / WINDOW as f64);
    // The newest second is not over.
    for (_, line) in seen.iter().filter(|(at, _)| (newest - WINDOW..newest).contains(at)) {
        viewer.requests += each;
        viewer.bytes += each * line.bytes as f64;
        if line.cache != "HIT" {
            *if line.path.ends_with(".m3u8") { &mut viewer.playlists } else { &mut viewer.media } += each;
        }
    }
    Ok(viewer)
}
