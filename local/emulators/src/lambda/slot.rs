//! One execution environment: a process and the one request it has. Must not know quotas, nor other slots.

use super::error::{FunctionError, InvokeError};
use crate::clock;
use crate::process::Running;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Limit of the init phase (Lambda developer guide, "Lambda execution environment lifecycle").
pub(super) const INIT_LIMIT: Duration = Duration::from_secs(10);

/// One request on its way into the process.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) deadline_ms: u64,
    pub(super) function_arn: String,
}

/// What the process made of it.
pub(super) type Outcome = Result<Bytes, FunctionError>;

/// The Runtime API's side of a slot.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: String,
    spawned: Instant,
    events: mpsc::Sender<Event>,
    inbox: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init: watch::Sender<Option<Result<Duration, FunctionError>>>,
    closed: Notify,
}

impl Slot {
    pub(super) fn new(id: String) -> Self {
        let (events, inbox) = mpsc::channel(1);
        Self {
            id,
            spawned: Instant::now(),
            events,
            inbox: tokio::sync::Mutex::new(inbox),
            current: Mutex::new(None),
            init: watch::Sender::new(None),
            closed: Notify::new(),
        }
    }

    /// The process asks for its next request.
    pub(super) async fn next(&self) -> Option<Event> {
        self.init.send_if_modified(|init| {
            let first = init.is_none();
            init.get_or_insert_with(|| Ok(self.spawned.elapsed()));
            first
        });
        let mut inbox = self.inbox.lock().await;
        tokio::select! {
            event = inbox.recv() => event,
            () = self.closed.notified() => None,
        }
    }

    /// The process answers a request. False if it is not the one it has.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        match self.current().take_if(|(id, _)| id == request_id) {
            // If the invoker has given up (timeout), the answer goes nowhere, as in Lambda.
            Some((_, waiting)) => waiting.send(outcome).is_ok(),
            None => false,
        }
    }

    /// The process says that it cannot start.
    pub(super) fn init_failed(&self, error: FunctionError) {
        self.init.send_replace(Some(Err(error)));
    }

    /// Waits until `process` asked for its first request; how long that took.
    pub(super) async fn ready(&self, process: &Running) -> Result<Duration, InvokeError> {
        let mut init = self.init.subscribe();
        let reported = async { init.wait_for(Option::is_some).await.map(|init| init.clone()) };
        tokio::select! {
            biased;
            reported = reported => match reported {
                Ok(Some(Ok(took))) => Ok(took),
                Ok(Some(Err(error))) => Err(InvokeError::Function(error)),
                Ok(None) | Err(_) => Err(InvokeError::Unavailable),
            },
            exit = process.wait() => Err(InvokeError::Crashed(exit)),
            () = tokio::time::sleep(INIT_LIMIT) => Err(InvokeError::InitTimeout(INIT_LIMIT)),
        }
    }

    /// Has `process` handle one request. After an error other than `Function` the slot must not be used again.
    pub(super) async fn run(
        &self,
        process: &Running,
        function_arn: String,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, InvokeError> {
        let request_id = crate::random::uuid();
        let (waiting, outcome) = oneshot::channel();
        *self.current() = Some((request_id.clone(), waiting));
        let deadline_ms = clock::unix_millis() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 2);
        let event = Event { request_id, payload, deadline_ms, function_arn };
        // Room for one: waits only if the process has not come back for its next request yet.
        if self.events.send(event).await.is_err() {
            return Err(InvokeError::Unavailable);
        }
        tokio::select! {
            biased;
            outcome = outcome => match outcome {
                Ok(outcome) => outcome.map_err(InvokeError::Function),
                Err(_) => Err(InvokeError::Unavailable),
            },
            exit = process.wait() => Err(InvokeError::Crashed(exit)),
            () = tokio::time::sleep(timeout) => Err(InvokeError::TimedOut(timeout)),
        }
    }

    /// Ends a waiting `next`.
    pub(super) fn close(&self) {
        self.closed.notify_waiters();
    }

    fn current(&self) -> MutexGuard<'_, Option<(String, oneshot::Sender<Outcome>)>> {
        self.current.lock()
    }
}
