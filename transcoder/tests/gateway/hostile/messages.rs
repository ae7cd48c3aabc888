//! Messages that are made to cost: announced long, nested deep, spread over thousands of chunk streams.

use std::time::Duration;

use futures::future::join_all;
use headwater_rtmp::amf::Properties;

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use super::strangers::{CONNECT, handshake, heard_to_end, send, stranger};
use crate::rtmp_client::Publisher;
use crate::support::stream_key_text;

/// Times that each is tried: a cost that is not bounded shows.
const TIMES: usize = 20;

/// A type 0 header on chunk stream `id` (RTMP section 5.3.1.1) that announces `length` bytes of `kind`.
fn announce(id: u32, length: u32, kind: u8) -> Vec<u8> {
    let basic = match id {
        0..64 => vec![id as u8],
        64..320 => vec![0, (id - 64) as u8],
        _ => vec![1, ((id - 64) % 256) as u8, ((id - 64) / 256) as u8],
    };
    let [_, a, b, c] = length.to_be_bytes();
    [basic, vec![0, 0, 0, a, b, c, kind, 1, 0, 0, 0]].concat()
}

/// A command in one chunk.
fn command(body: &[u8]) -> Vec<u8> {
    let size = [&announce(2, 4, 1)[..8], &[0, 0, 0, 0], &0x10_0000u32.to_be_bytes()].concat();
    [size, announce(3, body.len() as u32, 20), body.to_vec()].concat()
}

/// A name, what is sent, whether by somebody who may publish, and how the log says that it ended.
type Attack = (&'static str, Vec<u8>, bool, &'static str);

fn attacks() -> Vec<Attack> {
    let x = b"\x02\0\x01x\0\0\0\0\0\0\0\0\0";
    let connected = |more: Vec<u8>| [CONNECT.to_vec(), more].concat();
    let spread = |announced: u32| {
        (64..4_064).flat_map(|id| [announce(id, announced, 9), vec![0; 128]].concat()).collect::<Vec<_>>()
    };
    let announced = "video message of 16777215 bytes, at most 65536 allowed";
    vec![
        ("16 MB announced before connect", announce(9, 0xff_ffff, 9), false, announced),
        (
            "16 MB announced after connect",
            connected(announce(9, 0xff_ffff, 20)),
            false,
            "command message of 16777215 bytes, at most 65536 allowed",
        ),
        (
            "9 MB announced while publishing",
            announce(9, 9 << 20, 9),
            true,
            "ended: chunk stream: video message of 9437184 bytes, at most 8388608 allowed",
        ),
        ("4,000 chunk streams", spread(60_000), false, "closed: chunk stream: more than 64 chunk streams"),
        (
            "4,000 chunk streams while publishing",
            spread(8 << 20),
            true,
            "ended: chunk stream: more than 64 chunk streams",
        ),
        (
            "objects nested 10,000 deep",
            connected(command(&[&x[..], &b"\x0a\0\0\0\x01".repeat(10_000)].concat())),
            false,
            "amf nested deeper than 16 levels",
        ),
        (
            "an array of four billion",
            connected(command(&[&x[..], b"\x0a\xff\xff\xff\xff\x05"].concat())),
            false,
            "command: amf",
        ),
        (
            "60,000 values in one command",
            connected(command(&[&x[..], &[5; 60_000]].concat())),
            false,
            "values",
        ),
        (
            "a thousand commands",
            connected(command(&[&x[..], &[5]].concat()).repeat(1_000)),
            false,
            "more than 64 commands before publishing",
        ),
        ("chunks of 0 bytes", [&announce(2, 4, 1)[..], &[0; 4]].concat(), false, "chunk size 0 is not"),
    ]
}

/// Sends it and waits for the end.
async fn attack(harness: &GatewayHarness, from: usize, bytes: &[u8], publishing: bool) {
    let socket = stranger(from, harness.rtmp).await;
    if publishing {
        let mut publisher = Publisher::ask_over(socket, Properties::new(), &stream_key_text()).await.unwrap();
        publisher.hears("NetStream.Publish.Start").await;
        publisher.send_raw(bytes).await;
        publisher.closed().await;
    } else {
        let mut socket = socket;
        send(&mut socket, &[&handshake(), bytes].concat()).await;
        heard_to_end(&mut socket).await;
    }
}

#[tokio::test]
async fn hostile_messages_end_their_connection_and_cost_little() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    for (n, (_, bytes, publishing, ends)) in attacks().into_iter().enumerate() {
        bystander.beside(attack(&harness, n, &bytes, publishing)).await;
        harness.says(ends).await;
    }
    for (n, (name, bytes, publishing, _)) in attacks().into_iter().enumerate() {
        let before = harness.used();
        bystander.beside(join_all((0..TIMES).map(|_| attack(&harness, n, &bytes, publishing)))).await;
        harness.cost(&format!("{TIMES} times {name}"), before, Duration::from_secs(5), 24);
    }
    bystander.beside(harness.until_connections(1)).await;
    bystander.end().await;
    harness.close().await;
}

/// A message of an unknown type without a body is one byte to its sender. Behind it comes what ends the connection.
#[tokio::test]
async fn messages_without_a_body_cost_no_memory() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    // Without `connect`, as by who knows nothing but the port.
    let nothings = [&announce(3, 0, 99)[..], &[0xc3; 1 << 20]].concat();
    let bytes = [nothings, announce(9, 0xff_ffff, 9)].concat();
    let before = harness.used();
    bystander.beside(join_all((0..TIMES).map(|n| attack(&harness, n, &bytes, false)))).await;
    harness.cost(&format!("{TIMES} times a million messages of a byte"), before, Duration::from_secs(20), 24);
    harness.says("video message of 16777215 bytes").await;
    bystander.beside(harness.until_connections(1)).await;
    bystander.end().await;
    harness.close().await;
}

/// A publish request with the right key, and what breaks the connection right behind it.
#[tokio::test]
async fn a_request_that_breaks_behind_itself_opens_no_session() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let key = stream_key_text();
    let publish =
        [&b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05"[..], &[2, 0, key.len() as u8], key.as_bytes()].concat();
    let bytes = [CONNECT.to_vec(), command(&publish), announce(9, 0xff_ffff, 9)].concat();
    bystander.beside(attack(&harness, 0, &bytes, false)).await;
    bystander.beside(harness.until_connections(1)).await;
    harness.says("video message of 16777215 bytes").await;
    assert_eq!(harness.log().iter().filter(|line| line.contains(" publishing ")).count(), 1, "the bystander");
    assert_eq!(harness.health().await["sessions"], 1);
    bystander.end().await;
    harness.close().await;
}

/// Bytes of an aggregate here: a quarter of the longest, for an unoptimized build looks at each of its parts.
const CROWD_BYTES: usize = 2 << 20;

/// A hundred thousand sounds in one message.
async fn crowded(harness: &GatewayHarness, from: usize) -> String {
    let over = stranger(from, harness.rtmp).await;
    let mut publisher = Publisher::ask_over(over, Properties::new(), &stream_key_text()).await.unwrap();
    publisher.hears("NetStream.Publish.Start").await;
    publisher.set_chunk_size(0xff_ffff).await;
    publisher.headers().await;
    let sound = b"\x08\0\0\x03\0\0\0\0\0\0\0\xaf\x01\x21\0\0\0\x0e";
    let body = sound.repeat(CROWD_BYTES / sound.len());
    publisher.send_raw(&[announce(4, body.len() as u32, 22), body].concat()).await;
    // What comes behind it is taken when all of it is.
    publisher.send_raw(&announce(9, 9 << 20, 9)).await;
    publisher.closed().await
}

/// The parts of an aggregate become messages one after the other, in the aggregate's own memory: as events in a queue they
/// took seven times that.
#[tokio::test]
async fn aggregates_of_tiny_messages_cost_their_bytes() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    for times in [1, 5] {
        let before = harness.used();
        let heard = bystander.beside(join_all((0..times).map(|n| crowded(&harness, n)))).await;
        assert!(heard.iter().all(|heard| heard.contains("video message of 9437184 bytes")), "{heard:?}");
        let what = format!("{times} aggregates of 116,508 sounds");
        harness.cost(&what, before, Duration::from_secs(60), 3 + 5 * times as u64);
    }
    bystander.end().await;
    harness.close().await;
}

/// Sixty chunk streams, a byte each, of messages as long as a stranger's may be.
#[tokio::test]
async fn messages_that_are_begun_cost_what_came_of_them() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let size = [&announce(2, 4, 1)[..], &1_u32.to_be_bytes()].concat();
    let begun = (4..64).flat_map(|id| [announce(id, 64 << 10, 9), vec![0]].concat()).collect::<Vec<_>>();
    let bytes = [handshake(), size, begun].concat();
    let before = harness.used();
    let flood = async {
        let mut sockets = Vec::new();
        for n in 0..900 {
            let mut socket = stranger(n / 90, harness.rtmp).await;
            send(&mut socket, &bytes).await;
            sockets.push(socket);
        }
        harness.until_connections(901).await;
        sockets
    };
    let sockets = bystander.beside(flood).await;
    harness.cost("900 times 60 messages begun", before, Duration::from_secs(20), 160);
    drop(sockets);
    bystander.beside(harness.until_connections(1)).await;
    bystander.end().await;
    harness.close().await;
}
