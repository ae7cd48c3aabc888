//! Messages that are made to cost: announced long, nested deep, spread over thousands of chunk streams.

use std::time::Duration;

use futures::future::join_all;

use super::house::House;
use super::strangers::{CONNECT, handshake, heard_to_end, send, stranger};
use super::witness::Witness;
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

/// `publish` with the right key on message stream 1.
fn publish() -> Vec<u8> {
    let key = stream_key_text();
    let name = [&[2, 0, key.len() as u8], key.as_bytes()].concat();
    command(&[b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05", name.as_slice()].concat())
}

/// Bytes behind the handshake, and what the log says of them.
fn attacks() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let x = b"\x02\0\x01x\0\0\0\0\0\0\0\0\0";
    let publishing = |more: Vec<u8>| [CONNECT.to_vec(), publish(), more].concat();
    vec![
        ("a message of 16 MB before connect", announce(9, 0xff_ffff, 9), "exceed"),
        (
            "a message of 16 MB after connect",
            [CONNECT.to_vec(), announce(9, 0xff_ffff, 20)].concat(),
            "exceed",
        ),
        ("a message of 9 MB while publishing", publishing(announce(9, 9 << 20, 9)), "exceed"),
        (
            "4,000 chunk streams",
            (64..4_064).flat_map(|id| [announce(id, 60_000, 9), vec![0; 128]].concat()).collect(),
            "",
        ),
        (
            "4,000 chunk streams while publishing",
            publishing(
                (64..4_064).flat_map(|id| [announce(id, 8 << 20, 9), vec![0; 128]].concat()).collect(),
            ),
            "",
        ),
        (
            "objects nested 10,000 deep",
            [CONNECT.to_vec(), command(&[&x[..], &b"\x0a\0\0\0\x01".repeat(10_000)].concat())].concat(),
            "",
        ),
        (
            "an array of four billion",
            [CONNECT.to_vec(), command(&[&x[..], b"\x0a\xff\xff\xff\xff\x05"].concat())].concat(),
            "",
        ),
        (
            "a million tiny values",
            [CONNECT.to_vec(), command(&[&x[..], &[5; 60_000]].concat())].concat().repeat(1),
            "",
        ),
        (
            "a thousand commands",
            [CONNECT.to_vec(), command(&[&x[..], &[5]].concat()).repeat(1_000)].concat(),
            "",
        ),
        ("a chunk size of 0", [&announce(2, 4, 1)[..], &[0; 4]].concat(), ""),
    ]
}

#[tokio::test]
async fn hostile_messages_end_their_connection_and_cost_little() {
    let house = House::open().await;
    let mut witness = Witness::start(&house).await;
    for (n, (name, bytes, _)) in attacks().into_iter().enumerate() {
        let before = house.used();
        let one = |_| async {
            let mut socket = stranger(n, house.rtmp).await;
            send(&mut socket, &[handshake(), bytes.clone()].concat()).await;
            heard_to_end(&mut socket).await
        };
        let attack = join_all((0..TIMES).map(one));
        let heard = witness.beside(attack).await;
        house.cost(&format!("{TIMES} times {name}"), before, Duration::from_secs(5), 24);
    }
    house.until_connections(1).await;
    house.says("more than 64 commands before publishing").await;
    witness.end().await;
    house.close().await;
}
