//! The life of a broadcast, told as stories.

mod flowing;
mod handover;
mod handover_walk;
mod healing;
mod limits;
mod remembered;

use super::decide::{self, Entropy, HeartbeatOutcome, MAX_FAILURES, Next, Publish, Publisher, Trigger};
use super::*;
use crate::heartbeat::{Activity, Health};
use crate::hooks::{DenyKind, Gateway, PublishAnswer, Secret, SessionOrder, SessionRef, TranscoderHeartbeat};
use crate::ids::{KeyId, Region, SegmentNumber, SessionId};
use crate::stream::PublishPolicy;
use crate::testing::samples::{region_a, region_b, stream};
use crate::time::Timestamp;

const SECOND: u64 = 1_000;
const T0: u64 = 1_700_000_000_000;

/// Both regions' items without lag, and a clock.
struct Harness {
    replicated: ReplicatedState,
    now: Timestamp,
    policy: PublishPolicy,
    rolls: u128,
}

impl Harness {
    fn new() -> Self {
        Self {
            replicated: ReplicatedState::default(),
            now: Timestamp(T0),
            policy: PublishPolicy::Takeover,
            rolls: 0,
        }
    }

    fn later(&mut self, seconds: u64) -> &mut Self {
        self.now = Timestamp(self.now.0 + seconds * SECOND);
        self
    }

    fn own(&self, region: &Region) -> ControlRecord {
        let record = self.replicated.records.iter().find(|record| record.region == *region);
        record.cloned().unwrap_or_else(|| ControlRecord::empty(stream().id, region.clone()))
    }

    fn put(&mut self, record: ControlRecord) {
        assert_eq!(
            record.version,
            self.own(&record.region).version + 1,
            "a control record is written once per version"
        );
        self.replicated.records.retain(|old| old.region != record.region);
        self.replicated.records.push(record);
    }

    fn entropy(&mut self) -> Entropy {
        self.rolls += 1;
        Entropy { broadcast: self.rolls, nonce: self.rolls }
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
        let entropy = self.entropy();
        let publish =
            decide::publish(&self.replicated, &self.own(region), &document, &publisher, self.now, entropy);
        if let Publish::Allow { next: Some(next), .. } = &publish {
            self.put(next.record.clone());
        }
        publish
    }

    fn publish(&mut self, session: u128) -> Publish {
        self.publish_at(session, &region_a())
    }

    fn heartbeat_with(&mut self, fencing_token: &str, change: impl FnOnce(&mut Health)) -> HeartbeatOutcome {
        let session = self.replicated.session().unwrap().clone();
        let lease = self.replicated.lease().unwrap().lease.clone();
        let mut health = Health {
            activity: Activity::Transcoding,
            session: Some(session.id.clone()),
            segment: Some(SegmentNumber(1)),
            media_until: Some(self.now),
            ..Health::starting()
        };
        change(&mut health);
        let heartbeat = TranscoderHeartbeat {
            claim: Secret::new("claim"),
            stream: stream().id,
            broadcast: session.broadcast,
            lease,
            fencing_token: Secret::new(fencing_token),
            health,
        };
        let outcome = decide::heartbeat(&self.replicated, &heartbeat, fencing_token, self.now);
        if outcome != HeartbeatOutcome::Fenced {
            let stored = decide::record_heartbeat(
                &region_a(),
                &self.replicated,
                &heartbeat,
                fencing_token.into(),
                self.now,
            );
            self.replicated.heartbeats.retain(|old| old.region != stored.region);
            self.replicated.heartbeats.push(stored);
        }
        outcome
    }

    fn heartbeat(&mut self) -> HeartbeatOutcome {
        self.heartbeat_with("process", |_| ())
    }

    fn unpublish(&mut self, session: u128) {
        let session = SessionId::from_random(session);
        let own = self.own(&region_a());
        if let Some(record) = decide::unpublish(&self.replicated, &own, &session, "encoder left", self.now) {
            self.put(record);
        }
    }

    fn reconcile_at(&mut self, region: &Region, trigger: &Trigger) -> Option<Next> {
        let entropy = self.entropy();
        let next = decide::reconcile(&self.replicated, &self.own(region), trigger, self.now, entropy)?;
        self.put(next.record.clone());
        Some(next)
    }

    fn sweep(&mut self) -> Option<Next> {
        self.reconcile_at(&region_a(), &Trigger::Sweep)
    }

    fn state(&self) -> Option<State> {
        self.replicated.state(self.now)
    }

    fn lease_number(&self) -> u32 {
        self.replicated.lease().unwrap().lease.number.0
    }
}

fn started(publish: &Publish) -> bool {
    matches!(publish, Publish::Allow { next: Some(next), .. } if next.start.is_some())
}

#[test]
fn an_ordinary_broadcast() {
    let mut harness = Harness::new();
    assert_eq!(harness.state(), None);
    assert!(started(&harness.publish(1)), "the first publish starts a task");
    assert_eq!(harness.state(), Some(State::Starting));
    assert!(matches!(harness.later(30).heartbeat(), HeartbeatOutcome::Transcode(_)));
    assert_eq!(harness.state(), Some(State::Live));
    harness.later(2).unpublish(1);
    assert_eq!(harness.state(), Some(State::Reconnecting));
    assert!(
        matches!(harness.heartbeat(), HeartbeatOutcome::Transcode(_)),
        "the gateway may have media yet to be read"
    );
    let lost = Some(harness.now);
    assert_eq!(
        harness.heartbeat_with("process", |health| health.source_lost_since = lost),
        HeartbeatOutcome::Wait
    );
    harness.later(61);
    assert_eq!(harness.state(), Some(State::Ended), "true without any sweep");
    assert!(matches!(
        harness.heartbeat_with("process", |health| health.source_lost_since = lost),
        HeartbeatOutcome::Stop(_)
    ));
    assert!(!harness.replicated.is_settled(harness.now), "its task may have media yet to write");
    harness.heartbeat_with("process", |health| health.activity = Activity::Leaving);
    assert!(harness.replicated.is_settled(harness.now));
    let next = harness.sweep().unwrap();
    assert_eq!(next.record.end.unwrap().reason, "encoder left");
    assert_eq!(harness.sweep(), None, "the sweep is idempotent");
}

#[test]
fn a_reconnect_in_the_window_is_the_same_broadcast_and_task() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).heartbeat();
    let broadcast = harness.replicated.broadcast().cloned();
    harness.unpublish(1);
    harness.later(5).heartbeat();
    let again = harness.later(5).publish(2);
    assert!(!started(&again), "the task is still there");
    assert_eq!(harness.replicated.broadcast().cloned(), broadcast);
    assert!(
        matches!(harness.heartbeat(), HeartbeatOutcome::Transcode(session) if session.id == SessionId::from_random(2))
    );
    harness.unpublish(1);
    assert_eq!(harness.state(), Some(State::Live), "a late word on the old session changes nothing");
}

#[test]
fn after_the_window_a_publish_opens_a_new_broadcast_with_a_new_lease_one() {
    let mut harness = Harness::new();
    harness.publish(1);
    let first = harness.replicated.broadcast().cloned().unwrap();
    harness.unpublish(1);
    assert!(started(&harness.later(100).publish(2)));
    assert!(*harness.replicated.broadcast().unwrap() > first);
    assert_eq!(harness.lease_number(), 1);
}

#[test]
fn a_repeated_publish_request_is_one_session() {
    let mut harness = Harness::new();
    harness.publish(1);
    let again = harness.publish(1);
    assert!(matches!(again, Publish::Allow { next: None, restart: Some(_), .. }), "{again:?}");
    harness.heartbeat();
    assert!(matches!(harness.publish(1), Publish::Allow { next: None, restart: None, .. }));
}

#[test]
fn the_newest_publisher_wins_or_is_refused_as_the_stream_says() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.heartbeat();
    assert!(matches!(harness.publish(2), Publish::Allow { .. }));
    let old = |order| SessionRef {
        session: SessionId::from_random(1),
        stream: stream().id,
        broadcast: harness.replicated.broadcast().cloned().unwrap(),
        order,
    };
    assert!(matches!(decide::session_order(&harness.replicated, &old(1)), SessionOrder::Stop { .. }));
    assert_eq!(
        decide::session_order(&harness.replicated, &old(3)),
        SessionOrder::Continue,
        "a session the peer accepted and that is not replicated yet goes on"
    );

    harness.policy = PublishPolicy::Reject;
    let refused = harness.publish(3);
    let Publish::Deny(PublishAnswer::Deny { kind, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(kind, DenyKind::AlreadyPublishing);
    harness.unpublish(2);
    assert!(matches!(harness.publish(3), Publish::Allow { .. }), "a lost publisher may come back");
}

#[test]
fn a_dead_task_is_replaced_and_fenced() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(20).heartbeat();
    assert_eq!(harness.sweep(), None, "a living task is left alone");
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let stopped = Trigger::TaskStopped { lease: lease.clone(), reason: "exit 137".into() };
    let next = harness.reconcile_at(&region_a(), &stopped).unwrap();
    assert_eq!(next.start.unwrap().lease.number.0, 2);
    assert_eq!(harness.reconcile_at(&region_a(), &stopped), None, "the same event again does nothing");
    let late = TranscoderHeartbeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: harness.replicated.broadcast().cloned().unwrap(),
        lease,
        fencing_token: Secret::new("process"),
        health: Health::starting(),
    };
    assert_eq!(
        decide::heartbeat(&harness.replicated, &late, "process", harness.now),
        HeartbeatOutcome::Fenced
    );
}

#[test]
fn a_silent_task_is_no_longer_live_and_the_sweep_replaces_it() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(20).heartbeat();
    harness.later(16);
    assert_eq!(harness.state(), Some(State::Reconnecting), "nothing is live without a heartbeat");
    assert!(harness.sweep().unwrap().start.is_some());
    assert_eq!(harness.lease_number(), 2);
    assert_eq!(harness.sweep(), None, "the new task gets its time to start");
}

#[test]
fn tasks_that_keep_failing_fail_the_broadcast() {
    let mut harness = Harness::new();
    harness.publish(1);
    for failure in 1..=MAX_FAILURES {
        let lease = harness.replicated.lease().unwrap().lease.clone();
        let failed = Trigger::StartFailed { lease, reason: "RESOURCE:ENI".into(), throttled: false };
        assert_eq!(harness.reconcile_at(&region_a(), &failed).unwrap().start, None, "not again at once");
        assert_eq!(harness.later(60).sweep().is_some(), failure < MAX_FAILURES, "but with the next sweep");
    }
    assert_eq!(harness.state(), Some(State::Failed));
    assert!(harness.replicated.end().unwrap().reason.contains("RESOURCE:ENI"));
}

#[test]
fn waiting_for_one_s_turn_is_no_failure() {
    let mut harness = Harness::new();
    harness.publish(1);
    let lease = |harness: &Harness| harness.replicated.lease().unwrap().lease.clone();
    let throttle = |harness: &mut Harness| {
        let failed =
            Trigger::StartFailed { lease: lease(harness), reason: "Rate exceeded".into(), throttled: true };
        assert_eq!(harness.reconcile_at(&region_a(), &failed).unwrap().start, None);
        assert!(harness.later(60).sweep().unwrap().start.is_some(), "its turn comes again");
    };
    for _ in 0..3 * MAX_FAILURES {
        throttle(&mut harness);
    }
    // Failures in between are not forgotten for it.
    for failure in 1..=MAX_FAILURES {
        let failed =
            Trigger::StartFailed { lease: lease(&harness), reason: "RESOURCE:ENI".into(), throttled: false };
        harness.reconcile_at(&region_a(), &failed).unwrap();
        if failure < MAX_FAILURES {
            harness.later(60).sweep().unwrap();
            throttle(&mut harness);
        }
    }
    harness.later(60).sweep();
    assert_eq!(harness.state(), Some(State::Failed));
}

#[test]
fn unread_media_of_a_gone_publisher_gets_a_task() {
    let mut harness = Harness::new();
    harness.publish(1);
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let failed = Trigger::StartFailed { lease, reason: "ThrottlingException".into(), throttled: true };
    harness.reconcile_at(&region_a(), &failed);
    harness.later(20).unpublish(1);
    assert!(harness.later(20).sweep().unwrap().start.is_some(), "nobody has read it");
    harness.heartbeat();
    let read = Some(harness.now);
    harness.heartbeat_with("process", |health| health.source_lost_since = read);
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let stopped = Trigger::TaskStopped { lease, reason: "Spot".into() };
    assert_eq!(harness.reconcile_at(&region_a(), &stopped).unwrap().start, None, "all of it was read");
}

#[test]
fn one_lease_serves_one_process() {
    let mut harness = Harness::new();
    harness.publish(1);
    assert!(matches!(harness.heartbeat_with("one", |_| ()), HeartbeatOutcome::Transcode(_)));
    assert_eq!(harness.heartbeat_with("two", |_| ()), HeartbeatOutcome::Fenced);
}

#[test]
fn a_gateway_that_dies_without_a_word_is_noticed_by_its_transcoder() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).heartbeat();
    let lost = harness.now;
    let outcome = harness.later(5).heartbeat_with("process", |health| health.source_lost_since = Some(lost));
    assert!(matches!(outcome, HeartbeatOutcome::Transcode(_)), "it keeps trying");
    assert_eq!(harness.state(), Some(State::Reconnecting));
    harness.later(60);
    assert!(matches!(
        harness.heartbeat_with("process", |h| h.source_lost_since = Some(lost)),
        HeartbeatOutcome::Stop(_)
    ));
    assert_eq!(harness.state(), Some(State::Ended));
}

#[test]
fn a_lost_region_hands_over() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).heartbeat();
    let broadcast = harness.replicated.broadcast().cloned();
    let taken = harness.later(10).publish_at(2, &region_b());
    assert!(started(&taken), "the other region needs its own task");
    assert_eq!(harness.replicated.broadcast().cloned(), broadcast);
    assert_eq!(harness.lease_number(), 2);
    assert_eq!(harness.replicated.lease().unwrap().lease.region, region_b());
    assert_eq!(harness.sweep(), None, "region A leaves region B's lease alone");
}

#[test]
fn a_region_that_falls_silent_does_not_stay_live_for_ever() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).heartbeat();
    harness.later(60 + 60);
    assert_eq!(harness.state(), Some(State::Reconnecting), "not live; its encoder may still be there");
    assert_eq!(
        harness.reconcile_at(&region_b(), &Trigger::Sweep),
        None,
        "the peer waits for the window and a minute"
    );
    harness.later(1);
    assert_eq!(harness.state(), Some(State::Ended));
    let suspected = harness.reconcile_at(&region_b(), &Trigger::Sweep).unwrap();
    assert_eq!(suspected.record.end, None, "it may itself have been away, and be told what it has missed");
    assert_eq!(harness.reconcile_at(&region_b(), &Trigger::Sweep), None, "twice at once is no confirmation");
    let next = harness.later(60).reconcile_at(&region_b(), &Trigger::Sweep).unwrap();
    assert!(next.record.end.is_some() && next.start.is_none(), "the peer may only end it");
}

#[test]
fn a_region_that_comes_back_ends_nothing_for_not_having_heard_of_it() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).heartbeat();
    harness.later(600);
    assert_eq!(harness.sweep().unwrap().record.end, None);
    harness.heartbeat();
    assert_eq!(harness.later(2).state(), Some(State::Live), "replication has caught up");
    assert_eq!(harness.later(10).sweep(), None);
    assert_eq!(harness.replicated.end(), None);
}

#[test]
fn a_revoked_key_or_a_deleted_stream_ends_the_session() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.heartbeat();
    let own = harness.own(&region_b());
    assert_eq!(decide::kick(&harness.replicated, &own, |_| false, "revoked", false, harness.now), None);
    let record =
        decide::kick(&harness.replicated, &own, |_| true, "the stream key was revoked", false, harness.now)
            .unwrap();
    harness.put(record);
    let session = SessionRef {
        session: SessionId::from_random(1),
        stream: stream().id,
        broadcast: harness.replicated.broadcast().cloned().unwrap(),
        order: 1,
    };
    let order = decide::session_order(&harness.replicated, &session);
    assert_eq!(order, SessionOrder::Stop { reason: "the stream key was revoked".into(), retry: false });
    assert_eq!(harness.state(), Some(State::Reconnecting), "another key may go on with the broadcast");
}

#[test]
fn a_task_that_starts_after_the_end_still_reads_what_was_sent() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.later(5).unpublish(1);
    harness.later(62);
    assert_eq!(harness.state(), Some(State::Ended));
    assert!(!harness.replicated.is_settled(harness.now));
    let starting = |health: &mut Health| *health = Health::starting();
    assert!(matches!(harness.heartbeat_with("process", starting), HeartbeatOutcome::Transcode(_)));
    let lost = Some(harness.now);
    assert!(matches!(
        harness.heartbeat_with("process", |health| health.source_lost_since = lost),
        HeartbeatOutcome::Stop(_)
    ));
}
