use headwater_domain::Timestamp;
use headwater_rtmp::MediaKind::{Audio, Video};
use headwater_rtmp::codec::RandomAccess;

use super::*;

fn run_start() -> RunStart {
    RunStart { started: Timestamp(0), headers: Default::default() }
}

/// `gops` of an IDR, two pictures and an audio message each, one second and 40 bytes a GOP.
fn video(index: &mut Index, gops: u64) {
    for _ in 0..gops {
        let at = Duration::from_secs(index.next().cursor / 4);
        index.push(Video, Some(RandomAccess::Closed), 10, at);
        index.push(Video, None, 10, at);
        index.push(Video, None, 10, at);
        index.push(Audio, None, 10, at);
    }
}

fn two_runs() -> Index {
    let mut index = Index::default();
    index.open(run_start(), None);
    video(&mut index, 5); // cursors 1..=20, IDRs at 1 5 9 13 17
    index.open(run_start(), None);
    video(&mut index, 2); // cursors 21..=28
    index
}

/// Run, cursor and loss that a reader after `after` is given.
fn start(index: &Index, after: u64) -> Option<(u32, u64, u64)> {
    index.locate(after).map(|start| (start.run.number, start.cursor, start.lost))
}

#[test]
fn reading_begins_at_the_last_idr_at_or_before_the_cursor() {
    let index = two_runs();
    assert_eq!(start(&index, 0), Some((1, 1, 0)));
    assert_eq!(start(&index, 1), Some((1, 1, 0)));
    assert_eq!(start(&index, 4), Some((1, 1, 0)));
    assert_eq!(start(&index, 5), Some((1, 5, 0)));
    assert_eq!(start(&index, 19), Some((1, 17, 0)));
}

#[test]
fn a_run_that_was_read_to_its_end_is_not_read_again() {
    let index = two_runs();
    assert_eq!(start(&index, 20), Some((2, 21, 0)));
    assert_eq!(start(&index, 21), Some((2, 21, 0)));
    assert_eq!(start(&index, 27), Some((2, 25, 0)));
    assert_eq!(start(&index, 28), None);
    assert_eq!(start(&index, u64::MAX), None);
    assert_eq!(index.end_of_run(1), Some(Mark { cursor: 21, offset: 200 }));
    assert_eq!(index.end_of_run(2), None);
}

/// GOPs of four pictures from cursor 1 on; the first begins with an IDR picture, the others with a CRA picture.
fn open_gops(gops: u64) -> Index {
    let mut index = Index::default();
    index.open(run_start(), None);
    for n in 0..gops {
        let random_access = if n == 0 { RandomAccess::Closed } else { RandomAccess::Open };
        index.push(Video, Some(random_access), 10, Duration::from_secs(n));
        (0..3).for_each(|_| _ = index.push(Video, None, 10, Duration::from_secs(n)));
    }
    index
}

#[test]
fn of_open_gops_the_last_but_one_is_begun_with() {
    let mut index = open_gops(5); // entries at 1 5 9 13 17
    assert_eq!(start(&index, 8), Some((1, 1, 0)));
    assert_eq!(start(&index, 12), Some((1, 5, 0)), "what leads the picture at 9 may be wanted");
    assert_eq!(start(&index, 19), Some((1, 13, 0)));
    index.commit(14, false);
    assert_eq!(index.first().cursor, 9, "not all since the IDR is kept");
    assert_eq!(start(&index, 14), Some((1, 9, 0)));
    assert!(index.drop_oldest());
    assert_eq!(start(&index, 14), Some((1, 13, 0)));
}

#[test]
fn commit_keeps_the_gop_that_a_reader_after_it_would_begin_with() {
    let mut index = two_runs();
    index.commit(19, false);
    assert_eq!(index.first().cursor, 17);
    assert_eq!(start(&index, 19), Some((1, 17, 0)));
    index.commit(3, false);
    assert_eq!(index.first().cursor, 17, "an older commit brings nothing back");
    index.commit(22, false);
    assert_eq!(start(&index, 0), Some((2, 21, 0)));
    assert_eq!(start(&index, 10), Some((2, 21, 10)), "wanted, and no longer here");
    index.commit(1_000, true);
    assert_eq!((index.first(), index.next().cursor), (index.next(), 29));
    assert_eq!((start(&index, 0), index.lost()), (None, 0));
}

#[test]
fn what_is_dropped_goes_by_gops_and_is_counted_unless_it_was_committed() {
    let mut index = two_runs();
    assert!(index.drop_oldest());
    assert_eq!((index.first().cursor, index.lost()), (5, 4));
    assert_eq!(start(&index, 0), Some((1, 5, 4)));
    assert_eq!(start(&index, 2), Some((1, 5, 2)));
    assert_eq!(start(&index, 4), Some((1, 5, 0)));
    index.commit(10, false);
    assert_eq!(index.first().cursor, 9);
    assert!(index.drop_oldest());
    assert_eq!((index.first().cursor, index.lost()), (13, 4 + 2));
    while index.drop_oldest() {}
    assert_eq!(index.first().cursor, 25, "the last GOP stays");
}

#[test]
fn without_idr_the_oldest_second_goes() {
    let mut index = Index::default();
    index.open(run_start(), None);
    for n in 0..100 {
        index.push(Video, (n == 0).then_some(RandomAccess::Closed), 10, Duration::from_millis(n * 100));
    }
    assert!(index.drop_oldest());
    assert_eq!((index.first().cursor, index.lost()), (11, 10));
    assert_eq!(index.age(Duration::from_secs(10)), Duration::from_secs(9));
}

#[test]
fn audio_alone_begins_with_the_message_after_the_cursor() {
    let mut index = Index::default();
    index.open(run_start(), None);
    for n in 0..100 {
        index.push(Audio, None, 10, Duration::from_millis(n * 100));
    }
    let start = index.locate(37).unwrap();
    assert_eq!((start.mark.cursor, start.cursor), (31, 38));
    index.commit(37, false);
    assert_eq!(index.first().cursor, 31);
}

#[test]
fn points_are_thinned_not_gathered_without_end() {
    let mut index = Index::default();
    index.open(run_start(), None);
    for _ in 0..100_000 {
        index.push(Video, Some(RandomAccess::Closed), 10, Duration::ZERO);
    }
    assert!(index.points.len() <= MAX_POINTS);
    let start = index.locate(50_000).unwrap();
    assert!(start.cursor <= 50_000 && start.cursor > 49_000, "{}", start.cursor);
    assert_eq!(index.locate(0).unwrap().cursor, 1);
}

#[test]
fn a_session_without_media_has_nothing_to_read() {
    let mut index = Index::default();
    assert_eq!(start(&index, 0), None);
    index.commit(7, false);
    index.commit(7, true);
    assert!(!index.drop_oldest());
}

/// An IDR, then a picture each half second: cursor 1, and two more with each second.
fn one_gop(seconds: u64) -> Index {
    let mut index = Index::default();
    index.open(run_start(), None);
    for n in 0..2 * seconds {
        index.push(Video, (n == 0).then_some(RandomAccess::Closed), 10, Duration::from_millis(n * 500));
    }
    index
}

#[test]
fn the_beginning_of_a_gop_is_not_dropped_for_its_age_while_nothing_replaces_it() {
    let mut index = one_gop(100);
    index.commit(190, false);
    assert!(!index.drop_to_next_start());
    assert_eq!(start(&index, 190), Some((1, 1, 0)));
    // The next GOP does.
    index.push(Video, Some(RandomAccess::Closed), 10, Duration::from_secs(100));
    assert!(index.drop_to_next_start());
    assert_eq!((index.first().cursor, index.lost()), (201, 10));
    assert_eq!(start(&index, 190), Some((1, 201, 10)));
    assert!(!index.drop_to_next_start());
    // And so does the next run, whatever it begins with.
    index.open(run_start(), None);
    index.push(Audio, None, 10, Duration::from_secs(101));
    assert!(index.drop_to_next_start());
    assert_eq!(index.first().cursor, 202);
}

#[test]
fn sound_alone_goes_by_its_age() {
    let mut index = Index::default();
    index.open(run_start(), None);
    for n in 0..10 {
        index.push(Audio, None, 10, Duration::from_secs(n));
    }
    assert!(index.drop_to_next_start());
    assert_eq!(index.first().cursor, 2);
}

#[test]
fn media_whose_key_frame_is_gone_is_told_and_not_served() {
    let mut index = one_gop(100);
    index.commit(150, false);
    assert!(index.locate(150).unwrap().decodable);
    assert!(index.drop_oldest(), "beyond all bounds");
    assert!(!index.locate(150).unwrap().decodable);
    assert_eq!(index.without_start(Duration::from_secs(100)), Duration::from_secs(100));
    // From the next key frame on there is something again, and what lies between is lost.
    index.push(Video, Some(RandomAccess::Closed), 10, Duration::from_secs(100));
    index.push(Video, None, 10, Duration::from_secs(101));
    let next = index.locate(150).unwrap();
    assert_eq!((next.decodable, next.cursor, next.lost), (true, 201, 50));
    assert_eq!(index.without_start(Duration::from_secs(103)), Duration::from_secs(3));
    // So it is if the next run begins in between.
    let mut index = one_gop(100);
    index.drop_oldest();
    index.open(run_start(), None);
    index.push(Audio, None, 10, Duration::from_secs(100));
    let next = index.locate(150).unwrap();
    assert_eq!((next.decodable, next.run.number, next.cursor, next.lost), (true, 2, 201, 50));
}

#[test]
fn an_open_entry_alone_is_better_than_none() {
    let mut index = open_gops(3); // entries at 1 5 9
    index.drop_oldest();
    index.drop_oldest();
    assert_eq!(index.first().cursor, 9);
    let start = index.locate(10).unwrap();
    assert_eq!((start.decodable, start.cursor), (true, 9));
}
