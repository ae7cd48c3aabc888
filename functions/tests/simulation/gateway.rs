//! A region's gateway: takes encoders, keeps their media, asks every two seconds whether its sessions may go on.

use std::collections::BTreeMap;

use futures::channel::oneshot;
use headwater_domain::hooks::{
    Gateway, GatewayHeartbeat, GatewayOrders, HeartbeatRequest, PublishAnswer, PublishRequest, Secret,
    SessionOrder, SessionRef, UnpublishRequest, Withdrawn,
};
use headwater_domain::paths::HookPath;
use headwater_domain::testing::samples;
use headwater_domain::{Lease, SessionId};
use serde_json::Value;

use super::executor::{self, Process, sleep};
use super::simulation::{self, Side, tell};
use super::{calls, rng};

/// For how long heartbeats name what was given up.
const WITHDRAWN_FOR: u64 = 120_000;
/// Pauses between tries to tell that a session has ended, in milliseconds.
const UNPUBLISH_PAUSES: [u64; 7] = [0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/// The gateway of one region; all that it knows dies with it.
#[derive(Debug, Default)]
pub struct Sessions {
    pub process: Process,
    pub all: BTreeMap<SessionId, Session>,
    /// Requests that were given up without an answer, and when.
    pub given_up: BTreeMap<SessionId, u64>,
    /// Those of them that heartbeats name.
    pub withdrawn: BTreeMap<SessionId, u64>,
}

/// An accepted publisher. Its cursor counts milliseconds of media.
#[derive(Debug, Clone)]
pub struct Session {
    pub names: SessionRef,
    /// The key that it came with.
    pub key: String,
    pub started: u64,
    /// Up to when media came.
    pub media_until: Option<u64>,
    pub ended: bool,
    /// Up to where media is committed, so it is not kept.
    pub committed: u64,
    /// Why the gateway closed it.
    pub stopped: Option<String>,
    /// The highest lease that has come to write it.
    pub writer: Option<Lease>,
}

impl Session {
    /// How much media there is by now.
    pub fn available(&self) -> u64 {
        self.media_until.unwrap_or_else(executor::now) - self.started
    }
}

pub fn name(side: Side) -> Gateway {
    Gateway { region: side.region(), source: format!("http://{}.gateway:8936", side.region()) }
}

/// A new gateway in place of the one before.
pub fn start(side: Side) {
    let process = executor::process();
    simulation::with(|sim| sim.region_mut(side).gateway = Sessions { process, ..Sessions::default() });
    executor::spawn(process, async move {
        loop {
            sleep(2_000).await;
            heartbeat(side).await;
        }
    });
}

pub fn session(side: Side, id: &SessionId) -> Option<Session> {
    simulation::with(|sim| sim.region(side).gateway.all.get(id).cloned())
}

/// Whether a lease may read a session to write it: no higher one has come. From now on no lower one may.
pub fn takes(side: Side, id: &SessionId, lease: &Lease) -> bool {
    simulation::with(|sim| {
        let Some(session) = sim.region_mut(side).gateway.all.get_mut(id) else { return true };
        let takes = session.writer.as_ref().is_none_or(|writer| writer <= lease);
        if takes {
            session.writer = Some(lease.clone());
        }
        takes
    })
}

pub fn change(side: Side, id: &SessionId, change: impl FnOnce(&mut Session)) {
    simulation::with(|sim| sim.region_mut(side).gateway.all.get_mut(id).map(change));
}

async fn heartbeat(side: Side) {
    let sessions: Vec<_> = simulation::with(|sim| {
        let all = sim.region(side).gateway.all.values();
        all.filter(|session| !session.ended).map(|session| session.names.clone()).collect()
    });
    let withdrawn: Vec<_> = simulation::with(|sim| {
        let withdrawn = &mut sim.region_mut(side).gateway.withdrawn;
        withdrawn.retain(|_, since| executor::now() < *since + WITHDRAWN_FOR);
        let stream = samples::stream_id();
        withdrawn
            .keys()
            .map(|session| Withdrawn { session: session.clone(), stream: stream.clone() })
            .collect()
    });
    if sessions.is_empty() && withdrawn.is_empty() {
        return;
    }
    let heartbeat = HeartbeatRequest::Gateway(GatewayHeartbeat {
        gateway: name(side),
        sessions,
        revision: None,
        withdrawn,
    });
    let Some(orders) = calls::ask_once::<GatewayOrders>(side, HookPath::Heartbeat, &heartbeat).await else {
        return;
    };
    for taken_back in &orders.withdrawn {
        tell(|| format!("{} is taken back", short(taken_back)));
        simulation::with(|sim| sim.region_mut(side).gateway.withdrawn.remove(taken_back));
    }
    for (id, order) in orders.sessions {
        if let SessionOrder::Stop { reason, .. } = order {
            close(side, &id, &reason, true);
        }
    }
}

/// An encoder connects; the session, or why there is none.
pub async fn connect(side: Side, key: String) -> Result<SessionId, String> {
    let (answer, answered) = oneshot::channel();
    let gateway =
        simulation::with(|sim| (!sim.region(side).lost).then_some(sim.region(side).gateway.process));
    let Some(process) = gateway else {
        sleep(1_000).await;
        return Err("no answer".into());
    };
    executor::spawn(process, async move {
        let _ = answer.send(publish(side, key).await);
    });
    answered.await.unwrap_or_else(|_| Err("connection reset".into()))
}

async fn publish(side: Side, key: String) -> Result<SessionId, String> {
    let session = SessionId::from_random(rng::random());
    let request = PublishRequest {
        gateway: name(side),
        session: session.clone(),
        app: "live".into(),
        key: Secret::new(key.clone()),
        address: "203.0.113.7:40000".into(),
        query: BTreeMap::new(),
        asked_at: Some(side.clock()),
    };
    let settles = |answer: &PublishAnswer| matches!(answer, PublishAnswer::Allow { .. });
    let mut answer = calls::ask(side, HookPath::Publish, &request, settles).await;
    if answer.is_none() {
        answer = calls::ask(side, HookPath::Publish, &request, settles).await;
    }
    match answer {
        Some(PublishAnswer::Allow { stream, broadcast, order }) => {
            tell(|| format!("{} publishes in {side:?}: {broadcast} #{order}", short(&session)));
            let names = SessionRef { session: session.clone(), stream, broadcast, order };
            let (started, media_until) = (executor::now(), None);
            let opened = Session {
                names,
                key,
                started,
                media_until,
                ended: false,
                committed: 0,
                stopped: None,
                writer: None,
            };
            simulation::with(|sim| sim.region_mut(side).gateway.all.insert(session.clone(), opened));
            Ok(session)
        }
        Some(PublishAnswer::Deny { reason, .. }) => Err(reason),
        None => {
            simulation::with(|sim| {
                let gateway = &mut sim.region_mut(side).gateway;
                gateway.given_up.insert(session.clone(), executor::now());
                gateway.withdrawn.insert(session.clone(), executor::now());
            });
            Err("no hook answers".into())
        }
    }
}

/// Ends a session and tells the control plane.
pub fn close(side: Side, id: &SessionId, reason: &str, by_us: bool) {
    let Some(there) = session(side, id).filter(|session| !session.ended) else { return };
    tell(|| format!("{} is over: {reason}", short(id)));
    change(side, id, |session| {
        session.ended = true;
        session.media_until.get_or_insert_with(executor::now);
        session.stopped = by_us.then(|| reason.to_owned());
    });
    let request = UnpublishRequest { gateway: name(side), session: there.names, reason: reason.into() };
    let process = simulation::with(|sim| sim.region(side).gateway.process);
    executor::spawn(process, async move {
        for pause in UNPUBLISH_PAUSES {
            sleep(pause).await;
            if calls::ask_once::<Value>(side, HookPath::Unpublish, &request).await.is_some() {
                return;
            }
        }
    });
}

/// The first characters of a session's id, for traces.
pub fn short(id: &SessionId) -> &str {
    &id.as_str()[12..]
}
