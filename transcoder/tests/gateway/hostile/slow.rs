//! Peers that take their time: slowloris at every stage, on both ports.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use super::strangers::{handshake, stranger};
use crate::support::PATIENCE;

/// Connections that drip at each stage.
const PEERS: usize = 90;
/// Between two bytes of a peer: often enough for a limit of silence.
const DRIP: Duration = Duration::from_millis(400);

/// The start of a command of 60,000 bytes.
const COMMAND: &[u8] = b"\x03\0\0\0\0\xea\x60\x14\0\0\0\0\x02\0\x07connect";

/// Sends `start`, then a byte now and then, until it is closed; answers what it heard.
async fn drip(mut socket: TcpStream, start: Vec<u8>, drops: &[u8]) -> Vec<u8> {
    socket.write_all(&start).await.unwrap();
    let (mut read, mut write) = socket.split();
    let mut heard = Vec::new();
    let dripping = async {
        let mut ticks = interval(DRIP);
        for byte in drops.iter().cycle() {
            ticks.tick().await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dripping => {}
        ended = timeout(PATIENCE, read.read_to_end(&mut heard)) => {
            ended.expect("it is closed").ok();
        }
    }
    heard
}

#[tokio::test]
async fn slow_peers_hold_a_place_for_ten_seconds_and_no_one_up() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    // On the way: nothing of C1; half of it; and all of the handshake with a command that never ends.
    let stages =
        [(vec![3], &[0][..]), (vec![3; 700], &[3]), ([handshake(), COMMAND.to_vec()].concat(), b"x")];
    let slow_head = b"GET /health HTTP/1.1\r\nX-Slow: ";
    let token = harness.token(&bystander.session, 4_000_000_000_000);
    let slow_body = format!(
        "PUT /sources/{}/committed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{{",
        bystander.session
    );
    let attack = async {
        let rtmp = stages.iter().enumerate().flat_map(|(stage, (start, drops))| {
            let to = harness.rtmp;
            (0..PEERS)
                .map(move |_| async move { drip(stranger(stage, to).await, start.clone(), drops).await })
        });
        let heads = (0..PEERS)
            .map(|_| async { drip(stranger(9, harness.source).await, slow_head.to_vec(), b"a").await });
        let body = async { drip(stranger(9, harness.source).await, slow_body.into_bytes(), b" ").await };
        tokio::join!(join_all(rtmp), join_all(heads), body)
    };
    let (rtmp, heads, body) = bystander.beside(attack).await;
    let (before_commands, in_commands) = rtmp.split_at(2 * PEERS);
    assert!(before_commands.iter().all(Vec::is_empty), "nothing is said before the handshake");
    for heard in in_commands {
        let heard = String::from_utf8_lossy(&heard[1 + 2 * 1_536..]);
        assert!(heard.contains("no publish command in time"), "{heard}");
    }
    assert!(heads.iter().all(|heard| !heard.starts_with(b"HTTP/1.1 200")), "no answer to half a question");
    let body = String::from_utf8_lossy(&body);
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("slow-body"), "{body}");
    harness.cost("slowloris, 4 x 90 peers", before, Duration::from_secs(5), 40);
    harness.until_connections(1).await;
    bystander.end().await;
    harness.close().await;
}
