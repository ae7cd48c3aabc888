//! Rights that end in the other region while it cannot see the session: what it wrote arrives by replication, later, and
//! the session's own region obeys with the next heartbeat. Each region has a table of its own here; an item is "replicated"
//! by being written into the other one, as the region that wrote it.

use std::sync::{Arc, Mutex};

use headwater_domain::control::{ControlRecord, State};
use headwater_domain::hooks::{DenyKind, PublishAnswer, SessionOrder, SessionRef};
use headwater_domain::ports::{ReadControl, ReadStreams, Write, WriteControl, WriteKeys, WriteStreams};
use headwater_domain::testing::samples;
use headwater_domain::{KeyId, Timestamp};
use serde_json::json;

use crate::support::{Answer, Event, Harness, Shim, later, now};

fn stopped(order: SessionOrder) -> String {
    match order {
        SessionOrder::Stop { reason, .. } => reason,
        SessionOrder::Continue => panic!("it goes on"),
    }
}

/// A revocation of the sample's key that the other region wrote arrives.
async fn revoked_elsewhere(harness: &Harness) {
    let (stream, key) = (samples::stream_id(), KeyId::from_random(2));
    harness.table.revoke_key(&stream, &key, &samples::region_b(), now()).await.unwrap();
}

/// What the other region made of the stream's document arrives.
async fn deleted_elsewhere(harness: &Harness) {
    let there = harness.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    let mut next = there.successor(&samples::region_b(), now());
    next.deleted_at = Some(now());
    assert_eq!(harness.table.put_stream(&next).await.unwrap(), Write::Stored);
}

/// The owner stops the stream in the other region, which knows of no broadcast; then its control record arrives.
async fn stopped_elsewhere(harness: &Harness) {
    let mut elsewhere = harness.other_region();
    elsewhere.table = Default::default();
    elsewhere.table.put_stream(&samples::stream()).await.unwrap();
    elsewhere.ask(&Event::sample("api-stop-stream")).await.problem(409, "not-live");
    let written = elsewhere.table.replicated_state(&samples::stream_id()).await.unwrap();
    let there = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    let version =
        there.records.iter().find(|record| record.region == samples::region_b()).map_or(0, |s| s.version);
    let record = ControlRecord { version: version + 1, ..written.records[0].clone() };
    assert_eq!(harness.table.put_control_record(&record).await.unwrap(), Write::Stored);
}

/// A second of broadcast, so that it has not begun in the moment that orders are given in.
async fn on_air(harness: &Harness) -> SessionRef {
    let session = harness.allowed(1).await;
    later(1);
    harness.heartbeat_live(&session).await;
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
    session
}

#[tokio::test]
async fn a_key_revoked_where_nobody_saw_the_session_ends_it_and_with_the_last_key_the_broadcast() {
    for (has_another, state) in [(false, State::Ended), (true, State::Reconnecting)] {
        let harness = Harness::seeded().await;
        if has_another {
            harness.add_key(7, 7, None).await;
        }
        let session = on_air(&harness).await;
        revoked_elsewhere(&harness).await;
        assert_eq!(stopped(harness.order(&session).await), "the stream key was revoked");
        assert_eq!(harness.state().await, Some(state));
        assert_eq!(stopped(harness.order(&session).await), "the stream key was revoked", "and again");
        let PublishAnswer::Deny { kind, .. } = harness.publish(2).await else { panic!("allowed") };
        assert_eq!(kind, DenyKind::RevokedKey);
    }
}

#[tokio::test]
async fn a_stream_deleted_where_nobody_saw_the_session_ends_at_once() {
    let harness = Harness::seeded().await;
    harness.add_key(7, 7, None).await;
    let session = on_air(&harness).await;
    deleted_elsewhere(&harness).await;
    assert_eq!(stopped(harness.order(&session).await), "the stream was deleted");
    assert_eq!(harness.state().await, Some(State::Ended));
    let end = harness.table.replicated_state(&samples::stream_id()).await.unwrap().end().cloned().unwrap();
    assert_eq!((end.reason.as_str(), end.failed), ("the stream was deleted", false));
}

#[tokio::test]
async fn a_stop_that_met_no_broadcast_ends_what_had_been_accepted_elsewhere_and_nothing_later() {
    let harness = Harness::seeded().await;
    let session = on_air(&harness).await;
    later(1);
    stopped_elsewhere(&harness).await;
    assert_eq!(stopped(harness.order(&session).await), "the stream was stopped by its owner");
    assert_eq!(harness.state().await, Some(State::Ended));

    later(1);
    let next = harness.allowed(2).await;
    assert_ne!(next.broadcast, session.broadcast);
    assert_eq!(harness.order(&next).await, SessionOrder::Continue, "it was accepted after the order");
}

#[tokio::test]
async fn who_is_accepted_in_spite_of_an_order_stays_whatever_the_clocks_say() {
    let harness = Harness::seeded().await;
    let session = on_air(&harness).await;
    later(5);
    stopped_elsewhere(&harness).await;
    stopped(harness.order(&session).await);
    // This region's clock is three seconds behind that of the one that took the order.
    crate::support::at_ms(Timestamp(now().0 - 3_000));
    let next = harness.allowed(2).await;
    assert_eq!(harness.order(&next).await, SessionOrder::Continue);
}

#[tokio::test]
async fn an_expired_key_ends_the_broadcast_if_no_other_is_left() {
    for (has_another, state) in [(false, State::Ended), (true, State::Reconnecting)] {
        let harness = Harness::seeded().await;
        let made = Event::sample("api-create-key").body(&json!({ "expires_at": "2023-11-14T22:14:00Z" }));
        let key = harness.ask(&made).await.expect(201)["value"].clone();
        if !has_another {
            revoked_elsewhere(&harness).await;
        }
        let publish = harness.publish_event(1).edit(|body| body["key"] = key);
        let answer = crate::support::publish_answer(&harness.hook(&publish).await);
        let PublishAnswer::Allow { stream, broadcast, order } = answer else { panic!("{answer:?}") };
        let session = headwater_domain::SessionId::from_random(1);
        let session = SessionRef { session, stream, broadcast, order };
        harness.heartbeat_live(&session).await;
        later(39);
        assert_eq!(harness.order(&session).await, SessionOrder::Continue);
        later(1);
        assert_eq!(stopped(harness.order(&session).await), "the stream key has expired");
        assert_eq!(harness.state().await, Some(state));
    }
}

#[tokio::test]
async fn settings_of_the_other_region_hold_from_the_next_session_on() {
    let harness = Harness::seeded().await;
    let session = on_air(&harness).await;
    let there = harness.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    let mut next = there.successor(&samples::region_b(), now());
    (next.settings.reconnect_window_seconds, next.settings.dvr_window_seconds) = (7, 1_000);
    harness.table.put_stream(&next).await.unwrap();
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
    let settings = async || {
        let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
        let settings = &replicated.session().unwrap().settings;
        (settings.reconnect_window_seconds, settings.dvr_window_seconds)
    };
    let (window, dvr) = (there.settings.reconnect_window_seconds, there.settings.dvr_window_seconds);
    assert_eq!(settings().await, (window, dvr));
    harness.allowed(2).await;
    assert_eq!(settings().await, (7, dvr), "what shapes playlists holds for the broadcast");
}

/// Figures of docs/adr/0026: three reads a heartbeat, however many keys there are, and no write.
#[tokio::test]
async fn a_gateway_heartbeat_costs_three_reads_and_no_write() {
    let harness = Harness::seeded().await;
    for number in 10..40 {
        harness.add_key(number, number, None).await;
    }
    let session = on_air(&harness).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let table = Shim::new(&harness.table, move |action, _| {
        seen.lock().unwrap().push(action);
        None
    });
    let body = json!({ "from": "gateway", "gateway": harness.gateway(), "sessions": [session] });
    let event = Event::sample("hooks-heartbeat-gateway").body(&body);
    Answer::of(harness.hooks(table, harness.cluster.clone()).handle(event.request()).await).expect(200);
    let mut calls = calls.lock().unwrap().clone();
    calls.sort_unstable();
    assert_eq!(calls, ["key", "replicated_state", "stream"]);
}
