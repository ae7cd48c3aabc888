//! When a task sends heartbeats: every two seconds, more often while it has nothing to do or another waits for it, at once
//! if there is news.
//! One is under way at a time.

use std::time::Duration;

use headwater_domain::heartbeat::{Activity, HEARTBEAT_EVERY};

/// While there is no media to work on, orders are asked for so often: a returning publisher should not wait.
const WAITING_HEARTBEAT: Duration = Duration::from_millis(500);
/// While another task waits for what is told: viewers have no new media meanwhile.
const HURRIED_HEARTBEAT: Duration = Duration::from_millis(250);
/// Without any answer for so long the task gives up: nobody can stop it any more, and it costs money.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);

/// The pace of heartbeats.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeats {
    is_under_way: bool,
    /// How long is waited behind the answer to the last one.
    every: Duration,
    due: Duration,
    /// When one was answered last.
    answered: Duration,
}

impl Heartbeats {
    /// The first one is due at once.
    pub(crate) fn new(now: Duration) -> Self {
        Self { is_under_way: false, every: WAITING_HEARTBEAT, due: now, answered: now }
    }

    /// When the next one is due, if none is under way.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.is_under_way).then_some(self.due)
    }

    /// Whether one may be sent: now if there is news.
    pub(crate) fn is_due(&self, now: Duration, is_news: bool) -> bool {
        !self.is_under_way && (is_news || self.due <= now)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    pub(crate) fn sent(&mut self, activity: Activity, is_hurried: bool) {
        self.is_under_way = true;
        self.every = match activity {
            _ if is_hurried => HURRIED_HEARTBEAT,
            Activity::Transcoding => HEARTBEAT_EVERY,
            Activity::Waiting | Activity::Leaving => WAITING_HEARTBEAT,
        };
    }

    /// The one under way was answered.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.answered = now;
        self.over(now);
    }

    /// The one under way was not; whether the task is abandoned.
    pub(crate) fn unanswered(&mut self, now: Duration) -> bool {
        self.over(now);
        now.saturating_sub(self.answered) > ABANDONED_AFTER
    }

    fn over(&mut self, now: Duration) {
        self.is_under_way = false;
        self.due = now + self.every;
    }
}
