//! Written fakes: a table in memory, a cluster that counts, a bucket in memory.
//!
//! [`MemoryTable`] is one region's table: like a DynamoDB replica it checks conditions on what it holds. Give clones of
//! one table to two "regions" to have replication without lag.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::control::decide::StartTask;
use crate::control::{ControlRecord, End, ReplicatedState};
use crate::heartbeat::Heartbeat;
use crate::ids::{BroadcastId, KeyId, Lease, Region, SegmentNumber, StreamId};
use crate::key::{KeyRecord, KeyRing};
use crate::paths::PartPath;
use crate::ports::*;
use crate::stream::StreamDocument;
use crate::time::Timestamp;
use crate::timeline::Entry;

#[derive(Debug, Default)]
struct Items {
    documents: BTreeMap<(StreamId, Region), StreamDocument>,
    listing: BTreeMap<ListingPosition, ()>,
    keys: BTreeMap<(StreamId, KeyId), KeyRecord>,
    revoked: BTreeMap<(StreamId, KeyId, Region), Timestamp>,
    records: BTreeMap<(StreamId, Region), ControlRecord>,
    heartbeats: BTreeMap<(StreamId, Region, bool), Heartbeat>,
    active: BTreeMap<(Region, StreamId), ()>,
    starts: BTreeMap<BroadcastId, Timestamp>,
    ends: BTreeMap<BroadcastId, End>,
    entries: BTreeMap<(BroadcastId, SegmentNumber, Lease), Entry>,
    requests: BTreeMap<(String, Region), (Remembered, Timestamp)>,
}

/// A table in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryTable(Arc<Mutex<Items>>);

impl MemoryTable {
    fn items(&self) -> MutexGuard<'_, Items> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

fn stored(stored: bool) -> Write {
    if stored { Write::Stored } else { Write::Lost }
}

impl ReadStreams for MemoryTable {
    async fn stream(&self, id: &StreamId) -> PortResult<Option<StreamDocument>> {
        let items = self.items();
        Ok(StreamDocument::current(
            items.documents.iter().filter(|((stream, _), _)| stream == id).map(|(_, d)| d.clone()),
        ))
    }

    async fn streams(
        &self,
        after: Option<&ListingPosition>,
        limit: usize,
    ) -> PortResult<Page<ListingPosition>> {
        let items = self.items();
        let rest: Vec<_> = items
            .listing
            .keys()
            .rev()
            .filter(|place| after.is_none_or(|after| *place < after))
            .cloned()
            .collect();
        Ok(Page { more: rest.len() > limit, items: rest.into_iter().take(limit).collect() })
    }
}

impl WriteStreams for MemoryTable {
    async fn put_stream(&self, document: &StreamDocument) -> PortResult<Write> {
        let mut items = self.items();
        let key = (document.id.clone(), document.region.clone());
        let free = items
            .documents
            .get(&key)
            .is_none_or(|there| there.version < document.version || there == document);
        if free {
            items.documents.insert(key, document.clone());
        }
        Ok(stored(free))
    }

    async fn list_stream(&self, document: &StreamDocument) -> PortResult<()> {
        self.items()
            .listing
            .insert(ListingPosition { created_at: document.created_at, id: document.id.clone() }, ());
        Ok(())
    }

    async fn unlist_stream(&self, document: &StreamDocument) -> PortResult<()> {
        self.items()
            .listing
            .remove(&ListingPosition { created_at: document.created_at, id: document.id.clone() });
        Ok(())
    }
}

impl ReadKeys for MemoryTable {
    async fn key_ring(&self, stream: &StreamId) -> PortResult<KeyRing> {
        let items = self.items();
        Ok(KeyRing {
            keys: items.keys.values().filter(|record| record.stream == *stream).cloned().collect(),
            revoked: items
                .revoked
                .iter()
                .filter(|((of, _, _), _)| of == stream)
                .map(|((_, key, _), at)| (key.clone(), *at))
                .collect(),
        })
    }

    async fn key(&self, stream: &StreamId, key: &KeyId) -> PortResult<KeyRing> {
        Ok(self.key_ring(stream).await?.only(key))
    }
}

impl WriteKeys for MemoryTable {
    async fn add_key(&self, record: &KeyRecord) -> PortResult<()> {
        self.items().keys.entry((record.stream.clone(), record.id.clone())).or_insert_with(|| record.clone());
        Ok(())
    }

    async fn revoke_key(
        &self,
        stream: &StreamId,
        key: &KeyId,
        region: &Region,
        at: Timestamp,
    ) -> PortResult<()> {
        self.items().revoked.entry((stream.clone(), key.clone(), region.clone())).or_insert(at);
        Ok(())
    }
}

impl ReadControl for MemoryTable {
    async fn replicated_state(&self, stream: &StreamId) -> PortResult<ReplicatedState> {
        let items = self.items();
        Ok(ReplicatedState {
            records: items.records.values().filter(|record| record.stream == *stream).cloned().collect(),
            heartbeats: items
                .heartbeats
                .values()
                .filter(|heartbeat| heartbeat.stream == *stream)
                .cloned()
                .collect(),
        })
    }

    async fn active(&self, region: &Region) -> PortResult<Vec<StreamId>> {
        Ok(self
            .items()
            .active
            .keys()
            .filter(|(of, _)| of == region)
            .map(|(_, stream)| stream.clone())
            .collect())
    }
}

impl WriteControl for MemoryTable {
    async fn put_control_record(&self, record: &ControlRecord) -> PortResult<Write> {
        let mut items = self.items();
        let key = (record.stream.clone(), record.region.clone());
        let there = items.records.get(&key);
        let free = there == Some(record) || there.map_or(0, |there| there.version) + 1 == record.version;
        if free {
            items.records.insert(key, record.clone());
        }
        Ok(stored(free))
    }

    async fn mark_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.items().active.insert((region.clone(), stream.clone()), ());
        Ok(())
    }

    async fn clear_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.items().active.remove(&(region.clone(), stream.clone()));
        Ok(())
    }
}

impl WriteHeartbeats for MemoryTable {
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> PortResult<Write> {
        let mut items = self.items();
        let key = (heartbeat.stream.clone(), heartbeat.region.clone(), heartbeat.is_of_a_standby());
        let rank = |heartbeat: &Heartbeat| (heartbeat.broadcast.clone(), heartbeat.lease.clone());
        let free = items.heartbeats.get(&key).is_none_or(|there| {
            rank(there) < rank(heartbeat)
                || (rank(there) == rank(heartbeat) && there.fencing_token == heartbeat.fencing_token)
        });
        if free {
            items.heartbeats.insert(key, heartbeat.clone());
        }
        Ok(stored(free))
    }
}

impl ReadBroadcasts for MemoryTable {
    async fn broadcasts(
        &self,
        stream: &StreamId,
        after: Option<&BroadcastId>,
        limit: usize,
    ) -> PortResult<Page<BroadcastRecord>> {
        let items = self.items();
        let all: std::collections::BTreeSet<_> = items.starts.keys().chain(items.ends.keys()).collect();
        let of = all.into_iter().rev().filter(|id| id.stream() == *stream);
        let rest: Vec<_> = of
            .filter(|id| after.is_none_or(|after| *id < after))
            .map(|id| BroadcastRecord {
                id: id.clone(),
                started_at: items.starts.get(id).copied().unwrap_or(Timestamp(id.unix_ms())),
                end: items.ends.get(id).cloned(),
            })
            .collect();
        Ok(Page { more: rest.len() > limit, items: rest.into_iter().take(limit).collect() })
    }
}

impl WriteBroadcasts for MemoryTable {
    async fn record_start(&self, broadcast: &BroadcastId, _region: &Region, at: Timestamp) -> PortResult<()> {
        self.items().starts.entry(broadcast.clone()).or_insert(at);
        Ok(())
    }

    async fn record_end(&self, end: &End, _region: &Region) -> PortResult<()> {
        self.items().ends.entry(end.broadcast.clone()).or_insert_with(|| end.clone());
        Ok(())
    }
}

impl ReadTimeline for MemoryTable {
    async fn newest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let mut entries = self.all(broadcast).await?;
        entries.reverse();
        entries.truncate(limit);
        Ok(entries)
    }

    async fn oldest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let mut entries = self.all(broadcast).await?;
        entries.truncate(limit);
        Ok(entries)
    }

    async fn all(&self, broadcast: &BroadcastId) -> PortResult<Vec<Entry>> {
        Ok(self.items().entries.values().filter(|entry| entry.broadcast == *broadcast).cloned().collect())
    }
}

impl WriteTimeline for MemoryTable {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        let mut items = self.items();
        let key = (entry.broadcast.clone(), entry.number, entry.lease.clone());
        let there = items.entries.entry(key).or_insert_with(|| entry.clone());
        if there.progress() < entry.progress() {
            *there = entry.clone();
        }
        Ok(if there == entry { Commit::Committed } else { Commit::Fenced })
    }
}

impl RememberRequests for MemoryTable {
    async fn remember(&self, key: &str, request: &Remembered, now: Timestamp) -> PortResult<Vec<Remembered>> {
        let mut items = self.items();
        items.requests.retain(|_, (_, until)| now < *until);
        let place = (key.to_owned(), request.region.clone());
        items.requests.entry(place).or_insert_with(|| (request.clone(), now + REMEMBERED_FOR));
        let there = items.requests.iter().filter(|((of, _), _)| of == key);
        Ok(there.map(|(_, (request, _))| request.clone()).collect())
    }
}

/// A cluster that notes what it was asked to start; it can be told to fail.
#[derive(Debug, Clone, Default)]
pub struct FakeCluster(Arc<Mutex<(Vec<StartTask>, Option<TaskStart>)>>);

impl FakeCluster {
    /// What was started so far.
    pub fn started(&self) -> Vec<StartTask> {
        self.0.lock().expect("no test panics while it holds this").0.clone()
    }

    /// From now on tasks fail for this reason, or start again.
    pub fn fail(&self, reason: Option<&str>) {
        self.0.lock().expect("no test panics while it holds this").1 =
            reason.map(|reason| TaskStart::Failed(reason.to_owned()));
    }

    /// From now on too many tasks are started, until [`FakeCluster::fail`] says otherwise.
    pub fn throttle(&self, reason: &str) {
        let throttled = TaskStart::Throttled(reason.to_owned());
        self.0.lock().expect("no test panics while it holds this").1 = Some(throttled);
    }

    /// From now on it hears, starts and says nothing, until [`FakeCluster::fail`] says otherwise.
    pub fn fall_silent(&self) {
        self.0.lock().expect("no test panics while it holds this").1 = Some(TaskStart::Unanswered);
    }
}

impl StartTasks for FakeCluster {
    async fn start(&self, task: &StartTask) -> PortResult<TaskStart> {
        let mut state = self.0.lock().expect("no test panics while it holds this");
        let outcome = state.1.clone().unwrap_or(TaskStart::Started);
        let is_heard = matches!(outcome, TaskStart::Started | TaskStart::Unanswered);
        if is_heard && !state.0.contains(task) {
            state.0.push(task.clone());
        }
        Ok(outcome)
    }
}

/// Buckets in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryBuckets(Arc<Mutex<BTreeMap<(bool, String), Bytes>>>);

impl MemoryBuckets {
    /// An object, if it is there.
    pub fn get(&self, bucket: Bucket, path: &str) -> Option<Bytes> {
        let objects = self.0.lock().expect("no test panics while it holds this");
        objects.get(&(bucket == Bucket::Own, path.to_owned())).cloned()
    }
}

impl PutMedia for MemoryBuckets {
    fn mirror(&self) -> Option<Region> {
        "eu-west-1".parse().ok()
    }

    async fn put_media(
        &self,
        bucket: Bucket,
        path: &str,
        _type: &'static str,
        body: Bytes,
    ) -> PortResult<()> {
        let mut objects = self.0.lock().expect("no test panics while it holds this");
        objects.insert((bucket == Bucket::Own, path.to_owned()), body);
        Ok(())
    }
}

impl ReadParts for MemoryBuckets {
    async fn part(&self, path: &PartPath) -> PortResult<Option<Bytes>> {
        Ok(self.get(Bucket::Own, &path.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::testing::conformance;

    #[test]
    fn the_table_in_memory_conforms() {
        let table = MemoryTable::default();
        block_on(async {
            conformance::streams(&table, 1).await;
            conformance::keys(&table, 2).await;
            conformance::live(&table, 3).await;
            conformance::broadcasts(&table, 4).await;
            conformance::timeline(&table, 5).await;
            conformance::requests(&table, 6).await;
            conformance::parts(&MemoryBuckets::default(), 7).await;
        });
    }
}
