//! Slow stores.

use std::collections::BTreeMap;

use headwater_domain::Timestamp;
use headwater_domain::testing::samples;
use headwater_domain::timeline::EntryPart;

use super::*;
use crate::timeline::ObjectKind;

/// Parts come so often,
const EVERY: Duration = Duration::from_millis(333);
/// and so many of them are a segment.
const PARTS: usize = 6;

/// A table and a bucket that answer, but slowly.
#[derive(Clone, Copy, Default)]
struct Slow {
    table: Duration,
    bucket: Duration,
}

enum Event {
    Made(Box<Written>),
    Stored(UploadId),
    Committed { number: u64, parts: usize },
}

/// What happens, in order.
#[derive(Default)]
struct Events {
    all: BTreeMap<(Duration, usize), Event>,
    count: usize,
}

impl Events {
    fn add(&mut self, at: Duration, event: Event) {
        self.all.insert((at, self.count), event);
        self.count += 1;
    }
}

fn at(monotonic: Duration) -> Now {
    Now { monotonic, wall: Timestamp(1_700_000_000_000) + monotonic }
}

fn written(entry: &Entry) -> Written {
    let (number, parts) = (entry.number.0, entry.parts.len());
    let (path, kind) = match entry.open {
        true => (format!("parts/{number}/{parts}"), ObjectKind::Part),
        false => (format!("media/{number}"), ObjectKind::Segment),
    };
    let object = Object { path, content_type: "video/mp4", body: "x".into(), kind };
    Written { entry: entry.clone(), objects: vec![object], effort: Effort::default() }
}

/// Segment `number` with as many parts, `open` or closed.
fn entry(number: u64, parts: usize, open: bool) -> Entry {
    let mut entry = samples::entry(1, number);
    let (video, audio) = (entry.video, entry.audio);
    let part = |index| EntryPart { video, audio, independent: index == 0, gap: false, lease: None };
    (entry.open, entry.parts) = (open, (0..parts).map(part).collect());
    entry
}

/// Segments of six parts each, a part each third of a second; the last one closes the segment, too.
fn make(segments: u64) -> (Events, Duration) {
    let (mut events, mut now) = (Events::default(), Duration::ZERO);
    for number in 0..segments {
        for parts in 1..=PARTS {
            now += EVERY;
            events.add(now, Event::Made(Box::new(written(&entry(number, parts, true)))));
        }
        events.add(now, Event::Made(Box::new(written(&entry(number, PARTS, false)))));
    }
    (events, now)
}

/// What is committed of so many segments, by number and parts, and how much later than it was made.
fn write(slow: Slow, segments: u64) -> (Vec<(u64, usize)>, Duration) {
    let (mut events, made_until) = make(segments);
    let (mut commits, mut engine, mut all) = (Commits::default(), VecDeque::new(), Vec::new());
    let mut now = Duration::ZERO;
    while let Some(((happens, _), event)) = events.all.pop_first() {
        now = happens;
        match event {
            // It waits until there is room.
            Event::Made(written) => engine.push_back(*written),
            Event::Stored(id) => commits.stored(id, false),
            Event::Committed { number, parts } => {
                all.push((number, parts));
                let outcome = commits.committed(at(now), Ok(Commit::Committed));
                assert!(matches!(outcome, Some(Outcome::Committed(..))));
            }
        }
        while commits.has_room()
            && let Some(written) = engine.pop_front()
        {
            commits.push(written);
        }
        while let Some(act) = commits.next(at(now)) {
            match act {
                Act::Upload(upload) => events.add(now + slow.bucket, Event::Stored(upload.id)),
                Act::Commit(entry) => {
                    let (number, parts) = (entry.number.0, entry.parts.len());
                    events.add(now + slow.table, Event::Committed { number, parts });
                }
            }
        }
    }
    assert!(commits.is_done() && engine.is_empty());
    (all, now - made_until)
}

#[test]
fn a_bucket_that_answers_within_a_second_costs_each_part_that_second_and_no_more() {
    let bucket = Duration::from_millis(900);
    let (written, late) = write(Slow { bucket, ..Slow::default() }, 20);
    assert_eq!(written.len(), 20 * (PARTS + 1), "one write a part, and one that closes");
    assert!(late <= bucket + EVERY, "{late:?} behind after forty seconds");
}

#[test]
fn a_slow_table_is_asked_for_what_is_newest() {
    let table = Duration::from_millis(700);
    let (written, late) = write(Slow { table, ..Slow::default() }, 20);
    assert!(written.is_sorted(), "in order: {written:?}");
    let closed: BTreeSet<u64> = written.iter().map(|(number, _)| *number).collect();
    assert_eq!(closed.len(), 20, "every segment is closed");
    assert!(
        written.iter().filter(|(_, parts)| *parts < PARTS).count() >= 20,
        "parts are still told: {written:?}"
    );
    assert!(late <= table * 4, "{late:?} behind after forty seconds");
}

/// Hands in `entries` whose objects are stored, but for those that `loses` names; what is committed of them.
fn commit(entries: &[Entry], loses: impl Fn(&Upload) -> bool) -> Vec<Entry> {
    let (mut commits, mut all) = (Commits::default(), Vec::new());
    for entry in entries {
        commits.push(written(entry));
        while let Some(act) = commits.next(at(Duration::ZERO)) {
            match act {
                Act::Upload(upload) => commits.stored(upload.id, loses(&upload)),
                Act::Commit(entry) => {
                    all.push(entry);
                    commits.committed(at(Duration::ZERO), Ok(Commit::Committed));
                }
            }
        }
    }
    all
}

#[test]
fn a_part_that_is_lost_is_a_gap_in_every_entry_that_names_it_and_the_segment_is_none() {
    let entries = [entry(7, 1, true), entry(7, 2, true), entry(7, 3, true), entry(7, 3, false)];
    let committed = commit(&entries, |upload| upload.part == Some(1));
    let gaps = |entry: &Entry| entry.parts.iter().map(|part| part.gap).collect::<Vec<_>>();
    let gaps: Vec<_> = committed.iter().map(gaps).collect();
    assert_eq!(gaps, [vec![false], vec![false, true], vec![false, true, false], vec![false, true, false]]);
    assert!(committed.iter().all(|entry| !entry.gap));
}

#[test]
fn a_segment_that_is_lost_is_a_gap_and_nothing_else_is() {
    let entries = [entry(7, 0, false), entry(8, 0, false)];
    let committed = commit(&entries, |upload| upload.number.0 == 7);
    assert_eq!(committed.iter().map(|entry| entry.gap).collect::<Vec<_>>(), [true, false]);
}
