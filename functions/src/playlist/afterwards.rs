//! What of a broadcast can still be watched when it is over: what was recorded, until its stream is deleted or it expires.
//! Entries say themselves whether they are recorded, for they say where their media lies; settings may have changed since.
//!
//! Answers of what will be gone soon are kept for a second, those of a recording for a minute; so of a stream that is deleted
//! the edge has nothing a minute later.

use std::time::Duration;

use headwater_domain::BroadcastId;
use headwater_domain::control::ReplicatedState;
use headwater_domain::ports::{ReadControl, ReadStreams};
use headwater_domain::stream::StreamDocument;
use headwater_domain::timeline::Entry;

use super::output::CachePolicy;
use super::{PlaylistFunction, expired, not_recorded, unknown_broadcast};
use crate::reply::Problem;

/// The last window of what is not recorded stays so long: whoever watches it comes to its end, which says that it is one.
const UNRECORDED_STAYS: Duration = Duration::from_secs(180);
/// And that of a stream that was deleted, of which everything must be gone within a minute.
const DELETED_STAYS: Duration = Duration::from_secs(15);

/// What becomes of a broadcast that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Recorded,
    Unrecorded,
    Expired,
    Deleted,
}

impl<T: ReadControl + ReadStreams, P> PlaylistFunction<T, P> {
    /// `newest`: the newest entries of the broadcast.
    async fn fate(&self, broadcast: &BroadcastId, newest: &[Entry]) -> Result<Fate, Problem> {
        let document = self.table.stream(&broadcast.stream()).await?;
        let deleted = |document: &StreamDocument| document.deleted_at.is_some();
        if document.as_ref().is_some_and(deleted) {
            return Ok(Fate::Deleted);
        }
        let now = self.context.now();
        Ok(match newest.last() {
            Some(_) if newest.iter().any(Entry::is_unrecorded) => Fate::Unrecorded,
            Some(_) if newest.iter().all(|entry| self.kept_for.is_over(entry, now)) => Fate::Expired,
            _ => Fate::Recorded,
        })
    }

    /// Refuses what nobody may watch once it is over.
    pub(super) async fn must_be_recorded(
        &self,
        broadcast: &BroadcastId,
        newest: &[Entry],
    ) -> Result<(), Problem> {
        match self.fate(broadcast, newest).await? {
            Fate::Recorded => Ok(()),
            Fate::Unrecorded => Err(not_recorded(broadcast)),
            Fate::Expired => Err(expired(broadcast)),
            Fate::Deleted => Err(unknown_broadcast(broadcast)),
        }
    }

    /// How long the last window of a broadcast that is over may be kept, if it may still be watched.
    pub(super) async fn may_still_be_watched(
        &self,
        replicated: &ReplicatedState,
        broadcast: &BroadcastId,
        window: &[Entry],
    ) -> Result<CachePolicy, Problem> {
        let now = self.context.now();
        // One that another has replaced was over when that one began.
        let next = || replicated.session().map(|session| session.started_at);
        let ended =
            replicated.ended_at(now).filter(|_| replicated.broadcast() == Some(broadcast)).or_else(next);
        let last = window.last().map(|entry| entry.committed_at);
        let gone_for = now.since(ended.max(last).unwrap_or(now));
        match self.fate(broadcast, window).await? {
            Fate::Recorded => Ok(CachePolicy::Minute),
            Fate::Expired => Err(expired(broadcast)),
            Fate::Unrecorded if gone_for <= UNRECORDED_STAYS => Ok(CachePolicy::Second),
            Fate::Deleted if gone_for <= DELETED_STAYS => Ok(CachePolicy::Second),
            Fate::Unrecorded => Err(not_recorded(broadcast)),
            Fate::Deleted => Err(unknown_broadcast(broadcast)),
        }
    }
}
