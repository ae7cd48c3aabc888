//! A simulation of both regions: the real functions over a simulated global table, network, cluster and clock, with
//! encoders, gateways, tasks and a viewer, and trouble drawn from a seed. After every step it is checked that what
//! must always hold does hold. A seed replays exactly: `HEADWATER_SEED=n cargo test --locked --workspace --test simulation`;
//! `HEADWATER_SEEDS=n` runs more of them.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)] // helpers of tests are tests

mod calls;
mod check;
mod cluster;
mod encoder;
mod executor;
mod gateway;
mod media;
mod pinned;
mod rng;
mod run;
mod script;
mod simulation;
mod store;
mod table;
mod transcoder;
mod viewer;

pub use run::{key_id, key_text};

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 400;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

#[test]
fn whatever_happens_both_regions_agree_in_the_end() {
    if let Some(seed) = number("HEADWATER_SEED") {
        run::check_seed(seed);
        return;
    }
    run::check_seeds(number("HEADWATER_SEEDS").unwrap_or(SEEDS));
}
