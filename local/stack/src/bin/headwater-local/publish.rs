//! `make demo`: a test picture with a running clock and a tone, published by the real ffmpeg.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use headwater_local::Endpoints;

/// Becomes an ffmpeg that publishes to the running stack.
pub(crate) fn demo(endpoints: &Path, region: usize) -> anyhow::Result<()> {
    let found = Endpoints::read(endpoints).context("nothing runs here; start it with: make run")?;
    let demo = found.demo.context("the running stack has no demo stream")?;
    let region = found.regions.get(region).context("there are regions 0 and 1")?;
    let clock = "drawtext=fontfile=/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf:fontsize=48:fontcolor=white:\
                 box=1:boxcolor=black@0.6:boxborderw=12:x=(w-tw)/2:y=h-120:text='%{localtime\\:%X}  %{pts\\:hms}'";
    let error = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "warning", "-stats", "-re"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=2:sample_rate=48000"])
        .args(["-vf", clock])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "60", "-b:v", "2500k"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", "-f", "flv"])
        .arg(format!("{}/{}", region.rtmp, demo.stream_key))
        .exec();
    bail!("cannot start ffmpeg: {error}; make setup installs it")
}
