//! What relaying costs: the gateway, which buffers to disk, against nginx-rtmp, which keeps nothing.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use super::first_segment::{create, stack};
use super::measure::{cpu, resident};
use super::nginx::Nginx;
use super::report::{Row, Section};
use super::{Bench, sources};

const STREAMS: usize = 20;
const SECONDS: u64 = 15;
const KBPS: u32 = 2_872;

fn publish(source: &Path, url: &str) -> anyhow::Result<Child> {
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-re", "-stream_loop", "-1", "-i"]).arg(source);
    command.args(["-c", "copy", "-f", "flv", url]);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?)
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let folder = bench.folder();
    let source = bench.sources.flv(720, KBPS).await?;
    let bytes_per_second = std::fs::metadata(&source)?.len() as f64 / f64::from(sources::SECONDS);
    // No transcoder starts while this runs: only the relaying is measured.
    let stack = stack(folder, Duration::from_secs(3_600)).await?;
    let gateway = stack.regions[0].gateway.pid().await.context("the gateway runs")?;
    let mut urls = Vec::new();
    for _ in 0..STREAMS {
        let key = create(&stack).await?.key;
        urls.push(format!("{}/{key}", stack.regions[0].rtmp_url()));
    }
    let ours = relay(gateway, &source, &urls, bytes_per_second).await?;
    stack.stop().await;
    let nginx = Nginx::start(folder, false).await?;
    let urls: Vec<_> = (0..STREAMS).map(|n| format!("rtmp://127.0.0.1:{}/live/s{n}", nginx.rtmp)).collect();
    let theirs =
        relay(nginx.worker().context("nginx has a worker")?, &source, &urls, bytes_per_second).await?;
    nginx.stop().await?;
    let mut section = Section::new("gateway", "Gateway: relaying, buffered to disk");
    section.rows = vec![
        Row::new("CPU per Gbit in", ours.0, "s").against("nginx-rtmp", theirs.0).at_most(0.30),
        Row::new("memory per 3 Mbit/s stream", ours.1, "MiB").against("nginx-rtmp", theirs.1).at_most(1.0),
    ];
    Ok(section)
}

/// CPU seconds per Gbit and MiB per stream, while all publish.
async fn relay(
    pid: u32,
    source: &Path,
    urls: &[String],
    bytes_per_second: f64,
) -> anyhow::Result<(f64, f64)> {
    let idle = resident(pid).context("memory")?;
    let publishers = urls.iter().map(|url| publish(source, url)).collect::<anyhow::Result<Vec<_>>>()?;
    // All have connected and send at their pace.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = cpu(pid).context("CPU")?.0;
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let used = cpu(pid).context("CPU")?.0 - before;
    let busy = resident(pid).context("memory")?;
    drop(publishers);
    let gigabits = bytes_per_second * 8.0 * SECONDS as f64 * urls.len() as f64 / 1e9;
    Ok((used / gigabits, (busy - idle) / 1024.0 / urls.len() as f64))
}
