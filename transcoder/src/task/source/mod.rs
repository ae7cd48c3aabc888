//! The source link's client: one response is one run; its body is read by the media engine.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf, Bytes};
use headwater_domain::hooks::Source;
use headwater_task::About;
use headwater_task::source::RunHead;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::key_frames::KeyFrames;
use super::observations::Observations;
use super::replay::SharedReplay;

/// Chunks on their way to the engine: some tenths of a second. Full means that the gateway waits, and keeps.
const MAX_CHUNKS: usize = 16;
/// How long a read waits before the engine may look whether it is to stop.
const POLL: Duration = Duration::from_millis(50);
/// The gateway answers a request for media that it has at once; for media that is yet to come it may take its time.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A gateway's host that is gone says nothing, not even that: a silent connection is probed after so long, so often, and
/// nothing that was sent may stay unacknowledged for longer. Else a read would wait for ever.
const PROBE_AFTER: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const MAX_PROBES: u32 = 3;
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// A gateway that hangs acknowledges what it is sent, and says nothing. One that is well ends a session of which nothing
/// has come for ten seconds (`gateway::Limits::silence_timeout`), so it is not silent for longer than that; twice as long,
/// and the task asks anew and says that its source is out of reach.
const SILENT_AFTER: Duration = Duration::from_secs(20);
/// The word of what is committed is small, and the next one makes up for it.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Reads sessions from gateways.
#[derive(Debug, Clone)]
pub(super) struct SourceClient {
    http: Client<HttpConnector, BoxBody<Bytes, std::convert::Infallible>>,
    silent_after: Duration,
}

/// What came of asking for media.
pub(super) enum Opened {
    /// A run, and what of its session cannot be used; its body follows.
    Run(RunHead, Option<String>, Incoming),
    /// The session has ended and everything was read.
    Gone,
}

/// The source cannot be read now.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("the gateway cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the gateway answered {0}")]
    Refused(StatusCode),
    #[error("the gateway's answer lacks the header {0}")]
    Header(&'static str),
    #[error("the gateway does not answer")]
    Silent,
    #[error("the source's address is no URL")]
    Url(#[source] http::Error),
}

impl SourceError {
    /// Whether asking again is of no use: the gateway has never heard of the session, or no longer.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::NOT_FOUND))
    }
}

impl SourceClient {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(PROBE_AFTER));
        connector.set_keepalive_interval(Some(PROBE_EVERY));
        connector.set_keepalive_retries(Some(MAX_PROBES));
        connector.set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN));
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Self { http, silent_after: SILENT_AFTER }
    }

    /// Asks for the media after `cursor`; if `live`, only from the newest key frame on.
    pub(super) async fn open(&self, source: &Source, cursor: u64, live: bool) -> Result<Opened, SourceError> {
        let live = if live { "&live=true" } else { "" };
        let request = Request::get(format!("{}?after={cursor}{live}", source.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", source.token.expose()))
            .body(Empty::new().boxed())
            .map_err(SourceError::Url)?;
        let asked = tokio::time::timeout(self.silent_after, self.http.request(request)).await;
        let answer = asked.map_err(|_| SourceError::Silent)?.map_err(SourceError::Unreachable)?;
        match answer.status() {
            StatusCode::OK => {
                let head = read_head(answer.headers())?;
                let problem = problem(answer.headers());
                Ok(Opened::Run(head, problem, answer.into_body()))
            }
            StatusCode::GONE => Ok(Opened::Gone),
            status => Err(SourceError::Refused(status)),
        }
    }

    /// Tells the gateway up to where media is committed; it tells what of the session cannot be used.
    pub(super) async fn committed(
        &self,
        source: &Source,
        cursor: u64,
    ) -> Result<Option<String>, SourceError> {
        let request = Request::put(format!("{}/committed", source.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", source.token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(format!("{{\"cursor\":{cursor}}}"))).boxed())
            .map_err(SourceError::Url)?;
        let asked = tokio::time::timeout(TOLD_WITHIN, self.http.request(request)).await;
        let answer = asked.map_err(|_| SourceError::Silent)?.map_err(SourceError::Unreachable)?;
        match answer.status() {
            status if status.is_success() => Ok(problem(answer.headers())),
            status => Err(SourceError::Refused(status)),
        }
    }
}

fn read_head(headers: &HeaderMap) -> Result<RunHead, SourceError> {
    fn number<N: std::str::FromStr>(headers: &HeaderMap, name: &'static str) -> Result<N, SourceError> {
        let value =
            headers.get(name).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        value.ok_or(SourceError::Header(name))
    }
    Ok(RunHead {
        run: number(headers, "headwater-run")?,
        started_ms: number(headers, "headwater-run-started")?,
        first_cursor: number(headers, "headwater-cursor")?,
        lost: number(headers, "headwater-lost").unwrap_or(0),
    })
}

/// What the gateway cannot use of a session's media; a foreign server says nothing of that kind.
fn problem(headers: &HeaderMap) -> Option<String> {
    headers.get("headwater-problem").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What the pump hands to the reader; `None` is the clean end.
type Chunk = Option<io::Result<Bytes>>;

/// A body as a blocking reader, for the engine's thread.
pub(super) struct BodyReader {
    chunks: mpsc::Receiver<Chunk>,
    current: Bytes,
    ended: bool,
    runtime: Handle,
    stall: ReadStall,
}

/// Whether the engine waits for bytes in vain. What has not been read yet is no silence of the gateway.
#[derive(Debug, Default)]
pub(super) struct ReadStall(watch::Sender<bool>);

impl ReadStall {
    /// Follows whether it waits.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    fn waits(&self) {
        self.tell(true);
    }

    fn is_fed(&self) {
        self.tell(false);
    }

    fn tell(&self, waits: bool) {
        self.0.send_if_modified(|now| std::mem::replace(now, waits) != waits);
    }
}

/// What is told of a run whose last key frame is long past.
const NO_KEY_FRAME: &str = "no key frame has come for more than 30 s: viewers who join late may wait for one, and should the \
    transcoder be replaced the encoder is asked to connect again; set the encoder's key frame interval to 2 s";

/// Pumps `body` into a reader, past `replay`; looks for key frames on the way. The pump ends with the body or with the reader.
pub(super) fn reader(
    body: Incoming,
    replay: Option<SharedReplay>,
    stall: ReadStall,
    observed: Observations,
) -> BodyReader {
    let (sender, chunks) = mpsc::channel(MAX_CHUNKS);
    observed.note(About::KeyFrames, None);
    tokio::spawn(pump(body, replay, observed, sender, SILENT_AFTER));
    BodyReader { chunks, current: Bytes::new(), ended: false, runtime: Handle::current(), stall }
}

async fn pump(
    mut body: Incoming,
    replay: Option<SharedReplay>,
    observed: Observations,
    chunks: mpsc::Sender<Chunk>,
    silent_after: Duration,
) {
    let mut keys = KeyFrames::new();
    loop {
        let item = match tokio::time::timeout(silent_after, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    replay.iter().for_each(|replay| replay.push(&data));
                    if let Some(is_missing) = keys.push(&data) {
                        observed.note(About::KeyFrames, is_missing.then(|| NO_KEY_FRAME.to_owned()));
                    }
                    Ok(data)
                }
                Err(_trailers) => continue,
            },
        };
        let failed = item.is_err();
        if chunks.send(Some(item)).await.is_err() || failed {
            return;
        }
    }
    let _ = chunks.send(None).await;
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            let waited =
                self.runtime.block_on(async { tokio::time::timeout(POLL, self.chunks.recv()).await });
            match waited {
                Ok(Some(Some(chunk))) => {
                    self.stall.is_fed();
                    self.current = chunk?;
                }
                Ok(Some(None)) => self.ended = true,
                Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(_elapsed) => {
                    self.stall.waits();
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
