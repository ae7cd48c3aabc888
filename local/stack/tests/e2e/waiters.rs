//! Two thousand viewers wait for the next part of one low-latency stream, each on a connection of his own, at two cache
//! nodes: every one gets the right playlist, and the region is asked once for each part, rendition and node.
//!
//! `make waiters VIEWERS=n` does it with more (or fewer).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use headwater_conformance::resolve_references;
use headwater_local::Stack;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::low_latency::{Seeded, asked};
use super::support::{PATIENCE, Platform};

const VIEWERS: usize = 2_000;
const NODES: usize = 2;
const RENDITIONS: [&str; 2] = ["720p", "audio"];
/// Parts that are waited for, one after the other.
const PARTS: std::ops::Range<usize> = 1..4;
/// Connections that are opened at a time: more would overrun the listener's queue, and the kernel tries again after a second.
const OPENED_AT_ONCE: usize = 100;
/// A region answers after four seconds whatever there is; before that the part is written, even if a busy machine has not
/// brought all viewers to the edge yet.
const WRITTEN_AFTER: Duration = Duration::from_millis(2_500);

struct WaitingViewer {
    connection: SendRequest<Empty<Bytes>>,
    rendition: &'static str,
}

impl WaitingViewer {
    async fn sit_down(stack: &Stack, number: usize) -> Self {
        let node = stack.edge.addrs()[number % NODES];
        let socket = TcpStream::connect(node).await.unwrap();
        let (connection, driver) = handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(driver);
        Self { connection, rendition: RENDITIONS[number / NODES % RENDITIONS.len()] }
    }

    /// Asks for each part in turn, when it is told to.
    async fn watch(mut self, live: &Seeded, mut turn: watch::Receiver<usize>, answered: &AtomicUsize) {
        for part in PARTS {
            turn.wait_for(|turn| *turn >= part).await.unwrap();
            let path = live.playlist(self.rendition, &format!("?_HLS_msn=6&_HLS_part={part}"));
            let request = Request::get(&path).header("host", "edge").body(Empty::new()).unwrap();
            let answer = tokio::time::timeout(PATIENCE, self.connection.send_request(request));
            let (head, body) = answer.await.expect("an answer").unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let text = resolve_references(&path, std::str::from_utf8(&body).unwrap());
            assert_eq!(head.status, StatusCode::OK, "{path}: {text}");
            let (newest, next) = (live.part(self.rendition, 6, part), live.part(self.rendition, 6, part + 1));
            assert!(text.contains(&format!("URI=\"{newest}\"")), "{path}: {text}");
            assert!(!text.contains(&format!("#EXT-X-PART:URI=\"{next}\"")), "{path}: {text}");
            assert_eq!(head.headers["cache-control"], "max-age=6, stale-if-error=0");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits until `is` holds, at most for `limit`.
async fn until(limit: Duration, is: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is() && begun.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_viewers_who_wait_are_one_question_for_each_part_rendition_and_node() {
    let viewers =
        std::env::var("HEADWATER_VIEWERS").map_or(VIEWERS, |number| number.parse().expect("a number"));
    // Each viewer is six descriptors: his own, nginx's two, and three of what collapses.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: files.maximum, ..files }).unwrap();
    let platform = Platform::start_with(|config| config.edge_nodes = NODES).await;
    let live = Seeded::start(&platform).await;
    for number in 0..6 {
        live.close(number).await;
    }
    live.write(6, 1).await;
    let arrivals = stream::iter(0..viewers).map(|number| WaitingViewer::sit_down(&platform.stack, number));
    let recorded: Vec<_> = arrivals.buffer_unordered(OPENED_AT_ONCE).collect().await;

    let (turns, answered) = (watch::Sender::new(0), AtomicUsize::new(0));
    let watching = futures::future::join_all(
        recorded.into_iter().map(|viewer| viewer.watch(&live, turns.subscribe(), &answered)),
    );
    let writing = async {
        for (turn, part) in PARTS.enumerate() {
            live.heartbeat().await;
            let before = asked(&platform);
            turns.send_replace(part);
            let gathered = until(WRITTEN_AFTER, || platform.stack.edge.waiting() == viewers).await;
            let waiting = platform.stack.edge.waiting();
            live.write(6, part as u64 + 1).await;
            let served = until(PATIENCE, || answered.load(Ordering::Relaxed) == (turn + 1) * viewers).await;
            println!(
                "part {part}: {waiting} of {viewers} waited after {gathered:.0?}; after the commit all had it within {served:.0?}"
            );
            assert_eq!(asked(&platform) - before, (NODES * RENDITIONS.len()) as u64, "part {part}");
        }
    };
    tokio::join!(watching, writing);
    platform.stop().await;
}
