//! Draws a script: a broadcast that begins in an ordinary way, and then trouble.

use headwater_domain::stream::{Latency, PublishPolicy};

use super::{Event, Script, Setting};
use crate::dice::Dice;
use crate::world::Side;

/// When the last thing happens, at the latest.
const LAST_AT: u64 = 60_000;
const MAX_EVENTS: u64 = 8;
/// So many of a hundred scripts split the regions: by chance alone both would rarely grant leases apart.
const GO_APART: u64 = 30;
/// In so many of a hundred of these the owner gives an order meanwhile.
const GIVE_ORDERS: u64 = 50;
/// And so many let two tasks of one region overlap.
const OVERLAP: u64 = 25;

pub fn draw(seed: u64) -> Script {
    let dice = &mut Dice::new(seed);
    let setting = Setting {
        latency: if dice.chance(12) { Latency::Low } else { Latency::Standard },
        policy: if dice.chance(15) { PublishPolicy::Reject } else { PublishPolicy::Takeover },
        mirror: dice.chance(60),
        window_seconds: u32::try_from(dice.between(5, 20)).unwrap(),
        skew: i64::try_from(dice.between(0, 2_001)).unwrap() - 1_000,
        lag: dice.one(&[(100, 500), (300, 1_500), (200, 4_000)]),
        start_delay: dice.one(&[
            (1_000, 5_000),
            (1_000, 5_000),
            (1_000, 5_000),
            (3_000, 15_000),
            (15_000, 40_000),
        ]),
    };
    let mut events = vec![(dice.between(500, 5_000), Event::Publish(side(dice)))];
    for _ in 0..dice.between(2, MAX_EVENTS) {
        events.push((dice.between(2_000, LAST_AT), event(dice)));
    }
    if dice.chance(GO_APART) {
        go_apart(&mut events, dice);
    }
    if dice.chance(OVERLAP) {
        overlap(&mut events, dice);
    }
    events.sort_by_key(|(at, _)| *at);
    Script { setting, events }
}

/// A task that nobody hears of works on beside its successor, which is slow to write.
fn overlap(events: &mut Vec<(u64, Event)>, dice: &mut Dice) {
    let from = dice.between(8_000, 30_000);
    let replaced = from + dice.between(17_000, 22_000);
    events.extend([(from, Event::Deaf(60_000)), (replaced, Event::Sweep)]);
    let slow = |side| Event::Throttled(side, 85, 30_000);
    events.extend([Side::A, Side::B].map(|side| (replaced + dice.between(1_000, 4_000), slow(side))));
}

/// The regions lose sight of each other with an encoder on either side, and each goes on granting leases.
fn go_apart(events: &mut Vec<(u64, Event)>, dice: &mut Dice) {
    let from = dice.between(8_000, 30_000);
    let time = dice.between(15_000, 60_000);
    events.push((from, Event::Partition(time)));
    events.extend([Side::A, Side::B].map(|side| (from + dice.between(0, 6_000), Event::Publish(side))));
    for _ in 0..dice.between(1, 4) {
        let side = side(dice);
        let happens = [Event::KillTask, Event::KillTask, Event::Reconnect(side, 0), Event::Leave(side)];
        events.push((from + dice.between(0, time), dice.one(&happens)));
    }
    // The owner gives an order where it cannot be seen what is on air on the other side.
    if dice.chance(GIVE_ORDERS) {
        let side = side(dice);
        let name = Event::PatchStream(side, dice.between(0, 1_000_000));
        let orders = [
            Event::RevokeKey(side),
            Event::StopStream(side),
            Event::StopStream(side),
            Event::DeleteStream(side),
            name,
        ];
        events.push((from + dice.between(0, time), dice.one(&orders)));
    }
}

fn side(dice: &mut Dice) -> Side {
    dice.one(&[Side::A, Side::B])
}

fn event(dice: &mut Dice) -> Event {
    let side = side(dice);
    let seconds = |dice: &mut Dice, least: u64, most: u64| dice.between(least * 1_000, most * 1_000);
    match dice.between(0, 28) {
        0..=3 => Event::Publish(side),
        4 => Event::Leave(side),
        5 | 6 => {
            let noticed = [0, 0, seconds(dice, 2, 20)];
            Event::Reconnect(side, dice.one(&noticed))
        }
        7 | 8 => Event::KillTask,
        9 | 10 => Event::Freeze(seconds(dice, 3, 60)),
        11 => {
            let delays = [(1_000, 3_000), (20_000, 70_000), (90_000, 150_000)];
            let (least, most) = dice.one(&delays);
            Event::StartsTake(least, most)
        }
        12 => Event::NoCapacity(side, seconds(dice, 5, 100)),
        13 => Event::CallsLost(dice.between(5, 60), seconds(dice, 5, 40)),
        14 => Event::ApiDown(side, seconds(dice, 3, 60)),
        15 => Event::TableDown(side, seconds(dice, 3, 60)),
        16 => Event::Throttled(side, dice.between(5, 80), seconds(dice, 5, 40)),
        17 => Event::BucketFailing(side, dice.between(10, 90), seconds(dice, 5, 40)),
        18 => Event::BucketDown(side, seconds(dice, 5, 60)),
        19 | 20 => Event::Partition(seconds(dice, 5, 60)),
        21 => {
            let lags = [(50, 200), (1_000, 6_000), (5_000, 30_000)];
            let (least, most) = dice.one(&lags);
            Event::Lag(least, most)
        }
        22 => {
            let kinds = [Event::Sweep, Event::RevokeKey(side), Event::StopStream(side)];
            dice.one(&kinds)
        }
        27 => Event::ApiHangs(side, seconds(dice, 3, 40)),
        25 | 26 => {
            let name = Event::PatchStream(side, dice.between(0, 1_000_000));
            let (revoke, stop) = (Event::RevokeKey(side), Event::StopStream(side));
            dice.one(&[revoke, revoke, stop, stop, Event::DeleteStream(side), name])
        }
        23 => Event::RegionLost(side, seconds(dice, 5, 60)),
        _ => Event::Deaf(seconds(dice, 20, 60)),
    }
}
