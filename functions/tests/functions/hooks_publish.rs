//! The publish and unpublish hooks: who may publish, and what is started for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use headwater_domain::control::State;
use headwater_domain::hooks::{DenyKind, PublishAnswer, SessionOrder, TranscoderOrder};
use headwater_domain::ports::{
    FaultKind, PortError, PortResult, ReadControl, StartTasks, TaskStart, WriteKeys, WriteStreams,
};
use headwater_domain::stream::{PublishPolicy, Rung};
use headwater_domain::testing::samples;
use headwater_domain::{KeyId, control::decide::StartTask};
use serde_json::json;

use crate::support::{Answer, Event, Harness, Shim, later, now, publish_answer, read_out};

#[track_caller]
fn denied(answer: PublishAnswer, kind: DenyKind) -> String {
    let PublishAnswer::Deny { kind: found, reason } = answer else { panic!("{answer:?}") };
    assert_eq!(found, kind, "{reason}");
    assert!(reason.len() > 10, "a sentence for people: {reason}");
    reason
}

#[tokio::test]
async fn a_good_key_opens_a_broadcast_and_starts_one_task() {
    let harness = Harness::seeded().await;
    let answer = harness.hook(&Event::sample("hooks-publish")).await.expect(200);
    let expected = json!({ "decision": "allow", "stream": "000000000001", "broadcast": samples::broadcast(), "order": 1 });
    assert_eq!(answer, expected);
    for _ in 0..3 {
        assert_eq!(harness.hook(&Event::sample("hooks-publish")).await.expect(200), expected, "repeated");
    }
    let started = harness.cluster.started();
    let lease = harness.lease().await;
    let (stream, broadcast) = (samples::stream_id(), samples::broadcast());
    assert_eq!(started, [StartTask { stream, broadcast, lease, standby: false }]);
    assert_eq!(harness.table.active(&harness.region).await.unwrap(), [samples::stream_id()]);
    assert_eq!(harness.state().await, Some(State::Starting));
}

#[tokio::test]
async fn every_refusal_has_its_kind_and_a_reason() {
    let harness = Harness::with(|stream| stream.settings.publish_policy = PublishPolicy::Reject).await;
    let key = |session, text: &str| harness.publish_event(session).edit(|body| body["key"] = json!(text));
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
        denied(publish_answer(&harness.hook(&key(1, unknown)).await), DenyKind::UnknownKey);
    }
    let expiring = harness.add_key(7, 7, Some(now() + std::time::Duration::from_secs(5))).await;
    later(5);
    denied(publish_answer(&harness.hook(&key(1, &expiring)).await), DenyKind::ExpiredKey);
    let revoked = harness.add_key(8, 8, None).await;
    harness
        .table
        .revoke_key(&samples::stream_id(), &KeyId::from_random(8), &samples::region_b(), now())
        .await
        .unwrap();
    denied(publish_answer(&harness.hook(&key(1, &revoked)).await), DenyKind::RevokedKey);
    assert!(harness.cluster.started().is_empty());

    harness.allowed(1).await;
    let reason = denied(harness.publish(2).await, DenyKind::AlreadyPublishing);
    assert!(reason.contains("already"), "{reason}");
    harness.ask(&Event::sample("api-delete-stream")).await.expect(204);
    denied(harness.publish(3).await, DenyKind::StreamDeleted);
    assert_eq!(harness.cluster.started().len(), 1);
}

#[tokio::test]
async fn the_newest_publisher_takes_over_and_keeps_the_transcoder() {
    let harness = Harness::seeded().await;
    let first = harness.allowed(1).await;
    harness.heartbeat_live(&first).await;
    let second = harness.allowed(2).await;
    assert_eq!((&second.broadcast, second.order), (&first.broadcast, 2));
    assert_eq!(harness.cluster.started().len(), 1, "the running transcoder goes on");
    let SessionOrder::Stop { reason, .. } = harness.order(&first).await else { panic!("it goes on") };
    assert!(reason.contains("taken over"), "{reason}");
    assert_eq!(harness.order(&second).await, SessionOrder::Continue);
    let TranscoderOrder::Transcode { source, .. } = harness.heartbeat_live(&second).await else {
        panic!("no source")
    };
    assert_eq!(source.session, second.session);

    // The dead connection's end is no news any more.
    harness.unpublish(&first).await;
    assert_eq!(harness.order(&second).await, SessionOrder::Continue);
    assert_eq!(harness.state().await, Some(State::Live));
}

#[tokio::test]
async fn with_reject_only_a_lost_publisher_is_followed() {
    let harness = Harness::with(|stream| stream.settings.publish_policy = PublishPolicy::Reject).await;
    let first = harness.allowed(1).await;
    harness.heartbeat_live(&first).await;
    denied(harness.publish(2).await, DenyKind::AlreadyPublishing);
    assert_eq!(harness.order(&first).await, SessionOrder::Continue);
    harness.unpublish(&first).await;
    let second = harness.allowed(3).await;
    assert_eq!(second.broadcast, first.broadcast, "within the reconnect window");
}

#[tokio::test]
async fn a_publisher_returns_to_its_broadcast_within_the_window_and_not_after() {
    let harness = Harness::seeded().await;
    let first = harness.allowed(1).await;
    harness.heartbeat_live(&first).await;
    harness.unpublish(&first).await;
    assert_eq!(harness.state().await, Some(State::Reconnecting));
    later(10);
    let lease = harness.lease().await;
    let stays = harness.heartbeat(&first, &lease, "process", read_out(&first)).await;
    assert_eq!(stays, TranscoderOrder::Wait, "the transcoder stays");
    let second = harness.allowed(2).await;
    assert_eq!(second.broadcast, first.broadcast);
    assert_eq!(harness.cluster.started().len(), 1, "and goes on");
    harness.unpublish(&second).await;
    later(60);
    assert_eq!(harness.state().await, Some(State::Ended));
    let done = harness.heartbeat(&second, &lease, "process", read_out(&second)).await;
    assert!(matches!(done, TranscoderOrder::Stop { .. }), "{done:?}");
    let third = harness.allowed(3).await;
    assert_ne!(third.broadcast, first.broadcast);
    assert_eq!(harness.cluster.started().len(), 2);
}

#[tokio::test]
async fn without_capacity_a_publish_is_denied_and_works_once_there_is() {
    let harness = Harness::seeded().await;
    harness.cluster.fail(Some("arn:aws:iam::123456789012:role/x is not authorized to perform ecs:RunTask"));
    let reason = denied(harness.publish(1).await, DenyKind::NoCapacity);
    assert!(reason.contains("no transcoder") && !reason.contains("arn:"), "{reason}");
    denied(harness.publish(2).await, DenyKind::NoCapacity);
    assert!(harness.cluster.started().is_empty());

    harness.cluster.fail(None);
    let session = harness.allowed(3).await;
    assert_eq!(harness.cluster.started().len(), 1);
    assert_eq!(harness.cluster.started()[0].lease, harness.lease().await);
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
    assert!(matches!(harness.heartbeat_live(&session).await, TranscoderOrder::Transcode { .. }));
    assert_eq!(harness.state().await, Some(State::Live));
}

#[tokio::test]
async fn a_throttled_start_is_made_up_for_by_the_sweep() {
    let harness = Harness::seeded().await;
    harness.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = harness.allowed(1).await;
    assert_eq!(harness.state().await, Some(State::Starting));
    // A gateway that did not hear the answer asks again, with the same outcome.
    let again = harness.publish(1).await;
    assert!(matches!(again, PublishAnswer::Allow { .. }), "{again:?}");
    harness.sweep().await;
    assert!(harness.cluster.started().is_empty());
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);

    harness.cluster.fail(None);
    harness.sweep().await;
    assert_eq!(harness.cluster.started().len(), 1);
    assert_eq!(harness.cluster.started()[0].lease, harness.lease().await);
    assert!(matches!(harness.heartbeat_live(&session).await, TranscoderOrder::Transcode { .. }));
    assert_eq!(harness.state().await, Some(State::Live));
}

#[tokio::test]
async fn a_start_that_stays_throttled_waits_for_its_turn() {
    let harness = Harness::seeded().await;
    harness.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = harness.allowed(1).await;
    // Ten thousand encoders that come back at once take ECS a quarter of an hour.
    for _ in 0..15 {
        assert_eq!(harness.sweep().await.left, 1, "it is counted");
        later(12);
    }
    assert_eq!(harness.state().await, Some(State::Starting));
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
    harness.cluster.fail(None);
    harness.sweep().await;
    assert_eq!(harness.cluster.started().len(), 1);
    // What ECS refuses for good is another matter, whatever was before.
    let harness = Harness::seeded().await;
    harness.cluster.throttle("ThrottlingException: Rate exceeded");
    let session = harness.allowed(1).await;
    harness.sweep().await;
    harness.cluster.fail(Some("RESOURCE:FARGATE"));
    let mut sweeps = 0;
    while harness.state().await == Some(State::Starting) {
        harness.sweep().await;
        sweeps += 1;
    }
    assert_eq!((harness.state().await, sweeps), (Some(State::Failed), 5));
    let SessionOrder::Stop { reason, .. } = harness.order(&session).await else { panic!("it goes on") };
    assert!(reason.ends_with("RESOURCE:FARGATE"), "{reason}");
}

#[tokio::test]
async fn a_request_repeated_after_its_refusal_is_not_allowed_into_nothing() {
    let harness = Harness::seeded().await;
    harness.cluster.fail(Some("RESOURCE:CPU"));
    denied(harness.publish(1).await, DenyKind::NoCapacity);
    harness.cluster.fail(None);
    let again = harness.publish(1).await;
    // Either it is refused, or what it was allowed works.
    if let PublishAnswer::Allow { stream, broadcast, order } = again {
        let session = headwater_domain::SessionId::from_random(1);
        let session = headwater_domain::hooks::SessionRef { session, stream, broadcast, order };
        let order = harness.heartbeat_live(&session).await;
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
    let harness = Harness::seeded().await;
    let function = harness.hooks(harness.table.clone(), Unreachable);
    let answer = Answer::of(function.handle(harness.publish_event(1).request()).await);
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
    let harness = Harness::seeded().await;
    // The invocation dies between the control record and RunTask.
    let shim =
        Shim::new(&harness.table, |action, _| (action == "record_start").then_some(FaultKind::Unavailable));
    let function = harness.hooks(shim, Deaf);
    let dies = function.handle(harness.publish_event(1).request()).now_or_never();
    assert!(dies.is_none() && harness.cluster.started().is_empty());
    harness.allowed(1).await;
    assert_eq!(harness.cluster.started().len(), 1);
    let history = harness.ask(&Event::sample("api-list-broadcasts")).await.expect(200);
    assert_eq!(history["broadcasts"].as_array().unwrap().len(), 1, "and the history knows of it");
}

#[tokio::test]
async fn a_key_revoked_while_it_is_judged_does_not_open_the_stream() {
    let harness = Harness::seeded().await;
    let racer = harness.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "put_control_record" && !raced.swap(true, Ordering::Relaxed) {
            racer.ask(&Event::sample("api-revoke-key")).now_or_never().unwrap().expect(204);
        }
        None
    });
    let function = harness.hooks(shim, harness.cluster.clone());
    let answer = Answer::of(function.handle(harness.publish_event(1).request()).await);
    denied(publish_answer(&answer), DenyKind::RevokedKey);
    assert_ne!(harness.state().await, Some(State::Starting));
    let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    assert!(replicated.kick_of(&replicated.session().unwrap().id).is_some(), "its session is closed");
}

#[tokio::test]
async fn a_stream_deleted_while_a_publish_is_judged_stays_off() {
    let harness = Harness::seeded().await;
    let racer = harness.clone();
    let raced = Arc::new(AtomicBool::new(false));
    let once = raced.clone();
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "put_control_record" && !once.swap(true, Ordering::Relaxed) {
            racer.ask(&Event::sample("api-delete-stream")).now_or_never().unwrap().expect(204);
        }
        None
    });
    let function = harness.hooks(shim, harness.cluster.clone());
    let answer = Answer::of(function.handle(harness.publish_event(1).request()).await);
    assert!(raced.load(Ordering::Relaxed));
    denied(publish_answer(&answer), DenyKind::StreamDeleted);
    assert_eq!(harness.state().await, Some(State::Ended));
}

#[tokio::test]
async fn a_publish_that_loses_a_race_sees_who_won() {
    let harness = Harness::seeded().await;
    let racer = harness.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "put_control_record" && !raced.swap(true, Ordering::Relaxed) {
            racer.allowed(2).now_or_never().unwrap();
        }
        None
    });
    let function = harness.hooks(shim, harness.cluster.clone());
    let answer = Answer::of(function.handle(harness.publish_event(1).request()).await);
    let PublishAnswer::Allow { order, .. } = publish_answer(&answer) else { panic!("denied") };
    assert_eq!(order, 2, "it came second, so it holds");
    assert_eq!(harness.cluster.started().len(), 1, "and the winner's task serves it");
}

#[tokio::test]
async fn a_stream_patched_to_no_window_ends_with_its_publisher() {
    let harness = Harness::with(|stream| stream.settings.reconnect_window_seconds = 0).await;
    let session = harness.allowed(1).await;
    harness.unpublish(&session).await;
    assert_eq!(harness.state().await, Some(State::Ended));
    let record = &harness.ask(&Event::sample("api-list-broadcasts")).await.expect(200)["broadcasts"][0];
    assert_eq!(record["reason"], "the encoder closed the connection");
}

#[tokio::test]
async fn settings_hold_for_the_session_that_began_with_them() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let mut next = samples::stream().successor(&harness.region, now());
    next.settings.ladder = Some(vec![Rung { height: 360, kbps: 800 }]);
    harness.table.put_stream(&next).await.unwrap();
    let ladder_of = |order| match order {
        TranscoderOrder::Transcode { settings, .. } => settings.ladder.map(|ladder| ladder.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(ladder_of(harness.heartbeat_live(&session).await), None);
    let session = harness.allowed(2).await;
    assert_eq!(ladder_of(harness.heartbeat_live(&session).await), Some(1));
}
