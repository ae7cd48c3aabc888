//! A control plane that orders what the test says, and records every heartbeat.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_domain::hooks::{
    GatewayHeartbeat, GatewayOrders, HandoverOrder, PublishAnswer, PublishRequest, ResumeAfter, Secret,
    Source, TranscoderHeartbeat, TranscoderOrder, UnpublishRequest,
};
use headwater_domain::ports::{FaultKind, Hooks, PortError, PortResult, ReadTimeline};
use headwater_domain::stream::TranscodeSettings;
use headwater_domain::testing::fakes::MemoryTable;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Takeover;
use headwater_domain::{SessionId, Timestamp};
use tokio::sync::watch;

use crate::support::{PATIENCE, settings};

/// What the next heartbeats are answered with.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    /// Read this session.
    Transcode(SessionId),
    /// Read these, one after the other.
    Backlog(Vec<SessionId>),
    /// To lease 1: hand over; to lease 2: rehearse, or this.
    HandOver(SessionId, bool),
    Wait,
    Stop,
    Fenced,
    /// An error.
    Fail,
    /// No answer at all.
    Hang,
}

#[derive(Debug)]
pub(crate) struct FakeHooks {
    table: MemoryTable,
    base: String,
    say: Mutex<Say>,
    settings: Mutex<TranscodeSettings>,
    resume_after: Mutex<Option<ResumeAfter>>,
    issued: AtomicU64,
    heartbeats: watch::Sender<Vec<TranscoderHeartbeat>>,
}

impl FakeHooks {
    pub(crate) fn new(table: MemoryTable, base: String, say: Say) -> Self {
        Self {
            table,
            base,
            say: Mutex::new(say),
            settings: Mutex::new(settings()),
            resume_after: Mutex::default(),
            issued: AtomicU64::new(0),
            heartbeats: watch::Sender::default(),
        }
    }

    pub(crate) fn say(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut TranscodeSettings)) {
        change(&mut self.settings.lock().unwrap());
    }

    /// From now on orders say that the other region has written so much.
    pub(crate) fn send_resume_after(&self, resume_after: ResumeAfter) {
        *self.resume_after.lock().unwrap() = Some(resume_after);
    }

    /// Number of the newest token.
    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Ordering::SeqCst)
    }

    pub(crate) fn heartbeats(&self) -> Vec<TranscoderHeartbeat> {
        self.heartbeats.borrow().clone()
    }

    /// Waits for a heartbeat, from now on or before, that is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&TranscoderHeartbeat) -> bool) -> TranscoderHeartbeat {
        let mut heartbeats = self.heartbeats.subscribe();
        let found = heartbeats.wait_for(|heartbeats| heartbeats.iter().any(&wanted));
        let heartbeats = tokio::time::timeout(PATIENCE, found).await.expect("a heartbeat as wanted").unwrap();
        heartbeats.iter().find(|heartbeat| wanted(heartbeat)).unwrap().clone()
    }

    /// Waits for `count` more heartbeats.
    pub(crate) async fn more(&self, count: usize) {
        let mut heartbeats = self.heartbeats.subscribe();
        let enough = heartbeats.borrow().len() + count;
        let came = heartbeats.wait_for(|heartbeats| heartbeats.len() >= enough);
        tokio::time::timeout(PATIENCE, came).await.expect("heartbeats").unwrap();
    }

    /// As the real hooks do: a new token each time.
    fn source(&self, session: SessionId) -> Source {
        let token = Secret::new((self.issued.fetch_add(1, Ordering::SeqCst) + 1).to_string());
        let url = format!("{}/sources/{session}", self.base);
        Source { session, url, token }
    }

    /// Those before the last are named until one of them is read, as the real hooks do.
    async fn backlog(
        &self,
        heartbeat: &TranscoderHeartbeat,
        mut sessions: Vec<SessionId>,
    ) -> TranscoderOrder {
        let begun = heartbeat.health.session.as_ref();
        let place = sessions.iter().position(|session| Some(session) == begun);
        let unread = place.map_or(0, |at| (at + 1).min(sessions.len() - 1));
        let last = sessions.pop().expect("a session");
        let earlier = sessions.drain(..).skip(unread).map(|session| self.source(session)).collect();
        self.transcode(heartbeat, earlier, last).await
    }

    /// As the real hooks do once lease 2 is the standby of lease 1, and once it is promoted.
    async fn hand_over(
        &self,
        heartbeat: &TranscoderHeartbeat,
        session: SessionId,
        is_promoted: bool,
    ) -> TranscoderOrder {
        let is_holder = heartbeat.lease == samples::lease(1);
        match (is_holder, is_promoted) {
            (true, true) => TranscoderOrder::HandedOver,
            (true, false) if heartbeat.health.held.is_some() => TranscoderOrder::Hold,
            (false, true) => self.transcode(heartbeat, Vec::new(), session).await,
            (true, false) => {
                let mut order = self.transcode(heartbeat, Vec::new(), session).await;
                if let TranscoderOrder::Transcode { handover, .. } = &mut order {
                    *handover = Some(HandoverOrder::HandOver { to: samples::lease(2) });
                }
                order
            }
            (false, false) => TranscoderOrder::Rehearse {
                source: self.source(session),
                settings: Box::new(self.settings.lock().unwrap().clone()),
                started_at: Timestamp(1),
            },
        }
    }

    async fn transcode(
        &self,
        heartbeat: &TranscoderHeartbeat,
        earlier: Vec<Source>,
        session: SessionId,
    ) -> TranscoderOrder {
        let resume = match heartbeat.health.segment {
            Some(_) => None,
            None => {
                let all = self.table.all(&heartbeat.broadcast).await.unwrap();
                let takeover = Takeover {
                    lease: &heartbeat.lease,
                    written: all.into_iter().filter(|entry| entry.lease < heartbeat.lease).collect(),
                    known: Vec::new(),
                    seen_in: &heartbeat.lease.region,
                    began: Timestamp(1),
                    shortest: Duration::from_secs(1),
                };
                takeover.resume(Timestamp(1)).map(Box::new)
            }
        };
        TranscoderOrder::Transcode {
            source: self.source(session),
            earlier,
            settings: Box::new(self.settings.lock().unwrap().clone()),
            resume,
            started_at: Timestamp(1),
            resume_after: *self.resume_after.lock().unwrap(),
            handover: None,
        }
    }
}

impl Hooks for FakeHooks {
    async fn publish(&self, _: &PublishRequest) -> PortResult<PublishAnswer> {
        unreachable!("a task does not publish")
    }

    async fn unpublish(&self, _: &UnpublishRequest) -> PortResult<()> {
        unreachable!("a task does not publish")
    }

    async fn gateway_heartbeat(&self, _: &GatewayHeartbeat) -> PortResult<GatewayOrders> {
        unreachable!("a task is no gateway")
    }

    async fn transcoder_heartbeat(&self, heartbeat: &TranscoderHeartbeat) -> PortResult<TranscoderOrder> {
        let mut first = None;
        self.heartbeats.send_modify(|heartbeats| {
            heartbeats.push(heartbeat.clone());
            first = heartbeats
                .iter()
                .find(|known| known.lease == heartbeat.lease)
                .map(|known| known.fencing_token.clone());
        });
        if first.as_ref() != Some(&heartbeat.fencing_token) {
            return Ok(TranscoderOrder::Fenced);
        }
        let say = self.say.lock().unwrap().clone();
        Ok(match say {
            Say::Transcode(session) => self.transcode(heartbeat, Vec::new(), session).await,
            Say::Backlog(sessions) => self.backlog(heartbeat, sessions).await,
            Say::HandOver(session, is_promoted) => self.hand_over(heartbeat, session, is_promoted).await,
            Say::Wait => TranscoderOrder::Wait,
            Say::Stop => TranscoderOrder::Stop { reason: "the test says so".into() },
            Say::Fenced => TranscoderOrder::Fenced,
            Say::Fail => {
                let source = "out of order".into();
                return Err(PortError { kind: FaultKind::Unavailable, action: "heartbeat", source });
            }
            Say::Hang => std::future::pending().await,
        })
    }
}
