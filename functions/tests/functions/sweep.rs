//! The sweep of very many streams: against a table and an ECS that take their time, in simulated time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use headwater_domain::control::decide::StartTask;
use headwater_domain::control::{ControlRecord, End, LeaseRecord, ReplicatedState, SessionRecord};
use headwater_domain::heartbeat::{Activity, Health, Heartbeat};
use headwater_domain::hooks::Gateway;
use headwater_domain::ids::{LeaseNumber, Nonce};
use headwater_domain::ports::{
    PortResult, ReadControl, StartTasks, TaskStart, Write, WriteBroadcasts, WriteControl,
};
use headwater_domain::stream::StreamSettings;
use headwater_domain::testing::samples;
use headwater_domain::{BroadcastId, KeyId, Lease, Region, SessionId, StreamId, Timestamp};
use headwater_functions::context::Context;
use headwater_functions::lifecycle::{LifecycleFunction, Report};
use tokio::time::{Instant, sleep};

use crate::support::{T0, sample};

/// Streams of a large deployment.
const MANY: usize = 10_000;

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static ROLLS: Cell<u128> = const { Cell::new(0) };
}

/// Goes with the simulated time.
fn clock() -> Timestamp {
    let begun = BEGUN.get().unwrap_or_else(|| {
        let now = Instant::now();
        BEGUN.set(Some(now));
        now
    });
    Timestamp(T0) + begun.elapsed()
}

/// Any number, another one each time.
fn random() -> u128 {
    ROLLS.set(ROLLS.get() + 1);
    ROLLS.get().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 3
}

/// What is live, behind a network.
#[derive(Clone)]
struct Table(Arc<Stored>);

struct Stored {
    latency: Duration,
    live: Mutex<BTreeMap<StreamId, ReplicatedState>>,
    reads: Mutex<BTreeMap<StreamId, usize>>,
    /// Calls under way, and the most there were.
    under_way: Mutex<(usize, usize)>,
}

impl Table {
    fn with(latency: Duration, live: impl IntoIterator<Item = (StreamId, ReplicatedState)>) -> Self {
        let live = Mutex::new(live.into_iter().collect());
        Self(Arc::new(Stored { latency, live, reads: Mutex::default(), under_way: Mutex::default() }))
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<StreamId, ReplicatedState>> {
        self.0.live.lock().unwrap()
    }

    fn read(&self) -> BTreeMap<StreamId, usize> {
        std::mem::take(&mut *self.0.reads.lock().unwrap())
    }

    async fn travel(&self) {
        {
            let mut under_way = self.0.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        sleep(self.0.latency).await;
        self.0.under_way.lock().unwrap().0 -= 1;
    }
}

impl ReadControl for Table {
    async fn replicated_state(&self, stream: &StreamId) -> PortResult<ReplicatedState> {
        self.travel().await;
        *self.0.reads.lock().unwrap().entry(stream.clone()).or_default() += 1;
        Ok(self.live().get(stream).cloned().unwrap_or_default())
    }

    async fn active(&self, _region: &Region) -> PortResult<Vec<StreamId>> {
        self.travel().await;
        Ok(self.live().keys().cloned().collect())
    }
}

impl WriteControl for Table {
    async fn put_control_record(&self, record: &ControlRecord) -> PortResult<Write> {
        self.travel().await;
        let mut live = self.live();
        let there = &mut live.get_mut(&record.stream).unwrap().records[0];
        if there.version + 1 != record.version {
            return Ok(Write::Lost);
        }
        *there = record.clone();
        Ok(Write::Stored)
    }

    async fn mark_active(&self, _stream: &StreamId, _region: &Region) -> PortResult<()> {
        unreachable!("nobody publishes meanwhile")
    }

    async fn clear_active(&self, _stream: &StreamId, _region: &Region) -> PortResult<()> {
        unreachable!("nothing is over")
    }
}

impl WriteBroadcasts for Table {
    async fn record_start(&self, _: &BroadcastId, _: &Region, _: Timestamp) -> PortResult<()> {
        unreachable!("nothing begins")
    }

    async fn record_end(&self, _: &End, _: &Region) -> PortResult<()> {
        unreachable!("nothing ends")
    }
}

/// ECS as it is, with a bucket of tokens; `others` take some of each second's.
#[derive(Clone)]
struct Ecs(Arc<Mutex<Calls>>, Table);

#[derive(Default)]
struct Calls {
    others: f64,
    tokens: f64,
    at: Option<Timestamp>,
    started: Vec<StreamId>,
    refused: usize,
}

impl Ecs {
    fn of(table: &Table) -> Self {
        Self(Arc::default(), table.clone())
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap()
    }
}

/// A task that gives signs of life for the next hour.
fn heartbeats(broadcast: &BroadcastId, lease: &Lease) -> Heartbeat {
    Heartbeat {
        stream: broadcast.stream(),
        region: lease.region.clone(),
        broadcast: broadcast.clone(),
        lease: lease.clone(),
        fencing_token: "process".into(),
        at: clock() + Duration::from_secs(3_600),
        health: Health { activity: Activity::Transcoding, ..Health::starting() },
        before: Vec::new(),
        heard_since: None,
    }
}

/// Of RunTask, by a second and at once.
const QUOTA: f64 = 20.0;

impl StartTasks for Ecs {
    async fn start(&self, task: &StartTask) -> PortResult<TaskStart> {
        sleep(Duration::from_millis(300)).await;
        let mut calls = self.0.lock().unwrap();
        let (now, before) = (clock(), calls.at.unwrap_or_default());
        let refill = now.since(before).as_secs_f64() * (QUOTA - calls.others);
        calls.tokens = (calls.tokens + refill).min(QUOTA - calls.others);
        calls.at = Some(now);
        if calls.tokens < 1.0 {
            calls.refused += 1;
            return Ok(TaskStart::Throttled("ThrottlingException: Rate exceeded".into()));
        }
        calls.tokens -= 1.0;
        calls.started.push(task.stream.clone());
        let mut live = self.1.live();
        let replicated = live.get_mut(&task.stream).unwrap();
        replicated.heartbeats = vec![heartbeats(&task.broadcast, &task.lease)];
        Ok(TaskStart::Started)
    }
}

fn function(table: &Table, tasks: &Ecs) -> LifecycleFunction<Table, Ecs> {
    let context = Context { region: samples::region_a(), peer: Some(samples::region_b()), clock, random };
    LifecycleFunction {
        context,
        table: table.clone(),
        tasks: tasks.clone(),
        metrics: None,
        sleep: |time| Box::pin(sleep(time)),
    }
}

/// One sweep, and how long it took.
async fn sweep(table: &Table, tasks: &Ecs) -> (Report, Duration) {
    let begun = Instant::now();
    let report = function(table, tasks).handle(sample("lifecycle-sweep")).await.unwrap();
    (report, begun.elapsed())
}

/// A stream whose encoder came at `accepted_at`, and whose task was granted so long before now.
fn stream(number: u128, accepted_at: Timestamp, granted: Duration) -> (StreamId, ReplicatedState) {
    let stream = StreamId::from_random(number.wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15));
    let broadcast = BroadcastId::new(&stream, accepted_at.0, number);
    let region = samples::region_a();
    let lease = Lease { number: LeaseNumber(1), region: region.clone(), nonce: Nonce::from_random(number) };
    let session = SessionRecord {
        id: SessionId::from_random(number),
        order: 1,
        broadcast: broadcast.clone(),
        started_at: accepted_at,
        gateway: Gateway { region: region.clone(), source: "http://10.0.0.1:8936".into() },
        key: KeyId::from_random(1),
        key_expires_at: None,
        accepted_at,
        settings: StreamSettings { reconnect_window_seconds: 900, ..StreamSettings::default() },
        earlier: Vec::new(),
    };
    let granted_at = Timestamp(clock().0 - u64::try_from(granted.as_millis()).unwrap());
    let (crossed, promotion) = (None, None);
    let lease = LeaseRecord { lease, broadcast, granted_at, crossed, failures: 0, promotion };
    let record = ControlRecord {
        version: 1,
        session: Some(session),
        lease: Some(lease),
        ..ControlRecord::empty(stream.clone(), region)
    };
    (stream, ReplicatedState { records: vec![record], heartbeats: Vec::new() })
}

/// Streams that are well.
fn well(count: usize) -> impl Iterator<Item = (StreamId, ReplicatedState)> {
    (0..count).map(|number| {
        let (stream, mut replicated) = stream(number as u128, clock(), Duration::ZERO);
        let record = replicated.records[0].lease.as_ref().unwrap();
        replicated.heartbeats = vec![heartbeats(&record.broadcast, &record.lease)];
        (stream, replicated)
    })
}

/// Streams whose tasks are gone; the one with the lowest number has waited longest.
fn without_task(count: usize) -> Vec<(StreamId, ReplicatedState)> {
    let accepted_at = |number: usize| Timestamp(clock().0 - 200_000 + number as u64);
    (0..count).map(|number| stream(number as u128, accepted_at(number), Duration::from_secs(130))).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_streams_are_looked_at_in_seconds() {
    for (latency, within) in [(10, 4), (15, 5), (20, 7), (60, 20)] {
        let table = Table::with(Duration::from_millis(latency), well(MANY));
        let (report, time) = sweep(&table, &Ecs::of(&table)).await;
        assert_eq!(report, Report { seen: MANY, ..Report::default() }, "at {latency} ms");
        assert!(time <= Duration::from_secs(within), "{time:?} at {latency} ms");
        let read = table.read();
        assert!(read.len() == MANY && read.values().all(|reads| *reads == 1), "one read each");
        assert!(table.0.under_way.lock().unwrap().1 <= 32);
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_sweep_does_not_get_to_the_next_ones_do() {
    let table = Table::with(Duration::from_millis(800), well(MANY));
    let mut seen = BTreeSet::new();
    let mut places = BTreeSet::new();
    for _ in 0..40 {
        let (report, time) = sweep(&table, &Ecs::of(&table)).await;
        assert!(time < Duration::from_secs(60), "{time:?}");
        assert!(report.seen > 1_000 && report.left == MANY - report.seen, "{report:?}");
        let read = table.read();
        places.extend(read.keys().next().cloned());
        seen.extend(read.into_keys());
    }
    assert!(places.len() > 20, "it begins anywhere");
    assert!(seen.len() > MANY * 95 / 100, "{} of {MANY}", seen.len());
}

#[tokio::test(start_paused = true)]
async fn a_lost_region_s_streams_get_their_tasks_in_turn() {
    let streams = without_task(2_000);
    let order: Vec<_> = streams.iter().map(|(stream, _)| stream.clone()).collect();
    let table = Table::with(Duration::from_millis(15), streams);
    let ecs = Ecs::of(&table);
    let mut sweeps = 0;
    while ecs.calls().started.len() < order.len() {
        sweeps += 1;
        assert!(sweeps <= 4, "{} after {sweeps} minutes", ecs.calls().started.len());
        let (report, time) = sweep(&table, &ecs).await;
        assert!(time < Duration::from_secs(60), "{time:?}");
        assert_eq!((report.failed, report.seen + report.left), (0, order.len()), "{report:?}");
        sleep(Duration::from_secs(60).saturating_sub(time)).await;
    }
    let calls = ecs.calls();
    assert_eq!((calls.started.len(), calls.refused), (order.len(), 0), "each once, none in vain");
    // Several are under way at once, so neighbours may pass each other.
    let place = |stream: &StreamId| order.iter().position(|one| one == stream).unwrap();
    for (at, stream) in calls.started.iter().enumerate() {
        assert!(place(stream).abs_diff(at) <= 32, "{at}: {}", place(stream));
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_ecs_has_no_turn_for_wait_and_do_not_fail() {
    let streams = without_task(1_000);
    let table = Table::with(Duration::from_millis(15), streams);
    let ecs = Ecs::of(&table);
    ecs.calls().others = 16.0; // publish hooks: encoders come back by the thousand
    let mut sweeps = 0;
    while ecs.calls().started.len() < 1_000 {
        sweeps += 1;
        assert!(sweeps <= 12, "{} after {sweeps} minutes", ecs.calls().started.len());
        let (report, time) = sweep(&table, &ecs).await;
        assert!(time < Duration::from_secs(60), "{time:?}");
        assert_eq!(report.failed, 0);
        sleep(Duration::from_secs(60).saturating_sub(time)).await;
    }
    assert!(sweeps > 3, "more than five sweeps' worth of refusals");
    let live = table.live();
    let records = live.values().map(|replicated| &replicated.records[0]);
    for record in records {
        assert_eq!(record.end, None, "{record:?}");
        assert!(record.lease.as_ref().unwrap().failures <= 1, "{record:?}");
    }
}
