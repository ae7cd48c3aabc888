//! The heartbeat hook: what gateways and transcoders are told to do, in one region and across both.

use headwater_domain::control::State;
use headwater_domain::heartbeat::{Activity, Health};
use headwater_domain::hooks::{GatewayOrders, Secret, SessionOrder, Source, TranscoderOrder};
use headwater_domain::peer::{News, Peer, PeerNow};
use headwater_domain::stream::ColdStart;
use headwater_domain::testing::samples;
use headwater_domain::tokens::SourceRight;
use headwater_domain::{Lease, LeaseNumber, Nonce, SegmentNumber, SessionId};
use serde_json::json;

use crate::support::{Event, Harness, REVISION, flowing, later, now, read_out, signing};

fn stopped(order: SessionOrder) -> String {
    match order {
        SessionOrder::Stop { reason, .. } => reason,
        SessionOrder::Continue => panic!("it goes on"),
    }
}

#[tokio::test]
async fn a_gateway_hears_of_all_its_sessions_at_once() {
    let harness = Harness::seeded().await;
    let first = harness.allowed(1).await;
    let second = harness.allowed(2).await;
    let body = json!({ "from": "gateway", "gateway": harness.gateway(), "sessions": [first, second] });
    let answer = harness.hook(&Event::sample("hooks-heartbeat-gateway").body(&body)).await.expect(200);
    let sessions = &answer["sessions"];
    assert_eq!(sessions[first.session.as_str()]["action"], "stop");
    assert_eq!(sessions[second.session.as_str()], json!({ "action": "continue" }));
    assert_eq!(answer.get("superseded"), None, "a body without revision");
    let none = json!({ "from": "gateway", "gateway": harness.gateway(), "sessions": [] });
    let answer = harness.hook(&Event::sample("hooks-heartbeat-gateway").body(&none)).await.expect(200);
    assert_eq!(answer, json!({ "sessions": {} }));
}

#[tokio::test]
async fn a_gateway_learns_from_its_own_region_that_a_deployment_replaced_it() {
    let harness = Harness::seeded().await;
    let told = async |by: &Harness, revision: Option<&str>| {
        let mut body = json!({ "from": "gateway", "gateway": harness.gateway(), "sessions": [] });
        if let Some(revision) = revision {
            body["revision"] = json!(revision);
        }
        let answer = by.hook(&Event::sample("hooks-heartbeat-gateway").body(&body)).await.expect(200);
        let text = answer.to_string();
        (serde_json::from_value::<GatewayOrders>(answer).unwrap().superseded, text)
    };
    assert_eq!(told(&harness, Some(REVISION)).await.0, Some(false));
    assert_eq!(told(&harness, Some("2023-11-13")).await.0, Some(true));
    // Not known: an older gateway does not say, and the other region is deployed by itself.
    assert_eq!(told(&harness, None).await.0, None);
    let (superseded, text) = told(&harness.other_region(), Some("2023-11-13")).await;
    assert_eq!(superseded, None);
    assert_eq!(text, r#"{"sessions":{}}"#, "an older gateway reads it, too");
}

#[tokio::test]
async fn a_control_plane_without_a_revision_supersedes_nobody() {
    let harness = Harness::seeded().await;
    let mut function = harness.hooks(harness.table.clone(), harness.cluster.clone());
    function.revision = None;
    let event = Event::sample("hooks-heartbeat-gateway");
    let answer = crate::support::Answer::of(function.handle(event.request()).await).expect(200);
    assert_eq!(answer.get("superseded"), None);
}

#[tokio::test]
async fn every_answer_says_who_the_peer_is_or_that_there_is_none_or_nothing() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let lease = harness.lease().await;
    let claim = signing().lease_claim(&session.stream, &session.broadcast, &lease);
    let of_session = |event: &str, mut body: serde_json::Value| {
        let names = json!(session);
        body.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        Event::sample(event).body(&body)
    };
    let gateway = json!(harness.gateway());
    let asked = json!({ "from": "gateway", "gateway": gateway, "sessions": [session] });
    let task = json!({ "from": "transcoder", "lease": lease, "claim": claim, "fencing_token": "b", "health": Health::starting() });
    let events = [
        harness.publish_event(2),
        harness.publish_event(3).edit(|body| body["key"] = json!("nonsense")),
        Event::sample("hooks-heartbeat-gateway").body(&asked),
        of_session("hooks-heartbeat-transcoder", task),
        of_session("hooks-unpublish", json!({ "gateway": gateway, "reason": "done" })),
    ];
    let there =
        Peer::new("eu-west-1".parse().unwrap(), "https://a1b2.execute-api.example.com", "bucket").unwrap();
    for known in [None, Some(PeerNow(None)), Some(PeerNow(Some(there)))] {
        let mut function = harness.hooks(harness.table.clone(), harness.cluster.clone());
        function.peer = known.clone();
        for event in &events {
            let answer = crate::support::Answer::of(function.handle(event.request()).await).expect(200);
            assert_eq!(serde_json::from_value::<News>(answer).unwrap().peer, known);
        }
    }
}

#[tokio::test]
async fn a_gateway_is_told_to_stop_within_one_heartbeat_of_the_cause() {
    for (cause, reason) in [
        ("api-stop-stream", "the stream was stopped by its owner"),
        ("api-delete-stream", "the stream was deleted"),
        ("api-revoke-key", "the stream key was revoked"),
    ] {
        for by_peer in [false, true] {
            let harness = Harness::seeded().await;
            let session = harness.allowed(1).await;
            assert_eq!(harness.order(&session).await, SessionOrder::Continue);
            let api = if by_peer { harness.other_region() } else { harness.clone() };
            let answer = api.ask(&Event::sample(cause)).await;
            assert!(answer.status.is_success(), "{cause}: {}", answer.text());
            assert_eq!(stopped(harness.order(&session).await), reason);
        }
    }
}

#[tokio::test]
async fn a_session_that_this_region_has_not_heard_of_goes_on() {
    let (here, elsewhere) = (Harness::seeded().await, Harness::seeded().await);
    let session = elsewhere.allowed(1).await;
    assert_eq!(here.order(&session).await, SessionOrder::Continue, "it may not be replicated yet");
}

#[tokio::test]
async fn a_transcoder_learns_its_source_and_a_token_that_opens_it() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let order = harness.heartbeat(&session, &harness.lease().await, "process", Health::starting()).await;
    let TranscoderOrder::Transcode { source, earlier, settings, resume, started_at, resume_after, handover } =
        order
    else {
        panic!("{order:?}")
    };
    assert_eq!(earlier, []);
    assert_eq!(source.session, session.session);
    assert_eq!(source.url, format!("http://10.9.1.5:8936/sources/{}", session.session), "one slash");
    assert_eq!(*settings, samples::stream().settings.transcode());
    assert_eq!((resume, started_at.0, resume_after, handover), (None, crate::support::T0, None, None));
    let token: &Secret = &source.token;
    let writer = SourceRight { lease: harness.lease().await, writes: true };
    assert_eq!(signing().opens_source(token.expose(), &session.session, now()), Some(writer));
    let other = headwater_domain::SessionId::from_random(2);
    assert_eq!(signing().opens_source(token.expose(), &other, now()), None);
    later(601);
    assert_eq!(signing().opens_source(token.expose(), &session.session, now()), None, "a leaked token dies");
    let TranscoderOrder::Transcode { source, .. } = harness.heartbeat_live(&session).await else {
        panic!("no source")
    };
    assert!(
        signing().opens_source(source.token.expose(), &session.session, now()).is_some(),
        "each heartbeat has a fresh one"
    );
}

/// Sessions that an order names, each with a token that opens it; the one that publishes is the last.
fn named(order: TranscoderOrder) -> Vec<SessionId> {
    let TranscoderOrder::Transcode { source, earlier, .. } = order else { panic!("{order:?}") };
    let sources = earlier.into_iter().chain([source]);
    let opened = |source: Source| {
        assert!(signing().opens_source(source.token.expose(), &source.session, now()).is_some());
        assert_eq!(source.url, format!("http://10.9.1.5:8936/sources/{}", source.session));
        source.session
    };
    sources.map(opened).collect()
}

#[tokio::test]
async fn a_task_that_comes_up_late_reads_the_sessions_that_came_and_went_before_it() {
    let harness = Harness::seeded().await;
    let mut sessions = Vec::new();
    for number in 1..=3 {
        sessions.push(harness.allowed(number).await);
        later(10);
    }
    let ids: Vec<_> = sessions.iter().map(|session| session.session.clone()).collect();
    let (last, lease) = (&sessions[2], harness.lease().await);
    let health = |session: Option<usize>, lost: bool| Health {
        session: session.map(|at| ids[at].clone()),
        source_lost_since: lost.then(now),
        ..Health::starting()
    };
    let order =
        async |session, lost| named(harness.heartbeat(last, &lease, "process", health(session, lost)).await);
    assert_eq!(order(None, false).await, ids, "it has read nothing yet");
    assert_eq!(order(Some(0), false).await, ids[1..], "what it has begun is its own business");
    assert_eq!(order(Some(1), true).await, ids[2..]);
    assert_eq!(order(Some(2), false).await, ids[2..]);
    // A lease after it begins where it ended, which is in the second.
    let mut entry = samples::entry(1, 0);
    (entry.broadcast, entry.lease, entry.source.session) =
        (last.broadcast.clone(), lease.clone(), ids[1].clone());
    harness.put(entry).await;
    later(16);
    assert_eq!(harness.sweep().await.acted, 1);
    let starting = harness.heartbeat(last, &harness.lease().await, "process 2", Health::starting()).await;
    assert_eq!(named(starting), ids[1..]);
}

#[tokio::test]
async fn only_so_many_sessions_are_remembered() {
    let harness = Harness::seeded().await;
    let mut last = harness.allowed(1).await;
    for number in 2..=9 {
        last = harness.allowed(number).await;
    }
    let order = harness.heartbeat(&last, &harness.lease().await, "process", Health::starting()).await;
    assert_eq!(named(order), [5, 6, 7, 8, 9].map(SessionId::from_random));
}

#[tokio::test]
async fn who_starts_at_the_live_edge_does_not_read_what_is_older() {
    let harness = Harness::with(|stream| stream.settings.cold_start = ColdStart::LiveEdge).await;
    harness.allowed(1).await;
    let last = harness.allowed(2).await;
    let order = harness.heartbeat(&last, &harness.lease().await, "process", Health::starting()).await;
    assert_eq!(named(order), [last.session]);
}

#[tokio::test]
async fn a_replacement_resumes_behind_what_the_lower_lease_wrote() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let first = harness.lease().await;
    harness.heartbeat_live(&session).await;
    for number in 0..=45 {
        harness.commit(&first, number).await;
    }
    later(16);
    assert_eq!(harness.sweep().await.acted, 1);
    let second = harness.lease().await;
    assert!(second > first);
    let starting = harness.heartbeat(&session, &second, "process 2", Health::starting()).await;
    let TranscoderOrder::Transcode { resume: Some(resume), .. } = starting else { panic!("{starting:?}") };
    let last = samples::entry(1, 45);
    assert_eq!(resume.next, SegmentNumber(46));
    assert_eq!((resume.source.cursor, resume.until), (last.source.cursor, last.until()));
    assert_eq!(resume.video_end, last.video.map(|span| span.end()));
    assert_eq!(resume.audio_end, last.audio.map(|span| span.end()));
    assert_eq!(resume.inits.len(), 2);

    assert_eq!(
        harness.heartbeat(&session, &first, "process", flowing(&session)).await,
        TranscoderOrder::Fenced
    );
    harness.commit(&second, 46).await;
    let going = harness.heartbeat(&session, &second, "process 2", flowing(&session)).await;
    assert!(
        matches!(going, TranscoderOrder::Transcode { resume: None, .. }),
        "it knows where it stands: {going:?}"
    );
}

#[tokio::test]
async fn one_lease_is_one_process() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let lease = harness.lease().await;
    assert!(matches!(
        harness.heartbeat(&session, &lease, "a", flowing(&session)).await,
        TranscoderOrder::Transcode { .. }
    ));
    for _ in 0..2 {
        assert_eq!(
            harness.heartbeat(&session, &lease, "b", flowing(&session)).await,
            TranscoderOrder::Fenced
        );
    }
    assert!(matches!(
        harness.heartbeat(&session, &lease, "a", flowing(&session)).await,
        TranscoderOrder::Transcode { .. }
    ));
}

#[tokio::test]
async fn a_transcoder_waits_for_a_lost_publisher_and_stops_after_the_window() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.unpublish(&session).await;
    let lease = harness.lease().await;
    let reading = harness.heartbeat(&session, &lease, "process", flowing(&session)).await;
    assert!(matches!(reading, TranscoderOrder::Transcode { .. }), "the gateway may have more: {reading:?}");
    for _ in 0..5 {
        assert_eq!(
            harness.heartbeat(&session, &lease, "process", read_out(&session)).await,
            TranscoderOrder::Wait
        );
        later(10);
    }
    later(10);
    let order = harness.heartbeat(&session, &lease, "process", read_out(&session)).await;
    assert!(matches!(&order, TranscoderOrder::Stop { reason } if reason.contains("window")), "{order:?}");
}

#[tokio::test]
async fn a_transcoder_whose_source_is_lost_for_good_stops() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let lost = Health { source_lost_since: Some(now()), ..flowing(&session) };
    let lease = harness.lease().await;
    let tried = harness.heartbeat(&session, &lease, "process", lost.clone()).await;
    assert!(matches!(tried, TranscoderOrder::Transcode { .. }), "it tries again until the window is over");
    assert_eq!(harness.state().await, Some(State::Reconnecting));
    later(60);
    assert!(matches!(
        harness.heartbeat(&session, &lease, "process", lost).await,
        TranscoderOrder::Stop { .. }
    ));
}

#[tokio::test]
async fn a_transcoder_stops_when_its_broadcast_was_stopped_or_followed() {
    let harness = Harness::seeded().await;
    let first = harness.allowed(1).await;
    let lease = harness.lease().await;
    harness.heartbeat_live(&first).await;
    harness.ask(&Event::sample("api-stop-stream")).await.expect(202);
    let order = harness.heartbeat(&first, &lease, "process", read_out(&first)).await;
    assert!(matches!(&order, TranscoderOrder::Stop { reason } if reason.contains("owner")), "{order:?}");
    harness.allowed(2).await;
    assert!(matches!(
        harness.heartbeat(&first, &lease, "process", flowing(&first)).await,
        TranscoderOrder::Stop { .. }
    ));
}

#[tokio::test]
async fn an_encoder_that_comes_back_in_the_other_region_takes_the_next_lease_there() {
    let a = Harness::seeded().await;
    let b = a.other_region();
    let first = a.allowed(1).await;
    let lease_a = a.lease().await;
    a.heartbeat_live(&first).await;
    for number in 0..=9 {
        a.commit(&lease_a, number).await;
    }
    later(20); // region A is lost without a word; its last entry was committed half a second after T0 + 20 s
    let second = b.allowed(2).await;
    assert_eq!((&second.broadcast, second.order), (&first.broadcast, 2));
    let lease_b = b.lease().await;
    assert_eq!((lease_b.number, &lease_b.region), (LeaseNumber(2), &samples::region_b()));
    assert_eq!(a.cluster.started().last().unwrap().lease, lease_b);

    later(10);
    let order = b.heartbeat(&second, &lease_b, "process b", Health::starting()).await;
    let TranscoderOrder::Transcode { resume: Some(resume), source, .. } = order else { panic!("{order:?}") };
    // 9.5 s since the last entry that this region has seen, plus two: room for what may be on its way still.
    assert_eq!(resume.next, SegmentNumber(10 + 10 + 2));
    assert!(source.url.starts_with(&b.gateway().source));

    // A wakes up again: its session and its transcoder have lost.
    assert!(stopped(a.order(&first).await).contains("taken over"));
    assert_eq!(a.heartbeat(&first, &lease_a, "process", flowing(&first)).await, TranscoderOrder::Fenced);
    assert_eq!(b.order(&second).await, SessionOrder::Continue);
}

#[tokio::test]
async fn when_a_region_s_api_is_down_the_peer_starts_the_task_in_the_gateway_s_region() {
    let a = Harness::seeded().await;
    let b = a.other_region();
    let event = a.publish_event(1); // a gateway of region A
    let answer = b.hook(&event).await.expect(200);
    assert_eq!(answer["decision"], "allow");
    assert_eq!(a.cluster.started()[0].lease.region, samples::region_a());
    assert!(matches!(a.hook(&event).await.expect(200)["decision"].as_str(), Some("allow")));
    assert_eq!(a.cluster.started().len(), 1, "the repetition in the other region is the same request");
}

#[tokio::test]
async fn heartbeats_through_both_regions_are_one_life() {
    let a = Harness::seeded().await;
    let b = a.other_region();
    let session = a.allowed(1).await;
    a.heartbeat_live(&session).await;
    later(10);
    b.heartbeat_live(&session).await; // A's API is down
    later(10);
    assert_eq!(a.state().await, Some(State::Live));
    assert_eq!(a.sweep().await.acted + b.sweep().await.acted, 0, "nobody replaces it");
}

#[tokio::test]
async fn a_stray_lease_gets_no_source() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let old = Lease { number: LeaseNumber(0), region: harness.region.clone(), nonce: Nonce::from_random(9) };
    assert_eq!(harness.heartbeat(&session, &old, "x", flowing(&session)).await, TranscoderOrder::Fenced);
    let leaving = Health { activity: Activity::Leaving, ..flowing(&session) };
    harness.heartbeat(&session, &harness.lease().await, "process", leaving).await;
    assert_ne!(harness.state().await, Some(State::Live), "who leaves does not serve");
}
