//! A source whose pictures carry their number, and reading the numbers back from what came out: nothing else shows for
//! certain that no picture was lost and none was shown twice.
//!
//! A picture is 16 columns, each black or white: the bits of its number, the lowest on the left.

use std::path::Path;
use std::process::Stdio;

use headwater_domain::BroadcastId;
use headwater_domain::ports::ReadTimeline;
use headwater_domain::timeline::Entry;
use m3u8_rs::MediaPlaylist;
use tokio::process::Command;

use super::hls::{breaks, is_gap};
use super::support::{Platform, Running, Stream, eventually};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const BITS: usize = 16;
const COLUMN: usize = WIDTH / BITS;

/// Publishes numbered pictures and a tone in real time, with a GOP of so many pictures at 25 a second.
pub(crate) fn publish(url: &str, gop: u32) -> Running {
    publish_until(url, gop, None)
}

/// The same for so many seconds.
pub(crate) fn publish_for(url: &str, gop: u32, seconds: u32) -> Running {
    publish_until(url, gop, Some(seconds))
}

fn publish_until(url: &str, gop: u32, seconds: Option<u32>) -> Running {
    let length = seconds.map(|seconds| ["-t".to_owned(), seconds.to_string()]);
    let length: Vec<_> = length.iter().flatten().map(String::as_str).collect();
    let picture = format!(
        "color=c=gray:s={WIDTH}x{HEIGHT}:r=25,geq=lum='16+219*mod(floor(N/pow(2,floor(X/{COLUMN}))),2)':cb=128:cr=128"
    );
    let gop = gop.to_string();
    let arguments = [
        ["-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", &picture].as_slice(),
        &["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"],
        &["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"],
        &["-g", &gop, "-b:v", "200k", "-c:a", "aac", "-ac", "2", "-b:a", "64k"],
        &length,
        &["-f", "flv", url],
    ]
    .concat();
    Running::start("ffmpeg", &arguments)
}

/// The numbers of a file's pictures, in the order in which they are shown.
pub(crate) async fn numbers(file: &Path) -> Vec<u32> {
    let scale = format!("scale={WIDTH}:{HEIGHT}");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i", file.to_str().unwrap(), "-vf", &scale, "-fps_mode", "passthrough"])
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |picture: &[u8]| {
        let row = &picture[HEIGHT / 2 * WIDTH..][..WIDTH];
        (0..BITS).filter(|bit| row[bit * COLUMN + COLUMN / 2] > 125).map(|bit| 1 << bit).sum()
    };
    output.stdout.chunks_exact(WIDTH * HEIGHT).map(number).collect()
}

impl Platform {
    /// The numbers of the pictures in a playlist, segment by segment.
    pub(crate) async fn numbers(&self, name: &str, playlist: &MediaPlaylist) -> Vec<u32> {
        let mut all = Vec::new();
        for segment in self.fetch(name, playlist).await {
            all.extend(numbers(&segment.file).await);
        }
        all
    }

    /// No picture is missing, none is there twice; at most `max_breaks` discontinuities.
    pub(crate) async fn nothing_is_lost(&self, name: &str, playlist: &MediaPlaylist, max_breaks: usize) {
        let numbers = self.numbers(name, playlist).await;
        let wrong: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?} of {}\n{:?}", numbers.len(), breaks(playlist));
        let broken = breaks(playlist).iter().filter(|(_, broken)| *broken).count();
        assert!(broken <= max_breaks, "{name}: {:?}", breaks(playlist));
        assert!(!playlist.segments.iter().any(is_gap), "{name}: gaps");
    }

    /// The id of the stream's running broadcast.
    pub(crate) async fn broadcast(&self, region: usize, stream: &Stream) -> BroadcastId {
        eventually("a broadcast", || async {
            let shown = self.show(region, stream).await;
            shown["broadcast"]["id"].as_str().map(|id| id.parse().unwrap())
        })
        .await
    }

    /// Entries as they were written, lease by lease.
    pub(crate) async fn written(&self, region: usize, broadcast: &BroadcastId) -> Vec<Entry> {
        let mut entries = self.table(region).all(broadcast).await.unwrap();
        entries.sort_by_key(|entry| (entry.lease.clone(), entry.number));
        entries
    }

    /// The task that works for a stream.
    pub(crate) fn task_of(&self, region: usize, stream: &Stream) -> Option<String> {
        let running = self.stack.regions[region].ecs.running();
        let works = |value: &String| value.contains(&stream.id);
        running
            .into_iter()
            .filter(|task| task.environment.values().any(works))
            .map(|task| task.arn)
            .next_back()
    }
}
