//! One accepted publisher: its names, its media, and the ways in which it is told to end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use headwater_domain::hooks::SessionRef;
use headwater_domain::tokens::SourceRight;
use headwater_domain::{Lease, SessionId};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::timeout;

use super::spool::Spool;

/// Readers of one session at a time: an old transcoder, its successor, and connections that are dead but not yet known
/// to be. Each holds up to 256 KiB.
const MAX_READERS: usize = 8;

/// What its connection is to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SessionDirective {
    /// Go on.
    #[default]
    GoOn,
    /// Ask the encoder to go elsewhere, and go on until it does.
    Move,
    /// End now; the encoder is told why.
    Stop(StopReason),
}

/// Why the gateway ends a session of its own accord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The control plane says so.
    Ordered {
        /// A sentence for the person at the encoder.
        reason: String,
        /// Whether it should connect again.
        retry: bool,
    },
    /// Its media can be decoded from nowhere, and somebody has to begin.
    NoKeyFrame(Duration),
    /// The gateway is shut down.
    Leaving,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordered { reason, .. } => f.write_str(reason),
            Self::NoKeyFrame(since) => write!(
                f,
                "no key frame has come for {} s, and the transcoder had to begin again: connect again, and set the \
                 encoder's key frame interval to 2 s",
                since.as_secs()
            ),
            Self::Leaving => f.write_str("gateway is leaving"),
        }
    }
}

/// One accepted publisher.
#[derive(Debug)]
pub struct Session {
    /// Its names.
    pub names: SessionRef,
    /// Its media.
    pub spool: Arc<Spool>,
    directive: watch::Sender<SessionDirective>,
    ended: OnceLock<Instant>,
    received: AtomicU64,
    readers: AtomicUsize,
    read_out: AtomicBool,
    problem: Mutex<Option<String>>,
    /// The highest lease that has come to read it in order to write.
    writer: watch::Sender<Option<Lease>>,
}

/// A higher lease has come to read the session: whoever reads it under a lower one has been replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced;

impl Session {
    /// A session that begins now.
    pub fn new(names: SessionRef, spool: Spool) -> Self {
        Self {
            names,
            spool: Arc::new(spool),
            directive: watch::Sender::new(SessionDirective::GoOn),
            ended: OnceLock::new(),
            received: AtomicU64::new(0),
            readers: AtomicUsize::new(0),
            read_out: AtomicBool::new(false),
            problem: Mutex::new(None),
            writer: watch::Sender::new(None),
        }
    }

    /// Its id.
    pub fn id(&self) -> &SessionId {
        &self.names.session
    }

    /// Tells the connection what to do. Stopping is not taken back.
    pub fn direct(&self, directive: SessionDirective) {
        self.directive.send_if_modified(|now| {
            let changes = !matches!(now, SessionDirective::Stop(_)) && *now != directive;
            if changes {
                *now = directive;
            }
            changes
        });
    }

    /// For the connection: what it is to do.
    pub fn directives(&self) -> watch::Receiver<SessionDirective> {
        self.directive.subscribe()
    }

    /// No media will come any more.
    pub fn end(&self) {
        self.ended.get_or_init(Instant::now);
        self.spool.end();
    }

    /// Since when it has ended.
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get().copied()
    }

    /// What of its media cannot be used, and why: for people.
    pub fn problem(&self) -> Option<String> {
        self.lock_problem().clone()
    }

    /// Notes what cannot be used, or that all can.
    pub fn set_problem(&self, problem: Option<String>) {
        *self.lock_problem() = problem;
    }

    fn lock_problem(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock()
    }

    /// Counts bytes that came from the encoder.
    pub fn note_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes that came from the encoder.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether a reader had everything to the very end.
    pub fn read_out(&self) -> bool {
        self.read_out.load(Ordering::Relaxed)
    }

    /// Notes that a reader had everything to the very end.
    pub fn note_read_out(&self) {
        self.read_out.store(true, Ordering::Relaxed);
        self.spool.announce();
    }

    /// Waits until its media is committed; once it was read to its end, not for longer than `patience`: what makes no
    /// segment is not committed.
    pub async fn drained(&self, patience: Duration) {
        self.changes_until(|| self.read_out() || !self.spool.keeps_media()).await;
        let _ = timeout(patience, self.changes_until(|| !self.spool.keeps_media())).await;
    }

    async fn changes_until(&self, over: impl Fn() -> bool) {
        let mut changed = self.spool.watch();
        while !over() {
            changed.borrow_and_update();
            if over() || changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Lets a task of `right` in, unless one of a higher lease has come to write: without media nobody writes, whoever
    /// believes that it may. A standby, whose lease is above its holder's, replaces nobody as long as it rehearses.
    pub fn admit(&self, right: &SourceRight) -> Result<(), Fenced> {
        let mut admitted = Ok(());
        self.writer.send_if_modified(|writer| match writer {
            Some(writer) if right.lease < *writer => {
                admitted = Err(Fenced);
                false
            }
            Some(writer) if right.lease == *writer => false,
            _ if !right.writes => false,
            _ => {
                tracing::info!(session = %self.id(), lease = %right.lease, before = ?writer, "a lease reads the session; lower ones are refused from now on");
                *writer = Some(right.lease.clone());
                true
            }
        });
        admitted
    }

    /// Waits until a higher lease than `lease` has come to write.
    pub async fn fenced(&self, lease: &Lease) -> Fenced {
        let mut writer = self.writer.subscribe();
        let is_higher = |writer: &Option<Lease>| writer.as_ref().is_some_and(|writer| writer > lease);
        // Its sender lives as long as the session, which is borrowed.
        let _ = writer.wait_for(is_higher).await;
        Fenced
    }

    /// Takes one of the places for readers; give it back with [`Session::reader_left`].
    pub fn reader_came(&self) -> bool {
        self.readers
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < MAX_READERS).then_some(count + 1)
            })
            .is_ok()
    }

    /// A reader's place is free again.
    pub fn reader_left(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }
}
