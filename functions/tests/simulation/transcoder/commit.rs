//! Stores what is written of a run and commits it, one entry after the other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use headwater_domain::SegmentNumber;
use headwater_domain::ports::{Commit, WriteTimeline};
use headwater_domain::timeline::Entry;
use headwater_task::Stopped;
use headwater_task::timeline::{ObjectKind, Written};

use super::Task;
use crate::executor::{self, sleep};
use crate::simulation::{self, tell};
use crate::{check, gateway, media, rng};

/// Entries that wait; the engine waits for room.
const MAX_PENDING: usize = 1;
/// How often it is looked whether there is another one.
const LOOK_EVERY: u64 = 20;
/// Tries of an entry.
const TRIES: u32 = 8;

/// The way of one run's entries into the timeline.
#[derive(Default)]
pub(super) struct Commits {
    queue: RefCell<VecDeque<Written>>,
    /// Nothing more comes.
    closed: Cell<bool>,
    stopped: Cell<Option<Stopped>>,
}

impl Commits {
    pub(super) fn start(task: Rc<Task>, mirrors: bool) -> Rc<Self> {
        let commits = Rc::new(Self::default());
        let process = simulation::with(|sim| sim.tasks[&task.lease].process);
        let mut committer =
            Committer { task, mirrors, lost_parts: BTreeSet::new(), commits: commits.clone() };
        executor::spawn(process, async move {
            let stopped = committer.run().await;
            if committer.commits.stopped.get().is_none() {
                committer.commits.stopped.set(Some(stopped));
            }
        });
        commits
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.borrow().len() < MAX_PENDING
    }

    pub(super) fn push(&self, written: Written) {
        self.queue.borrow_mut().push_back(written);
    }

    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// Nothing more is begun; what is on its way to the table may still arrive there.
    pub(super) fn abort(&self) {
        if self.stopped.get().is_none() {
            self.stopped.set(Some(Stopped::Fenced));
        }
    }

    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.stopped.get()
    }
}

struct Committer {
    task: Rc<Task>,
    mirrors: bool,
    lost_parts: BTreeSet<(SegmentNumber, usize)>,
    commits: Rc<Commits>,
}

impl Committer {
    async fn run(&mut self) -> Stopped {
        loop {
            let next = self.commits.queue.borrow_mut().pop_front();
            let outcome = match next {
                Some(written) => self.commit(written).await,
                None if self.commits.closed.get() => return Stopped::Drained,
                None => {
                    sleep(LOOK_EVERY).await;
                    Ok(())
                }
            };
            if let Some(stopped) = outcome.err().or(self.commits.stopped()) {
                return stopped;
            }
        }
    }

    async fn commit(&mut self, written: Written) -> Result<(), Stopped> {
        let Written { mut entry, objects, .. } = written;
        for object in objects {
            let is_init = object.kind == ObjectKind::Init;
            if is_init && self.task.stored.borrow().contains(&object.path) {
                continue;
            }
            if media::store(self.task.side, self.mirrors, &object.path, &self.task.table.writer).await {
                if is_init {
                    self.task.stored.borrow_mut().insert(object.path);
                }
            } else if !entry.open {
                entry.gap = true;
            } else {
                self.lost_parts.insert((entry.number, entry.parts.len() - 1));
            }
        }
        for (index, part) in entry.parts.iter_mut().enumerate() {
            part.gap |= self.lost_parts.contains(&(entry.number, index));
        }
        entry.committed_at = self.task.now();
        match self.put(&entry).await? {
            Commit::Committed => self.committed(&entry),
            Commit::Fenced => return Err(Stopped::Fenced),
        }
        Ok(())
    }

    fn committed(&self, entry: &Entry) {
        check::media::committed(entry);
        if !entry.open {
            let Entry { lease, number, discontinuities, gap, .. } = entry;
            let gap = if *gap { " as a gap" } else { "" };
            tell(|| format!("{lease} commits {} ({discontinuities} breaks){gap}", number.0));
        }
        self.task.committed(entry);
        if !entry.open && !rng::chance(5) {
            let (id, cursor) = (&entry.source.session, entry.source.cursor);
            let note = |session: &mut gateway::Session| session.committed = cursor.max(session.committed);
            gateway::change(self.task.side, id, note);
        }
    }

    async fn put(&self, entry: &Entry) -> Result<Commit, Stopped> {
        let mut pause = 100;
        for _ in 1..TRIES {
            if let Some(stopped) = self.commits.stopped() {
                return Err(stopped);
            }
            match self.task.table.commit(entry).await {
                Ok(outcome) => return Ok(outcome),
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(5_000);
        }
        self.task.table.commit(entry).await.map_err(|_| Stopped::Failed)
    }
}
