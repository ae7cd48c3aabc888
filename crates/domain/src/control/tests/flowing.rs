//! When a broadcast counts as live, and what is said of one whose source is of no use.

use super::*;
use crate::heartbeat::GivenUp;

fn session(harness: &Harness, session: u128) -> SessionRef {
    let current = harness.replicated.session().unwrap();
    let (broadcast, order) = (current.broadcast.clone(), current.order);
    SessionRef { session: SessionId::from_random(session), stream: stream().id, broadcast, order }
}

fn order(harness: &Harness, number: u128) -> SessionOrder {
    decide::session_order(&harness.replicated, &session(harness, number))
}

/// A heartbeat of a task that committed `ago` seconds before it what is `late` seconds old.
fn commits(harness: &mut Harness, ago: u64, late: u64) -> Option<State> {
    let at = |seconds: u64| Some(Timestamp(harness.now.0 - seconds * SECOND));
    let (committed, until) = (at(ago), at(ago + late));
    harness
        .heartbeat_with("process", |health| (health.committed_at, health.media_until) = (committed, until));
    harness.state()
}

#[test]
fn a_slow_encoder_is_live_however_late_its_media_has_become() {
    let mut harness = Harness::new();
    harness.publish(1);
    for late in [3, 11, 100, 3_600, 86_400] {
        harness.later(late);
        assert_eq!(commits(&mut harness, 2, late), Some(State::Live), "{late} s late");
    }
}

#[test]
fn a_task_that_is_not_heard_to_commit_flows_by_its_media() {
    let mut harness = Harness::new();
    harness.publish(1);
    let now = harness.later(20).now;
    harness.heartbeat_with("process", |health| (health.committed_at, health.media_until) = (None, Some(now)));
    assert_eq!(harness.state(), Some(State::Live), "one of an older version");
}

#[test]
fn what_was_live_is_never_starting_again() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(30).heartbeat_with("process", |health| *health = Health::starting());
    assert_eq!(harness.state(), Some(State::Starting));
    assert_eq!(commits(&mut harness, 0, 3), Some(State::Live));
    // An encoder may be silent for ten seconds, and a segment takes two.
    assert_eq!(commits(harness.later(15), 14, 3), Some(State::Live), "a stall of the network");
    assert_eq!(commits(harness.later(5), 19, 3), Some(State::Reconnecting));
    assert_eq!(commits(harness.later(2), 0, 3), Some(State::Live));
    // Its task dies, and the next one has nothing yet.
    harness.later(16);
    assert!(harness.sweep().unwrap().start.is_some());
    assert_eq!(harness.state(), Some(State::Reconnecting));
    harness.later(40).heartbeat_with("next", |health| *health = Health::starting());
    assert_eq!(
        harness.state(),
        Some(State::Reconnecting),
        "of the heartbeat before only its progress is left"
    );
    harness.unpublish(1);
    harness.later(100).publish(2);
    assert_eq!(harness.state(), Some(State::Starting), "another broadcast");
}

#[test]
fn what_was_live_by_parts_alone_is_not_starting_again_either() {
    let mut harness = Harness::new();
    harness.publish(1);
    let now = harness.later(30).now;
    // Half a second of its first segment.
    harness.heartbeat_with("process", |health| {
        (health.segment, health.media_until, health.committed_at) = (None, Some(now), Some(now));
    });
    assert_eq!(harness.state(), Some(State::Live));
    harness.later(16);
    assert!(harness.sweep().unwrap().start.is_some());
    for fencing_token in ["next", "next"] {
        harness.later(2).heartbeat_with(fencing_token, |health| *health = Health::starting());
        assert_eq!(harness.state(), Some(State::Reconnecting));
    }
}

#[test]
fn an_encoder_whose_task_is_replaced_keeps_its_stream() {
    let mut harness = Harness::new();
    harness.policy = PublishPolicy::Reject;
    harness.publish(1);
    commits(harness.later(30), 0, 3);
    harness.later(16);
    assert_eq!(harness.state(), Some(State::Reconnecting));
    assert!(matches!(harness.publish(2), Publish::Deny(_)), "it is connected all the while");
}

#[test]
fn an_encoder_whose_source_is_given_up_is_told_and_so_is_the_history() {
    for (retry, says_goodbye) in [(false, true), (true, true), (true, false)] {
        let mut harness = Harness::new();
        harness.publish(1);
        commits(harness.later(30), 0, 3);
        assert_eq!(order(&harness, 1), SessionOrder::Continue);
        let (lost, reason) = (Some(harness.now), "picture of 4100x64".to_owned());
        let given_up = Some(GivenUp { reason: reason.clone(), retry, is_source: true });
        harness.heartbeat_with("process", |health| {
            (health.source_lost_since, health.given_up, health.segment) = (lost, given_up, None);
        });
        assert_eq!(order(&harness, 1), SessionOrder::Stop { reason: reason.clone(), retry });
        if says_goodbye {
            // Whatever the gateway calls it.
            harness.unpublish(1);
        }
        let next = harness.later(61).sweep().unwrap();
        assert_eq!(next.record.end.unwrap().reason, reason);
        assert_eq!(order(&harness, 1), SessionOrder::Stop { reason, retry }, "also after the end");
    }
}

/// A broadcast of seconds is over before its task has started.
#[test]
fn what_is_found_after_the_encoder_has_left_is_the_reason_in_the_history() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(2).unpublish(1);
    let reason = "the source cannot be decoded: 9 packets failed; connect again";
    let (lost, given_up) =
        (Some(harness.now), Some(GivenUp { reason: reason.to_owned(), retry: true, is_source: true }));
    harness
        .later(30)
        .heartbeat_with("process", |health| (health.source_lost_since, health.given_up) = (lost, given_up));
    let next = harness.later(35).sweep().unwrap();
    assert_eq!(next.record.end.unwrap().reason, reason);
}

#[test]
fn the_next_connection_begins_anew() {
    let mut harness = Harness::new();
    harness.publish(1);
    let lost = Some(harness.later(30).now);
    let given_up = Some(GivenUp { reason: "cannot be decoded".into(), retry: true, is_source: true });
    harness
        .heartbeat_with("process", |health| (health.source_lost_since, health.given_up) = (lost, given_up));
    harness.unpublish(1);
    harness.later(2).publish(2);
    assert_eq!(order(&harness, 2), SessionOrder::Continue);
    assert!(matches!(harness.heartbeat(), HeartbeatOutcome::Transcode(_)));
}

#[test]
fn viewers_are_told_of_the_source_of_a_broadcast_that_goes_on() {
    let mut harness = Harness::new();
    let told = |harness: &Harness| harness.replicated.source_problem(harness.now).map(str::to_owned);
    assert_eq!(told(&harness), None);
    harness.publish(1);
    harness.later(5).heartbeat_with("process", |health| health.source_problem = Some("no sound".into()));
    assert_eq!(told(&harness).as_deref(), Some("no sound"));
    harness.unpublish(1);
    assert_eq!(told(harness.later(59)).as_deref(), Some("no sound"), "its window is open");
    assert_eq!(told(harness.later(1)), None, "it is over");
    harness.publish(2);
    assert_eq!(told(&harness), None, "another encoder");
}

#[test]
fn viewers_are_told_for_five_minutes_of_a_source_that_could_not_be_used() {
    for is_source in [true, false] {
        let mut harness = Harness::new();
        harness.publish(1);
        let given_up = Some(GivenUp { reason: "too large".into(), retry: false, is_source });
        let lost = Some(harness.later(5).now);
        harness.heartbeat_with("process", |health| {
            (health.source_lost_since, health.given_up) = (lost, given_up);
            health.source_problem = Some("no sound".into());
        });
        let told = |harness: &Harness| harness.replicated.source_problem(harness.now).map(str::to_owned);
        assert_eq!(told(&harness).as_deref(), Some(if is_source { "too large" } else { "no sound" }));
        // Its window of a minute, and five.
        assert_eq!(told(harness.later(360)).is_some(), is_source);
        assert_eq!(told(harness.later(1)), None);
    }
}

#[test]
fn an_end_says_what_is_known_of_it() {
    let ends = |change: &dyn Fn(&mut Health, Timestamp), sweeps: usize| {
        let mut harness = Harness::new();
        harness.publish(1);
        let now = harness.later(30).now;
        harness.heartbeat_with("process", |health| change(health, now));
        harness.later(125);
        let ended = (0..sweeps).find_map(|_| harness.later(60).sweep()?.record.end);
        ended.unwrap().reason
    };
    let out_of_reach = |health: &mut Health, now| {
        health.source_lost_since = Some(now);
        health.problem = Some("the gateway cannot be reached".into());
    };
    assert_eq!(ends(&out_of_reach, 1), "the gateway cannot be reached");
    let over = |health: &mut Health, now| health.source_lost_since = Some(now);
    assert_eq!(ends(&over, 1), "the encoder's connection has ended");
    assert!(ends(&|_, _| (), 3).starts_with("neither gateway nor transcoder"));
}

#[test]
fn an_encoder_that_our_failure_has_cut_off_connects_again() {
    let mut harness = Harness::new();
    harness.publish(1);
    for _ in 1..=MAX_FAILURES {
        let lease = harness.replicated.lease().unwrap().lease.clone();
        let failed = Trigger::StartFailed { lease, reason: "RESOURCE:ENI".into(), throttled: false };
        harness.reconcile_at(&region_a(), &failed);
        harness.later(60).sweep();
    }
    let SessionOrder::Stop { reason, retry } = order(&harness, 1) else { panic!("it goes on") };
    assert!(reason.contains("RESOURCE:ENI") && retry, "{reason}");
}
