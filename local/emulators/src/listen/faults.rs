//! A hand on one listener's failures. Must not know how requests are answered.

use super::answer::accept;
use super::shared::{Shared, Trouble};
use super::{Handler, ListenError};
use crate::fault::{Fault, Rate};
use crate::ports::Reserved;
use parking_lot::{Mutex, MutexGuard};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A hand on one service's failures. Cheap to clone; works from any task.
#[derive(Clone)]
pub struct Faults {
    inner: Arc<FaultsInner>,
}

struct FaultsInner {
    shared: Arc<Shared>,
    port: Reserved,
    /// The service's own listener, if this is a secondary listener.
    main: Option<Faults>,
    secondaries: Mutex<Vec<Weak<FaultsInner>>>,
    /// Whether clients can get an answer.
    up: watch::Sender<bool>,
    listening: Mutex<Listening>,
}

#[derive(Default)]
struct Listening {
    /// Stopped by itself, not with the service that it is a secondary listener of.
    stopped: bool,
    running: Option<RunningListener>,
}

struct RunningListener {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Faults {
    pub(super) fn new(name: &str, port: Reserved, handler: Arc<dyn Handler>, main: Option<Faults>) -> Self {
        let behind = main.as_ref().map(|main| main.inner.shared.clone());
        let shared = Arc::new(Shared::new(name, handler, behind));
        let (up, listening, secondaries) = (watch::Sender::new(false), Mutex::default(), Mutex::default());
        Self { inner: Arc::new(FaultsInner { shared, port, main, secondaries, up, listening }) }
    }

    pub(super) fn secondary(&self, name: &str, port: Reserved) -> Self {
        let secondary = Self::new(name, port, self.inner.shared.handler.clone(), Some(self.clone()));
        let mut secondaries = self.inner.secondaries.lock();
        secondaries.retain(|secondary| secondary.strong_count() > 0);
        secondaries.push(Arc::downgrade(&secondary.inner));
        secondary
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.inner.port.addr()
    }

    /// Makes one thing go wrong. Returns when it does.
    pub async fn apply(&self, fault: Fault) {
        match fault {
            Fault::Stopped => self.stop().await,
            Fault::Frozen => self.trouble(|trouble| trouble.frozen = true),
            Fault::Mute => self.trouble(|trouble| trouble.mute = true),
            Fault::Resetting => self.trouble(|trouble| trouble.resetting = true),
            Fault::Slow(latency) => self.trouble(|trouble| trouble.latency = latency),
            Fault::Dripping(every) => self.trouble(|trouble| trouble.drip = Some(every)),
            Fault::Narrow(bytes) => self.trouble(|trouble| trouble.bandwidth = Some(bytes)),
            Fault::Failing { rate, with, seed } => self.trouble(|trouble| {
                trouble.failing = (rate > Rate::NONE).then_some((rate, with, seed));
                self.inner.shared.seed_with(fastrand::Rng::with_seed(seed));
            }),
        }
    }

    /// All is well again; what was held up by a freeze is answered now.
    pub fn clear(&self) -> Result<(), ListenError> {
        self.trouble(|trouble| *trouble = Trouble::default());
        self.start()
    }

    /// What is wrong now, apart from what is wrong with the service that this is a secondary listener of.
    pub fn active(&self) -> Vec<Fault> {
        let trouble = *self.inner.shared.trouble.borrow();
        let stopped = self.listening().stopped.then_some(Fault::Stopped);
        let frozen = trouble.frozen.then_some(Fault::Frozen);
        let slow = (!trouble.latency.is_zero()).then_some(Fault::Slow(trouble.latency));
        let failing = trouble.failing.map(|(rate, with, seed)| Fault::Failing { rate, with, seed });
        let mute = trouble.mute.then_some(Fault::Mute);
        let resetting = trouble.resetting.then_some(Fault::Resetting);
        let (drip, narrow) = (trouble.drip.map(Fault::Dripping), trouble.bandwidth.map(Fault::Narrow));
        [stopped, frozen, mute, resetting, slow, drip, narrow, failing].into_iter().flatten().collect()
    }

    /// Closes the listener (and the service's secondary listeners) and drops every connection; returns when all are gone. Clients are
    /// refused from then on.
    pub async fn stop(&self) {
        self.listening().stopped = true;
        self.close().await;
        for secondary in self.secondaries() {
            secondary.close().await;
        }
    }

    /// Listens again on the same port, and so do the secondary listeners that were not stopped themselves; nothing happens if it does
    /// already. A secondary listener of a stopped service listens when the service does.
    pub fn start(&self) -> Result<(), ListenError> {
        self.listening().stopped = false;
        if self.inner.main.as_ref().is_some_and(Self::is_stopped) {
            return Ok(());
        }
        self.open()?;
        let stopped = |secondary: &Self| secondary.listening().stopped;
        self.secondaries().iter().filter(|secondary| !stopped(secondary)).try_for_each(Self::open)
    }

    /// Whether connections are refused now.
    pub fn is_stopped(&self) -> bool {
        self.listening().running.is_none()
    }

    /// Follows whether clients can get an answer: neither stopped nor frozen nor mute nor resetting.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.inner.up.subscribe()
    }

    /// Requests taken since the start; a service's include those of its secondary listeners.
    pub fn requests(&self) -> u64 {
        self.inner.shared.requests.load(Ordering::Relaxed)
    }

    /// Closes it without waiting.
    pub(super) fn abandon(&self) {
        if let Some(running) = self.take_running() {
            running.cancel.cancel();
        }
    }

    fn trouble(&self, change: impl FnOnce(&mut Trouble)) {
        self.inner.shared.trouble.send_modify(change);
        self.tell();
    }

    fn open(&self) -> Result<(), ListenError> {
        let mut listening = self.listening();
        if listening.running.is_none() {
            let addr = self.addr();
            let listener = self.inner.port.listen().map_err(|source| ListenError::Listen { addr, source })?;
            let running = RunningListener { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
            let (cancel, tasks) = (running.cancel.clone(), running.tasks.clone());
            let accept = accept(self.inner.shared.clone(), listener, cancel.clone(), tasks);
            running.tasks.spawn(cancel.run_until_cancelled_owned(accept));
            running.tasks.close();
            listening.running = Some(running);
        }
        drop(listening);
        self.tell();
        Ok(())
    }

    async fn close(&self) {
        if let Some(running) = self.take_running() {
            running.cancel.cancel();
            running.tasks.wait().await;
        }
    }

    fn take_running(&self) -> Option<RunningListener> {
        let running = self.listening().running.take();
        self.tell();
        running
    }

    fn tell(&self) {
        let trouble = *self.inner.shared.trouble.borrow();
        let answers = !(trouble.frozen || trouble.mute || trouble.resetting);
        let up = self.listening().running.is_some() && answers;
        self.inner.up.send_if_modified(|was| std::mem::replace(was, up) != up);
    }

    fn secondaries(&self) -> Vec<Self> {
        let secondaries = self.inner.secondaries.lock();
        secondaries.iter().filter_map(Weak::upgrade).map(|inner| Self { inner }).collect()
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.inner.listening.lock()
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faults({} on {})", self.inner.shared.name, self.addr())
    }
}
