//! Does what a script says.

use headwater_domain::testing::samples;

use super::Event;
use crate::check::orders::Order;
use crate::executor::{self, NETWORK, sleep};
use crate::simulation::{self, RegionState, SIDES, Side, Simulation, tell};
use crate::{calls, check, cluster, encoder, gateway, rng};
use serde_json::json;

/// What a disturbance has left behind shows for so much longer.
const AFTERMATH: u64 = 40_000;

#[expect(clippy::too_many_lines, reason = "a table: one event under the other")]
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
        Event::KillOldest => {
            if let Some(lease) = oldest_task() {
                cluster::kill(&lease, "OutOfMemoryError");
            }
        }
        Event::Retire => {
            if let Some(lease) = newest_task() {
                cluster::retire(lease);
            }
        }
        Event::Move(side) => manage(side, Order::Move),
        Event::Freeze(time) => freeze(time),
        Event::Deaf(time) => {
            if let Some(lease) = newest_task() {
                let until = executor::now() + time;
                simulation::with(|sim| sim.tasks.get_mut(&lease).unwrap().deaf_until = until);
            }
        }
        Event::StartsTake(least, most) => simulation::with(|sim| sim.start_delay = (least, most)),
        Event::Lag(least, most) => {
            disturbed(most);
            simulation::with(|sim| {
                sim.lag = (least, most);
                sim.longest_lag = sim.longest_lag.max(most);
            });
        }
        Event::NoCapacity(side, time) => {
            for_a_while(side, time, |region, broken| region.no_capacity = broken)
        }
        Event::CallsLost(percent, time) => {
            simulation::with(|sim| sim.lossy = percent);
            later(time, |sim| sim.lossy = 0);
        }
        Event::ApiDown(side, time) => {
            // What runs there runs no further.
            let functions = simulation::with(|sim| {
                let functions = &mut sim.region_mut(side).functions;
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
            simulation::with(|sim| sim.partitioned = true);
            later(time, |sim| sim.partitioned = false);
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
            if simulation::with(|sim| sim.region(side).lost) {
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
    simulation::with(|sim| {
        for side in SIDES {
            let region = sim.region_mut(side);
            let (skew, lost, functions) = (region.skew, region.lost, region.functions);
            let gateway = std::mem::take(&mut region.gateway);
            *region = RegionState { skew, lost, functions, gateway, ..RegionState::default() };
        }
        (sim.partitioned, sim.lossy, sim.lag) = (false, 0, (100, 500));
        sim.start_delay = (1_000, 5_000);
        sim.tasks.values_mut().for_each(|task| task.deaf_until = 0);
        sim.calm_since = Some(executor::now());
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
        sleep(rng::between(0, 60_000)).await;
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
    simulation::with(|sim| sim.disturbed_until = sim.disturbed_until.max(until));
}

fn later(time: u64, change: impl FnOnce(&mut Simulation) + 'static) {
    executor::spawn(NETWORK, async move {
        sleep(time).await;
        simulation::with(change);
    });
}

fn for_a_while(side: Side, time: u64, set: impl Fn(&mut RegionState, bool) + 'static) {
    simulation::with(|sim| set(sim.region_mut(side), true));
    later(time, move |sim| set(sim.region_mut(side), false));
}

fn newest_task() -> Option<headwater_domain::Lease> {
    simulation::with(|sim| {
        let works = sim.tasks.iter().filter(|(_, task)| task.works());
        works.max_by(|a, b| (&a.1.broadcast, a.0).cmp(&(&b.1.broadcast, b.0))).map(|(lease, _)| lease.clone())
    })
}

fn oldest_task() -> Option<headwater_domain::Lease> {
    simulation::with(|sim| {
        let works = sim.tasks.iter().filter(|(_, task)| task.works());
        works.min_by(|a, b| (&a.1.broadcast, a.0).cmp(&(&b.1.broadcast, b.0))).map(|(lease, _)| lease.clone())
    })
}

fn freeze(time: u64) {
    let Some(lease) = newest_task() else { return };
    let process = simulation::with(|sim| {
        let task = sim.tasks.get_mut(&lease).unwrap();
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
    let process = simulation::with(|sim| {
        let task = sim.tasks.get_mut(lease).filter(|task| task.frozen)?;
        task.frozen = false;
        Some(task.process)
    });
    if let Some(process) = process {
        tell(|| format!("{lease} goes on"));
        executor::thaw(process);
    }
}

fn thaw_all() {
    let all: Vec<_> = simulation::with(|sim| sim.tasks.keys().cloned().collect());
    all.iter().for_each(thaw);
}

/// The owner gives an order.
fn manage(side: Side, order: Order) {
    let stream = format!("/v1/streams/{}", samples::stream_id());
    let (method, path, body) = match &order {
        Order::Revoke => ("DELETE", format!("{stream}/keys/{}", crate::key_id(0)), json!({})),
        Order::Stop => ("POST", format!("{stream}/stop"), json!({})),
        Order::Move => ("POST", format!("{stream}/move"), json!({})),
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
    let (gateway, functions, tasks) = simulation::with(|sim| {
        let of_it = |lease: &&headwater_domain::Lease| Side::of(&lease.region) == side;
        let tasks: Vec<_> = sim.tasks.keys().filter(of_it).cloned().collect();
        let region = sim.region_mut(side);
        region.lost = true;
        let gateway = std::mem::take(&mut region.gateway);
        (gateway.process, std::mem::replace(&mut region.functions, executor::process()), tasks)
    });
    executor::kill(gateway);
    executor::kill(functions);
    tasks.iter().for_each(|lease| cluster::kill(lease, "the region is gone"));
}

fn bring_back(side: Side) {
    if simulation::with(|sim| std::mem::take(&mut sim.region_mut(side).lost)) {
        tell(|| format!("{side:?} is back"));
        gateway::start(side);
    }
}
