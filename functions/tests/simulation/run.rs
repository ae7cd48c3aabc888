//! Runs scripts, and makes those that fail short.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use headwater_domain::KeyId;
use headwater_domain::key::{KeyRecord, StreamKey};
use headwater_domain::ports::{WriteKeys, WriteStreams};
use headwater_domain::testing::samples;

use crate::script::{self, Script};
use crate::simulation::{self, SIDES, Side, Simulation};
use crate::table::Table;
use crate::{calls, check, encoder, executor, gateway, rng, viewer};

/// After the last event what it broke may be whole again for so long before everything is made whole.
const LINGER: u64 = 15_000;
/// Lines of a failing run that are shown.
const LAST_LINES: usize = 400;

fn key(number: u128) -> StreamKey {
    StreamKey::from_random(samples::stream_id(), key_id(number), number)
}

/// The stream's two keys.
pub fn key_id(number: u128) -> KeyId {
    KeyId::from_random(number + 1)
}

pub fn key_text(number: u128) -> String {
    key(number).reveal().expose().to_owned()
}

/// What went wrong, and what was told until then.
pub struct Failure {
    what: String,
    trace: Vec<String>,
}

/// Runs one script in a world of its own.
fn play(seed: u64, script: &Script, tells: bool) -> Option<Failure> {
    executor::reset();
    check::reset();
    rng::seed(seed);
    set_up(script, tells);
    for (at, event) in &script.events {
        executor::run(*at, check::step);
        script::act(*event);
    }
    executor::run(executor::now() + LINGER, check::step);
    script::calm();
    check::orders::are_obeyed();
    check::ghosts::are_gone();
    if !check::orders::may_be_deleted()
        && SIDES.into_iter().any(|side| encoder::with(side, |encoder| encoder.publishes))
    {
        check::settled::becomes_live();
        check::settled::goes_on();
    }
    SIDES.into_iter().for_each(|side| encoder::with(side, |encoder| encoder.publishes = false));
    check::settled::comes_to_its_end();
    if simulation::with(|sim| sim.violations.is_empty()) {
        check::settled::agrees();
    }
    simulation::with(|sim| {
        let what = sim.violations.pop()?;
        Some(Failure { what, trace: sim.trace.take().unwrap_or_default() })
    })
}

fn set_up(script: &Script, tells: bool) {
    let setting = &script.setting;
    let (lag, start_delay) = (setting.lag, setting.start_delay);
    simulation::reset(Simulation {
        lag,
        longest_lag: lag.1,
        start_delay,
        trace: tells.then(Vec::new),
        ..Simulation::default()
    });
    simulation::with(|sim| {
        sim.region_mut(Side::B).skew = setting.skew;
        SIDES.into_iter().for_each(|side| sim.region_mut(side).functions = executor::process());
    });
    let table = Table::at_once(Side::A);
    let mut document = samples::stream();
    document.settings.latency = setting.latency;
    document.settings.publish_policy = setting.policy;
    document.settings.mirror = setting.mirror;
    document.settings.reconnect_window_seconds = setting.window_seconds;
    document.settings.dvr_window_seconds = 12;
    table.put_stream(&document).now_or_never().unwrap().unwrap();
    for number in 0..2 {
        let key = key(number);
        let (id, hash, created_at) = (key.id().clone(), key.hash(&calls::pepper()), document.created_at);
        let (stream, label, expires_at) = (document.id.clone(), None, None);
        let record = KeyRecord { id, stream, hash, label, created_at, expires_at };
        table.add_key(&record).now_or_never().unwrap().unwrap();
    }
    for side in SIDES {
        gateway::start(side);
        encoder::start(side);
        script::sweep_every_minute(side);
    }
    viewer::start();
    check::state::watch();
}

/// What is told while a script is played; panics if what must always hold does not.
pub fn told(seed: u64, script: &Script) -> Vec<String> {
    if play(seed, script, true).is_some() {
        panic!("{}", story(seed, script.clone()));
    }
    simulation::with(|sim| sim.trace.take().unwrap_or_default())
}

/// Runs one seed; panics with its story if it fails.
pub fn check_seed(seed: u64) {
    let script = script::draw(seed);
    if play(seed, &script, false).is_some() {
        panic!("{}", story(seed, script));
    }
}

/// Runs many, side by side.
pub fn check_seeds(count: u64) {
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    if let Some(failure) = play(seed, &script::draw(seed), false) {
                        failed.lock().unwrap().push((seed, failure.what));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let Some((first, _)) = failed.first().cloned() else { return };
    let list: String = failed.iter().map(|(seed, what)| format!("HEADWATER_SEED={seed}: {what}\n")).collect();
    panic!("{} of {count} seeds fail:\n{list}\n{}", failed.len(), story(first, script::draw(first)));
}

/// A failing script without what is not needed for it, and how it goes.
fn story(seed: u64, mut script: Script) -> String {
    let mut at = script.events.len();
    while at > 0 {
        at -= 1;
        let mut shorter = script.clone();
        shorter.events.remove(at);
        if play(seed, &shorter, false).is_some() {
            script = shorter;
        }
    }
    let Some(failure) = play(seed, &script, true) else { return "it does not fail twice".into() };
    let from = failure.trace.len().saturating_sub(LAST_LINES);
    format!("seed {seed}, made shorter:\n{script}\n{}\n{}", failure.trace[from..].join("\n"), failure.what)
}
