//! Rights that end in the other region while it cannot see the session: what it wrote arrives by replication, later, and
//! the session's own region obeys with the next heartbeat. Each region has a table of its own here; an item is "replicated"
//! by being written into the other one, as the region that wrote it.

use std::sync::{Arc, Mutex};

use headwater_domain::hooks::{DenyKind, PublishAnswer, SessionOrder, SessionRef};
use headwater_domain::live::{Seat, State};
use headwater_domain::ports::{ReadLive, ReadStreams, Write, WriteKeys, WriteLive, WriteStreams};
use headwater_domain::testing::samples;
use headwater_domain::{KeyId, Timestamp};
use serde_json::json;

use crate::support::{Answer, Event, Shim, World, later, now};

fn stopped(order: SessionOrder) -> String {
    match order {
        SessionOrder::Stop { reason, .. } => reason,
        SessionOrder::Continue => panic!("it goes on"),
    }
}

/// A revocation of the sample's key that the other region wrote arrives.
async fn revoked_elsewhere(world: &World) {
    let (stream, key) = (samples::stream_id(), KeyId::from_random(2));
    world.table.revoke_key(&stream, &key, &samples::region_b(), now()).await.unwrap();
}

/// What the other region made of the stream's document arrives.
async fn deleted_elsewhere(world: &World) {
    let there = world.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    let mut next = there.successor(&samples::region_b(), now());
    next.deleted_at = Some(now());
    assert_eq!(world.table.put_stream(&next).await.unwrap(), Write::Stored);
}

/// The owner stops the stream in the other region, which knows of no broadcast; then its seat arrives.
async fn stopped_elsewhere(world: &World) {
    let mut elsewhere = world.other_region();
    elsewhere.table = Default::default();
    elsewhere.table.put_stream(&samples::stream()).await.unwrap();
    elsewhere.ask(&Event::sample("api-stop-stream")).await.problem(409, "not-live");
    let written = elsewhere.table.situation(&samples::stream_id()).await.unwrap();
    let there = world.table.situation(&samples::stream_id()).await.unwrap();
    let version = there.seats.iter().find(|seat| seat.region == samples::region_b()).map_or(0, |s| s.version);
    let seat = Seat { version: version + 1, ..written.seats[0].clone() };
    assert_eq!(world.table.put_seat(&seat).await.unwrap(), Write::Stored);
}

/// A second of broadcast, so that it has not begun in the moment that orders are given in.
async fn on_air(world: &World) -> SessionRef {
    let session = world.allowed(1).await;
    later(1);
    world.beat_live(&session).await;
    assert_eq!(world.order(&session).await, SessionOrder::Continue);
    session
}

#[tokio::test]
async fn a_key_revoked_where_nobody_saw_the_session_ends_it_and_with_the_last_key_the_broadcast() {
    for (has_another, state) in [(false, State::Ended), (true, State::Reconnecting)] {
        let world = World::seeded().await;
        if has_another {
            world.add_key(7, 7, None).await;
        }
        let session = on_air(&world).await;
        revoked_elsewhere(&world).await;
        assert_eq!(stopped(world.order(&session).await), "the stream key was revoked");
        assert_eq!(world.state().await, Some(state));
        assert_eq!(stopped(world.order(&session).await), "the stream key was revoked", "and again");
        let PublishAnswer::Deny { kind, .. } = world.publish(2).await else { panic!("allowed") };
        assert_eq!(kind, DenyKind::RevokedKey);
    }
}

#[tokio::test]
async fn a_stream_deleted_where_nobody_saw_the_session_ends_at_once() {
    let world = World::seeded().await;
    world.add_key(7, 7, None).await;
    let session = on_air(&world).await;
    deleted_elsewhere(&world).await;
    assert_eq!(stopped(world.order(&session).await), "the stream was deleted");
    assert_eq!(world.state().await, Some(State::Ended));
    let end = world.table.situation(&samples::stream_id()).await.unwrap().end().cloned().unwrap();
    assert_eq!((end.reason.as_str(), end.failed), ("the stream was deleted", false));
}

#[tokio::test]
async fn a_stop_that_met_no_broadcast_ends_what_had_been_accepted_elsewhere_and_nothing_later() {
    let world = World::seeded().await;
    let session = on_air(&world).await;
    later(1);
    stopped_elsewhere(&world).await;
    assert_eq!(stopped(world.order(&session).await), "the stream was stopped by its owner");
    assert_eq!(world.state().await, Some(State::Ended));

    later(1);
    let next = world.allowed(2).await;
    assert_ne!(next.broadcast, session.broadcast);
    assert_eq!(world.order(&next).await, SessionOrder::Continue, "it was accepted after the order");
}

#[tokio::test]
async fn who_is_accepted_in_spite_of_an_order_stays_whatever_the_clocks_say() {
    let world = World::seeded().await;
    let session = on_air(&world).await;
    later(5);
    stopped_elsewhere(&world).await;
    stopped(world.order(&session).await);
    // This region's clock is three seconds behind that of the one that took the order.
    crate::support::at_ms(Timestamp(now().0 - 3_000));
    let next = world.allowed(2).await;
    assert_eq!(world.order(&next).await, SessionOrder::Continue);
}

#[tokio::test]
async fn an_expired_key_ends_the_broadcast_if_no_other_is_left() {
    for (has_another, state) in [(false, State::Ended), (true, State::Reconnecting)] {
        let world = World::seeded().await;
        let made = Event::sample("api-create-key").body(&json!({ "expires_at": "2023-11-14T22:14:00Z" }));
        let key = world.ask(&made).await.expect(201)["value"].clone();
        if !has_another {
            revoked_elsewhere(&world).await;
        }
        let publish = world.publish_event(1).edit(|body| body["key"] = key);
        let answer = crate::support::publish_answer(&world.hook(&publish).await);
        let PublishAnswer::Allow { stream, broadcast, order } = answer else { panic!("{answer:?}") };
        let session = headwater_domain::SessionId::from_random(1);
        let session = SessionRef { session, stream, broadcast, order };
        world.beat_live(&session).await;
        later(39);
        assert_eq!(world.order(&session).await, SessionOrder::Continue);
        later(1);
        assert_eq!(stopped(world.order(&session).await), "the stream key has expired");
        assert_eq!(world.state().await, Some(state));
    }
}

#[tokio::test]
async fn settings_of_the_other_region_hold_from_the_next_session_on() {
    let world = World::seeded().await;
    let session = on_air(&world).await;
    let there = world.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    let mut next = there.successor(&samples::region_b(), now());
    (next.settings.reconnect_window_seconds, next.settings.dvr_window_seconds) = (7, 1_000);
    world.table.put_stream(&next).await.unwrap();
    assert_eq!(world.order(&session).await, SessionOrder::Continue);
    let settings = async || {
        let situation = world.table.situation(&samples::stream_id()).await.unwrap();
        let settings = &situation.session().unwrap().settings;
        (settings.reconnect_window_seconds, settings.dvr_window_seconds)
    };
    let (window, dvr) = (there.settings.reconnect_window_seconds, there.settings.dvr_window_seconds);
    assert_eq!(settings().await, (window, dvr));
    world.allowed(2).await;
    assert_eq!(settings().await, (7, dvr), "what shapes playlists holds for the broadcast");
}

/// Figures of docs/adr/0026: three reads a heartbeat, however many keys there are, and no write.
#[tokio::test]
async fn asking_costs_three_reads_and_no_write() {
    let world = World::seeded().await;
    for number in 10..40 {
        world.add_key(number, number, None).await;
    }
    let session = on_air(&world).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let table = Shim::new(&world.table, move |action, _| {
        seen.lock().unwrap().push(action);
        None
    });
    let body = json!({ "from": "gateway", "gateway": world.gateway(), "sessions": [session] });
    let event = Event::sample("hooks-heartbeat-gateway").body(&body);
    Answer::of(world.hooks(table, world.cluster.clone()).handle(event.request()).await).expect(200);
    let mut calls = calls.lock().unwrap().clone();
    calls.sort_unstable();
    assert_eq!(calls, ["key", "situation", "stream"]);
}
