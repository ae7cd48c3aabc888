//! The life of a broadcast, told as stories.

mod flowing;
mod healing;
mod limits;
mod remembered;

use super::decide::{self, BeatOutcome, Dice, MAX_FAILURES, Next, Occasion, Publish, Publisher};
use super::*;
use crate::beat::{Activity, Health};
use crate::hooks::{DenyKind, Gateway, PublishAnswer, Secret, SessionOrder, SessionRef, TranscoderBeat};
use crate::ids::{KeyId, Region, SegmentNumber, SessionId};
use crate::stream::PublishPolicy;
use crate::testing::samples::{region_a, region_b, stream};
use crate::time::Timestamp;

const SECOND: u64 = 1_000;
const T0: u64 = 1_700_000_000_000;

/// Both regions' items without lag, and a clock.
struct World {
    situation: Situation,
    now: Timestamp,
    policy: PublishPolicy,
    rolls: u128,
}

impl World {
    fn new() -> Self {
        Self {
            situation: Situation::default(),
            now: Timestamp(T0),
            policy: PublishPolicy::Takeover,
            rolls: 0,
        }
    }

    fn later(&mut self, seconds: u64) -> &mut Self {
        self.now = Timestamp(self.now.0 + seconds * SECOND);
        self
    }

    fn own(&self, region: &Region) -> Seat {
        let seat = self.situation.seats.iter().find(|seat| seat.region == *region);
        seat.cloned().unwrap_or_else(|| Seat::empty(stream().id, region.clone()))
    }

    fn put(&mut self, seat: Seat) {
        assert_eq!(seat.version, self.own(&seat.region).version + 1, "a seat is written once per version");
        self.situation.seats.retain(|old| old.region != seat.region);
        self.situation.seats.push(seat);
    }

    fn dice(&mut self) -> Dice {
        self.rolls += 1;
        Dice { broadcast: self.rolls, nonce: self.rolls }
    }

    fn publish_at(&mut self, session: u128, region: &Region) -> Publish {
        let gateway = Gateway { region: region.clone(), source: "http://10.0.0.1:8936".into() };
        let (session, key) = (SessionId::from_random(session), KeyId::from_random(1));
        let publisher = Publisher {
            session: &session,
            gateway: &gateway,
            key: &key,
            key_expires_at: None,
            asked_at: self.now,
        };
        let mut document = stream();
        document.settings.publish_policy = self.policy;
        let dice = self.dice();
        let publish =
            decide::publish(&self.situation, &self.own(region), &document, &publisher, self.now, dice);
        if let Publish::Allow { next: Some(next), .. } = &publish {
            self.put(next.seat.clone());
        }
        publish
    }

    fn publish(&mut self, session: u128) -> Publish {
        self.publish_at(session, &region_a())
    }

    fn beat_with(&mut self, boot: &str, change: impl FnOnce(&mut Health)) -> BeatOutcome {
        let session = self.situation.session().unwrap().clone();
        let lease = self.situation.lease().unwrap().lease.clone();
        let mut health = Health {
            activity: Activity::Transcoding,
            session: Some(session.id.clone()),
            segment: Some(SegmentNumber(1)),
            media_until: Some(self.now),
            ..Health::starting()
        };
        change(&mut health);
        let beat = TranscoderBeat {
            claim: Secret::new("claim"),
            stream: stream().id,
            broadcast: session.broadcast,
            lease,
            boot: Secret::new(boot),
            health,
        };
        let outcome = decide::beat(&self.situation, &beat, boot, self.now);
        if outcome != BeatOutcome::Fenced {
            let stored = decide::record_beat(&region_a(), &self.situation, &beat, boot.into(), self.now);
            self.situation.beats.retain(|old| old.region != stored.region);
            self.situation.beats.push(stored);
        }
        outcome
    }

    fn beat(&mut self) -> BeatOutcome {
        self.beat_with("boot", |_| ())
    }

    fn unpublish(&mut self, session: u128) {
        let session = SessionId::from_random(session);
        let own = self.own(&region_a());
        if let Some(seat) = decide::unpublish(&self.situation, &own, &session, "encoder left", self.now) {
            self.put(seat);
        }
    }

    fn tend_at(&mut self, region: &Region, occasion: &Occasion) -> Option<Next> {
        let dice = self.dice();
        let next = decide::tend(&self.situation, &self.own(region), occasion, self.now, dice)?;
        self.put(next.seat.clone());
        Some(next)
    }

    fn sweep(&mut self) -> Option<Next> {
        self.tend_at(&region_a(), &Occasion::Sweep)
    }

    fn state(&self) -> Option<State> {
        self.situation.state(self.now)
    }

    fn lease_number(&self) -> u32 {
        self.situation.lease().unwrap().lease.number.0
    }
}

fn started(publish: &Publish) -> bool {
    matches!(publish, Publish::Allow { next: Some(next), .. } if next.start.is_some())
}

#[test]
fn an_ordinary_broadcast() {
    let mut world = World::new();
    assert_eq!(world.state(), None);
    assert!(started(&world.publish(1)), "the first publish starts a task");
    assert_eq!(world.state(), Some(State::Starting));
    assert!(matches!(world.later(30).beat(), BeatOutcome::Transcode(_)));
    assert_eq!(world.state(), Some(State::Live));
    world.later(2).unpublish(1);
    assert_eq!(world.state(), Some(State::Reconnecting));
    assert!(matches!(world.beat(), BeatOutcome::Transcode(_)), "the gateway may have media yet to be read");
    let lost = Some(world.now);
    assert_eq!(world.beat_with("boot", |health| health.source_lost_since = lost), BeatOutcome::Wait);
    world.later(61);
    assert_eq!(world.state(), Some(State::Ended), "true without any sweep");
    assert!(matches!(
        world.beat_with("boot", |health| health.source_lost_since = lost),
        BeatOutcome::Stop(_)
    ));
    assert!(!world.situation.is_settled(world.now), "its task may have media yet to write");
    world.beat_with("boot", |health| health.activity = Activity::Leaving);
    assert!(world.situation.is_settled(world.now));
    let next = world.sweep().unwrap();
    assert_eq!(next.seat.end.unwrap().reason, "encoder left");
    assert_eq!(world.sweep(), None, "the sweep is idempotent");
}

#[test]
fn a_reconnect_in_the_window_is_the_same_broadcast_and_task() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).beat();
    let broadcast = world.situation.broadcast().cloned();
    world.unpublish(1);
    world.later(5).beat();
    let again = world.later(5).publish(2);
    assert!(!started(&again), "the task is still there");
    assert_eq!(world.situation.broadcast().cloned(), broadcast);
    assert!(
        matches!(world.beat(), BeatOutcome::Transcode(session) if session.id == SessionId::from_random(2))
    );
    world.unpublish(1);
    assert_eq!(world.state(), Some(State::Live), "a late word on the old session changes nothing");
}

#[test]
fn after_the_window_a_publish_opens_a_new_broadcast_with_a_new_lease_one() {
    let mut world = World::new();
    world.publish(1);
    let first = world.situation.broadcast().cloned().unwrap();
    world.unpublish(1);
    assert!(started(&world.later(100).publish(2)));
    assert!(*world.situation.broadcast().unwrap() > first);
    assert_eq!(world.lease_number(), 1);
}

#[test]
fn a_repeated_publish_request_is_one_session() {
    let mut world = World::new();
    world.publish(1);
    let again = world.publish(1);
    assert!(matches!(again, Publish::Allow { next: None, restart: Some(_), .. }), "{again:?}");
    world.beat();
    assert!(matches!(world.publish(1), Publish::Allow { next: None, restart: None, .. }));
}

#[test]
fn the_newest_publisher_wins_or_is_refused_as_the_stream_says() {
    let mut world = World::new();
    world.publish(1);
    world.beat();
    assert!(matches!(world.publish(2), Publish::Allow { .. }));
    let old = |order| SessionRef {
        session: SessionId::from_random(1),
        stream: stream().id,
        broadcast: world.situation.broadcast().cloned().unwrap(),
        order,
    };
    assert!(matches!(decide::session_order(&world.situation, &old(1)), SessionOrder::Stop { .. }));
    assert_eq!(
        decide::session_order(&world.situation, &old(3)),
        SessionOrder::Continue,
        "a session the peer accepted and that is not replicated yet goes on"
    );

    world.policy = PublishPolicy::Reject;
    let refused = world.publish(3);
    let Publish::Deny(PublishAnswer::Deny { kind, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(kind, DenyKind::AlreadyPublishing);
    world.unpublish(2);
    assert!(matches!(world.publish(3), Publish::Allow { .. }), "a lost publisher may come back");
}

#[test]
fn a_dead_task_is_replaced_and_fenced() {
    let mut world = World::new();
    world.publish(1);
    world.later(20).beat();
    assert_eq!(world.sweep(), None, "a living task is left alone");
    let lease = world.situation.lease().unwrap().lease.clone();
    let stopped = Occasion::TaskStopped { lease: lease.clone(), reason: "exit 137".into() };
    let next = world.tend_at(&region_a(), &stopped).unwrap();
    assert_eq!(next.start.unwrap().lease.number.0, 2);
    assert_eq!(world.tend_at(&region_a(), &stopped), None, "the same event again does nothing");
    let late = TranscoderBeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: world.situation.broadcast().cloned().unwrap(),
        lease,
        boot: Secret::new("boot"),
        health: Health::starting(),
    };
    assert_eq!(decide::beat(&world.situation, &late, "boot", world.now), BeatOutcome::Fenced);
}

#[test]
fn a_silent_task_is_no_longer_live_and_the_sweep_replaces_it() {
    let mut world = World::new();
    world.publish(1);
    world.later(20).beat();
    world.later(16);
    assert_eq!(world.state(), Some(State::Reconnecting), "nothing is live without a heartbeat");
    assert!(world.sweep().unwrap().start.is_some());
    assert_eq!(world.lease_number(), 2);
    assert_eq!(world.sweep(), None, "the new task gets its time to start");
}

#[test]
fn tasks_that_keep_failing_fail_the_broadcast() {
    let mut world = World::new();
    world.publish(1);
    for failure in 1..=MAX_FAILURES {
        let lease = world.situation.lease().unwrap().lease.clone();
        let failed = Occasion::StartFailed { lease, reason: "RESOURCE:ENI".into(), throttled: false };
        assert_eq!(world.tend_at(&region_a(), &failed).unwrap().start, None, "not again at once");
        assert_eq!(world.later(60).sweep().is_some(), failure < MAX_FAILURES, "but with the next sweep");
    }
    assert_eq!(world.state(), Some(State::Failed));
    assert!(world.situation.end().unwrap().reason.contains("RESOURCE:ENI"));
}

#[test]
fn waiting_for_one_s_turn_is_no_failure() {
    let mut world = World::new();
    world.publish(1);
    let lease = |world: &World| world.situation.lease().unwrap().lease.clone();
    let throttle = |world: &mut World| {
        let failed =
            Occasion::StartFailed { lease: lease(world), reason: "Rate exceeded".into(), throttled: true };
        assert_eq!(world.tend_at(&region_a(), &failed).unwrap().start, None);
        assert!(world.later(60).sweep().unwrap().start.is_some(), "its turn comes again");
    };
    for _ in 0..3 * MAX_FAILURES {
        throttle(&mut world);
    }
    // Failures in between are not forgotten for it.
    for failure in 1..=MAX_FAILURES {
        let failed =
            Occasion::StartFailed { lease: lease(&world), reason: "RESOURCE:ENI".into(), throttled: false };
        world.tend_at(&region_a(), &failed).unwrap();
        if failure < MAX_FAILURES {
            world.later(60).sweep().unwrap();
            throttle(&mut world);
        }
    }
    world.later(60).sweep();
    assert_eq!(world.state(), Some(State::Failed));
}

#[test]
fn what_a_publisher_left_behind_gets_its_task() {
    let mut world = World::new();
    world.publish(1);
    let lease = world.situation.lease().unwrap().lease.clone();
    let failed = Occasion::StartFailed { lease, reason: "ThrottlingException".into(), throttled: true };
    world.tend_at(&region_a(), &failed);
    world.later(20).unpublish(1);
    assert!(world.later(20).sweep().unwrap().start.is_some(), "nobody has read it");
    world.beat();
    let read = Some(world.now);
    world.beat_with("boot", |health| health.source_lost_since = read);
    let lease = world.situation.lease().unwrap().lease.clone();
    let stopped = Occasion::TaskStopped { lease, reason: "Spot".into() };
    assert_eq!(world.tend_at(&region_a(), &stopped).unwrap().start, None, "all of it was read");
}

#[test]
fn one_lease_serves_one_process() {
    let mut world = World::new();
    world.publish(1);
    assert!(matches!(world.beat_with("one", |_| ()), BeatOutcome::Transcode(_)));
    assert_eq!(world.beat_with("two", |_| ()), BeatOutcome::Fenced);
}

#[test]
fn a_gateway_that_dies_without_a_word_is_noticed_by_its_transcoder() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).beat();
    let lost = world.now;
    let outcome = world.later(5).beat_with("boot", |health| health.source_lost_since = Some(lost));
    assert!(matches!(outcome, BeatOutcome::Transcode(_)), "it keeps trying");
    assert_eq!(world.state(), Some(State::Reconnecting));
    world.later(60);
    assert!(matches!(world.beat_with("boot", |h| h.source_lost_since = Some(lost)), BeatOutcome::Stop(_)));
    assert_eq!(world.state(), Some(State::Ended));
}

#[test]
fn a_lost_region_hands_over() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).beat();
    let broadcast = world.situation.broadcast().cloned();
    let taken = world.later(10).publish_at(2, &region_b());
    assert!(started(&taken), "the other region needs its own task");
    assert_eq!(world.situation.broadcast().cloned(), broadcast);
    assert_eq!(world.lease_number(), 2);
    assert_eq!(world.situation.lease().unwrap().lease.region, region_b());
    assert_eq!(world.sweep(), None, "region A leaves region B's lease alone");
}

#[test]
fn a_region_that_falls_silent_does_not_stay_live_for_ever() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).beat();
    world.later(60 + 60);
    assert_eq!(world.state(), Some(State::Reconnecting), "not live; its encoder may still be there");
    assert_eq!(
        world.tend_at(&region_b(), &Occasion::Sweep),
        None,
        "the peer waits for the window and a minute"
    );
    world.later(1);
    assert_eq!(world.state(), Some(State::Ended));
    let suspected = world.tend_at(&region_b(), &Occasion::Sweep).unwrap();
    assert_eq!(suspected.seat.end, None, "it may itself have been away, and be told what it has missed");
    assert_eq!(world.tend_at(&region_b(), &Occasion::Sweep), None, "twice at once is no confirmation");
    let next = world.later(60).tend_at(&region_b(), &Occasion::Sweep).unwrap();
    assert!(next.seat.end.is_some() && next.start.is_none(), "the peer may only end it");
}

#[test]
fn a_region_that_comes_back_ends_nothing_for_not_having_heard_of_it() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).beat();
    world.later(600);
    assert_eq!(world.sweep().unwrap().seat.end, None);
    world.beat();
    assert_eq!(world.later(2).state(), Some(State::Live), "replication has caught up");
    assert_eq!(world.later(10).sweep(), None);
    assert_eq!(world.situation.end(), None);
}

#[test]
fn a_revoked_key_or_a_deleted_stream_ends_the_session() {
    let mut world = World::new();
    world.publish(1);
    world.beat();
    let own = world.own(&region_b());
    assert_eq!(decide::kick(&world.situation, &own, |_| false, "revoked", false, world.now), None);
    let seat = decide::kick(&world.situation, &own, |_| true, "the stream key was revoked", false, world.now)
        .unwrap();
    world.put(seat);
    let session = SessionRef {
        session: SessionId::from_random(1),
        stream: stream().id,
        broadcast: world.situation.broadcast().cloned().unwrap(),
        order: 1,
    };
    let order = decide::session_order(&world.situation, &session);
    assert_eq!(order, SessionOrder::Stop { reason: "the stream key was revoked".into(), retry: false });
    assert_eq!(world.state(), Some(State::Reconnecting), "another key may go on with the broadcast");
}

#[test]
fn a_task_that_starts_after_the_end_still_reads_what_was_sent() {
    let mut world = World::new();
    world.publish(1);
    world.later(5).unpublish(1);
    world.later(62);
    assert_eq!(world.state(), Some(State::Ended));
    assert!(!world.situation.is_settled(world.now));
    let starting = |health: &mut Health| *health = Health::starting();
    assert!(matches!(world.beat_with("boot", starting), BeatOutcome::Transcode(_)));
    let lost = Some(world.now);
    assert!(matches!(
        world.beat_with("boot", |health| health.source_lost_since = lost),
        BeatOutcome::Stop(_)
    ));
}
