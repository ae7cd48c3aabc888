//! From the encoder's start to the first media at the edge; the stack that this and other parts publish to.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use headwater_conformance::playlist::{MediaPlaylist, Multivariant, at_path};
use headwater_domain::paths::ApiPath;
use headwater_local::demo::ApiClient;
use headwater_local::{Binaries, Ports, Stack, StackConfig};
use http::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::Bench;
use super::measure::median;
use super::nginx::Nginx;
use super::report::{Row, Section};

const ROUNDS: usize = 5;
/// Many times what it takes on a busy machine.
const GIVE_UP: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(25);

pub(crate) async fn stack(folder: &Path, task_start_delay: Duration) -> anyhow::Result<Stack> {
    let data = folder.join(format!("stack-{}", task_start_delay.as_secs()));
    let mut config = StackConfig::new(data, Ports::Free, Binaries::beside_me()?);
    config.web = Some(std::path::absolute("web/dist")?).filter(|web| web.exists());
    config.task_start_delay = task_start_delay;
    Stack::start(config).await
}

/// A stream to publish to and to watch.
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) playback: String,
}

/// Three small rungs.
pub(crate) fn small() -> Value {
    json!([{"height": 360, "kbps": 800}, {"height": 270, "kbps": 500}, {"height": 180, "kbps": 300}])
}

/// One of standard latency with three small rungs.
pub(crate) async fn create(stack: &Stack) -> anyhow::Result<Stream> {
    create_with(stack, json!({ "ladder": small() })).await
}

pub(crate) async fn create_with(stack: &Stack, settings: Value) -> anyhow::Result<Stream> {
    let api = ApiClient::new(stack.regions[0].api_url(), &stack.secrets.admin_token);
    let body = json!({ "name": "bench", "settings": settings });
    let (status, stream) = api.call(Method::POST, &ApiPath::Streams.to_string(), Some(body)).await?;
    let text = |pointer: &str| {
        let found = stream.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("the stream was not created: {status} {stream}"))
    };
    Ok(Stream { id: text("/id")?, key: text("/stream_key/value")?, playback: text("/playback_url")? })
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

/// How long publishing into an empty stream takes until a viewer can have something of it.
async fn until_playable(stack: &Stack, settings: Value) -> anyhow::Result<f64> {
    let stream = create_with(stack, settings).await?;
    let begun = Instant::now();
    let mut publisher = encoder(&format!("{}/{}", stack.regions[0].rtmp_url(), stream.key))?;
    let edge = stack.edge_url();
    let wait = async {
        while !playable(&edge, &stream.playback).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(GIVE_UP, wait).await.context("nothing became playable")?;
    let taken = begun.elapsed().as_secs_f64();
    publisher.kill().await?;
    Ok(taken)
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let stack = stack(bench.folder(), Duration::ZERO).await?;
    let nginx = Nginx::start(bench.folder(), true).await?;
    let (mut ours, mut parts, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(until_playable(&stack, json!({ "ladder": small() })).await?);
        parts.push(until_playable(&stack, json!({ "ladder": small(), "latency": "low" })).await?);

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
    let mut section = Section::new("first-segment", "Publish → first media playable at the edge");
    let theirs = median(theirs);
    for (what, ours, budget) in [("standard", ours, 3.5), ("low latency", parts, 1.5)] {
        let row = Row::new(what, median(ours), "s").at_most(budget);
        section.rows.push(row.against("nginx-rtmp + ffmpeg ladder", theirs));
    }
    Ok(section)
}

/// Whether the first part or segment of the first rendition can be had.
async fn playable(edge: &str, playback: &str) -> bool {
    let Some(multivariant) = get(playback).await else { return false };
    let path = playback.strip_prefix(edge).unwrap_or(playback);
    let Some(media) = uri(path, &multivariant) else { return false };
    let Some(playlist) = get(&format!("{edge}{media}")).await else { return false };
    let Some(media) = part(&media, &playlist).or_else(|| uri(&media, &playlist)) else { return false };
    get(&format!("{edge}{media}")).await.is_some()
}

/// The first that the playlist at `path` names: a rendition's playlist, or a segment.
pub(crate) fn uri(path: &str, playlist: &[u8]) -> Option<String> {
    let base = at_path(path)?;
    let (variants, media) =
        (Multivariant::read(&base, playlist).variants, MediaPlaylist::read(&base, playlist));
    let segment = media.segments.first().and_then(|segment| segment.resource.as_ref());
    let first = variants.first().map(|variant| &variant.url).or(segment.map(|segment| &segment.url))?;
    Some(first.path().to_owned())
}

fn part(path: &str, playlist: &[u8]) -> Option<String> {
    let playlist = MediaPlaylist::read(&at_path(path)?, playlist);
    let part = playlist.all().flat_map(|segment| &segment.parts).next()?;
    Some(part.resource.url.path().to_owned())
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
