//! From finished segments to the timeline: upload all renditions side by side, then put the entry, in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use headwater_domain::SegmentNumber;
use headwater_domain::hooks::Source;
use headwater_domain::ports::{Commit, FaultKind, PortResult, PutMedia, WriteTimeline};
use headwater_domain::timeline::Entry;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::source::{Hunger, SourceClient};
use super::upload::{Object, Uploader};
use super::vitals::{Vitals, wall_clock};
use crate::media::Effort;

/// Segments between the engine and the store: one being stored and one waiting. Full means that the engine waits, the
/// reader waits, and the gateway keeps.
pub(super) const MAX_PENDING: usize = 2;
/// How often an entry is tried: with the pauses in between, longer than the longest throttling burst.
const TRIES: u32 = 8;
/// Pause before the next try; doubles up to a few seconds.
const PAUSE: Duration = Duration::from_millis(100);

/// A segment on its way into the timeline.
pub(super) struct Pending {
    pub(super) entry: Entry,
    pub(super) objects: Vec<Object>,
    pub(super) effort: Effort,
}

/// Why committing has stopped for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Everything that was handed over is committed.
    Drained,
    /// Another process writes with this lease.
    Fenced,
    /// The timeline cannot be written.
    Failed,
}

/// Commits segments in order.
pub(super) struct Committer<T, M> {
    pub(super) timeline: Arc<T>,
    pub(super) uploader: Uploader<M>,
    pub(super) vitals: Vitals,
    /// Parts of the open segment that could not be stored.
    pub(super) lost_parts: BTreeSet<(SegmentNumber, usize)>,
    /// Whether the source is read as fast as it comes.
    pub(super) hunger: Option<Hunger>,
    /// Whom to tell that its media is safe; with the newest token, for a run may outlive many.
    pub(super) source: watch::Receiver<Source>,
}

impl<T: WriteTimeline, M: PutMedia + 'static> Committer<T, M> {
    /// Runs until the queue is closed and empty, or `abort`.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Pending>,
        abort: CancellationToken,
    ) -> Stopped {
        let (committed, told) = watch::channel(None);
        let teller = tokio::spawn(tell(told, self.source.clone(), self.vitals.clone()));
        let stopped = loop {
            let pending = tokio::select! {
                biased;
                () = abort.cancelled() => break Stopped::Fenced,
                pending = queue.recv() => pending,
            };
            let Some(pending) = pending else { break Stopped::Drained };
            let work = self.commit(pending);
            let outcome = tokio::select! {
                () = abort.cancelled() => break Stopped::Fenced,
                outcome = work => outcome,
            };
            match outcome {
                Ok((Commit::Committed, None)) => {}
                Ok((Commit::Committed, cursor)) => {
                    committed.send_replace(cursor);
                }
                Ok((Commit::Fenced, _)) => break Stopped::Fenced,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the timeline cannot be written"
                    );
                    break Stopped::Failed;
                }
            }
        };
        drop(committed);
        let _ = teller.await;
        stopped
    }

    async fn commit(&mut self, pending: Pending) -> PortResult<(Commit, Option<u64>)> {
        let Pending { mut entry, objects, effort } = pending;
        let stored = join_all(objects.into_iter().map(|object| self.uploader.store(object))).await;
        if let Some(error) = stored.into_iter().find_map(Result::err) {
            let (number, part) = (entry.number.0, entry.open.then_some(entry.parts.len()));
            tracing::error!(number, part, error = &error as &dyn std::error::Error, "media is lost");
            match part.and_then(|parts| parts.checked_sub(1)) {
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
        entry.committed_at = wall_clock();
        let outcome = self.put_entry(&entry).await?;
        if outcome == Commit::Committed {
            let (number, until) = (entry.number, entry.until());
            let is_news = self.vitals.update(|health| {
                let is_first = health.media_until.replace(until).is_none();
                health.committed_at = Some(entry.committed_at);
                health.renditions_dropped = effort.dropped;
                health.fast_preset = effort.fast;
                // Whoever counts on when this task is gone must know of its breaks.
                is_first | (!entry.open && health.committed(number, entry.discontinuities))
            });
            if is_news {
                self.vitals.announce();
            }
            if self.hunger.as_ref().is_some_and(Hunger::was_at_the_end) {
                self.vitals.source_is_late(entry.committed_at.since(until));
            }
            let age_ms = entry.committed_at.since(until).as_millis();
            tracing::info!(
                number = number.0,
                parts = entry.parts.len(),
                open = entry.open,
                gap = entry.gap,
                discontinuity = entry.discontinuity,
                age_ms,
                "committed"
            );
        }
        Ok((outcome, (!entry.open).then_some(entry.source.cursor)))
    }

    async fn put_entry(&self, entry: &Entry) -> PortResult<Commit> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.timeline.commit(entry).await {
                Err(error) if matches!(error.kind, FaultKind::Throttled | FaultKind::Unavailable) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "an entry is not committed yet");
                }
                outcome => return outcome,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        self.timeline.commit(entry).await
    }
}

/// Tells the gateway up to where its media is safe. Only the newest word counts; one that is lost is made up for by the next.
async fn tell(mut committed: watch::Receiver<Option<u64>>, newest: watch::Receiver<Source>, vitals: Vitals) {
    let client = SourceClient::new();
    while committed.changed().await.is_ok() {
        let Some(cursor) = *committed.borrow_and_update() else { continue };
        let source = newest.borrow().clone();
        match client.committed(&source, cursor).await {
            Ok(problem) => vitals.source_problem(problem),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the gateway was not told what is committed"
            ),
        }
    }
}
