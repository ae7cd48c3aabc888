//! Cold starts of the functions, and what a playlist costs.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use headwater_hls::{MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, WallClock, Window};

use super::Bench;
use super::first_segment::{Stream, create, encoder, get, stack};
use super::measure::median;
use super::report::{Row, Section};

const COLD_STARTS: usize = 5;
const REQUESTS: u64 = 20;
const RENDERS: u32 = 20_000;

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("functions", "Functions");
    let rows = &mut section.rows;
    let mut inits: [(&str, Vec<f64>); 3] =
        [("api", Vec::new()), ("authorizer", Vec::new()), ("playlist", Vec::new())];
    let stack = stack(bench.folder(), Duration::ZERO).await?;
    let region = &stack.regions[0];
    for _ in 0..COLD_STARTS {
        region.restart_functions();
        let playback = create(&stack).await?.playback;
        let _ = get(&playback).await;
        for (name, values) in &mut inits {
            let stats = region.lambda.stats(name).context("a registered function")?;
            values.push(stats.last_init.as_secs_f64() * 1e3);
        }
    }
    for (name, values) in inits {
        let what = format!("{name} function: process start → ready");
        rows.push(Row::new(what, median(values), "ms").at_most(30.0));
    }
    let Stream { key, playback, .. } = create(&stack).await?;
    let mut publisher = encoder(&format!("{}/{key}", region.rtmp_url()))?;
    while get(&playback).await.is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let path = playback.rsplit_once("/live/").context("a playback URL")?.1.to_owned();
    let origin = format!("{}/live/{path}", region.api_url());
    let queries = || region.dynamodb.operations().get("Query").copied().unwrap_or(0);
    let mut each = Vec::new();
    for _ in 0..REQUESTS {
        // Heartbeats query as well, twice a second: the median is the request's own.
        let before = queries();
        let status = get_as_edge(&origin, &stack.secrets.origin_secret).await;
        anyhow::ensure!(status == Some(200), "the playlist function answered {status:?}");
        each.push((queries() - before) as f64);
    }
    publisher.kill().await?;
    rows.push(Row::new("playlist request: DynamoDB queries", median(each), "").at_most(2.0));
    stack.stop().await;

    let playlist = MediaPlaylist::new(window()?)?;
    let begun = Instant::now();
    for _ in 0..RENDERS {
        std::hint::black_box(playlist.render());
    }
    let micros = begun.elapsed().as_secs_f64() * 1e6 / f64::from(RENDERS);
    rows.push(Row::new("playlist of 30 segments: rendering", micros, "µs").at_most(50.0));
    Ok(section)
}

async fn get_as_edge(url: &str, secret: &str) -> Option<u16> {
    use http_body_util::Empty;
    use hyper_util::client::legacy::Client;
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request = http::Request::get(url)
        .header("x-headwater-origin", secret)
        .body(Empty::<bytes::Bytes>::new())
        .ok()?;
    Some(client.request(request).await.ok()?.status().as_u16())
}

fn window() -> anyhow::Result<Window> {
    let prefix = "/us-east-1/media/ydptgg4mzsk0-1m7y5zh96qzc7/1.us-east-1.ad8yvqw9/720p";
    let segment = |number: u64| -> anyhow::Result<Segment> {
        let segment =
            Segment::new(format!("{prefix}/{number}.m4s").parse()?, MediaDuration::new(180_000, 90_000)?);
        let at = WallClock::from_unix_ms(1_700_000_000_000 + number * 2_000)?;
        Ok(segment.with_map(format!("{prefix}/init-0.mp4").parse()?).at(at))
    };
    Ok(Window {
        target_duration: TargetDuration::from_seconds(2)?,
        media_sequence: 100,
        discontinuity_sequence: 0,
        playlist_type: PlaylistType::Live,
        ended: false,
        independent_segments: true,
        segments: (100..130).map(segment).collect::<anyhow::Result<_>>()?,
        low_latency: None,
    })
}
