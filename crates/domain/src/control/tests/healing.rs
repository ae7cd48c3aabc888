//! What holds when regions that knew nothing of each other find together. The simulation found these cases.

use super::*;
use crate::heartbeat::Heartbeat;
use crate::ids::{Lease, LeaseNumber, Nonce};

/// What two regions decide that know nothing of each other, brought together.
fn healed(a: Harness, b: Harness) -> Harness {
    let (records, heartbeats) = (a.replicated.records, a.replicated.heartbeats);
    let of_b = |region: &Region| *region == region_b();
    let replicated = ReplicatedState {
        records: records
            .into_iter()
            .chain(b.replicated.records.into_iter().filter(|s| of_b(&s.region)))
            .collect(),
        heartbeats: heartbeats
            .into_iter()
            .chain(b.replicated.heartbeats.into_iter().filter(|b| of_b(&b.region)))
            .collect(),
    };
    Harness { replicated, now: a.now.max(b.now), policy: a.policy, rolls: a.rolls + 100 }
}

#[test]
fn of_two_broadcasts_that_were_opened_apart_the_newer_one_holds() {
    let (mut a, mut b) = (Harness::new(), Harness::new());
    a.publish_at(1, &region_a());
    b.later(1).rolls = 50;
    b.publish_at(2, &region_b());
    let older = a.replicated.broadcast().cloned().unwrap();
    // More sessions do not make it newer.
    a.later(1).publish_at(3, &region_a());
    let harness = healed(a, b);
    assert!(*harness.replicated.broadcast().unwrap() > older);
    let loser =
        SessionRef { session: SessionId::from_random(3), stream: stream().id, broadcast: older, order: 2 };
    let order = decide::session_order(&harness.replicated, &loser);
    assert!(matches!(order, SessionOrder::Stop { .. }), "{order:?}");
}

#[test]
fn a_broadcast_is_newer_than_the_one_before_whatever_the_clocks_say() {
    let mut harness = Harness::new();
    harness.later(5).publish(1);
    let first = harness.replicated.broadcast().cloned().unwrap();
    let gone = harness.own(&region_a());
    let kicked = decide::kick(&harness.replicated, &gone, |_| true, "stopped", true, harness.now).unwrap();
    harness.put(kicked);
    harness.now = Timestamp(T0);
    harness.publish_at(2, &region_b());
    assert!(*harness.replicated.broadcast().unwrap() > first);
}

#[test]
fn a_session_whose_region_lost_the_lease_in_a_partition_gets_the_next_one() {
    let mut first = Harness::new();
    first.publish_at(1, &region_b());
    let apart = |first: &Harness, rolls| Harness {
        replicated: first.replicated.clone(),
        now: first.now,
        policy: first.policy,
        rolls,
    };
    let (mut a, mut b) = (apart(&first, 50), apart(&first, 70));
    // The same order in both; region B has the higher lease, region A the session.
    a.publish_at(2, &region_a());
    b.publish_at(3, &region_b());
    for _ in 0..2 {
        let lease = b.replicated.lease().unwrap().lease.clone();
        let stopped = Trigger::TaskStopped { lease, reason: "exit 137".into() };
        b.reconcile_at(&region_b(), &stopped).unwrap();
    }
    let mut harness = healed(a, b);
    assert_eq!(harness.replicated.session().unwrap().gateway.region, region_a());
    assert_eq!(harness.replicated.lease().unwrap().lease.region, region_b());
    assert_eq!(harness.reconcile_at(&region_b(), &Trigger::Sweep), None, "it cannot serve it");
    let next = harness.reconcile_at(&region_a(), &Trigger::Sweep).unwrap();
    assert_eq!(next.start.unwrap().lease.region, region_a());
    assert_eq!(harness.reconcile_at(&region_a(), &Trigger::Sweep), None);
}

#[test]
fn a_region_that_has_not_heard_of_a_broadcast_does_not_stop_its_task() {
    let mut harness = Harness::new();
    harness.publish(1);
    let before = harness.replicated.clone();
    harness.later(1).unpublish(1);
    harness.later(100).publish(2);
    let heartbeat = TranscoderHeartbeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: harness.replicated.broadcast().cloned().unwrap(),
        lease: harness.replicated.lease().unwrap().lease.clone(),
        fencing_token: Secret::new("process"),
        health: Health::starting(),
    };
    assert_eq!(decide::heartbeat(&before, &heartbeat, "process", harness.now), HeartbeatOutcome::Wait);
}

#[test]
fn a_lease_knows_of_the_other_regions_last_one_whoever_granted_it() {
    let mut harness = Harness::new();
    harness.publish_at(1, &region_a());
    // Region A's control plane grants region B's lease, for B's own is down; and then its own once more, twice.
    let gateway = Gateway { region: region_b(), source: "http://10.1.0.1:8936".into() };
    let (session, key) = (SessionId::from_random(2), KeyId::from_random(1));
    let publisher = Publisher {
        session: &session,
        gateway: &gateway,
        key: &key,
        key_expires_at: None,
        asked_at: harness.now,
    };
    let (own, entropy) = (harness.own(&region_a()), harness.entropy());
    let publish = decide::publish(&harness.replicated, &own, &stream(), &publisher, harness.now, entropy);
    let Publish::Allow { next: Some(next), .. } = publish else { panic!("{publish:?}") };
    harness.put(next.record);
    let of_b = harness.replicated.lease().unwrap().lease.clone();
    assert_eq!(of_b.region, region_b());
    harness.publish_at(3, &region_a());
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let stopped = Trigger::TaskStopped { lease, reason: "exit 137".into() };
    harness.reconcile_at(&region_a(), &stopped).unwrap();
    let broadcast = harness.replicated.broadcast().unwrap();
    assert_eq!(harness.lease_number(), 4);
    assert!(harness.replicated.leases_of(broadcast).any(|lease| *lease == of_b));
}

#[test]
fn a_lease_is_above_one_of_which_only_a_heartbeat_has_come() {
    let mut harness = Harness::new();
    harness.publish(1);
    harness.heartbeat();
    let above = Lease { number: LeaseNumber(7), region: region_b(), nonce: Nonce::from_random(1) };
    let heartbeat =
        Heartbeat { region: region_b(), lease: above, ..harness.replicated.heartbeats[0].clone() };
    harness.replicated.heartbeats.push(heartbeat);
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let stopped = Trigger::TaskStopped { lease, reason: "fenced".into() };
    assert_eq!(harness.reconcile_at(&region_a(), &stopped).unwrap().start.unwrap().lease.number.0, 8);
}

#[test]
fn a_task_is_told_what_the_other_region_has_written_beyond_it_and_nothing_of_its_own() {
    let mut harness = Harness::new();
    harness.publish(1);
    let lease = harness.replicated.lease().unwrap().lease.clone();
    let health = |segment, discontinuities| {
        let mut health = Health::starting();
        health.committed(SegmentNumber(segment), discontinuities);
        health
    };
    let heartbeat = |health: Health| TranscoderHeartbeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: harness.replicated.broadcast().cloned().unwrap(),
        lease: lease.clone(),
        fencing_token: Secret::new("process"),
        health,
    };
    let stored = |region: &Region, of: &Lease, health: Health| {
        let heartbeat = TranscoderHeartbeat { lease: of.clone(), ..heartbeat(health) };
        decide::record_heartbeat(
            region,
            &ReplicatedState::default(),
            &heartbeat,
            "process".into(),
            harness.now,
        )
    };
    let of_b = Lease { number: LeaseNumber(0), region: region_b(), nonce: Nonce::from_random(1) };
    let ahead = stored(&region_a(), &lease, health(90, 9));
    let beside =
        |others: Vec<Heartbeat>| ReplicatedState { heartbeats: others, ..harness.replicated.clone() };
    let told = |replicated: &ReplicatedState, segment, discontinuities| {
        let resume_after = decide::resume_after(replicated, &heartbeat(health(segment, discontinuities)))?;
        Some((resume_after.segment.0, resume_after.discontinuities))
    };
    assert_eq!(told(&beside(vec![ahead.clone()]), 20, 3), None, "its own, come late");
    let apart = beside(vec![ahead, stored(&region_b(), &of_b, health(50, 7))]);
    assert_eq!(told(&apart, 20, 3), Some((52, 7)));
    assert_eq!(told(&apart, 60, 3), Some((52, 7)));
    assert_eq!((told(&apart, 53, 7), told(&apart, 53, 8)), (None, None));
    assert_eq!(
        decide::resume_after(&apart, &heartbeat(Health::starting())),
        None,
        "it learns where to begin"
    );
    // Also once its own heartbeat has taken the other's place.
    let taken = heartbeat(health(21, 3));
    let kept = decide::record_heartbeat(&region_b(), &apart, &taken, "process".into(), harness.now);
    assert_eq!(told(&beside(vec![kept]), 21, 3), Some((52, 7)));
}
