//! Keeps a recording in a folder: `recording.json`, and a file for each different body.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Ask, ByteRange, Exchange, Recording};

/// Name of the list of exchanges.
const MANIFEST: &str = "recording.json";
/// Exchanges that a folder may list; an hour of five low-latency renditions is below.
const MAX_EXCHANGES: usize = 200_000;

/// Why a folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file.
    #[error("{path}")]
    File {
        /// The path.
        path: PathBuf,
        /// What the system says of it.
        #[source]
        source: io::Error,
    },
    /// The list of exchanges is no such list.
    #[error("recording.json is not a list of exchanges")]
    Manifest(#[from] serde_json::Error),
    /// It lists too many.
    #[error("{0} exchanges are more than a recording may have")]
    TooMany(usize),
    /// A body outside the folder.
    #[error("{0:?} is not the name of a file in the folder")]
    Name(String),
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    #[serde(default)]
    vod: bool,
    exchanges: Vec<IndexLine>,
}

#[derive(Serialize, Deserialize)]
struct IndexLine {
    ask: Ask,
    #[serde(with = "super::address")]
    url: Url,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<ByteRange>,
    at_ms: u64,
    took_ms: u64,
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<String>,
    body: String,
}

impl Recording {
    /// Reads what [`Recording::write`] has written.
    pub fn read(folder: &Path) -> Result<Self, RecordingError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| RecordingError::File { path, source })
        };
        let manifest: Manifest = serde_json::from_slice(&read(MANIFEST)?)?;
        if manifest.exchanges.len() > MAX_EXCHANGES {
            return Err(RecordingError::TooMany(manifest.exchanges.len()));
        }
        let mut bodies: HashMap<String, Bytes> = HashMap::new();
        let mut exchanges = Vec::with_capacity(manifest.exchanges.len());
        for line in manifest.exchanges {
            let body = match bodies.get(&line.body) {
                Some(body) => body.clone(),
                None => {
                    let plain =
                        !line.body.is_empty() && !line.body.contains(['/', '\\']) && line.body != "..";
                    if !plain {
                        return Err(RecordingError::Name(line.body));
                    }
                    bodies.entry(line.body.clone()).or_insert(read(&line.body)?.into()).clone()
                }
            };
            exchanges.push(line.with(body));
        }
        Ok(Self { vod: manifest.vod, exchanges })
    }

    /// Writes it into a folder, which is created.
    pub fn write(&self, folder: &Path) -> Result<(), RecordingError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RecordingError::File { path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut names: HashMap<&Bytes, String> = HashMap::new();
        let mut lines = Vec::with_capacity(self.exchanges.len());
        for exchange in &self.exchanges {
            let name = match names.get(&exchange.body) {
                Some(name) => name.clone(),
                None => {
                    let ending = exchange.url.path().rsplit('.').next().filter(|ending| is_ending(ending));
                    let name = format!("{:05}.{}", names.len(), ending.unwrap_or("bin"));
                    let path = folder.join(&name);
                    std::fs::write(&path, &exchange.body).map_err(failed(&path))?;
                    names.insert(&exchange.body, name.clone());
                    name
                }
            };
            lines.push(IndexLine::of(exchange, name));
        }
        let path = folder.join(MANIFEST);
        let text = serde_json::to_vec_pretty(&Manifest { vod: self.vod, exchanges: lines })?;
        std::fs::write(&path, text).map_err(failed(&path))
    }
}

fn is_ending(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl IndexLine {
    fn of(exchange: &Exchange, body: String) -> Self {
        let Exchange { ask, url, range, at_ms, took_ms, status, headers, redirects, body: _ } =
            exchange.clone();
        Self { ask, url, range, at_ms, took_ms, status, headers, redirects, body }
    }

    fn with(self, body: Bytes) -> Exchange {
        let Self { ask, url, range, at_ms, took_ms, status, headers, redirects, body: _ } = self;
        Exchange { ask, url, range, at_ms, took_ms, status, headers, redirects, body }
    }
}
