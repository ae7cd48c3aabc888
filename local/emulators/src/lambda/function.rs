//! One function: its warm slots, its quota, its figures. Must not know the account's quota, nor other functions.

use super::config::{FunctionConfig, LambdaConfig};
use super::error::InvokeError;
use super::runtime_api::RuntimeApi;
use super::slot::Slot;
use crate::process::{Launch, Running, Spawner};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Slots of one function that may be starting at once. In Lambda each has a machine of its own; here more of them would only
/// be slower together, and a request that waits may get a slot that has become free meanwhile.
const MAX_STARTING: usize = 4;

/// Figures of one function since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Invocations that got a slot.
    pub invocations: u64,
    /// Invocations refused for concurrency.
    pub throttled: u64,
    /// Slots started.
    pub cold_starts: u64,
    /// Process start to the first request for work, of the newest slot.
    pub last_init: Duration,
    /// Event handed out to answer received, of the newest successful invocation.
    pub last_duration: Duration,
}

/// A function that can be invoked.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) config: FunctionConfig,
    concurrency: Arc<Semaphore>,
    starting: Semaphore,
    /// Told of each slot that has become free.
    freed: Notify,
    state: Mutex<FunctionState>,
}

#[derive(Debug, Default)]
struct FunctionState {
    warm: Vec<(Instant, FunctionEnvironment)>,
    stats: Stats,
}

/// A slot with its process.
#[derive(Debug)]
struct FunctionEnvironment {
    slot: Arc<Slot>,
    process: Running,
    api: Arc<RuntimeApi>,
}

impl Drop for FunctionEnvironment {
    fn drop(&mut self) {
        // The process dies with its handle; the Runtime API has to forget the slot.
        self.api.remove(&self.slot);
    }
}

/// What a function needs of its host to start slots.
#[derive(Debug)]
pub(super) struct FunctionSurroundings {
    pub(super) host: LambdaConfig,
    pub(super) api: Arc<RuntimeApi>,
    pub(super) api_addr: SocketAddr,
    pub(super) spawner: Spawner,
}

impl Function {
    /// `account`: the places that functions without a reservation share.
    pub(super) fn new(config: FunctionConfig, account: &Arc<Semaphore>) -> Self {
        let reserved = config.reserved_concurrency.map(|places| Arc::new(Semaphore::new(places)));
        Self {
            concurrency: reserved.unwrap_or_else(|| account.clone()),
            config,
            starting: Semaphore::new(MAX_STARTING),
            freed: Notify::new(),
            state: Mutex::default(),
        }
    }

    /// Places of the account that only this function has.
    pub(super) fn reserved(&self) -> usize {
        self.config.reserved_concurrency.unwrap_or_default()
    }

    pub(super) fn stats(&self) -> Stats {
        self.state().stats.clone()
    }

    pub(super) fn count_throttled(&self) {
        self.state().stats.throttled += 1;
    }

    /// A place within its reserved concurrency, or within what the account has left.
    pub(super) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.concurrency.clone().try_acquire_owned().ok()
    }

    /// Runs one request in a warm slot, or in a new one.
    pub(super) async fn run(
        &self,
        around: &FunctionSurroundings,
        payload: Bytes,
    ) -> Result<(Bytes, Duration), InvokeError> {
        self.state().stats.invocations += 1;
        let environment = self.environment(around).await?;
        let arn = self.config.arn(&around.host.region);
        let started = Instant::now();
        let outcome = environment.slot.run(&environment.process, arn, payload, self.config.timeout).await;
        let took = started.elapsed();
        // A slot is good for the next request after an answer or a reported error, and for nothing after the rest.
        if matches!(outcome, Ok(_) | Err(InvokeError::Function(_))) {
            let mut state = self.state();
            state.stats.last_duration = took;
            state.warm.push((Instant::now(), environment));
            drop(state);
            self.freed.notify_one();
        } else {
            environment.process.kill().await;
        }
        outcome.map(|payload| (payload, took))
    }

    /// A warm slot if there is one, or as soon as there is; else a new one.
    async fn environment(&self, around: &FunctionSurroundings) -> Result<FunctionEnvironment, InvokeError> {
        loop {
            let freed = self.freed.notified();
            if let Some(environment) = self.take_warm() {
                return Ok(environment);
            }
            tokio::select! {
                biased;
                () = freed => {}
                // The semaphore is never closed; what it gives is held until the slot stands.
                _starting = self.starting.acquire() => return self.start(around).await,
            }
        }
    }

    /// Ends slots that have been idle for longer than `idle`; all of them for zero.
    pub(super) async fn reap(&self, idle: Duration) {
        let old: Vec<_> = self.state().warm.extract_if(.., |(since, _)| since.elapsed() >= idle).collect();
        for (_, environment) in old {
            environment.process.kill().await;
        }
    }

    async fn start(&self, around: &FunctionSurroundings) -> Result<FunctionEnvironment, InvokeError> {
        let slot = Arc::new(Slot::new(format!("{}-{}", self.config.name, crate::random::hex32())));
        around.api.add(slot.clone());
        let base = format!("http://{}/{}", around.api_addr, slot.id);
        let log = around.host.logs.join(format!("{}.log", self.config.name));
        let launch =
            Launch::new(&self.config.binary, log).env(self.config.environment(&around.host, &base, &slot.id));
        let process = around.spawner.spawn(launch).await.map_err(|error| {
            around.api.remove(&slot);
            InvokeError::Spawn(error)
        })?;
        let environment = FunctionEnvironment { slot, process, api: around.api.clone() };
        match environment.slot.ready(&environment.process).await {
            Ok(init) => {
                let mut state = self.state();
                state.stats.cold_starts += 1;
                state.stats.last_init = init;
                drop(state);
                Ok(environment)
            }
            Err(error) => {
                environment.process.kill().await;
                Err(error)
            }
        }
    }

    /// The most recently used slot that still lives, so that the others can cool down.
    fn take_warm(&self) -> Option<FunctionEnvironment> {
        let mut state = self.state();
        while let Some((_, environment)) = state.warm.pop() {
            if environment.process.ended().is_none() {
                return Some(environment);
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, FunctionState> {
        self.state.lock()
    }
}
