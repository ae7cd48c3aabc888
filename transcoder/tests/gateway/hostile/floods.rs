//! Too many connections, too many bytes, too much to remember.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use headwater_rtmp::MediaKind::Video;
use headwater_rtmp::amf::Properties;
use tokio::net::TcpStream;

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use super::strangers::{heard_to_end, stranger};
use crate::rtmp_client::{Publisher, picture};

/// Strangers who come at once.
const CROWD: usize = 30;
/// Connections that each makes: some more than it may have.
const EACH: usize = 110;
/// Connections under way at once in this test: the kernel queues 4,096 at most.
const AT_ONCE: usize = 64;
/// `max_connections_per_ip` and `max_connections`.
const PER_ADDRESS: usize = 100;
const IN_ALL: u64 = 2_000;

async fn crowd(harness: &GatewayHarness, strangers: usize, each: usize) -> Vec<TcpStream> {
    let to = harness.rtmp;
    stream::iter(0..strangers * each).map(|n| stranger(n / each, to)).buffered(AT_ONCE).collect().await
}

/// Strangers come until `seen`, so many from each address in turn. A place is held for some seconds: on a busy machine the
/// first leave while the last come, and a crowd that is counted beforehand may never be there all at once.
async fn flood_until(
    to: SocketAddr,
    addresses: usize,
    each: usize,
    seen: impl Future<Output = ()>,
) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    let strangers = stream::iter(0..).map(|n| stranger(n / each % addresses, to)).buffered(AT_ONCE);
    let come = strangers.for_each(|socket| {
        sockets.push(socket);
        std::future::ready(())
    });
    tokio::select! {
        () = come => unreachable!("they come for ever"),
        () = seen => {}
    }
    sockets
}

fn is_open(socket: &TcpStream) -> bool {
    // Nothing is said to who says nothing: there is either nothing to read, or the end.
    matches!(socket.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_flood_of_connections_takes_the_places_there_are() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    let one = async {
        let sockets = crowd(&harness, 1, EACH).await;
        harness.until_connections(1 + PER_ADDRESS as u64).await;
        sockets
    };
    drop(bystander.beside(one).await);
    bystander.beside(harness.until_connections(1)).await;

    let many = async {
        let full = async {
            harness.until_connections(IN_ALL).await;
            assert_eq!(heard_to_end(&mut stranger(200, harness.rtmp).await).await, b"", "there is no place");
        };
        flood_until(harness.rtmp, CROWD, EACH, full).await
    };
    let sockets = bystander.beside(many).await;
    assert!(sockets.iter().filter(|socket| is_open(socket)).count() < IN_ALL as usize);
    let during = harness.used();
    assert!(during.descriptors < before.descriptors + IN_ALL as usize + 50, "{during:?}");
    drop(sockets);
    bystander.beside(harness.until_connections(1)).await;
    Publisher::start(harness.rtmp).await.finish().await;
    harness.cost("a flood of connections", before, Duration::from_secs(10), 80);
    let lines = harness.log().iter().filter(|line| line.contains("refused: too many connections")).count();
    let withheld = harness.log().iter().any(|line| line.contains("withheld="));
    assert!((1..=20 * (2 + 6 * harness.windows())).contains(&lines) && withheld, "{lines} lines");
    bystander.end().await;
    harness.close().await;
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    let churn = async {
        for _ in 0..4 {
            drop(crowd(&harness, 10, 90).await);
            harness.until_connections(1).await;
        }
    };
    bystander.beside(churn).await;
    harness.cost("3,600 connections that come and go", before, Duration::from_secs(10), 60);
    assert!(harness.used().descriptors <= before.descriptors + 8, "{:?} and {:?}", before, harness.used());
    bystander.end().await;
    harness.close().await;
}

#[tokio::test]
async fn the_source_link_is_bounded_as_well() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    let flood =
        flood_until(harness.source, CROWD, 100, harness.says("source link refused: too many connections"));
    let sockets = bystander.beside(flood).await;
    assert!(harness.used().descriptors < before.descriptors + 2_550);
    drop(sockets);
    bystander.beside(harness.until_connections(1)).await;
    harness.cost("a flood of connections to the source link", before, Duration::from_secs(10), 80);
    bystander.end().await;
    harness.close().await;
}

/// Far more than 10 MB/s: as fast as the loopback takes it. The bound is 50 Mbit/s over ten seconds.
#[tokio::test]
async fn a_publisher_that_floods_is_cut_off() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    let flood = async {
        let over = stranger(0, harness.rtmp).await;
        let key = crate::support::stream_key_text();
        let mut publisher = Publisher::ask_over(over, Properties::new(), &key).await.unwrap();
        publisher.hears("NetStream.Publish.Start").await;
        publisher.set_chunk_size(1 << 20).await;
        publisher.headers().await;
        let body = picture(true, 500_000);
        for n in 0..200 {
            publisher.send(Video, n * 40, body.clone()).await;
        }
        publisher.closed().await
    };
    let heard = bystander.beside(flood).await;
    assert!(heard.contains("bitrate is over 50000 kbit/s"), "{heard}");
    harness.cost("100 MB in one go", before, Duration::from_secs(10), 60);
    bystander.end().await;
    harness.close().await;
}

/// What is sent before the answer is read up to a point, and for so many at a time that the control plane is asked about.
#[tokio::test]
async fn media_before_the_answer_is_bounded_in_all() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    harness.answer_strangers(false);
    let before = harness.used();
    let body = Bytes::from(vec![0x27; 60_000]);
    let eager = |n: usize| {
        let (harness, body) = (&harness, body.clone());
        async move {
            let mut publisher =
                Publisher::ask_over(stranger(n % 3, harness.rtmp).await, Properties::new(), "wrong")
                    .await
                    .unwrap();
            publisher.set_chunk_size(65_536).await;
            for time in 0..70 {
                publisher.send(Video, time, body.clone()).await;
            }
            publisher.closed().await
        }
    };
    let attack = async {
        let answered = async {
            harness.until_open(64).await;
            harness.answer_strangers(true);
        };
        tokio::join!(join_all((0..150).map(eager)), answered).0
    };
    let heard = bystander.beside(attack).await;
    assert!(heard.iter().all(|heard| !heard.contains("Publish.Start")));
    assert_eq!(harness.most_questions(), 64);
    // 64 of 2 MiB and a message; the allocator keeps some of what is given back.
    harness.cost("150 publishers that do not wait", before, Duration::from_secs(20), 64 * 3);
    bystander.end().await;
    harness.close().await;
}
