//! What was measured: rows in sections, and single figures that others compute with. Kept as JSON, so that a part that is
//! run alone replaces its own section and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// One measured figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) peer: Option<(String, f64)>,
    pub(crate) budget: Option<String>,
    pub(crate) ok: Option<bool>,
    pub(crate) remark: Option<String>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        Self { what, value, unit, peer: None, budget: None, ok: None, remark: None }
    }

    /// Measured in the same run.
    pub(crate) fn against(mut self, peer: &str, value: f64) -> Self {
        self.peer = Some((peer.to_owned(), value));
        self
    }

    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    fn judged(mut self, ok: bool, budget: String) -> Self {
        (self.ok, self.budget) = (Some(ok), Some(budget));
        self
    }

    /// At most so much.
    pub(crate) fn at_most(self, budget: f64) -> Self {
        let (ok, text) = (self.value <= budget, format!("≤ {budget} {}", self.unit));
        self.judged(ok, text)
    }

    /// At least so much.
    pub(crate) fn at_least(self, budget: f64) -> Self {
        let (ok, text) = (self.value >= budget, format!("≥ {budget} {}", self.unit));
        self.judged(ok, text)
    }

    /// At most so much of the peer.
    pub(crate) fn ratio_at_most(self, budget: f64) -> Self {
        let ok = self.ratio().is_some_and(|ratio| ratio <= budget);
        self.judged(ok, format!("≤ {budget} × peer"))
    }

    /// At most so far below the peer.
    pub(crate) fn within(self, margin: f64) -> Self {
        let difference = self.peer.as_ref().map_or(f64::NAN, |(_, peer)| self.value - peer);
        self.remark(format!("{difference:+.2}")).judged(difference >= -margin, format!("≥ peer − {margin}"))
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|(_, peer)| self.value / peer).filter(|ratio| ratio.is_finite())
    }
}

/// What one part of the bench has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) id: String,
    pub(crate) title: String,
    /// When, of what, and how busy the machine was.
    pub(crate) when: String,
    pub(crate) rows: Vec<Row>,
}

impl Section {
    pub(crate) fn new(id: &str, title: impl Into<String>) -> Self {
        Self { id: id.to_owned(), title: title.into(), when: String::new(), rows: Vec::new() }
    }
}

/// Everything measured so far.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) sections: Vec<Section>,
    facts: BTreeMap<String, f64>,
}

impl Report {
    /// That of earlier runs, if there is one that is understood.
    pub(crate) fn load(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }

    /// In place of an earlier one of the same part.
    pub(crate) fn put(&mut self, section: Section) {
        match self.sections.iter_mut().find(|known| known.id == section.id) {
            Some(known) => *known = section,
            None => self.sections.push(section),
        }
    }

    /// Remembers a figure for parts that compute.
    pub(crate) fn note(&mut self, name: impl Into<String>, value: f64) {
        self.facts.insert(name.into(), value);
    }

    pub(crate) fn fact(&self, name: &str) -> anyhow::Result<f64> {
        let part = name.split('.').next().unwrap_or_default();
        self.facts
            .get(name)
            .copied()
            .with_context(|| format!("{name} is not known: run the part {part} first"))
    }
}
