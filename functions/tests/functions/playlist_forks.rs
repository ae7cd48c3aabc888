//! Two regions that have granted leases of one broadcast apart find together: what viewers of the one that lost see.

use futures::FutureExt;
use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::hooks::{ResumeAfter, TranscoderOrder};
use headwater_domain::ports::{WriteHeartbeats, WriteTimeline};
use headwater_domain::testing::parts::{closed_entry, open_entry};
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::{Lease, LeaseNumber, SegmentNumber};
use proptest::prelude::*;

use crate::support::{Event, Harness, flowing};

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
fn poll(harness: &Harness) -> [u64; 2] {
    let answer = harness.view(&Event::sample("playlist-media")).now_or_never().unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let list = m3u8_rs::parse_media_playlist(answer.text().as_bytes()).unwrap().1;
    [list.media_sequence, list.discontinuity_sequence]
}

fn live() -> (Harness, headwater_domain::hooks::SessionRef, Lease) {
    let harness = Harness::with(|stream| stream.settings.dvr_window_seconds = 12).now_or_never().unwrap();
    let session = harness.allowed(1).now_or_never().unwrap();
    let lease = harness.lease().now_or_never().unwrap();
    (harness, session, lease)
}

/// What a lease's task tells of `entry`, as the region stores it that takes the heartbeat.
fn told(heartbeat: &mut Heartbeat, entry: &Entry) {
    heartbeat.health.committed(entry.number, entry.discontinuities);
    heartbeat.health.media_until = Some(crate::support::now());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_the_other_region_wrote_never_pulls_a_playlist_back(
        seen in line(60), unseen in line(60), loses: bool, order: u64
    ) {
        let (harness, session, lease) = live();
        let other = Lease {
            region: samples::region_b(),
            ..samples::lease(if loses { lease.number.0 + 1 } else { lease.number.0 - 1 })
        };
        let health = headwater_domain::heartbeat::Health { segment: None, ..flowing(&session) };
        let mut heartbeat = Heartbeat {
            stream: session.stream.clone(),
            region: lease.region.clone(),
            broadcast: session.broadcast.clone(),
            lease: lease.clone(),
            fencing_token: "process".into(),
            at: crate::support::now(),
            health,
            before: Vec::new(),
            heard_since: None,
        };
        let mut last = [0, 0];
        let mut look = |what: &Entry| {
            let now = poll(&harness);
            assert!(now[0] >= last[0] && now[1] >= last[1], "{last:?} -> {now:?} with {} {}", what.lease, what.number.0);
            last = now;
        };
        for entry in seen.entries(&lease) {
            harness.table.commit(&entry).now_or_never().unwrap().unwrap();
            told(&mut heartbeat, &entry);
            harness.table.put_heartbeat(&heartbeat).now_or_never().unwrap().unwrap();
            look(&entry);
        }
        // The others' come once replication is back, some of them before those that were written before them.
        let mut others = unseen.entries(&other);
        let hash = |number: u64| (number ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        others.sort_by_key(|entry| entry.number.0 + hash(entry.number.0) % DISORDER);
        for entry in others {
            harness.table.commit(&entry).now_or_never().unwrap().unwrap();
            look(&entry);
        }
    }
}

#[tokio::test]
async fn resume_after_is_repeated_until_the_task_is_past_it() {
    let (harness, session, lease) = live();
    let told_resume_after = async |segment: u64, counted: u64| {
        let mut health = headwater_domain::heartbeat::Health { segment: None, ..flowing(&session) };
        health.committed(SegmentNumber(0), 0);
        health.committed(SegmentNumber(segment), counted);
        match harness.heartbeat(&session, &lease, "process", health).await {
            TranscoderOrder::Transcode { resume_after, .. } => resume_after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told_resume_after(20, 3).await, None);
    let mut heartbeat = Heartbeat {
        stream: session.stream.clone(),
        region: samples::region_b(),
        broadcast: session.broadcast.clone(),
        lease: Lease { region: samples::region_b(), ..samples::lease(lease.number.0 - 1) },
        fencing_token: "another".into(),
        at: crate::support::now(),
        health: flowing(&session),
        before: Vec::new(),
        heard_since: None,
    };
    heartbeat.health.breaks.clear();
    heartbeat.health.committed(SegmentNumber(50), 15);
    harness.table.put_heartbeat(&heartbeat).await.unwrap();
    let resume_after =
        |segment, discontinuities| Some(ResumeAfter { segment: SegmentNumber(segment), discontinuities });
    assert_eq!(told_resume_after(21, 3).await, resume_after(52, 15));
    assert_eq!(told_resume_after(60, 3).await, resume_after(52, 15), "for its count alone");
    assert_eq!(told_resume_after(53, 16).await, None, "it is behind it");
}

/// Found by the simulation: a task that nobody heard of ran ahead of its successor, whose open segment was then all of the window.
#[tokio::test]
async fn what_a_replaced_task_has_shown_stays_until_its_successor_has_come_so_far() {
    let (harness, _, lease) = live();
    harness.put_closed(&lease, 0..41).await;
    assert_eq!(poll(&harness), [35, 0]);
    let next = Lease { number: LeaseNumber(lease.number.0 + 1), ..lease.clone() };
    harness.put(closed_entry(&next, 34)).await;
    harness.put(open_entry(&next, 35, 2)).await;
    assert_eq!(poll(&harness), [35, 0]);
    let answer = harness.view(&Event::sample("playlist-media")).await.text();
    let shown = |lease: &Lease| answer.matches(&format!("/{lease}/720p/")).count();
    assert!(shown(&lease) >= 6 && !answer.contains("EXT-X-GAP"), "{answer}");
    harness.put(closed_entry(&next, 35)).await;
    assert_eq!(poll(&harness), [35, 0]);
}
