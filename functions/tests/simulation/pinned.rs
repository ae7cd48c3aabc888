//! Stories that show a rule of the task's that no invariant needs: pinned, so that it stays true in the whole.

use headwater_domain::stream::{Latency, PublishPolicy};

use crate::run;
use crate::script::{Event, Script, Setting};
use crate::world::Side;

/// A seed whose gateway does not hear for a while that its silent session was replaced.
const HEARS_LATE: u64 = 88;

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
    let told = run::told(HEARS_LATE, &comes_back());
    assert!(told.iter().any(|line| line.contains("leaves")), "{}", told.join("\n"));
}
