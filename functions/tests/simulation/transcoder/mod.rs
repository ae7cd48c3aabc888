//! A transcoder task: claims its lease with the first heartbeat, reads its session, stores objects, commits entries.
//!
//! What it decides is the product's own [`headwater_task::Task`], in a small shell in place of `transcoder/src/task`, which
//! needs ffmpeg, sockets and threads. It takes its orders from the real hooks.

mod commit;
mod engine;
mod heartbeats;
mod run;
mod work;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use headwater_domain::heartbeat::{Activity, GivenUp, Health};
use headwater_domain::hooks::{Secret, TranscoderOrder};
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, Lease, SessionId, Timestamp};
use headwater_task::Exit;

use super::rng;
use super::simulation::{self, Side};
use super::table::Table;

/// What a task's heartbeats and its work share.
pub(crate) struct Task {
    broadcast: BroadcastId,
    lease: Lease,
    side: Side,
    fencing_token: Secret,
    table: Table,
    /// Initialization sections that need not be stored again.
    stored: RefCell<BTreeSet<String>>,
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
            (health.source_lost_since, health.given_up) = (None, None);
        }
        health.session = Some(session.clone());
        let is_news = health.source_lost_since.is_none();
        health.source_lost_since.get_or_insert(now);
        health.activity = Activity::Waiting;
        state.rung |= is_news;
    }

    fn waits(&self) {
        self.update(|health| health.activity = Activity::Waiting);
    }

    fn gave_up(&self, session: &SessionId, why: GivenUp) {
        self.source_lost(session);
        self.update(|health| health.given_up = Some(why));
        self.state.borrow_mut().rung = true;
    }

    /// An entry is in the timeline.
    fn committed(&self, entry: &Entry) {
        let mut state = self.state.borrow_mut();
        state.rung |= state.health.media_until.is_none();
        state.health.media_until = Some(entry.until());
        state.health.committed_at = Some(entry.committed_at);
        if !entry.open {
            state.rung |= state.health.committed(entry.number, entry.discontinuities);
        }
    }

    fn source_found(&self, session: &SessionId) {
        self.update(|health| {
            health.session = Some(session.clone());
            if health.source_lost_since.take().is_some() {
                health.given_up = None;
            }
            health.activity = Activity::Transcoding;
        });
    }
}

/// The life of a task's process; why it ended.
pub async fn run(broadcast: BroadcastId, lease: Lease) -> String {
    let side = Side::of(&lease.region);
    let process = simulation::with(|sim| sim.tasks[&lease].process);
    let task = Rc::new(Task {
        fencing_token: Secret::new(format!("{:032x}", rng::random())),
        table: Table { side, writer: format!("task {lease}"), at_once: false },
        stored: RefCell::default(),
        state: RefCell::new(State { health: Health::starting(), order: None, rung: false, done: false }),
        broadcast,
        lease,
        side,
    });
    super::executor::spawn(process, heartbeats::run(task.clone()));
    let exit = work::Shell::new(task.clone()).work().await;
    let says_goodbye = matches!(exit, Ok(Exit::Over | Exit::Left));
    if says_goodbye {
        task.update(|health| health.activity = Activity::Leaving);
    }
    task.state.borrow_mut().done = true;
    if says_goodbye {
        heartbeats::say(&task).await;
    }
    format!("{exit:?}")
}
