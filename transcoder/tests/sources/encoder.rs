//! An encoder that sends given messages over RTMP.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use headwater_rtmp::publisher::{self, Publisher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::message::Message;

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are taken.
    Fast,
    /// When their times say.
    Live,
}

/// Connects, publishes, sends everything, leaves; answers all that it was told. Says when it was let in.
pub async fn publish(
    to: SocketAddr,
    key: &str,
    messages: &[Message],
    pace: Pace,
    let_in: oneshot::Sender<()>,
) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(&publisher::hello()).await.unwrap();
    let mut answer = [0; publisher::SERVER_HELLO_LEN];
    socket.read_exact(&mut answer).await.unwrap();
    socket.write_all(publisher::answer(&answer)).await.unwrap();
    let mut says = Publisher::default();
    socket.write_all(&says.ask(&format!("rtmp://{to}/live"), key, Vec::new())).await.unwrap();
    let mut heard = Vec::new();
    let started = b"NetStream.Publish.Start";
    while !heard.windows(started.len()).any(|text| text == started) {
        assert!(socket.read_buf(&mut heard).await.unwrap() > 0, "{}", String::from_utf8_lossy(&heard));
    }
    // Nobody may wait for it.
    let _ = let_in.send(());
    let (mut from, mut into) = socket.into_split();
    let hears = tokio::spawn(async move {
        // A reset is an end, too.
        from.read_to_end(&mut heard).await.ok();
        heard
    });
    // Whoever is refused is closed: what was told says why.
    into.write_all(&says.set_chunk_size(4_096)).await.ok();
    let began = Instant::now();
    let first = messages.iter().find(|message| message.is_sound() || message.is_picture());
    for message in messages {
        if pace == Pace::Live {
            let due = message.time.wrapping_sub(first.map_or(0, |first| first.time)).cast_signed();
            sleep_until(began + Duration::from_millis(u64::from(due.max(0).unsigned_abs()))).await;
        }
        let bytes: Bytes = says.message_of(message.kind, message.time, message.body.clone());
        if into.write_all(&bytes).await.is_err() {
            break;
        }
    }
    into.write_all(&says.leave()).await.ok();
    into.shutdown().await.ok();
    String::from_utf8_lossy(&hears.await.unwrap()).into_owned()
}
