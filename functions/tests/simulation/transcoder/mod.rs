//! A transcoder task: claims its lease with the first heartbeat, reads its session, stores objects, commits entries.
//!
//! A small actor in place of `transcoder/src/run`, which needs ffmpeg, sockets and threads; it takes its orders from
//! the real hooks, goes on from the real resume point, and writes its entries with the real [`TimelineWriter`].
//!
//! [`TimelineWriter`]: headwater_task::timeline::TimelineWriter

mod beats;
mod engine;
mod work;

use std::cell::RefCell;
use std::rc::Rc;

use headwater_domain::beat::{Activity, Health};
use headwater_domain::hooks::{Secret, TranscoderOrder};
use headwater_domain::{BroadcastId, Lease, SessionId, Timestamp};

use super::dice;
use super::table::Table;
use super::world::{self, Side};

/// What a task's beats and its work share.
pub(crate) struct Task {
    broadcast: BroadcastId,
    lease: Lease,
    side: Side,
    boot: Secret,
    table: Table,
    state: RefCell<State>,
}

struct State {
    health: Health,
    order: Option<TranscoderOrder>,
    /// Something is to be told at once.
    rung: bool,
    done: bool,
}

impl Task {
    fn now(&self) -> Timestamp {
        self.side.clock()
    }

    fn order(&self) -> Option<TranscoderOrder> {
        self.state.borrow().order.clone()
    }

    fn update(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.state.borrow_mut().health);
    }

    fn source_lost(&self, session: &SessionId) {
        let (now, mut state) = (self.now(), self.state.borrow_mut());
        let health = &mut state.health;
        if health.session.as_ref() != Some(session) {
            health.source_lost_since = None;
        }
        health.session = Some(session.clone());
        let is_news = health.source_lost_since.is_none();
        health.source_lost_since.get_or_insert(now);
        health.activity = Activity::Waiting;
        state.rung |= is_news;
    }

    fn source_found(&self, session: &SessionId) {
        self.update(|health| {
            health.session = Some(session.clone());
            health.source_lost_since = None;
            health.activity = Activity::Transcoding;
        });
    }
}

/// The life of a task's process; why it ended.
pub async fn run(broadcast: BroadcastId, lease: Lease) -> String {
    let side = Side::of(&lease.region);
    let process = world::with(|world| world.tasks[&lease].process);
    let task = Rc::new(Task {
        boot: Secret::new(format!("{:032x}", dice::random())),
        table: Table { side, writer: format!("task {lease}"), at_once: false },
        state: RefCell::new(State { health: Health::starting(), order: None, rung: false, done: false }),
        broadcast,
        lease,
        side,
    });
    super::executor::spawn(process, beats::run(task.clone()));
    let exit = work::Worker::new(task.clone()).work().await;
    if exit == work::Exit::Over {
        task.update(|health| health.activity = Activity::Leaving);
    }
    task.state.borrow_mut().done = true;
    if exit == work::Exit::Over {
        beats::say(&task).await;
    }
    format!("{exit:?}")
}
