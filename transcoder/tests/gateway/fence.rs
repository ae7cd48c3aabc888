//! The fence between the tasks of a stream: whoever a higher lease has replaced gets no media, on real sockets.

use std::time::Duration;

use bytes::BytesMut;
use headwater_domain::SessionId;
use headwater_domain::testing::samples;
use headwater_domain::tokens::SourceRight;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::hooks::Policy;
use crate::resume::whole_tags;
use crate::rtmp_client::Publisher;
use crate::support::*;

fn standby(number: u32) -> SourceRight {
    SourceRight { writes: false, ..samples::writer(number) }
}

impl Rig {
    async fn asks(&self, session: &SessionId, after: u64, right: &SourceRight) -> Response<Incoming> {
        let token = self.token_of(session, right);
        self.request("GET", &self.source_url(session, after), &token, String::new()).await
    }

    async fn commits(&self, session: &SessionId, cursor: u64, right: &SourceRight) -> Response<Incoming> {
        let url = format!("http://{}/sources/{session}/committed", self.gateway.source_addr());
        let body = format!("{{\"cursor\":{cursor}}}");
        self.request("PUT", &url, &self.token_of(session, right), body).await
    }
}

/// A body that is being read.
struct Reader {
    answer: Response<Incoming>,
    bytes: BytesMut,
}

impl Reader {
    fn new(answer: Response<Incoming>) -> Self {
        assert_eq!(answer.status(), StatusCode::OK);
        Self { answer, bytes: BytesMut::new() }
    }

    /// Reads until the message with this cursor has come.
    async fn until(&mut self, cursor: u64) {
        let read = async {
            loop {
                let flv = match self.bytes.len() {
                    0 => None,
                    _ => Some(Flv::parse(self.answer.headers().clone(), whole_tags(&self.bytes))),
                };
                if flv.is_some_and(|flv| flv.cursors().contains(&cursor)) {
                    return;
                }
                let frame = self.answer.body_mut().frame().await.expect("no end").expect("no break");
                self.bytes.extend_from_slice(&frame.into_data().unwrap());
            }
        };
        timeout(PATIENCE, read).await.expect("the media comes");
    }

    /// Whether the body breaks off; a clean end is none.
    async fn breaks_off(mut self) -> bool {
        let rest = async {
            loop {
                match self.answer.body_mut().frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(_)) => return true,
                    None => return false,
                }
            }
        };
        timeout(PATIENCE, rest).await.expect("the body ends")
    }
}

async fn problem(answer: Response<Incoming>) -> (StatusCode, String) {
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["type"].as_str().unwrap().to_owned())
}

fn fenced() -> (StatusCode, String) {
    (StatusCode::CONFLICT, "urn:headwater:problem:fenced".to_owned())
}

#[tokio::test]
async fn a_higher_lease_that_comes_to_write_ends_the_one_before_it() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 4, 100).await;
    let session = rig.hooks.session(0).await;
    let mut old = Reader::new(rig.get(&session, 0).await);
    old.until(6).await;
    // One that has everything and waits for more.
    let writer = samples::writer(1);
    let waiting = rig.asks(&session, 24, &writer);
    let next = async {
        let mut next = Reader::new(rig.asks(&session, 0, &samples::writer(2)).await);
        next.until(6).await;
        next
    };
    let (waiting, mut next) = tokio::join!(waiting, next);
    assert!(old.breaks_off().await, "its reader is not to take it for the end of a run");
    match waiting.status() {
        // It was answered before the other came.
        StatusCode::OK => assert!(Reader::new(waiting).breaks_off().await),
        _ => assert_eq!(problem(waiting).await, fenced()),
    }
    assert_eq!(problem(rig.asks(&session, 0, &samples::writer(1)).await).await, fenced());
    // What it has committed late must not be forgotten: the other one may have to read it yet.
    assert_eq!(problem(rig.commits(&session, 24, &samples::writer(1)).await).await, fenced());
    publisher.gops(4_000, 4, 100).await;
    next.until(24).await;
    assert_eq!(rig.read_first(&session, &samples::writer(2)).await, 1, "nothing was forgotten");
    drop(next);
    publisher.finish().await;
    rig.leave().await;
}

#[tokio::test]
async fn a_standby_reads_beside_its_holder_until_it_comes_to_write() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 4, 100).await;
    let session = rig.hooks.session(0).await;
    let mut holder = Reader::new(rig.get(&session, 0).await);
    let mut rehearsal = Reader::new(rig.asks(&session, 0, &standby(2)).await);
    // The newest second or two may still be held, for what comes behind it.
    for round in 1..4 {
        publisher.gops(round * 4_000, 4, 100).await;
        rehearsal.until(u64::from(round) * 24).await;
        holder.until(u64::from(round) * 24).await;
    }
    assert_eq!(rig.commits(&session, 12, &samples::writer(1)).await.status(), StatusCode::NO_CONTENT);
    let refused = problem(rig.commits(&session, 24, &standby(2)).await).await;
    assert_eq!(refused, (StatusCode::FORBIDDEN, "urn:headwater:problem:not-the-writer".to_owned()));
    assert_eq!(rig.read_first(&session, &samples::writer(1)).await, 7, "what the holder has committed");

    let mut promoted = Reader::new(rig.asks(&session, 12, &samples::writer(2)).await);
    promoted.until(24).await;
    assert!(holder.breaks_off().await);
    assert_eq!(problem(rig.asks(&session, 0, &samples::writer(1)).await).await, fenced());
    // Another standby is above it; one that was withdrawn is not.
    assert_eq!(rig.asks(&session, 12, &standby(3)).await.status(), StatusCode::OK);
    assert_eq!(problem(rig.asks(&session, 12, &standby(1)).await).await, fenced());
    drop((promoted, rehearsal));
    publisher.finish().await;
    rig.leave().await;
}

#[tokio::test]
async fn a_gateway_that_leaves_waits_for_what_only_a_standby_has_read() {
    let rig = rig_with(Policy::Allow, |limits| {
        (limits.drain_timeout, limits.commit_timeout) = (PATIENCE, Duration::ZERO);
    })
    .await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 2, 100).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let rehearsal = rig.asks(&session, 0, &standby(2)).await;
    timeout(PATIENCE, rehearsal.into_body().collect()).await.unwrap().expect("a clean end");
    rig.shutdown.cancel();
    // It would be gone at once.
    let waits = async {
        for _ in 0..20 {
            assert_eq!(rig.health().await["status"], "ok");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    waits.await;
    assert_eq!(rig.read(&session, 0).await.cursors(), (1..=12).collect::<Vec<_>>());
    rig.leave().await;
}

#[tokio::test]
async fn a_standby_never_sends_an_encoder_away() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 4, 100).await;
    let session = rig.hooks.session(0).await;
    rig.get(&session, 0).await;
    let fences = [samples::writer(2), standby(9), samples::writer(1)];
    let mut statuses = Vec::new();
    for right in &fences {
        statuses.push(rig.asks(&session, 0, right).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 409], "a standby's lease is no fence");
    publisher.finish().await;
    rig.leave().await;
}

impl Rig {
    /// The cursor of the first message that a lease is served.
    async fn read_first(&self, session: &SessionId, right: &SourceRight) -> u64 {
        let answer = self.asks(session, 0, right).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["headwater-cursor"].to_str().unwrap().parse().unwrap()
    }
}
