//! Takes commands, one after the other. Must not know what they do.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{Command, MAX_COMMAND, execute, socket};
use crate::Stack;

/// Who connects and says nothing for so long is dropped: commands are taken one after the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why no commands can be taken.
#[derive(Debug, Error)]
#[error("cannot take commands at {}", path.display())]
pub struct ControlError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The socket. Dropping it takes it away.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens in the data folder. What a killed stack has left there is replaced.
    pub fn listen(data: &Path) -> Result<Self, ControlError> {
        let path = socket(data);
        let listener = bind(data, &path).map_err(|source| ControlError { path: path.clone(), source })?;
        Ok(Self { listener, path })
    }

    /// Carries out commands for as long as it is polled.
    pub async fn serve(&self, stack: &Stack) {
        loop {
            let served = match self.listener.accept().await {
                Ok((stream, _)) => serve(stream, stack).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::warn!(%error, "a command was not taken");
                // Out of file descriptors most likely; without a pause this would spin until one is free.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds in a folder that nobody else can enter and moves the socket out when its mode is set, so that there is no
/// moment at which somebody else can connect.
fn bind(data: &Path, path: &Path) -> io::Result<UnixListener> {
    // The name is short: a Unix socket's path has 108 bytes.
    let private = data.join(".ctl");
    let _ = fs::remove_dir_all(&private);
    fs::create_dir(&private)?;
    fs::set_permissions(&private, Permissions::from_mode(0o700))?;
    let inner = private.join("s");
    let listener = UnixListener::bind(&inner)?;
    fs::set_permissions(&inner, Permissions::from_mode(0o600))?;
    fs::rename(&inner, path)?;
    fs::remove_dir(&private)?;
    Ok(listener)
}

async fn serve(mut stream: UnixStream, stack: &Stack) -> io::Result<()> {
    let mut line = String::new();
    let (reader, mut writer) = stream.split();
    let read = async { BufReader::new(reader.take(MAX_COMMAND)).read_line(&mut line).await };
    tokio::time::timeout(PATIENCE, read).await??;
    let done = match line.parse::<Command>() {
        Ok(command) => execute::execute(stack, command).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = match done {
        Ok(text) => format!("ok\n{text}"),
        Err(text) => format!("error\n{text}\n"),
    };
    writer.write_all(answer.as_bytes()).await?;
    writer.shutdown().await
}
