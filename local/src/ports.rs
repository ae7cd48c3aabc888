//! Which loopback ports the stack uses: a fixed block, or free ones for tests. Must not know who listens on them.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};

/// Waiting connections a listener holds; the kernel's usual default.
const BACKLOG: u32 = 1024;

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
    /// Of a free port, so that no other stack takes it before somebody listens: the kernel would let it.
    _claim: Option<File>,
}

impl Reserved {
    /// Takes `port` (0: any free one); `wanted_by` names the service in the error.
    pub fn take(port: u16, wanted_by: &str) -> Result<Self, PortError> {
        let holder = bind(port).map_err(|source| refused(source, port, wanted_by))?;
        let addr = holder.local_addr().map_err(PortError::Io)?;
        let reserved = Self { addr, _holder: holder, _claim: None };
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

    /// A listener on the port. Dropping it closes the port again without losing it.
    pub fn listen(&self) -> io::Result<TcpListener> {
        bind(self.addr.port())?.listen(BACKLOG)
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

/// Takes a port that no other stack of this user has claimed.
fn unclaimed(port: u16) -> Result<Reserved, PortError> {
    let claims = std::env::temp_dir().join(format!("headwater-ports-{}", rustix::process::getuid().as_raw()));
    std::fs::create_dir_all(&claims).map_err(PortError::Io)?;
    let claim = File::create(claims.join(port.to_string())).map_err(PortError::Io)?;
    if flock(&claim, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(PortError::Busy { port, wanted_by: "a test".to_owned() });
    }
    Ok(Reserved { _claim: Some(claim), ..Reserved::take(port, "a test")? })
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
