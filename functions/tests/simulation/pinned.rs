//! Stories that show a rule of the task's that no invariant needs, so that it stays true in the whole. What is drawn changes
//! with every new draw in the product, so they are looked for among many seeds.

use headwater_domain::stream::{Latency, PublishPolicy};

use crate::run;
use crate::script::{Event, Script, Setting};
use crate::simulation::Side;

/// Seeds that are tried: about one in seven has a gateway that does not hear for a while that its silent session was
/// replaced.
const SEEDS: std::ops::Range<u64> = 0..100;

/// An encoder that is gone without a word comes back, and heartbeats are lost: the task hears of the new session before
/// the gateway hears that the old one is to be closed.
fn comes_back() -> Script {
    let setting = Setting {
        latency: Latency::Standard,
        policy: PublishPolicy::Takeover,
        mirror: false,
        window_seconds: 20,
        skew: 0,
        lag: (100, 500),
        start_delay: (1_000, 5_000),
    };
    let events = vec![
        (1_000, Event::Publish(Side::A)),
        (20_000, Event::Reconnect(Side::A, 60_000)),
        (24_000, Event::CallsLost(70, 30_000)),
    ];
    Script { setting, events }
}

/// The simulation's copy of the task waited for sixty seconds, the product for five of silence.
#[test]
fn a_silent_source_is_left_for_the_one_that_has_replaced_it() {
    let leaves = |seed| run::told(seed, &comes_back()).iter().any(|line| line.contains("leaves"));
    assert!(SEEDS.into_iter().any(leaves), "no silent source was left before its gateway had heard");
}

/// A task that is retired is followed by its standby, which goes on at the end of a segment.
#[test]
fn a_task_that_is_retired_hands_over_to_a_standby() {
    let events = vec![(1_000, Event::Publish(Side::A)), (20_000, Event::Retire)];
    let script = Script { setting: comes_back().setting, events };
    for seed in 0..5 {
        let told = run::told(seed, &script);
        let tells = |words: &str| told.iter().any(|line| line.contains(words));
        assert!(tells("is promoted") && tells("HandedOver"), "seed {seed}: {}", told.join("\n"));
    }
}
