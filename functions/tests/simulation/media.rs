//! Both regions' media buckets.

use std::collections::{BTreeMap, BTreeSet};

use headwater_domain::ports::{FaultKind, PortResult};

use super::dice;
use super::executor::sleep;
use super::table::fault;
use super::world::{self, Side, violated};

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
    sleep(dice::between(15, 80)).await;
    let (down, failing) = world::with(|world| {
        let bucket = world.region(to);
        (bucket.bucket_down || bucket.lost || (from != to && world.is_cut()), bucket.bucket_failing)
    });
    if down || dice::chance(failing) {
        return Err(fault(FaultKind::Unavailable, "store a media object"));
    }
    let other = world::with(|world| {
        let media = &mut world.media;
        media.objects[to as usize].insert(path.to_owned());
        let owner = media.writers.entry(path.to_owned()).or_insert_with(|| writer.to_owned());
        (owner != writer).then(|| owner.clone())
    });
    if let Some(other) = other {
        violated(|| format!("two writers of one object: {other} and {writer} wrote {path}"));
    }
    Ok(())
}

/// Stores an object as the transcoder does: three tries in its own bucket and, if there is to be one, as many of a
/// copy; one of both is enough.
pub async fn store(side: Side, mirror: bool, path: &str, writer: &str) -> bool {
    let mut stored = false;
    for to in [side, side.peer()] {
        if to != side && !mirror {
            continue;
        }
        for pause in [200, 400, 0] {
            if put(side, to, path, writer).await.is_ok() {
                stored = true;
                break;
            }
            sleep(pause).await;
        }
    }
    stored
}
