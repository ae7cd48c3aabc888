//! The source link: HTTP that transcoders read sessions from and commit to, and the gateway's health.
//!
//! `GET /sources/{session}?after=N&live=true`, `PUT /sources/{session}/committed`, `GET /health`. Bearer tokens are checked
//! offline. It knows nothing of RTMP.
//!
//! It is the fence between the tasks of a stream: a token names its lease, and once a higher one has come to write, lower
//! ones get 409 `fenced`, and their bodies break off.

mod body;
mod health;
mod problem;
pub mod serve;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, put};
use axum::{Json, Router};
use headwater_domain::tokens::{SigningKey, SourceRight};
use headwater_domain::{ClockReader, SessionId};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;

use self::body::Reading;
pub use self::health::Health;
use self::health::OK;
use self::problem::SourceLinkProblem;
use super::net::connection_limiter::ConnectionLimiter;
use super::registry::Registry;
use super::session::{Fenced, Session, SessionDirective, StopReason};
use super::spool::Located;
use super::spool::index::Start;

/// Longest body of a request, bytes: `{"cursor":18446744073709551615}` has 31.
const MAX_BODY_BYTES: usize = 1_024;
/// For a commit's body to come. It is sent in one piece.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the handlers need.
#[derive(Debug, Clone)]
pub struct SourceLink {
    /// Sessions.
    pub registry: Arc<Registry>,
    /// Connections, for the health.
    pub connection_limiter: ConnectionLimiter,
    /// Tokens are made with it.
    pub key: SigningKey,
    /// The wall clock.
    pub clock: ClockReader,
}

impl SourceLink {
    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/sources/{session}", get(read))
            .route("/sources/{session}/committed", put(commit).layer(from_fn(in_time)))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self)
    }

    /// The session that a request names, and what it may do with it, if it may.
    fn session(
        &self,
        id: &str,
        headers: &HeaderMap,
    ) -> Result<(Arc<Session>, SourceRight), SourceLinkProblem> {
        let id: SessionId = id.parse().map_err(|_| SourceLinkProblem::UNKNOWN)?;
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(SourceLinkProblem::TOKEN)?;
        let right = self.key.opens_source(token, &id, (self.clock)()).ok_or(SourceLinkProblem::TOKEN)?;
        let session = self.registry.get(&id).ok_or(SourceLinkProblem::UNKNOWN)?;
        session.admit(&right)?;
        Ok((session, right))
    }
}

async fn health(State(link): State<SourceLink>) -> Json<Health> {
    let sessions = link.registry.all();
    Json(Health {
        status: OK.to_owned(),
        sessions: sessions.iter().filter(|session| session.ended().is_none()).count(),
        connections: link.connection_limiter.count(),
        buffered_bytes: link.registry.held(),
        lost_messages: sessions.iter().map(|session| session.spool.lost()).sum(),
        held_in_memory_bytes: link.registry.held_in_memory(),
        disk_errors: link.registry.disk().errors(),
        disk_failing_seconds: link.registry.disk().failing_since().map(|since| since.elapsed().as_secs()),
    })
}

/// A request whose handling does not wait for anything but its body.
async fn in_time(request: Request, next: Next) -> Result<Response, SourceLinkProblem> {
    timeout(BODY_TIMEOUT, next.run(request)).await.map_err(|_| SourceLinkProblem::SLOW)
}

#[derive(Debug, Deserialize)]
struct From {
    #[serde(default)]
    after: u64,
    /// From the newest key frame on, whatever lies between.
    #[serde(default)]
    live: bool,
}

async fn read(
    State(link): State<SourceLink>,
    Path(id): Path<String>,
    headers: HeaderMap,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Response, SourceLinkProblem> {
    let (session, right) = link.session(&id, &headers)?;
    let Query(From { after, live }) = from.map_err(|_| SourceLinkProblem::CURSOR)?;
    let reading = Reading::begin(session, right).ok_or(SourceLinkProblem::READERS)?;
    let mut changed = reading.session().spool.watch();
    let wait = async |changed: &mut watch::Receiver<_>| {
        tokio::select! {
            Fenced = reading.fenced() => Err(SourceLinkProblem::FENCED),
            changed = changed.changed() => changed.map_err(|_| SourceLinkProblem::GONE),
        }
    };
    loop {
        changed.borrow_and_update();
        let spool = &reading.session().spool;
        let after = if live { after.max(spool.live_edge()) } else { after };
        match spool.locate(after).map_err(SourceLinkProblem::disk)? {
            Located::Here(start, offset) => return respond(reading, &start, offset),
            // A rehearsal does without: it is no reason to send the encoder away.
            Located::Undecodable(_) if !reading.writes() => wait(&mut changed).await?,
            Located::Undecodable(since) => {
                tracing::warn!(session = %reading.session().id(), ?since, "the session has no point at which decoding can begin");
                reading.session().direct(SessionDirective::Stop(StopReason::NoKeyFrame(since)));
                wait(&mut changed).await?;
            }
            Located::Over => return Err(SourceLinkProblem::GONE),
            Located::Wait => wait(&mut changed).await?,
        }
    }
}

/// What of the session's media cannot be used, for people; absent if all can.
const PROBLEM_HEADER: &str = "headwater-problem";

fn respond(reading: Reading, start: &Start, offset: u64) -> Result<Response, SourceLinkProblem> {
    let mut response = Response::builder();
    if let Some(problem) = reading.session().problem() {
        response = response.header(PROBLEM_HEADER, problem);
    }
    response
        .header(CONTENT_TYPE, "video/x-flv")
        .header(CACHE_CONTROL, "no-store")
        .header("headwater-session", reading.session().id().as_str())
        .header("headwater-run", start.run.number)
        .header("headwater-run-started", start.run.start.started.0)
        .header("headwater-cursor", start.cursor)
        .header("headwater-lost", start.lost)
        .body(reading.into_body(&start.run, offset)?)
        .map_err(|_| SourceLinkProblem::INTERNAL)
}

#[derive(Debug, Deserialize)]
struct Committed {
    cursor: u64,
}

async fn commit(
    State(link): State<SourceLink>,
    Path(id): Path<String>,
    headers: HeaderMap,
    committed: Result<Json<Committed>, JsonRejection>,
) -> Result<Response, SourceLinkProblem> {
    let (session, right) = link.session(&id, &headers)?;
    if !right.writes {
        return Err(SourceLinkProblem::REHEARSAL);
    }
    let Json(Committed { cursor }) = committed.map_err(|_| SourceLinkProblem::CURSOR)?;
    session.spool.commit(cursor);
    let mut response = Response::builder().status(StatusCode::NO_CONTENT);
    if let Some(problem) = session.problem() {
        response = response.header(PROBLEM_HEADER, problem);
    }
    response.body(Body::empty()).map_err(|_| SourceLinkProblem::INTERNAL)
}
