//! An RTMP publisher that sends exactly what a test wants: small made-up H.264 and AAC messages.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use headwater_rtmp::MediaKind::{self, Audio, Video};
use headwater_rtmp::amf::Properties;
use headwater_rtmp::publisher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, stream_key_text};

pub(crate) fn avc_header(level: u8) -> Bytes {
    Bytes::from(vec![0x17, 0, 0, 0, 0, 1, 0x64, 0, level, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68])
}

pub(crate) fn aac_header() -> Bytes {
    Bytes::from_static(&[0xaf, 0, 0x11, 0x90])
}

/// A picture of `size` bytes in one NAL unit.
pub(crate) fn picture(idr: bool, size: u32) -> Bytes {
    let mut body = vec![if idr { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    body.extend_from_slice(&size.to_be_bytes());
    body.push(if idr { 0x65 } else { 0x41 });
    // The first slice of its picture.
    body.resize(9 + size as usize, 0x9a);
    Bytes::from(body)
}

pub(crate) fn sound() -> Bytes {
    Bytes::from_static(&[0xaf, 1, 0x21, 0x10])
}

#[derive(Debug)]
pub(crate) struct Publisher {
    socket: TcpStream,
    heard: Vec<u8>,
    says: publisher::Publisher,
}

impl Publisher {
    /// Connected, allowed to publish, and nothing sent yet.
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let mut publisher = Self::ask(address, Properties::new()).await;
        publisher.hears("NetStream.Publish.Start").await;
        publisher
    }

    /// Asks to publish, with more properties of the connect command.
    pub(crate) async fn ask(address: SocketAddr, more: Properties) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        Self::ask_over(socket, more, &stream_key_text()).await.unwrap()
    }

    /// Asks to publish with another key. Properties that come twice replace ours.
    pub(crate) async fn ask_over(mut socket: TcpStream, more: Properties, key: &str) -> io::Result<Self> {
        let address = socket.peer_addr()?;
        socket.write_all(&publisher::hello()).await?;
        let mut answer = [0; publisher::SERVER_HELLO_LEN];
        socket.read_exact(&mut answer).await?;
        socket.write_all(publisher::answer(&answer)).await?;
        let mut publisher = Self { socket, heard: Vec::new(), says: publisher::Publisher::default() };
        let asks = publisher.says.ask(&format!("rtmp://{address}/live"), key, more);
        publisher.send_raw(&asks).await;
        Ok(publisher)
    }

    /// Announces and uses larger chunks, as encoders do.
    pub(crate) async fn set_chunk_size(&mut self, size: u32) {
        let bytes = self.says.set_chunk_size(size);
        self.send_raw(&bytes).await;
    }

    pub(crate) async fn send(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let bytes = self.says.media(kind, timestamp, payload);
        self.send_raw(&bytes).await;
    }

    pub(crate) async fn headers(&mut self) {
        self.send(Video, 0, avc_header(30)).await;
        self.send(Audio, 0, aac_header()).await;
    }

    /// From `from` ms on: GOPs of one second with 4 pictures of `size` bytes and 2 sounds: 6 messages, the IDR first.
    pub(crate) async fn gops(&mut self, from: u32, count: u32, size: u32) {
        for gop in 0..count {
            let start = from + gop * 1_000;
            for step in 0..4 {
                self.send(Video, start + step * 250, picture(step == 0, size)).await;
                if step % 2 == 0 {
                    self.send(Audio, start + step * 250, sound()).await;
                }
            }
        }
    }

    /// Ends the stream as encoders do, and waits for the gateway to have seen it.
    pub(crate) async fn finish(mut self) {
        let bytes = self.says.leave();
        self.send_raw(&bytes).await;
        self.socket.shutdown().await.ok();
        self.closed().await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        // The gateway may have closed already; what it said tells why.
        self.socket.write_all(bytes).await.ok();
    }

    /// Reads until the gateway says `text`.
    pub(crate) async fn hears(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        while !self.heard.windows(text.len()).any(|window| window == text) {
            let read = self.socket.read_buf(&mut self.heard);
            let count = timeout(PATIENCE, read).await.expect("the gateway speaks").unwrap();
            assert!(
                count > 0,
                "closed without {}; heard {}",
                text.escape_ascii(),
                String::from_utf8_lossy(&self.heard)
            );
        }
    }

    /// Reads until the gateway closes; answers all that it said.
    pub(crate) async fn closed(mut self) -> String {
        // A reset is an end too.
        timeout(PATIENCE, self.socket.read_to_end(&mut self.heard)).await.expect("the gateway closes").ok();
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}
