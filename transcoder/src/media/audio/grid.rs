//! Lays decoded sound on the sample grid of the broadcast: jitter is absorbed, gaps become silence, overlaps are
//! dropped, clock drift is stretched away. Pure: samples and positions in, whole frames out.

use crate::media::{FRAME_SAMPLES, GridFrame};

/// Samples (50 ms) by which a position may differ from the running count and still be jitter: FLV rounds to 1 ms, but
/// encoders stamp audio when they send it. More is a gap or an overlap.
const MAX_JITTER: i64 = 2_400;
/// Samples (1 s) by which a position may be behind the running count and still follow it: capture buffers of up to half a
/// second are stamped once, and some stamps lie in the past.
const MAX_BEHIND: i64 = 48_000;
/// Blocks in a row that may be behind without sharing a position (1.5 s): more are an overlap.
const MAX_BEHIND_BLOCKS: u32 = 70;
/// Samples (5 ms) of steady difference from which drift is corrected ...
const DRIFT_FROM: f64 = 240.0;
/// ... until it is under 1 ms.
const DRIFT_UNTIL: f64 = 48.0;
/// Samples a block of 1024 is stretched by: 0.4 %, inaudible, and far above any crystal's drift.
const MAX_STRETCH: i64 = 4;
/// Blocks over which the difference is averaged (about 0.7 s).
const SMOOTHING: f64 = 1.0 / 32.0;
/// Samples of silence put in at once (1 s): bounds what a gap can hold in memory.
const MAX_SILENCE: i64 = 48_000;

/// What a push did, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub(crate) silence: u64,
    pub(crate) overlap: u64,
    pub(crate) drift: u64,
}

/// The grid of one run.
pub(crate) struct Grid {
    /// Samples not yet taken, one vector a channel; the first is sample `taken`.
    pending: Vec<Vec<f32>>,
    taken: i64,
    /// Where the next pushed sample belongs by counting, once something was pushed.
    count: Option<i64>,
    /// Where the last push said it belongs.
    last: Option<i64>,
    /// Blocks in a row that were behind.
    behind: u32,
    drift: f64,
    correcting: bool,
}

impl Grid {
    pub(crate) fn new(first: GridFrame, channels: usize) -> Self {
        Self {
            pending: vec![Vec::new(); channels],
            taken: first.sample() as i64,
            count: None,
            last: None,
            behind: 0,
            drift: 0.0,
            correcting: false,
        }
    }

    /// Sample up to which the grid is full.
    pub(crate) fn filled(&self) -> i64 {
        self.taken + self.pending.first().map_or(0, Vec::len) as i64
    }

    /// Adds sound that its source places at sample `at` (`None`: right behind the last). `full` is called whenever
    /// frames may be taken, so that a long gap does not pile up.
    pub(crate) fn push<E>(
        &mut self,
        at: Option<i64>,
        planes: &[&[f32]],
        mut full: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<Placed, E> {
        let length = planes.first().map_or(0, |p| p.len());
        let mut placed = Placed::default();
        let (start, stretch) = self.align(at, length as i64);
        placed.drift = stretch.unsigned_abs();
        while start > self.filled() {
            let silence = (start - self.filled()).min(MAX_SILENCE);
            self.silence(silence as usize);
            placed.silence += silence as u64;
            full(self)?;
        }
        let end = start + length as i64 + stretch;
        let overlap = (self.filled() - start).clamp(0, end - start) as usize;
        placed.overlap = overlap as u64;
        for (pending, plane) in self.pending.iter_mut().zip(planes) {
            if stretch == 0 {
                pending.extend_from_slice(&plane[overlap..]);
            } else {
                pending.extend(stretched(plane, (end - start) as usize).skip(overlap));
            }
        }
        self.count = Some(end);
        full(self)?;
        Ok(placed)
    }

    /// Fills with silence up to a sample.
    pub(crate) fn fill(&mut self, upto: i64) -> u64 {
        let missing = (upto - self.filled()).clamp(0, MAX_SILENCE);
        self.silence(missing as usize);
        missing as u64
    }

    /// The next whole frame, if there is one.
    pub(crate) fn take(&mut self) -> Option<(GridFrame, Vec<Vec<f32>>)> {
        if self.pending.first()?.len() < FRAME_SAMPLES {
            return None;
        }
        let frame = GridFrame::new(self.taken as u64 / FRAME_SAMPLES as u64);
        let planes = self.pending.iter_mut().map(|p| p.drain(..FRAME_SAMPLES).collect()).collect();
        self.taken += FRAME_SAMPLES as i64;
        Some((frame, planes))
    }

    fn silence(&mut self, samples: usize) {
        for pending in &mut self.pending {
            pending.resize(pending.len() + samples, 0.0);
        }
    }

    /// Where the sound goes, and by how many samples to stretch it.
    fn align(&mut self, at: Option<i64>, length: i64) -> (i64, i64) {
        let (Some(at), Some(count)) = (at, self.count) else {
            self.last = at;
            return (at.or(self.count).unwrap_or_else(|| self.filled()), 0);
        };
        // Blocks that share a position follow each other: only the first says something of the clock.
        let is_fresh = self.last.replace(at).is_none_or(|last| (at - last).abs() >= length / 2);
        let difference = at - count;
        if (-MAX_BEHIND..-MAX_JITTER).contains(&difference) {
            self.behind += u32::from(is_fresh);
            if !is_fresh || self.behind <= MAX_BEHIND_BLOCKS {
                return (count, 0);
            }
        }
        if difference.abs() > MAX_JITTER {
            (self.drift, self.correcting, self.behind) = (0.0, false, 0);
            return (at, 0);
        }
        if !is_fresh {
            return (count, 0);
        }
        self.behind = 0;
        self.drift += (difference as f64 - self.drift) * SMOOTHING;
        if count + length <= self.filled() {
            // All of it is dropped (before the start of a resume): correct at once, it costs nothing.
            let hard = self.drift.round();
            self.drift -= hard;
            return (count + hard as i64, 0);
        }
        self.correcting = self.drift.abs() > if self.correcting { DRIFT_UNTIL } else { DRIFT_FROM };
        if !self.correcting || length < FRAME_SAMPLES as i64 / 2 {
            return (count, 0);
        }
        let stretch = (self.drift.round() as i64).clamp(-MAX_STRETCH, MAX_STRETCH);
        self.drift -= stretch as f64;
        (count, stretch)
    }
}

/// Linear interpolation of a block to another length.
fn stretched(plane: &[f32], length: usize) -> impl Iterator<Item = f32> + '_ {
    let step = (plane.len().max(1) - 1) as f64 / (length.max(2) - 1) as f64;
    (0..length).map(move |i| {
        let x = i as f64 * step;
        let (low, part) = (x.floor() as usize, x.fract() as f32);
        let a = plane.get(low).copied().unwrap_or(0.0);
        let b = plane.get(low + 1).copied().unwrap_or(a);
        a + (b - a) * part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(grid: &mut Grid, at: i64, length: usize) -> Placed {
        let plane = vec![1.0; length];
        grid.push::<()>(Some(at), &[&plane], |_| Ok(())).unwrap()
    }

    fn drain(grid: &mut Grid) -> Vec<u64> {
        std::iter::from_fn(|| grid.take()).map(|(frame, _)| frame.index()).collect()
    }

    #[test]
    fn millisecond_rounding_leaves_no_trace() {
        let mut grid = Grid::new(GridFrame::new(10), 1);
        for i in 0..500_i64 {
            let exact = 10_240 + i * 1024;
            let rounded = exact / 48 * 48;
            let placed = push(&mut grid, rounded.max(10_240), 1024);
            assert_eq!((placed.silence, placed.drift), (0, 0), "block {i}");
        }
        assert_eq!(drain(&mut grid), (10..510).collect::<Vec<_>>());
    }

    #[test]
    fn gaps_become_silence_and_overlaps_are_dropped() {
        let mut grid = Grid::new(GridFrame::new(0), 1);
        push(&mut grid, 0, 1024);
        assert_eq!(push(&mut grid, 1024 + 9_600, 1024).silence, 9_600);
        // A stamp in the past is no overlap, unless it stays there.
        assert_eq!(push(&mut grid, 5_000, 1024), Placed::default());
        assert_eq!(push(&mut grid, 12_672, 1024), Placed::default());
        assert_eq!(grid.filled(), 12_672 + 1024);
        let overlaps: u64 = (0..100).map(|i| push(&mut grid, i * 1024, 1024).overlap).sum();
        assert!(overlaps > 10 * 1024, "{overlaps}");
    }

    #[test]
    fn blocks_that_share_a_position_follow_each_other() {
        for step in [4_800, 9_600, 19_200, 24_000] {
            let mut grid = Grid::new(GridFrame::new(0), 1);
            for i in 0..500 {
                let placed = push(&mut grid, i * 1024 / step * step, 1024);
                assert_eq!((placed.silence, placed.overlap), (0, 0), "{step}: block {i}");
            }
            assert!((grid.filled() - 500 * 1024).abs() < 1_024, "{step}: {}", grid.filled());
        }
    }

    #[test]
    fn what_lies_before_the_start_is_dropped_sample_exactly() {
        let mut grid = Grid::new(GridFrame::new(2), 1);
        assert_eq!(push(&mut grid, 1_000, 1024).overlap, 1024);
        assert_eq!(push(&mut grid, 2_024, 1024).overlap, 24);
        assert_eq!(grid.filled(), 3_048);
    }

    #[test]
    fn drift_is_stretched_away() {
        let mut grid = Grid::new(GridFrame::new(0), 1);
        let mut corrected = 0;
        // The source's clock says 1025 samples passed for each 1024 it sends: 1000 ppm.
        for i in 0..4_000 {
            corrected += push(&mut grid, i * 1025, 1024).drift;
            while grid.take().is_some() {}
        }
        assert!((grid.filled() - 4_000 * 1025).abs() < 480, "{} apart", grid.filled() - 4_000 * 1025);
        assert!(corrected > 3_000);
    }

    #[test]
    fn an_hour_of_drift_stays_within_40_ms() {
        const BLOCKS: i64 = 3_600 * 48_000 / 1_024;
        // Parts per million by which the source's sample clock is off its own timestamps: what crystals reach.
        for ppm in [-100, 100] {
            let mut grid = Grid::new(GridFrame::new(0), 1);
            let plane = vec![0.0; 1024];
            let mut worst = 0;
            for i in 0..BLOCKS {
                let exact = i * 1_024 + i * 1_024 * ppm / 1_000_000;
                // Stamped up to 20 ms late, in whole milliseconds.
                let stamped = (exact + i * 7_919 % 960) / 48 * 48;
                let placed = grid.push::<()>(Some(stamped), &[&plane], |_| Ok(())).unwrap();
                assert_eq!((placed.silence, placed.overlap), (0, 0), "block {i} at {ppm} ppm");
                worst = worst.max((grid.filled() - 1_024 - exact).abs());
                while grid.take().is_some() {}
            }
            assert!(worst < 40 * 48, "{worst} samples apart at {ppm} ppm");
        }
    }

    #[test]
    fn a_long_gap_is_filled_in_bounded_pieces() {
        let mut grid = Grid::new(GridFrame::new(0), 2);
        let plane = vec![1.0; 1024];
        let mut most = 0;
        let placed = grid
            .push::<()>(Some(480_000), &[&plane, &plane], |g| {
                most = most.max(g.pending[0].len());
                while g.take().is_some() {}
                Ok(())
            })
            .unwrap();
        assert_eq!(placed.silence, 480_000);
        assert!(most <= 50_000);
    }
}
