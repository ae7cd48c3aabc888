//! Our own API as gateway and transcoder call it: JSON over HTTPS, signed with SigV4 (`execute-api`).
//!
//! CloudFront cannot fail a POST over, so this client does: it asks its own region's API, and the peer's as soon as that
//! fails or is slow ([`hedge`]). Both may then answer one question; the control plane makes the same of it in both regions
//! (ADR 27). Who the peer is, the own region says with each answer (ADR 34).

mod call;
mod hedge;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use bytes::Bytes;
use headwater_domain::ClockReader;
use headwater_domain::hooks::{
    GatewayHeartbeat, GatewayOrders, HeartbeatRequest, PublishAnswer, PublishRequest, SessionRef,
    TranscoderHeartbeat, TranscoderOrder, UnpublishRequest,
};
use headwater_domain::paths::HookPath;
use headwater_domain::peer::{News, Peer};
use headwater_domain::ports::{FaultKind, Hooks, PortResult};
use headwater_domain::rate_limit::RateLimit;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::call::{Api, Caller, fault};
pub(crate) use self::hedge::HEDGE_AFTER;
use self::hedge::{Asked, Endpoint, Memory};
use crate::peer::KnownPeer;
use crate::settings::{self, SettingError};

/// Lines about calls that failed, in each [`LINES_WINDOW`]: each publisher that comes during an outage makes two.
const MAX_LINES: u32 = 20;
/// What they are counted over.
const LINES_WINDOW: Duration = Duration::from_secs(10);
/// API Gateway itself gives a call up after so long.
const LATEST_ANSWER: Duration = Duration::from_secs(30);

/// Calls the hooks, in this region or else in the peer's.
#[derive(Debug, Clone)]
pub struct HookClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    caller: Caller,
    own: Api,
    peer: KnownPeer,
    memory: Memory,
    lines: Mutex<RateLimit>,
    clock: ClockReader,
}

impl HookClient {
    /// From `API_URL`. `peer` is asked beside it, and kept true by what the own region answers.
    pub fn from_env(config: &SdkConfig, peer: KnownPeer, clock: ClockReader) -> Result<Self, SettingError> {
        let own = Api { region: settings::region()?, base: settings::required("API_URL")? };
        let (caller, memory) = (Caller::new(config, clock)?, Memory::default());
        let lines = Mutex::new(RateLimit::new(MAX_LINES, LINES_WINDOW));
        Ok(Self(Arc::new(Inner { caller, own, peer, memory, lines, clock })))
    }

    /// Asks until one answers. An answer that does not settle the question leaves the other API's to `late`.
    async fn ask<Q: Serialize, A: DeserializeOwned + Send + 'static>(
        &self,
        hook: HookPath,
        question: &Q,
        settles: impl Fn(&A) -> bool,
        late: impl FnOnce(A) + Send + 'static,
    ) -> PortResult<A> {
        let path = hook.as_str();
        let body = Bytes::from(serde_json::to_vec(question).expect("our questions are maps with text keys"));
        let peer = self.0.peer.get().map(Api::of);
        let api = |endpoint| match (endpoint, &peer) {
            (Endpoint::Peer, Some(peer)) => peer,
            _ => &self.0.own,
        };
        let ask = |endpoint| {
            let (client, api, body) = (self.clone(), api(endpoint).clone(), body.clone());
            async move {
                let answer = client.0.caller.post(&api, path, body).await?;
                if endpoint == Endpoint::Own {
                    client.0.learn(&answer);
                }
                serde_json::from_slice(&answer).map_err(|error| fault(FaultKind::Corrupt, path, error))
            }
        };
        let failed = |endpoint, error: Option<&headwater_domain::ports::PortError>| {
            if let Some(withheld) = self.0.may_tell() {
                let why = error.map_or_else(|| "no answer yet".to_owned(), |error| error.source.to_string());
                tracing::warn!(region = %api(endpoint).region, path, error = why, withheld, "a hook call failed");
            }
        };
        match hedge::ask(&self.0.memory, peer.is_some(), ask, settles, failed).await {
            Asked::Answered(answer, None) => Ok(answer),
            Asked::Answered(answer, Some(open)) => {
                tokio::spawn(async move {
                    if let Ok(Ok(answer)) = tokio::time::timeout(LATEST_ANSWER, open).await {
                        late(answer);
                    }
                });
                Ok(answer)
            }
            Asked::Failed(error) => Err(error),
            Asked::Silence => Err(fault(FaultKind::TimedOut, path, "neither region has answered")),
        }
    }

    /// The same for questions that any answer settles.
    async fn ask_once<Q: Serialize, A: DeserializeOwned + Send + 'static>(
        &self,
        hook: HookPath,
        question: &Q,
    ) -> PortResult<A> {
        self.ask(hook, question, |_| true, |_| ()).await
    }
}

impl Api {
    fn of(peer: Peer) -> Self {
        Self { region: peer.region().clone(), base: peer.api().to_owned() }
    }
}

impl Inner {
    /// Notes what the own region says of its peer. Nonsense is told, and what was known stays.
    fn learn(&self, answer: &[u8]) {
        match serde_json::from_slice(answer) {
            Ok(News { peer: Some(peer) }) => {
                if self.peer.note(peer) {
                    // What was slow was another one.
                    self.memory.forget(Endpoint::Peer);
                }
            }
            Ok(News { peer: None }) => {}
            Err(error) => {
                if let Some(withheld) = self.may_tell() {
                    tracing::warn!(%error, withheld, "what the control plane says of the peer is not understood");
                }
            }
        }
    }

    fn may_tell(&self) -> Option<u64> {
        let now = (self.clock)();
        self.lines.lock().take(now)
    }
}

impl Hooks for HookClient {
    /// Who is denied by one region is gone; should the other one, which knows less, allow the same session late, that is
    /// taken back.
    async fn publish(&self, request: &PublishRequest) -> PortResult<PublishAnswer> {
        let (client, gateway, session) = (self.clone(), request.gateway.clone(), request.session.clone());
        let take_back = move |answer| {
            let PublishAnswer::Allow { stream, broadcast, order } = answer else { return };
            let session = SessionRef { session, stream, broadcast, order };
            let reason = "the other region has denied it".to_owned();
            tokio::spawn(
                async move { client.unpublish(&UnpublishRequest { gateway, session, reason }).await },
            );
        };
        let settles = |answer: &PublishAnswer| matches!(answer, PublishAnswer::Allow { .. });
        self.ask(HookPath::Publish, request, settles, take_back).await
    }

    async fn unpublish(&self, request: &UnpublishRequest) -> PortResult<()> {
        self.ask_once::<_, serde::de::IgnoredAny>(HookPath::Unpublish, request).await.map(|_| ())
    }

    async fn gateway_heartbeat(&self, heartbeat: &GatewayHeartbeat) -> PortResult<GatewayOrders> {
        self.ask_once(HookPath::Heartbeat, &HeartbeatRequest::Gateway(heartbeat.clone())).await
    }

    async fn transcoder_heartbeat(&self, heartbeat: &TranscoderHeartbeat) -> PortResult<TranscoderOrder> {
        self.ask_once(HookPath::Heartbeat, &HeartbeatRequest::Transcoder(heartbeat.clone())).await
    }
}
