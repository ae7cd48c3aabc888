//! Going on behind what the other region has written, told without an engine.

use headwater_domain::hooks::Behind;
use headwater_domain::testing::samples;
use headwater_domain::{SegmentNumber, SessionId};

use super::*;
use crate::engine::{AudioSpan, GridFrame, Made, MediaTime as Ticks, Part, Segment, VideoSpan};
use crate::source::RunHead;

const HEAD: RunHead = RunHead { run: 1, started_ms: 1_000, first_cursor: 1, lost: 0 };
/// Two seconds of audio frames, about.
const FRAMES: u64 = 94;

/// The engine's next segments of one run, and whoever writes them.
struct Run {
    writer: TimelineWriter,
    number: u64,
}

fn session() -> SessionId {
    SessionId::from_random(1)
}

impl Run {
    fn new() -> Self {
        let mut writer = TimelineWriter::new(samples::broadcast(), samples::lease(3));
        writer.begin(None);
        let number = writer.start(&session(), HEAD).next_segment;
        Self { writer, number }
    }

    fn told(&mut self, segment: u64, discontinuities: u64) {
        self.writer.resume_after(Behind { segment: SegmentNumber(segment), discontinuities });
    }

    fn write(&mut self, made: Made) -> Option<Written> {
        self.writer.write(&made, &session(), HEAD)
    }

    fn stretch(&self) -> (VideoSpan, AudioSpan) {
        let at = |number: u64| Ticks::from_secs(10 + 2 * number as i64);
        let frame = |number: u64| GridFrame::new(number * FRAMES);
        let video = VideoSpan { start: at(self.number), end: at(self.number + 1) };
        (video, AudioSpan { from: frame(self.number), to: frame(self.number + 1) })
    }

    /// Number, whether behind a break, breaks.
    fn segment(&mut self) -> (u64, bool, u64) {
        let (video, audio) = self.stretch();
        let segment = Segment {
            number: self.number,
            video: Some(video),
            audio: Some(audio),
            offset: Ticks::default(),
            cursor: 10 * (self.number + 1),
            renditions: Vec::new(),
            frames: 60,
            repeated: 0,
            effort: Default::default(),
        };
        let entry = self.write(Made::Segment(segment)).expect("each segment is written").entry;
        self.number += 1;
        assert_eq!(entry.video.unwrap().start.ticks as i64, video.start.ticks(), "its media goes on");
        (entry.number.0, entry.discontinuity, entry.discontinuities)
    }

    fn part(&mut self, index: u32) -> u64 {
        let (video, audio) = self.stretch();
        let part = Part {
            number: self.number,
            index,
            last: false,
            independent: true,
            video: Some(video),
            audio: Some(audio),
            offset: Ticks::default(),
            renditions: Vec::new(),
            frames: 15,
            repeated: 0,
            cursor: 0,
            effort: Default::default(),
        };
        self.write(Made::Part(part)).expect("a new part").entry.number.0
    }
}

#[test]
fn it_goes_on_behind_what_the_other_region_has_written_in_the_middle_of_a_run() {
    let mut run = Run::new();
    assert_eq!([run.segment(), run.segment()], [(0, false, 0), (1, false, 0)]);
    run.told(40, 7);
    assert_eq!([run.segment(), run.segment()], [(41, true, 8), (42, false, 8)], "once");
    run.told(45, 7);
    assert_eq!(run.segment(), (46, true, 9), "it had not stopped");
}

#[test]
fn what_is_already_behind_it_only_raises_the_count() {
    let mut run = Run::new();
    for _ in 0..5 {
        run.segment();
    }
    run.told(4, 7);
    assert_eq!(run.segment(), (5, false, 7));
}

#[test]
fn the_next_run_counts_on_from_there() {
    let mut run = Run::new();
    run.segment();
    run.told(40, 0);
    run.segment();
    run.number = run.writer.start(&session(), HEAD).next_segment;
    assert_eq!((run.number, run.segment()), (42, (42, false, 1)));
    // Also if it was told between two runs.
    run.told(50, 0);
    run.number = run.writer.start(&session(), HEAD).next_segment;
    assert_eq!((run.number, run.segment()), (51, (51, true, 2)));
}

#[test]
fn an_open_segment_is_closed_where_it_stands() {
    let mut run = Run::new();
    run.segment();
    assert_eq!(run.part(0), 1);
    run.told(40, 7);
    assert_eq!(run.part(1), 1);
    assert_eq!(run.segment(), (1, false, 0));
    assert_eq!(run.part(0), 41);
    assert_eq!(run.segment(), (41, true, 8));
}
