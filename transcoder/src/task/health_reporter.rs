//! How the task fares, as its heartbeats tell it. Written by task and committer, read by the heartbeat loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_domain::heartbeat::{Activity, GivenUp, Health};
use headwater_domain::metrics::Metric;
use headwater_domain::{SessionId, Timestamp};
use tokio::sync::Notify;

use super::notes::{About, Notes};
use crate::media::Problems;

/// Shared health, and a way to have it told now.
#[derive(Debug, Clone)]
pub(super) struct HealthReporter {
    health: Arc<Mutex<Health>>,
    notes: Arc<Mutex<Notes>>,
    /// How late media was committed, ms, when there was nothing else left to read: that is the source's own lateness.
    source_late: Arc<AtomicU64>,
    /// What the engine finds wrong with the source that it reads.
    problems: Problems,
    notify: Arc<Notify>,
}

impl HealthReporter {
    pub(super) fn new() -> Self {
        Self {
            health: Arc::new(Mutex::new(Health::starting())),
            notes: Arc::default(),
            source_late: Arc::default(),
            problems: Problems::default(),
            notify: Arc::new(Notify::new()),
        }
    }

    pub(super) fn read(&self) -> Health {
        let mut health = self.lock().clone();
        health.problem = self.lock_notes().told(health.problem.as_deref());
        let found = self.problems.worst().map(|one| one.sentence().to_owned());
        let all: Vec<String> = health.problem.into_iter().chain(found).collect();
        health.problem = (!all.is_empty()).then(|| all.join("; "));
        health
    }

    /// Where the engine says what is wrong with a source.
    pub(super) fn problems(&self) -> Problems {
        self.problems.clone()
    }

    /// The gateway can use all of the session, or it says why it cannot. News is told at once.
    pub(super) fn source_problem(&self, problem: Option<String>) {
        if self.lock_notes().set(About::Tracks, problem) {
            self.notify.notify_one();
        }
    }

    /// Something is wrong with the source that is read, or no longer.
    pub(super) fn note(&self, about: About, text: Option<String>) {
        self.lock_notes().set(about, text);
    }

    /// Changes the health; the next heartbeat tells it.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut Health) -> R) -> R {
        change(&mut self.lock())
    }

    /// Has it told at once.
    pub(super) fn announce(&self) {
        self.notify.notify_one();
    }

    /// Waits until something is to be told at once.
    pub(super) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// The session's source has ended or is out of reach, since now if not before. Told at once, but only if it is
    /// news: who fails again and again must not send heartbeats as often.
    pub(super) fn source_lost(&self, session: &SessionId, problem: Option<String>) {
        self.problems.clear();
        let mut health = self.lock();
        let before = health.clone();
        lose(&mut health, session);
        health.problem = problem.or(health.problem.take());
        self.lock_notes().source_is_over();
        if *health != before {
            self.notify.notify_one();
        }
    }

    /// The session's source is of no use, though it may still come: its encoder is to be told at once.
    pub(super) fn give_up(&self, session: &SessionId, why: GivenUp) {
        self.problems.clear();
        let mut health = self.lock();
        lose(&mut health, session);
        self.lock_notes().clear();
        health.problem = Some(why.reason.clone());
        health.given_up = Some(why);
        self.notify.notify_one();
    }

    /// The session's source answers. What was wrong while there was none is over.
    pub(super) fn source_found(&self, session: &SessionId) {
        self.update(|health| {
            if health.session.as_ref() != Some(session) {
                self.source_is_late(Duration::ZERO);
                self.lock_notes().clear();
            }
            health.session = Some(session.clone());
            if health.source_lost_since.take().is_some() {
                (health.problem, health.given_up) = (None, None);
            }
            health.activity = Activity::Transcoding;
        });
    }

    /// All that the source has brought is committed, and is so late: nobody but the encoder can be faster.
    pub(super) fn source_is_late(&self, late: Duration) {
        self.source_late.store(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Finds the figures of the moment; errors are counted since the last time.
    pub(super) fn metrics(&self) -> impl FnMut() -> Vec<Metric> + use<> {
        let (health_reporter, mut errors_before) = (self.clone(), 0);
        move || {
            let health = health_reporter.read();
            let errors = health.decode_errors - std::mem::replace(&mut errors_before, health.decode_errors);
            let mut metrics =
                vec![Metric::count("MirrorLag", health.mirror_lag), Metric::count("DecodeErrors", errors)];
            // Without a source nothing is due.
            if let (Activity::Transcoding, Some(until)) = (health.activity, health.media_until) {
                let own = Duration::from_millis(health_reporter.source_late.load(Ordering::Relaxed));
                metrics.push(Metric::seconds("Backlog", wall_clock().since(until).saturating_sub(own)));
            }
            metrics
        }
    }

    fn lock_notes(&self) -> MutexGuard<'_, Notes> {
        // As below.
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        // A poisoned lock holds a whole value: every update is a plain assignment.
        self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn lose(health: &mut Health, session: &SessionId) {
    if health.session.as_ref() != Some(session) {
        (health.source_lost_since, health.given_up) = (None, None);
    }
    health.session = Some(session.clone());
    health.source_lost_since.get_or_insert_with(wall_clock);
    health.activity = Activity::Waiting;
}

/// What time it is.
pub(super) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Problem;

    #[test]
    fn problems_of_the_engine_are_reported_while_they_last() {
        let health_reporter = HealthReporter::new();
        health_reporter.problems().set(Problem::NoSound, true);
        assert_eq!(health_reporter.read().problem.as_deref(), Some(Problem::NoSound.sentence()));
        health_reporter.problems().set(Problem::NoSound, false);
        assert_eq!(health_reporter.read().problem, None);
        health_reporter.problems().set(Problem::NoPictures, true);
        health_reporter.source_lost(&SessionId::from_random(1), None);
        assert_eq!(health_reporter.read().problem, None, "the source is over");
    }

    #[test]
    fn what_the_gateway_cannot_use_is_told_beside_what_else_is_wrong() {
        let health_reporter = HealthReporter::new();
        health_reporter.source_problem(Some("audio cannot be used".into()));
        assert_eq!(health_reporter.read().problem.as_deref(), Some("audio cannot be used"));
        health_reporter.update(|health| health.problem = Some("mirror bucket fails".into()));
        assert_eq!(
            health_reporter.read().problem.as_deref(),
            Some("mirror bucket fails; audio cannot be used")
        );
        health_reporter.source_problem(None);
        assert_eq!(health_reporter.read().problem.as_deref(), Some("mirror bucket fails"));
    }

    #[test]
    fn errors_are_told_once_and_a_backlog_while_there_is_a_source() {
        let health_reporter = HealthReporter::new();
        let mut metrics = health_reporter.metrics();
        let expected = |errors| vec![Metric::count("MirrorLag", 2), Metric::count("DecodeErrors", errors)];
        health_reporter.update(|health| (health.decode_errors, health.mirror_lag) = (3, 2));
        assert_eq!(metrics(), expected(3));
        health_reporter.update(|health| health.decode_errors = 4);
        assert_eq!(metrics(), expected(1));
        // A clock ahead of ours is no backlog.
        health_reporter.source_found(&SessionId::from_random(1));
        health_reporter.update(|health| health.media_until = Some(wall_clock() + Duration::from_secs(60)));
        let backlog = Metric::seconds("Backlog", Duration::ZERO);
        assert_eq!(metrics(), [expected(0), vec![backlog.clone()]].concat());
        // What an encoder at 0.9× is behind after twenty minutes is no backlog of its transcoder.
        health_reporter.update(|health| health.media_until = Some(wall_clock() + Duration::ZERO));
        let until = health_reporter.read().media_until.unwrap();
        health_reporter.update(|health| health.media_until = Some(Timestamp(until.0 - 120_000)));
        assert_ne!(metrics(), [expected(0), vec![backlog.clone()]].concat());
        health_reporter.source_is_late(Duration::from_secs(3_600));
        assert_eq!(metrics(), [expected(0), vec![backlog]].concat());
    }
}
