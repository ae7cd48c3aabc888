//! Waiting for the end of a timeline to grow: blocking playlist reload, parts that were hinted at, and a stream's first
//! media.
//!
//! DynamoDB tells nobody who waits, so one looks. A look reads the newest two items (one read unit of 4 KiB, as a rule),
//! not the window; the first one after that is due when the part can be there, half a second behind the one before, and
//! then one every 90 ms: on average a part is seen 45 ms after its entry. What is overdue for a second is looked for
//! less often. A viewer's wait costs three or four looks.
//!
//! Nobody waits for anything but what comes next: the next part, the segment that it is in or begins, each with and without
//! `_HLS_skip`, spelled as clients spell it. So a rendition has four questions that hold a slot (six for the half second
//! in which the part behind a closed segment has two names), however many a stranger invents.
//!
//! One Lambda slot is held for each different question, not for each viewer: viewers of one rendition wait for the same
//! part, so they send the same URL (clients sort the directives, section 6.2.5), and each cache node asks once for all
//! of them (CloudFront collapses equal requests under way, and with Origin Shield only one node asks the region at all).
//! For that the answer must be one that may be cached. CloudFront stops collapsing when the origin says `max-age=0`,
//! `no-cache` or `private`, so an answer that came in vain is kept for a second, the least that there is; whoever asks
//! again within it gets the old playlist once more, which is what a client must be ready for. An answer that was
//! satisfied is true for ever: it contains what was asked for. It is kept for three target durations, so that viewers
//! whose requests come late get it without a question to the region. Errors are forgotten after a second.

use std::time::Duration;

use headwater_domain::BroadcastId;
use headwater_domain::ports::{PortResult, ReadTimeline};
use headwater_domain::timeline::{Entry, resolve};
use tokio::time::Instant;

use super::PlaylistFunction;
use super::available_parts::Availability;

/// Longest wait on the paths of low latency. The edge gives these origins six seconds (template.yaml, `OriginReadTimeout`).
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// Longest wait for a stream's first media. The edge gives that path two seconds.
pub(super) const PATIENCE_TO_START: Duration = Duration::from_millis(1_500);
/// Length of a part.
const PART: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(90);
/// Looks after which what has not come is late, about a second.
const EAGER_LOOKS: u32 = 12;
/// Between two looks for what is late.
const LATE_LOOK_EVERY: Duration = Duration::from_millis(250);
/// Items of a look: the newest, and the one before if the newest has only just begun.
const LOOKED_AT: usize = 2;

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// It is there.
    There,
    /// It did not come in time.
    InVain,
    /// It may come, but is not waited for.
    Later,
    /// It makes no sense to wait for it.
    Never,
}

impl<T: ReadTimeline, P> PlaylistFunction<T, P> {
    /// Waits until `judge` finds at the end of the timeline what it looks for; the end as last seen.
    pub(super) async fn wait(
        &self,
        broadcast: &BroadcastId,
        patience: Duration,
        judge: impl Fn(&[Entry]) -> Availability,
    ) -> PortResult<(Waited, Vec<Entry>)> {
        let deadline = Instant::now() + patience;
        let mut look = 0;
        loop {
            let entries = resolve(self.table.newest(broadcast, LOOKED_AT).await?);
            let parts = match judge(&entries) {
                Availability::There => return Ok((Waited::There, entries)),
                Availability::Later => return Ok((Waited::Later, entries)),
                Availability::Never => return Ok((Waited::Never, entries)),
                Availability::Ahead(parts) => parts,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok((Waited::InVain, entries));
            }
            let pause = match look {
                0 => self.until_due(&entries, parts),
                1..EAGER_LOOKS => LOOK_EVERY,
                _ => LATE_LOOK_EVERY,
            };
            // The last look is at the deadline.
            tokio::time::sleep(pause.min(left)).await;
            look += 1;
        }
    }

    /// Until a part can be there that is so many parts ahead.
    fn until_due(&self, entries: &[Entry], parts: u64) -> Duration {
        let Some(last) = entries.last() else { return LOOK_EVERY };
        let ahead = PART.saturating_mul(u32::try_from(parts).unwrap_or(u32::MAX));
        // Written before now, whatever the writer's clock says.
        (last.committed_at + ahead).since(self.context.now()).clamp(LOOK_EVERY, ahead)
    }
}
