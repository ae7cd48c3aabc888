//! A handover through the hooks: who is started, what is told, what is written. What is decided when is the domain's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use headwater_domain::control::{ReplicatedState, State};
use headwater_domain::heartbeat::{Activity, Health, Quiesced, StandbyHealth};
use headwater_domain::hooks::{HandoverOrder, SessionRef, TranscoderOrder};
use headwater_domain::ports::{FaultKind, ReadControl};
use headwater_domain::testing::samples;
use headwater_domain::tokens::SourceRight;
use headwater_domain::{Lease, SegmentNumber};
use headwater_functions::lifecycle::Report;
use serde_json::json;

use crate::support::{Answer, Event, Harness, Shim, flowing, later, now, sample, signing};

async fn replicated(harness: &Harness) -> ReplicatedState {
    harness.table.replicated_state(&samples::stream_id()).await.unwrap()
}

async fn standby_of(harness: &Harness) -> Option<Lease> {
    replicated(harness).await.standby().map(|standby| standby.lease.clone())
}

fn leaving(of: &SessionRef) -> Health {
    Health { leaving_by: Some(now() + std::time::Duration::from_secs(110)), ..flowing(of) }
}

fn rehearsing(of: &SessionRef, ready: bool) -> Health {
    Health {
        activity: Activity::Transcoding,
        session: Some(of.session.clone()),
        standby: Some(StandbyHealth { ready }),
        ..Health::starting()
    }
}

fn held(of: &SessionRef, standby: &Lease, segment: u64) -> Health {
    let segment = SegmentNumber(segment);
    Health {
        segment: Some(segment),
        held: Some(Quiesced { standby: standby.clone(), segment }),
        ..flowing(of)
    }
}

/// A stream that is live, its session, its holder, and a standby that is ready.
async fn with_standby() -> (Harness, SessionRef, Lease, Lease) {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let holder = harness.lease().await;
    harness.heartbeat_live(&session).await;
    for number in 0..=1 {
        harness.commit(&holder, number).await;
    }
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    let standby = standby_of(&harness).await.expect("a standby is granted");
    harness.heartbeat(&session, &standby, "standby", rehearsing(&session, true)).await;
    (harness, session, holder, standby)
}

#[tokio::test]
async fn a_task_that_will_be_ended_is_followed_by_another_without_a_break() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let holder = harness.lease().await;
    harness.heartbeat_live(&session).await;
    for number in 0..=1 {
        harness.commit(&holder, number).await;
    }
    let order = harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    assert!(matches!(order, TranscoderOrder::Transcode { handover: None, .. }), "it goes on: {order:?}");
    let started = harness.cluster.started();
    let standby = standby_of(&harness).await.unwrap();
    assert_eq!(started.len(), 2);
    assert!(started[1].standby && started[1].lease == standby && !started[0].standby, "{started:?}");
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    assert_eq!(harness.cluster.started().len(), 2, "one is enough");

    let order = harness.heartbeat(&session, &standby, "standby", rehearsing(&session, false)).await;
    let TranscoderOrder::Rehearse { source, settings, .. } = order else { panic!("{order:?}") };
    assert_eq!(*settings, samples::stream().settings.transcode());
    let right = SourceRight { lease: standby.clone(), writes: false };
    assert_eq!(signing().opens_source(source.token.expose(), &session.session, now()), Some(right));
    assert_eq!(harness.lease().await, holder);
    harness.heartbeat(&session, &standby, "standby", rehearsing(&session, true)).await;
    let order = harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    let TranscoderOrder::Transcode { handover, .. } = order else { panic!("{order:?}") };
    assert_eq!(handover, Some(HandoverOrder::HandOver { to: standby.clone() }));

    harness.commit(&holder, 2).await;
    let order = harness.heartbeat(&session, &holder, "process", held(&session, &standby, 2)).await;
    assert_eq!(order, TranscoderOrder::HandedOver);
    assert_eq!((harness.lease().await, harness.state().await), (standby.clone(), Some(State::Live)));
    let order = harness.heartbeat(&session, &standby, "standby", rehearsing(&session, true)).await;
    let TranscoderOrder::Transcode { source, resume: Some(resume), .. } = order else { panic!("{order:?}") };
    let right = SourceRight { lease: standby.clone(), writes: true };
    assert_eq!(signing().opens_source(source.token.expose(), &session.session, now()), Some(right));
    let last = samples::entry(1, 2);
    assert_eq!((resume.next, resume.discontinuities), (SegmentNumber(3), last.discontinuities));
    assert_eq!((resume.source, resume.video_end), (last.source, last.video.map(|span| span.end())));
    let going = Health { segment: Some(SegmentNumber(3)), ..flowing(&session) };
    harness.heartbeat(&session, &standby, "standby", going).await;
    let old = harness.heartbeat(&session, &holder, "process", held(&session, &standby, 2)).await;
    assert_eq!(old, TranscoderOrder::HandedOver, "an answer that was lost is given again");
    assert_eq!(harness.cluster.started().len(), 2);
    assert_eq!(harness.state().await, Some(State::Live));
}

#[tokio::test]
async fn a_standby_whose_grant_was_written_without_an_answer_is_started() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let holder = harness.lease().await;
    harness.heartbeat_live(&session).await;
    for number in 0..=1 {
        harness.commit(&holder, number).await;
    }
    let hooks =
        harness.hooks(Shim::unanswered(&harness.table, "put_control_record"), harness.cluster.clone());
    Answer::of(hooks.handle(of_holder(&session, &holder, leaving(&session)).request()).await).expect(200);
    let started = harness.cluster.started();
    assert_eq!(started.len(), 2, "{started:?}");
    assert_eq!(Some(started[1].lease.clone()), standby_of(&harness).await);
}

#[tokio::test]
async fn the_standby_s_heartbeat_promotes_where_the_holder_cannot_ask_any_more() {
    let (harness, session, holder, standby) = with_standby().await;
    harness.commit(&holder, 2).await;
    // The peer's API takes the word that it has handed over, and decides nothing.
    let peer = harness.other_region();
    let order = peer.heartbeat(&session, &holder, "process", held(&session, &standby, 2)).await;
    assert_eq!((order, harness.lease().await), (TranscoderOrder::Hold, holder));
    let order = harness.heartbeat(&session, &standby, "standby", rehearsing(&session, true)).await;
    assert!(matches!(order, TranscoderOrder::Transcode { resume: Some(_), .. }), "{order:?}");
    assert_eq!(harness.lease().await, standby);
}

#[tokio::test]
async fn a_holder_goes_on_when_its_standby_cannot() {
    // It has fallen silent, or the timeline does not end where the holder says.
    for (seconds, segment) in [(4, 1), (0, 7)] {
        let (harness, session, holder, standby) = with_standby().await;
        later(seconds);
        let order = harness.heartbeat(&session, &holder, "process", held(&session, &standby, segment)).await;
        let TranscoderOrder::Transcode { handover, .. } = order else { panic!("{order:?}") };
        assert_eq!(handover, Some(HandoverOrder::GoOn { withdrawn: standby.clone() }));
        assert_eq!(harness.lease().await, holder);
        let order = harness.heartbeat(&session, &standby, "standby", rehearsing(&session, true)).await;
        assert_eq!(order, TranscoderOrder::Fenced, "for good");
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_started_costs_its_holder_nothing() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let holder = harness.lease().await;
    harness.heartbeat_live(&session).await;
    harness.cluster.fail(Some("RESOURCE:FARGATE"));
    let order = harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    assert!(matches!(order, TranscoderOrder::Transcode { .. }), "{order:?}");
    let there = replicated(&harness).await;
    assert_eq!((there.standby(), there.lease().unwrap().failures), (None, 0));
    assert!(there.withdrawn().unwrap().reason.contains("RESOURCE:FARGATE"));
    harness.cluster.fail(None);
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    assert_eq!(standby_of(&harness).await, None, "not at once again");
    later(10);
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    assert!(standby_of(&harness).await.is_some());
}

#[tokio::test]
async fn a_stopped_task_of_a_standby_is_told_from_its_holder_s() {
    let (harness, session, holder, standby) = with_standby().await;
    let mut event = sample("lifecycle-task-stopped");
    let lease = |lease: &Lease| json!(lease.to_string());
    event["detail"]["overrides"]["containerOverrides"][0]["environment"][1]["value"] = lease(&standby);
    let report = harness.lifecycle_event(event.clone()).await;
    assert_eq!(report, Report { seen: 1, acted: 1, ..Report::default() });
    assert_eq!((standby_of(&harness).await, harness.lease().await), (None, holder.clone()));
    let started = harness.cluster.started().len();
    later(10);
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    let next = standby_of(&harness).await.expect("it is replaced");
    assert_eq!(harness.cluster.started().len(), started + 1);
    harness.heartbeat(&session, &next, "next", rehearsing(&session, false)).await;

    event["detail"]["overrides"]["containerOverrides"][0]["environment"][1]["value"] = lease(&holder);
    let report = harness.lifecycle_event(event).await;
    assert_eq!(report, Report { seen: 1, acted: 1, ..Report::default() });
    assert_eq!(harness.lease().await, next, "the holder's place is taken");
    assert_eq!(harness.cluster.started().len(), started + 1, "by a task that is there");
}

#[tokio::test]
async fn a_standby_that_never_comes_up_is_found_by_the_sweep() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let holder = harness.lease().await;
    harness.heartbeat_live(&session).await;
    harness.heartbeat(&session, &holder, "process", leaving(&session)).await;
    for _ in 0..12 {
        assert!(standby_of(&harness).await.is_some());
        later(10);
        // The peer's API keeps the holder alive; only the sweep of its own region is there.
        harness.other_region().heartbeat(&session, &holder, "process", flowing(&session)).await;
        harness.sweep().await;
    }
    later(1);
    assert_eq!(harness.sweep().await.acted, 1);
    assert_eq!((standby_of(&harness).await, harness.lease().await), (None, holder));
}

#[tokio::test]
async fn a_task_that_does_not_say_that_it_is_a_standby_is_not_let_write() {
    let (harness, session, holder, standby) = with_standby().await;
    let order = harness.heartbeat(&session, &standby, "standby", flowing(&session)).await;
    assert_eq!(order, TranscoderOrder::Fenced);
    let order = harness.heartbeat(&session, &holder, "process", flowing(&session)).await;
    assert!(matches!(order, TranscoderOrder::Transcode { .. }), "its holder is not fenced: {order:?}");
}

#[tokio::test]
async fn a_holder_whose_handover_cannot_be_decided_is_told_nothing() {
    let (harness, session, holder, standby) = with_standby().await;
    let shim = Shim::new(&harness.table, |action, _| (action == "newest").then_some(FaultKind::Unavailable));
    let hooks = harness.hooks(shim, harness.cluster.clone());
    let answer = hooks.handle(hands_over(&session, &holder, &standby).request()).await;
    assert_eq!(answer.status().as_u16(), 503, "no answer lets it go on");
    assert_eq!(harness.lease().await, holder);
}

fn hands_over(session: &SessionRef, holder: &Lease, standby: &Lease) -> Event {
    of_holder(session, holder, held(session, standby, 1))
}

fn of_holder(session: &SessionRef, holder: &Lease, health: Health) -> Event {
    let mut body = json!({
        "from": "transcoder",
        "stream": session.stream, "broadcast": session.broadcast, "lease": holder,
        "claim": signing().lease_claim(&session.stream, &session.broadcast, holder).expose(),
        "fencing_token": "process",
    });
    body["health"] = json!(health);
    Event::sample("hooks-heartbeat-transcoder").body(&body)
}

#[tokio::test]
async fn a_promotion_that_a_withdrawal_was_stored_before_is_not_stored() {
    let (harness, session, holder, standby) = with_standby().await;
    let other = harness.clone();
    let (event, is_first) = (hands_over(&session, &holder, &standby), Arc::new(AtomicBool::new(true)));
    let shim = Shim::new(&harness.table, {
        let event = hands_over(&session, &holder, &standby);
        move |action, _| {
            if action == "put_control_record" && is_first.swap(false, Ordering::SeqCst) {
                // A second invocation, which finds the standby silent.
                later(4);
                other.hook(&event).now_or_never().expect("it does not wait").expect(200);
            }
            None
        }
    });
    let hooks = harness.hooks(shim, harness.cluster.clone());
    let answer = Answer::of(hooks.handle(event.request()).await).expect(200);
    let order: TranscoderOrder = serde_json::from_value(answer).unwrap();
    assert_ne!(order, TranscoderOrder::HandedOver);
    assert_eq!((harness.lease().await, standby_of(&harness).await), (holder.clone(), None));
    let order = harness.heartbeat(&session, &holder, "process", held(&session, &standby, 1)).await;
    let TranscoderOrder::Transcode { handover, .. } = order else { panic!("{order:?}") };
    assert_eq!(handover, Some(HandoverOrder::GoOn { withdrawn: standby }));
}
