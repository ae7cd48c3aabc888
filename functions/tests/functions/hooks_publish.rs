//! The publish and unpublish hooks: who may publish, and what is started for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use headwater_domain::hooks::{DenyKind, PublishAnswer, SessionOrder, TranscoderOrder};
use headwater_domain::live::State;
use headwater_domain::ports::{
    FaultKind, PortError, PortResult, ReadLive, StartTasks, TaskStart, WriteKeys, WriteStreams,
};
use headwater_domain::stream::{PublishPolicy, Rung};
use headwater_domain::testing::samples;
use headwater_domain::{KeyId, live::decide::StartTask};
use serde_json::json;

use crate::support::{Answer, Event, Shim, World, later, now, publish_answer, read_out};

#[track_caller]
fn denied(answer: PublishAnswer, kind: DenyKind) -> String {
    let PublishAnswer::Deny { kind: found, reason } = answer else { panic!("{answer:?}") };
    assert_eq!(found, kind, "{reason}");
    assert!(reason.len() > 10, "a sentence for people: {reason}");
    reason
}

#[tokio::test]
async fn a_good_key_opens_a_broadcast_and_starts_one_task() {
    let world = World::seeded().await;
    let answer = world.hook(&Event::sample("hooks-publish")).await.expect(200);
    let expected = json!({ "decision": "allow", "stream": "000000000001", "broadcast": samples::broadcast(), "order": 1 });
    assert_eq!(answer, expected);
    for _ in 0..3 {
        assert_eq!(world.hook(&Event::sample("hooks-publish")).await.expect(200), expected, "repeated");
    }
    let started = world.cluster.started();
    let lease = world.lease().await;
    assert_eq!(started, [StartTask { stream: samples::stream_id(), broadcast: samples::broadcast(), lease }]);
    assert_eq!(world.table.active(&world.region).await.unwrap(), [samples::stream_id()]);
    assert_eq!(world.state().await, Some(State::Starting));
}

#[tokio::test]
async fn every_refusal_has_its_kind_and_a_reason() {
    let world = World::with(|stream| stream.settings.publish_policy = PublishPolicy::Reject).await;
    let key = |session, text: &str| world.publish_event(session).edit(|body| body["key"] = json!(text));
    let good = "000000000001-00000002-00000000000000000000000003";
    for unknown in [
        "",
        "live",
        "000000000001",
        "000000000001-00000002-",
        "000000000001-00000002-00000000000000000000000004",
        "000000000001-00000003-00000000000000000000000003",
        "000000000002-00000002-00000000000000000000000003",
        &good.replace('-', "_"),
        &format!("/{good}"),
        &format!("{good}?x=1"),
        "é",
        &"-".repeat(9_000),
    ] {
        denied(publish_answer(&world.hook(&key(1, unknown)).await), DenyKind::UnknownKey);
    }
    let expiring = world.add_key(7, 7, Some(now() + std::time::Duration::from_secs(5))).await;
    later(5);
    denied(publish_answer(&world.hook(&key(1, &expiring)).await), DenyKind::ExpiredKey);
    let revoked = world.add_key(8, 8, None).await;
    world
        .table
        .revoke_key(&samples::stream_id(), &KeyId::from_random(8), &samples::region_b(), now())
        .await
        .unwrap();
    denied(publish_answer(&world.hook(&key(1, &revoked)).await), DenyKind::RevokedKey);
    assert!(world.cluster.started().is_empty());

    world.allowed(1).await;
    let reason = denied(world.publish(2).await, DenyKind::AlreadyPublishing);
    assert!(reason.contains("already"), "{reason}");
    world.ask(&Event::sample("api-delete-stream")).await.expect(204);
    denied(world.publish(3).await, DenyKind::StreamDeleted);
    assert_eq!(world.cluster.started().len(), 1);
}

#[tokio::test]
async fn the_newest_publisher_takes_over_and_keeps_the_transcoder() {
    let world = World::seeded().await;
    let first = world.allowed(1).await;
    world.beat_live(&first).await;
    let second = world.allowed(2).await;
    assert_eq!((&second.broadcast, second.order), (&first.broadcast, 2));
    assert_eq!(world.cluster.started().len(), 1, "the running transcoder goes on");
    let SessionOrder::Stop { reason, .. } = world.order(&first).await else { panic!("it goes on") };
    assert!(reason.contains("taken over"), "{reason}");
    assert_eq!(world.order(&second).await, SessionOrder::Continue);
    let TranscoderOrder::Transcode { source, .. } = world.beat_live(&second).await else {
        panic!("no source")
    };
    assert_eq!(source.session, second.session);

    // The dead connection's end is no news any more.
    world.unpublish(&first).await;
    assert_eq!(world.order(&second).await, SessionOrder::Continue);
    assert_eq!(world.state().await, Some(State::Live));
}

#[tokio::test]
async fn with_reject_only_a_lost_publisher_is_followed() {
    let world = World::with(|stream| stream.settings.publish_policy = PublishPolicy::Reject).await;
    let first = world.allowed(1).await;
    world.beat_live(&first).await;
    denied(world.publish(2).await, DenyKind::AlreadyPublishing);
    assert_eq!(world.order(&first).await, SessionOrder::Continue);
    world.unpublish(&first).await;
    let second = world.allowed(3).await;
    assert_eq!(second.broadcast, first.broadcast, "within the reconnect window");
}

#[tokio::test]
async fn a_publisher_returns_to_its_broadcast_within_the_window_and_not_after() {
    let world = World::seeded().await;
    let first = world.allowed(1).await;
    world.beat_live(&first).await;
    world.unpublish(&first).await;
    assert_eq!(world.state().await, Some(State::Reconnecting));
    later(10);
    let lease = world.lease().await;
    let stays = world.beat(&first, &lease, "boot", read_out(&first)).await;
    assert_eq!(stays, TranscoderOrder::Wait, "the transcoder stays");
    let second = world.allowed(2).await;
    assert_eq!(second.broadcast, first.broadcast);
    assert_eq!(world.cluster.started().len(), 1, "and goes on");
    world.unpublish(&second).await;
    later(60);
    assert_eq!(world.state().await, Some(State::Ended));
    let done = world.beat(&second, &lease, "boot", read_out(&second)).await;
    assert!(matches!(done, TranscoderOrder::Stop { .. }), "{done:?}");
    let third = world.allowed(3).await;
    assert_ne!(third.broadcast, first.broadcast);
    assert_eq!(world.cluster.started().len(), 2);
}

#[tokio::test]
async fn without_capacity_a_publish_is_denied_and_works_once_there_is() {
    let world = World::seeded().await;
    world.cluster.fail(Some("arn:aws:iam::123456789012:role/x is not authorized to perform ecs:RunTask"));
    let reason = denied(world.publish(1).await, DenyKind::NoCapacity);
    assert!(reason.contains("no transcoder") && !reason.contains("arn:"), "{reason}");
    denied(world.publish(2).await, DenyKind::NoCapacity);
    assert!(world.cluster.started().is_empty());

    world.cluster.fail(None);
    let session = world.allowed(3).await;
    assert_eq!(world.cluster.started().len(), 1);
    assert_eq!(world.cluster.started()[0].lease, world.lease().await);
    assert_eq!(world.order(&session).await, SessionOrder::Continue);
    assert!(matches!(world.beat_live(&session).await, TranscoderOrder::Transcode { .. }));
    assert_eq!(world.state().await, Some(State::Live));
}

#[tokio::test]
async fn a_throttled_start_is_made_up_for_by_the_sweep() {
    let world = World::seeded().await;
    world.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = world.allowed(1).await;
    assert_eq!(world.state().await, Some(State::Starting));
    // A gateway that did not hear the answer asks again, with the same outcome.
    let again = world.publish(1).await;
    assert!(matches!(again, PublishAnswer::Allow { .. }), "{again:?}");
    world.sweep().await;
    assert!(world.cluster.started().is_empty());
    assert_eq!(world.order(&session).await, SessionOrder::Continue);

    world.cluster.fail(None);
    world.sweep().await;
    assert_eq!(world.cluster.started().len(), 1);
    assert_eq!(world.cluster.started()[0].lease, world.lease().await);
    assert!(matches!(world.beat_live(&session).await, TranscoderOrder::Transcode { .. }));
    assert_eq!(world.state().await, Some(State::Live));
}

#[tokio::test]
async fn a_start_that_stays_throttled_waits_for_its_turn() {
    let world = World::seeded().await;
    world.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = world.allowed(1).await;
    // Ten thousand encoders that come back at once take ECS a quarter of an hour.
    for _ in 0..15 {
        assert_eq!(world.sweep().await.left, 1, "it is counted");
        later(12);
    }
    assert_eq!(world.state().await, Some(State::Starting));
    assert_eq!(world.order(&session).await, SessionOrder::Continue);
    world.cluster.fail(None);
    world.sweep().await;
    assert_eq!(world.cluster.started().len(), 1);
    // What ECS refuses for good is another matter, whatever was before.
    let world = World::seeded().await;
    world.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = world.allowed(1).await;
    world.sweep().await;
    world.cluster.fail(Some("RESOURCE:FARGATE"));
    let mut sweeps = 0;
    while world.state().await == Some(State::Starting) {
        world.sweep().await;
        sweeps += 1;
    }
    assert_eq!((world.state().await, sweeps), (Some(State::Failed), 5));
    let SessionOrder::Stop { reason, .. } = world.order(&session).await else { panic!("it goes on") };
    assert!(reason.ends_with("RESOURCE:FARGATE"), "{reason}");
}

#[tokio::test]
async fn a_request_repeated_after_its_refusal_is_not_allowed_into_nothing() {
    let world = World::seeded().await;
    world.cluster.fail(Some("RESOURCE:CPU"));
    denied(world.publish(1).await, DenyKind::NoCapacity);
    world.cluster.fail(None);
    let again = world.publish(1).await;
    // Either it is refused, or what it was allowed works.
    if let PublishAnswer::Allow { stream, broadcast, order } = again {
        let session = headwater_domain::SessionId::from_random(1);
        let session = headwater_domain::hooks::SessionRef { session, stream, broadcast, order };
        let order = world.beat_live(&session).await;
        panic!("allowed, and its transcoder is told {order:?}");
    }
}

/// A cluster out of reach, as after a network fault: an error rather than an answer.
struct Unreachable;

impl StartTasks for Unreachable {
    async fn start(&self, _: &StartTask) -> PortResult<TaskStart> {
        let source = "arn:aws:ecs:us-east-1:123456789012:cluster/headwater refused".into();
        Err(PortError { kind: FaultKind::Unavailable, action: "start a task", source })
    }
}

#[tokio::test]
async fn an_unreachable_cluster_is_a_refusal_without_its_details() {
    let world = World::seeded().await;
    let function = world.hooks(world.table.clone(), Unreachable);
    let answer = Answer::of(function.handle(world.publish_event(1).request()).await);
    let reason = denied(publish_answer(&answer), DenyKind::NoCapacity);
    assert!(!reason.contains("arn:"), "{reason}");
}

/// A cluster that hears nothing.
#[derive(Debug, Clone)]
struct Deaf;

impl StartTasks for Deaf {
    async fn start(&self, _: &StartTask) -> PortResult<TaskStart> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_task_that_was_granted_and_never_asked_for_is_started_by_the_repetition() {
    let world = World::seeded().await;
    // The invocation dies between the seat and RunTask.
    let shim =
        Shim::new(&world.table, |action, _| (action == "record_start").then_some(FaultKind::Unavailable));
    let function = world.hooks(shim, Deaf);
    let dies = function.handle(world.publish_event(1).request()).now_or_never();
    assert!(dies.is_none() && world.cluster.started().is_empty());
    world.allowed(1).await;
    assert_eq!(world.cluster.started().len(), 1);
    let history = world.ask(&Event::sample("api-list-broadcasts")).await.expect(200);
    assert_eq!(history["broadcasts"].as_array().unwrap().len(), 1, "and the history knows of it");
}

#[tokio::test]
async fn a_key_revoked_while_it_is_judged_does_not_open_the_stream() {
    let world = World::seeded().await;
    let racer = world.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&world.table, move |action, _| {
        if action == "put_seat" && !raced.swap(true, Ordering::Relaxed) {
            racer.ask(&Event::sample("api-revoke-key")).now_or_never().unwrap().expect(204);
        }
        None
    });
    let function = world.hooks(shim, world.cluster.clone());
    let answer = Answer::of(function.handle(world.publish_event(1).request()).await);
    denied(publish_answer(&answer), DenyKind::RevokedKey);
    assert_ne!(world.state().await, Some(State::Starting));
    let situation = world.table.situation(&samples::stream_id()).await.unwrap();
    assert!(situation.kick_of(&situation.session().unwrap().id).is_some(), "its session is closed");
}

#[tokio::test]
async fn a_stream_deleted_while_a_publish_is_judged_stays_off() {
    let world = World::seeded().await;
    let racer = world.clone();
    let raced = Arc::new(AtomicBool::new(false));
    let once = raced.clone();
    let shim = Shim::new(&world.table, move |action, _| {
        if action == "put_seat" && !once.swap(true, Ordering::Relaxed) {
            racer.ask(&Event::sample("api-delete-stream")).now_or_never().unwrap().expect(204);
        }
        None
    });
    let function = world.hooks(shim, world.cluster.clone());
    let answer = Answer::of(function.handle(world.publish_event(1).request()).await);
    assert!(raced.load(Ordering::Relaxed));
    denied(publish_answer(&answer), DenyKind::StreamDeleted);
    assert_eq!(world.state().await, Some(State::Ended));
}

#[tokio::test]
async fn a_publish_that_loses_a_race_sees_who_won() {
    let world = World::seeded().await;
    let racer = world.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&world.table, move |action, _| {
        if action == "put_seat" && !raced.swap(true, Ordering::Relaxed) {
            racer.allowed(2).now_or_never().unwrap();
        }
        None
    });
    let function = world.hooks(shim, world.cluster.clone());
    let answer = Answer::of(function.handle(world.publish_event(1).request()).await);
    let PublishAnswer::Allow { order, .. } = publish_answer(&answer) else { panic!("denied") };
    assert_eq!(order, 2, "it came second, so it holds");
    assert_eq!(world.cluster.started().len(), 1, "and the winner's task serves it");
}

#[tokio::test]
async fn a_stream_patched_to_no_window_ends_with_its_publisher() {
    let world = World::with(|stream| stream.settings.reconnect_window_seconds = 0).await;
    let session = world.allowed(1).await;
    world.unpublish(&session).await;
    assert_eq!(world.state().await, Some(State::Ended));
    let record = &world.ask(&Event::sample("api-list-broadcasts")).await.expect(200)["broadcasts"][0];
    assert_eq!(record["reason"], "the encoder closed the connection");
}

#[tokio::test]
async fn settings_hold_for_the_session_that_began_with_them() {
    let world = World::seeded().await;
    let session = world.allowed(1).await;
    let mut next = samples::stream().successor(&world.region, now());
    next.settings.ladder = Some(vec![Rung { height: 360, kbps: 800 }]);
    world.table.put_stream(&next).await.unwrap();
    let ladder_of = |order| match order {
        TranscoderOrder::Transcode { settings, .. } => settings.ladder.map(|ladder| ladder.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(ladder_of(world.beat_live(&session).await), None);
    let session = world.allowed(2).await;
    assert_eq!(ladder_of(world.beat_live(&session).await), Some(1));
}
