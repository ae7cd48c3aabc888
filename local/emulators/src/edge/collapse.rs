//! Collapsing of equal requests without polling, for answers that viewers wait for.
//!
//! nginx looks every 500 ms whether a locked cache entry is done; a part of half a second would come half a second late
//! to all viewers but one. So for behaviours that ask for it the cache nodes do not lock but ask here: the first request
//! goes on to the group, the others get a copy of its answer the moment it is there. An answer that may be kept is
//! repeated for a moment, for requests that left a node before it could store it. Must not know what the paths mean.

use crate::listen::Handler;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::net::UnixStream;

/// By this header a node says which one it is: nodes share nothing.
pub(super) const NODE_HEADER: &str = "x-edge-node";

/// How long an answer is repeated; nginx has stored it within milliseconds, on a busy machine within tenths of a second.
const REPEATED_FOR: Duration = Duration::from_secs(1);

/// Largest answer, in bytes; a part of half a second has some hundred kilobytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

type Flight = Shared<BoxFuture<'static, Arc<Answer>>>;
type Flights = Arc<Mutex<HashMap<String, Flight>>>;

/// The group could not be asked.
#[derive(Debug, Error)]
enum ExchangeError {
    #[error("no connection to the group")]
    Connect(#[from] std::io::Error),
    #[error("no answer of the group")]
    Answer(#[from] hyper::Error),
    #[error("an answer that is cut off or too large: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// Collapses equal requests into one.
#[derive(Debug)]
pub(super) struct Collapse {
    socket: PathBuf,
    flights: Flights,
    waiting: AtomicUsize,
}

/// A request that waits for its answer.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handler for Collapse {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (mut parts, _) = request.into_parts();
            let node = parts.headers.remove(NODE_HEADER);
            let request = Request::from_parts(parts, Empty::<Bytes>::new());
            let _waiting = Waiting::begin(&self.waiting);
            let answer = if request.method() == Method::GET {
                self.flight(node.as_ref(), request).await
            } else {
                ask(self.socket.clone(), request).await
            };
            let mut response = Response::new(Body::from(answer.body.clone()));
            (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers.clone());
            response
        })
    }
}

impl Collapse {
    /// `socket` is where the group listens.
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, flights: Flights::default(), waiting: AtomicUsize::new(0) }
    }

    /// Requests that have come and are not answered yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The answer under way to an equal request, or one that is now.
    fn flight(&self, node: Option<&HeaderValue>, request: Request<Empty<Bytes>>) -> Flight {
        let encoding = request.headers().get(header::ACCEPT_ENCODING);
        let key = format!("{node:?} {encoding:?} {}", request.uri());
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let (socket, all, own) = (self.socket.clone(), self.flights.clone(), key.clone());
        // A task of its own: the first viewer may leave, the others still want the answer.
        let asked = tokio::spawn(async move {
            let answer = ask(socket, request).await;
            let forget = move || all.lock().remove(&own);
            if may_be_repeated(&answer) {
                tokio::spawn(tokio::time::sleep(REPEATED_FOR).map(move |()| forget()));
            } else {
                forget();
            }
            answer
        });
        let flight = asked.map(|answer| answer.unwrap_or_else(|_| bad_gateway())).boxed().shared();
        flights.insert(key, flight.clone());
        flight
    }
}

async fn ask(socket: PathBuf, request: Request<Empty<Bytes>>) -> Arc<Answer> {
    exchange(socket, request).await.unwrap_or_else(|error| {
        tracing::debug!(error = &error as &dyn std::error::Error, "the edge's group did not answer");
        bad_gateway()
    })
}

async fn exchange(socket: PathBuf, request: Request<Empty<Bytes>>) -> Result<Arc<Answer>, ExchangeError> {
    let stream = UnixStream::connect(socket).await?;
    let (mut group, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = group.send_request(request).await?.into_parts();
    let body = http_body_util::Limited::new(body, MAX_BODY).collect().await.map_err(ExchangeError::Body)?;
    let mut headers = head.headers;
    for hop in [header::CONNECTION, header::TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
        headers.remove(hop);
    }
    Ok(Arc::new(Answer { status: head.status, headers, body: body.to_bytes() }))
}

/// Whether the answer is still true when it has been repeated: with a second to live it would be twice as old.
fn may_be_repeated(answer: &Answer) -> bool {
    let control = answer.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let ages = control.unwrap_or_default().split(',').filter_map(|part| part.trim().strip_prefix("max-age="));
    answer.status.is_success() && ages.filter_map(|age| age.parse::<u64>().ok()).any(|age| age > 1)
}

fn bad_gateway() -> Arc<Answer> {
    Arc::new(Answer { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new(), body: Bytes::new() })
}
