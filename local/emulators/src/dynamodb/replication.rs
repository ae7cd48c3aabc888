//! Global tables between two regions: every item written in one appears in the other after a settable lag, and the
//! last writer of an item wins (DynamoDB developer guide, "How global tables work", MREC). Changes of one region
//! arrive in the order in which they were made. What replication applies is not replicated again: it goes to the
//! engine directly, past the front. Must not know what the items mean.

use super::changes::{Change, Freshness};
use super::front::TableFront;
use super::{DynamoDb, engine::EngineError};
use crate::listen::Faults;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Pause before a change that the peer's engine refused is tried again (its table may not exist yet).
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// The two directions between two regions; dropping it ends replication.
#[derive(Debug)]
pub struct Replication {
    directions: [Direction; 2],
    pending: [watch::Receiver<usize>; 2],
    _running: DropGuard,
}

/// A hand on the way from one region to the other.
#[derive(Debug)]
pub struct Direction(watch::Sender<Controls>);

#[derive(Debug, Clone, Copy)]
struct Controls {
    lag: Duration,
    paused: bool,
}

impl Direction {
    /// Changes the lag, also for what is on its way.
    pub fn set_lag(&self, lag: Duration) {
        self.0.send_modify(|controls| controls.lag = lag);
    }

    /// Time that changes take.
    pub fn lag(&self) -> Duration {
        self.0.borrow().lag
    }

    /// Changes wait.
    pub fn pause(&self) {
        self.0.send_modify(|controls| controls.paused = true);
    }

    /// Changes move again.
    pub fn resume(&self) {
        self.0.send_modify(|controls| controls.paused = false);
    }

    /// Whether changes wait.
    pub fn is_paused(&self) -> bool {
        self.0.borrow().paused
    }
}

struct Link {
    from: Arc<TableFront>,
    to: Arc<TableFront>,
    controls: watch::Receiver<Controls>,
    up: [watch::Receiver<bool>; 2],
}

impl Replication {
    /// Starts both directions. Nothing moves while either region is stopped or frozen.
    pub fn between(a: &DynamoDb, b: &DynamoDb, lag: Duration) -> Self {
        let directions = [(); 2].map(|()| Direction(watch::Sender::new(Controls { lag, paused: false })));
        let running = CancellationToken::new();
        for (direction, (from, to)) in directions.iter().zip([(a, b), (b, a)]) {
            let up = [&from.faults(), &to.faults()].map(Faults::watch);
            let controls = direction.0.subscribe();
            let link = Link { from: from.front.clone(), to: to.front.clone(), controls, up };
            tokio::spawn(running.clone().run_until_cancelled_owned(link.run()));
        }
        let pending = [a, b].map(|region| region.front.changes().pending());
        Self { directions, pending, _running: running.drop_guard() }
    }

    /// From the first region to the second, and back.
    pub fn directions(&self) -> &[Direction; 2] {
        &self.directions
    }

    /// Changes the lag both ways, also for what is on its way.
    pub fn set_lag(&self, lag: Duration) {
        self.directions.iter().for_each(|direction| direction.set_lag(lag));
    }

    /// Partitions the regions: changes wait.
    pub fn pause(&self) {
        self.directions.iter().for_each(Direction::pause);
    }

    /// Heals the partition.
    pub fn resume(&self) {
        self.directions.iter().for_each(Direction::resume);
    }

    /// Changes on their way, both directions together.
    pub fn pending(&self) -> usize {
        self.pending.iter().map(|pending| *pending.borrow()).sum()
    }

    /// Waits until both regions have everything.
    pub async fn settled(&self) {
        let mut pending = self.pending.clone();
        while self.pending() > 0 {
            for side in &mut pending {
                // The sender lives as long as its region; without it nothing is on its way.
                let _ = side.wait_for(|count| *count == 0).await;
            }
        }
    }
}

impl Link {
    async fn run(mut self) {
        let mut pending = self.from.changes().pending();
        while pending.wait_for(|count| *count > 0).await.is_ok() {
            let Some(change) = self.from.changes().head() else { continue };
            self.wait_until_due(&change).await;
            match self.apply(&change).await {
                Ok(()) => {
                    if let Err(error) = self.from.changes().acknowledge(change.number) {
                        tracing::error!(%error, "cannot write the replication journal");
                    }
                }
                Err(error) => {
                    tracing::warn!(table = change.table, %error, "the peer region refuses a change");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Waits out the lag, and beyond it for as long as the regions cannot reach each other.
    async fn wait_until_due(&mut self, change: &Change) {
        loop {
            let Controls { lag, paused } = *self.controls.borrow_and_update();
            let [here, there] = &mut self.up;
            let open = !paused && *here.borrow_and_update() && *there.borrow_and_update();
            let due = change.written + lag;
            if open && tokio::time::Instant::now() >= due {
                return;
            }
            let changed = tokio::select! {
                () = tokio::time::sleep_until(due), if open => Ok(()),
                changed = self.controls.changed() => changed,
                changed = here.changed() => changed,
                changed = there.changed() => changed,
            };
            if changed.is_err() {
                // A region or the controls were dropped for good; this task is about to be cancelled.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn apply(&self, change: &Change) -> Result<(), EngineError> {
        let _lock = self.to.lock(&change.table).await;
        if self.to.changes().judge(change) == Freshness::Newer {
            self.to.engine().write(&change.table, &change.key, change.image.as_ref())?;
            if let Err(error) = self.to.changes().applied(change) {
                tracing::error!(%error, "cannot write the replication journal");
            }
        }
        Ok(())
    }
}
