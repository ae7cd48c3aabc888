//! One region's gateway process: started, asked to leave, killed, frozen. Must not know what a gateway does.

use std::path::PathBuf;
use std::time::Duration;

use headwater_emulators::ports::{self, Claim, PortError};
use headwater_emulators::process::{Exit, Launch, ProcessError, Running, Signal, Spawner};
use thiserror::Error;
use tokio::sync::Mutex;

/// One that is asked to leave may take so long: encoders are told, media is read to its end.
const GRACE: Duration = Duration::from_secs(5);
/// One that is started listens within so long, also on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a gateway does not run.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// It cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no port for it.
    #[error(transparent)]
    Port(#[from] PortError),
    /// It ended at once.
    #[error("the gateway ended ({exit}); see {}", log.display())]
    Ended {
        /// Its exit code, or the signal.
        exit: Exit,
        /// The file with its output.
        log: PathBuf,
    },
    /// It runs and takes no connections.
    #[error("the gateway does not listen; see {}", .0.display())]
    Deaf(PathBuf),
}

/// A region's gateway, running or not.
#[derive(Debug)]
pub struct Gateway {
    rtmp: u16,
    launch: Launch,
    spawner: Spawner,
    process: Mutex<Option<Running>>,
    /// Ports of replacements.
    claims: Mutex<Vec<Claim>>,
}

impl Gateway {
    pub(super) fn new(rtmp: u16, launch: Launch, spawner: Spawner) -> Self {
        Self { rtmp, launch, spawner, process: Mutex::new(None), claims: Mutex::default() }
    }

    /// What encoders connect to.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
    }

    /// Starts it, unless it runs; returns when it takes connections.
    pub async fn start(&self) -> Result<(), GatewayError> {
        let mut process = self.process.lock().await;
        if process.as_ref().is_some_and(|running| running.ended().is_none()) {
            return Ok(());
        }
        *process = Some(self.started(self.launch.clone()).await?);
        Ok(())
    }

    async fn started(&self, launch: Launch) -> Result<Running, GatewayError> {
        let log = launch.log.clone();
        let running = self.spawner.spawn(launch).await?;
        let listens = async {
            while !self.takes_encoders().await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = listens => Ok(running),
            exit = running.wait() => Err(GatewayError::Ended { exit, log }),
            () = tokio::time::sleep(START_WITHIN) => Err(GatewayError::Deaf(log)),
        }
    }

    /// Puts a new one in its place, as a deployment does behind a load balancer: encoders that come from now on reach the
    /// new one, under the same address. The old one, which is returned, is asked to leave and goes on serving
    /// transcoders until they have all of it. Not to be followed by a stop and a start before that one has left.
    pub async fn replace(&self) -> Result<Option<Running>, GatewayError> {
        let old = self.process.lock().await.take().filter(|running| running.ended().is_none());
        if let Some(old) = &old {
            old.signal(Signal::TERM).await;
            // It closes its port to encoders first of all.
            while old.ended().is_none() && self.takes_encoders().await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        let source = ports::free(1)?.remove(0);
        let address = source.addr();
        let claim = source.into_claim();
        let spool = self.launch.env.get("SPOOL_DIR").map(|folder| format!("{folder}-{}", address.port()));
        let launch = self.launch.clone().env([
            ("SOURCE_LISTEN", address.to_string()),
            ("SOURCE_URL", format!("http://{address}")),
            ("SPOOL_DIR", spool.unwrap_or_default()),
        ]);
        let new = self.started(launch).await?;
        self.claims.lock().await.extend(claim);
        *self.process.lock().await = Some(new);
        Ok(old)
    }

    async fn takes_encoders(&self) -> bool {
        tokio::net::TcpStream::connect(("127.0.0.1", self.rtmp)).await.is_ok()
    }

    /// Asks it to leave (as a deployment does) and waits for it.
    pub async fn stop(&self) {
        if let Some(running) = self.process.lock().await.take() {
            running.stop(GRACE).await;
        }
    }

    /// Kills it.
    pub async fn kill(&self) {
        if let Some(running) = self.process.lock().await.take() {
            running.kill().await;
        }
    }

    /// Signals it. False if it does not run.
    pub async fn signal(&self, signal: Signal) -> bool {
        match self.running().await {
            Some(running) => {
                running.signal(signal).await;
                true
            }
            None => false,
        }
    }

    /// Its process id, if it runs.
    pub async fn pid(&self) -> Option<u32> {
        self.running().await.map(|running| running.pid())
    }

    /// Whether it was stopped by SIGSTOP.
    pub async fn is_frozen(&self) -> bool {
        self.running().await.is_some_and(|running| running.is_frozen())
    }

    async fn running(&self) -> Option<Running> {
        self.process.lock().await.clone().filter(|running| running.ended().is_none())
    }
}
