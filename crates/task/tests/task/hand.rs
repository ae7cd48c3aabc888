//! The hand: a task, the time, and a source without pictures.

use std::time::Duration;

use headwater_domain::hooks::{Secret, Source, TranscoderOrder};
use headwater_domain::objects::Retention;
use headwater_domain::stream::{Latency, Passthrough, TranscodeSettings};
use headwater_domain::testing::samples;
use headwater_domain::{SessionId, Timestamp};
use headwater_task::engine::{
    AudioSpan, Effort, Ending, Made, MediaTime, RenditionKind, RenditionSegment, RunEnded, RunFailed,
    Segment, VideoSpan,
};
use headwater_task::source::{Opened, RunHead, Unreadable};
use headwater_task::{Exit, Input, Now, Output, Run, Stopped, Task};

/// When each test begins, by the wall clock.
const BEGAN: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::from_random(number)
}

pub(crate) fn source(number: u128) -> Source {
    Source { session: session(number), url: format!("http://gateway/{number}"), token: Secret::new("token") }
}

/// An order to read the last of these sessions, and those before it first.
pub(crate) fn read(sessions: &[u128]) -> TranscoderOrder {
    let mut sources: Vec<_> = sessions.iter().map(|number| source(*number)).collect();
    let settings = TranscodeSettings {
        ladder: None,
        latency: Latency::Standard,
        passthrough: Passthrough::Auto,
        from_live_edge: false,
        segment_seconds: 2,
        audio_kbps: 128,
        mirror: false,
        retention: Retention::default(),
    };
    TranscoderOrder::Transcode {
        source: sources.pop().unwrap(),
        earlier: sources,
        settings: Box::new(settings),
        resume: None,
        started_at: BEGAN,
        resume_after: None,
        handover: None,
    }
}

pub(crate) fn stop() -> TranscoderOrder {
    TranscoderOrder::Stop { reason: "the broadcast is over".into() }
}

fn pictures() -> RenditionSegment {
    RenditionSegment {
        name: "720p".into(),
        kind: RenditionKind::Video { width: 1_280, height: 720, frame_rate: 30.0 },
        codecs: "avc1.64001f".into(),
        init: "init".into(),
        data: "media".into(),
        declared_bitrate: 3_000_000,
        copied: false,
    }
}

/// The initialization section that is named.
pub(crate) fn init(outputs: &[Output]) -> String {
    let named = outputs.iter().find_map(|output| match output {
        Output::Write(written) => Some(written.entry.renditions[0].init.clone()),
        _ => None,
    });
    named.unwrap()
}

/// The end of a run behind the cursor `cursor`.
pub(crate) fn ended(cursor: u64, ending: Ending) -> Input {
    Input::Ended(Ok(RunEnded { cursor, offset: None, ending, decode_errors: 0 }))
}

pub(crate) fn failed(is_source: bool) -> RunFailed {
    RunFailed { reason: "it failed".into(), is_source, is_lasting: false }
}

pub(crate) fn out_of_reach() -> Input {
    Input::Opened(Err(Unreadable { why: "out of reach".into(), is_final: false }))
}

pub(crate) fn unknown() -> Input {
    Input::Opened(Err(Unreadable { why: "not found".into(), is_final: true }))
}

pub(crate) fn gone() -> Input {
    Input::Opened(Ok(Opened::Gone))
}

pub(crate) struct Hand {
    pub(crate) task: Task,
    now: Duration,
    /// The next segment of the run.
    number: u64,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self::of_lease(1)
    }

    pub(crate) fn of_lease(number: u32) -> Self {
        let task = Task::new(samples::broadcast(), samples::lease(number));
        Self { task, now: Duration::ZERO, number: 0 }
    }

    /// One that reads a run of the first session.
    pub(crate) fn reading() -> Self {
        let mut hand = Self::new();
        hand.orders(read(&[1]));
        hand.answers(1);
        hand
    }

    pub(crate) fn handle(&mut self, input: Input) -> Vec<Output> {
        let wall = BEGAN + self.now;
        self.task.handle(Now { monotonic: self.now, wall }, input);
        std::iter::from_fn(|| self.task.poll()).collect()
    }

    pub(crate) fn orders(&mut self, order: TranscoderOrder) -> Vec<Output> {
        self.handle(Input::Ordered(order))
    }

    /// The gateway answers with a run that begins at the cursor `first_cursor`.
    pub(crate) fn answers(&mut self, first_cursor: u64) -> Run {
        let head = RunHead { run: 1, started_ms: BEGAN.0, first_cursor, lost: 0 };
        let outputs = self.handle(Input::Opened(Ok(Opened::Run { head, problem: None })));
        let run = started(&outputs).unwrap();
        self.number = run.start.next_segment;
        run
    }

    /// The engine makes a segment of two seconds, up to the cursor `cursor`.
    pub(crate) fn makes(&mut self, cursor: u64) -> Vec<Output> {
        let at = |number: u64| MediaTime::from_secs(10 + 2 * i64::try_from(number).unwrap());
        let (start, end) = (at(self.number), at(self.number + 1));
        let made = Made::Segment(Segment {
            number: self.number,
            video: Some(VideoSpan { start, end }),
            audio: Some(AudioSpan { from: start.frame(), to: end.frame() }),
            offset: MediaTime::from_secs(10),
            cursor,
            renditions: vec![pictures()],
            frames: 60,
            repeated: 0,
            effort: Effort::default(),
        });
        self.number += 1;
        self.handle(Input::Made(made))
    }

    /// The run ends, and all that was written of it is committed.
    pub(crate) fn ends(&mut self, end: Input) -> Vec<Output> {
        let before = self.handle(end);
        assert!(exit(&before).is_none() && opened(&before).is_none(), "not before all is committed");
        self.handle(Input::Stopped(Stopped::Drained))
    }

    /// Nothing happens for so long, but for what the task waits for.
    pub(crate) fn waits(&mut self, time: Duration) -> Vec<Output> {
        let until = self.now + time;
        let mut outputs = Vec::new();
        while let Some(deadline) = self.task.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            outputs.extend(self.handle(Input::Timeout));
        }
        self.now = until;
        outputs
    }

    /// How long it is until the task's deadline.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.task.deadline().map(|deadline| deadline.saturating_sub(self.now))
    }
}

pub(crate) fn started(outputs: &[Output]) -> Option<Run> {
    outputs.iter().find_map(|output| match output {
        Output::Start(run) => Some((**run).clone()),
        _ => None,
    })
}

/// The session and cursor that the gateway is asked for.
pub(crate) fn opened(outputs: &[Output]) -> Option<(SessionId, u64)> {
    outputs.iter().find_map(|output| match output {
        Output::Open { source, after, .. } => Some((source.session.clone(), *after)),
        _ => None,
    })
}

pub(crate) fn exit(outputs: &[Output]) -> Option<Exit> {
    outputs.iter().find_map(|output| match output {
        Output::Exit(exit) => Some(exit.unwrap()),
        _ => None,
    })
}

pub(crate) fn has(outputs: &[Output], is_it: impl Fn(&Output) -> bool) -> bool {
    outputs.iter().any(is_it)
}
