//! What of a broadcast can still be watched when it is over: what was recorded, until its stream is deleted.
//!
//! Answers of what will be gone soon are kept for a second, those of a recording for a minute; so of a stream that is deleted
//! the edge has nothing a minute later.

use std::time::Duration;

use headwater_domain::BroadcastId;
use headwater_domain::live::Situation;
use headwater_domain::ports::{ReadLive, ReadStreams};
use headwater_domain::stream::StreamDocument;
use headwater_domain::timeline::Entry;

use super::output::Keep;
use super::{PlaylistFunction, not_recorded, unknown_broadcast};
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
    Deleted,
}

impl<T: ReadLive + ReadStreams, P> PlaylistFunction<T, P> {
    /// As its last session's settings said or, of a broadcast that is not the stream's newest, as the stream's say now.
    async fn fate(&self, situation: &Situation, broadcast: &BroadcastId) -> Result<Fate, Problem> {
        let document = self.table.stream(&broadcast.stream()).await?;
        let deleted = |document: &StreamDocument| document.deleted_at.is_some();
        if document.as_ref().is_some_and(deleted) {
            return Ok(Fate::Deleted);
        }
        let says = || document.as_ref().is_none_or(|document| document.settings.record);
        let recorded = situation.is_recorded(broadcast).unwrap_or_else(says);
        Ok(if recorded { Fate::Recorded } else { Fate::Unrecorded })
    }

    /// Refuses what nobody may watch once it is over.
    pub(super) async fn must_be_recorded(
        &self,
        situation: &Situation,
        broadcast: &BroadcastId,
    ) -> Result<(), Problem> {
        match self.fate(situation, broadcast).await? {
            Fate::Recorded => Ok(()),
            Fate::Unrecorded => Err(not_recorded(broadcast)),
            Fate::Deleted => Err(unknown_broadcast(broadcast)),
        }
    }

    /// How long the last window of a broadcast that is over may be kept, if it may still be watched.
    pub(super) async fn may_still_be_watched(
        &self,
        situation: &Situation,
        broadcast: &BroadcastId,
        window: &[Entry],
    ) -> Result<Keep, Problem> {
        let now = self.context.now();
        // One that another has replaced was over when that one began.
        let next = || situation.session().map(|session| session.started_at);
        let ended =
            situation.ended_at(now).filter(|_| situation.broadcast() == Some(broadcast)).or_else(next);
        let last = window.last().map(|entry| entry.committed_at);
        let gone_for = now.since(ended.max(last).unwrap_or(now));
        match self.fate(situation, broadcast).await? {
            Fate::Recorded => Ok(Keep::Minute),
            Fate::Unrecorded if gone_for <= UNRECORDED_STAYS => Ok(Keep::Second),
            Fate::Deleted if gone_for <= DELETED_STAYS => Ok(Keep::Second),
            Fate::Unrecorded => Err(not_recorded(broadcast)),
            Fate::Deleted => Err(unknown_broadcast(broadcast)),
        }
    }
}
