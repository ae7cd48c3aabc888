//! The peer of the transcoder: the `ffmpeg` command that people use for a ladder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::process::Command;

/// Lines and kbit/s of its rungs.
pub(crate) const RUNGS: [(u32, u32); 3] = [(720, 2_800), (480, 1_400), (360, 800)];

/// One decode, three x264 veryfast rungs with a key frame every two seconds, an AAC encode for each, HLS in fMP4.
pub(crate) fn ffmpeg(source: &Path, out: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-y", "-loglevel", "error", "-i"]).arg(source);
    command.args([
        "-filter_complex",
        "[0:v]split=3[a][b][c];[a]scale=-2:720[v0];[b]scale=-2:480[v1];[c]scale=-2:360[v2]",
    ]);
    for (index, (_, kbps)) in RUNGS.into_iter().enumerate() {
        command.args(["-map", &format!("[v{index}]"), "-map", "0:a"]);
        command.args([&format!("-b:v:{index}"), &format!("{kbps}k")]);
        command.args([&format!("-maxrate:v:{index}"), &format!("{}k", kbps * 107 / 100)]);
        command.args([&format!("-bufsize:v:{index}"), &format!("{}k", kbps * 3 / 2)]);
    }
    // Every picture once: by default it doubles the first few of a source that does not begin at nought.
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-sc_threshold", "0"]);
    command.args(["-fps_mode", "passthrough"]);
    command.args(["-c:a", "aac", "-b:a", "128k"]);
    command.args(["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]);
    command.args(["-var_stream_map", "v:0,a:0 v:1,a:1 v:2,a:2", "-master_pl_name", "index.m3u8"]);
    command.arg(out.join("v%v.m3u8"));
    command
}

/// Joins one of its renditions into a file.
pub(crate) fn join(out: &Path, index: usize) -> anyhow::Result<PathBuf> {
    let playlist = std::fs::read_to_string(out.join(format!("v{index}.m3u8")))?;
    let init = playlist.split("#EXT-X-MAP:URI=\"").nth(1).and_then(|rest| rest.split('"').next());
    let mut joined = std::fs::read(out.join(init.context("the peer names its init section")?))?;
    for segment in playlist.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        joined.extend(std::fs::read(out.join(segment))?);
    }
    let path = out.join(format!("joined-{index}.mp4"));
    std::fs::write(&path, joined)?;
    Ok(path)
}
