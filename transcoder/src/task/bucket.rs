//! One bucket's uploads: bounded in number, bytes and time, and what is remembered of how the bucket answers. Must not know
//! that there is another bucket.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use headwater_domain::ports::{Bucket, FaultKind, PortError, PortResult, PutMedia};
use headwater_task::timeline::Object;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::circuit::{Circuit, Trust};

/// Uploads under way at once, in objects: five segments of four renditions.
const MAX_OBJECTS: usize = 20;
/// The same in KiB: what hangs holds its bytes. The largest segment that the gateway admits (50 Mbit/s for four seconds)
/// fits; a larger object takes all.
const MAX_KIB: u32 = 32 << 10;
/// How often an object is tried again after a refusal or failure, beyond what the SDK does by itself.
const TRIES: u32 = 3;
/// Pause before the next try; doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// What is being done, in errors.
const ACTION: &str = "store a media object";
/// Why an upload is given up.
const SILENT: &str = "the bucket does not answer";

/// Uploads to one bucket. Clones share bounds and memory.
#[derive(Debug)]
pub(super) struct BucketUploads<M> {
    media: Arc<M>,
    bucket: Bucket,
    objects: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    circuit: Arc<Mutex<Circuit>>,
}

impl<M> Clone for BucketUploads<M> {
    fn clone(&self) -> Self {
        Self {
            media: self.media.clone(),
            bucket: self.bucket,
            objects: self.objects.clone(),
            kib: self.kib.clone(),
            circuit: self.circuit.clone(),
        }
    }
}

/// Waits for an upload under way, no longer than the bucket is worth waiting for. Dropped or waited for in vain, the upload
/// goes on in the background to its own end, no later than its deadline: that is how a bucket is found to answer again.
pub(super) type Upload = BoxFuture<'static, PortResult<()>>;

/// Room for one object among those under way.
type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl<M: PutMedia + 'static> BucketUploads<M> {
    pub(super) fn new(media: Arc<M>, bucket: Bucket) -> Self {
        let (objects, kib) = (Semaphore::new(MAX_OBJECTS), Semaphore::new(MAX_KIB as usize));
        Self { media, bucket, objects: Arc::new(objects), kib: Arc::new(kib), circuit: Arc::default() }
    }

    pub(super) fn circuit(&self) -> MutexGuard<'_, Circuit> {
        lock(&self.circuit)
    }

    /// How far the bucket is relied on now.
    pub(super) fn trust(&self) -> Trust {
        self.circuit().trust(Instant::now())
    }

    /// Starts an upload; nothing if there is no room. `ended` hears of its end.
    pub(super) fn start(
        &self,
        object: &Object,
        trust: Trust,
        ended: impl FnOnce(&PortResult<()>) + Send + 'static,
    ) -> Option<Upload> {
        let objects = Arc::clone(&self.objects).try_acquire_owned().ok()?;
        let kib = Arc::clone(&self.kib).try_acquire_many_owned(kib(object)).ok()?;
        Some(self.start_in((objects, kib), object, trust, ended))
    }

    /// Uploads an object as soon as there is room.
    pub(super) async fn store(
        &self,
        object: &Object,
        trust: Trust,
        ended: impl FnOnce(&PortResult<()>) + Send + 'static,
    ) -> PortResult<()> {
        let patience = self.circuit().patience();
        match tokio::time::timeout(patience, self.room(object)).await {
            Ok(room) => self.start_in(room, object, trust, ended).await,
            Err(_elapsed) => Err(unanswered("no earlier upload has ended", patience)),
        }
    }

    fn start_in(
        &self,
        room: Room,
        object: &Object,
        trust: Trust,
        ended: impl FnOnce(&PortResult<()>) + Send + 'static,
    ) -> Upload {
        let within = self.circuit().deadline(trust);
        let patience = self.circuit().patience();
        let (uploads, object, circuit) = (self.clone(), object.clone(), Arc::clone(&self.circuit));
        let upload = tokio::spawn(async move {
            let result = uploads.put(&object, within, room).await;
            ended(&result);
            result
        });
        Box::pin(async move {
            match tokio::time::timeout(patience, upload).await {
                Ok(Ok(result)) => result,
                Ok(Err(died)) => {
                    let source = died.into();
                    Err(PortError { kind: FaultKind::Unavailable, action: ACTION, source })
                }
                Err(_elapsed) => {
                    lock(&circuit).unanswered(Instant::now(), patience);
                    Err(unanswered(SILENT, patience))
                }
            }
        })
    }

    async fn room(&self, object: &Object) -> Room {
        const OPEN: &str = "semaphores of ours are never closed";
        let objects = Arc::clone(&self.objects).acquire_owned().await.expect(OPEN);
        (objects, Arc::clone(&self.kib).acquire_many_owned(kib(object)).await.expect(OPEN))
    }

    /// Uploads an object, and remembers how the bucket answered. Its room is free again when this ends.
    async fn put(&self, object: &Object, within: Duration, room: Room) -> PortResult<()> {
        let begun = Instant::now();
        let result = tokio::time::timeout(within, self.tries(object)).await;
        drop(room);
        match result {
            Ok(Ok(())) => {
                if self.circuit().answered(begun.elapsed()) {
                    tracing::info!(bucket = ?self.bucket, "the bucket answers in time again");
                }
                Ok(())
            }
            Ok(Err(error)) => {
                // What is refused is refused for what it is; the bucket may be well.
                if !error.kind.is_refusal() {
                    self.circuit().doubted(Instant::now());
                }
                Err(error)
            }
            Err(_elapsed) => {
                self.circuit().unanswered(Instant::now(), within);
                Err(unanswered(SILENT, within))
            }
        }
    }

    async fn tries(&self, object: &Object) -> PortResult<()> {
        let mut pause = PAUSE;
        let mut tried = 1;
        loop {
            let body = object.body.clone();
            match self.media.put_media(self.bucket, &object.path, object.content_type, body).await {
                Err(error) if tried < TRIES && !error.kind.is_refusal() => {
                    tracing::debug!(path = object.path, error = error.told(), "an upload is tried again");
                }
                result => return result,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            tried += 1;
        }
    }

    /// Uploads under way.
    pub(super) fn under_way(&self) -> usize {
        MAX_OBJECTS - self.objects.available_permits()
    }

    /// Waits until none is.
    pub(super) async fn settled(&self) {
        let all = u32::try_from(MAX_OBJECTS).expect("a small number");
        drop(self.objects.acquire_many(all).await);
    }
}

fn lock(circuit: &Mutex<Circuit>) -> MutexGuard<'_, Circuit> {
    circuit.lock()
}

fn kib(object: &Object) -> u32 {
    u32::try_from(object.body.len().div_ceil(1024)).unwrap_or(MAX_KIB).min(MAX_KIB)
}

fn unanswered(what: &str, within: Duration) -> PortError {
    let source = format!("{what} within {} ms", within.as_millis()).into();
    PortError { kind: FaultKind::TimedOut, action: ACTION, source }
}
