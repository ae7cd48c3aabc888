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

use super::Task;
use super::author::{Author, RENDITION, Stretch};
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
const SEGMENT: u64 = 2_000;
const PART: u64 = 500;
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
    author: Author,
    reading: Reading,
    terms: Option<Terms>,
    drain_until: Option<u64>,
    lost_parts: BTreeSet<(SegmentNumber, usize)>,
}

impl Worker {
    pub(super) fn new(task: Rc<Task>) -> Self {
        let author = Author::new(task.broadcast.clone(), task.lease.clone());
        let (reading, lost_parts) = (Reading::default(), BTreeSet::new());
        Self { task, author, reading, terms: None, drain_until: None, lost_parts }
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
                    self.author.begin(terms.resume.clone());
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
                behind.iter().for_each(|behind| self.author.told(*behind));
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
        let mut at = self.author.after(id);
        let lost = session.committed > at;
        at = at.max(session.committed);
        if session.ended && at >= session.available() {
            return self.gone(id);
        }
        self.task.source_found(id);
        self.author.start(id, lost);
        let mut replaced = None;
        loop {
            let (mut parts, begun) = (0, at);
            let until = loop {
                // Whole segments at once; in low latency part after part. What is out already is made anew.
                let known = self.author.parts_out();
                let goal = if terms.low { begun + PART * (parts + 1) } else { begun + SEGMENT };
                match self.wait_for(id, goal, &mut replaced).await {
                    Ok(until) if terms.low && until == goal && parts < 3 => {
                        if parts as usize >= known {
                            sleep(dice::between(10, 60)).await;
                        }
                        let stretch = self.stretch(&session, id, begun + PART * parts, until);
                        let (entry, objects) = self.author.part(&stretch);
                        if let Err(exit) = self.commit(terms, entry, objects).await {
                            return Worked::Exit(exit);
                        }
                        parts += 1;
                    }
                    Ok(until) => break until,
                    Err(worked) => return worked,
                }
            };
            if until == begun {
                self.author.ran_out(id, at);
                return self.gone(id);
            }
            self.encode(id, until).await;
            let (entry, objects) = self.author.close(&self.stretch(&session, id, begun, until));
            if let Err(exit) = self.commit(terms, entry, objects).await {
                return Worked::Exit(exit);
            }
            at = until;
        }
    }

    fn stretch<'a>(&self, session: &gateway::Session, id: &'a SessionId, from: u64, to: u64) -> Stretch<'a> {
        let behind = executor::now() - session.started;
        let started = headwater_domain::Timestamp(self.task.now().0 - behind);
        Stretch { session: id, from, to, started }
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

    async fn commit(&mut self, terms: &Terms, mut entry: Entry, objects: Vec<String>) -> Result<(), Exit> {
        for path in objects {
            let writer = &self.task.table.writer;
            if media::store(self.task.side, terms.mirror, &path, writer).await {
                self.author.stored(&path);
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
        debug_assert_eq!(entry.renditions[0].name, RENDITION);
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
