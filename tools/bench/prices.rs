//! The dated price table of the repository, docs/prices.json.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

const TABLE: &str = include_str!("../../docs/prices.json");

#[derive(Deserialize)]
pub(crate) struct Prices {
    pub(crate) as_of: String,
    pub(crate) region: String,
    prices: BTreeMap<String, Price>,
}

/// The file says of each price also what it is for and where it was read.
#[derive(Deserialize)]
struct Price {
    usd: f64,
}

impl Prices {
    pub(crate) fn read() -> anyhow::Result<Self> {
        serde_json::from_str(TABLE).context("docs/prices.json")
    }

    /// Dollars for one.
    pub(crate) fn of(&self, name: &str) -> anyhow::Result<f64> {
        Ok(self.prices.get(name).with_context(|| format!("docs/prices.json has no {name}"))?.usd)
    }
}
