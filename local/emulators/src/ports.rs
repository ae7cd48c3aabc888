//! Which loopback ports the stack uses: a fixed block, or free ones for tests. Must not know who listens on them.

use rustix::fs::{FlockOperation, flock};
use rustix::net::Shutdown;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Waiting connections a listener holds: the kernel's usual limit (somaxconn).
const BACKLOG: u32 = 4_096;

/// Where [`free`] looks. Linux's `ip_local_port_range` begins at 32768.
const FREE: std::ops::Range<u16> = 12_000..32_000;
/// How often it looks for one port.
const TRIES: usize = 1_000;

/// Why a port could not be had.
#[derive(Debug, Error)]
pub enum PortError {
    /// Somebody else listens there.
    #[error("port {port} on 127.0.0.1 is in use ({wanted_by} needs it)")]
    Busy {
        /// The busy port.
        port: u16,
        /// What wanted it.
        wanted_by: String,
    },
    /// The block would run past 65535.
    #[error("a block of {count} ports from {base} runs past 65535")]
    OutOfRange {
        /// First port of the block.
        base: u16,
        /// Length of the block.
        count: u16,
    },
    /// The kernel refused for another reason.
    #[error("cannot bind a port on 127.0.0.1")]
    Io(#[source] io::Error),
}

/// A loopback port that stays ours while nobody listens on it.
///
/// A second, never listening socket is bound to it. Connections are refused, as with a service that is down, yet the
/// kernel gives the port to no one else, so a stopped service always comes back under its old address.
#[derive(Debug)]
pub struct Reserved {
    addr: SocketAddr,
    _holder: TcpSocket,
    claim: Option<Claim>,
}

/// A port that no other stack of this user takes, whether anybody listens there or not: the kernel gives away what is
/// only bound, or let go so that another program can listen.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "it is locked until it is closed")] File);

impl Claim {
    /// Claims `port`, which `wanted_by` wants.
    pub fn on(port: u16, wanted_by: &str) -> Result<Self, PortError> {
        let user = rustix::process::getuid().as_raw();
        let claims = std::env::temp_dir().join(format!("headwater-ports-{user}"));
        std::fs::create_dir_all(&claims).map_err(PortError::Io)?;
        let file = File::create(claims.join(port.to_string())).map_err(PortError::Io)?;
        let busy = |_| PortError::Busy { port, wanted_by: wanted_by.to_owned() };
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(busy)?;
        Ok(Self(file))
    }
}

impl Reserved {
    /// Takes `port` (0: any free one); `wanted_by` names the service in the error.
    pub fn take(port: u16, wanted_by: &str) -> Result<Self, PortError> {
        let holder = bind(port).map_err(|source| refused(source, port, wanted_by))?;
        let addr = holder.local_addr().map_err(PortError::Io)?;
        let reserved = Self { addr, _holder: holder, claim: None };
        // Binding beside a listener succeeds under SO_REUSEADDR only until listen(), so ask for that, too.
        reserved.listen().map_err(|source| refused(source, addr.port(), wanted_by))?;
        Ok(reserved)
    }

    /// The address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Lets go of the port, for a program that is to listen there; its claim, if it has one.
    pub fn into_claim(self) -> Option<Claim> {
        self.claim
    }

    /// A listener on the port. Dropping it closes the port again without losing it.
    pub fn listen(&self) -> io::Result<Listener> {
        bind(self.addr.port())?.listen(BACKLOG).map(Listener)
    }
}

/// Listens until it is dropped, even if a child that is just being started has a copy of the socket: between fork and
/// exec it has one of every socket, and closing ours would leave the port busy for that time.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = rustix::net::shutdown(&self.0, Shutdown::Both) {
            tracing::warn!(%error, "cannot stop listening");
        }
    }
}

/// Takes the fixed block `base..base + names.len()`, one port for each name in order.
pub fn block(base: u16, names: &[&str]) -> Result<Vec<Reserved>, PortError> {
    let count = u16::try_from(names.len()).unwrap_or(u16::MAX);
    if base.checked_add(count).is_none() {
        return Err(PortError::OutOfRange { base, count });
    }
    (base..).zip(names).map(|(port, name)| Reserved::take(port, name)).collect()
}

/// Takes `count` free ports, below those that the kernel gives to outgoing connections: a port that is let go for a
/// moment, so that another program can listen there, is not somebody's by then.
pub fn free(count: usize) -> Result<Vec<Reserved>, PortError> {
    let one = |_| {
        let mut last = unclaimed(rand::random_range(FREE));
        for _ in 1..TRIES {
            if !matches!(last, Err(PortError::Busy { .. })) {
                break;
            }
            last = unclaimed(rand::random_range(FREE));
        }
        last
    };
    (0..count).map(one).collect()
}

fn unclaimed(port: u16) -> Result<Reserved, PortError> {
    let claim = Claim::on(port, "a test")?;
    Ok(Reserved { claim: Some(claim), ..Reserved::take(port, "a test")? })
}

fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

fn refused(source: io::Error, port: u16, wanted_by: &str) -> PortError {
    match source.kind() {
        io::ErrorKind::AddrInUse => PortError::Busy { port, wanted_by: wanted_by.to_owned() },
        _ => PortError::Io(source),
    }
}
