//! The simulated table behind the real ports, as one program in one region sees it: requests take time, are throttled,
//! and may have been done although the answer is lost.

use headwater_aws::schema::{
    HEARTBEAT, Key, RECORD, active_partition, broadcasts_partition, control_partition, keys_partition,
    stream_partition, timeline_partition,
};
use headwater_domain::control::{ControlRecord, End, ReplicatedState};
use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::key::{KeyRecord, KeyRing};
use headwater_domain::ports::*;
use headwater_domain::stream::StreamDocument;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, KeyId, Region, StreamId, Timestamp};

use super::executor::sleep;
use super::simulation::{self, Side, Simulation};
use super::store::{self, Item};
use super::{check, rng};

/// One program's access to its region's replica.
#[derive(Debug, Clone)]
pub struct Table {
    pub side: Side,
    /// Whose writes these are: a region's control plane is one writer, each task another.
    pub writer: String,
    /// Answers at once and never fails: for the checks, which look on from outside.
    pub at_once: bool,
}

pub fn fault(kind: FaultKind, action: &'static str) -> PortError {
    PortError { kind, action, source: "simulated".into() }
}

impl Table {
    pub fn of_control_plane(side: Side) -> Self {
        Self { side, writer: format!("the control plane of {}", side.region()), at_once: false }
    }

    pub fn at_once(side: Side) -> Self {
        Self { at_once: true, ..Self::of_control_plane(side) }
    }

    async fn request(&self, action: &'static str, writes: bool) -> PortResult<()> {
        if self.at_once {
            return Ok(());
        }
        sleep(rng::between(2, 25)).await;
        let (down, throttled) = simulation::with(|sim| {
            let region = sim.region(self.side);
            (region.table_down || region.lost, if writes { region.throttled } else { 0 })
        });
        if down {
            return Err(fault(FaultKind::Unavailable, action));
        }
        if rng::chance(throttled) { Err(fault(FaultKind::Throttled, action)) } else { Ok(()) }
    }

    /// The way back; what was written stays written.
    async fn answered(&self, action: &'static str) -> PortResult<()> {
        if self.at_once {
            return Ok(());
        }
        sleep(rng::between(1, 10)).await;
        let down = simulation::with(|sim| sim.region(self.side).table_down);
        if down { Err(fault(FaultKind::Unavailable, action)) } else { Ok(()) }
    }

    async fn read<T>(&self, action: &'static str, find: impl FnOnce(&Simulation) -> T) -> PortResult<T> {
        self.request(action, false).await?;
        Ok(simulation::with(|sim| find(sim)))
    }

    /// A conditional write: `item` says what is written over what is there, if anything.
    async fn write(
        &self,
        action: &'static str,
        key: Key<'_>,
        item: impl FnOnce(Option<&Item>) -> Option<Item>,
    ) -> PortResult<bool> {
        self.request(action, true).await?;
        let encoded = key.encode();
        // Cloned, so that the decision may look at the world.
        let there = simulation::with(|sim| sim.store.get(self.side, &encoded).cloned());
        let item = item(there.as_ref());
        let is_written = item.is_some();
        if let Some(item) = item {
            store::write(self.side, &self.writer, &key, item);
        }
        self.answered(action).await?;
        Ok(is_written)
    }
}

fn outcome(is_written: bool) -> Write {
    if is_written { Write::Stored } else { Write::Lost }
}

/// The stream's document as one replica holds it.
pub fn document(sim: &Simulation, side: Side) -> Option<StreamDocument> {
    let partition = stream_partition(&samples::stream_id());
    let items = sim.store.partition(side, &partition);
    StreamDocument::current(items.filter_map(|(_, item)| match item {
        Item::Document(document) => Some((**document).clone()),
        _ => None,
    }))
}

impl ReadStreams for Table {
    async fn stream(&self, id: &StreamId) -> PortResult<Option<StreamDocument>> {
        debug_assert_eq!(*id, samples::stream_id(), "there is one");
        self.read("read a stream", |sim| document(sim, self.side)).await
    }

    async fn streams(
        &self,
        _after: Option<&ListingPosition>,
        _limit: usize,
    ) -> PortResult<Page<ListingPosition>> {
        Ok(Page { items: Vec::new(), more: false })
    }
}

impl WriteStreams for Table {
    async fn put_stream(&self, document: &StreamDocument) -> PortResult<Write> {
        let key = Key::Stream(&document.id, &document.region);
        let put = |there: Option<&Item>| match there {
            Some(Item::Document(there)) if there.version >= document.version => None,
            _ => Some(Item::Document(Box::new(document.clone()))),
        };
        self.write("write a stream", key, put).await.map(outcome)
    }

    async fn list_stream(&self, document: &StreamDocument) -> PortResult<()> {
        let key = Key::Listing(document.created_at, &document.id);
        self.write("list a stream", key, |_| Some(Item::Listed)).await.map(drop)
    }

    async fn unlist_stream(&self, document: &StreamDocument) -> PortResult<()> {
        let key = Key::Listing(document.created_at, &document.id);
        self.write("unlist a stream", key, |_| Some(Item::Nothing)).await.map(drop)
    }
}

impl ReadKeys for Table {
    async fn key_ring(&self, stream: &StreamId) -> PortResult<KeyRing> {
        self.read("read keys", |sim| {
            let mut ring = KeyRing::default();
            for (sort, item) in sim.store.partition(self.side, &keys_partition(stream)) {
                match item {
                    Item::StreamKey(record) => ring.keys.push((**record).clone()),
                    Item::Revoked(at) => {
                        let key = sort.split('#').nth(1).unwrap();
                        ring.revoked.push((key.parse().unwrap(), *at));
                    }
                    _ => {}
                }
            }
            ring
        })
        .await
    }

    async fn key(&self, stream: &StreamId, key: &KeyId) -> PortResult<KeyRing> {
        Ok(self.key_ring(stream).await?.only(key))
    }
}

impl WriteKeys for Table {
    async fn add_key(&self, record: &KeyRecord) -> PortResult<()> {
        let key = Key::StreamKey(&record.stream, &record.id);
        let put = |there: Option<&Item>| there.is_none().then(|| Item::StreamKey(Box::new(record.clone())));
        self.write("add a key", key, put).await.map(drop)
    }

    async fn revoke_key(
        &self,
        stream: &StreamId,
        key: &KeyId,
        region: &Region,
        at: Timestamp,
    ) -> PortResult<()> {
        let put = |there: Option<&Item>| there.is_none().then_some(Item::Revoked(at));
        self.write("revoke a key", Key::Revocation(stream, key, region), put).await.map(drop)
    }
}

impl ReadControl for Table {
    async fn replicated_state(&self, stream: &StreamId) -> PortResult<ReplicatedState> {
        self.read("read what is live", |sim| replicated_state(sim, self.side, stream)).await
    }

    async fn active(&self, region: &Region) -> PortResult<Vec<StreamId>> {
        self.read("list active streams", |sim| {
            let partition = active_partition(region);
            let items = sim.store.partition(self.side, &partition);
            items
                .filter_map(|(_, item)| match item {
                    Item::Active(stream) => Some(stream.clone()),
                    _ => None,
                })
                .collect()
        })
        .await
    }
}

/// What one replica holds of a stream's life.
pub fn replicated_state(sim: &Simulation, side: Side, stream: &StreamId) -> ReplicatedState {
    let mut replicated = ReplicatedState::default();
    for (sort, item) in sim.store.partition(side, &control_partition(stream)) {
        match item {
            Item::ControlRecord(record) if sort.starts_with(RECORD) => {
                replicated.records.push((**record).clone())
            }
            Item::Heartbeat(heartbeat) if sort.starts_with(HEARTBEAT) => {
                replicated.heartbeats.push((**heartbeat).clone())
            }
            _ => {}
        }
    }
    replicated
}

impl WriteControl for Table {
    async fn put_control_record(&self, record: &ControlRecord) -> PortResult<Write> {
        let put = |there: Option<&Item>| {
            let stored = match there {
                Some(Item::ControlRecord(stored)) if **stored == *record => {
                    return Some(Item::ControlRecord(stored.clone()));
                }
                Some(Item::ControlRecord(stored)) => Some(&**stored),
                _ => None,
            };
            let free = stored.map_or(0, |stored| stored.version) + 1 == record.version;
            free.then(|| {
                check::leases::granted(self.side, stored, record);
                Item::ControlRecord(Box::new(record.clone()))
            })
        };
        self.write("write a control record", Key::ControlRecord(&record.stream, &record.region), put)
            .await
            .map(outcome)
    }

    async fn mark_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        let put = |_: Option<&Item>| Some(Item::Active(stream.clone()));
        self.write("mark a stream active", Key::Active(region, stream), put).await.map(drop)
    }

    async fn clear_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        let put = |there: Option<&Item>| there.map(|_| Item::Nothing);
        self.write("clear an active stream", Key::Active(region, stream), put).await.map(drop)
    }
}

impl WriteHeartbeats for Table {
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> PortResult<Write> {
        let rank = |heartbeat: &Heartbeat| (heartbeat.broadcast.clone(), heartbeat.lease.clone());
        let put = |there: Option<&Item>| {
            let free = match there {
                Some(Item::Heartbeat(there)) => {
                    rank(there) < rank(heartbeat)
                        || (rank(there) == rank(heartbeat) && there.fencing_token == heartbeat.fencing_token)
                }
                _ => true,
            };
            free.then(|| Item::Heartbeat(Box::new(heartbeat.clone())))
        };
        let written = self.write("write a heartbeat", Key::of_heartbeat(heartbeat), put).await.map(outcome);
        if matches!(written, Ok(Write::Stored)) {
            crate::check::state::heard(&heartbeat.broadcast);
        }
        written
    }
}

impl WriteBroadcasts for Table {
    async fn record_start(&self, broadcast: &BroadcastId, region: &Region, at: Timestamp) -> PortResult<()> {
        let put = |there: Option<&Item>| there.is_none().then_some(Item::Start(at));
        self.write("record a start", Key::BroadcastStart(broadcast, region), put).await.map(drop)
    }

    async fn record_end(&self, end: &End, region: &Region) -> PortResult<()> {
        let put = |there: Option<&Item>| there.is_none().then(|| Item::End(end.clone()));
        self.write("record an end", Key::BroadcastEnd(&end.broadcast, region), put).await.map(drop)
    }
}

impl ReadBroadcasts for Table {
    async fn broadcasts(
        &self,
        stream: &StreamId,
        _after: Option<&BroadcastId>,
        _limit: usize,
    ) -> PortResult<Page<BroadcastRecord>> {
        let records = self.read("read the history", |sim| {
            let mut records: Vec<BroadcastRecord> = Vec::new();
            for (sort, item) in sim.store.partition(self.side, &broadcasts_partition(stream)) {
                let id: BroadcastId = sort.split('#').next().unwrap().parse().unwrap();
                match item {
                    Item::Start(at) => records.push(BroadcastRecord { id, started_at: *at, end: None }),
                    Item::End(end) => {
                        for record in records.iter_mut().filter(|record| record.id == id) {
                            record.end = Some(end.clone());
                        }
                    }
                    _ => {}
                }
            }
            records
        });
        Ok(Page { items: records.await?, more: false })
    }
}

/// A timeline as one replica holds it, newest entries first.
pub fn entries(sim: &Simulation, side: Side, broadcast: &BroadcastId, limit: usize) -> Vec<Entry> {
    let partition = timeline_partition(broadcast);
    let items = sim.store.partition(side, &partition).rev().take(limit);
    items
        .filter_map(|(_, item)| match item {
            Item::Entry(entry) => Some((**entry).clone()),
            _ => None,
        })
        .collect()
}

impl ReadTimeline for Table {
    async fn newest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        self.read("read a timeline", |sim| entries(sim, self.side, broadcast, limit)).await
    }

    async fn oldest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let mut all = self.newest(broadcast, usize::MAX).await?;
        all.drain(..all.len().saturating_sub(limit));
        Ok(all)
    }

    async fn all(&self, broadcast: &BroadcastId) -> PortResult<Vec<Entry>> {
        self.newest(broadcast, usize::MAX).await
    }
}

impl WriteTimeline for Table {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        let key = Key::Entry(&entry.broadcast, &entry.lease, entry.number);
        let put = |there: Option<&Item>| match there {
            Some(Item::Entry(there)) if **there != *entry && there.progress() >= entry.progress() => None,
            _ => Some(Item::Entry(Box::new(entry.clone()))),
        };
        let is_written = self.write("commit an entry", key, put).await?;
        Ok(if is_written { Commit::Committed } else { Commit::Fenced })
    }
}

impl RememberRequests for Table {
    async fn remember(
        &self,
        _key: &str,
        request: &Remembered,
        _now: Timestamp,
    ) -> PortResult<Vec<Remembered>> {
        Ok(vec![request.clone()])
    }
}
