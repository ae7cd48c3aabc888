//! Storing objects in at least one bucket: the own region's is preferred, the mirror's copy is made beside it.
//!
//! If the own bucket fails, the mirror's copy is as good: the edge asks both buckets for every object. If it does not
//! answer in time the two race, and an own bucket that was slow is not waited for until it answers in time again
//! ([`circuit`](super::circuit)). Only if both fail the segment becomes a gap. What the own bucket lacks then is not
//! stored there later: viewers of both regions find it in the mirror.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use headwater_domain::Region;
use headwater_domain::objects::RENEW_EVERY;
use headwater_domain::ports::{Bucket, FaultKind, PortError, PortResult, PutMedia};
use headwater_task::About;
use headwater_task::timeline::{Object, ObjectKind};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::bucket::{BucketUploads, Upload};
use super::circuit::{IN_TIME, Trust};
use super::observations::Observations;

/// Initialization sections remembered as stored: those of several runs. One that is forgotten is stored again.
const MAX_INITS: usize = 64;
/// One that could not be written anew is tried again after so long; until then the one that is there serves.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// A task that leaves waits so long for mirror copies; a region that is gone must not keep it.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// What is told while this region's bucket is too slow to be waited for.
const SLOW: &str = "media bucket of this region does not answer in time";
/// How what is told begins while uploads to it fail.
const FAILS: &str = "media bucket of this region fails";

/// By mirror and path.
type Inits = BTreeMap<(Option<Region>, String), Arc<Init>>;

/// Stores objects.
#[derive(Debug)]
pub(super) struct Uploader<M> {
    media: Arc<M>,
    own: BucketUploads<M>,
    mirror: BucketUploads<M>,
    /// Whether copies go to the mirror.
    mirrors: bool,
    /// Initialization sections, each once it is stored there and with the mirror of that time. Who wants one that is being
    /// stored waits for that.
    inits: Arc<Mutex<Inits>>,
    observed: Observations,
}

/// An initialization section.
#[derive(Debug)]
struct Init {
    stored: OnceCell<()>,
    /// When it is to be written anew.
    due: Mutex<Instant>,
}

impl Init {
    fn new() -> Self {
        Self { stored: OnceCell::new(), due: Mutex::new(Instant::now() + RENEW_EVERY) }
    }

    /// Whether it is to be written anew; who is told so is the only one until `after` has passed.
    fn is_due(&self, after: Duration) -> bool {
        let mut due = self.due.lock();
        let is_due = *due <= Instant::now();
        if is_due {
            *due = Instant::now() + after;
        }
        is_due
    }

    fn renewed(&self) {
        *self.due.lock() = Instant::now() + RENEW_EVERY;
    }
}

impl<M> Clone for Uploader<M> {
    fn clone(&self) -> Self {
        Self {
            media: Arc::clone(&self.media),
            own: self.own.clone(),
            mirror: self.mirror.clone(),
            mirrors: self.mirrors,
            inits: Arc::clone(&self.inits),
            observed: self.observed.clone(),
        }
    }
}

impl<M: PutMedia + 'static> Uploader<M> {
    pub(super) fn new(media: Arc<M>, observed: Observations) -> Self {
        let own = BucketUploads::new(media.clone(), Bucket::Own);
        let mirror = BucketUploads::new(media.clone(), Bucket::Mirror);
        Self { media, own, mirror, mirrors: false, inits: Arc::default(), observed }
    }

    /// The same with or without mirror copies, as long as there is a mirror; bounds, and what is remembered of the buckets, are one for all.
    pub(super) fn mirroring(&self, mirrors: bool) -> Self {
        Self { mirrors, ..self.clone() }
    }

    /// Stores one object in at least one bucket. An initialization section that could not be stored with its first
    /// segment is so with a later one: else all that follow would name what is not there.
    pub(super) async fn store(&self, object: Object) -> PortResult<()> {
        match object.kind {
            ObjectKind::Init => self.store_init(&object).await,
            ObjectKind::Segment => self.store_anew(&object).await,
            ObjectKind::Part => self.store_part(&object).await,
        }
    }

    async fn store_init(&self, object: &Object) -> PortResult<()> {
        let init = self.init(&object.path);
        init.stored.get_or_try_init(|| self.store_anew(object)).await?;
        if init.is_due(RENEW_AGAIN) {
            match self.store_anew(object).await {
                Ok(()) => init.renewed(),
                Err(error) => {
                    let error = error.told();
                    tracing::warn!(
                        path = object.path,
                        error,
                        "an initialization section could not be written anew; it is tried again"
                    );
                }
            }
        }
        Ok(())
    }

    fn init(&self, path: &str) -> Arc<Init> {
        let place = (self.mirror(), path.to_owned());
        let mut inits = self.inits.lock();
        if inits.len() >= MAX_INITS && !inits.contains_key(&place) {
            inits.clear();
        }
        inits.entry(place).or_insert_with(|| Arc::new(Init::new())).clone()
    }

    /// The region that copies go to now.
    fn mirror(&self) -> Option<Region> {
        if self.mirrors { self.media.mirror() } else { None }
    }

    async fn store_anew(&self, object: &Object) -> PortResult<()> {
        let copy = if self.mirror().is_some() { self.copy(object) } else { None };
        let trust = self.own.trust();
        match (copy, trust) {
            (None, _) => self.own.store(object, trust, self.own_ended(object)).await,
            (Some(copy), Trust::Full) => self.prefer_own(object, copy).await,
            // The copy need not wait for the probe.
            (Some(copy), Trust::Probe) => either(self.start_own(object, trust), copy).await,
            (Some(copy), Trust::Doubt) => self.prefer_copy(object, copy).await,
        }
    }

    /// The usual way: the copy counts only if the own bucket fails, or is late.
    async fn prefer_own(&self, object: &Object, copy: Upload) -> PortResult<()> {
        let Some(mut own) = self.start_own(object, Trust::Full) else {
            return self.prefer_copy(object, copy).await;
        };
        match tokio::time::timeout(IN_TIME, &mut own).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_failed)) => copy.await,
            Err(_late) => {
                self.own_is_late(object);
                either(Some(own), copy).await
            }
        }
    }

    /// While the own bucket is not relied on it is asked only if the mirror is not either.
    async fn prefer_copy(&self, object: &Object, mut copy: Upload) -> PortResult<()> {
        let patience = if self.mirror.circuit().is_silent() { Duration::ZERO } else { IN_TIME };
        match tokio::time::timeout(patience, &mut copy).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_failed)) => self.own.store(object, Trust::Doubt, self.own_ended(object)).await,
            Err(_late) => either(self.start_own(object, Trust::Doubt), copy).await,
        }
    }

    /// A part has no copy, and no time: the segment that it is of is soon there.
    async fn store_part(&self, object: &Object) -> PortResult<()> {
        let late = |source: &str| PortError {
            kind: FaultKind::TimedOut,
            action: "store a part",
            source: source.into(),
        };
        if self.own.circuit().is_open() {
            return Err(late("the bucket did not answer in time before"));
        }
        let storing = self.own.store(object, Trust::Full, self.own_ended(object));
        tokio::time::timeout(IN_TIME, storing).await.unwrap_or_else(|_| {
            self.own_is_late(object);
            Err(late("the bucket does not answer in time"))
        })
    }

    /// The own bucket is not relied on from now on.
    fn own_is_late(&self, object: &Object) {
        if self.own.circuit().doubted(Instant::now()) {
            tracing::warn!(
                path = object.path,
                "an upload to this region's bucket is late; nothing waits for it until it answers in time again"
            );
        }
        self.observed.note(About::OwnBucket, Some(SLOW.into()));
    }

    fn start_own(&self, object: &Object, trust: Trust) -> Option<Upload> {
        self.own.start(object, trust, self.own_ended(object))
    }

    /// Tells how an upload to the own bucket has ended.
    fn own_ended(&self, object: &Object) -> impl FnOnce(&PortResult<()>) + Send + use<M> {
        let (uploader, path) = (self.clone(), object.path.clone());
        move |stored| uploader.tell_own(&path, stored)
    }

    fn tell_own(&self, path: &str, stored: &PortResult<()>) {
        match stored {
            Ok(()) if !self.own.circuit().is_open() => self.observed.note(About::OwnBucket, None),
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(path, error = error.told(), "an upload to this region's bucket failed");
                let problem = match error.kind {
                    FaultKind::TimedOut => SLOW.to_owned(),
                    _ => format!("{FAILS}: {}", error.told()),
                };
                self.observed.note(About::OwnBucket, Some(problem));
            }
        }
    }

    /// Starts the mirror copy, if there is room: the memory of a slow peer region is not ours.
    fn copy(&self, object: &Object) -> Option<Upload> {
        let (observed, path) = (self.observed.clone(), object.path.clone());
        let ended = move |copied: &PortResult<()>| {
            if let Err(error) = copied {
                tracing::warn!(path, error = error.told(), "an object was not mirrored");
                let problem = match error.kind {
                    FaultKind::TimedOut => "mirror bucket does not answer in time".to_owned(),
                    _ => format!("mirror bucket fails: {}", error.told()),
                };
                observed.note(About::Mirror, Some(problem));
            }
        };
        let copy = self.mirror.start(object, self.mirror.trust(), ended);
        if copy.is_none() {
            tracing::warn!(path = object.path, "an object was not mirrored: the mirror bucket is too slow");
            let problem = "the mirror bucket is too slow; media is not mirrored".to_owned();
            self.observed.note(About::Mirror, Some(problem));
        }
        copy
    }

    /// Objects that wait for their mirror copies.
    pub(super) fn mirror_lag(&self) -> u64 {
        self.mirror.under_way() as u64
    }

    /// Waits until no mirror copy is under way, within limits.
    pub(super) async fn drain(&self) {
        if tokio::time::timeout(DRAIN_WITHIN, self.mirror.settled()).await.is_err() {
            tracing::warn!(
                objects = self.mirror.under_way(),
                "the task left before all objects were mirrored"
            );
        }
    }
}

/// The first of the two that succeeds; if none does, the error of the last.
async fn either(own: Option<Upload>, copy: Upload) -> PortResult<()> {
    let Some(own) = own else { return copy.await };
    let (first, other) = select(own, copy).await.factor_first();
    if first.is_ok() { first } else { other.await }
}

#[cfg(test)]
mod tests;
