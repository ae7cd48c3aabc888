//! Two regions that have granted leases of one broadcast apart find together: what viewers of the one that lost see.

use futures::FutureExt;
use headwater_domain::beat::Beat;
use headwater_domain::hooks::{Behind, TranscoderOrder};
use headwater_domain::ports::{WriteBeats, WriteTimeline};
use headwater_domain::testing::parts::{closed_entry, open_entry};
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::{Lease, LeaseNumber, SegmentNumber};
use proptest::prelude::*;

use crate::support::{Event, World, flowing};

/// By so many numbers replication may change the order: a quarter of a minute of segments. What comes later than all that a
/// window is rendered from has no say in it any more.
const DISORDER: u64 = 8;

/// One region's leases: where they begin, what they have counted there, and after which segments they break.
#[derive(Debug, Clone)]
struct Line {
    from: u64,
    counted: u64,
    breaks: Vec<bool>,
}

impl Line {
    fn entries(&self, lease: &Lease) -> Vec<Entry> {
        let mut counted = self.counted;
        let write = |(number, &discontinuity): (u64, &bool)| {
            counted += u64::from(discontinuity);
            Entry {
                lease: lease.clone(),
                discontinuity,
                discontinuities: counted,
                ..samples::entry(1, number)
            }
        };
        (self.from..).zip(&self.breaks).map(write).collect()
    }
}

fn line(most: usize) -> impl Strategy<Value = Line> {
    let breaks = proptest::collection::vec(prop::bool::weighted(0.1), 1..most);
    (0..40_u64, breaks).prop_flat_map(|(from, breaks)| {
        (0..=from).prop_map(move |counted| Line { from, counted, breaks: breaks.clone() })
    })
}

/// Media sequence and discontinuity sequence of both kinds of playlists.
fn poll(world: &World) -> [u64; 2] {
    let answer = world.view(&Event::sample("playlist-media")).now_or_never().unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let list = m3u8_rs::parse_media_playlist(answer.text().as_bytes()).unwrap().1;
    [list.media_sequence, list.discontinuity_sequence]
}

fn live() -> (World, headwater_domain::hooks::SessionRef, Lease) {
    let world = World::with(|stream| stream.settings.dvr_window_seconds = 12).now_or_never().unwrap();
    let session = world.allowed(1).now_or_never().unwrap();
    let lease = world.lease().now_or_never().unwrap();
    (world, session, lease)
}

/// What a lease's task tells of `entry`, as the region stores it that takes the heartbeat.
fn told(beat: &mut Beat, entry: &Entry) {
    beat.health.committed(entry.number, entry.discontinuities);
    beat.health.media_until = Some(crate::support::now());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_the_other_region_wrote_never_pulls_a_playlist_back(
        seen in line(60), unseen in line(60), loses: bool, order: u64
    ) {
        let (world, session, lease) = live();
        let other = Lease {
            region: samples::region_b(),
            ..samples::lease(if loses { lease.number.0 + 1 } else { lease.number.0 - 1 })
        };
        let health = headwater_domain::beat::Health { segment: None, ..flowing(&session) };
        let mut beat = Beat {
            stream: session.stream.clone(),
            region: lease.region.clone(),
            broadcast: session.broadcast.clone(),
            lease: lease.clone(),
            boot: "boot".into(),
            at: crate::support::now(),
            health,
            before: Vec::new(),
        };
        let mut last = [0, 0];
        let mut look = |what: &Entry| {
            let now = poll(&world);
            assert!(now[0] >= last[0] && now[1] >= last[1], "{last:?} -> {now:?} with {} {}", what.lease, what.number.0);
            last = now;
        };
        for entry in seen.entries(&lease) {
            world.table.commit(&entry).now_or_never().unwrap().unwrap();
            told(&mut beat, &entry);
            world.table.put_beat(&beat).now_or_never().unwrap().unwrap();
            look(&entry);
        }
        // The others' come once replication is back, some of them before those that were written before them.
        let mut others = unseen.entries(&other);
        let hash = |number: u64| (number ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        others.sort_by_key(|entry| entry.number.0 + hash(entry.number.0) % DISORDER);
        for entry in others {
            world.table.commit(&entry).now_or_never().unwrap().unwrap();
            look(&entry);
        }
    }
}

#[tokio::test]
async fn a_task_that_missed_what_the_other_region_wrote_is_told_until_it_is_behind_it() {
    let (world, session, lease) = live();
    let told_behind = async |segment: u64, counted: u64| {
        let mut health = headwater_domain::beat::Health { segment: None, ..flowing(&session) };
        health.committed(SegmentNumber(0), 0);
        health.committed(SegmentNumber(segment), counted);
        match world.beat(&session, &lease, "boot", health).await {
            TranscoderOrder::Transcode { behind, .. } => behind,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told_behind(20, 3).await, None);
    let mut beat = Beat {
        stream: session.stream.clone(),
        region: samples::region_b(),
        broadcast: session.broadcast.clone(),
        lease: Lease { region: samples::region_b(), ..samples::lease(lease.number.0 - 1) },
        boot: "another".into(),
        at: crate::support::now(),
        health: flowing(&session),
        before: Vec::new(),
    };
    beat.health.breaks.clear();
    beat.health.committed(SegmentNumber(50), 15);
    world.table.put_beat(&beat).await.unwrap();
    let behind = |segment, discontinuities| Some(Behind { segment: SegmentNumber(segment), discontinuities });
    assert_eq!(told_behind(21, 3).await, behind(52, 15));
    assert_eq!(told_behind(60, 3).await, behind(52, 15), "for its count alone");
    assert_eq!(told_behind(53, 16).await, None, "it is behind it");
}

/// Found by the simulation: a task that nobody heard of ran ahead of its successor, whose open segment was then all of the window.
#[tokio::test]
async fn what_a_replaced_task_has_shown_stays_until_its_successor_has_come_so_far() {
    let (world, _, lease) = live();
    world.put_closed(&lease, 0..41).await;
    assert_eq!(poll(&world), [35, 0]);
    let next = Lease { number: LeaseNumber(lease.number.0 + 1), ..lease.clone() };
    world.put(closed_entry(&next, 34)).await;
    world.put(open_entry(&next, 35, 2)).await;
    assert_eq!(poll(&world), [35, 0]);
    let answer = world.view(&Event::sample("playlist-media")).await.text();
    let shown = |lease: &Lease| answer.matches(&format!("/{lease}/720p/")).count();
    assert!(shown(&lease) >= 6 && !answer.contains("EXT-X-GAP"), "{answer}");
    world.put(closed_entry(&next, 35)).await;
    assert_eq!(poll(&world), [35, 0]);
}
