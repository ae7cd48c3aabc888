//! Does what a script says.

use headwater_domain::testing::samples;

use super::Event;
use crate::check::orders::Order;
use crate::executor::{self, NETWORK, sleep};
use crate::world::{self, RegionState, SIDES, Side, World, tell};
use crate::{calls, check, cluster, dice, encoder, gateway};
use serde_json::json;

/// What a disturbance has left behind shows for so much longer.
const AFTERMATH: u64 = 40_000;

pub fn act(event: Event) {
    tell(|| format!("*** {event:?}"));
    match event {
        Event::Publish(side) => encoder::with(side, |encoder| encoder.publishes = true),
        Event::Leave(side) => encoder::with(side, |encoder| encoder.publishes = false),
        Event::Reconnect(side, noticed) => encoder::with(side, |encoder| encoder.drop_after = Some(noticed)),
        Event::KillTask => {
            if let Some(lease) = newest_task() {
                cluster::kill(&lease, "OutOfMemoryError");
            }
        }
        Event::Freeze(time) => freeze(time),
        Event::Deaf(time) => {
            if let Some(lease) = newest_task() {
                let until = executor::now() + time;
                world::with(|world| world.tasks.get_mut(&lease).unwrap().deaf_until = until);
            }
        }
        Event::StartsTake(least, most) => world::with(|world| world.start_delay = (least, most)),
        Event::Lag(least, most) => {
            disturbed(most);
            world::with(|world| {
                world.lag = (least, most);
                world.longest_lag = world.longest_lag.max(most);
            });
        }
        Event::NoCapacity(side, time) => {
            for_a_while(side, time, |region, broken| region.no_capacity = broken)
        }
        Event::CallsLost(percent, time) => {
            world::with(|world| world.lossy = percent);
            later(time, |world| world.lossy = 0);
        }
        Event::ApiDown(side, time) => {
            // What runs there runs no further.
            let functions = world::with(|world| {
                let functions = &mut world.region_mut(side).functions;
                std::mem::replace(functions, executor::process())
            });
            executor::kill(functions);
            for_a_while(side, time, |region, broken| region.api_down = broken);
        }
        Event::ApiHangs(side, time) => for_a_while(side, time, |region, broken| region.api_hangs = broken),
        Event::TableDown(side, time) => {
            disturbed(time);
            for_a_while(side, time, |region, broken| region.table_down = broken);
        }
        Event::Throttled(side, percent, time) => {
            for_a_while(side, time, move |region, broken| {
                region.throttled = if broken { percent } else { 0 }
            });
        }
        Event::BucketFailing(side, percent, time) => for_a_while(side, time, move |region, broken| {
            region.bucket_failing = if broken { percent } else { 0 };
        }),
        Event::BucketDown(side, time) => {
            for_a_while(side, time, |region, broken| region.bucket_down = broken)
        }
        Event::Partition(time) => {
            disturbed(time);
            world::with(|world| world.partitioned = true);
            later(time, |world| world.partitioned = false);
        }
        Event::Sweep => {
            for side in [Side::A, Side::B, Side::A, Side::B] {
                executor::spawn(NETWORK, sweep(side));
            }
        }
        Event::RevokeKey(side) => manage(side, Order::Revoke),
        Event::StopStream(side) => manage(side, Order::Stop),
        Event::DeleteStream(side) => manage(side, Order::Delete),
        Event::PatchStream(side, number) => manage(side, Order::Rename(format!("name {number}"))),
        Event::RegionLost(side, time) => {
            disturbed(time);
            if world::with(|world| world.region(side).lost) {
                return;
            }
            lose(side);
            executor::spawn(NETWORK, async move {
                sleep(time).await;
                bring_back(side);
            });
        }
    }
}

/// Nothing is broken any more, and one encoder at most publishes.
pub fn calm() {
    tell(|| "*** all is well again".into());
    world::with(|world| {
        for side in SIDES {
            let region = world.region_mut(side);
            let (skew, lost, functions) = (region.skew, region.lost, region.functions);
            let gateway = std::mem::take(&mut region.gateway);
            *region = RegionState { skew, lost, functions, gateway, ..RegionState::default() };
        }
        (world.partitioned, world.lossy, world.lag) = (false, 0, (100, 500));
        world.start_delay = (1_000, 5_000);
        world.tasks.values_mut().for_each(|task| task.deaf_until = 0);
        world.calm_since = Some(executor::now());
    });
    SIDES.into_iter().for_each(bring_back);
    thaw_all();
    if SIDES.into_iter().all(|side| encoder::with(side, |encoder| encoder.publishes)) {
        encoder::with(Side::B, |encoder| encoder.publishes = false);
    }
    SIDES.into_iter().for_each(|side| encoder::with(side, |encoder| encoder.is_last = true));
}

/// The minute sweep of a region, for ever.
pub fn sweep_every_minute(side: Side) {
    executor::spawn(NETWORK, async move {
        sleep(dice::between(0, 60_000)).await;
        loop {
            executor::spawn(NETWORK, sweep(side));
            sleep(60_000).await;
        }
    });
}

async fn sweep(side: Side) {
    calls::bring(side, json!({ "detail-type": "Scheduled Event" })).await;
}

fn disturbed(time: u64) {
    let until = executor::now() + time + AFTERMATH;
    world::with(|world| world.disturbed_until = world.disturbed_until.max(until));
}

fn later(time: u64, change: impl FnOnce(&mut World) + 'static) {
    executor::spawn(NETWORK, async move {
        sleep(time).await;
        world::with(change);
    });
}

fn for_a_while(side: Side, time: u64, set: impl Fn(&mut RegionState, bool) + 'static) {
    world::with(|world| set(world.region_mut(side), true));
    later(time, move |world| set(world.region_mut(side), false));
}

fn newest_task() -> Option<headwater_domain::Lease> {
    world::with(|world| {
        let works = world.tasks.iter().filter(|(_, task)| task.works());
        works.max_by(|a, b| (&a.1.broadcast, a.0).cmp(&(&b.1.broadcast, b.0))).map(|(lease, _)| lease.clone())
    })
}

fn freeze(time: u64) {
    let Some(lease) = newest_task() else { return };
    let process = world::with(|world| {
        let task = world.tasks.get_mut(&lease).unwrap();
        task.frozen = true;
        task.process
    });
    executor::freeze(process);
    executor::spawn(NETWORK, async move {
        sleep(time).await;
        thaw(&lease);
    });
}

fn thaw(lease: &headwater_domain::Lease) {
    let process = world::with(|world| {
        let task = world.tasks.get_mut(lease).filter(|task| task.frozen)?;
        task.frozen = false;
        Some(task.process)
    });
    if let Some(process) = process {
        tell(|| format!("{lease} goes on"));
        executor::thaw(process);
    }
}

fn thaw_all() {
    let all: Vec<_> = world::with(|world| world.tasks.keys().cloned().collect());
    all.iter().for_each(thaw);
}

/// The owner gives an order.
fn manage(side: Side, order: Order) {
    let stream = format!("/v1/streams/{}", samples::stream_id());
    let (method, path, body) = match &order {
        Order::Revoke => ("DELETE", format!("{stream}/keys/{}", crate::key_id(0)), json!({})),
        Order::Stop => ("POST", format!("{stream}/stop"), json!({})),
        Order::Delete => ("DELETE", stream, json!({})),
        Order::Rename(name) => ("PATCH", stream, json!({ "name": name })),
    };
    let given = executor::now();
    executor::spawn(NETWORK, async move {
        let answer = calls::manage(side, method, path, body).await;
        tell(|| format!("the owner's order to {order:?} in {side:?}: {answer:?}"));
        check::orders::given(order, given, answer);
    });
}

fn lose(side: Side) {
    let (gateway, functions, tasks) = world::with(|world| {
        let of_it = |lease: &&headwater_domain::Lease| Side::of(&lease.region) == side;
        let tasks: Vec<_> = world.tasks.keys().filter(of_it).cloned().collect();
        let region = world.region_mut(side);
        region.lost = true;
        let gateway = std::mem::take(&mut region.gateway);
        (gateway.process, std::mem::replace(&mut region.functions, executor::process()), tasks)
    });
    executor::kill(gateway);
    executor::kill(functions);
    tasks.iter().for_each(|lease| cluster::kill(lease, "the region is gone"));
}

fn bring_back(side: Side) {
    if world::with(|world| std::mem::take(&mut world.region_mut(side).lost)) {
        tell(|| format!("{side:?} is back"));
        gateway::start(side);
    }
}
