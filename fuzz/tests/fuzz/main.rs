//! The fuzz targets, for so long as is asked for: `cargo test --locked --workspace --test fuzz -- [--seconds n] [--seed n] [--input
//! file] [target…]`. Without `--seconds` a bounded number of rounds, always the same, as a test.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code")]

mod entries;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use headwater_fuzz::{Plan, run};

#[derive(Default)]
struct Arguments {
    seconds: Option<u64>,
    seed: Option<u64>,
    input: Option<PathBuf>,
    names: Vec<String>,
    list: bool,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => parsed.seconds = words.next().and_then(|word| word.parse().ok()),
            "--seed" => parsed.seed = words.next().and_then(|word| word.parse().ok()),
            "--input" => parsed.input = words.next().map(PathBuf::from),
            "--list" => parsed.list = true,
            // What cargo passes to every test program takes a value or none.
            "--test-threads" | "--skip" | "--format" | "--color" => drop(words.next()),
            flag if flag.starts_with('-') => {}
            name => parsed.names.push(name.to_owned()),
        }
    }
    parsed
}

fn main() -> ExitCode {
    let asked = arguments();
    let wanted = |name: &str| asked.names.is_empty() || asked.names.iter().any(|one| one == name);
    let targets = entries::targets();
    let targets = targets.iter().filter(|(target, _)| wanted(target.name));
    if asked.list {
        targets.for_each(|(target, _)| println!("{}: test", target.name));
        return ExitCode::SUCCESS;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seed = asked.seed.unwrap_or_else(|| u64::from(std::process::id()) << 32 | 7);
    let mut broken = false;
    for (target, rounds) in targets {
        if let Some(input) = &asked.input {
            (target.entry)(&std::fs::read(input).unwrap());
            continue;
        }
        let plan = asked.seconds.map_or(Plan::Rounds(*rounds), |seconds| Plan::Seconds(seconds, seed));
        let began = Instant::now();
        match run(target, &root.join("corpus"), &root.join("artifacts"), plan).unwrap() {
            Ok(runs) => println!("{}: {runs} inputs in {:.1} s", target.name, began.elapsed().as_secs_f64()),
            Err(found) => {
                println!("{found}\n  seed: {seed}");
                broken = true;
            }
        }
    }
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
