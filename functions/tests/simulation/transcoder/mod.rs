//! A transcoder task: claims its lease with the first heartbeat, reads its session, stores objects, commits entries.
//!
//! What it decides is the product's own [`headwater_task::Task`], in a small shell in place of `transcoder/src/task`, which
//! needs ffmpeg, sockets and threads. It takes its orders from the real hooks.

mod calls;
mod engine;
mod run;
mod work;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use headwater_domain::hooks::Secret;
use headwater_domain::{BroadcastId, Lease, Timestamp};

use super::executor::Process;
use super::rng;
use super::simulation::{self, Side};
use super::table::Table;

/// What a task's shell and its calls share.
pub(crate) struct Task {
    broadcast: BroadcastId,
    lease: Lease,
    side: Side,
    process: Process,
    fencing_token: Secret,
    table: Table,
    /// Initialization sections that need not be stored again.
    stored: RefCell<BTreeSet<String>>,
}

impl Task {
    fn now(&self) -> Timestamp {
        self.side.clock()
    }
}

/// The life of a task's process; why it ended.
pub async fn run(broadcast: BroadcastId, lease: Lease) -> String {
    let side = Side::of(&lease.region);
    let task = Rc::new(Task {
        fencing_token: Secret::new(format!("{:032x}", rng::random())),
        table: Table { side, writer: format!("task {lease}"), at_once: false },
        stored: RefCell::default(),
        process: simulation::with(|sim| sim.tasks[&lease].process),
        broadcast,
        lease,
        side,
    });
    format!("{:?}", work::Shell::new(task).work().await)
}
