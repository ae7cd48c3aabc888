//! What must always hold, looked at from outside after every step that changed anything.

pub mod leases;
pub mod media;
pub mod playlists;
pub mod settled;
pub mod state;

use std::cell::RefCell;
use std::collections::BTreeSet;

use headwater_domain::BroadcastId;

use super::store::Item;
use super::world::{self, Side};

thread_local! {
    static CHANGED: RefCell<BTreeSet<(Side, BroadcastId)>> = RefCell::default();
}

/// Forgets the world before.
pub fn reset() {
    CHANGED.take();
    playlists::reset();
    media::reset();
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
    if let Item::Entry(entry) = item {
        changed(side, &entry.broadcast);
    }
}

/// A broadcast's playlists may be other ones now.
pub fn changed(side: Side, broadcast: &BroadcastId) {
    CHANGED.with_borrow_mut(|changed| changed.insert((side, broadcast.clone())));
}

/// Checks what has changed; whether all is still well.
pub fn step() -> bool {
    for (side, broadcast) in CHANGED.take() {
        playlists::look(side, &broadcast);
    }
    world::with(|world| world.violations.is_empty())
}
