//! A timeline and buckets in memory that can be told to fail, and that tell what was tried.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use headwater_domain::Region;
use headwater_domain::ports::{
    Bucket, Commit, FaultKind, PortError, PortResult, PutMedia, ReadTimeline, WriteTimeline,
};
use headwater_domain::testing::fakes::{MemoryBuckets, MemoryTable};
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, Lease};
use tokio::sync::watch;

use crate::support::PATIENCE;

fn fault(kind: FaultKind) -> PortError {
    PortError { kind, action: "be tested", source: "out of order".into() }
}

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) table: MemoryTable,
    /// So many commits are throttled.
    throttle: Mutex<u32>,
    /// From this number on everything is fenced.
    fence_from: Mutex<Option<u64>>,
    /// Tried and committed, in order: (lease, number, committed).
    log: watch::Sender<Vec<(u32, u64, bool)>>,
}

impl Timeline {
    pub(crate) fn throttle(&self, commits: u32) {
        *self.throttle.lock().unwrap() = commits;
    }

    pub(crate) fn fence_from(&self, number: u64) {
        *self.fence_from.lock().unwrap() = Some(number);
    }

    pub(crate) fn log(&self) -> Vec<(u32, u64, bool)> {
        self.log.borrow().clone()
    }

    pub(crate) async fn entries(&self, broadcast: &BroadcastId) -> Vec<Entry> {
        headwater_domain::timeline::resolve(self.table.all(broadcast).await.unwrap())
    }

    /// Waits until `count` entries were committed by `lease`.
    pub(crate) async fn committed(&self, lease: &Lease, count: usize) {
        let mut log = self.log.subscribe();
        let by = lease.number.0;
        let enough =
            log.wait_for(|log| log.iter().filter(|(lease, _, done)| *lease == by && *done).count() >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("entries are committed").unwrap();
    }
}

impl WriteTimeline for Timeline {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        let throttled = {
            let mut left = self.throttle.lock().unwrap();
            let throttled = *left > 0;
            *left = left.saturating_sub(1);
            throttled
        };
        let fenced = self.fence_from.lock().unwrap().is_some_and(|from| entry.number.0 >= from);
        let outcome = match (throttled, fenced) {
            (true, _) => Err(fault(FaultKind::Throttled)),
            (_, true) => Ok(Commit::Fenced),
            _ => self.table.commit(entry).await,
        };
        let done = matches!(outcome, Ok(Commit::Committed));
        self.log.send_modify(|log| log.push((entry.lease.number.0, entry.number.0, done)));
        outcome
    }
}

/// How a bucket fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fares {
    #[default]
    Well,
    Fails,
    /// Fails once for each object of the first segment.
    FailsAtFirst,
    /// Partial segments are refused.
    PartsFail,
    /// Never answers.
    Hangs,
}

#[derive(Debug, Default)]
pub(crate) struct Buckets {
    memory: MemoryBuckets,
    own: Mutex<Fares>,
    mirror: Mutex<Fares>,
    tried: watch::Sender<Vec<(Bucket, String)>>,
}

impl Buckets {
    pub(crate) fn fare(&self, own: Fares, mirror: Fares) {
        *self.own.lock().unwrap() = own;
        *self.mirror.lock().unwrap() = mirror;
    }

    pub(crate) fn get(&self, bucket: Bucket, path: &str) -> Option<Bytes> {
        self.memory.get(bucket, path)
    }

    /// Waits until what was tried is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&[(Bucket, String)]) -> bool) {
        let mut tried = self.tried.subscribe();
        let found = tried.wait_for(|tried| wanted(tried));
        tokio::time::timeout(PATIENCE, found).await.expect("objects are stored").unwrap();
    }

    pub(crate) fn tried(&self, bucket: Bucket) -> Vec<String> {
        self.tried.borrow().iter().filter(|(of, _)| *of == bucket).map(|(_, path)| path.clone()).collect()
    }
}

impl PutMedia for Buckets {
    fn mirror(&self) -> Option<Region> {
        self.memory.mirror()
    }

    async fn put_media(
        &self,
        bucket: Bucket,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> PortResult<()> {
        self.tried.send_modify(|tried| tried.push((bucket, path.to_owned())));
        let fares = *if bucket == Bucket::Own { &self.own } else { &self.mirror }.lock().unwrap();
        let tries = self.tried(bucket).iter().filter(|tried| *tried == path).count();
        let first = tries == 1 && (path.ends_with("/0.m4s") || path.ends_with("/init-0.mp4"));
        match fares {
            Fares::Fails => return Err(fault(FaultKind::Refused)),
            Fares::PartsFail if path.contains("/parts/") => return Err(fault(FaultKind::Refused)),
            Fares::FailsAtFirst if first => return Err(fault(FaultKind::Refused)),
            Fares::Hangs => tokio::time::sleep(Duration::from_secs(86_400)).await,
            _ => {}
        }
        self.memory.put_media(bucket, path, content_type, body).await
    }
}
