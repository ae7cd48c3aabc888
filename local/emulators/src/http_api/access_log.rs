//! One JSON line a request. Has neither paths, queries nor headers, so neither keys nor tokens can get in: the route
//! key says what was called.

use parking_lot::Mutex;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The log file could not be opened.
#[derive(Debug, Error)]
#[error("cannot open the access log {path}")]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: std::io::Error,
}

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessLogEntry<'a> {
    pub(super) request_time: String,
    pub(super) request_id: &'a str,
    pub(super) source_ip: String,
    pub(super) http_method: &'a str,
    pub(super) route_key: &'a str,
    pub(super) status: u16,
    pub(super) response_latency_ms: u64,
    pub(super) error: Option<&'a str>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct AccessLog {
    file: Mutex<File>,
}

impl AccessLog {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let open = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            File::options().create(true).append(true).open(path)
        };
        let file = open().map_err(|source| LogError { path: path.to_owned(), source })?;
        Ok(Self { file: Mutex::new(file) })
    }

    pub(super) fn write(&self, entry: &AccessLogEntry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        if let Err(error) = self.file.lock().write_all(&line) {
            tracing::warn!(%error, "cannot write the access log");
        }
    }
}
