//! What every connection of a gateway shares.

use std::sync::Arc;

use headwater_domain::ClockReader;
use headwater_domain::hooks::{self, SessionRef, UnpublishRequest};
use headwater_domain::ports::Hooks;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::auth_limiter::AuthLimiter;
use super::control::unpublish;
use super::control::withdrawals::Withdrawals;
use super::ingest::codecs::Codecs;
use super::limits::Limits;
use super::log_throttle::LogThrottle;
use super::net::connection_limiter::ConnectionLimiter;
use super::registry::Registry;

/// What the connections of one gateway share.
#[derive(Debug)]
pub struct Context<H> {
    /// The control plane.
    pub hooks: Arc<H>,
    /// How the gateway names itself.
    pub identity: hooks::Gateway,
    /// Its sessions.
    pub registry: Arc<Registry>,
    /// Its connections.
    pub connection_limiter: ConnectionLimiter,
    /// Who may ask the control plane.
    pub auth_limiter: AuthLimiter,
    /// Log lines that strangers can cause.
    pub log_throttle: Arc<LogThrottle>,
    /// Tasks of connections.
    pub connections: TaskTracker,
    /// Tasks that tell the control plane about ended sessions.
    pub unpublish_tasks: TaskTracker,
    /// Publish requests that were given up without an answer.
    pub withdrawals: Arc<Withdrawals>,
    /// Cancelled when no more publishers are taken.
    pub leaving: CancellationToken,
    /// What encoders may send.
    pub codecs: Codecs,
    /// What peers may do.
    pub limits: Limits,
    /// The wall clock.
    pub clock: ClockReader,
}

impl<H: Hooks + 'static> Context<H> {
    /// Tells the control plane, in the background, that a session has ended.
    pub fn unpublish(&self, session: SessionRef, reason: String) {
        let request = UnpublishRequest { gateway: self.identity.clone(), session, reason };
        self.unpublish_tasks.spawn(unpublish::send(self.hooks.clone(), request));
    }
}
