//! Asks a server as a player's HTTP client does, and notes what it says. Must not know what a playlist is.

use std::io::Read as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::recording::{Ask, ByteRange, Exchange};

/// Bytes of one answer, as sent and unpacked: ten seconds at 50 Mbit/s.
const MAX_BODY: usize = 64 << 20;
/// Redirects that are followed; each one already breaks a rule.
const MAX_REDIRECTS: usize = 5;
/// The longest that one answer is waited for; a blocking reload may take three target durations (RFC 8216bis §6.2.5.2).
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The same for a TCP connection.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The system's trusted certificates cannot be read.
    #[error("no certificates to trust")]
    Certificates(#[source] std::io::Error),
    /// No connection, or it broke.
    #[error("cannot fetch {url}")]
    Connection {
        /// The address that was asked for.
        url: Url,
        /// How the connection failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("{0} did not answer within {MAX_WAIT:?}")]
    Timeout(Url),
    /// An address that is none, or a body that does not fit its encoding.
    #[error("{url}: {what}")]
    Malformed {
        /// The address that was asked for.
        url: Url,
        /// What is wrong.
        what: String,
    },
    /// More than is kept of one recording.
    #[error("the recording has grown beyond {0} bytes; record fewer segments")]
    TooLarge(usize),
}

type Https = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// An HTTP client with a clock that starts with the recording.
pub(crate) struct Fetcher {
    client: Https,
    began: Instant,
}

impl Fetcher {
    pub(crate) fn new() -> Result<Self, FetchError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_WAIT));
        connector.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(FetchError::Certificates)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(https), began: Instant::now() })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) async fn get(
        &self,
        ask: Ask,
        url: &Url,
        range: Option<ByteRange>,
    ) -> Result<Exchange, FetchError> {
        let fetching = self.follow(ask, url, range);
        tokio::time::timeout(MAX_WAIT, fetching).await.map_err(|_| FetchError::Timeout(url.clone()))?
    }

    async fn follow(&self, ask: Ask, url: &Url, range: Option<ByteRange>) -> Result<Exchange, FetchError> {
        let asked = self.began.elapsed();
        let (mut at, mut redirects) = (url.clone(), Vec::new());
        loop {
            let (status, headers, body) = self.once(&at, range).await?;
            let location = headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value);
            if let (300..=399, Some(location)) = (status, location) {
                redirects.push(location.clone());
                if redirects.len() <= MAX_REDIRECTS {
                    at = at.join(location).map_err(|error| malformed(&at, error))?;
                    continue;
                }
            }
            let took = self.began.elapsed().saturating_sub(asked);
            let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let (at_ms, took_ms, url) = (ms(asked), ms(took), url.clone());
            return Ok(Exchange { ask, url, range, at_ms, took_ms, status, headers, redirects, body });
        }
    }

    async fn once(
        &self,
        url: &Url,
        range: Option<ByteRange>,
    ) -> Result<(u16, Vec<(String, String)>, Bytes), FetchError> {
        let broken = |source| FetchError::Connection { url: url.clone(), source };
        // Browsers name their origin and take gzip; what is judged is what they would get.
        let mut request = Request::get(url.as_str())
            .header(header::ACCEPT_ENCODING, "gzip")
            .header(header::ORIGIN, "https://player.example")
            .header(header::USER_AGENT, concat!("headwater-check/", env!("CARGO_PKG_VERSION")));
        if let Some(range) = range {
            let last = range.offset.saturating_add(range.length).saturating_sub(1);
            request = request.header(header::RANGE, format!("bytes={}-{last}", range.offset));
        }
        let request = request.body(Empty::new()).map_err(|error| malformed(url, error))?;
        let (head, body) = self.client.request(request).await.map_err(|e| broken(e.into()))?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(broken)?.to_bytes();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let packed = headers
            .iter()
            .any(|(name, value)| name == "content-encoding" && value.eq_ignore_ascii_case("gzip"));
        let body = if packed { unpack(url, &body)? } else { body };
        Ok((head.status.as_u16(), headers, body))
    }
}

fn malformed(url: &Url, error: impl std::fmt::Display) -> FetchError {
    FetchError::Malformed { url: url.clone(), what: error.to_string() }
}

fn unpack(url: &Url, packed: &[u8]) -> Result<Bytes, FetchError> {
    let mut body = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    GzDecoder::new(packed).take(limit + 1).read_to_end(&mut body).map_err(|error| malformed(url, error))?;
    if body.len() > MAX_BODY {
        return Err(malformed(url, "unpacks to too much"));
    }
    Ok(body.into())
}
