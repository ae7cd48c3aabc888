//! Where segments are cut. Pure: presentation times in, decisions out; the same after a resume, because boundaries
//! are counted from T = 0 and not from where a run happened to start.

use std::collections::VecDeque;

use crate::media::MediaTime;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// It opens the first segment.
    Opens,
    /// It belongs to the open segment.
    Within,
    /// It closes the open segment and opens the next.
    Cuts,
}

/// Boundaries counted from T = 0, or given by the source's IDRs.
#[derive(Debug)]
pub(crate) enum Boundaries {
    Grid(Cutter),
    Given { opened: bool },
}

impl Boundaries {
    /// Places a frame; `given`: it is one of the source's IDRs that begin segments. `None` before the first of them.
    pub(crate) fn place(&mut self, frame: MediaTime, given: bool) -> Option<Boundary> {
        match self {
            Self::Grid(cutter) => Some(cutter.place(frame)),
            Self::Given { opened } if given => {
                Some(if std::mem::replace(opened, true) { Boundary::Cuts } else { Boundary::Opens })
            }
            Self::Given { opened } => opened.then_some(Boundary::Within),
        }
    }

    /// The instant at which the picture before `next` must be repeated so that no segment gets too long.
    pub(crate) fn fill(&self, next: MediaTime) -> Option<MediaTime> {
        match self {
            Self::Grid(cutter) => cutter.fill(next),
            Self::Given { .. } => None,
        }
    }
}

/// Decides the boundaries of one run.
#[derive(Debug)]
pub(crate) struct Cutter {
    duration: i64,
    start: Option<MediaTime>,
}

impl Cutter {
    pub(crate) fn new(duration: MediaTime) -> Self {
        Self { duration: duration.ticks().max(1), start: None }
    }

    /// Places a frame; times must increase.
    pub(crate) fn place(&mut self, at: MediaTime) -> Boundary {
        let place = match self.boundary() {
            None => Boundary::Opens,
            Some(boundary) if at >= boundary => Boundary::Cuts,
            Some(_) => return Boundary::Within,
        };
        self.start = Some(at);
        place
    }

    /// The instant at which the picture before `next` must be repeated so that no segment gets too long.
    pub(crate) fn fill(&self, next: MediaTime) -> Option<MediaTime> {
        self.boundary().filter(|&b| next.minus(b) > self.overrun())
    }

    /// How far past a boundary a frame may lie and still make it: with the shortest segment this keeps every segment
    /// under target + 0.5 s (HLS authoring 7.4) at 2 s.
    pub(super) fn overrun(&self) -> MediaTime {
        MediaTime::from_ticks(self.duration / 10)
    }

    /// The next multiple of the duration that does not leave a sliver of a segment before it.
    fn boundary(&self) -> Option<MediaTime> {
        let start = self.start?.ticks();
        let next = (start.div_euclid(self.duration) + 1) * self.duration;
        let sliver = self.duration / 8;
        Some(MediaTime::from_ticks(if next - start < sliver { next + self.duration } else { next }))
    }
}

/// How much longer than asked for a part may get: PART-TARGET is announced as 0.534 s for parts of 0.5 s, because 25
/// audio frames are 0.533 s. Every part but a segment's last must have 85 % of it (RFC 8216bis section 4.4.4.9).
const PART_TOLERANCE: (i64, i64) = (534, 500);
/// Milliseconds of the source's time are rounded.
const ROUNDING: i64 = 2 * 90;

/// Decides where the parts of a segment end.
#[derive(Debug)]
pub(crate) struct PartCutter {
    duration: i64,
    start: MediaTime,
    /// Ends of parts that are out already.
    given: VecDeque<MediaTime>,
}

impl PartCutter {
    pub(crate) fn new(duration: MediaTime, given: Vec<MediaTime>) -> Self {
        Self { duration: duration.ticks().max(1), start: MediaTime::default(), given: given.into() }
    }

    /// A segment begins.
    pub(crate) fn open(&mut self, at: MediaTime) {
        self.start = at;
        self.given.retain(|end| *end > at);
    }

    /// Whether the frame at `at` begins the next part, if the one behind it comes `step` later. `Some(true)`: the last
    /// of those that are out already ends here.
    pub(crate) fn cuts(&mut self, at: MediaTime, step: MediaTime) -> Option<bool> {
        let (cuts, resumed) = match self.given.front() {
            Some(end) if at < *end => (false, false),
            Some(_) => {
                self.given.pop_front();
                (true, self.given.is_empty())
            }
            None => {
                let length = at.minus(self.start).ticks();
                (length + ROUNDING >= self.duration || length + step.ticks() > self.longest(), false)
            }
        };
        if cuts {
            self.start = at;
        }
        cuts.then_some(resumed)
    }

    /// The instant at which a picture must be repeated before `next`, so that the part does not get too long.
    pub(crate) fn fill(&self, next: MediaTime) -> Option<MediaTime> {
        let end =
            self.given.front().copied().unwrap_or(MediaTime::from_ticks(self.start.ticks() + self.duration));
        (next.minus(self.start).ticks() > self.longest()).then_some(end)
    }

    /// Where the open part ends at the latest.
    pub(crate) fn latest(&self) -> MediaTime {
        MediaTime::from_ticks(self.start.ticks() + self.longest())
    }

    fn longest(&self) -> i64 {
        self.duration * PART_TOLERANCE.0 / PART_TOLERANCE.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(from: i64, step: i64, n: i64) -> Vec<i64> {
        let mut cutter = Cutter::new(MediaTime::from_secs(2));
        (0..n)
            .map(|i| from + i * step)
            .filter(|&t| cutter.place(MediaTime::from_ticks(t)) != Boundary::Within)
            .collect()
    }

    #[test]
    fn cuts_at_the_first_frame_at_or_after_each_multiple() {
        assert_eq!(cuts(900_000, 3_000, 130), [900_000, 1_080_000, 1_260_000]);
        assert_eq!(cuts(900_000, 3_750, 100), [900_000, 1_080_000, 1_260_000]);
        assert_eq!(cuts(901_000, 7_000, 60), [901_000, 1_083_000, 1_265_000]);
    }

    #[test]
    fn a_resume_cuts_at_the_same_instants() {
        let whole = cuts(900_000, 3_003, 400);
        let resumed = cuts(whole[2], 3_003, 400 - (whole[2] - 900_000) / 3_003);
        assert_eq!(whole[2..], resumed);
    }

    #[test]
    fn no_slivers_and_nothing_too_long() {
        let lengths: Vec<_> = cuts(1_070_000, 3_000, 300).windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(lengths[0], 192_000);
        assert!(lengths.iter().all(|l| (22_500..225_000).contains(l)));
    }

    #[test]
    fn given_boundaries_are_kept() {
        let t = MediaTime::from_secs;
        let mut given = Boundaries::Given { opened: false };
        assert_eq!(given.place(t(1), false), None, "nothing is open");
        let places: Vec<_> =
            [(2, true), (3, false), (4, true)].map(|(at, idr)| given.place(t(at), idr)).into();
        assert_eq!(places, [Some(Boundary::Opens), Some(Boundary::Within), Some(Boundary::Cuts)]);
    }

    /// Lengths of the parts of ten seconds, in milliseconds; FLV's rounding included.
    fn parts(rate: f64) -> Vec<i64> {
        let step = MediaTime::from_ticks((90_000.0 / rate) as i64);
        let mut cutter = PartCutter::new(MediaTime::from_millis(500), Vec::new());
        let times = (0..(10.0 * rate) as i64)
            .map(|i| MediaTime::from_millis((i as f64 * 1_000.0 / rate).round() as i64));
        cutter.open(MediaTime::default());
        let cuts: Vec<_> =
            times.filter(|&at| cutter.cuts(at, step).is_some()).map(|at| at.ticks() / 90).collect();
        std::iter::once(cuts[0]).chain(cuts.windows(2).map(|w| w[1] - w[0])).collect()
    }

    #[test]
    fn parts_are_neither_too_long_nor_too_short() {
        for rate in
            [10.0, 12.0, 15.0, 20.0, 24_000.0 / 1_001.0, 24.0, 25.0, 30_000.0 / 1_001.0, 30.0, 50.0, 60.0]
        {
            let lengths = parts(rate);
            assert!(lengths.iter().all(|l| (454..=534).contains(l)), "{rate}: {lengths:?}");
        }
    }

    #[test]
    fn parts_that_are_out_are_cut_again_as_they_were() {
        let t = MediaTime::from_millis;
        let mut cutter = PartCutter::new(t(500), vec![t(10_480), t(11_000)]);
        cutter.open(t(10_000));
        let cuts: Vec<_> = (0..80)
            .map(|i| t(10_000 + 20 * i))
            .filter_map(|at| Some((at, cutter.cuts(at, t(20))?)))
            .collect();
        assert_eq!(cuts, [(t(10_480), false), (t(11_000), true), (t(11_500), false)]);
    }

    #[test]
    fn a_gap_is_filled_at_each_boundary_it_spans() {
        let mut cutter = Cutter::new(MediaTime::from_secs(2));
        cutter.place(MediaTime::from_secs(10));
        let next = MediaTime::from_millis(15_100);
        let mut filled = Vec::new();
        while let Some(at) = cutter.fill(next) {
            assert_eq!(cutter.place(at), Boundary::Cuts);
            filled.push(at.ticks() / 90_000);
        }
        assert_eq!(filled, [12, 14]);
        assert_eq!(cutter.place(next), Boundary::Within);
    }
}
