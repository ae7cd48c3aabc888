//! What was measured, for the test that holds the template's memory against it: `docs/cold-starts.json`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::measure;

/// Where the test finds it.
const RECORD: &str = "docs/cold-starts.json";

/// A cold start and its first answer.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cold {
    /// Process start to answer.
    pub(crate) seconds: f64,
    /// Of a whole CPU, in that.
    pub(crate) cpu_seconds: f64,
}

/// All of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Record {
    measured: String,
    /// By question.
    questions: BTreeMap<String, QuestionRecord>,
}

#[derive(Debug, Default, Serialize)]
struct QuestionRecord {
    function: String,
    /// By MiB.
    memory: BTreeMap<u32, Cold>,
}

impl Record {
    pub(crate) fn note(&mut self, what: &str, function: &str, memory: u32, cold: Cold) {
        let question = self.questions.entry(what.to_owned()).or_default();
        function.clone_into(&mut question.function);
        let round = |value: f64| (value * 1e4).round() / 1e4;
        let cold = Cold { seconds: round(cold.seconds), cpu_seconds: round(cold.cpu_seconds) };
        question.memory.insert(memory, cold);
    }

    /// Writes it down, if it is of programs that may be deployed: cargo's profile is the name of their folder.
    pub(crate) fn write(mut self, functions: &Path) -> anyhow::Result<()> {
        if !functions.ends_with("release") {
            return Ok(());
        }
        self.measured = format!("{}; release build", measure::now());
        let text = serde_json::to_string_pretty(&self)? + "\n";
        std::fs::write(RECORD, text).with_context(|| format!("cannot write {RECORD}"))
    }
}

/// The memory that template.yaml gives to a function.
pub(crate) fn memory_of(function: &str) -> anyhow::Result<u32> {
    let template = std::fs::read_to_string("template.yaml").context("run it in the repository's root")?;
    let mut name = function.to_owned();
    name[..1].make_ascii_uppercase();
    let size = |text: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("MemorySize: "))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let resource = template.split_once(&format!("\n  {name}Function:\n")).context("no such function")?.1;
    // Up to the next resource: the next line that is indented as this one was.
    let end = resource.find("\n  ").and_then(|_| {
        resource
            .match_indices("\n  ")
            .map(|(at, _)| at)
            .find(|at| !resource[at + 3..].starts_with([' ', '#']))
    });
    let own = size(&resource[..end.unwrap_or(resource.len())]);
    own.or_else(|| size(&template)).context("template.yaml names no MemorySize")
}
