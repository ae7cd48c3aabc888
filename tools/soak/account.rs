//! What was seen over the time, and whether anything of it grows.

use std::fmt::Write as _;

use anyhow::ensure;

use crate::look::Look;

/// What a transcode may take at most, MiB; template.yaml gives a task 4,096.
const MAX_PEAK: f64 = 400.0;
/// How much the mean of the last third may lie above that of the first, percent: allocators settle late.
const MAX_GROWTH: f64 = 5.0;
/// Growth below this is noise, MiB or pieces.
const NOISE: f64 = 2.0;
/// Fewer looks say nothing of growth.
const ENOUGH: usize = 30;
/// The first looks see it grow to its size: this share of them does not count.
const SETTLING: usize = 10;

type Figure = fn(&Look) -> f64;

/// What must not grow.
const VALUES: [(&str, Figure); 9] = [
    ("transcoder: memory, MiB", |look| look.transcoder.memory),
    ("transcoder: descriptors", |look| look.transcoder.descriptors),
    ("transcoder: threads", |look| look.transcoder.threads),
    ("gateway: memory, MiB", |look| look.gateway.memory),
    ("gateway: descriptors", |look| look.gateway.descriptors),
    ("gateway: threads", |look| look.gateway.threads),
    ("gateway: files in its spool", |look| look.spool_files),
    ("gateway: sessions", |look| look.sessions),
    ("tasks", |look| look.tasks),
];

/// Everything that was seen.
#[derive(Debug, Default)]
pub(crate) struct Account(Vec<Look>);

impl Account {
    /// One more look. Both processes must be those of the first.
    pub(crate) fn note(&mut self, look: Look) -> anyhow::Result<()> {
        if let Some(first) = self.0.first() {
            ensure!(first.transcoder.pid == look.transcoder.pid, "another transcoder has taken over");
            ensure!(first.gateway.pid == look.gateway.pid, "another gateway has taken over");
        }
        self.0.push(look);
        Ok(())
    }

    pub(crate) fn newest(&self) -> String {
        self.0.last().map(ToString::to_string).unwrap_or_default()
    }

    /// Means of the first and the last third.
    fn thirds(&self, figure: Figure) -> (f64, f64) {
        let settled = &self.0[self.0.len() / SETTLING..];
        let third = settled.len() / 3;
        let mean = |looks: &[Look]| looks.iter().map(figure).sum::<f64>() / looks.len().max(1) as f64;
        (mean(&settled[..third]), mean(&settled[settled.len() - third..]))
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::from("                               first third   last third\n");
        for (name, figure) in VALUES {
            let (first, last) = self.thirds(figure);
            let _ = writeln!(text, "{name:30} {first:11.1} {last:12.1}");
        }
        let _ = writeln!(text, "transcoder: peak of memory {:.0} MiB (budget {MAX_PEAK:.0})", self.peak());
        text
    }

    fn peak(&self) -> f64 {
        self.0.last().map_or(0.0, |look| look.transcoder.peak)
    }

    /// What must not be.
    pub(crate) fn broken(&self) -> Vec<String> {
        let grows = VALUES.iter().filter(|(_, figure)| {
            let (first, last) = self.thirds(*figure);
            self.0.len() >= ENOUGH && last > first * (1.0 + MAX_GROWTH / 100.0) && last > first + NOISE
        });
        let mut broken: Vec<_> = grows.map(|(name, _)| format!("it grows: {name}")).collect();
        if self.peak() > MAX_PEAK {
            broken.push(format!("the transcoder takes more than {MAX_PEAK} MiB"));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Holding;

    fn account(memory: impl Fn(usize) -> f64) -> Account {
        let mut account = Account::default();
        for at in 0..60 {
            let gateway = Holding { pid: 2, memory: 12.0, peak: 12.0, descriptors: 20.0, threads: 4.0 };
            let transcoder = Holding { pid: 1, memory: memory(at), peak: memory(at), ..gateway };
            let look = Look { transcoder, gateway, tasks: 1.0, sessions: 1.0, spool_files: 3.0 };
            account.note(look).unwrap();
        }
        account
    }

    #[test]
    fn what_grows_or_is_too_much_is_named() {
        assert!(account(|_| 300.0).broken().is_empty());
        assert!(account(|at| 300.0 + (at % 7) as f64).broken().is_empty());
        assert_eq!(account(|at| 300.0 + at as f64).broken(), ["it grows: transcoder: memory, MiB"]);
        assert_eq!(account(|_| 500.0).broken(), ["the transcoder takes more than 400 MiB"]);
        let mut account = account(|_| 300.0);
        let mut other = account.0[0];
        other.transcoder.pid = 9;
        assert!(account.note(other).is_err());
    }
}
