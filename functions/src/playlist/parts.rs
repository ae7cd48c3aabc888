//! Parts that are asked for before they are there: what EXT-X-PRELOAD-HINT leads to.
//!
//! The edge asks the bucket first, and us only if that has no such object. We wait until the timeline names the part,
//! which is after it was stored, and answer with its bytes; so a player has them one round trip after they exist,
//! without having seen a playlist that names them. Whoever asks later gets them from the edge's cache or the bucket.
//! Each region answers for its own parts only.

use headwater_domain::paths::PartPath;
use headwater_domain::ports::{ReadParts, ReadTimeline};
use headwater_domain::timeline::{Entry, Wanted};

use super::PlaylistFunction;
use super::available_parts::{Availability, judge};
use super::directives::Position;
use super::output::Reply;
use super::wait::{PATIENCE, Waited};
use crate::reply::Problem;

impl<T: ReadTimeline, P: ReadParts> PlaylistFunction<T, P> {
    /// The bytes of a part, as soon as there are any.
    pub(super) async fn part(&self, wanted: &PartPath) -> Result<Reply, Problem> {
        let none = || Problem::not_found("part");
        if wanted.lease.region != self.context.region {
            return Err(none());
        }
        let (waited, entries) =
            self.wait(&wanted.broadcast, PATIENCE, |entries| judge_part(entries, wanted)).await?;
        let entry = entries.iter().find(|entry| entry.stores(wanted));
        let (Waited::There, Some(entry)) = (waited, entry) else { return Err(none()) };
        let Some(bytes) = self.parts.part(wanted).await? else {
            tracing::warn!(part = %wanted, "the timeline names a part that the bucket does not have");
            return Err(none());
        };
        let is_audio = entry.rendition(wanted.rendition.as_str()).is_some_and(|one| one.kind.is_audio());
        Ok(Reply::part(bytes, if is_audio { "audio/mp4" } else { "video/mp4" }))
    }
}

/// Only what the lease that writes now can still write is worth a wait.
fn judge_part(entries: &[Entry], wanted: &PartPath) -> Availability {
    let Some(last) = entries.last() else { return Availability::Never };
    if entries.iter().any(|entry| entry.stores(wanted)) {
        return Availability::There;
    }
    let Some(rendition) = last.rendition(wanted.rendition.as_str()).filter(|_| last.lease == wanted.lease)
    else {
        return Availability::Never;
    };
    if last.number == wanted.number && !last.open {
        return Availability::Never;
    }
    let position = Position { segment: wanted.number.0, part: Some(wanted.part) };
    match judge(entries, &Wanted::of(rendition), position) {
        // The playlist is past it, and it is not there: it was never stored, or its segment had fewer parts.
        Availability::There => Availability::Never,
        availability => availability,
    }
}
