//! A publish request that its gateway has given up leaves no session behind, however late it was granted.

use headwater_domain::testing::samples;

use crate::executor;
use crate::simulation::{self, SIDES, violated};
use crate::table::replicated_state;

/// A request is granted within ten seconds; a heartbeat that takes it back comes each two, and what it writes arrives.
const TAKEN_BACK_WITHIN: u64 = 15_000;

/// Looks whether a session holds that nobody waits for. To be asked when nothing has been broken for some seconds.
pub fn are_gone() {
    let now = executor::now();
    for side in SIDES {
        simulation::with(|sim| {
            let there = replicated_state(sim, side, &samples::stream_id());
            let session = there.session()?;
            let is_gone = there.records.iter().filter_map(|record| record.gone.as_ref());
            let is_gone = is_gone.clone().any(|gone| gone.session == session.id) || there.end().is_some();
            let given_up = |at: &&u64| **at + TAKEN_BACK_WITHIN < now;
            let mut gateways = SIDES.into_iter().map(|side| &sim.region(side).gateway.given_up);
            let at = gateways.find_map(|all| all.get(&session.id).filter(given_up).copied());
            at.filter(|_| !is_gone).map(|at| (session.id.clone(), at))
        })
        .inspect(|(id, at)| {
            violated(|| format!("{side:?} holds {id} for the session, which was given up at {at} ms"));
        });
    }
}
