//! The one thread that forks.

use super::{Launch, ProcessError, Running};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::process::Child;
use tokio::sync::oneshot;

/// Starts waiting at once. A fork takes about a millisecond; more than this many waiting means something is wrong.
const MAX_WAITING: usize = 256;

/// Starts children. When the last clone is dropped its thread ends, and with it (by their death signal) every child
/// that still runs.
#[derive(Debug, Clone)]
pub struct Spawner {
    orders: SyncSender<Order>,
}

struct Order {
    launch: Launch,
    answer: oneshot::Sender<Result<Child, ProcessError>>,
}

impl Spawner {
    /// Starts the thread. To be called inside a tokio runtime.
    pub fn new() -> std::io::Result<Self> {
        let (orders, inbox) = sync_channel(MAX_WAITING);
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            run(&inbox);
        })?;
        Ok(Self { orders })
    }

    /// Starts one child.
    pub async fn spawn(&self, launch: Launch) -> Result<Running, ProcessError> {
        let (program, death) = (launch.program.clone(), launch.death_signal);
        let (answer, reply) = oneshot::channel();
        self.orders.try_send(Order { launch, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => ProcessError::Spawn {
                program,
                source: std::io::Error::new(std::io::ErrorKind::WouldBlock, "too many starts at once"),
            },
            TrySendError::Disconnected(_) => ProcessError::ShuttingDown,
        })?;
        let child = reply.await.map_err(|_| ProcessError::ShuttingDown)??;
        Ok(Running::supervise(child, death, self.clone()))
    }
}

fn run(inbox: &Receiver<Order>) {
    while let Ok(Order { launch, answer }) = inbox.recv() {
        let child = launch.command().and_then(|mut command| {
            command.spawn().map_err(|source| ProcessError::Spawn { program: launch.program.clone(), source })
        });
        if let Err(Ok(mut unwanted)) = answer.send(child) {
            // Nobody waits any more.
            if let Err(error) = unwanted.start_kill() {
                tracing::debug!(%error, "cannot kill an unwanted child");
            }
        }
    }
}
