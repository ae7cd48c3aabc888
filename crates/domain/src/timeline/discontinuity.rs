//! How many discontinuities there were before a segment, whoever counted them, and before which segments they are shown.
//!
//! Two regions that know nothing of each other count apart, and the one that holds in the end may have counted fewer. But
//! what viewers were shown must not fall (RFC 8216bis §6.2.2): so it is the most that anybody has counted there, by the
//! entries that are read and, of leases that are not in the window any more, by what they told last in their heartbeats.
//! In a broadcast that was never split these bounds say nothing that the window's first entry does not say itself.

use super::Entry;
use crate::heartbeat::LeaseProgress;
use crate::ids::SegmentNumber;

/// What was counted.
#[derive(Debug, Clone)]
pub struct DiscontinuityCounts {
    /// Of the entries that are read: number, discontinuities before it, and with it.
    entries: Vec<(SegmentNumber, u64, u64)>,
    told: Vec<LeaseProgress>,
}

impl DiscontinuityCounts {
    /// By the entries in force, and by what leases told of themselves.
    pub fn of(in_force: &[Entry], told: impl Iterator<Item = LeaseProgress>) -> Self {
        let counts = |it: &Entry| (it.number, it.discontinuities_before(), it.discontinuities);
        Self { entries: in_force.iter().map(counts).collect(), told: told.collect() }
    }

    /// Discontinuities before segment `number`, at least: no segment has more than one.
    pub fn before(&self, number: SegmentNumber) -> u64 {
        let counted = |(of, before, with): &(SegmentNumber, u64, u64)| match of.0.checked_sub(number.0) {
            Some(ahead) => before.saturating_sub(ahead),
            None => *with,
        };
        let read = self.entries.iter().map(counted).max().unwrap_or(0);
        let told =
            self.told.iter().map(|progress| progress.discontinuities_before(number)).max().unwrap_or(0);
        read.max(told)
    }
}

impl Entry {
    /// Discontinuities before it. One that is shown behind another lease's entry stands behind a break that its own lease
    /// has not counted.
    pub fn discontinuities_before(&self) -> u64 {
        self.discontinuities.saturating_sub(self.discontinuity.into())
    }
}

/// How many breaks are shown before each entry. None stands before a gap: hls.js loads sound only once a picture has told
/// where time begins behind a break, and of a gap there never will be one, so it would stand still until the gaps have
/// left the window. They stand before the next segment that is there, a tag for each, also those that were counted in a
/// gap; so no segment's discontinuity sequence number changes while the window slides.
pub fn breaks_shown(entries: &[Entry]) -> Vec<u64> {
    let mut due = 0;
    let mut shown = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &entries[before])
            && before.number.next() < entry.number
        {
            due += entry.discontinuities_before().saturating_sub(before.discontinuities);
        }
        due += u64::from(entry.discontinuity);
        let is_lost = entry.gap || (entry.open && index + 1 < entries.len());
        shown.push(if is_lost { 0 } else { std::mem::take(&mut due) });
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples;

    fn entry(number: u64, discontinuity: bool, discontinuities: u64) -> Entry {
        Entry { discontinuity, discontinuities, ..samples::entry(1, number) }
    }

    #[test]
    fn the_most_that_anybody_counted_is_before_a_segment() {
        let counts = DiscontinuityCounts::of(&[entry(5, true, 3), entry(9, true, 4)], std::iter::empty());
        let before = |number| counts.before(SegmentNumber(number));
        // Each segment before the fifth may have been a break of its own.
        assert_eq!([3, 4, 5, 6, 9, 10].map(before), [0, 1, 2, 3, 3, 4]);
        assert_eq!(DiscontinuityCounts::of(&[], std::iter::empty()).before(SegmentNumber(7)), 0);
    }

    #[test]
    fn a_break_waits_for_the_next_segment_that_is_there() {
        let gap = |entry| Entry { gap: true, ..entry };
        let line = [entry(1, false, 0), gap(entry(2, true, 1)), gap(entry(3, false, 1)), entry(4, true, 2)];
        assert_eq!(breaks_shown(&line), [0, 0, 0, 2]);
        // Two were counted in numbers of which nothing is there.
        assert_eq!(breaks_shown(&[entry(1, false, 0), entry(6, true, 3)]), [0, 3]);
        // One that is open and not the last has lost its writer.
        let open = Entry { open: true, ..entry(1, true, 1) };
        assert_eq!(breaks_shown(&[open.clone(), entry(2, false, 1)]), [0, 1]);
        assert_eq!(breaks_shown(&[open]), [1]);
    }

    proptest! {
        /// Whatever is a gap: what stands before the segments of a line are all its breaks, or the last ones wait in a gap.
        #[test]
        fn no_break_is_lost(line in proptest::collection::vec((any::<bool>(), any::<bool>(), 1..3u64), 1..20)) {
            let (mut number, mut count, mut entries) = (0, 0, Vec::new());
            for (discontinuity, gap, step) in line {
                number += step;
                count += u64::from(discontinuity);
                entries.push(Entry { gap, ..entry(number, discontinuity, count) });
            }
            let shown = breaks_shown(&entries);
            let waiting: u64 = entries.iter().rev().take_while(|it| it.gap).map(|it| u64::from(it.discontinuity)).sum();
            prop_assert_eq!(shown.iter().sum::<u64>() + waiting, count);
        }
    }
}
