//! Calls of the real functions over a network that loses and delays: Lambda, HTTP API and hook client together.

use futures::channel::oneshot;
use futures::future::{Either, select};
use headwater_domain::hooks::Secret;
use headwater_domain::key::Pepper;
use headwater_domain::ports::ReadParts;
use headwater_domain::tokens::SigningKey;
use headwater_functions::api::ApiFunction;
use headwater_functions::context::Context;
use headwater_functions::hooks::{Door, HooksFunction};
use headwater_functions::lifecycle::LifecycleFunction;
use headwater_functions::playlist::PlaylistFunction;
use http::Request;
use lambda_http::{Body, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster::Cluster;
use super::dice;
use super::executor::{self, sleep};
use super::table::Table;
use super::world::{self, Side, clock_a, clock_b};

/// How long the hook client waits for one API.
pub const ANSWER_WITHIN: u64 = 4_000;

fn context(side: Side) -> Context {
    let clock = if side == Side::A { clock_a } else { clock_b };
    Context { region: side.region(), peer: Some(side.peer().region()), clock, random: dice::random }
}

pub fn pepper() -> Pepper {
    Pepper::new(Secret::new("a pepper for tests"))
}

pub fn hooks(side: Side) -> HooksFunction<Table, Cluster> {
    HooksFunction {
        context: context(side),
        table: Table::of_control_plane(side),
        tasks: Cluster { from: side },
        pepper: pepper(),
        signing: SigningKey::new(Secret::new("a signing key for tests")),
        door: Door::default(),
        revision: None,
    }
}

/// The lifecycle function; `at_once` if its table answers without delay.
pub fn lifecycle(side: Side, at_once: bool) -> LifecycleFunction<Table, Cluster> {
    let table = if at_once { Table::at_once(side) } else { Table::of_control_plane(side) };
    LifecycleFunction { context: context(side), table, tasks: Cluster { from: side }, metrics: None }
}

pub fn api(side: Side) -> ApiFunction<Table> {
    let (table, places) = (Table::of_control_plane(side), Default::default());
    ApiFunction { context: context(side), table, pepper: pepper(), places }
}

/// No parts are read: players get whole segments from buckets.
#[derive(Debug, Clone)]
pub struct NoParts;

impl ReadParts for NoParts {
    async fn part(
        &self,
        _path: &headwater_domain::part::PartPath,
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
        world::with(|world| {
            let region = world.region(to);
            !region.api_down && !region.lost && (from == to || !world.is_cut())
        })
    };
    let (answer, answered) = oneshot::channel();
    if !is_open() || dice::chance(lossy) {
        // Refused at once, or silence.
        sleep(if dice::chance(50) { 5 } else { ANSWER_WITHIN }).await;
        return None;
    }
    let process = world::with(|world| world.region(to).functions);
    let way = move || dice::between(2, if from == to { 20 } else { 150 });
    executor::spawn(process, async move {
        sleep(way()).await;
        let done = work.await;
        sleep(way()).await;
        if is_open() && !dice::chance(lossy) {
            let _ = answer.send(done);
        }
    });
    match select(answered, sleep(ANSWER_WITHIN)).await {
        Either::Left((Ok(done), _)) => Some(done),
        // A function that dies is an error at once.
        Either::Left((Err(_), _)) | Either::Right(_) => None,
    }
}

/// Asks the own region's hooks, then the peer's, as the hook client does.
pub async fn ask<A: DeserializeOwned>(
    from: Side,
    path: &'static str,
    question: &impl Serialize,
) -> Option<A> {
    let question = serde_json::to_string(question).unwrap();
    for to in [from, from.peer()] {
        let request = Request::post(path).body(Body::Text(question.clone())).unwrap();
        let lossy = world::with(|world| world.lossy);
        let answer = run(from, to, lossy, async move { hooks(to).handle(request).await }).await;
        if let Some(answer) = answer.filter(|answer| answer.status() == 200) {
            return Some(serde_json::from_str(&text(answer)).unwrap());
        }
    }
    None
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
