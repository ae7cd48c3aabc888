//! From finished segments to the timeline: upload all renditions side by side, then put the entry, in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};
use headwater_domain::SegmentNumber;
use headwater_domain::hooks::Source;
use headwater_domain::ports::{Commit, FaultKind, PortError, PortResult, PutMedia, WriteTimeline};
use headwater_domain::timeline::Entry;
use headwater_task::Stopped;
use headwater_task::engine::Effort;
use headwater_task::timeline::Written;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::health_reporter::{HealthReporter, wall_clock};
use super::source::{ReadStall, SourceClient};
use super::upload::Uploader;

/// Segments (in low latency: parts) that wait to be stored. Full means that the engine waits, the reader waits, and the
/// gateway keeps.
pub(super) const MAX_PENDING: usize = 1;
/// Segments or parts that are being stored at once: a bucket that answers slowly, but answers, holds up what follows by its
/// answer once, not by each answer anew. Parts come three a second, and a segment with the last of them.
const MAX_STORING: usize = 4;
/// A commit that took longer makes the next one leave out what has been passed meanwhile: an entry with more parts says all
/// that the one before says.
const SLOW_COMMIT: Duration = Duration::from_millis(300);
/// How often an entry is tried: with the pauses in between, longer than the longest throttling burst.
const TRIES: u32 = 8;
/// Pause before the next try; doubles up to a few seconds.
const PAUSE: Duration = Duration::from_millis(100);

/// Commits segments in order.
pub(super) struct Committer<T, M> {
    pub(super) timeline: Arc<T>,
    pub(super) uploader: Uploader<M>,
    pub(super) health_reporter: HealthReporter,
    /// Parts of the open segment that could not be stored.
    pub(super) lost_parts: BTreeSet<(SegmentNumber, usize)>,
    /// Whether the source is read as fast as it comes.
    pub(super) stall: Option<ReadStall>,
    /// Whom to tell that its media is safe; with the newest token, for a run may outlive many.
    pub(super) source: watch::Receiver<Source>,
}

impl<T: WriteTimeline, M: PutMedia + 'static> Committer<T, M> {
    /// Runs until the queue is closed and empty, or `abort`.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Written>,
        abort: CancellationToken,
    ) -> Stopped {
        let (committed, told) = watch::channel(None);
        let teller = tokio::spawn(tell(told, self.source.clone(), self.health_reporter.clone()));
        let uploader = self.uploader.clone();
        let storing = stream::poll_fn(move |context| queue.poll_recv(context))
            // On their own, so that they go on while an entry is put. They are bounded in time, and what they store is nobody
            // else's: a committer that stops need not wait for them.
            .map(|written| tokio::spawn(store(uploader.clone(), written)))
            .buffered(MAX_STORING)
            .peekable();
        tokio::pin!(storing);
        let mut slow = false;
        let stopped = loop {
            let stored = tokio::select! {
                biased;
                () = abort.cancelled() => break Stopped::Fenced,
                stored = storing.next() => stored,
            };
            let mut stored = match stored {
                None => break Stopped::Drained,
                Some(Ok(stored)) => stored,
                Some(Err(panic)) => {
                    tracing::error!(error = &panic as &dyn std::error::Error, "storing a segment has died");
                    break Stopped::Failed;
                }
            };
            self.account(&mut stored);
            while slow && let Some(Some(Ok(mut newer))) = passed_by(storing.as_mut(), &stored).now_or_never()
            {
                self.account(&mut newer);
                stored = newer;
            }
            let begun = Instant::now();
            let outcome = tokio::select! {
                () = abort.cancelled() => break Stopped::Fenced,
                outcome = self.commit(stored) => outcome,
            };
            slow = begun.elapsed() > SLOW_COMMIT;
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

    /// Notes in the entry what of it could not be stored.
    fn account(&mut self, stored: &mut Stored) {
        let Stored { entry, lost, .. } = stored;
        if let Some(error) = lost {
            let (number, part) = (entry.number.0, entry.open.then_some(entry.parts.len()));
            tracing::error!(number, part, error = error as &dyn std::error::Error, "media is lost");
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
    }

    async fn commit(&mut self, stored: Stored) -> PortResult<(Commit, Option<u64>)> {
        let Stored { mut entry, effort, .. } = stored;
        entry.committed_at = wall_clock();
        let outcome = self.put_entry(&entry).await?;
        if outcome == Commit::Committed {
            let (number, until) = (entry.number, entry.until());
            let is_news = self.health_reporter.update(|health| {
                let is_first = health.media_until.replace(until).is_none();
                health.committed_at = Some(entry.committed_at);
                health.renditions_dropped = effort.dropped;
                health.fast_preset = effort.fast;
                // Whoever counts on when this task is gone must know of its breaks.
                is_first | (!entry.open && health.committed(number, entry.discontinuities))
            });
            if is_news {
                self.health_reporter.announce();
            }
            if self.stall.as_ref().is_some_and(ReadStall::was_at_the_end) {
                self.health_reporter.source_is_late(entry.committed_at.since(until));
            }
            let age_ms = entry.committed_at.since(until).as_millis();
            tracing::info!(
                number = number.0,
                parts = entry.parts.len(),
                open = entry.open,
                gap = entry.gap,
                discontinuity = entry.discontinuity,
                age_ms,
                "entry committed"
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

/// A [`Written`] whose objects are stored, but for what is lost.
struct Stored {
    entry: Entry,
    effort: Effort,
    lost: Option<PortError>,
}

/// Stores all objects side by side.
async fn store<M: PutMedia + 'static>(uploader: Uploader<M>, written: Written) -> Stored {
    let Written { entry, objects, effort } = written;
    let stored = join_all(objects.into_iter().map(|object| uploader.store(object))).await;
    Stored { entry, effort, lost: stored.into_iter().find_map(Result::err) }
}

/// The next one that is stored, if it says more of the same segment.
async fn passed_by<S: stream::Stream<Item = Result<Stored, JoinError>>>(
    storing: std::pin::Pin<&mut stream::Peekable<S>>,
    stored: &Stored,
) -> Option<Result<Stored, JoinError>> {
    let number = stored.entry.number;
    storing.next_if(|next| next.as_ref().is_ok_and(|next| next.entry.number == number)).await
}

/// Tells the gateway up to where its media is safe. Only the newest word counts; one that is lost is made up for by the next.
async fn tell(
    mut committed: watch::Receiver<Option<u64>>,
    newest: watch::Receiver<Source>,
    health_reporter: HealthReporter,
) {
    let client = SourceClient::new();
    while committed.changed().await.is_ok() {
        let Some(cursor) = *committed.borrow_and_update() else { continue };
        let source = newest.borrow().clone();
        match client.committed(&source, cursor).await {
            Ok(problem) => health_reporter.source_problem(problem),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the gateway was not told what is committed"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
