//! A table between a handler and the table in memory, where a test steps in: to fail an operation, or to let
//! something happen just before it, as a second invocation would.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_domain::control::{ControlRecord, End, ReplicatedState};
use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::key::{KeyRecord, KeyRing};
use headwater_domain::ports::*;
use headwater_domain::stream::StreamDocument;
use headwater_domain::testing::fakes::MemoryTable;
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, KeyId, Region, StreamId, Timestamp};

type Limit = dyn Fn(usize) + Send + Sync;
type Intercept = dyn Fn(&'static str, Option<&StreamId>) -> Option<FaultKind> + Send + Sync;

/// The table in memory, with a test's own steps in front of its operations.
#[derive(Clone)]
pub struct Shim {
    inner: MemoryTable,
    step: Arc<Intercept>,
    limit: Arc<Limit>,
    latency: Duration,
    unanswered: Arc<Mutex<Option<&'static str>>>,
}

impl Shim {
    /// `step` is called before every operation with its name and, where it has one, its stream.
    pub fn new(
        inner: &MemoryTable,
        step: impl Fn(&'static str, Option<&StreamId>) -> Option<FaultKind> + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: inner.clone(),
            step: Arc::new(step),
            limit: Arc::new(|_| ()),
            latency: Duration::ZERO,
            unanswered: Arc::default(),
        }
    }

    /// The next operation of this name is done, and its answer never comes.
    pub fn unanswered(inner: &MemoryTable, action: &'static str) -> Self {
        Self { unanswered: Arc::new(Mutex::new(Some(action))), ..Self::new(inner, |_, _| None) }
    }

    /// Every operation takes so long; in simulated time, if the test has that.
    pub fn slow(inner: &MemoryTable, latency: Duration) -> Self {
        Self { latency, ..Self::new(inner, |_, _| None) }
    }

    /// `seen` is called with the limit of every query for a timeline's newest entries.
    pub fn limits(inner: &MemoryTable, seen: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { limit: Arc::new(seen), ..Self::new(inner, |_, _| None) }
    }

    /// The same, and `seen` is called with the limit of every query for a timeline's newest or oldest entries.
    pub fn with_limits(self, seen: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { limit: Arc::new(seen), ..self }
    }

    async fn step(&self, action: &'static str, stream: Option<&StreamId>) -> PortResult<()> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match (self.step)(action, stream) {
            None => Ok(()),
            Some(kind) => Err(PortError { kind, action, source: "as the test wanted".into() }),
        }
    }
}

/// What an operation has come to, as far as its caller is told.
fn told<T>(shim: &Shim, action: &'static str, done: PortResult<T>) -> PortResult<T> {
    match shim.unanswered.lock().unwrap().take_if(|waits| *waits == action) {
        None => done,
        Some(action) => Err(PortError { kind: FaultKind::TimedOut, action, source: "no answer".into() }),
    }
}

macro_rules! pass {
    ($($port:ident { $($name:ident($($arg:ident: $type:ty),*) -> $out:ty, $stream:expr;)+ })+) => {
        $(impl $port for Shim {
            $(async fn $name(&self, $($arg: $type),*) -> PortResult<$out> {
                self.step(stringify!($name), $stream).await?;
                told(self, stringify!($name), self.inner.$name($($arg),*).await)
            })+
        })+
    };
}

pass! {
    ReadStreams {
        stream(id: &StreamId) -> Option<StreamDocument>, Some(id);
        streams(after: Option<&ListingPosition>, limit: usize) -> Page<ListingPosition>, None;
    }
    WriteStreams {
        put_stream(document: &StreamDocument) -> Write, Some(&document.id);
        list_stream(document: &StreamDocument) -> (), Some(&document.id);
        unlist_stream(document: &StreamDocument) -> (), Some(&document.id);
    }
    ReadKeys {
        key_ring(stream: &StreamId) -> KeyRing, Some(stream);
        key(stream: &StreamId, key: &KeyId) -> KeyRing, Some(stream);
    }
    WriteKeys {
        add_key(record: &KeyRecord) -> (), Some(&record.stream);
        revoke_key(stream: &StreamId, key: &KeyId, region: &Region, at: Timestamp) -> (), Some(stream);
    }
    RememberRequests { remember(key: &str, request: &Remembered, now: Timestamp) -> Vec<Remembered>, None; }
    ReadControl {
        replicated_state(stream: &StreamId) -> ReplicatedState, Some(stream);
        active(region: &Region) -> Vec<StreamId>, None;
    }
    WriteControl {
        put_control_record(record: &ControlRecord) -> Write, Some(&record.stream);
        mark_active(stream: &StreamId, region: &Region) -> (), Some(stream);
        clear_active(stream: &StreamId, region: &Region) -> (), Some(stream);
    }
    WriteHeartbeats { put_heartbeat(heartbeat: &Heartbeat) -> Write, Some(&heartbeat.stream); }
    ReadBroadcasts {
        broadcasts(stream: &StreamId, after: Option<&BroadcastId>, limit: usize) -> Page<BroadcastRecord>, Some(stream);
    }
    WriteBroadcasts {
        record_start(broadcast: &BroadcastId, region: &Region, at: Timestamp) -> (), None;
        record_end(end: &End, region: &Region) -> (), None;
    }
}

impl ReadTimeline for Shim {
    async fn newest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        self.step("newest", None).await?;
        (self.limit)(limit);
        self.inner.newest(broadcast, limit).await
    }

    async fn oldest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        self.step("oldest", None).await?;
        (self.limit)(limit);
        self.inner.oldest(broadcast, limit).await
    }

    async fn all(&self, broadcast: &BroadcastId) -> PortResult<Vec<Entry>> {
        self.step("all", None).await?;
        self.inner.all(broadcast).await
    }
}
