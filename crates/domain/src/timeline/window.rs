//! The live window: which numbers of a timeline viewers are shown.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Entry;
use super::gaps::MAX_GAP_NUMBERS;
use crate::ids::SegmentNumber;
use crate::stream::SEGMENT_SECONDS;

/// The numbers that anybody wrote.
pub fn numbers(written: &[Entry]) -> BTreeSet<SegmentNumber> {
    written.iter().map(|entry| entry.number).collect()
}

/// The live window's first number, and the newest that anybody wrote. It is counted over every number that was ever
/// written, so that a higher lease that replaces the end of a lower one does not pull the window back: what has left a
/// playlist never returns to it (RFC 8216bis §6.2.2). The newest number counts once somebody has closed it; until then
/// it is shown beside the window. A window that is not full yet begins with the broadcast, whatever is known of it:
/// the replica of another region has entries in any order.
pub fn window_bounds(written: &[Entry], is_all: bool, segments: usize) -> RangeInclusive<SegmentNumber> {
    let numbers = numbers(written);
    let newest = numbers.last().copied().unwrap_or_default();
    let is_open = written.iter().filter(|entry| entry.number == newest).all(|entry| entry.open);
    let gone = numbers.len().saturating_sub(segments + usize::from(is_open));
    let oldest = if gone == 0 && is_all { None } else { numbers.into_iter().nth(gone) };
    oldest.unwrap_or_default()..=newest
}

/// What of `line` is in the window. It begins where it must, with gaps if nothing is there; also if the lease that
/// holds is not as far yet as one that it has replaced.
pub fn in_window(mut line: Vec<Entry>, window: RangeInclusive<SegmentNumber>) -> Vec<Entry> {
    let (oldest, newest) = window.into_inner();
    let Some(last) = line.last().cloned() else { return line };
    let shown = line.partition_point(|entry| entry.number < oldest);
    let breaks = line[..shown].last().map(|before| before.discontinuities);
    line.drain(..shown);
    match line.first() {
        Some(first) if first.number > oldest => {
            // As many breaks as are known of before the window; the others stand behind the gap.
            let known = breaks.or((oldest.0 == 0).then_some(0)).unwrap_or(u64::MAX);
            line.insert(0, missing(first, oldest, known.min(first.discontinuities_before())));
        }
        Some(_) => {}
        None => {
            let window_bounds = BTreeSet::from([oldest, newest]);
            line.extend(window_bounds.into_iter().map(|number| missing(&last, number, last.discontinuities)));
        }
    }
    line
}

/// A number of which nothing is there, near an entry of which something is.
fn missing(near: &Entry, number: SegmentNumber, discontinuities: u64) -> Entry {
    let length = |segments: u64| Duration::from_secs(segments * u64::from(SEGMENT_SECONDS));
    let (ahead, behind) = (near.number.0.saturating_sub(number.0), number.0.saturating_sub(near.number.0));
    Entry {
        number,
        program_date_time: near.program_date_time - length(ahead) + length(behind),
        discontinuity: false,
        discontinuities,
        gap: true,
        open: false,
        parts: Vec::new(),
        ..near.clone()
    }
}

/// Of each number one entry, oldest first: the highest lease's of those that are closed.
pub fn latest_of_each_number(mut written: Vec<Entry>) -> Vec<Entry> {
    written.sort_by(|a, b| (a.number, a.open, &b.lease).cmp(&(b.number, b.open, &a.lease)));
    written.dedup_by_key(|entry| entry.number);
    written
}

/// The first entry behind the last gap that is too long to be shown.
pub fn after_long_gap(entries: &[Entry]) -> usize {
    let too_long = |pair: &[Entry]| pair[1].number.0 - pair[0].number.0 > MAX_GAP_NUMBERS;
    entries.windows(2).rposition(too_long).map_or(0, |before| before + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::resolve;
    use super::*;
    use crate::testing::samples;

    fn written(lease: u32, numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        numbers.into_iter().map(|number| samples::entry(lease, number)).collect()
    }

    fn shown(line: &[Entry]) -> Vec<(u64, bool)> {
        line.iter().map(|entry| (entry.number.0, entry.gap)).collect()
    }

    #[test]
    fn a_window_that_is_not_full_begins_with_the_broadcast() {
        let all = written(1, 2..5);
        assert_eq!(window_bounds(&all, true, 6), SegmentNumber(0)..=SegmentNumber(4));
        assert_eq!(window_bounds(&all, false, 6), SegmentNumber(2)..=SegmentNumber(4), "there is more");
        let line = in_window(resolve(all), SegmentNumber(0)..=SegmentNumber(4));
        assert_eq!(shown(&line), [(0, true), (2, false), (3, false), (4, false)]);
    }

    #[test]
    fn the_newest_counts_once_it_is_closed() {
        let mut all = written(1, 0..10);
        assert_eq!(window_bounds(&all, true, 6).start().0, 4);
        all[9].open = true;
        assert_eq!(window_bounds(&all, true, 6).start().0, 3);
        all.push(samples::entry(2, 9));
        assert_eq!(window_bounds(&all, true, 6).start().0, 4, "another lease has closed it");
    }

    #[test]
    fn a_lease_that_is_not_as_far_yet_shows_gaps() {
        let line = in_window(resolve(written(1, 0..3)), SegmentNumber(5)..=SegmentNumber(9));
        assert_eq!(shown(&line), [(5, true), (9, true)]);
        assert_eq!(line[1].program_date_time.since(line[0].program_date_time), Duration::from_secs(8));
    }

    #[test]
    fn behind_a_long_gap_a_window_begins_anew() {
        let far = MAX_GAP_NUMBERS + 1;
        assert_eq!(after_long_gap(&written(1, [0, 1, far, far + 1])), 0);
        assert_eq!(after_long_gap(&written(1, [0, 1, far + 1, far + 2])), 2);
        assert_eq!(after_long_gap(&[]), 0);
    }

    proptest! {
        /// A lease goes on, another replaces the end of it: the window's ends only rise.
        #[test]
        fn a_window_never_goes_back(steps in proptest::collection::vec((1..9u64, 0..4u64), 1..8), size in 1..12usize) {
            let (mut all, mut next, mut before) = (Vec::new(), 0, (0, 0));
            for (lease, (count, replaced)) in (1..).zip(steps) {
                next -= replaced.min(next);
                for number in next..next + count {
                    all.push(samples::entry(lease, number));
                    let bounds = window_bounds(&all, true, size);
                    let now = (bounds.start().0, bounds.end().0);
                    prop_assert!(now.0 >= before.0 && now.1 >= before.1, "{before:?} to {now:?}");
                    prop_assert!(now.1 - now.0 < size as u64 || now.0 == 0);
                    before = now;
                }
                next += count;
            }
        }
    }
}
