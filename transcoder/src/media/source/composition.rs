//! When a source's pictures are shown: composition times of single packets that are damaged are put right, so that each
//! costs at most its own picture. Pure: FLV milliseconds in, FLV milliseconds out.
//!
//! A packet is judged by those around it. What a decoder hands out is in the order in which it is shown: whatever it
//! still holds comes later.

use std::collections::VecDeque;

/// Packets whose composition times are remembered: some groups of B-frames, whatever their pattern.
const MEMORY: usize = 48;
/// Packets that a run begins with are held until there are so many: one damaged time among fewer cannot be told.
const JUDGED_FROM: usize = 3;
/// Milliseconds of media for which they are held at most; pictures may be rare.
const MAX_HELD_MILLIS: i64 = 300;
/// FLV rounds to milliseconds.
const ROUNDING: i64 = 2;
/// Milliseconds by which an honest picture may lie beside the others' composition times, and the pictures that a decoder
/// may reorder (H.264 Annex C: 16, and the one itself): what is within either is believed.
const REACH_MILLIS: i64 = 1_000;
const REORDERED: i64 = 17;
/// The same if all others agree: a source that has shown its pictures in order until now may have a first group of B-frames.
const AGREED_REACH_MILLIS: i64 = 150;
const AGREED_REORDERED: i64 = 5;
/// Packets on their way through the decoder; above its frame threads and any reorder depth.
const MAX_UNDER_WAY: usize = 64;

/// A packet that the decoder has.
#[derive(Debug)]
struct Sent<N> {
    serial: i64,
    pts: i64,
    note: N,
}

/// Times of the packets of one run; `N` is what else is to be remembered of each.
#[derive(Debug, Default)]
pub(crate) struct Composition<N> {
    /// Composition times as they came, and the steps between decode times.
    times: VecDeque<i64>,
    steps: VecDeque<i64>,
    last_dts: Option<i64>,
    /// Packets that the decoder has.
    under_way: VecDeque<Sent<N>>,
    next_serial: i64,
}

impl<N> Composition<N> {
    /// Takes note of a packet that is to be judged with those before and behind it.
    pub(crate) fn note(&mut self, pts: i64, dts: i64) {
        remember(&mut self.times, pts.saturating_sub(dts));
        if let Some(last) = self.last_dts.replace(dts) {
            remember(&mut self.steps, dts.saturating_sub(last).max(0));
        }
    }

    /// When a packet that was noted is shown.
    pub(crate) fn mend(&self, pts: i64, dts: i64) -> i64 {
        dts.saturating_add(self.judge(pts.saturating_sub(dts)))
    }

    /// Whether the source as a whole shows pictures before they are decoded.
    pub(crate) fn is_negative(&self) -> bool {
        middle(&self.times) < -ROUNDING
    }

    /// Whether packets that a run begins with can be judged: so many are noted, or others of the run are so much later.
    pub(crate) fn is_settled(&self, first_millis: i64, newest_millis: i64) -> bool {
        self.times.len() >= JUDGED_FROM || newest_millis.saturating_sub(first_millis) > MAX_HELD_MILLIS
    }

    /// The number by which the picture of the next packet is known.
    pub(crate) fn next_serial(&self) -> i64 {
        self.next_serial
    }

    /// That packet goes to the decoder.
    pub(crate) fn sent(&mut self, pts: i64, note: N) {
        if self.under_way.len() == MAX_UNDER_WAY {
            self.under_way.pop_front();
        }
        self.under_way.push_back(Sent { serial: self.next_serial, pts, note });
        self.next_serial += 1;
    }

    /// When the picture of packet `serial` is shown, the last one having been shown at `last`: before all that the decoder
    /// still has. `None` if it is none of ours.
    pub(crate) fn shown(&mut self, serial: i64, last: Option<i64>) -> Option<(i64, N)> {
        let place = self.under_way.iter().position(|sent| sent.serial == serial)?;
        let Sent { pts, note, .. } = self.under_way.remove(place)?;
        let behind = |last: i64| {
            let next = self.under_way.iter().map(|sent| sent.pts).filter(|pts| *pts > last + 1).min()?;
            (pts >= next).then_some(last + (next - last) / 2)
        };
        Some((last.and_then(behind).unwrap_or(pts), note))
    }

    /// Whether the decoder owes pictures.
    pub(crate) fn is_owed(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// The decoder owes nothing any more.
    pub(crate) fn forget(&mut self) {
        self.under_way.clear();
    }

    fn judge(&self, time: i64) -> i64 {
        let middle = middle(&self.times);
        let step = self::middle(&self.steps).clamp(0, REACH_MILLIS);
        let reach = REACH_MILLIS.max(step * REORDERED);
        let mut near: Vec<i64> =
            self.times.iter().copied().filter(|one| one.saturating_sub(middle).abs() <= reach).collect();
        near.sort_unstable();
        // One may be damaged, and lies at either end.
        let agree = |some: &[i64]| some.len() >= 2 && some[some.len() - 1] - some[0] <= ROUNDING;
        let (but_last, but_first) =
            (&near[..near.len().saturating_sub(1)], near.get(1..).unwrap_or_default());
        let beside = time.saturating_sub(middle).abs();
        let agreed = AGREED_REACH_MILLIS.max(step * AGREED_REORDERED);
        if (agree(but_last) || agree(but_first)) && beside > agreed {
            return middle;
        }
        if beside <= reach { time } else { middle }
    }
}

fn remember(some: &mut VecDeque<i64>, one: i64) {
    if some.len() == MEMORY {
        some.pop_front();
    }
    some.push_back(one);
}

fn middle(some: &VecDeque<i64>) -> i64 {
    let mut sorted: Vec<i64> = some.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of `step` milliseconds in decoding order: (decoded at, shown at). `pattern` is the order in which the
    /// pictures of a group are decoded, as places in the order in which they are shown.
    fn pictures(pattern: &[i64], step: i64, count: i64) -> Vec<(i64, i64)> {
        let group = pattern.len() as i64;
        let delay = (0..group).map(|i| i - pattern[i as usize]).max().unwrap_or(0).max(0);
        (0..count)
            .map(|i| (i * step, (i / group * group + pattern[(i % group) as usize] + delay) * step))
            .collect()
    }

    /// What a decoder that holds as few pictures as it can makes of them: shown times in its order.
    fn shown(pictures: &[(i64, i64)], damaged: Option<(usize, i64)>) -> Vec<i64> {
        let mut composition = Composition::<()>::default();
        let claimed: Vec<(i64, i64)> = pictures
            .iter()
            .enumerate()
            .map(|(i, &(dts, pts))| (dts, damaged.filter(|d| d.0 == i).map_or(pts, |d| dts + d.1)))
            .collect();
        let (mut waiting, mut out, mut next) = (std::collections::BTreeMap::new(), Vec::new(), 0);
        let mut order: Vec<i64> = pictures.iter().map(|(_, pts)| *pts).collect();
        order.sort_unstable();
        let mut take = |composition: &mut Composition<()>, i: usize| {
            let (dts, pts) = claimed[i];
            let serial = composition.next_serial();
            composition.sent(composition.mend(pts, dts), ());
            waiting.insert(pictures[i].1, serial);
            while let Some(serial) = order.get(next).and_then(|pts| waiting.remove(pts)) {
                next += 1;
                let (at, ()) = composition.shown(serial, out.last().copied()).unwrap();
                out.push(out.last().map_or(at, |last: &i64| at.max(last + 1)));
            }
        };
        for (i, &(dts, pts)) in claimed.iter().enumerate() {
            composition.note(pts, dts);
            if i + 1 == JUDGED_FROM {
                (0..=i).for_each(|i| take(&mut composition, i));
            } else if i >= JUDGED_FROM {
                take(&mut composition, i);
            }
        }
        out
    }

    const PATTERNS: [&[i64]; 4] = [&[0], &[0, 2, 1], &[0, 3, 1, 2], &[0, 4, 2, 1, 3]];

    #[test]
    fn honest_pictures_are_shown_when_they_say() {
        for pattern in PATTERNS {
            for step in [4, 33, 66, 1_000] {
                let honest = pictures(pattern, step, 60);
                let mut expected: Vec<i64> = honest.iter().map(|(_, pts)| *pts).collect();
                expected.sort_unstable();
                assert_eq!(shown(&honest, None), expected, "{pattern:?} at {step}");
            }
        }
    }

    #[test]
    fn one_damaged_time_moves_no_other_picture_far_and_loses_none() {
        let values = [-8_388_608, -9_000, -500, -40, -1, 1, 40, 250, 900, 3_000, 9_000, 60_000, 8_388_607];
        for pattern in PATTERNS {
            let honest = pictures(pattern, 40, 60);
            let mut expected: Vec<i64> = honest.iter().map(|(_, pts)| *pts).collect();
            expected.sort_unstable();
            for position in [0, 1, 2, 3, 4, 5, 6, 7, 8, 25, 26, 27, 28, 29, 59] {
                for value in values {
                    let shown = shown(&honest, Some((position, value)));
                    assert_eq!(shown.len(), expected.len());
                    let apart = shown.iter().zip(&expected).map(|(a, b)| (a - b).abs()).max().unwrap();
                    assert!(apart <= REACH_MILLIS, "{pattern:?} {position} {value}: {apart}");
                    let moved = shown.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 40).count();
                    let all = if pattern.len() == 1 { 1 } else { 25 };
                    assert!(moved <= all, "{pattern:?} {position} {value}: {moved}");
                }
            }
        }
    }

    #[test]
    fn a_composition_offset_that_lasts_is_believed() {
        let mut composition = Composition::<()>::default();
        let at = |i: i64| (i * 40 + if i < 60 { 0 } else { 60_000 }, i * 40);
        let mended: Vec<i64> = (0..120)
            .map(|i| {
                let (pts, dts) = at(i);
                composition.note(pts, dts);
                composition.mend(pts, dts)
            })
            .collect();
        assert_eq!(mended[59], 59 * 40);
        assert_eq!(mended[119], 119 * 40 + 60_000);
    }

    #[test]
    fn half_of_all_times_may_be_damaged() {
        let mut composition = Composition::<()>::default();
        for i in 0..200 {
            let damage = [0, 9_000, 0, -9_000, 0, 8_388_607, 0][i as usize % 7];
            composition.note(i * 40 + damage, i * 40);
            let at = composition.mend(i * 40 + damage, i * 40);
            assert!(i < 3 || at == i * 40, "{i}: {at}");
        }
    }
}
