//! CPU of our engine against the ffmpeg command that it replaces.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use headwater_transcoder::media::{self, Cancel, EngineSettings, MediaTime, RunInput, StartPoint};
use tokio::process::Command;

use super::clip;
use super::measure::{median, run};
use super::report::Row;

/// Rounds; ours and the peer take turns.
const ROUNDS: usize = 3;
const SECONDS: u32 = 20;

/// Transcodes one file with the default ladder and drops the result.
pub(crate) fn engine(source: &Path) -> anyhow::Result<()> {
    let input = RunInput { reader: Box::new(File::open(source)?), first_cursor: 1, pace: None };
    let start = StartPoint::aligned(MediaTime::from_secs(10), 0);
    let sink = |segment| {
        std::hint::black_box(segment);
        ControlFlow::Continue(())
    };
    media::run(input, &EngineSettings::default(), start, sink, &Cancel::new())?;
    Ok(())
}

/// Both sources, all rungs encoded.
pub(crate) async fn measure(me: &Path, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let (clip, name) = clip::natural(folder).await;
    let mut rows = Vec::new();
    for (height, kbps, budget) in [(720, 4_000, 0.80), (1080, 6_000, 0.85)] {
        let source = clip::flv(folder, &clip, height, kbps, SECONDS).await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            ours.push(run(Command::new(me).arg("--engine").arg(&source)).await?);
            let out = folder.join(format!("hls-{height}-{round}"));
            std::fs::create_dir_all(&out)?;
            theirs.push(run(&mut ffmpeg(&source, &out)).await?);
            std::fs::remove_dir_all(&out)?;
        }
        let what = format!("transcode {SECONDS} s of {height}p30 ({name}) to 720p, 480p, 360p: CPU");
        let row = Row::new(format!("transcode-{height}"), what, median(ours), "s");
        rows.push(row.against("ffmpeg, 3 rungs veryfast", median(theirs)).ratio_at_most(budget));
    }
    Ok(rows)
}

/// The usual command: one decode, three rungs, an AAC encode for each.
fn ffmpeg(source: &Path, out: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-y", "-loglevel", "error", "-i"]).arg(source);
    command.args([
        "-filter_complex",
        "[0:v]split=3[a][b][c];[a]scale=-2:720[v0];[b]scale=-2:480[v1];[c]scale=-2:360[v2]",
    ]);
    for (index, kbps) in [2_800, 1_400, 800].into_iter().enumerate() {
        command.args(["-map", &format!("[v{index}]"), "-map", "0:a"]);
        command.args([&format!("-b:v:{index}"), &format!("{kbps}k")]);
        command.args([&format!("-maxrate:v:{index}"), &format!("{}k", kbps * 107 / 100)]);
        command.args([&format!("-bufsize:v:{index}"), &format!("{}k", kbps * 3 / 2)]);
    }
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-sc_threshold", "0"]);
    command.args(["-force_key_frames", "expr:gte(t,n_forced*2)", "-c:a", "aac", "-b:a", "128k"]);
    command.args(["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]);
    command.args(["-var_stream_map", "v:0,a:0 v:1,a:1 v:2,a:2", "-master_pl_name", "index.m3u8"]);
    command.arg(out.join("v%v.m3u8"));
    command
}
