//! A lease is a claim that must be proved: what a task says of itself is believed of nobody.

use std::sync::{Arc, Mutex};

use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::ports::ReadControl;
use headwater_domain::testing::samples;
use headwater_domain::{BroadcastId, Lease, LeaseNumber, StreamId};
use serde_json::{Value, json};

use crate::support::{Answer, Event, Harness, Shim, later, signing};

/// The sample heartbeat of the lease that holds, which is what a compromised task can send of its own right.
async fn own(harness: &Harness) -> Value {
    harness.allowed(1).await;
    serde_json::from_str(Event::sample("hooks-heartbeat-transcoder").request().body().as_str()).unwrap()
}

trait AsText {
    fn as_str(&self) -> &str;
}

impl AsText for lambda_http::Body {
    fn as_str(&self) -> &str {
        std::str::from_utf8(self).unwrap()
    }
}

/// Sends a heartbeat; the answer and what the hook did with the table.
async fn send(harness: &Harness, body: &Value) -> (Answer, Vec<&'static str>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let table = Shim::new(&harness.table, move |action, _| {
        seen.lock().unwrap().push(action);
        None
    });
    let event = Event::sample("hooks-heartbeat-transcoder").body(body);
    let answer = harness.hooks(table, harness.cluster.clone()).handle(event.request()).await;
    let calls = calls.lock().unwrap().clone();
    (Answer::of(answer), calls)
}

#[tokio::test]
async fn an_invented_lease_gets_no_source_and_leaves_no_trace() {
    let harness = Harness::seeded().await;
    let own = own(&harness).await;
    let lease: Lease = own["lease"].as_str().unwrap().parse().unwrap();
    let higher = Lease { number: LeaseNumber(lease.number.0 + 1), ..lease.clone() };
    let elsewhere = Lease { region: samples::region_b(), ..higher.clone() };
    let later = BroadcastId::new(&samples::stream_id(), samples::broadcast().unix_ms() + 1, 1);
    let before = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    for (member, value) in [
        ("lease", json!(higher)),
        ("lease", json!(elsewhere)),
        ("broadcast", json!(later)),
        ("stream", json!(StreamId::from_random(9))),
        ("claim", json!("")),
        ("claim", json!("0".repeat(64))),
        ("claim", Value::Null),
    ] {
        let mut invented = own.clone();
        invented[member] = value.clone();
        if value.is_null() {
            invented.as_object_mut().unwrap().remove(member);
        }
        let (answer, calls) = send(&harness, &invented).await;
        answer.problem(403, "lease-not-granted");
        assert_eq!(calls, [""; 0], "{member} {value}: neither read nor written");
    }
    assert_eq!(harness.table.replicated_state(&samples::stream_id()).await.unwrap(), before);
}

#[tokio::test]
async fn the_real_task_goes_on_while_others_invent_leases() {
    let harness = Harness::seeded().await;
    let own = own(&harness).await;
    let real = send(&harness, &own).await.0.expect(200);
    assert_eq!(real["action"], "transcode");
    let mut invented = own.clone();
    invented["lease"] = json!("9.us-east-1.00000002");
    invented["fencing_token"] = json!("somebody else");
    send(&harness, &invented).await.0.problem(403, "lease-not-granted");
    later(2);
    let order: TranscoderOrder = serde_json::from_value(send(&harness, &own).await.0.expect(200)).unwrap();
    assert!(matches!(order, TranscoderOrder::Transcode { .. }), "{order:?}");
}

#[tokio::test]
async fn both_regions_check_a_claim_without_asking_anybody() {
    let harness = Harness::seeded().await;
    let own = own(&harness).await;
    let mut apart = harness.other_region();
    apart.table = Default::default();
    let (answer, _) = send(&apart, &own).await;
    assert_eq!(answer.expect(200)["action"], "wait", "granted, but nothing is known of it here yet");
    let mut invented = own.clone();
    invented["lease"] = json!("2.us-east-1.00000002");
    send(&apart, &invented).await.0.problem(403, "lease-not-granted");
}

/// Who sees a claim (ECS events show it) and may call the hooks is too late: the first process owns the lease.
#[tokio::test]
async fn a_claim_that_was_seen_is_worth_nothing_to_a_second_process() {
    let harness = Harness::seeded().await;
    let own = own(&harness).await;
    send(&harness, &own).await.0.expect(200);
    let mut seen = own.clone();
    seen["fencing_token"] = json!("somebody else");
    assert_eq!(send(&harness, &seen).await.0.expect(200)["action"], "fenced");
}

#[test]
fn the_sample_is_a_task_of_this_deployment() {
    let sample = Event::sample("hooks-heartbeat-transcoder").request();
    let body: Value = serde_json::from_str(sample.body().as_str()).unwrap();
    let (broadcast, lease): (BroadcastId, Lease) = (
        body["broadcast"].as_str().unwrap().parse().unwrap(),
        body["lease"].as_str().unwrap().parse().unwrap(),
    );
    assert_eq!(body["claim"], signing().lease_claim(&broadcast.stream(), &broadcast, &lease).expose());
}
