//! One running child: signalled, waited for and reaped by its own task.

use super::DeathSignal;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

/// Signals waiting for the supervising task, which does nothing but wait for them.
const MAX_WAITING_SIGNALS: usize = 8;

/// How long a child that nobody holds any more has after its SIGTERM before SIGKILL.
const ABANDONED_GRACE: Duration = Duration::from_secs(5);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl Exit {
    /// Exit code as a container runtime reports it: 128 + n for a signal.
    pub fn container_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A child; when the last clone is dropped it gets its death signal and is reaped.
#[derive(Debug, Clone)]
pub struct Running {
    pid: u32,
    signals: mpsc::Sender<Signal>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Running {
    /// `keep` is held for as long as the child lives.
    pub(super) fn supervise(child: Child, death: DeathSignal, keep: impl Send + 'static) -> Self {
        let (signals, orders) = mpsc::channel(MAX_WAITING_SIGNALS);
        let (report, exit) = watch::channel(None);
        let pid = child.id().unwrap_or_default();
        let last = if death == DeathSignal::Kill { Signal::KILL } else { Signal::TERM };
        tokio::spawn(supervise(Owned { child, last }, orders, report, keep));
        Self { pid, signals, exit }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is stopped by SIGSTOP (state `T`, proc_pid_stat(5)).
    pub fn is_frozen(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The name before it stands in brackets and may hold anything.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        self.ended().is_none() && state == Some('T')
    }

    /// Sends a signal; nothing happens if it has ended.
    pub async fn signal(&self, signal: Signal) {
        // The task that would take the signal ends with the child.
        let _ = self.signals.send(signal).await;
    }

    /// Waits for its end.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|ended| *ended) {
            Ok(Some(exit)) => exit,
            // The supervising task died with its runtime; the child was killed as its handle was dropped.
            _ => Exit::Signal(Signal::KILL.as_raw()),
        }
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// SIGTERM, and SIGKILL if it still runs after `grace`. Returns when it is reaped.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.signal(Signal::TERM).await;
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => self.kill().await,
        }
    }

    /// SIGKILL. Returns when it is reaped.
    pub async fn kill(&self) -> Exit {
        self.signal(Signal::KILL).await;
        self.wait().await
    }
}

/// A child that gets its last signal when it is dropped, also when that is because the whole runtime is.
#[derive(Debug)]
struct Owned {
    child: Child,
    last: Signal,
}

impl Owned {
    fn send(&self, signal: Signal) {
        // `id` is `None` once the child is reaped, so the pid is still its own here.
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, ?signal, "cannot signal a child");
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.send(self.last);
    }
}

/// Holds what the child needs (the thread that forked it: it dies with that) as long as somebody supervises the child.
async fn supervise(
    mut owned: Owned,
    mut orders: mpsc::Receiver<Signal>,
    report: watch::Sender<Option<Exit>>,
    _keep: impl Send,
) {
    let status = loop {
        tokio::select! {
            status = owned.child.wait() => break status,
            order = orders.recv() => match order {
                Some(signal) => owned.send(signal),
                None => {
                    owned.send(owned.last);
                    break match tokio::time::timeout(ABANDONED_GRACE, owned.child.wait()).await {
                        Ok(status) => status,
                        Err(_) => {
                            owned.send(Signal::KILL);
                            owned.child.wait().await
                        }
                    };
                }
            },
        }
    };
    let exit = match status {
        Ok(status) => status.code().map_or(Exit::Signal(status.signal().unwrap_or_default()), Exit::Code),
        Err(error) => {
            tracing::warn!(%error, "cannot wait for a child");
            Exit::Signal(Signal::KILL.as_raw())
        }
    };
    report.send_replace(Some(exit));
}
