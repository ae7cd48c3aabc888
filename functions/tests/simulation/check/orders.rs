//! What the owner has ordered holds in both regions, whichever took the order, five seconds after both have heard of it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use headwater_domain::testing::samples;

use crate::simulation::{self, SIDES, Side, violated};
use crate::table::document;
use crate::{executor, key_text};

/// A session that has no right any more is closed within so long.
const OBEYED_WITHIN: u64 = 5_000;
/// Clocks of the regions differ by a second; an encoder is told that it may publish a little later than it was decided.
const CLOCKS: u64 = 1_000;

/// An order of the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Of the first key, with which every encoder begins.
    Revoke,
    Stop,
    /// To another task.
    Move,
    Delete,
    Rename(String),
}

#[derive(Debug)]
struct Given {
    order: Order,
    at: u64,
    /// Whether the API said that it was done; if not it may have been done.
    is_done: bool,
}

thread_local! {
    static GIVEN: RefCell<Vec<Given>> = RefCell::default();
}

pub fn reset() {
    GIVEN.take();
}

/// The owner was answered.
pub fn given(order: Order, at: u64, answer: Option<u16>) {
    // 409: nothing is live as far as that region knows. The order is written down all the same.
    let is_done = answer.is_some_and(|status| status < 300 || (order == Order::Stop && status == 409));
    GIVEN.with_borrow_mut(|all| all.push(Given { order, at, is_done }));
}

/// Whether the stream is, or may be, deleted: nobody publishes to it any more.
pub fn may_be_deleted() -> bool {
    SIDES.into_iter().any(is_deleted)
}

/// Whether a region knows that the stream is deleted.
pub fn is_deleted(side: Side) -> bool {
    simulation::with(|sim| document(sim, side).is_some_and(|document| document.deleted_at.is_some()))
}

/// Nothing is broken any more: what was ordered arrives everywhere, and is obeyed.
pub fn are_obeyed() {
    let arrives = simulation::with(|sim| sim.longest_lag) + CLOCKS;
    executor::run(executor::now() + arrives + OBEYED_WITHIN, super::step);
    GIVEN.with_borrow(|all| {
        for given in all.iter().filter(|given| given.is_done) {
            obeyed(given);
        }
    });
    names_agree();
}

fn obeyed(given: &Given) {
    let stops = |session: &crate::gateway::Session| match given.order {
        Order::Revoke => session.key == key_text(0),
        Order::Stop => session.started + CLOCKS < given.at,
        Order::Delete => true,
        Order::Rename(_) | Order::Move => false,
    };
    let on_air = simulation::with(|sim| {
        let sessions = SIDES.into_iter().flat_map(|side| sim.region(side).gateway.all.values());
        sessions.filter(|session| !session.ended).find(|session| stops(session)).cloned()
    });
    if let Some(session) = on_air {
        violated(|| format!("{} is on air although the owner ordered {given:?}", session.names.session));
    }
    if given.order == Order::Delete && !may_be_deleted() {
        violated(|| format!("the stream is there although the owner ordered {given:?}"));
    }
}

/// Both regions have one document, with a name that the owner gave it.
fn names_agree() {
    let names: BTreeSet<_> = simulation::with(|sim| {
        SIDES.map(|side| document(sim, side).map(|document| document.name)).into_iter().collect()
    });
    if names.len() != 1 {
        return violated(|| format!("the regions have different documents of the stream: {names:?}"));
    }
    if may_be_deleted() {
        // The last word, whatever name it is said with.
        return;
    }
    let name = names.into_iter().next().flatten().unwrap_or_default();
    GIVEN.with_borrow(|all| {
        let renamed = |given: &Given| given.is_done && matches!(given.order, Order::Rename(_));
        let is_given = all.iter().any(|given| given.order == Order::Rename(name.clone()));
        // With an order that was answered, the name from before can hold no more.
        if !is_given && (name != samples::stream().name || all.iter().any(renamed)) {
            violated(|| format!("the stream is called {name:?} after {all:?}"));
        }
    });
}
