//! Child processes that cannot outlive the stack, not even when it is killed with SIGKILL.
//!
//! Every child is started through `setpriv --pdeathsig` (util-linux). The kernel sends that signal when the *thread*
//! that forked dies, not the process (prctl(2), PR_SET_PDEATHSIG), hence one thread that forks them all and lives as
//! long as the [`Spawner`]. A child is signalled only by the task that reaps it, so never by a recycled pid.
//! Must not know what the children do.

mod child;
mod spawner;

pub use child::{Exit, Running};
pub use rustix::process::Signal;
pub use spawner::Spawner;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use thiserror::Error;

/// What children inherit from our environment; everything else is given explicitly.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH"];

/// Why a child could not be started.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program's log file could not be opened.
    #[error("cannot open the log file {path}")]
    Log {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The fork or exec failed.
    #[error("cannot start {program}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// There is no such program.
    #[error("there is no program {0}")]
    Missing(PathBuf),
    /// The thread that starts children is gone.
    #[error("the stack is shutting down")]
    ShuttingDown,
}

/// What the child gets when the stack dies, or lets go of it, without stopping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathSignal {
    /// For most: dies at once.
    Kill,
    /// For programs that have children of their own and stop them on SIGTERM.
    Term,
}

/// One program to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Path of the program, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its environment, beside the few variables every child inherits.
    pub env: BTreeMap<String, String>,
    /// File to which its stdout and stderr are appended.
    pub log: PathBuf,
    /// What it gets when the stack dies.
    pub death_signal: DeathSignal,
}

impl Launch {
    /// A program without arguments that dies with the stack.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            log: log.into(),
            death_signal: DeathSignal::Kill,
        }
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds environment variables; later ones win.
    pub fn env<K: Into<String>, V: Into<String>>(mut self, env: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(env.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    fn command(&self) -> Result<tokio::process::Command, ProcessError> {
        // setpriv would start and then say so on stderr only; a missing file is better told to the caller.
        if self.program.components().count() > 1 && !self.program.exists() {
            return Err(ProcessError::Missing(self.program.clone()));
        }
        let log = || -> std::io::Result<_> {
            if let Some(folder) = self.log.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) =
            log().map_err(|source| ProcessError::Log { path: self.log.clone(), source })?;
        let signal = match self.death_signal {
            DeathSignal::Kill => "KILL",
            DeathSignal::Term => "TERM",
        };
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--pdeathsig", signal, "--"]).arg(&self.program).args(&self.args).env_clear();
        command
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(&self.env);
        command.stdin(std::process::Stdio::null()).stdout(stdout).stderr(stderr);
        Ok(command)
    }
}
