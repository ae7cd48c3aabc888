//! The edge: what CloudFront does for the deployment, done by nginx on the loopback interface. Caching by the origins'
//! Cache-Control, origin groups, collapsing of equal requests in each node, short error caching, GET/HEAD/OPTIONS
//! only. Must not know what the paths mean.
//!
//! Where it differs from CloudFront: requests that wait for an equal one look every 500 ms whether it is done (nginx
//! polls its cache lock), so a collapsed request may be that much later, unless the behaviour is a prompt one, whose
//! requests are collapsed by ourselves; and an answer that may not be cached is fetched by the waiting requests one after
//! the other.

mod collapse;
mod config;
mod error;
mod render;
mod syntax;

pub use config::{Behavior, Distribution, EdgeConfig, Mode, Origin};
pub use error::RenderError;

use crate::listen::{ListenError, Server};
use crate::ports::{PortError, Reserved};
use crate::process::{DeathSignal, Launch, ProcessError, Running, Signal, Spawner};
use collapse::Collapse;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use render::{GENERATION_PATH, Layout, render, socket};
use rustix::process::{Resource, getrlimit, getuid};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Mutex;

/// How long nginx may take to start or to take a new configuration; it takes some 20 ms on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Time between SIGTERM and SIGKILL.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Longest folder name that leaves room for the socket's: a Unix socket's path has 108 bytes with its final zero.
const MAX_FOLDER: usize = 107 - "/group.sock".len();

/// Why the edge could not be started or changed.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// A node's port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The port of what collapses.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The distribution.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// nginx itself.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The data folder.
    #[error("cannot use the data folder {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The folder's name is too long for a Unix socket in it.
    #[error("the folder name {0} is longer than {MAX_FOLDER} bytes")]
    FolderTooLong(PathBuf),
    /// nginx refuses the configuration.
    #[error("nginx refuses its configuration: {0}")]
    Refused(String),
    /// nginx did not start, or did not take its configuration, in time. Its `error.log` says more.
    #[error("nginx did not get ready, see {0}")]
    NotReady(PathBuf),
}

/// A running edge. Dropping it ends nginx; the caches stay in the folder.
#[derive(Debug)]
pub struct Edge {
    folder: PathBuf,
    ports: Vec<Reserved>,
    collapse: Arc<Collapse>,
    collapsing: Server,
    spawner: Spawner,
    state: Mutex<EdgeState>,
}

#[derive(Debug)]
struct EdgeState {
    distribution: Distribution,
    generation: u64,
    nginx: Option<Running>,
}

impl Edge {
    /// Writes the configuration and starts nginx; returns when all nodes answer.
    pub async fn start(config: EdgeConfig, spawner: Spawner) -> Result<Self, EdgeError> {
        let folder_error = |source| EdgeError::Folder { folder: config.folder.clone(), source };
        std::fs::create_dir_all(&config.folder).map_err(folder_error)?;
        let folder = config.folder.canonicalize().map_err(folder_error)?;
        if folder.as_os_str().len() > MAX_FOLDER {
            return Err(EdgeError::FolderTooLong(folder));
        }
        let ports =
            config.nodes.iter().map(|port| Reserved::take(*port, "edge")).collect::<Result<Vec<_>, _>>()?;
        let state = EdgeState { distribution: config.distribution, generation: 0, nginx: None };
        let collapse = Arc::new(Collapse::new(socket(&folder.to_string_lossy()).into()));
        let collapsing = Server::start("edge", 0, collapse.clone())?;
        let edge = Self { folder, ports, collapse, collapsing, spawner, state: Mutex::new(state) };
        edge.resume().await?;
        Ok(edge)
    }

    /// Where each node listens.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.ports.iter().map(Reserved::addr).collect()
    }

    /// Where the first node listens.
    pub fn addr(&self) -> SocketAddr {
        self.ports.first().map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), Reserved::addr)
    }

    /// Requests of prompt behaviours, at all nodes, that wait at this moment for the answer to one of them.
    pub fn waiting(&self) -> usize {
        self.collapse.waiting()
    }

    /// Ends nginx; all nodes refuse connections. [`resume`](Self::resume) undoes it.
    pub async fn stop(&self) {
        if let Some(nginx) = self.state.lock().await.nginx.take() {
            nginx.stop(STOP_GRACE).await;
        }
    }

    /// Starts nginx again if it is stopped (or died).
    pub async fn resume(&self) -> Result<(), EdgeError> {
        let mut state = self.state.lock().await;
        if state.nginx.as_ref().is_some_and(|nginx| nginx.ended().is_none()) {
            return Ok(());
        }
        // A killed nginx leaves its socket behind, and a new one would find the address in use.
        let _ = std::fs::remove_file(self.folder.join("group.sock"));
        self.write(&mut state).await?;
        let launch = Launch::new("nginx", self.folder.join("nginx.log")).args(self.arguments());
        // nginx has a worker process, which only a SIGTERM to nginx takes along.
        let launch = Launch { death_signal: DeathSignal::Term, ..launch };
        let nginx = self.spawner.spawn(launch).await?;
        state.nginx = Some(nginx.clone());
        self.ready(state.generation, &nginx).await
    }

    /// Serves from a changed distribution; returns when all nodes do. Requests under way are answered by what was before, as
    /// those are that CloudFront's locations take while a change is rolled out.
    pub async fn update(&self, change: impl FnOnce(&mut Distribution)) -> Result<(), EdgeError> {
        let mut state = self.state.lock().await;
        change(&mut state.distribution);
        let Some(nginx) = state.nginx.clone() else { return Ok(()) };
        self.write(&mut state).await?;
        nginx.signal(Signal::HUP).await;
        self.ready(state.generation, &nginx).await
    }

    /// Process id of nginx, if it runs.
    pub async fn pid(&self) -> Option<u32> {
        self.state.lock().await.nginx.as_ref().map(Running::pid)
    }

    /// Writes the next generation's file once nginx has found it good.
    async fn write(&self, state: &mut EdgeState) -> Result<(), EdgeError> {
        let ports: Vec<_> = self.ports.iter().map(Reserved::port).collect();
        let generation = state.generation + 1;
        let layout = Layout {
            folder: &self.folder,
            ports: &ports,
            collapse: self.collapsing.addr(),
            generation,
            files: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            root: getuid().is_root(),
        };
        let text = render(&layout, &state.distribution)?;
        let candidate = self.folder.join("candidate.conf");
        let folder_error = |source| EdgeError::Folder { folder: self.folder.clone(), source };
        std::fs::write(&candidate, text).map_err(folder_error)?;
        self.check(&candidate).await?;
        std::fs::rename(&candidate, self.folder.join("nginx.conf")).map_err(folder_error)?;
        state.generation = generation;
        Ok(())
    }

    async fn check(&self, candidate: &Path) -> Result<(), EdgeError> {
        let mut command = tokio::process::Command::new("nginx");
        command.arg("-t").arg("-q").arg("-p").arg(&self.folder).arg("-c").arg(candidate);
        command.arg("-e").arg(self.folder.join("check.log"));
        let spawn_error = |source| ProcessError::Spawn { program: "nginx".into(), source };
        let output = command.kill_on_drop(true).output().await.map_err(spawn_error)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(EdgeError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }

    fn arguments(&self) -> Vec<std::ffi::OsString> {
        let error_log = self.folder.join("error.log");
        let file = self.folder.join("nginx.conf");
        ["-p".into(), self.folder.clone().into(), "-c".into(), file.into(), "-e".into(), error_log.into()]
            .to_vec()
    }

    /// Waits until every node answers with `generation`.
    async fn ready(&self, generation: u64, nginx: &Running) -> Result<(), EdgeError> {
        let all = async {
            for port in &self.ports {
                while read_generation(port.addr()).await != Some(generation) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        tokio::select! {
            () = all => Ok(()),
            _ = nginx.wait() => Err(EdgeError::NotReady(self.folder.join("error.log"))),
            () = tokio::time::sleep(PATIENCE) => Err(EdgeError::NotReady(self.folder.join("error.log"))),
        }
    }
}

/// A new connection each time: an old one would stay with the worker of the old configuration.
async fn read_generation(addr: SocketAddr) -> Option<u64> {
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{addr}{GENERATION_PATH}").parse().ok()?;
    let body = client.get(uri).await.ok()?.into_body().collect().await.ok()?.to_bytes();
    std::str::from_utf8(&body).ok()?.parse().ok()
}
