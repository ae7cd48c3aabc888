//! Gives one command to the stack that runs on a data folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{Command, socket};

/// Longest answer, in bytes: a line for each task, of which there are at most some thousands.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Why a command was not carried out.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("nothing runs on the data folder {}; start it with: make run", .0.display())]
    NotRunning(PathBuf),
    /// The connection broke.
    #[error("the running stack does not answer")]
    Io(#[from] io::Error),
    /// The stack says why.
    #[error("{0}")]
    Refused(String),
}

/// Gives `command` and waits until it is carried out; what there is to tell.
pub async fn ask(data: &Path, command: &Command) -> Result<String, AskError> {
    let mut stream = UnixStream::connect(socket(data)).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(data.to_owned()),
        _ => AskError::Io(error),
    })?;
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    match answer.split_once('\n') {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some(("error", text)) => Err(AskError::Refused(text.trim_end().to_owned())),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}
