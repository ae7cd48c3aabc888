//! Planned handovers, told as stories. Every order of their steps is walked through in [`super::handover_walk`].

use super::*;
use crate::control::decide::{HandOverStep, Move, StartTask, TimelineEnd};
use crate::heartbeat::{DEAD_AFTER, Quiesced, StandbyHealth};
use crate::hooks::HandoverOrder;
use crate::ids::Lease;
use crate::testing::samples;
use crate::timeline::Entry;

impl Harness {
    /// A stream that is live, with a holder that has written segment 1.
    fn live() -> Self {
        let mut harness = Self::new();
        harness.publish(1);
        harness.later(30).heartbeat();
        harness
    }

    fn order(&mut self) -> Move {
        let own = self.own(&region_a());
        let ordered = decide::order_move(&self.replicated, &own, self.now);
        if let Move::Ordered(record) = &ordered {
            self.put((**record).clone());
        }
        ordered
    }

    /// What is decided with a heartbeat.
    fn step(&mut self, end: TimelineEnd<'_>) -> Option<HandOverStep> {
        let (own, entropy) = (self.own(&region_a()), self.entropy());
        let step = decide::hand_over(&self.replicated, &own, end, self.now, entropy);
        if let Some(HandOverStep::Write(next)) = &step {
            self.put(next.record.clone());
        }
        step
    }

    fn started(&mut self) -> Option<StartTask> {
        match self.step(TimelineEnd::Unread)? {
            HandOverStep::Write(next) => next.start,
            HandOverStep::ReadTimeline => panic!("nobody has handed over"),
        }
    }

    /// A heartbeat of `lease`, taken by the API of `region`.
    fn send_to(
        &mut self,
        region: &Region,
        lease: &Lease,
        change: impl FnOnce(&mut Health),
    ) -> (HeartbeatOutcome, Option<HandoverOrder>) {
        let session = self.replicated.session().unwrap().clone();
        let mut health = Health {
            activity: Activity::Transcoding,
            session: Some(session.id.clone()),
            ..Health::starting()
        };
        change(&mut health);
        health.committed_at = health.committed_at.or(health.segment.map(|_| self.now));
        let heartbeat = TranscoderHeartbeat {
            claim: Secret::new("claim"),
            stream: stream().id,
            broadcast: session.broadcast,
            lease: lease.clone(),
            fencing_token: Secret::new(lease.to_string()),
            health,
        };
        let token = lease.to_string();
        let token = if self.replicated.heartbeat_of(lease).is_some_and(|it| it.fencing_token == "process") {
            "process".to_owned()
        } else {
            token
        };
        let outcome = decide::heartbeat(&self.replicated, &heartbeat, &token, self.now);
        if outcome != HeartbeatOutcome::Fenced {
            let stored = decide::record_heartbeat(region, &self.replicated, &heartbeat, token, self.now);
            self.replicated = std::mem::take(&mut self.replicated).with_heartbeat(stored);
        }
        let order = self.replicated.handover_order(&heartbeat, region, self.now);
        (outcome, order)
    }

    fn send(&mut self, lease: &Lease, change: impl FnOnce(&mut Health)) -> HeartbeatOutcome {
        self.send_to(&region_a(), lease, change).0
    }

    fn rehearses(&mut self, standby: &Lease, ready: bool) -> HeartbeatOutcome {
        self.send(standby, |health| health.standby = Some(StandbyHealth { ready }))
    }

    fn holder(&self) -> Lease {
        self.replicated.lease().unwrap().lease.clone()
    }

    fn standby(&self) -> Lease {
        self.replicated.standby().expect("there is a standby").lease.clone()
    }

    /// The order of the holder's next heartbeat.
    fn told(&mut self) -> Option<HandoverOrder> {
        let holder = self.holder();
        self.send_to(&region_a(), &holder, writes(1)).1
    }

    /// A standby that is ready, beside its holder.
    fn with_standby() -> (Self, Lease, Lease) {
        let mut harness = Self::live();
        assert!(matches!(harness.order(), Move::Ordered(_)));
        harness.started().expect("a standby's task is started");
        let (holder, standby) = (harness.holder(), harness.standby());
        harness.rehearses(&standby, true);
        (harness, holder, standby)
    }

    fn end(&self, number: u64) -> Entry {
        let broadcast = self.replicated.broadcast().unwrap().clone();
        Entry { broadcast, lease: self.holder(), ..samples::entry(1, number) }
    }
}

fn writes(segment: u64) -> impl FnOnce(&mut Health) {
    move |health| health.segment = Some(SegmentNumber(segment))
}

fn held(standby: &Lease, segment: u64) -> impl FnOnce(&mut Health) {
    let held = Quiesced { standby: standby.clone(), segment: SegmentNumber(segment) };
    move |health| {
        health.segment = Some(SegmentNumber(segment));
        health.held = Some(held);
    }
}

#[test]
fn a_stream_moves_to_another_task_and_is_live_all_the_time() {
    let mut harness = Harness::live();
    assert_eq!(harness.step(TimelineEnd::Unread), None, "nobody has asked for it");
    assert!(matches!(harness.order(), Move::Ordered(_)));
    assert_eq!(harness.order(), Move::UnderWay, "it is asked for once");
    let task = harness.started().unwrap();
    assert!(task.standby && task.lease == harness.standby() && task.lease.number.0 == 2);
    assert_eq!(harness.order(), Move::UnderWay);
    let (holder, standby) = (harness.holder(), harness.standby());
    assert_eq!(holder.number.0, 1, "a standby does not hold");
    assert_eq!(harness.told(), None, "it has not come up");
    assert!(matches!(harness.rehearses(&standby, false), HeartbeatOutcome::Rehearse(_)));
    assert_eq!(harness.told(), None, "it has not shown that it can");
    assert!(matches!(harness.rehearses(&standby, true), HeartbeatOutcome::Rehearse(_)));
    assert_eq!(harness.step(TimelineEnd::Unread), None);
    assert_eq!(harness.told(), Some(HandoverOrder::HandOver { to: standby.clone() }));

    assert_eq!(harness.send(&holder, held(&standby, 2)), HeartbeatOutcome::Hold);
    assert_eq!(harness.step(TimelineEnd::Unread), Some(HandOverStep::ReadTimeline));
    let end = harness.end(2);
    assert!(matches!(harness.step(TimelineEnd::Read(Some(&end))), Some(HandOverStep::Write(_))));
    assert_eq!((harness.holder(), harness.replicated.standby()), (standby.clone(), None));
    assert_eq!(harness.send(&holder, held(&standby, 2)), HeartbeatOutcome::HandedOver);
    assert_eq!(harness.send(&holder, writes(2)), HeartbeatOutcome::Fenced, "which it would also be told");
    assert_eq!(harness.state(), Some(State::Live), "a handover is no interruption");
    assert!(matches!(harness.rehearses(&standby, true), HeartbeatOutcome::Transcode(_)), "it is promoted");
    assert!(matches!(harness.send(&standby, writes(3)), HeartbeatOutcome::Transcode(_)));
    assert_eq!(harness.state(), Some(State::Live));
    assert_eq!(harness.step(TimelineEnd::Unread), None, "the order is carried out");
    assert!(matches!(harness.order(), Move::Ordered(_)), "and can be given again");
}

#[test]
fn media_that_stops_after_a_handover_is_no_longer_live() {
    let (mut harness, holder, standby) = Harness::with_standby();
    harness.send(&holder, |health| {
        held(&standby, 2)(health);
        health.committed_at = Some(Timestamp(T0 + 30 * SECOND));
    });
    let end = harness.end(2);
    harness.step(TimelineEnd::Read(Some(&end)));
    for (seconds, state) in [(14, State::Live), (2, State::Reconnecting)] {
        harness.later(seconds);
        harness.send(&standby, |_| ());
        assert_eq!(harness.state(), Some(state));
    }
}

#[test]
fn only_a_timeline_that_ends_where_the_holder_says_is_handed_over() {
    let (mut harness, holder, standby) = Harness::with_standby();
    harness.send(&holder, held(&standby, 2));
    let right = harness.end(2);
    let other = Lease { region: region_b(), ..samples::lease(1) };
    let wrong = [
        None,
        Some(harness.end(1)),
        Some(harness.end(3)),
        Some(Entry { open: true, ..right.clone() }),
        Some(Entry { lease: other, ..right.clone() }),
    ];
    for last in wrong {
        let mut harness = Harness { replicated: harness.replicated.clone(), ..harness };
        assert!(harness.step(TimelineEnd::Read(last.as_ref())).is_some());
        assert_eq!(harness.holder(), holder, "{last:?}");
        let withdrawn = harness.replicated.withdrawn().expect("nobody waits for what cannot come");
        assert!(withdrawn.reason.contains("timeline"), "{withdrawn:?}");
        assert_eq!(harness.told(), Some(HandoverOrder::GoOn { withdrawn: standby.clone() }));
    }
}

#[test]
fn a_standby_that_falls_silent_is_not_handed_over_to_and_its_holder_goes_on() {
    let (mut harness, holder, standby) = Harness::with_standby();
    harness.later(3);
    assert!(matches!(harness.told(), Some(HandoverOrder::HandOver { .. })));
    harness.send(&holder, held(&standby, 2));
    assert_eq!(
        harness.step(TimelineEnd::Unread),
        Some(HandOverStep::ReadTimeline),
        "three seconds are borne"
    );
    harness.later(1);
    assert_eq!(harness.told(), None, "more are not");
    harness.send(&holder, held(&standby, 2));
    assert!(matches!(harness.step(TimelineEnd::Unread), Some(HandOverStep::Write(_))));
    let (outcome, order) = harness.send_to(&region_a(), &holder, held(&standby, 2));
    assert!(matches!(outcome, HeartbeatOutcome::Transcode(_)));
    assert_eq!(order, Some(HandoverOrder::GoOn { withdrawn: standby.clone() }));
    assert_eq!(harness.rehearses(&standby, true), HeartbeatOutcome::Fenced, "for good");
    assert_eq!(harness.state(), Some(State::Live));
}

#[test]
fn of_a_promotion_and_a_withdrawal_that_are_decided_at_once_one_is_stored() {
    let (mut harness, holder, standby) = Harness::with_standby();
    harness.send(&holder, held(&standby, 2));
    let (own, end, entropy) = (harness.own(&region_a()), harness.end(2), harness.entropy());
    let decided = |now: Timestamp| {
        let end = TimelineEnd::Read(Some(&end));
        match decide::hand_over(&harness.replicated, &own, end, now, entropy) {
            Some(HandOverStep::Write(next)) => next.record,
            other => panic!("{other:?}"),
        }
    };
    let (promotion, withdrawal) = (decided(harness.now), decided(Timestamp(harness.now.0 + 4 * SECOND)));
    assert_eq!(promotion.lease.as_ref().map(|lease| &lease.lease), Some(&standby));
    assert_eq!(withdrawal.withdrawn.as_ref().map(|it| &it.lease), Some(&standby));
    assert_eq!(promotion.version, withdrawal.version, "the second one of them is not written");
}

#[test]
fn the_peers_api_answers_and_decides_nothing() {
    let (mut harness, holder, standby) = Harness::with_standby();
    let b = region_b();
    let (outcome, order) = harness.send_to(&b, &holder, writes(1));
    assert!(matches!(outcome, HeartbeatOutcome::Transcode(_)));
    assert_eq!(order, None, "it has nobody hand over");
    let rehearsal = |health: &mut Health| health.standby = Some(StandbyHealth { ready: true });
    assert!(matches!(harness.send_to(&b, &standby, rehearsal).0, HeartbeatOutcome::Rehearse(_)));
    assert_eq!(harness.send_to(&b, &holder, held(&standby, 2)).0, HeartbeatOutcome::Hold);
    let of_b = ControlRecord::empty(stream().id, b.clone());
    let entropy = harness.entropy();
    let step = decide::hand_over(&harness.replicated, &of_b, TimelineEnd::Unread, harness.now, entropy);
    assert_eq!(step, None);

    // One that has not heard of the standby: it does not let it write.
    let mut unaware = Harness { replicated: harness.replicated.clone(), ..harness };
    let mut record = unaware.own(&region_a());
    (record.standby, record.version) = (None, record.version + 1);
    unaware.put(record);
    assert_eq!(unaware.send_to(&b, &standby, rehearsal).0, HeartbeatOutcome::Wait);
    assert_eq!(unaware.send_to(&b, &holder, held(&standby, 2)).0, HeartbeatOutcome::Hold);
    // Nor does it stop one that was promoted since.
    assert!(matches!(unaware.send_to(&b, &standby, writes(3)).0, HeartbeatOutcome::Transcode(_)));
}

#[test]
fn a_task_that_will_be_ended_gets_a_standby_at_once() {
    let mut harness = Harness::live();
    let holder = harness.holder();
    let until = Timestamp(harness.now.0 + 110 * SECOND);
    let leaving = |health: &mut Health| {
        writes(1)(health);
        health.leaving_by = Some(until);
    };
    assert!(matches!(harness.send(&holder, leaving), HeartbeatOutcome::Transcode(_)), "it goes on");
    assert!(harness.started().is_some_and(|task| task.standby));
    let standby = harness.standby();
    // It is ended before its standby is ready: that is up earlier than one that would be started now.
    harness.rehearses(&standby, false);
    harness.send(&holder, |health| {
        writes(2)(health);
        health.activity = Activity::Leaving;
    });
    let Some(HandOverStep::Write(next)) = harness.step(TimelineEnd::Unread) else { panic!("it takes over") };
    assert_eq!((next.start, harness.holder()), (None, standby));
    assert_ne!(harness.state(), Some(State::Starting));
}

#[test]
fn the_standby_takes_the_place_of_a_holder_that_dies() {
    let (mut harness, holder, standby) = Harness::with_standby();
    let stopped = Trigger::TaskStopped { lease: holder.clone(), reason: "killed".into() };
    let next = harness.reconcile_at(&region_a(), &stopped).unwrap();
    assert_eq!((next.start, harness.holder()), (None, standby.clone()), "no other task is started");
    assert!(harness.replicated.is_over(&holder));
    assert!(matches!(harness.rehearses(&standby, true), HeartbeatOutcome::Transcode(_)));
    assert_eq!(harness.send(&holder, writes(9)), HeartbeatOutcome::Fenced);
    assert_eq!(harness.reconcile_at(&region_a(), &stopped), None, "it is history");
}

#[test]
fn a_publisher_that_comes_back_while_the_holder_is_dead_is_served_by_the_standby() {
    let (mut harness, _, standby) = Harness::with_standby();
    harness.unpublish(1);
    for _ in 0..8 {
        harness.later(2);
        assert_eq!(harness.rehearses(&standby, true), HeartbeatOutcome::Wait, "there is nothing to rehearse");
    }
    let Publish::Allow { next: Some(next), .. } = harness.publish(2) else { panic!("it is allowed") };
    assert_eq!((next.start, harness.holder()), (None, standby));
}

#[test]
fn a_silent_holder_is_replaced_only_if_its_standby_was_heard_of_meanwhile() {
    let patience = DEAD_AFTER.as_secs();
    let (mut harness, holder, standby) = Harness::with_standby();
    for _ in 0..=patience / 2 {
        assert_eq!(harness.step(TimelineEnd::Unread), None);
        harness.later(2);
        harness.rehearses(&standby, true);
    }
    assert!(matches!(harness.step(TimelineEnd::Unread), Some(HandOverStep::Write(_))));
    assert_eq!(harness.holder(), standby);

    // An API that was away has heard of neither.
    let (mut harness, _, standby) = Harness::with_standby();
    harness.later(patience - 1);
    harness.rehearses(&standby, true);
    harness.later(2);
    harness.rehearses(&standby, true);
    assert_eq!(harness.step(TimelineEnd::Unread), None);
    assert_eq!(harness.holder(), holder);
}

#[test]
fn where_both_are_dead_a_new_lease_is_granted_above_both() {
    let (mut harness, holder, standby) = Harness::with_standby();
    let own = harness
        .reconcile_at(&region_a(), &Trigger::TaskStopped { lease: standby.clone(), reason: "killed".into() });
    assert_eq!(own.unwrap().start, None, "the holder lives");
    let stopped = Trigger::TaskStopped { lease: holder, reason: "killed".into() };
    let start = harness.reconcile_at(&region_a(), &stopped).unwrap().start.unwrap();
    assert!(!start.standby && start.lease.number.0 == 3, "{start:?}");
    assert_eq!(harness.rehearses(&standby, true), HeartbeatOutcome::Fenced);
}

#[test]
fn a_higher_lease_of_the_other_region_fences_both() {
    for number in [2, 3] {
        let (mut harness, holder, standby) = Harness::with_standby();
        let lease = Lease { region: region_b(), ..samples::lease(number) };
        let mut record = harness.own(&region_b());
        let broadcast = harness.replicated.broadcast().unwrap().clone();
        let granted_at = harness.now;
        let (crossed, promotion) = (Some(holder.clone()), None);
        record.lease = Some(LeaseRecord { lease, broadcast, granted_at, crossed, failures: 0, promotion });
        record.version += 1;
        harness.put(record);
        assert_eq!(harness.send(&holder, writes(1)), HeartbeatOutcome::Fenced);
        assert_eq!(harness.rehearses(&standby, true), HeartbeatOutcome::Fenced, "{number}");
        assert_eq!(harness.step(TimelineEnd::Unread), None, "nothing is handed over");
    }
}

#[test]
fn a_standby_that_comes_to_nothing_is_replaced_ever_more_rarely_and_ends_no_broadcast() {
    let mut harness = Harness::live();
    harness.order();
    let mut waited = Vec::new();
    for count in 1..=MAX_STANDBY_FAILURES {
        let lease = harness.started().expect("one is granted").lease;
        assert_eq!(lease.number.0, count + 1, "each above all before");
        let reason = "CannotPullContainerError".to_owned();
        let failed = match count % 2 {
            0 => Trigger::TaskStopped { lease: lease.clone(), reason },
            _ => Trigger::StartFailed { lease: lease.clone(), reason, throttled: false },
        };
        let next = harness.reconcile_at(&region_a(), &failed).unwrap();
        assert_eq!((next.start, harness.replicated.standby()), (None, None));
        let withdrawn = harness.replicated.withdrawn().unwrap();
        assert_eq!((withdrawn.failures, withdrawn.reason.as_str()), (count, "CannotPullContainerError"));
        let mut seconds = 0;
        while harness.replicated.move_order().is_some() && wanted(&harness).is_none() {
            seconds += 2;
            harness.later(2);
            harness.told();
        }
        waited.push(seconds);
    }
    assert_eq!(waited, [10, 40, 160, 600, 0], "in the end the order has failed");
    assert_eq!(wanted(&harness), None);
    assert_eq!(harness.holder().number.0, 1);
    assert_eq!(harness.state(), Some(State::Live));
    assert!(matches!(harness.order(), Move::Ordered(_)), "a new order is a new try");
    assert!(harness.started().is_some());
}

fn wanted(harness: &Harness) -> Option<HandOverStep> {
    let entropy = Entropy { broadcast: 9, nonce: 9 };
    let own = harness.own(&region_a());
    decide::hand_over(&harness.replicated, &own, TimelineEnd::Unread, harness.now, entropy)
}

#[test]
fn a_standby_that_never_comes_up_is_given_up_by_heartbeats_and_by_the_sweep() {
    let mut harness = Harness::live();
    harness.order();
    harness.started();
    let standby = harness.standby();
    for _ in 0..START_PATIENCE.as_secs() / 10 {
        harness.later(10);
        harness.told();
        assert_eq!((wanted(&harness), harness.sweep()), (None, None));
    }
    harness.later(1);
    harness.told();
    assert!(matches!(wanted(&harness), Some(HandOverStep::Write(_))));
    assert_eq!(harness.sweep().unwrap().start, None);
    assert!(harness.replicated.standby().is_none());
    assert!(harness.replicated.withdrawn().unwrap().reason.contains("come up"));
    assert_eq!(harness.rehearses(&standby, true), HeartbeatOutcome::Fenced, "should it come up all the same");
}

#[test]
fn nothing_is_moved_where_nobody_publishes_or_no_task_is_up() {
    let mut harness = Harness::new();
    assert_eq!(harness.order(), Move::NotLive);
    harness.publish(1);
    assert_eq!(harness.order(), Move::NotLive, "the task that starts is of the present image anyway");
    harness.later(30).heartbeat();
    harness.unpublish(1);
    assert_eq!(harness.order(), Move::NotLive);
}

#[test]
fn a_standby_is_not_taken_for_the_one_that_writes() {
    let (mut harness, holder, standby) = Harness::with_standby();
    let broadcast = harness.replicated.broadcast().unwrap().clone();
    assert_eq!(harness.replicated.heartbeat().unwrap().lease, holder);
    // Whatever it says of its source, the holder has not read it.
    harness.send(&standby, |health| {
        health.standby = Some(StandbyHealth { ready: true });
        health.source_lost_since = Some(harness_now());
    });
    assert!(harness.replicated.is_unread());
    assert_eq!(harness.replicated.lost_since(harness.now), None);
    harness.later(16);
    harness.rehearses(&standby, true);
    assert!(!harness.replicated.is_written(&broadcast, harness.now), "it writes nothing");
    assert!(!harness.replicated.lease_lives(harness.now), "and does not keep its holder alive");
}

fn harness_now() -> Timestamp {
    Timestamp(T0 + 30 * SECOND)
}

#[test]
fn a_broadcast_that_is_over_has_no_standby() {
    let (mut harness, holder, standby) = Harness::with_standby();
    harness.send(&holder, held(&standby, 2));
    let own = harness.own(&region_a());
    let (stopped, _) = decide::stop(&harness.replicated, &own, "stopped by its owner", harness.now);
    harness.put(stopped);
    assert!(matches!(harness.rehearses(&standby, true), HeartbeatOutcome::Stop(_)));
    assert!(matches!(harness.step(TimelineEnd::Unread), Some(HandOverStep::Write(_))));
    // What its gateway still has is the holder's.
    let (outcome, order) = harness.send_to(&region_a(), &holder, held(&standby, 2));
    assert!(matches!(outcome, HeartbeatOutcome::Transcode(_)));
    assert_eq!(order, Some(HandoverOrder::GoOn { withdrawn: standby }));
}
