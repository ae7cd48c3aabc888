//! VMAF of each rung, ours and the peer's, against what the encoder sent.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use tokio::process::Command;

use super::Bench;
use super::engine::{Job, Ladder};
use super::measure::{output, run};
use super::peer;
use super::report::{Row, Section};
use super::sources::{SECONDS, Source};

/// Every so manieth picture is judged: prime to the length of a GOP, so that all places in one come.
const EVERY: u32 = 7;
/// How far below the peer is still as good.
const WITHIN: f64 = 0.3;

#[derive(Deserialize)]
struct Log {
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    vmaf: f64,
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section =
        Section::new("quality", "Picture quality at the same rungs: mean VMAF, all rungs encoded");
    let judge = judge().await?;
    for height in [720, 1_080] {
        let source = bench.sources.obs(height).await?;
        let folder = tempfile::tempdir_in(bench.folder())?;
        let mut job = Job::new(&source.path, Ladder::Three).encode_all();
        job.out = Some(folder.path().to_owned());
        job.measure(&bench.me).await?;
        let out = folder.path().join("peer");
        std::fs::create_dir(&out)?;
        run(&mut peer::ffmpeg(&source.path, &out)).await?;
        for (index, (lines, _)) in peer::RUNGS.into_iter().enumerate() {
            let our_file = folder.path().join(format!("{lines}p.mp4"));
            let their_file = peer::join(&out, index)?;
            let ours = vmaf(&judge, &source, &our_file).await?;
            let theirs = vmaf(&judge, &source, &their_file).await?;
            let rates = format!("{:.0} and {:.0} kbit/s", kbps(&our_file).await?, kbps(&their_file).await?);
            let what = format!("{height}p30 source, {lines}p ({rates})");
            section.rows.push(Row::new(what, ours, "").against("ffmpeg veryfast", theirs).within(WITHIN));
        }
    }
    Ok(section)
}

/// An ffmpeg with libvmaf; the distribution's has none.
async fn judge() -> anyhow::Result<PathBuf> {
    let made =
        output(Command::new("scripts/venv.sh").args(["bench", "scripts/bench-requirements.txt"])).await?;
    let python = PathBuf::from(made.trim()).join("bin/python");
    let ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())";
    Ok(output(Command::new(python).args(["-c", ask])).await?.trim().into())
}

/// Mean over the judged pictures, at the size of the source. Both hold every picture of the source once, so they are
/// compared by their number.
async fn vmaf(judge: &Path, source: &Source, made: &Path) -> anyhow::Result<f64> {
    let log = made.with_extension("json");
    let (Source { path, width, height }, log_path) = (source, log.display());
    let graph = format!(
        "[0:v]settb=1/30,setpts=N,scale={width}:{height}:flags=bicubic[made];[1:v]settb=1/30,setpts=N[sent];\
         [made][sent]libvmaf=log_fmt=json:log_path={log_path}:n_threads=2:n_subsample={EVERY}"
    );
    let mut command = Command::new(judge);
    command.args(["-v", "error", "-i"]).arg(made).arg("-i").arg(path);
    command.args(["-lavfi", &graph, "-f", "null", "-"]);
    run(&mut command).await?;
    let log: Log = serde_json::from_slice(&std::fs::read(&log)?)?;
    let count = u32::try_from(log.frames.len())?;
    anyhow::ensure!(count >= SECONDS * 30 / EVERY, "only {count} pictures were compared");
    Ok(log.frames.iter().map(|frame| frame.metrics.vmaf).sum::<f64>() / f64::from(count))
}

/// Of the pictures alone: the peer's files hold sound as well.
async fn kbps(file: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size", "-of", "csv=p=0"]);
    let sizes = output(command.arg(file)).await?;
    let bytes = sizes.lines().map(|line| line.trim_matches(',').parse::<u64>().context("a packet's size"));
    Ok(bytes.sum::<anyhow::Result<u64>>()? as f64 * 8.0 / 1e3 / f64::from(SECONDS))
}
