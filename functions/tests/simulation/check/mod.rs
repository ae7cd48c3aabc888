//! What must always hold, looked at from outside after every step that changed anything.

pub mod ghosts;
pub mod handover;
pub mod leases;
pub mod media;
pub mod orders;
pub mod playlists;
pub mod settled;
pub mod state;

use std::cell::RefCell;
use std::collections::BTreeSet;

use headwater_domain::BroadcastId;

use self::playlists::Kind;
use super::simulation::{self, Side};
use super::store::Item;

thread_local! {
    static CHANGED: RefCell<BTreeSet<(Side, BroadcastId, Kind)>> = RefCell::default();
}

/// Forgets the world before.
pub fn reset() {
    CHANGED.take();
    handover::reset();
    leases::reset();
    playlists::reset();
    media::reset();
    orders::reset();
    state::reset();
}

/// A replica has a new item by a writer of its own region.
pub fn written(side: Side, item: &Item) {
    if let Item::Entry(entry) = item {
        media::check_names(entry);
    }
    replicated(side, item);
}

/// A replica has a new item.
pub fn replicated(side: Side, item: &Item) {
    let Item::Entry(entry) = item else { return };
    CHANGED.with_borrow_mut(|changed| {
        if !entry.parts.is_empty() {
            changed.insert((side, entry.broadcast.clone(), Kind::Parts));
        }
        if !entry.open {
            changed.insert((side, entry.broadcast.clone(), Kind::Segments));
        }
    });
}

/// Checks what has changed; whether all is still well.
pub fn step() -> bool {
    for (side, broadcast, kind) in CHANGED.take() {
        playlists::look(side, &broadcast, kind);
    }
    simulation::with(|sim| sim.violations.is_empty())
}
