//! No broadcast is live without a writer, and none that was live is starting again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use headwater_domain::BroadcastId;
use headwater_domain::control::State;
use headwater_domain::testing::samples;

use crate::executor::{self, NETWORK, sleep};
use crate::simulation::{self, SIDES, Side, violated};
use crate::table::replicated_state;

/// After its last writer's death, or what was heard of it last, a broadcast is live for 15 s at most; clocks of regions differ
/// by a second, the last heartbeat may have been on its way for a third of one, and this looks twice a second.
const LIVE_WITHOUT_WRITER: u64 = 15_000 + 1_000 + 300 + 500;
/// Playlists change with time, too.
const LOOK_AT_PLAYLISTS_EVERY: u64 = 10_000;

thread_local! {
    static LAST_WRITER: RefCell<BTreeMap<BroadcastId, u64>> = RefCell::default();
    /// The broadcast that each region has seen live last.
    static SEEN_LIVE: RefCell<[Option<BroadcastId>; 2]> = RefCell::default();
}

pub fn reset() {
    LAST_WRITER.take();
    SEEN_LIVE.take();
}

/// A heartbeat of `broadcast` was taken. One that an API has held while it hung counts from then on (docs/failures.md, known
/// limits).
pub fn heard(broadcast: &BroadcastId) {
    LAST_WRITER.with_borrow_mut(|last| last.insert(broadcast.clone(), executor::now()));
}

/// Looks at the state twice a second, for as long as the world stands.
pub fn watch() {
    executor::spawn(NETWORK, async {
        loop {
            sleep(500).await;
            look();
            if executor::now().is_multiple_of(LOOK_AT_PLAYLISTS_EVERY) {
                super::playlists::look_again();
            }
        }
    });
}

/// The state of the stream's broadcast as a region sees it.
pub fn of(side: Side) -> Option<(BroadcastId, State)> {
    let now = side.clock();
    simulation::with(|sim| {
        let replicated = replicated_state(sim, side, &samples::stream_id());
        Some((replicated.broadcast()?.clone(), replicated.state(now)?))
    })
}

fn look() {
    let now = executor::now();
    let working: Vec<_> = simulation::with(|sim| {
        sim.tasks.values().filter(|task| task.works()).map(|task| task.broadcast.clone()).collect()
    });
    LAST_WRITER.with_borrow_mut(|last| last.extend(working.into_iter().map(|broadcast| (broadcast, now))));
    for (side, seen) in SIDES.into_iter().zip(0..) {
        let broadcast = match of(side) {
            Some((broadcast, State::Live)) => broadcast,
            Some((broadcast, State::Starting)) => {
                if SEEN_LIVE.with_borrow(|live| live[seen].as_ref() == Some(&broadcast)) {
                    violated(|| format!("{side:?} says that {broadcast} is starting, which was live"));
                }
                continue;
            }
            _ => continue,
        };
        SEEN_LIVE.with_borrow_mut(|live| live[seen] = Some(broadcast.clone()));
        let last = LAST_WRITER.with_borrow(|last| last.get(&broadcast).copied().unwrap_or_default());
        if now - last > LIVE_WITHOUT_WRITER {
            violated(|| {
                let silent = (now - last) as f64 / 1e3;
                format!("{side:?} says that {broadcast} is live {silent} s after its last writer has died")
            });
        }
    }
}
