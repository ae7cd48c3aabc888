//! Where segments are cut if the source's own pictures are the top rendition: only at its IDRs, so that no packet of it
//! need be touched. Pure. Each decision is made when an IDR comes, without knowing when the next one will.

use std::collections::VecDeque;

use crate::media::MediaTime;

/// Key frame intervals remembered: a source that changes its ways is believed after so many.
const MEMORY: usize = 16;
/// Intervals that must have been seen before segments of several are made.
const TRUSTED_AFTER: usize = 4;

/// The IDRs of a source become boundaries, or the source is found unfit.
#[derive(Debug)]
pub(super) struct GopCutter {
    /// Longest interval between IDRs that is accepted.
    longest_gop: i64,
    /// No segment is longer: it would round to more than the target duration (RFC 8216bis section 4.4.3.1).
    longest_segment: i64,
    /// Parts of the first segment are out until here: it does not end before.
    out_until: i64,
    start: Option<i64>,
    last_idr: Option<i64>,
    gops: VecDeque<i64>,
}

impl GopCutter {
    pub(crate) fn new(target: MediaTime, out_until: MediaTime) -> Self {
        let target = target.ticks().max(1);
        Self {
            longest_gop: target + target / 10,
            longest_segment: target + target * 9 / 40,
            out_until: out_until.ticks(),
            start: None,
            last_idr: None,
            gops: VecDeque::with_capacity(MEMORY),
        }
    }

    /// Whether a picture shown at `at`, after the last IDR, still belongs to an acceptable interval.
    pub(crate) fn allows(&self, at: MediaTime) -> bool {
        self.last_idr.is_none_or(|idr| at.ticks() - idr <= self.longest_gop)
            && self.start.is_none_or(|start| at.ticks() - start <= self.longest_segment)
    }

    /// Whether the IDR shown at `at` begins a segment.
    pub(crate) fn cuts(&mut self, at: MediaTime) -> bool {
        let at = at.ticks();
        if let Some(last) = self.last_idr.replace(at) {
            if self.gops.len() == MEMORY {
                self.gops.pop_front();
            }
            self.gops.push_back(at - last);
        }
        let full = |start| at >= self.out_until && at - start + self.next_gop() > self.longest_segment;
        let cuts = self.start.is_none_or(full);
        if cuts {
            self.start = Some(at);
        }
        cuts
    }

    /// How long the interval that begins now may be.
    fn next_gop(&self) -> i64 {
        let seen = self.gops.iter().copied().max().unwrap_or(0);
        if self.gops.len() < TRUSTED_AFTER { seen.max(self.longest_gop) } else { seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts of IDRs at these milliseconds.
    fn cuts(idrs: &[i64]) -> Vec<i64> {
        let mut cutter = GopCutter::new(MediaTime::from_secs(2), MediaTime::default());
        let fits = |cutter: &mut GopCutter, at| {
            assert!(cutter.allows(MediaTime::from_millis(at)), "{at}");
            cutter.cuts(MediaTime::from_millis(at))
        };
        idrs.iter().copied().filter(|&at| fits(&mut cutter, at)).collect()
    }

    fn every(step: i64, count: i64) -> Vec<i64> {
        (0..count).map(|i| i * step).collect()
    }

    #[test]
    fn intervals_of_a_target_are_segments() {
        assert_eq!(cuts(&every(2_000, 6)), every(2_000, 6));
        assert_eq!(cuts(&every(2_002, 6)), every(2_002, 6));
    }

    #[test]
    fn short_intervals_are_joined_once_they_are_known() {
        assert_eq!(cuts(&every(1_000, 9)), [0, 1_000, 2_000, 3_000, 5_000, 7_000]);
        assert_eq!(cuts(&every(500, 13)).iter().rev().take(2).collect::<Vec<_>>(), [&5_500, &3_500]);
    }

    #[test]
    fn irregular_intervals_never_make_a_segment_too_long() {
        let idrs = [0, 300, 2_300, 4_300, 4_900, 5_000, 7_000, 8_200, 10_200, 10_700, 12_700];
        let cuts = cuts(&idrs);
        assert!(cuts.windows(2).all(|w| w[1] - w[0] <= 2_450), "{cuts:?}");
    }

    #[test]
    fn a_segment_goes_on_as_far_as_parts_of_it_are_out() {
        let mut cutter = GopCutter::new(MediaTime::from_secs(2), MediaTime::from_millis(1_500));
        let cuts: Vec<_> =
            every(1_000, 5).into_iter().filter(|&at| cutter.cuts(MediaTime::from_millis(at))).collect();
        assert_eq!(cuts, [0, 2_000, 3_000]);
    }

    #[test]
    fn long_intervals_are_not_accepted() {
        let mut cutter = GopCutter::new(MediaTime::from_secs(2), MediaTime::default());
        cutter.cuts(MediaTime::from_secs(10));
        assert!(cutter.allows(MediaTime::from_millis(12_200)));
        assert!(!cutter.allows(MediaTime::from_millis(12_201)));
    }

    #[test]
    fn intervals_that_grow_are_noticed_before_the_segment_is_too_long() {
        let mut cutter = GopCutter::new(MediaTime::from_secs(2), MediaTime::default());
        let last = every(1_000, 9).into_iter().filter(|&at| cutter.cuts(MediaTime::from_millis(at))).max();
        assert_eq!(last, Some(7_000));
        assert!(cutter.allows(MediaTime::from_millis(9_400)));
        assert!(!cutter.allows(MediaTime::from_millis(9_500)));
    }
}
