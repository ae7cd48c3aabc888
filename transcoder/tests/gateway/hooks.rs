//! A control plane that answers as it is told and records what it is asked.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use headwater_domain::hooks::{
    DenyKind, GatewayHeartbeat, GatewayOrders, PublishAnswer, PublishRequest, SessionOrder,
    TranscoderHeartbeat, TranscoderOrder, UnpublishRequest,
};
use headwater_domain::ports::{FaultKind, Hooks, PortError, PortResult};
use headwater_domain::{BroadcastId, SessionId, StreamId};
use tokio::sync::watch;

/// What to do with the next publish requests.
#[derive(Debug, Clone)]
pub(crate) enum Policy {
    Allow,
    Deny(DenyKind, &'static str),
    /// Fails so often, then allows.
    Fail(u32),
    /// Never answers.
    Hang,
    /// Allows, once it is told to.
    Hold,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    pub(crate) published: Vec<PublishRequest>,
    pub(crate) unpublished: Vec<UnpublishRequest>,
    pub(crate) heartbeats: Vec<GatewayHeartbeat>,
}

#[derive(Debug)]
pub(crate) struct FakeHooks {
    policy: Mutex<Policy>,
    stops: Mutex<BTreeMap<SessionId, (String, bool)>>,
    outage: Mutex<bool>,
    superseded: Mutex<Option<bool>>,
    late_grants: Mutex<bool>,
    released: watch::Sender<bool>,
    record: watch::Sender<Record>,
}

impl FakeHooks {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy: Mutex::new(policy),
            stops: Mutex::default(),
            outage: Mutex::new(false),
            superseded: Mutex::new(None),
            late_grants: Mutex::new(false),
            released: watch::Sender::new(false),
            record: watch::Sender::default(),
        }
    }

    pub(crate) fn set_outage(&self, outage: bool) {
        *self.outage.lock().unwrap() = outage;
    }

    /// What the gateway is told of its deployment from now on.
    pub(crate) fn set_superseded(&self, superseded: Option<bool>) {
        *self.superseded.lock().unwrap() = superseded;
    }

    /// From now on what the gateway has given up turns out to have been granted.
    pub(crate) fn grant_late(&self) {
        *self.late_grants.lock().unwrap() = true;
    }

    pub(crate) fn stop(&self, session: &SessionId, reason: &str) {
        self.stops.lock().unwrap().insert(session.clone(), (reason.to_owned(), false));
    }

    /// The same, of one that may do better on its next connection.
    pub(crate) fn stop_for_now(&self, session: &SessionId, reason: &str) {
        self.stops.lock().unwrap().insert(session.clone(), (reason.to_owned(), true));
    }

    /// Lets what is held be answered.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(crate) fn record(&self) -> Record {
        self.record.borrow().clone()
    }

    /// Waits until the record is as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Record) -> bool) -> Record {
        let mut record = self.record.subscribe();
        let waiting = record.wait_for(wanted);
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .expect("the gateway calls the hook")
            .unwrap()
            .clone()
    }

    /// The `n`th publish request's session.
    pub(crate) async fn session(&self, n: usize) -> SessionId {
        self.until(|record| record.published.len() > n).await.published[n].session.clone()
    }

    /// The `n`th unpublish.
    pub(crate) async fn unpublish(&self, n: usize) -> UnpublishRequest {
        self.until(|record| record.unpublished.len() > n).await.unpublished[n].clone()
    }

    fn fault(&self, action: &'static str) -> PortError {
        PortError { kind: FaultKind::Unavailable, action, source: "out of order".into() }
    }
}

pub(crate) fn stream() -> StreamId {
    StreamId::from_random(42)
}

impl Hooks for FakeHooks {
    async fn publish(&self, request: &PublishRequest) -> PortResult<PublishAnswer> {
        self.record.send_modify(|record| record.published.push(request.clone()));
        let policy = self.policy.lock().unwrap().clone();
        match policy {
            Policy::Allow => {}
            Policy::Deny(kind, reason) => return Ok(PublishAnswer::Deny { kind, reason: reason.to_owned() }),
            Policy::Fail(times) => {
                *self.policy.lock().unwrap() =
                    if times > 1 { Policy::Fail(times - 1) } else { Policy::Allow };
                return Err(self.fault("publish"));
            }
            Policy::Hang => std::future::pending().await,
            Policy::Hold => {
                self.released.subscribe().wait_for(|released| *released).await.unwrap();
            }
        }
        let order = self.record.borrow().published.len() as u64;
        Ok(PublishAnswer::Allow { stream: stream(), broadcast: BroadcastId::new(&stream(), 1_000, 7), order })
    }

    async fn unpublish(&self, request: &UnpublishRequest) -> PortResult<()> {
        if *self.outage.lock().unwrap() {
            return Err(self.fault("unpublish"));
        }
        self.record.send_modify(|record| record.unpublished.push(request.clone()));
        Ok(())
    }

    async fn gateway_heartbeat(&self, heartbeat: &GatewayHeartbeat) -> PortResult<GatewayOrders> {
        self.record.send_modify(|record| record.heartbeats.push(heartbeat.clone()));
        if *self.outage.lock().unwrap() {
            return Err(self.fault("heartbeat"));
        }
        let stops = self.stops.lock().unwrap();
        let order = |id: &SessionId| match stops.get(id) {
            Some((reason, retry)) => SessionOrder::Stop { reason: reason.clone(), retry: *retry },
            None => SessionOrder::Continue,
        };
        let sessions =
            heartbeat.sessions.iter().map(|names| (names.session.clone(), order(&names.session))).collect();
        let withdrawn = match *self.late_grants.lock().unwrap() {
            true => heartbeat.withdrawn.iter().map(|withdrawn| withdrawn.session.clone()).collect(),
            false => Vec::new(),
        };
        Ok(GatewayOrders { sessions, superseded: *self.superseded.lock().unwrap(), withdrawn })
    }

    async fn transcoder_heartbeat(&self, _: &TranscoderHeartbeat) -> PortResult<TranscoderOrder> {
        Err(self.fault("a gateway has no business with this"))
    }
}
