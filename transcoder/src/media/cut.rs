//! Where segments are cut. Pure: presentation times in, decisions out; the same after a resume, because boundaries
//! are counted from T = 0 and not from where a run happened to start.

use super::time::MediaTime;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It opens the first segment.
    Opens,
    /// It belongs to the open segment.
    Within,
    /// It closes the open segment and opens the next.
    Cuts,
}

/// Decides the boundaries of one run.
#[derive(Debug)]
pub(super) struct Cutter {
    duration: i64,
    start: Option<MediaTime>,
}

impl Cutter {
    pub(super) fn new(duration: MediaTime) -> Self {
        Self { duration: duration.ticks().max(1), start: None }
    }

    /// Places a frame; times must increase.
    pub(super) fn place(&mut self, at: MediaTime) -> Place {
        let place = match self.boundary() {
            None => Place::Opens,
            Some(boundary) if at >= boundary => Place::Cuts,
            Some(_) => return Place::Within,
        };
        self.start = Some(at);
        place
    }

    /// The instant at which the picture before `next` must be repeated so that no segment gets too long.
    pub(super) fn fill(&self, next: MediaTime) -> Option<MediaTime> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(from: i64, step: i64, n: i64) -> Vec<i64> {
        let mut cutter = Cutter::new(MediaTime::from_secs(2));
        (0..n)
            .map(|i| from + i * step)
            .filter(|&t| cutter.place(MediaTime::from_ticks(t)) != Place::Within)
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
    fn a_gap_is_filled_at_each_boundary_it_spans() {
        let mut cutter = Cutter::new(MediaTime::from_secs(2));
        cutter.place(MediaTime::from_secs(10));
        let next = MediaTime::from_millis(15_100);
        let mut filled = Vec::new();
        while let Some(at) = cutter.fill(next) {
            assert_eq!(cutter.place(at), Place::Cuts);
            filled.push(at.ticks() / 90_000);
        }
        assert_eq!(filled, [12, 14]);
        assert_eq!(cutter.place(next), Place::Within);
    }
}
