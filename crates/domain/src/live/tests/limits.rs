//! Where one answer turns into the next, to the millisecond; and which replaced sessions a task has yet to read.

use std::time::Duration;

use super::*;
use crate::beat::DEAD_AFTER;
use crate::hooks::Gateway;
use crate::stream::ColdStart;
use crate::testing::samples;
use crate::timeline::ResumePoint;

const WINDOW: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

impl World {
    /// What `is` says just before, at, and just after so long from now.
    fn around<T>(&self, after: Duration, is: impl Fn(&Situation, Timestamp) -> T) -> [T; 3] {
        let at = self.now + after;
        [Timestamp(at.0 - 1), at, at + MOMENT].map(|now| is(&self.situation, now))
    }
}

#[test]
fn a_lease_lives_for_as_long_as_its_task_is_believed_and_no_longer() {
    let mut world = World::new();
    world.publish(1);
    assert_eq!(world.around(START_PATIENCE, Situation::lease_lives), [true, true, false]);
    world.later(30).beat();
    assert_eq!(world.around(DEAD_AFTER, Situation::lease_lives), [true, true, false]);
    let broadcast = world.situation.broadcast().cloned().unwrap();
    let is_written = |situation: &Situation, now| situation.is_written(&broadcast, now);
    assert_eq!(world.around(DEAD_AFTER, is_written), [true, true, false]);
    let other = crate::ids::BroadcastId::new(&stream().id, T0 + 9, 9);
    assert!(!world.situation.is_written(&other, world.now), "another broadcast is not");

    world.beat_with("boot", |health| health.activity = Activity::Leaving);
    assert!(!world.situation.lease_lives(world.now), "one that says goodbye is gone");
    assert!(!world.situation.is_written(&broadcast, world.now));
}

#[test]
fn live_ends_with_the_heartbeats_or_with_the_commits() {
    let mut world = World::new();
    world.publish(1);
    world.later(30).beat();
    let state = |situation: &Situation, now| situation.state(now).unwrap();
    assert_eq!(world.around(DEAD_AFTER, state), [State::Live, State::Live, State::Reconnecting]);
    for (age, expected) in [(0, State::Live), (1, State::Reconnecting)] {
        let committed = Timestamp(world.now.0 - u64::try_from(LIVE_WITHIN.as_millis()).unwrap() - age);
        world.beat_with("boot", |health| health.committed_at = Some(committed));
        assert_eq!(world.state(), Some(expected), "{age} ms more than is allowed");
    }
}

#[test]
fn silence_counts_as_loss_after_window_and_patience() {
    let mut world = World::new();
    world.publish(1);
    let lost = |situation: &Situation, now| situation.lost_since(now).is_some();
    let late = START_PATIENCE + WINDOW + PEER_PATIENCE;
    assert_eq!(world.around(late, lost), [false, false, true], "a task that never comes");
    assert_eq!(world.around(late, Situation::is_presumed_lost), [false, false, true]);
    world.later(30).beat();
    assert_eq!(world.around(WINDOW + PEER_PATIENCE, lost), [false, false, true], "one that falls silent");
    world.unpublish(1);
    assert!(!world.situation.is_presumed_lost(world.now + 2 * late), "what was said is no presumption");
    let ended = |situation: &Situation, now| situation.ended_at(now).is_some();
    assert_eq!(world.around(WINDOW, ended), [false, true, true]);
    assert_eq!(world.around(WINDOW, Situation::is_published), [false; 3]);
}

#[test]
fn a_session_is_unread_until_a_task_has_come_to_its_end() {
    let mut world = World::new();
    assert!(!world.situation.is_unread(), "nobody has published");
    world.publish(1);
    assert!(world.situation.is_unread());
    world.later(5).beat();
    assert!(world.situation.is_unread(), "it is being read");
    let now = world.now;
    world.beat_with("boot", |health| {
        (health.session, health.source_lost_since) = (Some(SessionId::from_random(9)), Some(now));
    });
    assert!(world.situation.is_unread(), "another one was read to its end");
    world.beat_with("boot", |health| health.source_lost_since = Some(now));
    assert!(!world.situation.is_unread());
}

#[test]
fn the_peer_ends_a_broadcast_of_the_other_region_only_after_a_minute_more() {
    let mut world = World::new();
    world.publish_at(1, &region_b());
    let gone = decide::unpublish(
        &world.situation,
        &world.own(&region_b()),
        &SessionId::from_random(1),
        "encoder left",
        world.now,
    );
    world.put(gone.unwrap());
    let ends = WINDOW + PEER_PATIENCE;
    world.now = Timestamp((world.now + ends).0 - 1);
    assert_eq!(world.sweep(), None);
    world.now = world.now + MOMENT;
    let end = world.sweep().unwrap().seat.end.unwrap();
    assert_eq!((end.at, end.failed), (Timestamp(T0) + WINDOW, false), "it ended when its window did");
}

#[test]
fn a_silence_must_be_found_again_before_it_ends_a_broadcast() {
    const CONFIRMED_AFTER: Duration = Duration::from_secs(45);
    let mut world = World::new();
    world.publish(1);
    world.later(30).beat();
    world.later(60 + 60 + 61);
    let first = world.sweep().unwrap().seat;
    assert!(first.end.is_none() && first.suspicion.is_some());
    world.now = Timestamp((world.now + CONFIRMED_AFTER).0 - 1);
    assert_eq!(world.sweep(), None);
    world.now = world.now + MOMENT;
    assert!(world.sweep().unwrap().seat.end.is_some());
}

#[test]
fn a_dead_task_is_replaced_by_its_own_region_alone() {
    let mut world = World::new();
    world.publish(1);
    world.later(30).beat();
    world.later(16);
    assert_eq!(world.tend_at(&region_b(), &Occasion::Sweep), None);
    assert!(world.sweep().unwrap().start.is_some());
    assert_eq!(world.lease_number(), 2);
    assert_eq!(world.sweep(), None, "the new one is given time to start");
}

#[test]
fn tasks_that_die_without_media_are_counted_and_those_with_media_or_a_goodbye_are_not() {
    let failures = |change: fn(&mut Health)| {
        let mut world = World::new();
        world.publish(1);
        world.later(5).beat_with("boot", change);
        let lease = world.situation.lease().unwrap().lease.clone();
        let stopped = Occasion::TaskStopped { lease, reason: "Essential container exited".into() };
        let next = world.tend_at(&region_a(), &stopped).unwrap();
        assert!(next.start.is_some());
        next.seat.lease.unwrap().failures
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
    let mut world = World::new();
    world.publish(4);
    let mut session = world.situation.session().unwrap().clone();
    session.earlier = vec![earlier(1, region_a()), earlier(2, region_b()), earlier(3, region_a())];
    session.settings.cold_start = cold_start;
    let health = Health { session: reads.map(SessionId::from_random), ..Health::starting() };
    let lease = world.situation.lease().unwrap().lease.clone();
    let beat = TranscoderBeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: session.broadcast.clone(),
        lease: lease.clone(),
        boot: Secret::new("boot"),
        health,
    };
    let resume = resumes_at.map(|session| {
        let mut entry = samples::entry(1, 7);
        entry.source.session = SessionId::from_random(session);
        ResumePoint::after(&entry)
    });
    let unread = decide::unread(&session, &beat, resume.as_ref());
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
