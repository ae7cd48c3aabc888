//! From the encoder's start to the first segment at the edge.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use headwater_local::stack::demo::ApiClient;
use headwater_local::stack::{Binaries, Ports, Stack, StackConfig};
use http::Method;
use serde_json::json;
use tokio::process::{Child, Command};

use super::measure::median;
use super::nginx::Nginx;
use super::report::Row;

const ROUNDS: usize = 5;
const LOOK: Duration = Duration::from_millis(25);

pub(crate) async fn stack(folder: &Path, task_start_delay: Duration) -> anyhow::Result<Stack> {
    let data = folder.join(format!("stack-{}", task_start_delay.as_secs()));
    let mut config = StackConfig::new(data, Ports::Free, Binaries::beside_me()?);
    config.task_start_delay = task_start_delay;
    Stack::start(config).await
}

/// A stream's key and playback URL.
pub(crate) async fn create(stack: &Stack) -> anyhow::Result<(String, String)> {
    let api = ApiClient::new(stack.regions[0].api_url(), &stack.secrets.admin_token);
    let ladder =
        json!([{"height": 360, "kbps": 800}, {"height": 270, "kbps": 500}, {"height": 180, "kbps": 300}]);
    let body = json!({ "name": "bench", "settings": { "ladder": ladder } });
    let (_, stream) = api.call(Method::POST, "/v1/streams", Some(body)).await?;
    let text = |pointer: &str| Some(stream.pointer(pointer)?.as_str()?.to_owned());
    text("/stream_key/value").zip(text("/playback_url")).context("the stream was not created")
}

/// An encoder in real time.
pub(crate) fn encoder(url: &str) -> anyhow::Result<Child> {
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"]);
    command.args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:v", "libx264"]);
    command.args([
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "60",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-f",
        "flv",
        url,
    ]);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?)
}

pub(crate) async fn measure(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let stack = stack(folder, Duration::ZERO).await?;
    let nginx = Nginx::start(folder, true).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (key, playback) = create(&stack).await?;
        let begun = Instant::now();
        let mut publisher = encoder(&format!("{}/{key}", stack.regions[0].rtmp_url()))?;
        let edge = stack.edge_url();
        while !playable(&edge, &playback).await {
            tokio::time::sleep(LOOK).await;
        }
        ours.push(begun.elapsed().as_secs_f64());
        publisher.kill().await?;

        let begun = Instant::now();
        let name = format!("round{round}");
        let mut publisher = encoder(&format!("rtmp://127.0.0.1:{}/live/{name}", nginx.rtmp))?;
        let first = nginx.hls.join(format!("{name}-3600.ts"));
        let playlist = nginx.hls.join(format!("{name}-360.m3u8"));
        while !(playlist.exists() && first.exists()) {
            tokio::time::sleep(LOOK).await;
        }
        theirs.push(begun.elapsed().as_secs_f64());
        publisher.kill().await?;
    }
    nginx.stop().await?;
    stack.stop().await;
    let what = "publish → first segment playable at the edge";
    let row = Row::new("first-segment", what, median(ours), "s").at_most(3.5);
    Ok(vec![row.against("nginx-rtmp + ffmpeg ladder", median(theirs))])
}

/// Whether the first segment of the first rendition can be had.
async fn playable(edge: &str, playback: &str) -> bool {
    let Some(multivariant) = get(playback).await else { return false };
    let Some(media) = uri(&multivariant) else { return false };
    let Some(playlist) = get(&format!("{edge}{media}")).await else { return false };
    let Some(segment) = uri(&playlist) else { return false };
    get(&format!("{edge}{segment}")).await.is_some()
}

fn uri(playlist: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(playlist);
    text.lines().find(|line| line.starts_with('/')).map(str::to_owned)
}

pub(crate) async fn get(url: &str) -> Option<Vec<u8>> {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::client::legacy::Client;
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request = http::Request::get(url).body(Empty::<bytes::Bytes>::new()).ok()?;
    let answer = client.request(request).await.ok()?;
    let ok = answer.status().is_success();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    ok.then(|| body.to_vec())
}
