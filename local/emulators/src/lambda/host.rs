//! The host: functions by name, the account's quota, the Runtime API's listener. Must not know events or routes.

use super::config::{FunctionConfig, LambdaConfig};
use super::error::{InvokeError, LambdaError};
use super::function::{Function, FunctionSurroundings, Stats};
use super::runtime_api::{MAX_PAYLOAD, RuntimeApi};
use crate::listen::{Faults, Server};
use crate::process::Spawner;
use bytes::Bytes;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running Lambda; clones are handles to the same one. When the last is dropped all slots end.
#[derive(Debug, Clone)]
pub struct Lambda {
    inner: Arc<HostInner>,
}

#[derive(Debug)]
struct HostInner {
    server: Server,
    around: Arc<FunctionSurroundings>,
    functions: Functions,
    /// The places that functions without a reservation share.
    account: Arc<Semaphore>,
    _reaper: DropGuard,
}

type Functions = Arc<RwLock<HashMap<String, Arc<Function>>>>;

/// A function's answer.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What it returned.
    pub payload: Bytes,
    /// How long it took, without the slot's start.
    pub duration: Duration,
}

impl Lambda {
    /// Listens for functions; none is started before it is invoked.
    pub fn start(config: LambdaConfig, spawner: Spawner) -> Result<Self, LambdaError> {
        let api = Arc::new(RuntimeApi::default());
        let server = Server::start(&format!("lambda {}", config.region), config.port, api.clone())?;
        let account = Arc::new(Semaphore::new(config.account_concurrency));
        let idle_after = config.idle_after;
        let around = Arc::new(FunctionSurroundings { host: config, api, api_addr: server.addr(), spawner });
        let functions = Functions::default();
        let stop_reaping = CancellationToken::new();
        tokio::spawn(stop_reaping.clone().run_until_cancelled_owned(reap(functions.clone(), idle_after)));
        let inner = HostInner { server, around, functions, account, _reaper: stop_reaping.drop_guard() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where the Runtime API listens.
    pub fn addr(&self) -> SocketAddr {
        self.inner.server.addr()
    }

    /// Makes a function known, or replaces it (its warm slots end, as after a deploy). What it reserves the others lose.
    pub fn register(&self, config: FunctionConfig) {
        let (name, account) = (config.name.clone(), &self.inner.account);
        let function = Arc::new(Function::new(config, account));
        let reserved = function.reserved();
        let mut functions = self.inner.functions.write();
        let before = functions.insert(name, function).map_or(0, |replaced| replaced.reserved());
        account.add_permits(before.saturating_sub(reserved));
        account.forget_permits(reserved.saturating_sub(before));
    }

    /// Makes a function unknown; its warm slots have ended when this returns. The others have what it reserved.
    pub async fn unregister(&self, name: &str) {
        let function = self.inner.functions.write().remove(name);
        if let Some(function) = function {
            self.inner.account.add_permits(function.reserved());
            function.reap(Duration::ZERO).await;
        }
    }

    /// Invokes a function synchronously. If the caller goes away the function runs on, as in Lambda.
    pub async fn invoke(&self, name: &str, payload: Bytes) -> Result<Invocation, InvokeError> {
        let function = self.function(name).ok_or_else(|| InvokeError::NotFound(name.to_owned()))?;
        if self.faults().is_stopped() {
            return Err(InvokeError::Unavailable);
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(InvokeError::TooLarge(payload.len()));
        }
        let Some(place) = function.admit() else {
            function.count_throttled();
            return Err(InvokeError::Throttled);
        };
        let around = self.inner.around.clone();
        let run = tokio::spawn(async move {
            let outcome = function.run(&around, payload).await;
            drop(place);
            outcome
        });
        let (payload, duration) = run.await.map_err(|_| InvokeError::Unavailable)??;
        Ok(Invocation { payload, duration })
    }

    /// Figures of one function.
    pub fn stats(&self, name: &str) -> Option<Stats> {
        self.function(name).map(|function| function.stats())
    }

    /// Refuses invocations, cuts what runs, ends every warm slot. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.inner.server.faults().stop().await;
        for function in all(&self.inner.functions) {
            function.reap(Duration::ZERO).await;
        }
    }

    /// Stop, freeze, slow; counts the Runtime API's requests.
    pub fn faults(&self) -> Faults {
        self.inner.server.faults()
    }

    fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.inner.functions.read().get(name).cloned()
    }
}

fn all(functions: &Functions) -> Vec<Arc<Function>> {
    functions.read().values().cloned().collect()
}

async fn reap(functions: Functions, idle_after: Duration) {
    // Twice per idle time is exact enough; the floor keeps a tiny setting from spinning.
    let mut ticks = tokio::time::interval((idle_after / 2).max(Duration::from_millis(50)));
    loop {
        ticks.tick().await;
        for function in all(&functions) {
            function.reap(idle_after).await;
        }
    }
}
