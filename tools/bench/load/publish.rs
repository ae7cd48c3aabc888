//! One publisher: real handshake, commands and chunks over a socket, at the pace of the clip.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use headwater_rtmp::publisher::{self, Publisher, SERVER_HELLO_LEN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};

use super::script::{CHUNK, Script};

/// Publishers of one address: a gateway takes a hundred connections from one.
const PER_ADDRESS: usize = 50;
/// For the server to let publish. A busy machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a server says when it lets publish.
const STARTED: &[u8] = b"NetStream.Publish.Start";

/// Whom to publish to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) keys: Vec<String>,
}

/// A session that may publish.
#[derive(Debug)]
pub(crate) struct Publication {
    socket: TcpStream,
}

/// Opens session `number` of a target.
pub(crate) async fn publish(target: &Target, number: usize) -> anyhow::Result<Publication> {
    timeout(PATIENCE, open(target, number)).await.context("no permission to publish in time")?
}

async fn open(target: &Target, number: usize) -> anyhow::Result<Publication> {
    let socket = TcpSocket::new_v4()?;
    let host = 2 + u8::try_from(number / PER_ADDRESS)?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0))?;
    let mut socket = socket.connect(target.address).await?;
    // As OBS does.
    socket.set_nodelay(true)?;
    socket.write_all(&publisher::hello()).await?;
    let mut heard = [0; SERVER_HELLO_LEN];
    socket.read_exact(&mut heard).await?;
    socket.write_all(publisher::answer(&heard)).await?;
    let url = format!("rtmp://{}/live", target.address);
    socket.write_all(&Publisher::default().ask(&url, &target.keys[number], Vec::new())).await?;
    let mut heard = Vec::new();
    while !heard.windows(STARTED.len()).any(|window| window == STARTED) {
        ensure!(socket.read_buf(&mut heard).await? > 0, "closed before publishing began");
    }
    Ok(Publication { socket })
}

impl Publication {
    /// Sends the script from `begin` on, and ends the stream. `sent` counts bytes.
    pub(crate) async fn send(
        mut self,
        script: Arc<Script>,
        begin: Instant,
        sent: Arc<AtomicU64>,
    ) -> anyhow::Result<()> {
        for message in &script.messages {
            sleep_until(begin + message.due).await;
            // An encoder writes chunk by chunk.
            for chunk in message.chunks.chunks(CHUNK as usize + 1) {
                self.socket.write_all(chunk).await.context("the server ended the session")?;
            }
            sent.fetch_add(message.chunks.len() as u64, Ordering::Relaxed);
        }
        self.socket.write_all(&Publisher::default().leave()).await?;
        self.socket.shutdown().await?;
        // What the server has to say until it closes.
        timeout(PATIENCE, self.socket.read_to_end(&mut Vec::new())).await.context("the server closes")??;
        Ok(())
    }
}
