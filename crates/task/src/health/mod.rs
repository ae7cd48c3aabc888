//! How the task fares, as its heartbeats tell it: what it does, how far it has come, what is wrong.

mod metrics;
mod notes;

use std::time::Duration;

use headwater_domain::heartbeat::{Activity, GivenUp, Health, Quiesced};
use headwater_domain::timeline::Entry;
use headwater_domain::{SegmentNumber, SessionId, Timestamp};

pub use self::metrics::TaskMetrics;
pub use self::notes::About;
use self::notes::Notes;
use crate::engine::Effort;
use crate::time::Now;

/// The task's health, and whether there is something that is not to wait for the next heartbeat.
#[derive(Debug, Clone)]
pub(crate) struct HealthReporter {
    health: Health,
    notes: Notes,
    /// How late media was committed when there was nothing else left to read: that is the source's own lateness.
    source_late: Duration,
    is_news: bool,
}

impl HealthReporter {
    pub(crate) fn new() -> Self {
        Self {
            health: Health::starting(),
            notes: Notes::default(),
            source_late: Duration::ZERO,
            is_news: false,
        }
    }

    /// What a heartbeat tells now.
    pub(crate) fn tell(&mut self, now: Now) -> Health {
        self.is_news = false;
        let source_problem = self.notes.of_the_source().map(str::to_owned);
        Health { problem: self.notes.told(now.monotonic), source_problem, ..self.health.clone() }
    }

    /// Whether something is to be told at once.
    pub(crate) fn is_news(&self) -> bool {
        self.is_news
    }

    pub(crate) fn metrics(&self) -> TaskMetrics {
        let Health { activity, media_until, decode_errors, mirror_lag, .. } = self.health;
        // Without a source nothing is due.
        let media_until = media_until.filter(|_| activity == Activity::Transcoding);
        TaskMetrics { decode_errors, mirror_lag, media_until, source_late: self.source_late }
    }

    /// Something is wrong, or no longer. What the gateway says of its tracks is told at once: the encoder waits for it.
    pub(crate) fn note(&mut self, now: Now, about: About, text: Option<String>) {
        self.is_news |= self.notes.set(now.monotonic, about, text) && about == About::Tracks;
    }

    /// So many objects wait for their mirror copies.
    pub(crate) fn mirroring(&mut self, lag: u64) {
        self.health.mirror_lag = lag;
    }

    pub(crate) fn decode_errors(&mut self, errors: u64) {
        self.health.decode_errors += errors;
    }

    /// There is no publisher.
    pub(crate) fn waits(&mut self) {
        self.health.activity = Activity::Waiting;
    }

    /// The last segment that was committed.
    pub(crate) fn segment(&self) -> Option<SegmentNumber> {
        self.health.segment
    }

    /// All up to there is committed and nothing follows until it is told; or it goes on.
    pub(crate) fn held(&mut self, held: Option<Quiesced>) {
        self.is_news |= self.health.held != held;
        self.health.held = held;
    }

    /// Its process will be ended then. A standby is started for it, so it is told at once.
    pub(crate) fn leaves_by(&mut self, by: Timestamp) {
        self.is_news |= self.health.leaving_by.replace(by).is_none();
    }

    /// A standby reads this session.
    pub(crate) fn rehearses(&mut self, now: Now, session: &SessionId) {
        (self.health.session, self.health.activity) = (Some(session.clone()), Activity::Transcoding);
        self.notes.set(now.monotonic, About::Source, None);
    }

    /// The standby can take over.
    pub(crate) fn is_ready(&mut self) {
        self.is_news = true;
    }

    /// It is no standby any more, and has not read or written anything.
    pub(crate) fn promoted(&mut self) {
        self.health = Health { mirror_lag: self.health.mirror_lag, ..Health::starting() };
        self.notes.forget_source();
    }

    /// The task says goodbye.
    pub(crate) fn leaves(&mut self) {
        self.health.activity = Activity::Leaving;
    }

    /// The session's source answers. What was wrong while there was none is over.
    pub(crate) fn source_found(&mut self, now: Now, session: &SessionId, problem: Option<String>, lost: u64) {
        let health = &mut self.health;
        if health.session.as_ref() != Some(session) {
            self.source_late = Duration::ZERO;
            self.notes.forget_source();
        }
        health.session = Some(session.clone());
        if health.source_lost_since.take().is_some() {
            health.given_up = None;
            self.notes.set(now.monotonic, About::Source, None);
        }
        self.health.activity = Activity::Transcoding;
        self.note(now, About::Tracks, problem);
        if lost > 0 {
            let text = format!("{lost} source messages were lost before they were read");
            self.note(now, About::Loss, Some(text));
        }
    }

    /// The session's source has ended or is out of reach, since now if not before. Told at once, but only if it is news:
    /// who fails again and again must not send heartbeats as often.
    pub(crate) fn source_lost(&mut self, now: Now, session: &SessionId, why: Option<String>) {
        let before = self.health.clone();
        self.lose(now, session);
        self.notes.source_is_over();
        let is_other = why.is_some() && self.notes.set(now.monotonic, About::Source, why);
        self.is_news |= is_other || self.health != before;
    }

    /// The session's source is of no use, though it may still come: its encoder is to be told at once.
    pub(crate) fn give_up(&mut self, now: Now, session: &SessionId, why: &GivenUp) {
        self.lose(now, session);
        self.notes.forget_source();
        self.notes.set(now.monotonic, About::Source, Some(why.reason.clone()));
        self.health.given_up = Some(why.clone());
        self.is_news = true;
    }

    fn lose(&mut self, now: Now, session: &SessionId) {
        let health = &mut self.health;
        if health.session.as_ref() != Some(session) {
            (health.source_lost_since, health.given_up) = (None, None);
        }
        health.session = Some(session.clone());
        health.source_lost_since.get_or_insert(now.wall);
        health.activity = Activity::Waiting;
    }

    /// An entry is in the timeline; `is_at_the_end`: all that the source has brought is. Whoever goes on when this task is
    /// gone must know of its breaks, so the first entry and each break are told at once.
    pub(crate) fn committed(&mut self, entry: &Entry, effort: Effort, is_at_the_end: bool) {
        let (health, until) = (&mut self.health, entry.until());
        self.is_news |= health.media_until.replace(until).is_none();
        health.committed_at = Some(entry.committed_at);
        (health.renditions_dropped, health.fast_preset) = (effort.dropped, effort.fast);
        if !entry.open {
            self.is_news |= health.committed(entry.number, entry.discontinuities);
        }
        if is_at_the_end {
            // Nobody but the encoder can be faster.
            self.source_late = entry.committed_at.since(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_domain::Timestamp;
    use headwater_domain::testing::samples;

    use super::*;

    #[test]
    fn the_first_entry_and_each_break_are_told_at_once() {
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp(1_700_000_000_000) };
        let mut health_reporter = HealthReporter::new();
        let mut is_news = |number, discontinuities, open| {
            let entry = Entry { discontinuities, open, ..samples::entry(1, number) };
            health_reporter.committed(&entry, Effort::default(), false);
            let is_news = health_reporter.is_news();
            health_reporter.tell(now);
            is_news
        };
        assert!(is_news(1, 0, false), "the first");
        assert!(!is_news(2, 0, false), "it goes on");
        assert!(!is_news(3, 1, true), "it is not closed");
        assert!(is_news(3, 1, false), "a break");
        assert!(!is_news(4, 1, false));
    }
}
