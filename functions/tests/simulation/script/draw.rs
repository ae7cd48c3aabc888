//! Draws a script: a broadcast that begins in an ordinary way, and then trouble.

use headwater_domain::stream::{Latency, PublishPolicy};

use super::{Event, Script, Setting};
use crate::rng::Rng;
use crate::simulation::Side;

/// When the last thing happens, at the latest.
const LAST_AT: u64 = 60_000;
const MAX_EVENTS: u64 = 8;
/// So many of a hundred scripts split the regions: by chance alone both would rarely grant leases apart.
const GO_APART: u64 = 30;
/// In so many of a hundred of these the owner gives an order meanwhile.
const GIVE_ORDERS: u64 = 50;
/// In so many of a hundred a task is to be replaced while it lives, and things go wrong meanwhile.
const HAND_OVER: u64 = 40;
/// And so many let two tasks of one region overlap.
const OVERLAP: u64 = 25;

pub fn draw(seed: u64) -> Script {
    let rng = &mut Rng::new(seed);
    let setting = Setting {
        latency: if rng.chance(12) { Latency::Low } else { Latency::Standard },
        policy: if rng.chance(15) { PublishPolicy::Reject } else { PublishPolicy::Takeover },
        mirror: rng.chance(60),
        window_seconds: u32::try_from(rng.between(5, 20)).unwrap(),
        skew: i64::try_from(rng.between(0, 2_001)).unwrap() - 1_000,
        lag: rng.one(&[(100, 500), (300, 1_500), (200, 4_000)]),
        start_delay: rng.one(&[
            (1_000, 5_000),
            (1_000, 5_000),
            (1_000, 5_000),
            (3_000, 15_000),
            (15_000, 40_000),
        ]),
    };
    let mut events = vec![(rng.between(500, 5_000), Event::Publish(side(rng)))];
    for _ in 0..rng.between(2, MAX_EVENTS) {
        events.push((rng.between(2_000, LAST_AT), event(rng)));
    }
    if rng.chance(GO_APART) {
        go_apart(&mut events, rng);
    }
    if rng.chance(OVERLAP) {
        overlap(&mut events, rng);
    }
    if rng.chance(HAND_OVER) {
        hand_over(&mut events, rng);
    }
    events.sort_by_key(|(at, _)| *at);
    Script { setting, events }
}

/// A task is retired, or the owner moves the stream; while the standby comes up, rehearses and takes over either of them
/// dies, or is not heard of.
fn hand_over(events: &mut Vec<(u64, Event)>, rng: &mut Rng) {
    let from = rng.between(10_000, 30_000);
    let side = side(rng);
    events.push((from, rng.one(&[Event::Retire, Event::Retire, Event::Move(side)])));
    for _ in 0..rng.between(0, 4) {
        let after = rng.between(500, 30_000);
        let time = rng.between(500, 8_000);
        let happens = [
            Event::KillTask,
            Event::KillOldest,
            Event::Deaf(time),
            Event::Freeze(time),
            Event::CallsLost(rng.between(20, 80), time),
            Event::ApiHangs(side, time),
            Event::ApiDown(side, time),
            Event::Throttled(side, 80, time),
            Event::Reconnect(side, 0),
            Event::Retire,
        ];
        events.push((from + after, rng.one(&happens)));
    }
}

/// A task that nobody hears of works on beside its successor, which is slow to write.
fn overlap(events: &mut Vec<(u64, Event)>, rng: &mut Rng) {
    let from = rng.between(8_000, 30_000);
    let replaced = from + rng.between(17_000, 22_000);
    events.extend([(from, Event::Deaf(60_000)), (replaced, Event::Sweep)]);
    let slow = |side| Event::Throttled(side, 85, 30_000);
    events.extend([Side::A, Side::B].map(|side| (replaced + rng.between(1_000, 4_000), slow(side))));
}

/// The regions lose sight of each other with an encoder on either side, and each goes on granting leases.
fn go_apart(events: &mut Vec<(u64, Event)>, rng: &mut Rng) {
    let from = rng.between(8_000, 30_000);
    let time = rng.between(15_000, 60_000);
    events.push((from, Event::Partition(time)));
    events.extend([Side::A, Side::B].map(|side| (from + rng.between(0, 6_000), Event::Publish(side))));
    for _ in 0..rng.between(1, 4) {
        let side = side(rng);
        let happens = [Event::KillTask, Event::KillTask, Event::Reconnect(side, 0), Event::Leave(side)];
        events.push((from + rng.between(0, time), rng.one(&happens)));
    }
    // The owner gives an order where it cannot be seen what is on air on the other side.
    if rng.chance(GIVE_ORDERS) {
        let side = side(rng);
        let name = Event::PatchStream(side, rng.between(0, 1_000_000));
        let orders = [
            Event::RevokeKey(side),
            Event::StopStream(side),
            Event::StopStream(side),
            Event::DeleteStream(side),
            name,
        ];
        events.push((from + rng.between(0, time), rng.one(&orders)));
    }
}

fn side(rng: &mut Rng) -> Side {
    rng.one(&[Side::A, Side::B])
}

fn event(rng: &mut Rng) -> Event {
    let side = side(rng);
    let seconds = |rng: &mut Rng, least: u64, most: u64| rng.between(least * 1_000, most * 1_000);
    match rng.between(0, 28) {
        0..=3 => Event::Publish(side),
        4 => Event::Leave(side),
        5 | 6 => {
            let noticed = [0, 0, seconds(rng, 2, 20)];
            Event::Reconnect(side, rng.one(&noticed))
        }
        7 | 8 => Event::KillTask,
        9 | 10 => Event::Freeze(seconds(rng, 3, 60)),
        11 => {
            let delays = [(1_000, 3_000), (20_000, 70_000), (90_000, 150_000)];
            let (least, most) = rng.one(&delays);
            Event::StartsTake(least, most)
        }
        12 => Event::NoCapacity(side, seconds(rng, 5, 100)),
        13 => Event::CallsLost(rng.between(5, 60), seconds(rng, 5, 40)),
        14 => Event::ApiDown(side, seconds(rng, 3, 60)),
        15 => Event::TableDown(side, seconds(rng, 3, 60)),
        16 => Event::Throttled(side, rng.between(5, 80), seconds(rng, 5, 40)),
        17 => Event::BucketFailing(side, rng.between(10, 90), seconds(rng, 5, 40)),
        18 => Event::BucketDown(side, seconds(rng, 5, 60)),
        19 | 20 => Event::Partition(seconds(rng, 5, 60)),
        21 => {
            let lags = [(50, 200), (1_000, 6_000), (5_000, 30_000)];
            let (least, most) = rng.one(&lags);
            Event::Lag(least, most)
        }
        22 => {
            let kinds = [Event::Sweep, Event::RevokeKey(side), Event::StopStream(side)];
            rng.one(&kinds)
        }
        27 => Event::ApiHangs(side, seconds(rng, 3, 40)),
        25 | 26 => {
            let name = Event::PatchStream(side, rng.between(0, 1_000_000));
            let (revoke, stop) = (Event::RevokeKey(side), Event::StopStream(side));
            rng.one(&[revoke, revoke, stop, stop, Event::DeleteStream(side), name])
        }
        23 => Event::RegionLost(side, seconds(rng, 5, 60)),
        _ => Event::Deaf(seconds(rng, 20, 60)),
    }
}
