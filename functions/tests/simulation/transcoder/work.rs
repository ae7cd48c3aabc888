//! The task's work: reads its session, makes segments in real time or faster, stores and commits them in order.

use std::collections::BTreeSet;
use std::rc::Rc;

use headwater_domain::beat::Activity;
use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::ports::{Commit, WriteTimeline};
use headwater_domain::reading::Reading;
use headwater_domain::stream::Latency;
use headwater_domain::timeline::{Entry, ResumePoint};
use headwater_domain::{SegmentNumber, SessionId};
use headwater_task::source::RunHead;
use headwater_task::timeline::{ObjectKind, TimelineWriter, Written};

use super::Task;
use super::engine::{Engine, SEGMENT};
use crate::executor::{self, sleep};
use crate::world::tell;
use crate::{check, dice, gateway, media};

/// A source that was replaced by another may say what it still has for so long.
const LONGEST_WORDS: u64 = 60_000;
/// A task that is told to stop reads what the gateway still has for so long.
const DRAIN: u64 = 60_000;
const RETRY: u64 = 500;
/// How often it looks for orders and media.
const LOOK_EVERY: u64 = 100;
/// Tries of an entry.
const TRIES: u32 = 8;

/// How the task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Over,
    Fenced,
    /// The timeline cannot be written.
    Failed,
}

#[derive(Clone)]
struct Terms {
    low: bool,
    mirror: bool,
    resume: Option<ResumePoint>,
}

enum Worked {
    Again,
    Done,
    Later,
    Exit(Exit),
}

pub(super) struct Worker {
    task: Rc<Task>,
    writer: TimelineWriter,
    reading: Reading,
    terms: Option<Terms>,
    drain_until: Option<u64>,
    lost_parts: BTreeSet<(SegmentNumber, usize)>,
    /// Initialization sections that need not be stored again.
    stored: BTreeSet<String>,
}

impl Worker {
    pub(super) fn new(task: Rc<Task>) -> Self {
        let writer = TimelineWriter::new(task.broadcast.clone(), task.lease.clone());
        let (reading, lost_parts, stored) = (Reading::default(), BTreeSet::new(), BTreeSet::new());
        Self { task, writer, reading, terms: None, drain_until: None, lost_parts, stored }
    }

    pub(super) async fn work(&mut self) -> Exit {
        let mut misses = 0;
        loop {
            let order = self.newest_order();
            let to_read = match &order {
                None => None,
                Some(TranscoderOrder::Fenced) => return Exit::Fenced,
                Some(TranscoderOrder::Wait) => {
                    self.task.update(|health| health.activity = Activity::Waiting);
                    self.rest()
                }
                Some(_) => self.rest(),
            };
            let stopping = matches!(order, Some(TranscoderOrder::Stop { .. }));
            if stopping && (to_read.is_none() || self.drain_until.is_some_and(|at| executor::now() >= at)) {
                return Exit::Over;
            }
            let worked = match to_read {
                Some((session, terms)) => {
                    self.reading.begin(&session);
                    self.writer.begin(terms.resume.clone());
                    self.read(&session, &terms).await
                }
                None => Worked::Done,
            };
            match worked {
                Worked::Exit(exit) => return exit,
                Worked::Again => misses = 0,
                Worked::Done if self.reading.next().is_some() => misses = 0,
                Worked::Done => sleep(LOOK_EVERY).await,
                Worked::Later => {
                    misses += 1;
                    if self.reading.is_replaced() && misses >= 2 {
                        self.give_up();
                        misses = 0;
                        continue;
                    }
                    if stopping && misses >= 4 {
                        return Exit::Over;
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn newest_order(&mut self) -> Option<TranscoderOrder> {
        let order = self.task.order()?;
        match &order {
            TranscoderOrder::Stop { .. } => {
                self.drain_until.get_or_insert_with(|| executor::now() + DRAIN);
            }
            TranscoderOrder::Wait => self.drain_until = None,
            TranscoderOrder::Fenced => {}
            TranscoderOrder::Transcode { source, earlier, settings, resume, behind, .. } => {
                self.drain_until = None;
                behind.iter().for_each(|behind| self.writer.resume_after(*behind));
                self.reading.order(earlier, source);
                self.terms = Some(Terms {
                    low: settings.latency == Latency::Low,
                    mirror: settings.mirror,
                    resume: resume.as_deref().cloned(),
                });
            }
        }
        Some(order)
    }

    /// The session that was not read to its end.
    fn rest(&self) -> Option<(SessionId, Terms)> {
        Some((self.reading.next()?.session.clone(), self.terms.clone()?))
    }

    /// Another session waits.
    fn give_up(&mut self) {
        if let Some(source) = self.reading.next().cloned() {
            self.reading.finish(&source.session);
        }
    }

    /// Reads one run of the source, if there is one.
    async fn read(&mut self, id: &SessionId, terms: &Terms) -> Worked {
        sleep(dice::between(5, 30)).await;
        let Some(session) = gateway::session(self.task.side, id) else {
            self.task.source_lost(id);
            return Worked::Later;
        };
        let after = self.writer.after(id);
        let at = after.max(session.committed);
        if session.ended && at >= session.available() {
            return self.gone(id);
        }
        self.task.source_found(id);
        let head = self.head(&session, at, at - after);
        let mut engine = Engine::begin(&self.writer.start(id, head), at);
        let mut replaced = None;
        loop {
            // Whole segments at once; in low latency part after part. What is out already is made anew.
            let until = match self.wait_for(id, engine.goal(terms.low), &mut replaced).await {
                Ok(until) => until,
                Err(worked) => return worked,
            };
            let made = if engine.is_part(terms.low, until) {
                if !engine.is_known() {
                    sleep(dice::between(10, 60)).await;
                }
                engine.part(until)
            } else if until > engine.at() {
                self.encode(id, until).await;
                engine.segment(until)
            } else {
                self.writer.ran_out(id, until);
                return self.gone(id);
            };
            if let Some(written) = self.writer.write(&made, id, head)
                && let Err(exit) = self.commit(terms, written).await
            {
                return Worked::Exit(exit);
            }
        }
    }

    fn head(&self, session: &gateway::Session, first_cursor: u64, lost: u64) -> RunHead {
        let behind = executor::now() - session.started;
        RunHead { run: 1, started_ms: self.task.now().0 - behind, first_cursor, lost }
    }

    fn gone(&mut self, id: &SessionId) -> Worked {
        self.reading.finish(id);
        self.task.source_lost(id);
        Worked::Done
    }

    /// Makes a segment: in the time it takes, less if it is late.
    async fn encode(&self, id: &SessionId, until: u64) {
        let available = gateway::session(self.task.side, id).map_or(0, |session| session.available());
        let is_late = available > until + SEGMENT;
        sleep(if is_late { dice::between(50, 250) } else { dice::between(40, 300) }).await;
    }

    /// Waits until there is media up to `goal`, or less at the session's end.
    async fn wait_for(
        &mut self,
        id: &SessionId,
        goal: u64,
        replaced: &mut Option<u64>,
    ) -> Result<u64, Worked> {
        loop {
            match self.newest_order() {
                Some(TranscoderOrder::Fenced) => return Err(Worked::Exit(Exit::Fenced)),
                Some(TranscoderOrder::Transcode { .. }) if self.reading.is_replaced() => {
                    let at = *replaced.get_or_insert(executor::now() + LONGEST_WORDS);
                    if executor::now() >= at {
                        self.give_up();
                        return Err(Worked::Again);
                    }
                }
                Some(TranscoderOrder::Stop { .. })
                    if self.drain_until.is_some_and(|at| executor::now() >= at) =>
                {
                    return Err(Worked::Exit(Exit::Over));
                }
                _ => {}
            }
            let Some(session) = gateway::session(self.task.side, id) else {
                self.task.source_lost(id);
                return Err(Worked::Later);
            };
            let available = session.available();
            if available >= goal {
                return Ok(goal);
            }
            if session.ended {
                return Ok(available);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn commit(&mut self, terms: &Terms, written: Written) -> Result<(), Exit> {
        let Written { mut entry, objects, .. } = written;
        for object in objects {
            let is_init = object.kind == ObjectKind::Init;
            if is_init && self.stored.contains(&object.path) {
                continue;
            }
            let writer = &self.task.table.writer;
            if media::store(self.task.side, terms.mirror, &object.path, writer).await {
                if is_init {
                    self.stored.insert(object.path);
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
            Commit::Committed => {}
            Commit::Fenced => return Err(Exit::Fenced),
        }
        check::media::committed(&entry);
        if !entry.open {
            let Entry { lease, number, discontinuities, gap, .. } = &entry;
            let gap = if *gap { " as a gap" } else { "" };
            tell(|| format!("{lease} commits {} ({discontinuities} breaks){gap}", number.0));
        }
        let (until, number) = (entry.until(), entry.number);
        let mut state = self.task.state.borrow_mut();
        state.rung |= state.health.media_until.is_none();
        state.health.media_until = Some(until);
        state.health.committed_at = Some(entry.committed_at);
        if !entry.open {
            state.rung |= state.health.committed(number, entry.discontinuities);
            if !dice::chance(5) {
                let (id, cursor) = (&entry.source.session, entry.source.cursor);
                let note = |session: &mut gateway::Session| session.committed = cursor.max(session.committed);
                gateway::change(self.task.side, id, note);
            }
        }
        Ok(())
    }

    async fn put(&self, entry: &Entry) -> Result<Commit, Exit> {
        let mut pause = 100;
        for _ in 1..TRIES {
            match self.task.table.commit(entry).await {
                Ok(outcome) => return Ok(outcome),
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(5_000);
        }
        self.task.table.commit(entry).await.map_err(|_| Exit::Failed)
    }
}
