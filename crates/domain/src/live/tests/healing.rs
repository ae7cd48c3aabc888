//! What holds when regions that knew nothing of each other find together. The simulation found these cases.

use super::*;
use crate::beat::Beat;
use crate::ids::{Lease, LeaseNumber, Nonce};

/// What two regions decide that know nothing of each other, brought together.
fn healed(a: World, b: World) -> World {
    let (seats, beats) = (a.situation.seats, a.situation.beats);
    let of_b = |region: &Region| *region == region_b();
    let situation = Situation {
        seats: seats.into_iter().chain(b.situation.seats.into_iter().filter(|s| of_b(&s.region))).collect(),
        beats: beats.into_iter().chain(b.situation.beats.into_iter().filter(|b| of_b(&b.region))).collect(),
    };
    World { situation, now: a.now.max(b.now), policy: a.policy, rolls: a.rolls + 100 }
}

#[test]
fn of_two_broadcasts_that_were_opened_apart_the_newer_one_holds() {
    let (mut a, mut b) = (World::new(), World::new());
    a.publish_at(1, &region_a());
    b.later(1).rolls = 50;
    b.publish_at(2, &region_b());
    let older = a.situation.broadcast().cloned().unwrap();
    // More sessions do not make it newer.
    a.later(1).publish_at(3, &region_a());
    let world = healed(a, b);
    assert!(*world.situation.broadcast().unwrap() > older);
    let loser =
        SessionRef { session: SessionId::from_random(3), stream: stream().id, broadcast: older, order: 2 };
    let order = decide::session_order(&world.situation, &loser);
    assert!(matches!(order, SessionOrder::Stop { .. }), "{order:?}");
}

#[test]
fn a_broadcast_is_newer_than_the_one_before_whatever_the_clocks_say() {
    let mut world = World::new();
    world.later(5).publish(1);
    let first = world.situation.broadcast().cloned().unwrap();
    let gone = world.own(&region_a());
    let kicked = decide::kick(&world.situation, &gone, |_| true, "stopped", true, world.now).unwrap();
    world.put(kicked);
    world.now = Timestamp(T0);
    world.publish_at(2, &region_b());
    assert!(*world.situation.broadcast().unwrap() > first);
}

#[test]
fn a_session_whose_region_lost_the_lease_in_a_partition_gets_the_next_one() {
    let mut first = World::new();
    first.publish_at(1, &region_b());
    let apart = |first: &World, rolls| World {
        situation: first.situation.clone(),
        now: first.now,
        policy: first.policy,
        rolls,
    };
    let (mut a, mut b) = (apart(&first, 50), apart(&first, 70));
    // The same order in both; region B has the higher lease, region A the session.
    a.publish_at(2, &region_a());
    b.publish_at(3, &region_b());
    for _ in 0..2 {
        let lease = b.situation.lease().unwrap().lease.clone();
        let stopped = Occasion::TaskStopped { lease, reason: "exit 137".into() };
        b.tend_at(&region_b(), &stopped).unwrap();
    }
    let mut world = healed(a, b);
    assert_eq!(world.situation.session().unwrap().gateway.region, region_a());
    assert_eq!(world.situation.lease().unwrap().lease.region, region_b());
    assert_eq!(world.tend_at(&region_b(), &Occasion::Sweep), None, "it cannot serve it");
    let next = world.tend_at(&region_a(), &Occasion::Sweep).unwrap();
    assert_eq!(next.start.unwrap().lease.region, region_a());
    assert_eq!(world.tend_at(&region_a(), &Occasion::Sweep), None);
}

#[test]
fn a_region_that_has_not_heard_of_a_broadcast_does_not_stop_its_task() {
    let mut world = World::new();
    world.publish(1);
    let before = world.situation.clone();
    world.later(1).unpublish(1);
    world.later(100).publish(2);
    let beat = TranscoderBeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: world.situation.broadcast().cloned().unwrap(),
        lease: world.situation.lease().unwrap().lease.clone(),
        boot: Secret::new("boot"),
        health: Health::starting(),
    };
    assert_eq!(decide::beat(&before, &beat, "boot", world.now), BeatOutcome::Wait);
}

#[test]
fn a_lease_knows_of_the_other_regions_last_one_whoever_granted_it() {
    let mut world = World::new();
    world.publish_at(1, &region_a());
    // Region A's control plane grants region B's lease, for B's own is down; and then its own once more, twice.
    let gateway = Gateway { region: region_b(), source: "http://10.1.0.1:8936".into() };
    let (session, key) = (SessionId::from_random(2), KeyId::from_random(1));
    let publisher = Publisher {
        session: &session,
        gateway: &gateway,
        key: &key,
        key_expires_at: None,
        asked_at: world.now,
    };
    let (own, dice) = (world.own(&region_a()), world.dice());
    let publish = decide::publish(&world.situation, &own, &stream(), &publisher, world.now, dice);
    let Publish::Allow { next: Some(next), .. } = publish else { panic!("{publish:?}") };
    world.put(next.seat);
    let of_b = world.situation.lease().unwrap().lease.clone();
    assert_eq!(of_b.region, region_b());
    world.publish_at(3, &region_a());
    let lease = world.situation.lease().unwrap().lease.clone();
    let stopped = Occasion::TaskStopped { lease, reason: "exit 137".into() };
    world.tend_at(&region_a(), &stopped).unwrap();
    let broadcast = world.situation.broadcast().unwrap();
    assert_eq!(world.lease_number(), 4);
    assert!(world.situation.leases_of(broadcast).any(|lease| *lease == of_b));
}

#[test]
fn a_lease_is_above_one_of_which_only_a_heartbeat_has_come() {
    let mut world = World::new();
    world.publish(1);
    world.beat();
    let above = Lease { number: LeaseNumber(7), region: region_b(), nonce: Nonce::from_random(1) };
    let beat = Beat { region: region_b(), lease: above, ..world.situation.beats[0].clone() };
    world.situation.beats.push(beat);
    let lease = world.situation.lease().unwrap().lease.clone();
    let stopped = Occasion::TaskStopped { lease, reason: "fenced".into() };
    assert_eq!(world.tend_at(&region_a(), &stopped).unwrap().start.unwrap().lease.number.0, 8);
}

#[test]
fn a_task_is_told_what_the_other_region_has_written_beyond_it_and_nothing_of_its_own() {
    let mut world = World::new();
    world.publish(1);
    let lease = world.situation.lease().unwrap().lease.clone();
    let health = |segment, discontinuities| {
        let mut health = Health::starting();
        health.committed(SegmentNumber(segment), discontinuities);
        health
    };
    let beat = |health: Health| TranscoderBeat {
        claim: Secret::new("claim"),
        stream: stream().id,
        broadcast: world.situation.broadcast().cloned().unwrap(),
        lease: lease.clone(),
        boot: Secret::new("boot"),
        health,
    };
    let stored = |region: &Region, of: &Lease, health: Health| {
        let beat = TranscoderBeat { lease: of.clone(), ..beat(health) };
        decide::record_beat(region, &Situation::default(), &beat, "boot".into(), world.now)
    };
    let of_b = Lease { number: LeaseNumber(0), region: region_b(), nonce: Nonce::from_random(1) };
    let ahead = stored(&region_a(), &lease, health(90, 9));
    let beside = |others: Vec<Beat>| Situation { beats: others, ..world.situation.clone() };
    let told = |situation: &Situation, segment, discontinuities| {
        let behind = decide::behind(situation, &beat(health(segment, discontinuities)))?;
        Some((behind.segment.0, behind.discontinuities))
    };
    assert_eq!(told(&beside(vec![ahead.clone()]), 20, 3), None, "its own, come late");
    let apart = beside(vec![ahead, stored(&region_b(), &of_b, health(50, 7))]);
    assert_eq!(told(&apart, 20, 3), Some((52, 7)));
    assert_eq!(told(&apart, 60, 3), Some((52, 7)));
    assert_eq!((told(&apart, 53, 7), told(&apart, 53, 8)), (None, None));
    assert_eq!(decide::behind(&apart, &beat(Health::starting())), None, "it learns where to begin");
    // Also once its own beat has taken the other's place.
    let taken = beat(health(21, 3));
    let kept = decide::record_beat(&region_b(), &apart, &taken, "boot".into(), world.now);
    assert_eq!(told(&beside(vec![kept]), 21, 3), Some((52, 7)));
}
