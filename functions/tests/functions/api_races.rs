//! Two requests at once, and requests that die in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::FutureExt;
use headwater_domain::hooks::SessionOrder;
use headwater_domain::ports::{FaultKind, ReadStreams, WriteStreams};
use headwater_domain::testing::samples;
use serde_json::json;

use crate::support::{Event, Harness, Shim, now};

#[tokio::test]
async fn a_patch_that_loses_a_race_is_applied_to_what_won() {
    let harness = Harness::seeded().await;
    let (table, region) = (harness.table.clone(), harness.region.clone());
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "put_stream" && !raced.swap(true, Ordering::Relaxed) {
            let mut winner = samples::stream().successor(&region, now());
            winner.settings.listed = true;
            table.put_stream(&winner).now_or_never().unwrap().unwrap();
        }
        None
    });
    let patched = harness.ask_over(shim, &Event::sample("api-patch-stream")).await.expect(200);
    assert_eq!(patched["name"], "Evening service");
    assert_eq!(patched["settings"]["listed"], true, "the winner's change is not lost");
}

#[tokio::test]
async fn a_request_that_loses_every_race_says_to_try_again() {
    let harness = Harness::seeded().await;
    let (table, region) = (harness.table.clone(), harness.region.clone());
    let shim = Shim::new(&harness.table, move |action, stream| {
        if action == "put_stream" {
            let there = table.stream(stream.unwrap()).now_or_never().unwrap().unwrap().unwrap();
            table.put_stream(&there.successor(&region, now())).now_or_never().unwrap().unwrap();
        }
        None
    });
    for name in ["api-patch-stream", "api-delete-stream"] {
        let answer = harness.ask_over(shim.clone(), &Event::sample(name)).await;
        answer.problem(429, "throttled");
    }
    harness.ask(&Event::sample("api-get-stream")).await.expect(200);
}

#[tokio::test]
async fn a_creation_that_died_anywhere_is_completed_by_its_repetition() {
    for dies_at in ["put_stream", "add_key", "list_stream", "replicated_state"] {
        let harness = Harness::empty();
        let shim =
            Shim::new(&harness.table, move |action, _| (action == dies_at).then_some(FaultKind::Unavailable));
        let event = Event::sample("api-create-stream");
        harness.ask_over(shim, &event).await.problem(503, "unavailable");
        let made = harness.ask(&event).await.expect(201);
        let listed = harness.ask(&Event::sample("api-list-streams")).await.expect(200);
        assert_eq!(listed["streams"].as_array().unwrap().len(), 1, "{dies_at}");
        let publish = harness.publish_event(1).edit(|body| body["key"] = made["stream_key"]["value"].clone());
        assert_eq!(harness.hook(&publish).await.expect(200)["decision"], "allow", "{dies_at}");
    }
}

#[tokio::test]
async fn a_deletion_that_died_anywhere_is_completed_by_its_repetition() {
    for dies_at in ["put_stream", "replicated_state", "put_control_record", "record_end", "unlist_stream"] {
        let harness = Harness::seeded().await;
        let session = harness.allowed(1).await;
        // A control record is written twice before it is given up.
        let times = if dies_at == "put_control_record" { 2 } else { 1 };
        let failed = Arc::new(AtomicUsize::new(0));
        let count = failed.clone();
        let shim = Shim::new(&harness.table, move |action, _| {
            (action == dies_at && count.fetch_add(1, Ordering::Relaxed) < times)
                .then_some(FaultKind::Unavailable)
        });
        let event = Event::sample("api-delete-stream");
        harness.ask_over(shim.clone(), &event).await.problem(503, "unavailable");
        let again = harness.ask_over(shim, &event).await;
        assert!([204, 404].contains(&again.status.as_u16()), "{dies_at}: {}", again.text());
        assert_eq!(
            failed.load(Ordering::Relaxed) > times,
            dies_at != "record_end",
            "{dies_at} is tried again"
        );

        assert!(matches!(harness.order(&session).await, SessionOrder::Stop { .. }), "{dies_at}");
        assert!(harness.table.streams(None, 10).await.unwrap().items.is_empty(), "{dies_at}");
        harness.ask(&Event::sample("api-get-stream")).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_stop_that_loses_a_race_to_a_new_publisher_stops_that_one() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let racer = harness.clone();
    let raced = AtomicBool::new(false);
    let shim = Shim::new(&harness.table, move |action, _| {
        if action == "put_control_record" && !raced.swap(true, Ordering::Relaxed) {
            racer.allowed(2).now_or_never().unwrap();
        }
        None
    });
    let answer = harness.ask_over(shim, &Event::sample("api-stop-stream")).await;
    assert_eq!(answer.expect(202), json!({ "stopped": true }));
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!(shown["status"], "offline");
}
