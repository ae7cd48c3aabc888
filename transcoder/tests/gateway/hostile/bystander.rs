//! A legitimate stream beside an attack: what its encoder sends must come through the source link, byte for byte.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use headwater_domain::SessionId;
use headwater_rtmp::MediaKind::{self, Audio, Video};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::harness::GatewayHarness;
use crate::rtmp_client::{Publisher, aac_header, avc_header, picture, sound};
use crate::support::{Flv, PATIENCE};

/// An encoder with 25 pictures a second.
const FRAME: Duration = Duration::from_millis(40);
/// Bytes of a picture: 1.5 Mbit/s.
const PICTURE_BYTES: u32 = 7_500;
/// Bytes of FLV around a body.
const TAG: usize = 15;
/// Bytes of an FLV file's header.
const FILE_HEADER: usize = 13;

pub(crate) struct Bystander {
    publisher: Publisher,
    pub(crate) session: SessionId,
    body: Incoming,
    got: Vec<u8>,
    sent: Vec<(MediaKind, u32, Bytes)>,
    expected: usize,
    frames: u32,
    slowest: Duration,
}

impl Bystander {
    /// Publishes and is read.
    pub(crate) async fn start(harness: &GatewayHarness) -> Self {
        let mut publisher = Publisher::start(harness.rtmp).await;
        let session: SessionId =
            harness.asked().last().unwrap().body["session"].as_str().unwrap().parse().unwrap();
        publisher.headers().await;
        // The gateway has the first picture wait for the second, which could be a slice of it.
        let (first, second) = (picture(true, PICTURE_BYTES), picture(false, PICTURE_BYTES));
        publisher.send(Video, 0, first.clone()).await;
        publisher.send(Video, 40, second.clone()).await;
        let token = harness.token(&session, 4_000_000_000_000);
        let answer = harness.request("GET", &format!("/sources/{session}"), &token, &[], Vec::new()).await;
        assert_eq!(answer.status(), 200);
        let expected =
            FILE_HEADER + 4 * TAG + avc_header(30).len() + aac_header().len() + first.len() + second.len();
        let sent = vec![(Video, 0, first), (Video, 40, second)];
        let (body, slowest) = (answer.into_body(), Duration::ZERO);
        let mut bystander =
            Self { publisher, session, body, got: Vec::new(), sent, expected, frames: 2, slowest };
        bystander.catch_up().await;
        bystander
    }

    /// Goes on while `attack` goes on: each frame is sent, and has come through before the next one.
    pub(crate) async fn beside<T>(&mut self, attack: impl Future<Output = T>) -> T {
        let over = Cell::new(false);
        let attacked = async {
            let outcome = attack.await;
            over.set(true);
            outcome
        };
        let streamed = async {
            let mut frames = interval(FRAME);
            frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !over.get() {
                frames.tick().await;
                self.frame().await;
            }
        };
        tokio::join!(attacked, streamed).0
    }

    async fn frame(&mut self) {
        let time = self.frames * 40;
        let (picture, sound) = (picture(self.frames.is_multiple_of(50), PICTURE_BYTES), sound());
        self.frames += 1;
        let began = tokio::time::Instant::now();
        for (kind, body) in [(Video, picture), (Audio, sound)] {
            self.publisher.send(kind, time, body.clone()).await;
            self.expected += TAG + body.len();
            self.sent.push((kind, time, body));
        }
        self.catch_up().await;
        self.slowest = self.slowest.max(began.elapsed());
    }

    async fn catch_up(&mut self) {
        while self.got.len() < self.expected {
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("media comes through");
            self.got.extend_from_slice(frame.expect("the stream goes on").unwrap().data_ref().unwrap());
        }
    }

    /// Ends the stream. All that was sent has come, nothing else, in order and unchanged.
    pub(crate) async fn end(self) {
        let Self { publisher, mut body, mut got, sent, frames, slowest, .. } = self;
        publisher.finish().await;
        while let Some(frame) = timeout(PATIENCE, body.frame()).await.expect("an end") {
            got.extend_from_slice(frame.expect("a clean end").data_ref().unwrap());
        }
        let flv = Flv::parse(HeaderMap::new(), got.into());
        let came: Vec<_> = flv.media().iter().map(|tag| (tag.kind, tag.time, tag.body.clone())).collect();
        let sent: Vec<_> = sent.into_iter().map(|(kind, time, body)| (kind.type_id(), time, body)).collect();
        assert!(came == sent, "{} of {} messages came", came.len(), sent.len());
        assert_eq!(flv.cursors(), (1..=sent.len() as u64).collect::<Vec<_>>(), "none is missing");
        println!("  beside it: {frames} frames came through, the slowest in {} ms", slowest.as_millis());
    }
}
