//! Where one answer turns into the next, to the millisecond; and which replaced sessions a task has yet to read.

use std::time::Duration;

use super::*;
use crate::heartbeat::DEAD_AFTER;
use crate::hooks::Gateway;
use crate::stream::ColdStart;
use crate::testing::samples;
use crate::timeline::ResumePoint;

const WINDOW: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

impl Harness {
    /// What `is` says just before, at, and just after so long from now.
    fn around<T>(&self, after: Duration, is: impl Fn(&ReplicatedState, Timestamp) -> T) -> [T; 3] {
        let at = self.now + after;
        [Timestamp(at.0 - 1), at, at + MOMENT].map(|now| is(&self.replicated, now))
    }
}

#[test]
fn a_lease_lives_for_as_long_as_its_task_is_believed_and_no_longer() {
    let mut harness = Harness::new();
    harness.publish(1);
    assert_eq!(harness.around(START_PATIENCE, ReplicatedState::lease_lives), [true, true, false]);
    harness.later(30).heartbeat();
    assert_eq!(harness.around(DEAD_AFTER, ReplicatedState::lease_lives), [true, true, false]);
    let broadcast = harness.replicated.broadcast().cloned().unwrap();
    let is_written = |replicated: &ReplicatedState, now| replicated.is_written(&broadcast, now);
    assert_eq!(harness.around(DEAD_AFTER, is_written), [true, true, false]);
    let other = crate::ids::BroadcastId::new(&stream().id, T0 + 9, 9);
    assert!(!harness.replicated.is_written(&other, harness.now), "another broadcast is not");

    harness.heartbeat_with("process", |health| health.activity = Activity::Leaving);
    assert!(!harness.replicated.lease_lives(harness.now), "one that says goodbye is gone");
    assert!(!harness.replicated.is_written(&broadcast, harness.now));
}

#[test]
fn live_ends_with_the_heartbeats_or_with_the_commits() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(30).heartbeat();
    let state = |replicated: &ReplicatedState, now| replicated.state(now).unwrap();
    assert_eq!(harness.around(DEAD_AFTER, state), [State::Live, State::Live, State::Reconnecting]);
    for (age, expected) in [(0, State::Live), (1, State::Reconnecting)] {
        let committed = Timestamp(harness.now.0 - u64::try_from(LIVE_WITHIN.as_millis()).unwrap() - age);
        harness.heartbeat_with("process", |health| health.committed_at = Some(committed));
        assert_eq!(harness.state(), Some(expected), "{age} ms more than is allowed");
    }
}

#[test]
fn silence_counts_as_loss_after_window_and_patience() {
    let mut harness = Harness::new();
    harness.publish(1);
    let lost = |replicated: &ReplicatedState, now| replicated.lost_since(now).is_some();
    let late = START_PATIENCE + WINDOW + PEER_PATIENCE;
    assert_eq!(harness.around(late, lost), [false, false, true], "a task that never comes");
    assert_eq!(harness.around(late, ReplicatedState::is_presumed_lost), [false, false, true]);
    harness.later(30).heartbeat();
    assert_eq!(harness.around(WINDOW + PEER_PATIENCE, lost), [false, false, true], "one that falls silent");
    harness.unpublish(1);
    assert!(!harness.replicated.is_presumed_lost(harness.now + 2 * late), "what was said is no presumption");
    let ended = |replicated: &ReplicatedState, now| replicated.ended_at(now).is_some();
    assert_eq!(harness.around(WINDOW, ended), [false, true, true]);
    assert_eq!(harness.around(WINDOW, ReplicatedState::is_published), [false; 3]);
}

#[test]
fn a_session_is_unread_until_a_task_has_come_to_its_end() {
    let mut harness = Harness::new();
    assert!(!harness.replicated.is_unread(), "nobody has published");
    harness.publish(1);
    assert!(harness.replicated.is_unread());
    harness.later(5).heartbeat();
    assert!(harness.replicated.is_unread(), "it is being read");
    let now = harness.now;
    harness.heartbeat_with("process", |health| {
        (health.session, health.source_lost_since) = (Some(SessionId::from_random(9)), Some(now));
    });
    assert!(harness.replicated.is_unread(), "another one was read to its end");
    harness.heartbeat_with("process", |health| health.source_lost_since = Some(now));
    assert!(!harness.replicated.is_unread());
}

#[test]
fn the_peer_ends_a_broadcast_of_the_other_region_only_after_a_minute_more() {
    let mut harness = Harness::new();
    harness.publish_at(1, &region_b());
    let gone = decide::unpublish(
        &harness.replicated,
        &harness.own(&region_b()),
        &SessionId::from_random(1),
        "encoder left",
        harness.now,
    );
    harness.put(gone.unwrap());
    let ends = WINDOW + PEER_PATIENCE;
    harness.now = Timestamp((harness.now + ends).0 - 1);
    assert_eq!(harness.sweep(), None);
    harness.now = harness.now + MOMENT;
    let end = harness.sweep().unwrap().record.end.unwrap();
    assert_eq!((end.at, end.failed), (Timestamp(T0) + WINDOW, false), "it ended when its window did");
}

#[test]
fn a_silence_must_be_found_again_before_it_ends_a_broadcast() {
    const CONFIRMED_AFTER: Duration = Duration::from_secs(45);
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(30).heartbeat();
    harness.later(60 + 60 + 61);
    let first = harness.sweep().unwrap().record;
    assert!(first.end.is_none() && first.suspicion.is_some());
    harness.now = Timestamp((harness.now + CONFIRMED_AFTER).0 - 1);
    assert_eq!(harness.sweep(), None);
    harness.now = harness.now + MOMENT;
    assert!(harness.sweep().unwrap().record.end.is_some());
}

#[test]
fn a_dead_task_is_replaced_by_its_own_region_alone() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(30).heartbeat();
    harness.later(16);
    assert_eq!(harness.reconcile_at(&region_b(), &Trigger::Sweep), None);
    assert!(harness.sweep().unwrap().start.is_some());
    assert_eq!(harness.lease_number(), 2);
    assert_eq!(harness.sweep(), None, "the new one is given time to start");
}

#[test]
fn tasks_that_die_without_media_are_counted_and_those_with_media_or_a_goodbye_are_not() {
    let failures = |change: fn(&mut Health)| {
        let mut harness = Harness::new();
        harness.publish(1);
        harness.later(5).heartbeat_with("process", change);
        let lease = harness.replicated.lease().unwrap().lease.clone();
        let stopped = Trigger::TaskStopped { lease, reason: "Essential container exited".into() };
        let next = harness.reconcile_at(&region_a(), &stopped).unwrap();
        assert!(next.start.is_some());
        next.record.lease.unwrap().failures
    };
    assert_eq!(failures(|health| (health.segment, health.media_until) = (None, None)), 1);
    assert_eq!(failures(|_| ()), 0, "it has made media");
    let left = |health: &mut Health| {
        (health.segment, health.media_until, health.activity) = (None, None, Activity::Leaving);
    };
    assert_eq!(failures(left), 0, "it was asked to leave");
}

fn earlier(session: u128, region: Region) -> EarlierSession {
    let gateway = Gateway { region, source: "http://10.0.0.1:8936".into() };
    EarlierSession { id: SessionId::from_random(session), gateway }
}

/// Which of sessions 1 (region A), 2 (region B) and 3 (region A), before session 4, region A's task reads.
fn unread(reads: Option<u128>, resumes_at: Option<u128>, cold_start: ColdStart) -> Vec<u128> {
    let mut harness = Harness::new();
    harness.publish(4);
    let mut session = harness.replicated.session().unwrap().clone();
    session.earlier = vec![earlier(1, region_a()), earlier(2, region_b()), earlier(3, region_a())];
    session.settings.cold_start = cold_start;
    let health = Health { session: reads.map(SessionId::from_random), ..Health::starting() };
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let heartbeat = TranscoderHeartbeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: session.broadcast.clone(),
        lease: lease.clone(),
        fencing_token: Secret::new("process"),
        health,
    };
    let resume = resumes_at.map(|session| {
        let mut entry = samples::entry(1, 7);
        entry.source.session = SessionId::from_random(session);
        ResumePoint::after(&entry)
    });
    let unread = decide::unread(&session, &heartbeat, resume.as_ref());
    let number =
        |of: &EarlierSession| (1..=3).find(|number| of.id == SessionId::from_random(*number)).unwrap();
    unread.into_iter().map(number).collect()
}

#[test]
fn a_task_reads_the_sessions_of_its_region_that_it_has_not_come_to() {
    use ColdStart::{FirstFrame, LiveEdge};
    assert_eq!(unread(None, None, FirstFrame), [1, 3], "one that begins reads all in reach");
    assert_eq!(unread(None, None, LiveEdge), [0; 0], "but not if only the newest is wanted");
    assert_eq!(unread(Some(4), None, FirstFrame), [0; 0], "it is there");
    assert_eq!(unread(Some(1), None, FirstFrame), [3], "behind what it reads");
    assert_eq!(unread(Some(3), None, FirstFrame), [0; 0]);
    assert_eq!(unread(Some(9), None, FirstFrame), [1, 3], "what it reads is older than all");
    assert_eq!(unread(None, Some(1), FirstFrame), [1, 3], "a successor goes on where the last entry ended");
    assert_eq!(unread(None, Some(3), LiveEdge), [3]);
    assert_eq!(unread(None, Some(4), FirstFrame), [0; 0]);
    assert_eq!(unread(None, Some(9), FirstFrame), [1, 3]);
    assert_eq!(unread(Some(3), Some(1), FirstFrame), [0; 0], "what it reads says more than what was written");
}
