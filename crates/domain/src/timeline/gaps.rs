//! Numbers of which nothing is there: a takeover from the other region leaves room, and a replica may have entries in any
//! order. Players skip them, and keep count.

use std::ops::Range;
use std::time::Duration;

use super::Entry;
use crate::ids::SegmentNumber;
use crate::stream::{DVR_WINDOW_SECONDS, SEGMENT_SECONDS};

/// Numbers in a row that nobody wrote and that are still shown as gaps: the longest live window. A takeover leaves some
/// hundred at most; behind a longer gap a live window begins anew, and a recording leaves out the rest.
pub const MAX_GAP_NUMBERS: u64 = (*DVR_WINDOW_SECONDS.end() / SEGMENT_SECONDS) as u64;
/// Of a gap: numbers that a takeover leaves free for what it cannot see are more than the time that has passed has segments.
const SHORTEST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(SEGMENT_SECONDS as u64);

/// The numbers between two entries, which together last as long as what is missing, as far as that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    numbers: Range<u64>,
    /// How long each of them is; whole milliseconds.
    pub each: Duration,
}

impl Gap {
    /// Between two entries of a line; empty if they follow one another. A gap in a recording can be as long as somebody
    /// likes, so only the last numbers of it are shown; in a live window none is longer.
    pub fn between(before: &Entry, after: &Entry) -> Self {
        let first = (before.number.0 + 1).max(after.number.0.saturating_sub(MAX_GAP_NUMBERS));
        let missing = after.number.0.saturating_sub(first);
        let time = after.program_date_time.since(before.until());
        let each = time.checked_div(u32::try_from(missing).unwrap_or(u32::MAX)).unwrap_or_default();
        let millis = u64::try_from(each.clamp(SHORTEST_GAP, LONGEST_GAP).as_millis()).unwrap_or(u64::MAX);
        Self { numbers: first..after.number.0, each: Duration::from_millis(millis) }
    }

    /// The numbers, oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = SegmentNumber> + use<> {
        self.numbers.clone().map(SegmentNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    fn between(before: u64, after: Entry) -> (Vec<u64>, u128) {
        let gap = Gap::between(&samples::entry(1, before), &after);
        (gap.numbers().map(|number| number.0).collect(), gap.each.as_millis())
    }

    #[test]
    fn a_gap_lasts_as_long_as_what_is_missing() {
        assert_eq!(between(3, samples::entry(1, 4)).0, [0; 0]);
        assert_eq!(between(3, samples::entry(1, 6)), (vec![4, 5], 2_000));
        let at = |number, later| {
            let entry = samples::entry(1, number);
            Entry { program_date_time: samples::entry(1, 4).program_date_time + later, ..entry }
        };
        // Three seconds for four numbers; no time at all; more than there can be.
        assert_eq!(between(3, at(8, Duration::from_secs(3))), (vec![4, 5, 6, 7], 750));
        assert_eq!(between(3, at(8, Duration::ZERO)).1, 100);
        assert_eq!(between(3, at(5, Duration::from_secs(60))), (vec![4], 2_000));
    }

    #[test]
    fn of_a_long_gap_the_last_numbers_are_shown() {
        let (numbers, _) = between(0, samples::entry(1, 10 * MAX_GAP_NUMBERS));
        assert_eq!(numbers.len() as u64, MAX_GAP_NUMBERS);
        assert_eq!(numbers.last(), Some(&(10 * MAX_GAP_NUMBERS - 1)));
    }
}
