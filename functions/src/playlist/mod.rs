//! Playlists, rendered from the timeline for viewers; nothing is stored and nobody is known.
//!
//! [`headwater_domain::paths`] lists the paths; parts are those that the edge's bucket does not have yet.
//!
//! Playlists name everything by the way from themselves (RFC 3986 section 4.2), so what stands before their path stays.
//!
//! CloudFront asks two origins; each request carries which try it is (docs/semantics.md): try 1 answers 503 when this region
//! seems to have lost sight of the broadcast, try 2 answers its best.

mod accept_encoding;
mod afterwards;
mod available_parts;
mod common;
mod directives;
mod gaps;
mod listing;
mod low_latency;
mod media;
mod multivariant;
mod output;
mod parts;
mod recorded;
mod renditions;
mod source_problem;
mod wait;

pub use renditions::KnownRenditions;

use std::time::Duration;

use headwater_domain::control::{ReplicatedState, State};
use headwater_domain::hooks::Secret;
use headwater_domain::objects::KeptFor;
use headwater_domain::paths::EdgePath;
use headwater_domain::ports::{ReadControl, ReadParts, ReadStreams, ReadTimeline};
use headwater_domain::{BroadcastId, Region, StreamId};
use http::{Method, StatusCode, header};
use lambda_http::{Body, Request, Response};
use subtle::{Choice, ConstantTimeEq};

use self::accept_encoding::Accepted;
use self::common::uri;
use crate::context::Context;
use crate::reply::{Problem, path};

/// Tells us which of the edge's two tries a request is.
pub const TRY_HEADER: &str = "x-headwater-try";
/// Proves that a request comes from the edge (origin access control does not cover API Gateway).
pub const ORIGIN_HEADER: &str = "x-headwater-origin";
/// On try 1 a heartbeat may be so old; beyond, the other region may know more.
const FRESH: Duration = Duration::from_secs(6);

/// The playlist function.
#[derive(Debug, Clone)]
pub struct PlaylistFunction<T, P> {
    /// Where it runs.
    pub context: Context,
    /// The table; it can only be read.
    pub table: T,
    /// This region's bucket, as far as parts go.
    pub parts: P,
    /// What the edge proves itself with; empty: it need not. More than one while the secret is being rotated: CloudFront
    /// takes minutes to send a new header from everywhere.
    pub origin_secrets: Vec<Secret>,
    /// For how long recordings can be watched.
    pub kept_for: KeptFor,
    /// What this instance has learnt of broadcasts.
    pub renditions: KnownRenditions,
}

impl<T: ReadControl + ReadTimeline + ReadStreams, P: ReadParts> PlaylistFunction<T, P> {
    /// Answers one request.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let reply = match self.route(&request).await {
            Ok(reply) => reply,
            Err(problem) => output::Reply::problem(problem.for_the_edge()),
        };
        let encodings = request.headers().get_all(header::ACCEPT_ENCODING).into_iter();
        let encodings: Vec<_> = encodings.filter_map(|value| value.to_str().ok()).collect();
        reply.into_response(Accepted::of(&encodings.join(",")))
    }

    async fn route(&self, request: &Request) -> Result<output::Reply, Problem> {
        self.check_origin(request)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Problem::method_not_allowed("GET, HEAD"));
        }
        let path: EdgePath = path(request).parse()?;
        if path.region().is_some_and(|region| !self.is_ours(region)) {
            return Err(Problem::not_found("region"));
        }
        let attempt = Attempt::of(request);
        let is_first = attempt == Attempt::First;
        let address = uri(&path)?;
        match path {
            EdgePath::Listing => self.listing().await,
            EdgePath::Live(stream) => self.live(&stream, is_first, &address).await,
            EdgePath::Recording(_, broadcast) => self.recording(&broadcast, &address).await,
            EdgePath::RecordingMedia(_, broadcast, rendition) => {
                self.vod_media(&broadcast, rendition.as_str(), &address).await
            }
            EdgePath::Media(_, broadcast, rendition) => {
                self.live_media(&broadcast, rendition.as_str(), is_first, &address).await
            }
            EdgePath::LowLatency(region, broadcast, rendition) => {
                let directives = directives::Directives::of(request)?;
                let request = low_latency::PlaylistRequest {
                    region,
                    broadcast,
                    rendition,
                    attempt,
                    directives,
                    address,
                };
                self.low_latency_media(&request).await
            }
            EdgePath::Part(part) => self.part(&part).await,
            // The edge has them from the buckets.
            EdgePath::Object(_) => Err(Problem::not_found("page")),
        }
    }

    /// Whether a path's region is one of the deployment's; each other word would be another address of the same.
    fn is_ours(&self, region: &Region) -> bool {
        self.context.regions().any(|ours| ours == region)
    }

    fn check_origin(&self, request: &Request) -> Result<(), Problem> {
        let given = request.headers().get(ORIGIN_HEADER).map(|value| value.as_bytes()).unwrap_or_default();
        let right = self
            .origin_secrets
            .iter()
            .fold(Choice::from(0), |right, secret| right | given.ct_eq(secret.expose().as_bytes()));
        if self.origin_secrets.is_empty() || bool::from(right) {
            return Ok(());
        }
        let detail = "playlists are served at the playback URL, not here";
        Err(Problem::new(StatusCode::FORBIDDEN, "not-the-edge", "Ask the edge", detail))
    }
}

impl<T: ReadControl, P> PlaylistFunction<T, P> {
    /// What is live of the broadcast's stream; on try 1 only if this region has not lost sight of it.
    async fn replicated_state(&self, stream: &StreamId, first_try: bool) -> Result<ReplicatedState, Problem> {
        let replicated = self.table.replicated_state(stream).await?;
        if first_try && has_lost_sight(&replicated, &self.context) {
            let detail =
                "this region has not heard of the broadcast's transcoder for a while; ask the other region";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stale", "Out of date", detail));
        }
        Ok(replicated)
    }
}

fn has_lost_sight(replicated: &ReplicatedState, context: &Context) -> bool {
    let now = context.now();
    let nobody_said = replicated.end().is_none() && replicated.is_presumed_lost(now);
    (replicated.is_published(now) || nobody_said)
        && replicated.heartbeat().is_some_and(|heartbeat| now.since(heartbeat.at) > FRESH)
}

/// Which of the edge's tries a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// The first: it may refuse, because the other region may know more.
    First,
    /// The second: the best that there is, at once.
    Second,
    /// Not said, so not the edge.
    Unknown,
}

impl Attempt {
    fn of(request: &Request) -> Self {
        match request.headers().get(TRY_HEADER).map(|value| value.as_bytes()) {
            Some(b"1") => Self::First,
            Some(b"2") => Self::Second,
            _ => Self::Unknown,
        }
    }
}

/// A stream that is not live, for people and for players that will ask again.
fn not_live(state: Option<State>) -> Problem {
    let detail = match state {
        Some(State::Starting) => "the stream is starting; ask again in a moment",
        Some(State::Failed) => "the last broadcast has failed; the stream is not live now",
        _ => "the stream is not live now; it will play here as soon as it is",
    };
    Problem::new(StatusCode::NOT_FOUND, "not-live", "Not live", detail).with("state", state)
}

/// A broadcast that is over, of a stream that is not recorded.
fn not_recorded(id: &BroadcastId) -> Problem {
    let detail = "the stream is not recorded; this broadcast could only be watched while it was live";
    Problem::new(StatusCode::NOT_FOUND, "not-recorded", "Not recorded", detail).with("broadcast", id)
}

/// A recording that is kept for a time which is over.
fn expired(id: &BroadcastId) -> Problem {
    let detail = "recordings are kept for some days here, and this one is older; nothing of it is left";
    Problem::new(StatusCode::NOT_FOUND, "expired", "Expired", detail).with("broadcast", id)
}

fn unknown_broadcast(id: &BroadcastId) -> Problem {
    Problem::not_found("broadcast").with("broadcast", id)
}
