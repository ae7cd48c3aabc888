//! Too many connections, too many bytes, too much to remember.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use headwater_rtmp::MediaKind::Video;
use headwater_rtmp::amf::Properties;
use tokio::net::TcpStream;

use super::house::House;
use super::strangers::{heard_to_end, stranger};
use super::witness::Witness;
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

async fn crowd(house: &House, strangers: usize, each: usize) -> Vec<TcpStream> {
    let to = house.rtmp;
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
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    let before = house.used();
    let one = async {
        let sockets = crowd(&house, 1, EACH).await;
        house.until_connections(1 + PER_ADDRESS as u64).await;
        sockets
    };
    drop(witness.beside(one).await);
    witness.beside(house.until_connections(1)).await;

    let many = async {
        let full = async {
            house.until_connections(IN_ALL).await;
            assert_eq!(heard_to_end(&mut stranger(200, house.rtmp).await).await, b"", "there is no place");
        };
        flood_until(house.rtmp, CROWD, EACH, full).await
    };
    let sockets = witness.beside(many).await;
    assert!(sockets.iter().filter(|socket| is_open(socket)).count() < IN_ALL as usize);
    let during = house.used();
    assert!(during.descriptors < before.descriptors + IN_ALL as usize + 50, "{during:?}");
    drop(sockets);
    witness.beside(house.until_connections(1)).await;
    Publisher::start(house.rtmp).await.finish().await;
    house.cost("a flood of connections", before, Duration::from_secs(10), 80);
    let lines = house.log().iter().filter(|line| line.contains("refused: too many connections")).count();
    let withheld = house.log().iter().any(|line| line.contains("withheld="));
    assert!((1..=20 * (2 + 6 * house.windows())).contains(&lines) && withheld, "{lines} lines");
    witness.end().await;
    house.close().await;
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing() {
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    let before = house.used();
    let churn = async {
        for _ in 0..4 {
            drop(crowd(&house, 10, 90).await);
            house.until_connections(1).await;
        }
    };
    witness.beside(churn).await;
    house.cost("3,600 connections that come and go", before, Duration::from_secs(10), 60);
    assert!(house.used().descriptors <= before.descriptors + 8, "{:?} and {:?}", before, house.used());
    witness.end().await;
    house.close().await;
}

#[tokio::test]
async fn the_source_link_is_bounded_as_well() {
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    let before = house.used();
    let flood =
        flood_until(house.source, CROWD, 100, house.says("source link refused: too many connections"));
    let sockets = witness.beside(flood).await;
    assert!(house.used().descriptors < before.descriptors + 2_550);
    drop(sockets);
    witness.beside(house.until_connections(1)).await;
    house.cost("a flood of connections to the source link", before, Duration::from_secs(10), 80);
    witness.end().await;
    house.close().await;
}

/// Far more than 10 MB/s: as fast as the loopback takes it. The bound is 50 Mbit/s over ten seconds.
#[tokio::test]
async fn a_publisher_that_floods_is_cut_off() {
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    let before = house.used();
    let flood = async {
        let over = stranger(0, house.rtmp).await;
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
    let heard = witness.beside(flood).await;
    assert!(heard.contains("bitrate is over 50000 kbit/s"), "{heard}");
    house.cost("100 MB in one go", before, Duration::from_secs(10), 60);
    witness.end().await;
    house.close().await;
}

/// What is sent before the answer is read up to a point, and for so many at a time that the control plane is asked about.
#[tokio::test]
async fn media_before_the_answer_is_bounded_in_all() {
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    house.answer_strangers(false);
    let before = house.used();
    let body = Bytes::from(vec![0x27; 60_000]);
    let eager = |n: usize| {
        let (house, body) = (&house, body.clone());
        async move {
            let mut publisher =
                Publisher::ask_over(stranger(n % 3, house.rtmp).await, Properties::new(), "wrong")
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
            house.until_open(64).await;
            house.answer_strangers(true);
        };
        tokio::join!(join_all((0..150).map(eager)), answered).0
    };
    let heard = witness.beside(attack).await;
    assert!(heard.iter().all(|heard| !heard.contains("Publish.Start")));
    assert_eq!(house.most_questions(), 64);
    // 64 of 2 MiB and a message; the allocator keeps some of what is given back.
    house.cost("150 publishers that do not wait", before, Duration::from_secs(20), 64 * 3);
    witness.end().await;
    house.close().await;
}
