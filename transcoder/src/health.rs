//! `transcoder health`: asks the gateway of this container how it is, for a container's health check. The image has no
//! shell and no HTTP client besides. Knows only the source link's `GET /health`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::source_link::Health;

/// For the whole question. The checks in the image and in template.yaml give up after five seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an answer; a gateway's has about a hundred.
const MAX_ANSWER: usize = 4_096;

/// Why a gateway is not known to be well.
#[derive(Debug, Error)]
pub enum HealthError {
    /// Nobody listens.
    #[error("no connection to the gateway at {address}: {source}")]
    Connect {
        /// Where the gateway should be.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Somebody listens and says nothing.
    #[error("the gateway at {address} did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Silent {
        /// Where the gateway should be.
        address: SocketAddr,
    },
    /// The connection broke.
    #[error("the gateway at {address} broke off: {source}")]
    Broken {
        /// Where the gateway should be.
        address: SocketAddr,
        /// What the HTTP client says of it.
        source: hyper::Error,
    },
    /// Another program has the port, or the gateway says that it is not well.
    #[error("the program at {address} answered {status}, not as a healthy gateway does")]
    Unwell {
        /// Where the gateway should be.
        address: SocketAddr,
        /// The answer's status.
        status: StatusCode,
    },
}

/// Asks the gateway that listens for transcoders on `listen` (`SOURCE_LISTEN`).
///
/// # Errors
/// When there is none, or it does not answer as it should.
pub async fn ask(listen: SocketAddr) -> Result<Health, HealthError> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    timeout(ANSWER_TIMEOUT, exchange(address)).await.unwrap_or(Err(HealthError::Silent { address }))
}

/// Who listens everywhere is asked on the loopback interface.
fn reachable(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    }
}

async fn exchange(address: SocketAddr) -> Result<Health, HealthError> {
    let broken = |source| HealthError::Broken { address, source };
    let socket =
        TcpStream::connect(address).await.map_err(|source| HealthError::Connect { address, source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/health").header(HOST, address.to_string()).body(Empty::<Bytes>::new());
    let request = request.expect("a fixed path and an address are a valid request");
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let unwell = HealthError::Unwell { address, status };
    if status != StatusCode::OK {
        return Err(unwell);
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    connection.abort();
    let health = body.ok().and_then(|body| serde_json::from_slice::<Health>(&body.to_bytes()).ok());
    health.filter(Health::is_ok).ok_or(unwell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_listener_is_checked_over_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0"), "127.0.0.1");
        assert_eq!(asked("::"), "::1");
        assert_eq!(asked("10.0.1.5"), "10.0.1.5");
    }
}
