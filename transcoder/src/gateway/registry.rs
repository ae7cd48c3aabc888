//! The sessions of this gateway, and their maintenance: who has to give way, who can be forgotten.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headwater_domain::hooks::SessionRef;
use headwater_domain::{ClockReader, SessionId};
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::limits::Limits;
use super::session::Session;
use super::spool::disk::Disk;
use super::spool::{Shared, Spool, SpoolLimits};

/// How often the total is looked at. All sessions together exceed it by at most what comes in meanwhile.
const MAINTENANCE_EVERY: Duration = Duration::from_millis(500);

/// A session cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No more fit.
    #[error("the gateway is full")]
    Full,
    /// There is one with this id.
    #[error("session id is taken")]
    Taken,
}

/// The sessions of one gateway.
#[derive(Debug)]
pub struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    shared: Shared,
    folder: PathBuf,
    limits: Limits,
}

impl Registry {
    /// An empty one, with spools in `folder`.
    pub fn new(folder: PathBuf, limits: Limits, clock: ClockReader) -> Self {
        Self { sessions: Mutex::default(), shared: Shared::new(clock), folder, limits }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.sessions.lock()
    }

    /// Opens a session that the control plane has allowed.
    pub fn open(&self, names: SessionRef) -> Result<Arc<Session>, OpenError> {
        let mut sessions = self.lock();
        if sessions.values().filter(|session| session.ended().is_none()).count() >= self.limits.max_sessions {
            return Err(OpenError::Full);
        }
        if sessions.contains_key(&names.session) {
            return Err(OpenError::Taken);
        }
        let limits = SpoolLimits {
            bytes: self.limits.session_buffer_bytes,
            age: self.limits.buffer_time(),
            gop_age: self.limits.gop_time(),
            held: self.limits.session_held_bytes,
            total_held: self.limits.total_held_bytes,
        };
        let spool = Spool::new(self.folder.join(names.session.as_str()), limits, &self.shared);
        let session = Arc::new(Session::new(names, spool));
        sessions.insert(session.id().clone(), session.clone());
        Ok(session)
    }

    /// The session `id`, ended ones too.
    pub fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.lock().get(id).cloned()
    }

    /// Sessions that have a publisher.
    pub fn live(&self) -> Vec<Arc<Session>> {
        self.lock().values().filter(|session| session.ended().is_none()).cloned().collect()
    }

    /// All sessions.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    /// Bytes that all sessions hold.
    pub fn held(&self) -> u64 {
        self.shared.all.held()
    }

    /// Bytes that they hold in memory because the disk did not take them.
    pub fn held_in_memory(&self) -> u64 {
        self.shared.held.held()
    }

    /// The disk they write to.
    pub fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    /// Forgets everything and deletes the files.
    pub fn clear(&self) {
        for (_, session) in self.lock().drain() {
            session.spool.clear();
        }
    }

    /// Forgets sessions that ended long ago, offers what is in memory to the disk again, and makes the largest session
    /// give way while there is too much in all.
    pub fn run_maintenance(&self) {
        let over = |session: &Session| {
            session.ended().is_some_and(|ended| ended.elapsed() > self.limits.buffer_time())
        };
        let expired: Vec<_> = self.lock().extract_if(|_, session| over(session)).collect();
        for (id, session) in expired {
            if !session.read_out() && session.spool.held() > 0 {
                tracing::info!(session = %id, "media of an ended session was not fetched");
            }
            session.spool.clear();
        }
        self.disk().look_after();
        if self.held_in_memory() > 0 {
            self.all().iter().for_each(|session| session.spool.run_maintenance());
        }
        while self.held() > self.limits.total_buffer_bytes {
            let largest = self.all().into_iter().max_by_key(|session| session.spool.held());
            let Some(session) = largest.filter(|session| session.spool.drop_oldest()) else { break };
            tracing::debug!(session = %session.id(), "too much media in all: its oldest is dropped");
        }
    }

    /// Runs maintenance until `stop`.
    pub async fn run_maintenance_until(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(MAINTENANCE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.run_maintenance();
        }
    }
}
