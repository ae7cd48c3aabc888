//! What was found, for people and for programs. Must not know how it was found.

use std::fmt;

use serde::Serialize;

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was looked at, and holds.
    Pass,
    /// It is broken somewhere.
    Fail,
    /// Nothing in the recording is what it is about.
    NotApplicable,
    /// The same, although there must be something.
    Missing,
}

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Which rendition, or which playlist.
    pub at: String,
    /// What is there.
    pub found: String,
    /// What should be.
    pub expected: String,
}

/// How one rule came out.
#[derive(Debug, Clone, Serialize)]
pub struct RuleResult {
    /// The rule's name.
    pub rule: &'static str,
    /// Where it is from.
    pub spec: &'static str,
    /// What it says.
    pub text: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// How many things were looked at.
    pub checked: usize,
    /// The first places where it is broken.
    pub evidence: Vec<Evidence>,
    /// How many more there are.
    pub more: usize,
}

/// How all rules came out.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// In the order of the rules.
    pub results: Vec<RuleResult>,
}

impl Report {
    /// The same report, in which nothing to look at is as bad as something wrong for these rules.
    #[must_use]
    pub fn require(mut self, rules: &[&str]) -> Self {
        let left_out = self.results.iter_mut().filter(|one| one.outcome == Outcome::NotApplicable);
        left_out.filter(|one| rules.contains(&one.rule)).for_each(|one| one.outcome = Outcome::Missing);
        self
    }

    /// Whether no rule is broken, and there was something to look at for all that were required.
    pub fn passed(&self) -> bool {
        self.failed().is_empty()
    }

    /// The names of the rules that are broken, or that were required and have nothing to look at.
    pub fn failed(&self) -> Vec<&'static str> {
        let bad = |one: &&RuleResult| matches!(one.outcome, Outcome::Fail | Outcome::Missing);
        self.results.iter().filter(bad).map(|one| one.rule).collect()
    }

    /// The names of the rules that came out so.
    pub fn with(&self, outcome: Outcome) -> Vec<&'static str> {
        self.results.iter().filter(|one| one.outcome == outcome).map(|one| one.rule).collect()
    }
}

/// Broken places that are told of each rule.
const MAX_EVIDENCE: usize = 10;

/// Gathers what one rule finds.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    checked: usize,
    evidence: Vec<Evidence>,
    more: usize,
}

impl Findings {
    /// Something was looked at, and it is right.
    pub(crate) fn right(&mut self) {
        self.checked += 1;
    }

    /// Something was looked at, and it is wrong.
    pub(crate) fn wrong(
        &mut self,
        at: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) {
        self.checked += 1;
        if self.evidence.len() < MAX_EVIDENCE {
            let (at, found, expected) = (at.to_string(), found.to_string(), expected.to_string());
            self.evidence.push(Evidence { at, found, expected });
        } else {
            self.more += 1;
        }
    }

    /// Something was looked at.
    pub(crate) fn expect(
        &mut self,
        right: bool,
        at: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) {
        if right { self.right() } else { self.wrong(at, found, expected) }
    }

    /// How a rule came out of which this was found; its name, where it is from, and what it says.
    pub(crate) fn into_result(self, [rule, spec, text]: [&'static str; 3]) -> RuleResult {
        let outcome = match (self.checked, self.evidence.is_empty()) {
            (0, _) => Outcome::NotApplicable,
            (_, true) => Outcome::Pass,
            (_, false) => Outcome::Fail,
        };
        let Self { checked, evidence, more } = self;
        RuleResult { rule, spec, text, outcome, checked, evidence, more }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.results {
            let word = match one.outcome {
                Outcome::Pass => "pass",
                Outcome::Fail => "FAIL",
                Outcome::NotApplicable => "n/a ",
                Outcome::Missing => "MISS",
            };
            writeln!(f, "{word}  {:<28} {:<52} {}", one.rule, one.spec, one.text)?;
            for evidence in &one.evidence {
                writeln!(f, "      {}: {}, expected {}", evidence.at, evidence.found, evidence.expected)?;
            }
            if one.more > 0 {
                writeln!(f, "      and {} more", one.more)?;
            }
        }
        let count = |outcome| self.with(outcome).len();
        let (passed, failed) = (count(Outcome::Pass), count(Outcome::Fail));
        let (missing, left_out) = (count(Outcome::Missing), count(Outcome::NotApplicable));
        write!(f, "{passed} passed, {failed} failed, {missing} missing, {left_out} not applicable")
    }
}
