//! Runs one target by a plan, and says what it found.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus;
use crate::mutate::mutated;

/// Seeds of at most so many bytes are tried cut short at each of them; of longer ones each 64th.
const CUT_EVERYWHERE: usize = 512;

/// Something that takes any bytes, and panics when a promise is broken.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its folder in the corpus.
    pub name: &'static str,
    /// What is run.
    pub entry: fn(&[u8]),
    /// Longest input, bytes.
    pub max_len: usize,
    /// Most memory that a run may hold at a time, bytes: so much, and so much for each byte of input.
    pub heap: (u64, u64),
    /// Words of the format.
    pub words: &'static [&'static [u8]],
}

/// How long to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// So many changed inputs, always the same.
    Rounds(u64),
    /// For so long, with inputs from this seed.
    Seconds(u64, u64),
}

/// An input that broke a promise.
#[derive(Debug)]
pub struct Found {
    /// Where it was written down.
    pub input: PathBuf,
    /// What went wrong.
    pub what: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  input: {}", self.what, self.input.display())
    }
}

/// Runs `target` over `corpus`, and over changed inputs as `plan` says. Answers how many runs there were.
///
/// # Errors
/// When files cannot be read or written.
pub fn run(target: &Target, corpus: &Path, artifacts: &Path, plan: Plan) -> io::Result<Result<u64, Found>> {
    let seeds = corpus::read(&corpus.join(target.name))?;
    if seeds.is_empty() {
        return Err(io::Error::other(format!("{} has no corpus", target.name)));
    }
    let mut runs = 0;
    let mut attempt = |input: &[u8]| -> io::Result<Option<Found>> {
        runs += 1;
        let Err(what) = once(target, input) else { return Ok(None) };
        Ok(Some(Found { input: corpus::keep(artifacts, target.name, input)?, what }))
    };
    for seed in &seeds {
        let step = if seed.len() <= CUT_EVERYWHERE { 1 } else { 64 };
        for length in (0..seed.len()).step_by(step).chain([seed.len()]) {
            if let Some(found) = attempt(&seed[..length])? {
                return Ok(Err(found));
            }
        }
    }
    let (mut random, until) = match plan {
        Plan::Rounds(_) => (Rng::with_seed(1), None),
        Plan::Seconds(seconds, seed) => {
            (Rng::with_seed(seed), Some(Instant::now() + Duration::from_secs(seconds)))
        }
    };
    let mut round = 0;
    while match (plan, until) {
        (Plan::Rounds(rounds), _) => round < rounds,
        (Plan::Seconds(..), until) => until.is_some_and(|until| Instant::now() < until),
    } {
        round += 1;
        let input = mutated(&seeds, target.words, target.max_len, &mut random);
        if let Some(found) = attempt(&input)? {
            return Ok(Err(found));
        }
    }
    Ok(Ok(runs))
}

fn once(target: &Target, input: &[u8]) -> Result<(), String> {
    let mut outcome = Ok(());
    let used = allocation_counter::measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| (target.entry)(input)));
    });
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        return Err(format!("{}: {text}", target.name));
    }
    let most = target.heap.0 + target.heap.1 * input.len() as u64;
    if used.bytes_max > most {
        let (held, length) = (used.bytes_max, input.len());
        return Err(format!("{}: held {held} bytes for {length} of input, at most {most}", target.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(entry: fn(&[u8])) -> Target {
        Target { name: "key", entry, max_len: 200, heap: (1_000, 10), words: &[] }
    }

    fn found(entry: fn(&[u8])) -> Option<String> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let artifacts = std::env::temp_dir().join(format!("headwater-fuzz-{}", std::process::id()));
        let ran = run(&target(entry), &corpus, &artifacts, Plan::Rounds(500)).unwrap();
        std::fs::remove_dir_all(artifacts).ok();
        ran.err().map(|found| found.what)
    }

    #[test]
    fn panics_and_greed_are_found() {
        assert_eq!(found(|_| {}), None);
        assert!(found(|input| assert!(input.len() < 30, "too long")).unwrap().contains("too long"));
        let greedy = found(|input| drop(vec![0_u8; 100 * input.len()])).unwrap();
        assert!(greedy.contains("bytes for"), "{greedy}");
    }
}
