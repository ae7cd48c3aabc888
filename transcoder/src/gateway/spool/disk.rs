//! The disk that all spools write to, as far as its answers tell: whether it takes media, and since when it does not.
//!
//! It is asked on the callers' threads, and one in trouble may take its time to say no (a full ext4 commits its journal
//! first): while it refuses, all spools together ask it a few times a second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_domain::ClockReader;
use headwater_domain::rate_limit::RateLimit;
use parking_lot::{Mutex, MutexGuard};

/// While it refuses, it is asked again so often.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// One line of refusals in each such time; it may refuse for hours.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Without a refusal for so long it is well again. A full one takes a little whenever something is deleted.
const QUIET: Duration = Duration::from_secs(5);

/// What is known of the disk that all spools write to.
#[derive(Debug, Clone)]
pub struct Disk(Arc<DiskState>);

#[derive(Debug)]
struct DiskState {
    errors: AtomicU64,
    trouble: Mutex<Option<Trouble>>,
    lines: Mutex<RateLimit>,
    clock: ClockReader,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Instant,
    /// Whether the last write was refused.
    refuses: bool,
    next_try: Instant,
}

impl Disk {
    /// One that has refused nothing yet.
    pub fn new(clock: ClockReader) -> Self {
        let lines = Mutex::new(RateLimit::new(1, LINE_EVERY));
        Self(Arc::new(DiskState { errors: AtomicU64::new(0), trouble: Mutex::new(None), lines, clock }))
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.trouble.lock()
    }

    /// Writes, unless it refused a moment ago; whether it took it.
    pub fn write(&self, action: impl FnOnce() -> io::Result<()>) -> bool {
        if !self.may_try() {
            return false;
        }
        match action() {
            Ok(()) => {
                self.took();
                true
            }
            Err(error) => {
                self.refused(&error);
                false
            }
        }
    }

    /// There is more room on it now: it may be asked at once.
    pub fn freed(&self) {
        if let Some(trouble) = &mut *self.trouble() {
            trouble.next_try = Instant::now();
        }
    }

    /// Since when it refuses, if it does.
    pub fn failing_since(&self) -> Option<Instant> {
        self.trouble().filter(|trouble| trouble.refuses).map(|trouble| trouble.since)
    }

    /// Notes when it has become well again. To be called now and then.
    pub fn look_after(&self) {
        let mut trouble = self.trouble();
        if let Some(Trouble { since, refuses: false, next_try }) = *trouble
            && next_try.elapsed() >= QUIET
        {
            *trouble = None;
            tracing::info!(seconds = since.elapsed().as_secs(), "the spool folder can be written again");
        }
    }

    /// Writes that it has refused so far.
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Ordering::Relaxed)
    }

    fn may_try(&self) -> bool {
        match &mut *self.trouble() {
            Some(trouble) if trouble.refuses => {
                let now = Instant::now();
                let due = trouble.next_try <= now;
                if due {
                    trouble.next_try = now + RETRY_EVERY;
                }
                due
            }
            _ => true,
        }
    }

    fn took(&self) {
        if let Some(trouble) = &mut *self.trouble() {
            trouble.refuses = false;
        }
    }

    fn refused(&self, error: &io::Error) {
        self.0.errors.fetch_add(1, Ordering::Relaxed);
        let at = Instant::now();
        let mut trouble = self.trouble();
        let since = trouble.map_or(at, |trouble| trouble.since);
        *trouble = Some(Trouble { since, refuses: true, next_try: at + RETRY_EVERY });
        drop(trouble);
        let line = self.0.lines.lock().take((self.0.clock)());
        if let Some(withheld) = line {
            tracing::error!(%error, withheld, "cannot write to the spool folder; media is kept in memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_domain::Timestamp;

    use super::*;

    #[test]
    fn one_that_refuses_is_left_alone_until_it_is_time_or_there_is_room() {
        let disk = Disk::new(|| Timestamp(0));
        assert!(disk.write(|| Ok(())));
        assert!(!disk.write(|| Err(io::ErrorKind::StorageFull.into())));
        assert!(!disk.write(|| panic!("it was asked a moment ago")));
        assert_eq!((disk.errors(), disk.failing_since().is_some()), (1, true));
        disk.freed();
        assert!(disk.write(|| Ok(())));
        assert_eq!((disk.errors(), disk.failing_since()), (1, None));
    }
}
