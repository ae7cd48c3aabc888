//! A source server as the gateway's: runs of prerecorded FLV, sent as far as the test lets them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use bytes::Bytes;
use futures::stream;
use headwater_domain::SessionId;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::flv::Flv;
use crate::support::PATIENCE;

/// One run of a session.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) flv: Flv,
    /// Wall clock of its time 0.
    pub(crate) started_ms: u64,
    /// What is there so far, in milliseconds of the run; `u32::MAX` ends it.
    pub(crate) until: u32,
    /// Once, the body breaks off here.
    pub(crate) breaks_at: Option<u32>,
    /// Sent instead of FLV.
    pub(crate) garbage: Option<Bytes>,
    /// Messages said to be lost.
    pub(crate) lost: u64,
    /// What is left of the run once it has broken off.
    pub(crate) then: Option<Box<Run>>,
}

impl Run {
    pub(crate) fn of(flv: Flv) -> Self {
        Self {
            flv,
            started_ms: 1_000_000,
            until: u32::MAX,
            breaks_at: None,
            garbage: None,
            lost: 0,
            then: None,
        }
    }

    pub(crate) fn until(mut self, millis: u32) -> Self {
        self.until = millis;
        self
    }

    pub(crate) fn breaking(mut self, millis: u32) -> Self {
        self.breaks_at = Some(millis);
        self
    }

    pub(crate) fn started(mut self, millis: u64) -> Self {
        self.started_ms = millis;
        self
    }

    /// With cursors that go on behind `before`.
    pub(crate) fn behind(mut self, before: &Run) -> Self {
        let (last, first) = (before.last(), self.flv.tags.iter().find(|tag| !tag.header).unwrap().cursor);
        for tag in self.flv.tags.iter_mut().filter(|tag| !tag.header) {
            tag.cursor = tag.cursor - first + last + 1;
            tag.bytes[8..11].copy_from_slice(&(tag.cursor as u32).to_be_bytes()[1..]);
        }
        self
    }

    pub(crate) fn last(&self) -> u64 {
        self.flv.tags.iter().map(|tag| tag.cursor).max().unwrap()
    }

    fn bytes(&self, after: u64, until: u32) -> Vec<u8> {
        self.flv.filter(|tag| tag.header || tag.millis < until).serve(after).0
    }
}

#[derive(Clone, Default)]
pub(crate) struct Session {
    pub(crate) runs: Vec<Run>,
    /// Whether the encoder is gone: what is read is all.
    pub(crate) ended: bool,
    /// Whether it is not heard of any more, as by the gateway that takes a dead one's place. Who reads it reads on.
    forgotten: bool,
    /// What its gateway cannot use of it.
    pub(crate) problem: Option<&'static str>,
}

/// What was asked, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Read { session: String, after: u64 },
    Committed { session: String, cursor: u64 },
    BadToken,
}

#[derive(Clone)]
pub(crate) struct FakeSource {
    sessions: watch::Sender<BTreeMap<String, Session>>,
    asked: watch::Sender<Vec<Asked>>,
    /// Tokens before this one have expired.
    oldest_token: Arc<Mutex<u64>>,
    pub(crate) base: String,
}

impl FakeSource {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let source = Self {
            sessions: watch::Sender::default(),
            asked: watch::Sender::default(),
            oldest_token: Arc::default(),
            base,
        };
        let router = Router::new()
            .route("/sources/{session}", get(read))
            .route("/sources/{session}/committed", put(committed))
            .with_state(source.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        source
    }

    pub(crate) fn change(&self, session: &SessionId, change: impl FnOnce(&mut Session)) {
        self.sessions.send_modify(|all| change(all.entry(session.to_string()).or_default()));
    }

    pub(crate) fn put(&self, session: &SessionId, runs: Vec<Run>, ended: bool) {
        self.change(session, |there| *there = Session { runs, ended, ..Session::default() });
    }

    /// The rest of its first run is there, and all of the session.
    pub(crate) fn release(&self, session: &SessionId) {
        self.change(session, |session| {
            session.runs[0].until = u32::MAX;
            session.ended = true;
        });
    }

    /// Its gateway is gone, at the latest with what is there of its first run until `millis`.
    pub(crate) fn dies(&self, session: &SessionId, millis: u32) {
        self.change(session, |session| {
            session.forgotten = true;
            session.runs[0].until = millis;
        });
    }

    pub(crate) fn expire_before(&self, token: u64) {
        *self.oldest_token.lock().unwrap() = token;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Cursors after which media was asked for.
    pub(crate) fn reads(&self) -> Vec<u64> {
        let reads = |asked| if let Asked::Read { after, .. } = asked { Some(after) } else { None };
        self.asked().into_iter().filter_map(reads).collect()
    }

    pub(crate) async fn until(&self, wanted: impl Fn(&[Asked]) -> bool) {
        let mut asked = self.asked.subscribe();
        let found = asked.wait_for(|asked| wanted(asked));
        tokio::time::timeout(PATIENCE, found).await.expect("the source is asked as wanted").unwrap();
    }

    fn opens(&self, headers: &HeaderMap) -> bool {
        let token = headers[AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let opens = token.parse::<u64>().unwrap() >= *self.oldest_token.lock().unwrap();
        if !opens {
            self.asked.send_modify(|asked| asked.push(Asked::BadToken));
        }
        opens
    }
}

#[derive(Deserialize)]
struct From {
    after: u64,
}

async fn read(
    State(source): State<FakeSource>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(From { after }): Query<From>,
) -> Response {
    if !source.opens(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    source.asked.send_modify(|asked| asked.push(Asked::Read { session: id.clone(), after }));
    let mut sessions = source.sessions.subscribe();
    let newer = |run: &Run| run.flv.tags.iter().any(|tag| tag.cursor > after && tag.millis < run.until);
    let (number, run) = loop {
        let Some(session) = sessions.borrow_and_update().get(&id).cloned() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if session.forgotten {
            return StatusCode::NOT_FOUND.into_response();
        }
        if let Some(at) = session.runs.iter().position(newer) {
            break (at, session.runs[at].clone());
        }
        if session.ended {
            return StatusCode::GONE.into_response();
        }
        sessions.changed().await.unwrap();
    };
    if run.breaks_at.is_some() {
        source.sessions.send_modify(|all| {
            let there = &mut all.get_mut(&id).unwrap().runs[number];
            there.breaks_at = None;
            if let Some(then) = there.then.take() {
                *there = *then;
            }
        });
    }
    Response::builder()
        .header("headwater-run", number + 1)
        .header("headwater-run-started", run.started_ms)
        .header("headwater-cursor", run.flv.serve(after).1)
        .header("headwater-lost", run.lost)
        .body(body(sessions, id, number, run, after))
        .unwrap()
}

/// Sends what is there, and what comes, until the run ends or breaks off.
fn body(
    sessions: watch::Receiver<BTreeMap<String, Session>>,
    id: String,
    number: usize,
    run: Run,
    after: u64,
) -> Body {
    let first = (sessions, 0, false);
    let (breaks_at, run) = (run.breaks_at, Arc::new(run));
    Body::from_stream(stream::unfold(first, move |(mut sessions, sent, over)| {
        let (id, run) = (id.clone(), run.clone());
        async move {
            loop {
                if over {
                    return None;
                }
                let session = sessions.borrow_and_update()[&id].clone();
                let there = session.runs[number].until;
                let until = there.min(breaks_at.unwrap_or(u32::MAX));
                let mut bytes = run.garbage.clone().map_or_else(|| run.bytes(after, until), Vec::from);
                if bytes.len() > sent {
                    let news = Bytes::from(bytes.split_off(sent));
                    let sent = sent + news.len();
                    return Some((Ok(news), (sessions, sent, false)));
                }
                if breaks_at.is_some_and(|at| there >= at) {
                    // What was sent is on its way before the connection breaks.
                    tokio::task::yield_now().await;
                    let broken = io::Error::from(io::ErrorKind::ConnectionReset);
                    return Some((Err(broken), (sessions, sent, true)));
                }
                if there == u32::MAX || session.ended || session.runs.len() > number + 1 {
                    return None;
                }
                sessions.changed().await.ok()?;
            }
        }
    }))
}

#[derive(Deserialize)]
struct Committed {
    cursor: u64,
}

async fn committed(
    State(source): State<FakeSource>,
    Path(session): Path<String>,
    headers: HeaderMap,
    Json(Committed { cursor }): Json<Committed>,
) -> Response {
    if !source.opens(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let problem = source.sessions.borrow().get(&session).and_then(|session| session.problem);
    source.asked.send_modify(|asked| asked.push(Asked::Committed { session, cursor }));
    match problem {
        Some(problem) => (StatusCode::NO_CONTENT, [("headwater-problem", problem)]).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
