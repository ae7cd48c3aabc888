//! An encoder's socket. Until it publishes it is told of every packet; then it is looked at every [`TICK`].
//!
//! An encoder writes a picture in several pieces and sound between pictures, two hundred and more a second. To be woken
//! for each costs several times what is done with the bytes. So a publisher's socket is taken out of the reactor, and all of them are
//! read at the same ticks: one wake-up for all publishers, one read for each. What comes waits in the kernel meanwhile,
//! at most a tick. Whoever does not publish is not looked at: strangers must cost nothing while they are silent.
//! It knows nothing of RTMP.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::poll_proceed;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

/// Between two looks. The source link is later by half of it on average, by all of it at most; at 10 ms a gateway of 200
/// publishers needs a third more CPU. A socket's buffer has room for what comes meanwhile: of the highest bit rate that is
/// allowed, 50 Mbit/s, that is 122 KiB, and whoever sends more is held up a moment.
const TICK: Duration = Duration::from_millis(20);

/// A connection that can be looked at from time to time, to save being told of each packet.
pub trait Pollable {
    /// From now on it is.
    fn pace(&mut self) -> io::Result<()>;
}

/// When all publishers are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    origin: Instant,
}

impl Ticks {
    /// Ticks from now on. What is to be woken together must share them.
    pub fn begin() -> Self {
        Self { origin: Instant::now() }
    }

    fn next(self) -> Instant {
        let passed = self.origin.elapsed().as_nanos() / TICK.as_nanos() + 1;
        self.origin + TICK * u32::try_from(passed).unwrap_or(u32::MAX)
    }
}

/// An encoder's socket: in the reactor until it publishes, then polled.
#[derive(Debug)]
pub struct Socket {
    ticks: Ticks,
    state: SocketState,
}

#[derive(Debug)]
enum SocketState {
    Registered(TcpStream),
    Polled(Polled),
    /// It could not be taken out of the reactor.
    Lost,
}

/// A socket that is read at ticks.
#[derive(Debug)]
struct Polled {
    /// Does not block.
    socket: std::net::TcpStream,
    ticks: Ticks,
    tick: Pin<Box<Sleep>>,
    /// It is waited for.
    waits: bool,
    /// The last look found less than there was room for.
    drained: bool,
}

impl Socket {
    /// One that is told of every packet.
    pub fn new(socket: TcpStream, ticks: Ticks) -> Self {
        Self { ticks, state: SocketState::Registered(socket) }
    }

    /// What comes first, which stays to be read.
    pub async fn first_byte(&self) -> io::Result<Option<u8>> {
        let SocketState::Registered(socket) = &self.state else { return Ok(None) };
        let mut first = [0];
        let count = socket.peek(&mut first).await?;
        Ok((count > 0).then_some(first[0]))
    }
}

impl Pollable for Socket {
    fn pace(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, SocketState::Lost) {
            SocketState::Registered(socket) => {
                let (socket, ticks) = (socket.into_std()?, self.ticks);
                let tick = Box::pin(sleep_until(ticks.next()));
                SocketState::Polled(Polled { socket, ticks, tick, waits: false, drained: false })
            }
            other => other,
        };
        Ok(())
    }
}

impl Pollable for TlsStream<Socket> {
    fn pace(&mut self) -> io::Result<()> {
        self.get_mut().0.pace()
    }
}

impl Polled {
    /// Waits for the next tick.
    fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.waits {
            self.tick.as_mut().reset(self.ticks.next());
            self.waits = true;
        }
        ready!(self.tick.as_mut().poll(context));
        self.waits = false;
        Poll::Ready(())
    }

    /// Tries until it does not block any more, once in each tick.
    fn poll_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(&mut std::net::TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match attempt(&mut self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_tick(context)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    self.waits = false;
                    return Poll::Ready(other);
                }
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.drained {
            ready!(self.poll_tick(context));
            self.drained = false;
        }
        // The reactor would see to it that one who sends without end lets others have their turn.
        let turn = ready!(poll_proceed(context));
        let room = buffer.remaining();
        let free = buffer.initialize_unfilled();
        let count = ready!(self.poll_with(context, |socket| socket.read(free)))?;
        turn.made_progress();
        buffer.advance(count);
        self.drained = count < room;
        Poll::Ready(Ok(()))
    }
}

fn lost<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.state {
            SocketState::Registered(socket) => Pin::new(socket).poll_read(context, buffer),
            SocketState::Polled(polled) => polled.poll_read(context, buffer),
            SocketState::Lost => lost(),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.state {
            SocketState::Registered(socket) => Pin::new(socket).poll_write(context, bytes),
            SocketState::Polled(polled) => polled.poll_with(context, |socket| socket.write(bytes)),
            SocketState::Lost => lost(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP has nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            SocketState::Registered(socket) => Pin::new(socket).poll_shutdown(context),
            SocketState::Polled(polled) => Poll::Ready(polled.socket.shutdown(Shutdown::Write)),
            SocketState::Lost => lost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), Socket::new(accepted.unwrap().0, Ticks::begin()))
    }

    #[tokio::test]
    async fn bytes_come_in_order_before_and_after_it_is_paced_and_so_does_the_end() {
        let (mut client, mut socket) = pair().await;
        client.write_all(b"one").await.unwrap();
        let mut heard = [0; 3];
        socket.read_exact(&mut heard).await.unwrap();
        socket.pace().unwrap();
        socket.pace().unwrap();
        // More than a read takes, and more than the kernel keeps.
        let sent: Vec<_> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let mut heard = Vec::new();
        socket.read_to_end(&mut heard).await.unwrap();
        assert!(heard == expected, "{} bytes", heard.len());
        // The other way, too, though nobody reads at first.
        socket.write_all(&expected).await.unwrap();
        socket.shutdown().await.unwrap();
        assert!(sending.await.unwrap() == expected);
    }

    #[tokio::test(start_paused = true)]
    async fn all_sockets_are_polled_at_the_same_ticks() {
        let ticks = Ticks::begin();
        let first = ticks.next();
        assert_eq!(first - ticks.origin, TICK);
        sleep_until(first).await;
        assert_eq!(ticks.next() - first, TICK);
        tokio::time::advance(TICK * 3 / 2).await;
        assert_eq!(ticks.next() - first, TICK * 2);
    }

    #[tokio::test]
    async fn several_pieces_are_one_read_in_a_tick() {
        let (mut client, mut socket) = pair().await;
        client.set_nodelay(true).unwrap();
        socket.pace().unwrap();
        let mut buffer = [0; 1_000];
        client.write_all(b"a").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 1);
        // What comes after a look is there at the next one.
        for _ in 0..5 {
            client.write_all(b"b").await.unwrap();
        }
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 5);
    }
}
