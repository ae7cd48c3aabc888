//! Calls of the real functions over a network that loses and delays: Lambda, HTTP API and hook client together.

use futures::channel::oneshot;
use futures::future::{Either, select};
use headwater_domain::hooks::Secret;
use headwater_domain::key::Pepper;
use headwater_domain::paths::HookPath;
use headwater_domain::ports::ReadParts;
use headwater_domain::tokens::SigningKey;
use headwater_functions::api::ApiFunction;
use headwater_functions::context::Context;
use headwater_functions::hooks::{HooksFunction, PublishGuard};
use headwater_functions::lifecycle::LifecycleFunction;
use headwater_functions::playlist::PlaylistFunction;
use http::Request;
use lambda_http::{Body, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster::Cluster;
use super::executor::{self, sleep};
use super::rng;
use super::simulation::{self, Side, clock_a, clock_b};
use super::table::Table;

/// How long the hook client waits for one API.
pub const ANSWER_WITHIN: u64 = 4_000;
/// After how long it asks the other one, too.
const HEDGE_AFTER: u64 = 2_000;
/// For how long it asks one last that was slow.
const AVOID_FOR: u64 = 5_000;

fn context(side: Side) -> Context {
    let clock = if side == Side::A { clock_a } else { clock_b };
    Context { region: side.region(), peer: Some(side.peer().region()), clock, random: rng::random }
}

pub fn pepper() -> Pepper {
    Pepper::new(Secret::new("a pepper for tests"))
}

pub fn signing() -> SigningKey {
    SigningKey::new(Secret::new("a signing key for tests"))
}

pub fn hooks(side: Side) -> HooksFunction<Table, Cluster> {
    HooksFunction {
        context: context(side),
        table: Table::of_control_plane(side),
        tasks: Cluster { from: side },
        pepper: pepper(),
        signing: signing(),
        peer: None,
        publish_guard: PublishGuard::default(),
        revision: None,
    }
}

/// The lifecycle function; `at_once` if its table answers without delay.
pub fn lifecycle(side: Side, at_once: bool) -> LifecycleFunction<Table, Cluster> {
    let table = if at_once { Table::at_once(side) } else { Table::of_control_plane(side) };
    LifecycleFunction {
        context: context(side),
        table,
        tasks: Cluster { from: side },
        metrics: None,
        sleep: |time| Box::pin(sleep(u64::try_from(time.as_millis()).expect("a minute at most"))),
    }
}

pub fn api(side: Side) -> ApiFunction<Table> {
    let (table, public_urls) = (Table::of_control_plane(side), Default::default());
    ApiFunction { context: context(side), table, pepper: pepper(), public_urls, kept_for: Default::default() }
}

/// No parts are read: players get whole segments from buckets.
#[derive(Debug, Clone)]
pub struct NoParts;

impl ReadParts for NoParts {
    async fn part(
        &self,
        _path: &headwater_domain::paths::PartPath,
    ) -> headwater_domain::ports::PortResult<Option<bytes::Bytes>> {
        Ok(None)
    }
}

/// The playlist function, which answers at once.
pub fn playlist(side: Side) -> PlaylistFunction<Table, NoParts> {
    let origin_secrets = Vec::new();
    PlaylistFunction {
        context: context(side),
        table: Table::at_once(side),
        parts: NoParts,
        origin_secrets,
        kept_for: Default::default(),
        renditions: Default::default(),
    }
}

/// Runs a function in `to`'s region for somebody in `from`'s, if the way is open there and back.
pub async fn run<T: 'static>(
    from: Side,
    to: Side,
    lossy: u64,
    work: impl Future<Output = T> + 'static,
) -> Option<T> {
    let is_open = move || {
        simulation::with(|sim| {
            let region = sim.region(to);
            !region.api_down && !region.lost && (from == to || !sim.is_cut())
        })
    };
    let (answer, answered) = oneshot::channel();
    if !is_open() || rng::chance(lossy) {
        // Refused at once, or silence.
        sleep(if rng::chance(50) { 5 } else { ANSWER_WITHIN }).await;
        return None;
    }
    let process = simulation::with(|sim| sim.region(to).functions);
    let way = move || rng::between(2, if from == to { 20 } else { 150 });
    executor::spawn(process, async move {
        sleep(way()).await;
        while simulation::with(|sim| sim.region(to).api_hangs) {
            sleep(250).await;
        }
        let done = work.await;
        sleep(way()).await;
        if is_open() && !rng::chance(lossy) {
            let _ = answer.send(done);
        }
    });
    match select(answered, sleep(ANSWER_WITHIN)).await {
        Either::Left((Ok(done), _)) => Some(done),
        // A function that dies is an error at once.
        Either::Left((Err(_), _)) | Either::Right(_) => None,
    }
}

async fn ask_one<A: DeserializeOwned>(from: Side, to: Side, hook: HookPath, question: String) -> Option<A> {
    let request = Request::post(hook.as_str()).body(Body::Text(question)).unwrap();
    let lossy = simulation::with(|sim| sim.lossy);
    let answer = run(from, to, lossy, async move { hooks(to).handle(request).await }).await;
    let answer = answer.filter(|answer| answer.status() == 200)?;
    Some(serde_json::from_str(&text(answer)).unwrap())
}

/// Asks the own region's hooks, and the peer's as soon as that fails or is slow, as the hook client does
/// (`headwater_aws::hooks::hedge`); the first answer that settles the question wins.
pub async fn ask<A: DeserializeOwned>(
    from: Side,
    hook: HookPath,
    question: &impl Serialize,
    settles: impl Fn(&A) -> bool,
) -> Option<A> {
    let question = serde_json::to_string(question).unwrap();
    let avoids = simulation::with(|sim| sim.region(from).avoids_own_api_until > executor::now());
    let (first, second) = if avoids { (from.peer(), from) } else { (from, from.peer()) };
    let give_up = executor::now() + ANSWER_WITHIN;
    let asked = Box::pin(ask_one::<A>(from, first, hook, question.clone()));
    let asked = match select(asked, sleep(HEDGE_AFTER)).await {
        Either::Left((Some(answer), _)) => return Some(answer),
        Either::Left((None, _)) => None,
        Either::Right(((), asked)) => {
            if first == from {
                let until = executor::now() + AVOID_FOR;
                simulation::with(|sim| sim.region_mut(from).avoids_own_api_until = until);
            }
            Some(asked)
        }
    };
    let left = sleep(give_up.saturating_sub(executor::now()));
    let other = Box::pin(ask_one::<A>(from, second, hook, question));
    let Some(asked) = asked else {
        return match select(other, left).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => None,
        };
    };
    match select(asked, other).await {
        Either::Left((Some(answer), _)) => Some(answer),
        Either::Left((None, other)) => other.await,
        Either::Right((Some(answer), _)) if settles(&answer) => Some(answer),
        Either::Right((held, asked)) => match asked.await {
            Some(answer) => Some(answer),
            None => held,
        },
    }
}

/// The same for questions that any answer settles.
pub async fn ask_once<A: DeserializeOwned>(
    from: Side,
    hook: HookPath,
    question: &impl Serialize,
) -> Option<A> {
    ask(from, hook, question, |_| true).await
}

/// EventBridge brings an event to its region's lifecycle function; whether that was done.
pub async fn bring(side: Side, event: Value) -> bool {
    let run = run(side, side, 0, async move { lifecycle(side, false).handle(event).await.is_ok() });
    run.await == Some(true)
}

/// The owner asks a region's API.
pub async fn manage(side: Side, method: &'static str, path: String, body: Value) -> Option<u16> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.body(Body::Text(body.to_string())).unwrap();
    run(side, side, 0, async move { api(side).handle(request).await.status().as_u16() }).await
}

pub fn text(answer: Response<Body>) -> String {
    match answer.into_body() {
        Body::Text(text) => text,
        Body::Binary(bytes) => String::from_utf8(bytes).unwrap(),
        _ => String::new(),
    }
}
