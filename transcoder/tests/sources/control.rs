//! A control plane that allows everything: it brings gateway and task together, and records what they say.

use headwater_domain::hooks::{
    GatewayHeartbeat, GatewayOrders, PublishAnswer, PublishRequest, Secret, SessionOrder, Source,
    TranscoderHeartbeat, TranscoderOrder, UnpublishRequest,
};
use headwater_domain::objects::Retention;
use headwater_domain::ports::{Hooks, PortResult};
use headwater_domain::stream::{Latency, Passthrough, Rung, TranscodeSettings};
use headwater_domain::testing::samples;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{SessionId, Timestamp};
use tokio::sync::watch;

/// A token for as long as any test takes.
const FOREVER: Timestamp = Timestamp(4_000_000_000_000);

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub session: Option<SessionId>,
    pub source: Option<String>,
    /// The source was read to its end, or given up.
    pub over: bool,
    pub stop: bool,
    /// What the task told of its trouble, each once.
    pub problems: Vec<String>,
    /// Why the gateway says that the session has ended.
    pub ended: Option<String>,
}

pub struct Control {
    key: SigningKey,
    passthrough: Passthrough,
    record: watch::Sender<Record>,
}

impl Control {
    pub fn new(passthrough: Passthrough) -> Self {
        let key = SigningKey::new(Secret::new("signing"));
        Self { key, passthrough, record: watch::Sender::default() }
    }

    pub fn key(&self) -> SigningKey {
        self.key.clone()
    }

    pub fn record(&self) -> Record {
        self.record.borrow().clone()
    }

    /// Where the gateway serves sessions.
    pub fn source_is_at(&self, base: String) {
        self.record.send_modify(|record| record.source = Some(base));
    }

    /// The task is to leave.
    pub fn stop(&self) {
        self.record.send_modify(|record| record.stop = true);
    }

    pub async fn until(&self, wanted: impl FnMut(&Record) -> bool) {
        self.record.subscribe().wait_for(wanted).await.unwrap();
    }

    fn settings(&self) -> TranscodeSettings {
        TranscodeSettings {
            ladder: Some(vec![Rung { height: 108, kbps: 300 }, Rung { height: 90, kbps: 200 }]),
            latency: Latency::Standard,
            passthrough: self.passthrough,
            from_live_edge: false,
            segment_seconds: 2,
            audio_kbps: 96,
            mirror: false,
            retention: Retention::Recorded,
        }
    }
}

impl Hooks for Control {
    async fn publish(&self, request: &PublishRequest) -> PortResult<PublishAnswer> {
        self.record.send_modify(|record| record.session = Some(request.session.clone()));
        let (stream, broadcast) = (samples::stream_id(), samples::broadcast());
        Ok(PublishAnswer::Allow { stream, broadcast, order: 1 })
    }

    async fn unpublish(&self, request: &UnpublishRequest) -> PortResult<()> {
        self.record.send_modify(|record| record.ended = Some(request.reason.clone()));
        Ok(())
    }

    async fn gateway_heartbeat(&self, heartbeat: &GatewayHeartbeat) -> PortResult<GatewayOrders> {
        let go_on = |one: &headwater_domain::hooks::SessionRef| (one.session.clone(), SessionOrder::Continue);
        Ok(GatewayOrders {
            sessions: heartbeat.sessions.iter().map(go_on).collect(),
            ..GatewayOrders::default()
        })
    }

    async fn transcoder_heartbeat(&self, heartbeat: &TranscoderHeartbeat) -> PortResult<TranscoderOrder> {
        let health = &heartbeat.health;
        self.record.send_modify(|record| {
            let news = health.problem.iter().filter(|told| !record.problems.contains(told));
            let news: Vec<String> = news.cloned().collect();
            record.problems.extend(news);
            record.over |= health.session == record.session && health.source_lost_since.is_some();
        });
        let record = self.record();
        let (Some(session), Some(base), false) = (record.session, record.source, record.stop) else {
            return Ok(match record.stop {
                true => TranscoderOrder::Stop { reason: "the test is over".to_owned() },
                false => TranscoderOrder::Wait,
            });
        };
        let token = Secret::new(self.key.source_token(&session, &samples::writer(1), FOREVER).expose());
        let source = Source { url: format!("{base}/sources/{session}"), session, token };
        Ok(TranscoderOrder::Transcode {
            source,
            earlier: Vec::new(),
            settings: Box::new(self.settings()),
            resume: None,
            started_at: Timestamp(1),
            resume_after: None,
            handover: None,
        })
    }
}
