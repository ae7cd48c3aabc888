//! What relaying costs. Not run by default: `cargo test --release -p headwater-transcoder --test gateway cost -- --ignored --nocapture`.

use std::thread;
use std::time::Duration;

use futures::future::join_all;
use headwater_rtmp::MediaKind::{Audio, Video};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::interval;

use crate::rtmp_client::{Publisher, picture, sound};
use crate::support::*;

/// Streams of 3 Mbit/s: 30 pictures and 43 sounds a second.
const STREAMS: usize = 200;
const SECONDS: u32 = 10;
const PICTURE_BYTES: u32 = 12_500;

/// Nanoseconds that the calling thread was on a CPU.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// A kilobyte figure of this process.
fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn publish_stream(mut publisher: Publisher) {
    publisher.set_chunk_size(4_096).await;
    publisher.headers().await;
    let (key, other) = (picture(true, PICTURE_BYTES), picture(false, PICTURE_BYTES));
    let mut frames = interval(Duration::from_micros(33_333));
    for n in 0..SECONDS * 30 {
        frames.tick().await;
        let body = if n % 60 == 0 { key.clone() } else { other.clone() };
        publisher.send(Video, n * 33, body).await;
        publisher.send(Audio, n * 33, sound()).await;
    }
    publisher.finish().await;
}

#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_200_streams() {
    for read in [false, true] {
        let (ready, rig) = oneshot::channel();
        let (done, until_done) = oneshot::channel::<()>();
        let gateway = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let rig = rig_with(crate::hooks::Policy::Allow, |limits| {
                    limits.max_connections_per_ip = 1_000;
                })
                .await;
                ready.send(rig).ok();
                until_done.await.ok();
                cpu_ns()
            })
        });
        let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        clients.block_on(async {
            let rig = rig.await.unwrap();
            let address = rig.gateway.rtmp_addr();
            let mut publishers = Vec::new();
            for _ in 0..STREAMS {
                publishers.push(Publisher::start(address).await);
            }
            let before = memory_kib("RssAnon");
            let sessions: Vec<_> =
                rig.hooks.record().published.iter().map(|request| request.session.clone()).collect();
            let readers = sessions.iter().filter(|_| read).map(|session| async {
                let mut body = rig.get(session, 0).await.into_body();
                while let Some(frame) = body.frame().await {
                    frame.unwrap();
                }
            });
            tokio::join!(join_all(publishers.into_iter().map(publish_stream)), join_all(readers));
            println!("memory grew by {} KiB", memory_kib("RssAnon") - before);
            done.send(()).ok();
            let cpu = gateway.join().unwrap() as f64 / 1e9;
            let gbit = STREAMS as f64 * f64::from(SECONDS * 30) * f64::from(PICTURE_BYTES) * 8.0 / 1e9;
            println!(
                "read {read}: {cpu:.2} CPU s for {gbit:.2} Gbit in {SECONDS} s: {:.3} CPU s per Gbit, {:.0} % of a core",
                cpu / gbit,
                cpu / f64::from(SECONDS) * 100.0
            );
        });
    }
}
