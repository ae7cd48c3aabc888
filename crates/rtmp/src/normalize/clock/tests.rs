use MediaKind::{Audio, Video};
use proptest::prelude::*;

use super::*;

/// Kind, timestamp, and when it came.
type Sent = (MediaKind, u32, u64);

/// Pictures and sound in the order of their time, sent when it is due.
fn clip(from: u32, pictures: u32, frame_ms: u32, sound: bool) -> Vec<Sent> {
    let video = (0..pictures).map(|n| (Video, n * frame_ms));
    let audio = (0..pictures * frame_ms / 21).filter(|_| sound).map(|n| (Audio, n * 64 / 3));
    let mut sent: Vec<_> = video.chain(audio).collect();
    sent.sort_by_key(|(kind, time)| (*time, *kind == Audio));
    sent.into_iter()
        .map(|(kind, time)| (kind, from.wrapping_add(time), 1_000_000 + u64::from(time)))
        .collect()
}

/// Kind, time and number of each message that comes out.
fn run(sent: &[Sent]) -> Vec<(MediaKind, i64, usize)> {
    let (mut clock, mut out) = (Clock::default(), VecDeque::new());
    clock.header(Video, &mut out);
    for (n, (kind, raw, at)) in sent.iter().enumerate() {
        clock.push(*kind, *raw, *at, n, &mut out);
    }
    clock.flush(&mut out);
    out.into_iter().map(|timed| (timed.kind, timed.time, timed.item)).collect()
}

/// Time by number.
fn times(sent: &[Sent]) -> Vec<i64> {
    let mut out = run(sent);
    out.sort_by_key(|(_, _, n)| *n);
    assert!(out.iter().map(|(_, _, n)| *n).eq(0..sent.len()), "each comes out once");
    out.into_iter().map(|(_, time, _)| time).collect()
}

#[test]
fn an_ordinary_stream_passes_as_it_is_and_at_once() {
    for (frame_ms, sound) in [(40, true), (16, true), (40, false), (200, true), (1_000, true)] {
        let sent = clip(77_000, 100, frame_ms, sound);
        let (mut clock, mut out) = (Clock::default(), VecDeque::new());
        for (n, (kind, raw, at)) in sent.iter().enumerate() {
            clock.push(*kind, *raw, *at, n, &mut out);
            assert!(out.len() == n + 1 || n < MAX_AT_START - 1, "{frame_ms} {n}");
        }
        assert!(out.iter().zip(&sent).all(|(timed, sent)| timed.time == i64::from(sent.1)));
    }
}

#[test]
fn time_goes_on_over_the_wrap() {
    let from = u32::MAX - 500;
    let sent = clip(from, 50, 40, true);
    let expected: Vec<_> = sent.iter().map(|(.., at)| i64::from(from) + (*at as i64 - 1_000_000)).collect();
    assert_eq!(times(&sent), expected);
}

#[test]
fn a_header_ends_the_waiting_of_its_own_track_at_the_start() {
    let (mut clock, mut out) = (Clock::default(), VecDeque::new());
    clock.push(Audio, 0, 0, 0, &mut out);
    clock.header(Video, &mut out);
    assert_eq!(out.len(), 0);
    clock.header(Audio, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn clocks_that_jump_are_followed_by_both_tracks() {
    for (before, after) in [(0, 500_000), (500_000, 0), (0, 1 << 31), (3_000, 9_000), (9_000, 3_000)] {
        let mut sent = clip(before, 50, 40, true);
        let at = sent.last().unwrap().2;
        sent.extend(
            clip(after, 50, 40, true).into_iter().map(|(kind, raw, now)| (kind, raw, now - 1_000_000 + at)),
        );
        let offsets: Vec<_> =
            times(&sent).iter().zip(&sent).map(|(time, sent)| (*time as u32).wrapping_sub(sent.1)).collect();
        assert_eq!(offsets, vec![0; sent.len()], "{before} {after}");
        assert!(run(&sent).iter().map(|(_, _, n)| *n).eq(0..sent.len()), "in order: {before} {after}");
    }
}

#[test]
fn a_track_that_pauses_comes_back_at_once() {
    for sound in [true, false] {
        let mut sent = clip(0, 400, 40, sound);
        sent.retain(|(kind, raw, _)| *kind == Audio || !(4_000..9_000).contains(raw));
        let (mut clock, mut out) = (Clock::default(), VecDeque::new());
        for (n, (kind, raw, at)) in sent.iter().enumerate() {
            clock.push(*kind, *raw, *at, n, &mut out);
            assert!(n < MAX_AT_START || out.len() == n + 1, "{raw}");
        }
    }
}

#[test]
fn tracks_that_are_apart_stay_apart() {
    let mut sent = clip(0, 100, 40, true);
    for (kind, raw, _) in &mut sent {
        *raw += if *kind == Audio { 4_000 } else { 0 };
    }
    assert!(times(&sent).iter().zip(&sent).all(|(time, sent)| *time == i64::from(sent.1)));
}

proptest! {
    /// One damaged timestamp, whichever: all others are as they were, and the message is between its neighbours, or so
    /// little off that it is levelled.
    #[test]
    fn one_damaged_timestamp_costs_nobody_else(
        which in 0_usize..120,
        off in prop_oneof![any::<i32>(), -20_000..20_000_i32, -1_200..-900_i32, Just(i32::MIN), Just(i32::MAX)],
        from in any::<u32>(),
        frame_ms in prop_oneof![Just(16_u32), Just(40), Just(100)],
        sound in any::<bool>(),
    ) {
        let mut sent = clip(from, 60, frame_ms, sound);
        let which = which % sent.len();
        let right: Vec<_> = sent.iter().map(|sent| sent.1.wrapping_sub(from)).collect();
        sent[which].1 = sent[which].1.wrapping_add(off.cast_unsigned());
        let got = times(&sent);
        // A damaged first timestamp is what wraps are counted from.
        let origin = got[usize::from(which == 0)] - i64::from(right[usize::from(which == 0)]);
        for (n, time) in got.iter().enumerate() {
            let away = time - origin - i64::from(right[n]);
            if n == which {
                // So much ahead, a few pictures behind it are levelled; so much behind, it is, and no run begins.
                // A step of its own track is at most a picture's, or a sound frame's 24 ms.
                let step = i64::from(frame_ms.max(24));
                prop_assert!((-1_000 - step..=150).contains(&away), "{n}: {away}");
                prop_assert!(which > 0 || off.unsigned_abs() < 1_000 || away == 0, "{away}");
            } else {
                prop_assert_eq!(away, 0, "{}", n);
            }
        }
    }

    /// Whatever comes, each message comes out once, and few wait.
    #[test]
    fn nothing_is_lost(sent in prop::collection::vec((any::<bool>(), any::<u32>(), 0_u64..10_000), 0..200)) {
        let sent: Vec<Sent> = sent.into_iter().map(|(a, raw, at)| (if a { Audio } else { Video }, raw, at)).collect();
        let (mut clock, mut out) = (Clock::default(), VecDeque::new());
        for (n, (kind, raw, at)) in sent.iter().enumerate() {
            clock.push(*kind, *raw, *at, n, &mut out);
            prop_assert!(n + 1 - out.len() < MAX_AT_START);
        }
        times(&sent);
    }

    /// Jitter of a third of a hundredth of a second costs nobody his order.
    #[test]
    fn jitter_of_timestamps_is_passed_on(offs in prop::collection::vec(-30_i32..=30, 120)) {
        let mut sent = clip(100, 60, 40, true);
        sent.iter_mut().zip(&offs).for_each(|(sent, off)| sent.1 = sent.1.wrapping_add_signed(*off));
        let got = times(&sent);
        prop_assert!(got.iter().zip(&sent).all(|(time, sent)| *time == i64::from(sent.1)));
    }
}
