//! The way of a run's entries into the timeline: their objects are stored side by side, then they are committed one after
//! the other, in order.

mod confirm;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use headwater_domain::SegmentNumber;
use headwater_domain::ports::{Commit, FaultKind};
use headwater_domain::timeline::Entry;

pub(crate) use self::confirm::Confirm;
use crate::engine::Effort;
use crate::time::Now;
use crate::timeline::{Object, Written};

/// Segments or parts that are stored at once: a bucket that answers slowly, but answers, holds up what follows by its
/// answer once, not by each answer anew. Parts come three a second, and a segment with the last of them.
const MAX_STORING: usize = 4;
/// Segments (in low latency: parts) that wait to be stored. Full means that the engine waits, the reader waits, and the
/// gateway keeps.
const MAX_WAITING: usize = 1;
/// A commit that took longer makes the next one leave out what has been passed meanwhile: an entry with more parts says all
/// that the one before says.
const SLOW_COMMIT: Duration = Duration::from_millis(300);
/// How often an entry is tried: with the pauses in between, longer than the longest throttling burst.
const TRIES: u32 = 8;
/// Pause before the next try; doubles,
const PAUSE: Duration = Duration::from_millis(100);
/// up to this.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Names one upload of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadId(u64);

/// Objects to be stored, side by side.
#[derive(Debug, Clone)]
pub struct Upload {
    /// What the answer names.
    pub id: UploadId,
    /// Whose they are.
    pub number: SegmentNumber,
    /// And which of its parts, from 0; nothing if they are the whole segment.
    pub part: Option<usize>,
    /// What is to be stored.
    pub objects: Vec<Object>,
}

/// What is to be done for entries.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives for as long as it takes to do it")]
pub(crate) enum Act {
    Upload(Upload),
    Commit(Entry),
}

/// What came of a commit.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The entry is in the timeline.
    Committed(Box<Entry>, Effort),
    /// It is tried again.
    Again,
    /// Another process writes with this lease.
    Fenced,
    /// The timeline cannot be written.
    Failed,
}

#[derive(Debug, Clone)]
struct Pending {
    id: UploadId,
    entry: Entry,
    effort: Effort,
    stored: Stored,
}

#[derive(Debug, Clone)]
enum Stored {
    /// Not asked for yet.
    Waits(Vec<Object>),
    UnderWay,
    /// As far as it could be: whether something is lost.
    Done {
        is_lost: bool,
    },
}

#[derive(Debug, Clone)]
struct Committing {
    entry: Entry,
    effort: Effort,
    begun: Duration,
    tries: u32,
    pause: Duration,
    /// It was refused, and is tried again then.
    again_at: Option<Duration>,
}

/// The entries of one run that are not in the timeline yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commits {
    /// In order.
    pending: VecDeque<Pending>,
    committing: Option<Committing>,
    /// Parts of the open segment that could not be stored.
    lost_parts: BTreeSet<(SegmentNumber, usize)>,
    /// The last commit took long.
    is_slow: bool,
    uploads: u64,
}

impl Commits {
    /// Whether one more may be written.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < MAX_STORING + MAX_WAITING
    }

    /// Whether everything that was written is committed.
    pub(crate) fn is_done(&self) -> bool {
        self.pending.is_empty() && self.committing.is_none()
    }

    /// When a commit is tried again.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.committing.as_ref()?.again_at
    }

    /// Nothing more is begun, and nothing that is under way is waited for.
    pub(crate) fn abort(&mut self) {
        (self.pending, self.committing) = (VecDeque::new(), None);
    }

    pub(crate) fn push(&mut self, written: Written) {
        let Written { entry, objects, effort } = written;
        let id = UploadId(self.uploads);
        self.uploads += 1;
        self.pending.push_back(Pending { id, entry, effort, stored: Stored::Waits(objects) });
    }

    /// The objects of an upload are stored, but for what is lost.
    pub(crate) fn stored(&mut self, id: UploadId, is_lost: bool) {
        if let Some(one) = self.pending.iter_mut().find(|one| one.id == id) {
            one.stored = Stored::Done { is_lost };
        }
    }

    /// What came of the commit under way, if there is one.
    pub(crate) fn committed(&mut self, now: Now, answer: Result<Commit, FaultKind>) -> Option<Outcome> {
        let committing = self.committing.as_mut().filter(|one| one.again_at.is_none())?;
        if matches!(answer, Err(kind) if kind.passes()) && committing.tries < TRIES {
            committing.again_at = Some(now.monotonic + committing.pause);
            committing.pause = (committing.pause * 2).min(MAX_PAUSE);
            return Some(Outcome::Again);
        }
        self.is_slow = now.monotonic.saturating_sub(committing.begun) > SLOW_COMMIT;
        let Committing { entry, effort, .. } = self.committing.take()?;
        Some(match answer {
            Ok(Commit::Committed) => Outcome::Committed(Box::new(entry), effort),
            Ok(Commit::Fenced) => Outcome::Fenced,
            Err(_) => Outcome::Failed,
        })
    }

    /// What is to be done next, if anything is.
    pub(crate) fn next(&mut self, now: Now) -> Option<Act> {
        self.upload().map(Act::Upload).or_else(|| self.commit(now).map(Act::Commit))
    }

    fn upload(&mut self) -> Option<Upload> {
        let mut first = self.pending.iter_mut().take(MAX_STORING);
        let one = first.find(|one| matches!(one.stored, Stored::Waits(_)))?;
        let Stored::Waits(objects) = std::mem::replace(&mut one.stored, Stored::UnderWay) else {
            return None;
        };
        let part = if one.entry.open { one.entry.parts.len().checked_sub(1) } else { None };
        Some(Upload { id: one.id, number: one.entry.number, part, objects })
    }

    fn commit(&mut self, now: Now) -> Option<Entry> {
        if let Some(committing) = &mut self.committing {
            committing.again_at.take_if(|at| *at <= now.monotonic)?;
            committing.tries += 1;
            return Some(committing.entry.clone());
        }
        let (mut entry, mut effort) = self.take(None)?;
        while self.is_slow
            && let Some(newer) = self.take(Some(entry.number))
        {
            (entry, effort) = newer;
        }
        entry.committed_at = now.wall;
        let committed = entry.clone();
        let (begun, again_at) = (now.monotonic, None);
        self.committing = Some(Committing { entry, effort, begun, tries: 1, pause: PAUSE, again_at });
        Some(committed)
    }

    /// The next entry whose objects are stored, with what of it is lost; only one that says more of the segment `of`.
    fn take(&mut self, of: Option<SegmentNumber>) -> Option<(Entry, Effort)> {
        let first = self.pending.front().filter(|first| of.is_none_or(|of| first.entry.number == of))?;
        let Stored::Done { is_lost } = first.stored else { return None };
        let Pending { mut entry, effort, .. } = self.pending.pop_front()?;
        if is_lost {
            match entry.parts.len().checked_sub(1).filter(|_| entry.open) {
                Some(part) => drop(self.lost_parts.insert((entry.number, part))),
                None => entry.gap = true,
            }
        }
        for (part, written) in entry.parts.iter_mut().enumerate() {
            written.gap |= self.lost_parts.contains(&(entry.number, part));
        }
        if !entry.open {
            self.lost_parts.retain(|(number, _)| *number > entry.number);
        }
        Some((entry, effort))
    }
}

#[cfg(test)]
mod tests;
