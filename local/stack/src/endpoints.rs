//! `endpoints.json`: where everything is, for other tools.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Endpoints {
    /// The edge: player page and playback.
    pub edge: String,
    /// Opens the REST API.
    pub token: String,
    /// Region A, region B.
    pub regions: Vec<RegionEndpoints>,
    /// The demo stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demo: Option<Demo>,
}

/// One region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegionEndpoints {
    /// Its name.
    pub name: String,
    /// Its REST API.
    pub api: String,
    /// Its RTMP server.
    pub rtmp: String,
    /// Its DynamoDB.
    pub dynamodb: String,
    /// Its S3.
    pub s3: String,
}

/// A stream to try things with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    /// Its id.
    pub stream_id: String,
    /// A key that opens it.
    pub stream_key: String,
    /// Where it plays.
    pub playback_url: String,
}

impl Endpoints {
    /// Writes them, at once and whole.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let draft = path.with_extension("json.new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        Ok(std::fs::rename(draft, path)?)
    }

    /// Reads them.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}
