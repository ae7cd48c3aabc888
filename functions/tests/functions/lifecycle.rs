//! Stopped tasks and the sweep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use headwater_domain::control::State;
use headwater_domain::control::decide::MAX_FAILURES;
use headwater_domain::heartbeat::{Activity, Health};
use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::ports::{FaultKind, ReadBroadcasts, ReadControl, WriteControl};
use headwater_domain::testing::samples;
use headwater_domain::{Lease, LeaseNumber, StreamId};
use headwater_functions::lifecycle::Report;
use serde_json::{Value, json};

use crate::support::{Event, Harness, Shim, flowing, later, metric_lines, read_out, sample};

fn stopped(lease: &Lease) -> Value {
    let mut event = sample("lifecycle-task-stopped");
    event["detail"]["overrides"]["containerOverrides"][0]["environment"][1]["value"] =
        json!(lease.to_string());
    event
}

async fn active(harness: &Harness) -> Vec<StreamId> {
    harness.table.active(&harness.region).await.unwrap()
}

#[tokio::test]
async fn a_stopped_task_is_replaced_once() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let first = harness.lease().await;
    let once = harness.lifecycle_event(sample("lifecycle-task-stopped")).await;
    assert_eq!(once, Report { seen: 1, acted: 1, failed: 0, left: 0 });
    let second = harness.lease().await;
    assert_eq!(second.number, LeaseNumber(2));
    for _ in 0..2 {
        let again = harness.lifecycle_event(sample("lifecycle-task-stopped")).await;
        assert_eq!(
            again,
            Report { seen: 1, acted: 0, failed: 0, left: 0 },
            "EventBridge delivers at least once"
        );
    }
    assert_eq!(harness.lease().await, second);
    let started: Vec<_> = harness.cluster.started().into_iter().map(|task| task.lease).collect();
    assert_eq!(started, [first, second]);
}

#[tokio::test]
async fn a_sweep_writes_its_metrics_and_a_stopped_task_does_not() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    // Both regions hold the stream for active; it is one stream.
    harness.table.mark_active(&samples::stream_id(), &harness.other_region().region).await.unwrap();
    harness.lifecycle_event(sample("lifecycle-task-stopped")).await;
    assert_eq!(metric_lines(), [""; 0]);
    assert_eq!(harness.sweep().await.seen, 1);
    let expected = json!({
        "Deployment": "headwater",
        "ActiveStreams": 1,
        "SweepFailures": 0,
        "SweepLeft": 0,
        "_aws": {
            "Timestamp": crate::support::T0,
            "CloudWatchMetrics": [{
                "Namespace": "Headwater",
                "Dimensions": [["Deployment"]],
                "Metrics": [
                    { "Name": "ActiveStreams", "Unit": "Count" },
                    { "Name": "SweepFailures", "Unit": "Count" },
                    { "Name": "SweepLeft", "Unit": "Count" },
                ],
            }],
        },
    });
    assert_eq!(metric_lines(), [expected.to_string()]);
}

#[tokio::test]
async fn the_reason_of_a_stopped_task_is_kept() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    harness.lifecycle_event(sample("lifecycle-task-stopped")).await;
    let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    let over = replicated.records[0].over.as_ref().unwrap();
    for part in ["Essential container in task exited", "exit code 137", "OutOfMemoryError"] {
        assert!(over.reason.contains(part), "{}", over.reason);
    }
}

#[tokio::test]
async fn tasks_and_events_that_are_not_ours_are_left_alone() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let mut running = sample("lifecycle-task-stopped");
    running["detail"]["lastStatus"] = json!("RUNNING");
    let mut other_kind = sample("lifecycle-task-stopped");
    other_kind["detail-type"] = json!("ECS Deployment State Change");
    let mut hostile = sample("lifecycle-task-stopped");
    hostile["detail"]["overrides"]["containerOverrides"][0]["environment"][0]["value"] = json!("../../../");
    let mut half = sample("lifecycle-task-stopped");
    half["detail"]["overrides"]["containerOverrides"][0]["environment"].as_array_mut().unwrap().pop();
    for event in [
        sample("lifecycle-gateway-stopped"),
        running,
        other_kind,
        hostile,
        half,
        json!({}),
        json!(null),
        json!([]),
        json!({ "detail-type": "ECS Task State Change" }),
        json!({ "detail-type": "ECS Task State Change", "detail": 7 }),
    ] {
        assert_eq!(harness.lifecycle_event(event.clone()).await, Report::default(), "{event}");
    }
    let mut unknown = sample("lifecycle-task-stopped");
    let broadcast = "000000000009-1hf7yat000001";
    unknown["detail"]["overrides"]["containerOverrides"][0]["environment"][0]["value"] = json!(broadcast);
    assert_eq!(harness.lifecycle_event(unknown).await.acted, 0);
    let mut foreign = samples::lease(1);
    foreign.region = samples::region_b();
    assert_eq!(harness.lifecycle_event(stopped(&foreign)).await.acted, 0, "not the lease that holds");
    assert_eq!(harness.cluster.started().len(), 1);
}

#[tokio::test]
async fn a_variable_without_a_value_does_not_hide_the_others() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let mut event = sample("lifecycle-task-stopped");
    let variables =
        event["detail"]["overrides"]["containerOverrides"][0]["environment"].as_array_mut().unwrap();
    variables.insert(0, json!({ "name": "EMPTY" }));
    event["detail"]["containers"][0].as_object_mut().unwrap().remove("exitCode");
    event["detail"]["overrides"]["containerOverrides"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "name": "sidecar" }));
    assert_eq!(harness.lifecycle_event(event).await.acted, 1);
}

#[tokio::test]
async fn a_task_that_stops_while_nobody_publishes_is_not_replaced_once_it_has_read_everything() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.unpublish(&session).await;
    harness.heartbeat(&session, &harness.lease().await, "process", read_out(&session)).await;
    harness.lifecycle_event(sample("lifecycle-task-stopped")).await;
    assert_eq!(harness.cluster.started().len(), 1);
    let back = harness.allowed(2).await;
    assert_eq!(back.broadcast, session.broadcast);
    assert_eq!(harness.cluster.started().len(), 2, "the returning publisher gets a task at once");
    assert!(matches!(harness.heartbeat_live(&back).await, TranscoderOrder::Transcode { .. }));
    // This one stops before it has read what the gateway still has.
    harness.unpublish(&back).await;
    harness.lifecycle_event(stopped(&harness.lease().await)).await;
    assert_eq!(harness.cluster.started().len(), 3);
    assert!(matches!(harness.heartbeat_live(&back).await, TranscoderOrder::Transcode { .. }));
}

#[tokio::test]
async fn the_sweep_ends_a_broadcast_after_its_window_and_forgets_it() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.unpublish(&session).await;
    harness.heartbeat(&session, &harness.lease().await, "process", read_out(&session)).await;
    later(59);
    assert_eq!(harness.sweep().await, Report { seen: 1, acted: 0, failed: 0, left: 0 });
    assert_eq!(active(&harness).await.len(), 1);
    later(1);
    assert_eq!(harness.sweep().await, Report { seen: 1, acted: 1, failed: 0, left: 0 });
    let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    assert_eq!(replicated.end().unwrap().reason, "the encoder closed the connection");
    assert_eq!(active(&harness).await, []);
    assert_eq!(harness.sweep().await, Report::default());
    assert_eq!(harness.cluster.started().len(), 1);
}

#[tokio::test]
async fn the_sweep_replaces_a_task_that_falls_silent() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    later(15);
    assert_eq!(harness.sweep().await.acted, 0);
    later(1);
    assert_eq!(harness.sweep().await.acted, 1);
    assert_eq!(harness.cluster.started().len(), 2);
    // The new one has its time to start before it, too, is given up.
    later(100);
    assert_eq!(harness.sweep().await.acted, 0);
    later(21);
    assert_eq!(harness.sweep().await.acted, 1);
    assert_eq!(harness.cluster.started().len(), 3);
}

#[tokio::test]
async fn a_slow_start_outlives_a_short_reconnect_window() {
    let harness = Harness::with(|stream| stream.settings.reconnect_window_seconds = 0).await;
    let session = harness.allowed(1).await;
    later(90); // Fargate takes up to 70 s before the task's first word
    assert_eq!(harness.sweep().await, Report { seen: 1, acted: 0, failed: 0, left: 0 });
    assert_eq!(harness.state().await, Some(State::Starting));
    assert!(matches!(harness.heartbeat_live(&session).await, TranscoderOrder::Transcode { .. }));
}

#[tokio::test]
async fn a_task_that_leaves_by_order_is_replaced_without_counting_as_a_failure() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    for turn in 1..=MAX_FAILURES + 2 {
        let lease = harness.lease().await;
        assert_eq!(lease.number, LeaseNumber(turn));
        let leaving = Health { activity: Activity::Leaving, segment: None, ..flowing(&session) };
        harness.heartbeat(&session, &lease, &format!("process {turn}"), leaving).await;
        assert_eq!(harness.sweep().await.acted, 1, "SIGTERM of task {turn}");
    }
    assert_eq!(harness.state().await, Some(State::Reconnecting));
}

#[tokio::test]
async fn tasks_that_die_in_a_row_without_media_end_the_broadcast_as_failed() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let mut turns = 0;
    while harness.state().await != Some(State::Failed) {
        turns += 1;
        assert!(turns <= MAX_FAILURES, "it never gives up");
        assert_eq!(harness.lifecycle_event(stopped(&harness.lease().await)).await.acted, 1);
    }
    assert_eq!((turns, harness.cluster.started().len()), (MAX_FAILURES, MAX_FAILURES as usize));
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!(shown["status"], "failed");
    assert!(shown["broadcast"]["reason"].as_str().unwrap().contains("exit code 137"), "{shown}");
    assert_eq!(harness.sweep().await, Report { seen: 1, acted: 0, failed: 0, left: 0 });
    assert_eq!(active(&harness).await, []);
    assert_eq!(harness.sweep().await, Report::default());
    let next = harness.allowed(2).await;
    assert_eq!(
        harness.lease().await.number,
        LeaseNumber(1),
        "a new broadcast begins anew: {}",
        next.broadcast
    );
}

#[tokio::test]
async fn media_in_between_makes_the_count_start_again() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    for turn in 0..3 * MAX_FAILURES {
        if turn % (MAX_FAILURES - 1) == 0 {
            harness
                .heartbeat(&session, &harness.lease().await, &format!("process {turn}"), flowing(&session))
                .await;
        }
        harness.lifecycle_event(stopped(&harness.lease().await)).await;
    }
    assert_eq!(harness.state().await, Some(State::Reconnecting));
}

#[tokio::test]
async fn a_replacement_that_cannot_be_started_fails_the_broadcast_with_the_reason() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.cluster.fail(Some("Capacity is unavailable at this time"));
    let mut sweeps = 0;
    harness.lifecycle_event(stopped(&harness.lease().await)).await;
    while harness.state().await != Some(State::Failed) {
        sweeps += 1;
        assert!(sweeps <= MAX_FAILURES + 1, "it never gives up");
        later(125);
        harness.sweep().await;
    }
    let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    assert!(replicated.end().unwrap().reason.contains("Capacity is unavailable"), "{:?}", replicated.end());
    assert_eq!(harness.cluster.started().len(), 1);
}

#[tokio::test]
async fn one_failing_stream_does_not_stop_the_others() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let broken = StreamId::from_random(0);
    assert!(broken < samples::stream_id(), "it comes first");
    harness.table.mark_active(&broken, &harness.region).await.unwrap();
    let poison = broken.clone();
    let shim = Shim::new(&harness.table, move |action, stream| {
        (action == "replicated_state" && stream == Some(&poison)).then_some(FaultKind::Corrupt)
    });
    later(16);
    let report = harness.lifecycle(shim).handle(sample("lifecycle-sweep")).await.unwrap();
    assert_eq!(report, Report { seen: 2, acted: 1, failed: 1, left: 0 });
    assert_eq!(harness.lease().await.number, LeaseNumber(2));
    assert_eq!(active(&harness).await.len(), 2, "both will be looked at again");
}

#[tokio::test]
async fn a_listing_that_fails_does_not_stop_the_other_region_s() {
    let harness = Harness::seeded().await;
    let session = harness.other_region().allowed(1).await;
    harness.heartbeat_live(&session).await;
    let failed = Arc::new(AtomicBool::new(false));
    let shim = Shim::new(&harness.table, move |action, _| {
        (action == "active" && !failed.swap(true, Ordering::Relaxed)).then_some(FaultKind::Unavailable)
    });
    let report = harness.lifecycle(shim).handle(sample("lifecycle-sweep")).await.unwrap();
    assert_eq!(report, Report { seen: 1, acted: 0, failed: 1, left: 0 });
}

#[tokio::test]
async fn a_stopped_task_is_handed_back_to_eventbridge_if_the_store_fails() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let shim = Shim::new(&harness.table, |action, _| {
        (action == "put_control_record").then_some(FaultKind::Unavailable)
    });
    assert!(harness.lifecycle(shim).handle(sample("lifecycle-task-stopped")).await.is_err());
    assert_eq!(
        harness.lifecycle_event(sample("lifecycle-task-stopped")).await.acted,
        1,
        "its retry does the work"
    );
}

#[tokio::test]
async fn a_region_reconciles_its_own_leases_and_waits_with_the_peer_s() {
    let a = Harness::seeded().await;
    let b = a.other_region();
    let session = a.allowed(1).await;
    a.heartbeat_live(&session).await;
    later(16);
    assert_eq!(b.sweep().await.acted, 0, "A's task is A's to replace");
    a.unpublish(&session).await;
    later(60 + 59);
    assert_eq!(b.sweep().await.acted, 0, "the peer is patient");
    later(1);
    assert_eq!(b.sweep().await.acted, 1);
    assert_eq!(a.state().await, Some(State::Ended));
    assert_eq!(a.sweep().await.acted, 0);
    assert_eq!(active(&a).await, []);
}

#[tokio::test]
async fn a_mark_survives_a_publish_that_meets_the_sweep() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.unpublish(&session).await;
    later(60);
    let racer = harness.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "clear_active" && !raced.swap(true, Ordering::Relaxed) {
            racer.allowed(2).now_or_never().unwrap();
        }
        None
    });
    harness.lifecycle(shim).handle(sample("lifecycle-sweep")).await.unwrap();
    assert_eq!(active(&harness).await, [samples::stream_id()], "the new broadcast will be swept");
}

#[tokio::test]
async fn a_mark_that_led_to_nothing_is_cleared() {
    let harness = Harness::seeded().await;
    let shim = Shim::new(&harness.table, |action, _| {
        (action == "put_control_record").then_some(FaultKind::Unavailable)
    });
    let function = harness.hooks(shim, harness.cluster.clone());
    function.handle(harness.publish_event(1).request()).await;
    assert_eq!(active(&harness).await.len(), 1);
    harness.sweep().await;
    assert_eq!(active(&harness).await, []);
}

#[tokio::test]
async fn the_history_hears_of_every_end() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let shim =
        Shim::new(&harness.table, |action, _| (action == "record_end").then_some(FaultKind::Unavailable));
    harness.api(shim).handle(Event::sample("api-stop-stream").request()).await;
    harness.sweep().await;
    let history = harness.table.broadcasts(&samples::stream_id(), None, 10).await.unwrap();
    assert_eq!(history.items[0].id, session.broadcast);
    assert_eq!(history.items[0].end.as_ref().unwrap().reason, "the stream was stopped by its owner");
}
