//! Moving a stream to another task.

use headwater_domain::heartbeat::{Activity, Health, StandbyHealth};
use headwater_domain::hooks::{SessionRef, TranscoderOrder};
use headwater_domain::ports::ReadControl;
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Harness, later};

async fn live() -> (Harness, SessionRef) {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    (harness, session)
}

async fn shown(harness: &Harness) -> Value {
    harness.ask(&Event::sample("api-get-stream")).await.expect(200)["broadcast"]["standby"].clone()
}

#[tokio::test]
async fn a_move_is_ordered_once_and_its_progress_is_told() {
    let (harness, session) = live().await;
    let order = Event::sample("api-move-stream");
    assert_eq!(shown(&harness).await, Value::Null);
    let holder = harness.lease().await;
    let ordered = harness.ask(&order).await.expect(202);
    assert_eq!((&ordered["lease"], &ordered["standby"]["state"]), (&json!(holder), &json!("ordered")));
    assert_eq!(harness.cluster.started().len(), 1, "the task's own region starts the next one");
    let version = || async {
        let there = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
        there.records.iter().map(|record| record.version).sum::<u64>()
    };
    let before = version().await;
    assert_eq!(harness.ask(&order).await.expect(202), ordered, "asking again is the same");
    assert_eq!(version().await, before, "and writes nothing");

    assert!(matches!(harness.heartbeat_live(&session).await, TranscoderOrder::Transcode { .. }));
    assert_eq!(harness.cluster.started().len(), 2);
    let standby = harness.cluster.started()[1].lease.clone();
    let states =
        |state: &str| json!({ "state": state, "lease": standby, "reason": ordered["standby"]["reason"] });
    assert_eq!(harness.ask(&order).await.expect(202)["standby"], states("starting"));
    for (ready, state) in [(false, "rehearsing"), (true, "ready")] {
        let health = Health {
            activity: Activity::Transcoding,
            standby: Some(StandbyHealth { ready }),
            ..Health::starting()
        };
        harness.heartbeat(&session, &standby, "standby", health).await;
        assert_eq!(shown(&harness).await, states(state));
    }
    assert_eq!(harness.cluster.started().len(), 2, "one standby is enough");
}

#[tokio::test]
async fn the_other_region_s_api_takes_the_order_too() {
    let (harness, session) = live().await;
    harness.other_region().ask(&Event::sample("api-move-stream")).await.expect(202);
    harness.other_region().heartbeat_live(&session).await;
    assert_eq!(harness.cluster.started().len(), 1, "the peer decides nothing");
    harness.heartbeat_live(&session).await;
    assert_eq!(harness.cluster.started().len(), 2);
    assert_eq!(
        harness.ask(&Event::sample("api-move-stream")).await.expect(202)["standby"]["state"],
        "starting"
    );
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused_with_what_to_do() {
    let harness = Harness::seeded().await;
    let order = Event::sample("api-move-stream");
    harness.ask(&order).await.problem(409, "not-live");
    let session = harness.allowed(1).await;
    harness.ask(&order).await.problem(409, "not-live");
    harness.heartbeat_live(&session).await;
    harness.ask(&order).await.expect(202);
    harness.unpublish(&session).await;
    let refused = harness.ask(&order).await;
    assert!(refused.text().contains("Ask again once the stream is live"), "{}", refused.text());
    refused.problem(409, "not-live");
}

#[tokio::test]
async fn a_move_that_failed_says_why_and_can_be_ordered_anew() {
    let (harness, session) = live().await;
    let order = Event::sample("api-move-stream");
    harness.ask(&order).await.expect(202);
    harness.cluster.fail(Some("RESOURCE:MEMORY"));
    for _ in 0..2_000 {
        later(2);
        harness.heartbeat_live(&session).await;
    }
    let failed = shown(&harness).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["reason"].as_str().unwrap().contains("RESOURCE:MEMORY"), "{failed}");
    harness.cluster.fail(None);
    harness.heartbeat_live(&session).await;
    assert_eq!(harness.cluster.started().len(), 1, "it was tried often enough");
    assert_eq!(harness.ask(&order).await.expect(202)["standby"]["state"], "ordered");
    harness.heartbeat_live(&session).await;
    assert_eq!(harness.cluster.started().len(), 2);
}
