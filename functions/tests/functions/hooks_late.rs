//! Two regions that are asked to publish one session, and requests that come when nobody waits any more.

use headwater_domain::control::State;
use headwater_domain::hooks::{
    DenyKind, GRANT_WITHIN, PublishAnswer, SessionRef, TranscoderOrder, Withdrawn,
};
use headwater_domain::ports::{ReadControl, WriteControl};
use headwater_domain::testing::samples;
use headwater_domain::{SessionId, Timestamp};
use serde_json::{Value, json};

use crate::support::{Event, Harness, later, now, publish_answer};

/// A request as a real gateway makes it.
fn request(harness: &Harness, session: u128, asked_at: Timestamp) -> Event {
    harness.publish_event(session).edit(|body| body["asked_at"] = json!(asked_at))
}

async fn apart(harness: &Harness) -> Harness {
    use headwater_domain::ports::{ReadKeys, ReadStreams, WriteKeys, WriteStreams};
    let mut other = harness.other_region();
    other.table = Default::default();
    let stream = harness.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    other.table.put_stream(&stream).await.unwrap();
    for key in harness.table.key_ring(&samples::stream_id()).await.unwrap().keys {
        other.table.add_key(&key).await.unwrap();
    }
    other
}

#[tokio::test]
async fn two_regions_that_know_nothing_of_each_other_grant_one_session_alike() {
    let here = Harness::seeded().await;
    let there = apart(&here).await;
    let asked = request(&here, 1, now());
    let first = publish_answer(&here.hook(&asked).await);
    later(3);
    let second = publish_answer(&there.hook(&asked).await);
    assert!(matches!(first, PublishAnswer::Allow { .. }));
    assert_eq!(first, second, "one broadcast, one order");
    let lease = here.lease().await;
    assert_eq!(there.lease().await, lease, "one lease, so one task: its client token is the same");
    assert_eq!(lease.region, here.region, "the gateway's region");
    assert_eq!(here.cluster.started().len(), 1);

    // The regions find together: nothing is to be healed.
    let record = there.table.replicated_state(&samples::stream_id()).await.unwrap().records.remove(0);
    here.table.put_control_record(&record).await.unwrap();
    let replicated = here.table.replicated_state(&samples::stream_id()).await.unwrap();
    assert_eq!(replicated.session().unwrap().id, SessionId::from_random(1));
    assert_eq!(here.lease().await, lease);
}

/// The own API may have waited for ECS for so long that the gateway has asked the peer, too.
#[tokio::test]
async fn while_ecs_does_not_answer_a_second_decision_is_the_first_one_again() {
    for is_replicated in [false, true] {
        let here = Harness::seeded().await;
        let there = if is_replicated { here.other_region() } else { apart(&here).await };
        here.cluster.fall_silent();
        let asked = request(&here, 1, now());
        let first = publish_answer(&here.hook(&asked).await);
        let lease = here.lease().await;
        later(2);
        let second = publish_answer(&there.hook(&asked).await);
        assert!(matches!(first, PublishAnswer::Allow { .. }), "it may have been heard: {first:?}");
        assert_eq!(first, second, "replicated: {is_replicated}");
        assert_eq!(there.lease().await, lease, "replicated: {is_replicated}");
        let started = here.cluster.started();
        assert_eq!(started.len(), 1, "one client token is one task: {started:?}");
        // Whichever answer the gateway took, the task finds its session in both.
        let PublishAnswer::Allow { stream, broadcast, order } = first else { unreachable!() };
        let session = SessionRef { session: SessionId::from_random(1), stream, broadcast, order };
        for harness in [&here, &there] {
            let order = harness.heartbeat_live(&session).await;
            assert!(matches!(order, TranscoderOrder::Transcode { .. }), "{order:?}");
        }
    }
}

#[tokio::test]
async fn other_sessions_are_other_broadcasts_and_leases() {
    let here = Harness::seeded().await;
    let there = apart(&here).await;
    here.hook(&request(&here, 1, now())).await.expect(200);
    there.hook(&request(&there, 2, now())).await.expect(200);
    assert_ne!(here.lease().await, there.lease().await);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_not_granted() {
    let harness = Harness::seeded().await;
    let asked_at = now();
    later(GRANT_WITHIN.as_secs() + 1);
    let answer = publish_answer(&harness.hook(&request(&harness, 1, asked_at)).await);
    assert!(matches!(answer, PublishAnswer::Deny { kind: DenyKind::TooLate, .. }), "{answer:?}");
    assert_eq!(harness.table.replicated_state(&samples::stream_id()).await.unwrap(), Default::default());
    assert_eq!(harness.cluster.started(), []);
}

#[tokio::test]
async fn a_clock_that_is_ahead_opens_no_broadcast_of_the_future() {
    let harness = Harness::seeded().await;
    let answer = publish_answer(&harness.hook(&request(&harness, 1, Timestamp(now().0 + 3_600_000))).await);
    let PublishAnswer::Allow { broadcast, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(broadcast.unix_ms(), now().0);
}

async fn withdraw(harness: &Harness, session: u128) -> Value {
    let withdrawn = Withdrawn { session: SessionId::from_random(session), stream: samples::stream_id() };
    let body =
        json!({ "from": "gateway", "gateway": harness.gateway(), "sessions": [], "withdrawn": [withdrawn] });
    harness.hook(&Event::sample("hooks-heartbeat-gateway").body(&body)).await.expect(200)
}

#[tokio::test]
async fn a_session_that_was_granted_late_is_taken_back() {
    let harness = Harness::seeded().await;
    assert_eq!(withdraw(&harness, 1).await.get("withdrawn"), None, "not granted, as far as is known");
    assert_eq!(harness.table.replicated_state(&samples::stream_id()).await.unwrap(), Default::default());
    harness.allowed(1).await;
    let id = SessionId::from_random(1);
    assert_eq!(withdraw(&harness, 1).await["withdrawn"], json!([id]));
    assert_eq!(harness.state().await, Some(State::Reconnecting));
    assert_eq!(withdraw(&harness, 1).await["withdrawn"], json!([id]), "and again, if the answer was lost");
    let repeated = harness.publish(1).await;
    assert!(matches!(repeated, PublishAnswer::Deny { .. }), "{repeated:?}");
}

#[tokio::test]
async fn an_encoder_that_has_come_again_is_left_alone() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    let second: SessionRef = harness.allowed(2).await;
    withdraw(&harness, 1).await;
    let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
    assert_eq!(replicated.session().unwrap().id, second.session);
    assert_eq!(harness.state().await, Some(State::Starting));
    let continues = headwater_domain::hooks::SessionOrder::Continue;
    assert_eq!(harness.order(&second).await, continues);
}
