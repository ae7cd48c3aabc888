//! Who comes to the wrong port, or says more than media: each is told what it can understand, and no broadcast ends of it.

use std::time::Duration;

use headwater_rtmp::MediaKind::Video;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::hooks::Policy;
use crate::rtmp_client::{Publisher, picture};
use crate::support::*;

/// A message in one chunk, of chunks of any size.
fn message(kind: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[3, 0, 0, 0, a, b, c, kind, stream, 0, 0, 0], body].concat()
}

#[tokio::test]
async fn a_browser_is_answered() {
    let rig = rig().await;
    let mut socket = TcpStream::connect(rig.gateway.rtmp_addr()).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut heard = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut heard)).await.expect("closed").unwrap();
    assert!(heard.starts_with("HTTP/1.1 400 ") && heard.contains("rtmp://"), "{heard}");
    rig.leave().await;
}

/// `ffmpeg -f mpegts rtmp://…`: it publishes, and then sends its packets for FLV tags. It looks for answers behind ten of
/// those only, and gets no further, so that it is for the history to say why.
#[tokio::test]
async fn mpeg_ts_over_rtmp_is_told_to_be_flv() {
    let rig = rig().await;
    let url = rig.rtmp_url();
    let source = "testsrc2=size=160x90:rate=25:duration=120";
    let mut encoder = ffmpeg(&["-f", "lavfi", "-i", source, "-c:v", "libx264", "-f", "mpegts", &url]);
    let (_, gone) = tokio::join!(output(&mut encoder), rig.hooks.unpublish(0));
    assert!(gone.reason.contains("-f flv"), "{}", gone.reason);

    // The same by somebody who listens.
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.send_raw(&[3, 0, 0, 0, 0x01, 0xff, 0, 255, 1, 0, 0, 0]).await;
    let heard = publisher.closed().await;
    assert!(heard.contains("NetStream.Publish.Rejected") && heard.contains(&gone.reason), "{heard}");
    rig.leave().await;
}

#[tokio::test]
async fn what_is_said_beside_media_ends_nothing() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.set_chunk_size(0xff_ffff).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    let play = b"\x02\0\x04play\0\0\0\0\0\0\0\0\0\x05\x02\0\x01x";
    publisher.send_raw(&message(20, 1, play)).await;
    publisher.hears("NetStream.Play.Failed").await;
    for kind in [7, 99, 255] {
        publisher.send_raw(&message(kind, 1, &[0x47; 200_000])).await;
    }
    publisher.send_raw(&message(20, 1, b"\x99")).await;
    publisher.send_raw(&message(18, 1, &[2; 3 << 20])).await;
    publisher.gops(1_000, 2, 100).await;
    publisher.finish().await;
    let gone = rig.hooks.unpublish(0).await;
    assert_eq!(gone.reason, "encoder ended the stream");
    assert_eq!(rig.read(&gone.session.session, 0).await.cursors().len(), 18);
    rig.leave().await;
}

/// librtmp's `rtmpsink` reads nothing while it publishes. What we have to say fills its window, then ours.
#[tokio::test]
async fn an_encoder_that_never_reads_goes_on() {
    let rig = rig_with(Policy::Allow, |limits| limits.write_timeout = Duration::from_millis(50)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let socket = socket.connect(rig.gateway.rtmp_addr()).await.unwrap();
    let mut publisher = Publisher::ask_over(socket, vec![], &stream_key_text()).await.unwrap();
    publisher.hears("NetStream.Publish.Start").await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    // A ping is seven bytes behind the first one, its answer 18: more than any socket's buffer.
    let ping = message(4, 0, &[0, 6, 0, 0, 0, 0]);
    let pings = [&[0xc3][..], &ping[12..]].concat().repeat(100_000);
    publisher.send_raw(&ping).await;
    for _ in 0..10 {
        publisher.send_raw(&pings).await;
    }
    let mut sent = 6;
    // And for as long again as one that is written to may take.
    for n in 0..20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        publisher.send(Video, 1_000 + n * 20, picture(n == 0, 100)).await;
        sent += 1;
    }
    let session = rig.hooks.session(0).await;
    let mut reading = Box::pin(rig.read(&session, 0));
    assert!(timeout(Duration::from_millis(200), &mut reading).await.is_err(), "it has not ended");
    publisher.finish().await;
    assert_eq!(reading.await.cursors().len(), sent);
    assert_eq!(rig.hooks.unpublish(0).await.reason, "encoder ended the stream");
    rig.leave().await;
}
