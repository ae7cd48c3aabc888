//! Storing objects: the own region's bucket gates the commit, the mirror copy runs beside it.
//!
//! If the own bucket fails, the mirror copy is as good: the edge asks both buckets for every object. Only if both fail
//! the segment becomes a gap.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use headwater_domain::ports::{Bucket, FaultKind, PortError, PortResult, PutMedia};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::vitals::Vitals;

/// Mirror copies under way at once, in objects: five segments of four renditions. What is beyond is not mirrored, and
/// counted; the memory of a slow peer region is not ours.
const MAX_MIRRORING: usize = 20;
/// Initialization sections remembered as stored: those of several runs. One that is forgotten is stored again.
const MAX_INITS: usize = 64;
/// How often an object is tried again, beyond what the SDK does by itself.
const TRIES: u32 = 3;
/// Pause before the next try; doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// A task that leaves waits so long for mirror copies; a region that is gone must not keep it.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);

/// One object to store.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    pub(super) kind: Kind,
}

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An initialization section: comes with every segment, is stored once.
    Init,
    Segment,
    /// A partial segment: for viewers at the live edge only, whose bytes are in a segment soon. Never mirrored: every copy
    /// costs a request, and the edge asks for parts where they are made.
    Part,
}

/// Stores objects.
#[derive(Debug)]
pub(super) struct Uploader<M> {
    media: Arc<M>,
    mirror: bool,
    mirroring: Arc<Semaphore>,
    /// Initialization sections that are stored.
    inits: Arc<Mutex<BTreeSet<String>>>,
    vitals: Vitals,
}

impl<M> Clone for Uploader<M> {
    fn clone(&self) -> Self {
        Self {
            media: Arc::clone(&self.media),
            mirror: self.mirror,
            mirroring: Arc::clone(&self.mirroring),
            inits: Arc::clone(&self.inits),
            vitals: self.vitals.clone(),
        }
    }
}

impl<M: PutMedia + 'static> Uploader<M> {
    pub(super) fn new(media: Arc<M>, vitals: Vitals) -> Self {
        let mirroring = Arc::new(Semaphore::new(MAX_MIRRORING));
        Self { media, mirror: false, mirroring, inits: Arc::default(), vitals }
    }

    /// The same with or without mirror copies; the bound on those under way is one for all.
    pub(super) fn mirroring(&self, mirror: bool) -> Self {
        Self { mirror, ..self.clone() }
    }

    /// Stores one object in at least one bucket. An initialization section that could not be stored with its first
    /// segment is so with a later one: else all that follow would name what is not there.
    pub(super) async fn store(&self, object: Object) -> PortResult<()> {
        if object.kind != Kind::Init {
            return self.store_anew(object).await;
        }
        let path = object.path.clone();
        if self.inits().contains(&path) {
            return Ok(());
        }
        self.store_anew(object).await?;
        let mut inits = self.inits();
        if inits.len() == MAX_INITS {
            inits.clear();
        }
        inits.insert(path);
        Ok(())
    }

    fn inits(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.inits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store_anew(&self, object: Object) -> PortResult<()> {
        let copy = if object.kind == Kind::Part { None } else { self.mirror(&object) };
        match put(&*self.media, Bucket::Own, &object).await {
            Ok(()) => Ok(()),
            Err(own) => {
                tracing::warn!(
                    path = object.path,
                    error = &own as &dyn std::error::Error,
                    "the own bucket fails"
                );
                let problem = format!("media bucket of this region fails: {own}");
                self.vitals.update(|health| health.problem = Some(problem));
                match copy {
                    Some(copy) => copy.await.unwrap_or_else(|panic| Err(joined(panic))),
                    None => Err(own),
                }
            }
        }
    }

    /// Starts the mirror copy, if there is to be one and there is room.
    fn mirror(&self, object: &Object) -> Option<JoinHandle<PortResult<()>>> {
        if !self.mirror {
            return None;
        }
        let Ok(room) = Arc::clone(&self.mirroring).try_acquire_owned() else {
            tracing::warn!(path = object.path, "not mirrored: the mirror bucket is too slow");
            self.vitals.update(|health| {
                health.problem = Some("the mirror bucket is too slow; media is not mirrored".into())
            });
            return None;
        };
        self.count_mirroring();
        let (uploader, object) = (self.clone(), object.clone());
        Some(tokio::spawn(uploader.copy(object, room)))
    }

    async fn copy(self, object: Object, room: OwnedSemaphorePermit) -> PortResult<()> {
        let result = put(&*self.media, Bucket::Mirror, &object).await;
        if let Err(error) = &result {
            tracing::warn!(path = object.path, error = error as &dyn std::error::Error, "not mirrored");
            self.vitals.update(|health| health.problem = Some(format!("mirror bucket fails: {error}")));
        }
        drop(room);
        self.count_mirroring();
        result
    }

    fn count_mirroring(&self) {
        // Read while the health is held: the last word is the newest.
        self.vitals.update(|health| health.mirror_lag = self.under_way() as u64);
    }

    fn under_way(&self) -> usize {
        MAX_MIRRORING - self.mirroring.available_permits()
    }

    /// Waits until no mirror copy is under way, within limits.
    pub(super) async fn settle(&self) {
        let all = u32::try_from(MAX_MIRRORING).expect("a small number");
        if tokio::time::timeout(SETTLE_WITHIN, self.mirroring.acquire_many(all)).await.is_err() {
            tracing::warn!(objects = self.under_way(), "left before they were mirrored");
        }
    }
}

async fn put(media: &impl PutMedia, bucket: Bucket, object: &Object) -> PortResult<()> {
    let mut pause = PAUSE;
    let mut tried = 1;
    loop {
        match media.put_media(bucket, &object.path, object.content_type, object.body.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) if tried == TRIES || error.kind == FaultKind::Refused => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        tried += 1;
    }
}

fn joined(error: tokio::task::JoinError) -> PortError {
    PortError { kind: FaultKind::Unavailable, action: "mirror a media object", source: error.into() }
}
