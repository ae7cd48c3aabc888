//! Going on behind what the other region has written, told without an engine.

#[path = "../../tests/task/sample_rendition.rs"]
mod sample_rendition;

use headwater_domain::hooks::ResumeAfter;
use headwater_domain::objects::Retention;
use headwater_domain::testing::samples;
use headwater_domain::timeline::ResumePoint;
use headwater_domain::{SegmentNumber, SessionId};

use super::*;
use crate::engine::{
    AudioSpan, GridFrame, Made, MediaTime as Ticks, Part, RenditionKind, RenditionSegment, Segment, VideoSpan,
};
use crate::source::RunHead;

use self::sample_rendition::pictures;

const HEAD: RunHead = RunHead { run: 1, started_ms: 1_000, first_cursor: 1, lost: 0 };
/// Two seconds of audio frames, about.
const FRAMES: u64 = 94;

/// The engine's next segments of one run, and whoever writes them.
struct WriterHarness {
    writer: TimelineWriter,
    number: u64,
    renditions: Vec<RenditionSegment>,
}

fn session() -> SessionId {
    SessionId::from_random(1)
}

impl WriterHarness {
    fn new() -> Self {
        let mut writer = TimelineWriter::new(samples::broadcast(), samples::lease(3));
        writer.begin(None);
        let number = writer.start(&session(), HEAD).next_segment;
        Self { writer, number, renditions: Vec::new() }
    }

    fn told(&mut self, segment: u64, discontinuities: u64) {
        self.writer.resume_after(ResumeAfter { segment: SegmentNumber(segment), discontinuities });
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
        let entry = self.written().entry;
        (entry.number.0, entry.discontinuity, entry.discontinuities)
    }

    fn written(&mut self) -> Written {
        let (video, audio) = self.stretch();
        let segment = Segment {
            number: self.number,
            video: Some(video),
            audio: Some(audio),
            offset: Ticks::default(),
            cursor: 10 * (self.number + 1),
            renditions: self.renditions.clone(),
            frames: 60,
            repeated: 0,
            effort: Default::default(),
        };
        let written = self.write(Made::Segment(segment)).expect("each segment is written");
        self.number += 1;
        assert_eq!(written.entry.video.unwrap().start.ticks as i64, video.start.ticks(), "its media goes on");
        written
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
            renditions: self.renditions.clone(),
            frames: 15,
            repeated: 0,
            cursor: 0,
            effort: Default::default(),
        };
        self.write(Made::Part(part)).expect("a new part").entry.number.0
    }
}

#[test]
fn numbers_continue_after_the_other_region_s_in_mid_run() {
    let mut run = WriterHarness::new();
    assert_eq!([run.segment(), run.segment()], [(0, false, 0), (1, false, 0)]);
    run.told(40, 7);
    assert_eq!([run.segment(), run.segment()], [(41, true, 8), (42, false, 8)], "once");
    run.told(45, 7);
    assert_eq!(run.segment(), (46, true, 9), "it had not stopped");
}

#[test]
fn an_order_behind_the_timeline_only_raises_the_discontinuity_count() {
    let mut run = WriterHarness::new();
    for _ in 0..5 {
        run.segment();
    }
    run.told(4, 7);
    assert_eq!(run.segment(), (5, false, 7));
}

#[test]
fn the_next_run_continues_after_the_order() {
    let mut run = WriterHarness::new();
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
    let mut run = WriterHarness::new();
    run.segment();
    assert_eq!(run.part(0), 1);
    run.told(40, 7);
    assert_eq!(run.part(1), 1);
    assert_eq!(run.segment(), (1, false, 0));
    assert_eq!(run.part(0), 41);
    assert_eq!(run.segment(), (41, true, 8));
}

/// What a lease that takes over writes, behind one that has kept its media like this; and what that one has named.
fn successor(before: Retention, now: Retention) -> (WriterHarness, String) {
    let mut first = WriterHarness::new();
    first.writer.keep(before);
    first.renditions = vec![pictures()];
    let entry = first.written().entry;
    let mut writer = TimelineWriter::new(samples::broadcast(), samples::lease(4));
    writer.begin(Some(ResumePoint::after(&entry)));
    writer.keep(now);
    let number = writer.start(&session(), HEAD).next_segment;
    (WriterHarness { writer, number, renditions: vec![pictures()] }, entry.renditions[0].init.clone())
}

/// The initialization section that is named, and whether it is to be stored.
fn init(written: &Written) -> (String, bool) {
    let path = written.entry.renditions[0].init.clone();
    let stored = written.objects.iter().any(|object| object.path == path);
    (path, stored)
}

#[test]
fn the_initialization_section_of_a_lease_that_is_gone_is_left_before_it_is_old() {
    for kept in [Retention::Recorded, Retention::Unrecorded] {
        let (mut run, before) = successor(kept, kept);
        assert_eq!(init(&run.written()), (before, false), "the same to the byte");
        run.writer.own_inits();
        let (own, stored) = init(&run.written());
        assert!(own.contains(&samples::lease(4).to_string()) && stored, "{own}");
        assert_eq!(init(&run.written()), (own, true), "and that is what is used from now on");
    }
}

#[test]
fn an_open_segment_keeps_its_initialization_section() {
    let (mut run, before) = successor(Retention::Recorded, Retention::Recorded);
    run.part(0);
    run.writer.own_inits();
    assert_eq!(init(&run.written()).0, before);
    assert_ne!(init(&run.written()).0, before);
}

#[test]
fn nothing_that_is_recorded_names_what_is_not() {
    for (before, now) in
        [(Retention::Unrecorded, Retention::Recorded), (Retention::Recorded, Retention::Unrecorded)]
    {
        let (mut run, other) = successor(before, now);
        let written = run.written();
        assert_ne!(init(&written).0, other);
        let paths: Vec<_> = written.objects.iter().map(|object| Retention::of(&object.path)).collect();
        assert_eq!(paths, [Some(now), Some(now)], "{:?}", written.objects);
        assert_eq!(written.entry.renditions[0].retention, now);
    }
}
