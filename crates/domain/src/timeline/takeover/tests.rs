//! Takeovers, told as stories.

use super::*;
use crate::paths::part_path;
use crate::testing::samples;

const SECOND: Duration = Duration::from_secs(1);

fn lease(number: u32, region: Region) -> Lease {
    Lease { region, ..samples::lease(number) }
}

fn written(number: u64) -> Entry {
    samples::entry(1, number)
}

/// Where `lease` goes on if it asks in `seen_in`, so long after the last segment's end.
fn resume(
    lease: &Lease,
    seen_in: &Region,
    written: Vec<Entry>,
    known: &[Lease],
    after: Duration,
) -> Option<ResumePoint> {
    let until = written.last().map_or(Timestamp(0), Entry::until);
    let (known, began) = (known.iter().collect(), Timestamp(0));
    Takeover { lease, written, known, seen_in, began, shortest: SECOND }.resume(until + after)
}

fn next(lease: &Lease, seen_in: &Region, known: &[Lease]) -> u64 {
    resume(lease, seen_in, vec![written(7)], known, Duration::from_millis(4_001)).unwrap().next.0
}

const HOLE: u64 = 5 + 2;

#[test]
fn a_takeover_within_one_region_continues_at_the_next_number() {
    let a = samples::region_a();
    assert_eq!(next(&lease(2, a.clone()), &a, &[samples::lease(1)]), 8);
}

#[test]
fn a_takeover_across_regions_continues_after_all_possible_numbers() {
    let b = samples::region_b();
    assert_eq!(next(&lease(2, b.clone()), &b, &[samples::lease(1)]), 8 + HOLE);
}

#[test]
fn each_segment_that_is_not_seen_may_have_come_behind_a_break() {
    let (a, b) = (samples::region_a(), samples::region_b());
    let breaks = |region: Region| {
        let last = Entry { discontinuities: 3, ..written(7) };
        let after = Duration::from_millis(4_001);
        resume(&lease(2, region.clone()), &region, vec![last], &[], after).unwrap().discontinuities
    };
    assert_eq!((breaks(a.clone()), breaks(b.clone())), (3, 3 + HOLE));
    let between = resume(&lease(3, a.clone()), &a, vec![written(7)], &[lease(2, b)], Duration::ZERO);
    let between = between.unwrap();
    assert_eq!(between.discontinuities, between.next.0, "a lease between may have seen less");
}

#[test]
fn media_that_waits_to_be_transcoded_counts_too() {
    // Written just now, of media that is a minute old: its writer is catching up, faster than time.
    let b = samples::region_b();
    let last = Entry { committed_at: written(7).until() + Duration::from_secs(60), ..written(7) };
    let point = resume(&lease(2, b.clone()), &b, vec![last], &[], Duration::from_secs(60)).unwrap();
    assert_eq!(point.next.0, 8 + 60 + 2);
}

#[test]
fn the_peers_replica_may_not_have_what_the_leases_own_region_wrote() {
    let (a, b) = (samples::region_a(), samples::region_b());
    assert_eq!(next(&lease(2, a), &b, &[samples::lease(1)]), 8 + HOLE);
}

#[test]
fn a_lease_between_of_which_nothing_is_seen_may_have_written() {
    let (a, b) = (samples::region_a(), samples::region_b());
    assert_eq!(next(&lease(3, a.clone()), &a, &[lease(2, b.clone())]), 8 + 2 * HOLE, "and left room");
    assert_eq!(next(&lease(3, a.clone()), &a, &[lease(4, b)]), 8, "a higher one is another's business");
}

#[test]
fn leases_in_a_row_of_the_region_that_is_lost_leave_no_further_room() {
    let (a, b) = (samples::region_a(), samples::region_b());
    let of_a = |number| lease(number, a.clone());
    // A standby that was withdrawn, and one that was promoted and is not seen yet.
    assert_eq!(next(&lease(4, b.clone()), &b, &[of_a(1), of_a(2), of_a(3)]), 8 + HOLE);
    assert_eq!(
        next(&lease(4, b.clone()), &b, &[of_a(1), of_a(3)]),
        8 + 2 * HOLE,
        "whose the second was is not known"
    );
    let both = [of_a(1), of_a(2), lease(2, b.clone()), of_a(3)];
    assert_eq!(next(&lease(4, b.clone()), &b, &both), 8 + 2 * HOLE, "one of here was between");
    assert_eq!(
        next(&lease(4, b.clone()), &a, &[of_a(1), of_a(2), of_a(3)]),
        8 + 3 * HOLE,
        "the peer's replica does not know all"
    );
}

#[test]
fn a_broadcast_of_which_nothing_is_seen_was_begun_all_the_same() {
    let (a, b) = (samples::region_a(), samples::region_b());
    let (own, ten) = (lease(2, b.clone()), Duration::from_secs(10));
    assert_eq!(resume(&own, &b, Vec::new(), &[samples::lease(1)], ten).unwrap().next.0, 10 + 2);
    assert_eq!(resume(&lease(2, a.clone()), &a, Vec::new(), &[samples::lease(1)], ten), None);
}

#[test]
fn no_number_that_was_written_is_written_again() {
    let a = samples::region_a();
    let mine = Entry { lease: lease(2, a.clone()), ..written(5) };
    let entries = vec![written(4), written(9), mine];
    assert_eq!(resume(&lease(3, a.clone()), &a, entries, &[], Duration::ZERO).unwrap().next.0, 10);
}

#[test]
fn it_needs_nothing_from_the_other_regions_bucket() {
    let (a, b) = (samples::region_a(), samples::region_b());
    let inits = |region: Region| {
        let point = resume(&lease(2, region.clone()), &region, vec![written(7)], &[], Duration::ZERO);
        point.unwrap().inits.len()
    };
    assert_eq!((inits(a), inits(b.clone())), (2, 0));
    // Also not if the last whole segment, before one that was only begun here, is the other region's.
    let begun = Entry { open: true, lease: lease(2, b.clone()), ..written(12) };
    let point = resume(&lease(3, b.clone()), &b, vec![written(7), begun], &[], Duration::ZERO).unwrap();
    assert_eq!((point.next.0, point.inits.len()), (13, 0));
}

#[test]
fn an_open_segment_is_made_anew_and_keeps_the_parts_that_are_out() {
    let a = samples::region_a();
    let part =
        |lease| EntryPart { video: written(8).video, audio: None, independent: true, gap: false, lease };
    let open = Entry { open: true, parts: vec![part(None)], ..written(8) };
    let at = |written| resume(&lease(2, a.clone()), &a, written, &[], Duration::ZERO);
    let point = at(vec![written(7), open.clone()]).unwrap();
    assert_eq!((point.next.0, point.open), (8, vec![part(Some(samples::lease(1)))]));
    let first = Entry { number: SegmentNumber(0), ..open.clone() };
    assert_eq!(at(vec![first]), None, "nothing of the broadcast is whole yet");
    assert_eq!(open.part_path("720p", 1), part_path(&open.broadcast, &open.lease, "720p", open.number, 1));
}

#[test]
fn a_segment_that_was_only_begun_behind_a_hole_is_given_up() {
    let a = samples::region_a();
    let begun = Entry { open: true, discontinuity: true, discontinuities: 5, ..written(12) };
    let at = |written| resume(&lease(2, a.clone()), &a, written, &[], Duration::ZERO).unwrap();
    for written in [vec![begun.clone()], vec![written(7), begun.clone()]] {
        let point = at(written);
        assert_eq!((point.next.0, point.discontinuities, point.open.len()), (13, 5, 0));
    }
    assert_eq!(at(vec![written(7), begun]).source, written(7).source, "its media is read again");
}

#[test]
fn what_regions_counted_apart_is_not_counted_down() {
    let (a, b) = (samples::region_a(), samples::region_b());
    let of_b = Entry { lease: lease(2, b), discontinuities: 15, ..written(5) };
    let mine = Entry { lease: lease(3, a.clone()), discontinuities: 1, ..written(9) };
    let point = resume(&lease(4, a.clone()), &a, vec![of_b, mine], &[], Duration::ZERO).unwrap();
    assert_eq!((point.next.0, point.discontinuities), (10, 15));
}

/// Entries of the other region's lease, committed so long after the end of their media.
fn committed_late(late: impl Fn(u64) -> Duration) -> Vec<Entry> {
    let commit = |number| {
        let entry = written(number);
        Entry { committed_at: entry.until() + late(number), ..entry }
    };
    (0..40).map(commit).collect()
}

#[test]
fn behind_a_slow_encoder_the_hole_is_no_longer_than_behind_any() {
    let b = samples::region_b();
    // Four seconds after the last commit.
    let next = |late: &dyn Fn(u64) -> Duration| {
        let after = late(39) + 4 * SECOND;
        resume(&lease(2, b.clone()), &b, committed_late(late), &[], after).unwrap().next.0
    };
    let usual = next(&|_| 10 * SECOND);
    assert_eq!(usual, 40 + 14 + 2);
    // 0.9×: later by 0.2 s with each segment, for twenty minutes.
    let slow = next(&|number| 120 * SECOND + Duration::from_millis(200) * u32::try_from(number).unwrap());
    assert!(slow <= usual + 3, "a hole up to {slow}, not up to {usual}");
    // A task that catches up: what it makes in four seconds is anything up to now.
    let catching_up = next(&|number| 128 * SECOND - 2 * SECOND * u32::try_from(number).unwrap());
    assert_eq!(catching_up, 40 + 50 + 4 + 2);
}

#[test]
fn of_a_few_segments_nothing_is_concluded() {
    let b = samples::region_b();
    let few = committed_late(|_| 100 * SECOND).split_off(31);
    let next = resume(&lease(2, b.clone()), &b, few, &[], 104 * SECOND).unwrap().next.0;
    assert_eq!(next, 40 + 104 + 2);
}
