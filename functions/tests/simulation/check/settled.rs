//! What must hold once nothing is broken any more and some time has passed.

use futures::FutureExt;
use headwater_domain::control::{ReplicatedState, State};
use headwater_domain::testing::samples;
use headwater_domain::timeline::resolve;
use headwater_domain::{BroadcastId, Lease};
use serde_json::json;

use super::{leases, media, orders, playlists, state};
use crate::simulation::{self, SIDES, Side, violated};
use crate::table::{entries, replicated_state};
use crate::{calls, executor};

/// With an encoder connected: a task may be believed in for 120 s, the next sweep comes within 60 s, the next task is
/// up after 70 s.
const LIVE_WITHIN: u64 = 300_000;
/// Without: the reconnect window and the patience with a silent peer, twice a minute, a minute of draining, two sweeps.
const OVER_WITHIN: u64 = 420_000;

/// Of one that went apart some more segments are looked at.
const GOES_ON: u64 = 10_000;

/// How often it is looked whether the world has come to rest.
const LOOK_EVERY: u64 = 3_000;

/// Runs until `holds`; a violation if that takes longer than `within`.
fn run_until(within: u64, holds: impl Fn() -> Result<(), String>) {
    let deadline = executor::now() + within;
    let mut missing = Ok(());
    while executor::now() < deadline && simulation::with(|sim| sim.violations.is_empty()) {
        executor::run(executor::now() + LOOK_EVERY, super::step);
        missing = holds();
        if missing.is_ok() {
            return;
        }
    }
    if let Err(missing) = missing {
        violated(|| format!("{} s after the last disturbance {missing}", within / 1_000));
    }
}

fn view(side: Side) -> ReplicatedState {
    simulation::with(|sim| replicated_state(sim, side, &samples::stream_id()))
}

fn running() -> Vec<Lease> {
    simulation::with(|sim| {
        sim.tasks.iter().filter(|(_, task)| !task.stopped).map(|(lease, _)| lease.clone()).collect()
    })
}

/// With one encoder that publishes both regions agree, and one task works.
pub fn becomes_live() {
    run_until(LIVE_WITHIN, || {
        for side in SIDES {
            match state::of(side) {
                Some((_, State::Live)) => {}
                other => return Err(format!("{side:?} says {other:?} although an encoder publishes")),
            }
        }
        let current: Vec<_> = SIDES.map(|side| view(side).lease().map(|record| record.lease.clone())).into();
        if current[0] != current[1] {
            return Err(format!("the regions hold different leases for current: {current:?}"));
        }
        let running = running();
        if running.iter().map(Some).collect::<Vec<_>>() != [current[0].as_ref()] {
            return Err(format!("{running:?} run although {:?} is current", current[0]));
        }
        Ok(())
    });
}

/// What went apart has come together in what viewers are shown, too: that is looked at in [`media`].
pub fn goes_on() {
    if leases::went_apart() {
        executor::run(executor::now() + media::heard_within() + GOES_ON, super::step);
    }
}

/// Without any encoder everything comes to its end, in both regions alike.
pub fn comes_to_its_end() {
    run_until(OVER_WITHIN, || {
        if !simulation::with(|sim| sim.store.is_settled() && sim.store.is_same()) {
            return Err("the replicas differ".into());
        }
        for side in SIDES {
            let replicated = view(side);
            let state = replicated.state(side.clock());
            if !matches!(state, None | Some(State::Ended | State::Failed)) {
                return Err(format!("{side:?} says {state:?} although nobody publishes"));
            }
            if state.is_some() && replicated.end().is_none() {
                return Err(format!("{side:?} has not noted the end"));
            }
            let active = headwater_aws::schema::active_partition(&side.region());
            if simulation::with(|sim| sim.store.partition(side, &active).next().is_some()) {
                return Err(format!("{side:?} still holds the stream for active"));
            }
        }
        let running = running();
        if !running.is_empty() {
            return Err(format!("{running:?} still run"));
        }
        // A deleted stream's playlists are gone.
        let ends = |broadcast: &BroadcastId| orders::may_be_deleted() || playlists::is_complete(broadcast);
        match media::broadcasts().into_iter().find(|broadcast| !ends(broadcast)) {
            Some(broadcast) => Err(format!("the playlists of {broadcast} do not end")),
            None => Ok(()),
        }
    });
}

/// Both regions show one timeline with all that was committed; a sweep finds nothing to do.
pub fn agrees() {
    for broadcast in media::broadcasts() {
        let [a, b] = SIDES.map(|side| {
            let written = simulation::with(|sim| entries(sim, side, &broadcast, usize::MAX));
            resolve(written)
        });
        if a != b {
            violated(|| format!("the regions have different timelines of {broadcast}"));
        }
    }
    media::check_kept(Side::A);
    for side in SIDES {
        sweeps_in_vain(side);
    }
}

/// A sweep of an idle stream changes nothing.
fn sweeps_in_vain(side: Side) {
    let before = simulation::with(|sim| sim.store.writes);
    let function = calls::lifecycle(side, true);
    let report = function.handle(json!({ "detail-type": "Scheduled Event" })).now_or_never();
    let writes = simulation::with(|sim| sim.store.writes) - before;
    match report {
        Some(Ok(report)) if report.acted == 0 && writes == 0 => {}
        other => violated(|| format!("{side:?} sweeps what is settled: {other:?}, {writes} writes")),
    }
}
