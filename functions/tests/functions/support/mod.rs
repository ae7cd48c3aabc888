//! One deployment in memory: its table, its cluster, its functions, a clock that tests move.

mod contract;
pub mod deployment;
mod event;
mod logs;
mod parts;
mod shim;

use std::cell::{Cell, RefCell};

use headwater_domain::control::State;
use headwater_domain::heartbeat::{Activity, Health};
use headwater_domain::hooks::{
    Gateway, GatewayOrders, PublishAnswer, Secret, SessionOrder, SessionRef, TranscoderHeartbeat,
    TranscoderOrder,
};
use headwater_domain::key::{KeyRecord, Pepper, StreamKey};
use headwater_domain::metrics::Metrics;
use headwater_domain::objects::KeptFor;
use headwater_domain::ports::{ReadControl, StartTasks, WriteKeys, WriteStreams, WriteTimeline};
use headwater_domain::stream::StreamDocument;
use headwater_domain::testing::fakes::{FakeCluster, MemoryBuckets, MemoryTable};
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{KeyId, Lease, Region, SegmentNumber, SessionId, Timestamp};
use headwater_functions::api::{ApiFunction, ApiTable, PublicUrls};
use headwater_functions::context::Context;
use headwater_functions::hooks::{HookTable, HooksFunction, PublishGuard};
use headwater_functions::lifecycle::{LifecycleFunction, Report};
use headwater_functions::playlist::PlaylistFunction;
use serde_json::json;

pub use contract::{METHODS, contract};
pub use event::{Answer, Event, folder, sample};
pub use logs::Logs;
pub use shim::Shim;

/// The deployment that the sample events come from.
pub const REVISION: &str = "2023-11-14";

/// When every test begins; the sample broadcast begins then, too.
pub const T0: u64 = 1_700_000_000_000;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static NOW: Cell<u64> = const { Cell::new(T0) };
    static ROLLS: Cell<u128> = const { Cell::new(0) };
}

fn clock() -> Timestamp {
    Timestamp(NOW.get())
}

/// Counts: a test's first broadcast published at T0 is the one of the sample events, its first lease has nonce 2.
fn random() -> u128 {
    ROLLS.set(ROLLS.get() + 1);
    ROLLS.get()
}

fn keep_line(line: &str) {
    LINES.with_borrow_mut(|lines| lines.push(line.to_owned()));
}

/// The metrics that this test's functions have written, a line each.
pub fn metric_lines() -> Vec<String> {
    LINES.take()
}

/// Moves the clock.
pub fn later(seconds: u64) {
    NOW.set(NOW.get() + seconds * 1_000);
}

/// Sets the clock.
pub fn at_ms(time: Timestamp) {
    NOW.set(time.0);
}

/// What time it is.
pub fn now() -> Timestamp {
    clock()
}

/// One region's functions over a table that both regions may share.
#[derive(Clone)]
pub struct Harness {
    pub table: MemoryTable,
    pub cluster: FakeCluster,
    /// This region's bucket is its own one; the peer's is its mirror.
    pub buckets: MemoryBuckets,
    pub region: Region,
    peer: Region,
    /// For how long recordings can be watched.
    pub kept_for: KeptFor,
}

impl Harness {
    /// Region A of an empty deployment, at T0.
    pub fn empty() -> Self {
        NOW.set(T0);
        ROLLS.set(0);
        let (region, peer) = (samples::region_a(), samples::region_b());
        let (table, cluster, buckets) = Default::default();
        Self { table, cluster, buckets, region, peer, kept_for: KeptFor::default() }
    }

    /// With the sample stream and its key.
    pub async fn seeded() -> Self {
        Self::with(|_| ()).await
    }

    /// With the sample stream, changed, and its key.
    pub async fn with(change: impl FnOnce(&mut StreamDocument)) -> Self {
        let harness = Self::empty();
        let mut document = samples::stream();
        change(&mut document);
        harness.table.put_stream(&document).await.unwrap();
        harness.table.list_stream(&document).await.unwrap();
        harness.add_key(2, 3, None).await;
        harness
    }

    /// Adds a key to the sample stream and gives its text.
    pub async fn add_key(&self, id: u128, secret: u128, expires_at: Option<Timestamp>) -> String {
        let key = StreamKey::from_random(samples::stream_id(), KeyId::from_random(id), secret);
        let record = KeyRecord {
            id: key.id().clone(),
            stream: key.stream().clone(),
            hash: key.hash(&pepper()),
            label: None,
            created_at: Timestamp(id.try_into().unwrap()),
            expires_at,
        };
        self.table.add_key(&record).await.unwrap();
        key.reveal().expose().to_owned()
    }

    /// The other region, over the same table: replication without lag.
    pub fn other_region(&self) -> Self {
        let (region, peer) = (self.peer.clone(), self.region.clone());
        Self { region, peer, ..self.clone() }
    }

    pub fn context(&self) -> Context {
        Context { region: self.region.clone(), peer: Some(self.peer.clone()), clock, random }
    }

    pub fn api<T: ApiTable>(&self, table: T) -> ApiFunction<T> {
        let public_urls = PublicUrls {
            rtmp: vec!["rtmp://ingest.example.com/live".into()],
            rtmps: vec!["rtmps://ingest.example.com/live".into()],
            edge: "https://watch.example.com/".into(),
        };
        ApiFunction { context: self.context(), table, pepper: pepper(), public_urls, kept_for: self.kept_for }
    }

    pub fn hooks<T: HookTable, C: StartTasks>(&self, table: T, tasks: C) -> HooksFunction<T, C> {
        let revision = Some(REVISION.to_owned());
        HooksFunction {
            context: self.context(),
            table,
            tasks,
            pepper: pepper(),
            signing: signing(),
            revision,
            peer: None,
            publish_guard: PublishGuard::default(),
        }
    }

    pub fn playlist(&self, origin_secrets: &[&str]) -> PlaylistFunction<MemoryTable, MemoryBuckets> {
        self.playlist_over(self.table.clone(), origin_secrets)
    }

    /// The playlist function over a table of the test's own.
    pub fn playlist_over<T>(&self, table: T, origin_secrets: &[&str]) -> PlaylistFunction<T, MemoryBuckets> {
        let origin_secrets = origin_secrets.iter().copied().map(Secret::new).collect();
        PlaylistFunction {
            context: self.context(),
            table,
            parts: self.buckets.clone(),
            origin_secrets,
            kept_for: self.kept_for,
            renditions: Default::default(),
        }
    }

    pub fn lifecycle<T>(&self, table: T) -> LifecycleFunction<T, FakeCluster> {
        let metrics =
            Metrics { namespace: "Headwater".into(), deployment: "headwater".into(), print: keep_line };
        let metrics = Some(metrics);
        LifecycleFunction {
            context: self.context(),
            table,
            tasks: self.cluster.clone(),
            metrics,
            sleep: |time| {
                NOW.set(NOW.get() + u64::try_from(time.as_millis()).expect("a minute at most"));
                Box::pin(std::future::ready(()))
            },
        }
    }

    /// Asks the API.
    pub async fn ask(&self, event: &Event) -> Answer {
        self.ask_over(self.table.clone(), event).await
    }

    /// Asks the API over a table of the test's own.
    pub async fn ask_over<T: ApiTable>(&self, table: T, event: &Event) -> Answer {
        let answer = Answer::of(self.api(table).handle(event.request()).await);
        contract().check(&event.request(), &answer);
        answer
    }

    /// Calls a hook.
    pub async fn hook(&self, event: &Event) -> Answer {
        let function = self.hooks(self.table.clone(), self.cluster.clone());
        Answer::of(function.handle(event.request()).await)
    }

    /// Asks for a playlist.
    pub async fn view(&self, event: &Event) -> Answer {
        self.view_with(&[], event).await
    }

    /// Asks for a playlist where the edge must prove itself.
    pub async fn view_with(&self, origin_secrets: &[&str], event: &Event) -> Answer {
        let answer = Answer::of(self.playlist(origin_secrets).handle(event.request()).await);
        contract().check(&event.request(), &answer);
        answer.of_path(event.request().uri().path())
    }

    /// Runs the lifecycle function.
    pub async fn lifecycle_event(&self, event: serde_json::Value) -> Report {
        self.lifecycle(self.table.clone()).handle(event).await.unwrap()
    }

    pub async fn sweep(&self) -> Report {
        self.lifecycle_event(sample("lifecycle-sweep")).await
    }

    pub fn gateway(&self) -> Gateway {
        Gateway {
            region: self.region.clone(),
            source: format!("http://10.{}.1.5:8936/", self.region.as_str().len()),
        }
    }

    /// The sample publish request of this region's gateway for a session of this number.
    pub fn publish_event(&self, session: u128) -> Event {
        Event::sample("hooks-publish").edit(|body| {
            body["session"] = json!(SessionId::from_random(session));
            body["gateway"] = json!(self.gateway());
        })
    }

    pub async fn publish(&self, session: u128) -> PublishAnswer {
        publish_answer(&self.hook(&self.publish_event(session)).await)
    }

    /// Publishes; it must be allowed.
    #[track_caller]
    pub fn allowed(&self, session: u128) -> impl Future<Output = SessionRef> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            match self.publish(session).await {
                PublishAnswer::Allow { stream, broadcast, order } => {
                    SessionRef { session: SessionId::from_random(session), stream, broadcast, order }
                }
                denied => panic!("{denied:?} at {caller}"),
            }
        }
    }

    pub async fn unpublish(&self, session: &SessionRef) {
        let mut body = json!({ "gateway": self.gateway(), "reason": "the encoder closed the connection" });
        body.as_object_mut().unwrap().extend(json!(session).as_object().unwrap().clone());
        self.hook(&Event::sample("hooks-unpublish").body(&body)).await.expect(200);
    }

    /// What the gateway is told to do with a session.
    pub async fn order(&self, session: &SessionRef) -> SessionOrder {
        let body = json!({ "from": "gateway", "gateway": self.gateway(), "sessions": [session] });
        let answer = self.hook(&Event::sample("hooks-heartbeat-gateway").body(&body)).await.expect(200);
        let orders: GatewayOrders = serde_json::from_value(answer).unwrap();
        orders.sessions[&session.session].clone()
    }

    /// The lease that holds now.
    pub async fn lease(&self) -> Lease {
        self.table.replicated_state(&samples::stream_id()).await.unwrap().lease().unwrap().lease.clone()
    }

    pub async fn state(&self) -> Option<State> {
        self.table.replicated_state(&samples::stream_id()).await.unwrap().state(now())
    }

    /// A transcoder's heartbeat.
    pub async fn heartbeat(
        &self,
        of: &SessionRef,
        lease: &Lease,
        fencing_token: &str,
        health: Health,
    ) -> TranscoderOrder {
        let (stream, broadcast) = (of.stream.clone(), of.broadcast.clone());
        let claim = signing().lease_claim(&stream, &broadcast, lease);
        let (lease, fencing_token) = (lease.clone(), Secret::new(fencing_token));
        let heartbeat = TranscoderHeartbeat { stream, broadcast, lease, claim, fencing_token, health };
        let mut body = json!(heartbeat);
        body["from"] = json!("transcoder");
        let answer = self.hook(&Event::sample("hooks-heartbeat-transcoder").body(&body)).await;
        serde_json::from_value(answer.expect(200)).unwrap()
    }

    /// A heartbeat of the lease that holds, with media up to now.
    pub async fn heartbeat_live(&self, of: &SessionRef) -> TranscoderOrder {
        self.heartbeat(of, &self.lease().await, "process", flowing(of)).await
    }

    /// Commits a two-second entry of `lease`.
    pub async fn commit(&self, lease: &Lease, number: u64) {
        let entry = Entry { lease: lease.clone(), ..samples::entry(1, number) };
        self.table.commit(&entry).await.unwrap();
    }

    /// The entry as the session's task writes it: by its settings, it is recorded or not.
    pub async fn as_ordered(&self, mut entry: Entry) -> Entry {
        let replicated = self.table.replicated_state(&samples::stream_id()).await.unwrap();
        if let Some(session) = replicated.session() {
            let retention = session.settings.transcode().retention;
            entry.renditions.iter_mut().for_each(|one| one.retention = retention);
        }
        entry
    }
}

/// A transcoder that makes segments.
pub fn flowing(of: &SessionRef) -> Health {
    Health {
        activity: Activity::Transcoding,
        session: Some(of.session.clone()),
        segment: Some(SegmentNumber(1)),
        media_until: Some(now()),
        ..Health::starting()
    }
}

/// A transcoder that has read its source to the end.
pub fn read_out(of: &SessionRef) -> Health {
    Health { activity: Activity::Waiting, source_lost_since: Some(now()), ..flowing(of) }
}

#[track_caller]
pub fn publish_answer(answer: &Answer) -> PublishAnswer {
    serde_json::from_value(answer.expect(200)).unwrap()
}

pub fn pepper() -> Pepper {
    Pepper::new(Secret::new("a pepper for tests"))
}

pub fn signing() -> SigningKey {
    SigningKey::new(Secret::new("a signing key for tests"))
}
