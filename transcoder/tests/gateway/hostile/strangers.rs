//! Connections from addresses of their own.

use std::net::{Ipv4Addr, SocketAddr};

use headwater_rtmp::amf::Properties;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::rtmp_client::Publisher;
use crate::support::PATIENCE;

/// The `n`th stranger's address.
pub(crate) fn address(n: usize) -> Ipv4Addr {
    let [_, high, low, _] = u32::try_from(n + 2).unwrap().to_be_bytes().map(usize::from);
    let last = (n + 2) % 256;
    Ipv4Addr::new(127, high as u8, low as u8, last as u8)
}

/// A connection of the `n`th stranger.
pub(crate) async fn stranger(n: usize, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address(n), 0).into()).unwrap();
    timeout(PATIENCE, socket.connect(to)).await.expect("it is accepted").unwrap()
}

/// What the gateway says until it closes; a reset is an end, too.
pub(crate) async fn heard_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut heard)).await.expect("it is closed").ok();
    heard
}

/// What the `n`th stranger hears who tries a key, to the end.
pub(crate) async fn try_key(n: usize, to: SocketAddr, key: &str) -> String {
    match Publisher::ask_over(stranger(n, to).await, Properties::new(), key).await {
        Ok(publisher) => publisher.closed().await,
        Err(error) => error.to_string(),
    }
}

/// Handshake and connect, as far as a command can be sent.
pub(crate) const CONNECT: &[u8] =
    b"\x03\0\0\0\0\0\x23\x14\0\0\0\0\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";

/// C0, C1 and C2 in one.
pub(crate) fn handshake() -> Vec<u8> {
    let mut hello = vec![3];
    hello.resize(1 + 2 * 1_536, 0);
    hello
}

/// Sends all that is taken.
pub(crate) async fn send(socket: &mut TcpStream, bytes: &[u8]) {
    timeout(PATIENCE, socket.write_all(bytes)).await.expect("it is taken, or the connection closed").ok();
}
