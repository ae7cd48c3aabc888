//! Looking into segments with ffprobe and ffmpeg, which share nothing with our packager.

use std::path::{Path, PathBuf};

use m3u8_rs::MediaPlaylist;
use serde_json::Value;

use super::support::{Platform, Running};

/// One downloaded segment of one rendition.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) number: u64,
    /// Initialization section and media in one file.
    pub(crate) file: PathBuf,
    pub(crate) seconds: f64,
}

impl Platform {
    /// Downloads what a media playlist names.
    pub(crate) async fn fetch(&self, name: &str, playlist: &MediaPlaylist) -> Vec<Fetched> {
        let mut init = Vec::new();
        let mut fetched = Vec::new();
        for (number, segment) in (playlist.media_sequence..).zip(&playlist.segments) {
            if let Some(map) = &segment.map {
                init = self.object(&map.uri).await.to_vec();
            }
            let file = self.folder().join(format!("{name}-{number}.mp4"));
            let media = self.object(&segment.uri).await;
            std::fs::write(&file, [&init[..], &media[..]].concat()).unwrap();
            let seconds = f64::from(segment.duration);
            fetched.push(Fetched { number, file, seconds });
        }
        fetched
    }

    /// One file of all segments, as a player would append them.
    pub(crate) async fn join(&self, name: &str, playlist: &MediaPlaylist) -> PathBuf {
        let mut bytes = Vec::new();
        let mut last = None;
        for segment in &playlist.segments {
            if let Some(map) = segment.map.as_ref().filter(|map| last.as_ref() != Some(&map.uri)) {
                if bytes.is_empty() {
                    bytes.extend_from_slice(&self.object(&map.uri).await);
                }
                last = Some(map.uri.clone());
            }
            bytes.extend_from_slice(&self.object(&segment.uri).await);
        }
        let file = self.folder().join(format!("{name}-joined.mp4"));
        std::fs::write(&file, bytes).unwrap();
        file
    }
}

/// One packet as ffprobe sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packet {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) key: bool,
}

/// All packets of a file, by ffprobe; fails if it complains.
pub(crate) async fn packets(file: &Path) -> Vec<Packet> {
    let arguments = ["-v", "error", "-show_packets", "-of", "json", file.to_str().unwrap()];
    let (ok, said) = Running::start("ffprobe", &arguments).end().await;
    assert!(ok, "{said}");
    let value: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("ffprobe complains of {}: {said}", file.display()));
    let number =
        |packet: &Value, name: &str| packet[name].as_i64().unwrap_or_else(|| panic!("no {name} in {packet}"));
    value["packets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|packet| Packet {
            pts: number(packet, "pts"),
            dts: number(packet, "dts"),
            key: packet["flags"].as_str().unwrap().starts_with('K'),
        })
        .collect()
}

/// Decodes a file; fails if the decoder complains of anything.
pub(crate) async fn decodes_cleanly(file: &Path) {
    let arguments = ["-v", "error", "-xerror", "-i", file.to_str().unwrap(), "-f", "null", "-"];
    let (ok, said) = Running::start("ffmpeg", &arguments).end().await;
    assert!(ok && said.trim().is_empty(), "{}: {said}", file.display());
}

/// What ffmpeg's filters say while a URL or file is decoded to nothing.
pub(crate) async fn filtered(input: &str, video: &str, audio: &str) -> String {
    let arguments = ["-hide_banner", "-i", input, "-vf", video, "-af", audio, "-f", "null", "-"];
    let (ok, said) = Running::start("ffmpeg", &arguments).end().await;
    assert!(ok, "{said}");
    said
}

/// The numbers after each `name` in a filter's log.
pub(crate) fn numbers_after(said: &str, name: &str) -> Vec<f64> {
    said.split(name)
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.trim_start_matches([':', ' ']);
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
        .collect()
}
