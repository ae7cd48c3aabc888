//! Both regions' media buckets.

use std::collections::{BTreeMap, BTreeSet};

use futures::channel::oneshot;
use headwater_domain::ports::{FaultKind, PortResult};

use super::executor::{self, NETWORK, sleep};
use super::rng;
use super::simulation::{self, Side, violated};
use super::table::fault;

/// Which objects are where, and who wrote them.
#[derive(Debug, Default)]
pub struct Media {
    objects: [BTreeSet<String>; 2],
    writers: BTreeMap<String, String>,
}

impl Media {
    /// Whether the edge finds it: it asks both buckets.
    pub fn has(&self, path: &str) -> bool {
        self.objects.iter().any(|bucket| bucket.contains(path))
    }
}

/// Puts one object into the bucket of `to`.
async fn put(from: Side, to: Side, path: &str, writer: &str) -> PortResult<()> {
    sleep(rng::between(15, 80)).await;
    let (down, failing) = simulation::with(|sim| {
        let bucket = sim.region(to);
        (bucket.bucket_down || bucket.lost || (from != to && sim.is_cut()), bucket.bucket_failing)
    });
    if down || rng::chance(failing) {
        return Err(fault(FaultKind::Unavailable, "store a media object"));
    }
    let other = simulation::with(|sim| {
        let media = &mut sim.media;
        media.objects[to as usize].insert(path.to_owned());
        let owner = media.writers.entry(path.to_owned()).or_insert_with(|| writer.to_owned());
        (owner != writer).then(|| owner.clone())
    });
    if let Some(other) = other {
        violated(|| format!("two writers of one object: {other} and {writer} wrote {path}"));
    }
    Ok(())
}

/// Stores an object as the transcoder does: in its own bucket, with a copy beside it if there is to be one; only if the
/// own bucket fails the copy is waited for.
pub async fn store(side: Side, mirror: bool, path: &str, writer: &str) -> bool {
    let copy = mirror.then(|| {
        let (done, copied) = oneshot::channel();
        let (path, writer) = (path.to_owned(), writer.to_owned());
        executor::spawn(NETWORK, async move {
            let _ = done.send(put_often(side, side.peer(), &path, &writer).await);
        });
        copied
    });
    if put_often(side, side, path, writer).await {
        return true;
    }
    match copy {
        Some(copied) => copied.await.unwrap_or(false),
        None => false,
    }
}

async fn put_often(from: Side, to: Side, path: &str, writer: &str) -> bool {
    for pause in [200, 400, 0] {
        if put(from, to, path, writer).await.is_ok() {
            return true;
        }
        sleep(pause).await;
    }
    false
}
