//! A machine that is too slow for the ladder: the work is reduced, step by step, and what is left goes on without a break.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::support::flv::{self, FIRST_CURSOR};
use crate::support::{check, collect, input, start};
use headwater_transcoder::media::{EndReason, EngineSettings, Pace, Passthrough, RunInput, Rung};

/// A clock that goes by the media that was read: each second of it takes three, and nothing is waited for.
#[derive(Clone, Default)]
struct ThreeTimesTooSlow(Arc<AtomicI64>);

impl Pace for ThreeTimesTooSlow {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed) as u64 * 3)
    }

    fn late(&self, millis: i64) -> Duration {
        self.0.store(millis, Ordering::Relaxed);
        Duration::from_millis(millis as u64 * 2)
    }
}

fn three() -> EngineSettings {
    let rung = |lines: u32| Rung::new(&format!("{lines}p"), lines, 100_000);
    let ladder = Some(vec![rung(144), rung(108), rung(72)]);
    EngineSettings { ladder, passthrough: Passthrough::NONE, ..EngineSettings::default() }
}

#[test]
fn the_work_is_reduced_and_nothing_of_the_rest_breaks() {
    let source = flv::clip("256x144", "25", 40.0, "-g 50 -bf 0");
    let slow = RunInput {
        pace: Some(Box::new(ThreeTimesTooSlow::default())),
        ..input(source.bytes(), FIRST_CURSOR)
    };
    let out = collect(slow, &three(), start()).unwrap();
    assert!(matches!(out.end.reason, EndReason::Ended));
    let steps: Vec<(bool, u8, usize)> =
        out.segments.iter().map(|s| (s.effort.fast, s.effort.dropped, s.renditions.len())).collect();
    assert_eq!(steps[0], (false, 0, 4));
    assert_eq!(steps.last(), Some(&(true, 2, 2)), "the least picture and the sound: {steps:?}");
    assert!(steps.contains(&(true, 0, 4)) && steps.contains(&(true, 1, 3)), "{steps:?}");
    assert!(steps.windows(2).all(|w| w[1].1 <= w[0].1 + 1), "one at a time");
    // What is left is one stream from beginning to end, under one initialization section.
    for segment in &out.segments {
        assert_eq!(
            segment.renditions.iter().filter(|r| ["72p", "audio"].contains(&r.name.as_str())).count(),
            2
        );
    }
    let mut rest = out.segments.clone();
    rest.iter_mut().for_each(|s| s.renditions.retain(|r| ["72p", "audio"].contains(&r.name.as_str())));
    assert_eq!(check::consistent(&rest).len(), 1_000);
}
