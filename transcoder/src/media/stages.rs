//! CPU time by stage of the pipeline, measured on the threads that do the work.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// What each stage has cost, over all threads of a run.
#[derive(Debug, Default)]
pub(super) struct Stages(Mutex<BTreeMap<String, Duration>>);

impl Stages {
    /// Adds what a thread has measured.
    pub(super) fn add(&self, stage: impl Into<String>, spent: Duration) {
        *self.0.lock().entry(stage.into()).or_default() += spent;
    }

    /// All of them by name.
    pub(super) fn take(self) -> Vec<(String, Duration)> {
        self.0.into_inner().into_iter().collect()
    }
}

/// CPU time of one stage on this thread.
#[derive(Debug, Default)]
pub(super) struct Meter(Duration);

impl Meter {
    /// Measures `work`.
    pub(super) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = thread_time();
        let made = work();
        self.0 += thread_time().saturating_sub(before);
        made
    }

    pub(super) fn spent(&self) -> Duration {
        self.0
    }
}

/// CPU time of this thread.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
