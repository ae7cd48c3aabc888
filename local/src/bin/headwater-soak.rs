//! Transcodes 1080p to four rungs in real time for a while and watches its own memory: the peak, and whether it grows.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use headwater_transcoder::media::{
    Cancel, EngineSettings, MediaTime, Passthrough, RunInput, StartPoint, run,
};

/// What a transcode may take at most (DESIGN §7), MiB.
const MAX_PEAK: f64 = 400.0;
/// How much the last third may lie above the first, percent: allocators settle late.
const MAX_GROWTH: f64 = 5.0;
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Watches the memory of a long transcode.
#[derive(Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
}

/// ffmpeg's output; ends with it.
struct Encoder(Child);

impl Read for Encoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.stdout.as_mut().map_or(Ok(0), |out| out.read(buffer))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Seconds of it in real time, as an encoder would send them; the picture itself costs little.
fn encoder(seconds: f64) -> anyhow::Result<Encoder> {
    let arguments = format!(
        "-v error -re -f lavfi -i testsrc=size=1920x1080:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t {seconds} \
         -c:v libx264 -preset ultrafast -tune zerolatency -g 60 -pix_fmt yuv420p -c:a aac -b:a 128k -f flv pipe:1"
    );
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(arguments.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(Encoder(ffmpeg.spawn().context("ffmpeg cannot be started")?))
}

/// A line of `/proc/self/status`, in MiB.
fn memory(line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)).context("no such line")?;
    let kib: f64 = found.trim_matches([':', '\t', ' ', 'k', 'B']).trim().parse()?;
    Ok(kib / 1_024.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn main() -> anyhow::Result<()> {
    let Options { minutes } = Options::parse();
    let (end_of_run, ended) = mpsc::sync_channel::<()>(1);
    let watch = std::thread::spawn(move || -> anyhow::Result<Vec<f64>> {
        let mut seen = Vec::new();
        while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            seen.push(memory("VmRSS")?);
        }
        Ok(seen)
    });
    let reader = Box::new(encoder(minutes * 60.0)?);
    let input = RunInput { reader, first_cursor: 1, pace: None };
    // All four rungs are encoded: the dearest case.
    let settings = EngineSettings { passthrough: Passthrough::NONE, ..EngineSettings::default() };
    let start = StartPoint::aligned(MediaTime::from_secs(10), 0);
    let mut segments = 0_u64;
    let sink = |_| {
        segments += 1;
        ControlFlow::Continue(())
    };
    let began = Instant::now();
    let end = run(input, &settings, start, sink, &Cancel::new())?;
    drop(end_of_run);
    let seen = watch.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
    // The first looks see it grow to its size.
    let settled = &seen[(seen.len() / 10).min(6)..];
    let third = settled.len() / 3;
    let (first, last) = (mean(&settled[..third]), mean(&settled[settled.len() - third..]));
    let growth = (last / first - 1.0) * 100.0;
    let peak = memory("VmHWM")?;
    println!(
        "{segments} segments of 1080p in four rungs in {:.1} min, {} pictures decoded, {} dropped\n\
         memory: peak {peak:.0} MiB (budget {MAX_PEAK:.0}), first third {first:.1} MiB, last third {last:.1} MiB ({growth:+.1} %)",
        began.elapsed().as_secs_f64() / 60.0,
        end.stats.decoded,
        end.stats.dropped,
    );
    if peak > MAX_PEAK {
        bail!("it takes more than {MAX_PEAK} MiB");
    }
    if third >= 10 && growth > MAX_GROWTH {
        bail!("it grows");
    }
    Ok(())
}
