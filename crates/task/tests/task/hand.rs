//! The hand: a task, the time, and an engine without pictures.

use std::collections::VecDeque;
use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_domain::heartbeat::{Activity, HEARTBEAT_EVERY, Health};
use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::ports::{Commit, FaultKind};
use headwater_domain::testing::samples;
use headwater_task::engine::{AudioSpan, Effort, Made, MediaTime, Segment, VideoSpan};
use headwater_task::source::{Opened, RunHead};
use headwater_task::{Input, Now, Output, Run, Task, Upload};

use crate::given::{pictures, read};
use crate::outputs::started;

/// When each test begins, by the wall clock.
pub(crate) const BEGAN: Timestamp = Timestamp(1_700_000_000_000);

/// How buckets, table and gateway answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// At once, as they should.
    Well,
    /// The test hands the answers in.
    Later,
    /// Commits are answered so.
    Commits(Result<Commit, FaultKind>),
}

pub(crate) struct Hand {
    pub(crate) task: Task,
    pub(crate) answers: Answers,
    /// What heartbeats told,
    pub(crate) told: Vec<Health>,
    /// whether one is under way,
    is_under_way: bool,
    /// and how the last one was answered.
    ordered: Option<TranscoderOrder>,
    now: Duration,
    /// The next segment of the run.
    number: u64,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self::of_lease(1)
    }

    pub(crate) fn of_lease(number: u32) -> Self {
        Self::of(Task::new(Self::BEGINS, samples::broadcast(), samples::lease(number)))
    }

    /// A standby of this lease.
    pub(crate) fn standby(number: u32) -> Self {
        Self::of(Task::standby(Self::BEGINS, samples::broadcast(), samples::lease(number)))
    }

    const BEGINS: Now = Now { monotonic: Duration::ZERO, wall: BEGAN };

    fn of(task: Task) -> Self {
        let mut hand = Self {
            task,
            answers: Answers::Well,
            told: Vec::new(),
            is_under_way: false,
            ordered: None,
            now: Duration::ZERO,
            number: 0,
        };
        assert!(hand.collect().is_empty(), "a heartbeat, and no more");
        hand
    }

    /// One that reads a run of the first session.
    pub(crate) fn reading() -> Self {
        let mut hand = Self::new();
        hand.orders(read(&[1]));
        hand.answers(1);
        hand
    }

    /// What is to be done then. Heartbeats are told apart and stay under way; what stores is answered as the test says.
    pub(crate) fn handle(&mut self, input: Input) -> Vec<Output> {
        self.hand_in(input);
        self.collect()
    }

    fn hand_in(&mut self, input: Input) {
        self.is_under_way &= !matches!(input, Input::Ordered(_) | Input::Unanswered);
        let wall = BEGAN + self.now;
        self.task.handle(Now { monotonic: self.now, wall }, input);
    }

    fn collect(&mut self) -> Vec<Output> {
        let (mut outputs, mut answers) = (Vec::new(), VecDeque::new());
        loop {
            while let Some(output) = self.task.poll() {
                answers.extend(self.answer(&output));
                match output {
                    Output::Heartbeat(health) => {
                        self.is_under_way = true;
                        self.told.push(health);
                    }
                    output => outputs.push(output),
                }
            }
            let Some(answer) = answers.pop_front() else { return outputs };
            let drained = matches!(answer, Input::Drained);
            self.hand_in(answer);
            if drained && self.is_under_way {
                answers.push_back(Input::Unanswered);
            }
        }
    }

    fn answer(&self, output: &Output) -> Vec<Input> {
        match output {
            Output::Drain => vec![Input::Drained],
            // Its goodbye.
            Output::Heartbeat(health) if health.activity == Activity::Leaving => vec![Input::Unanswered],
            _ if self.answers == Answers::Later => Vec::new(),
            Output::Upload(Upload { id, .. }) => vec![Input::Stored { upload: *id, is_lost: false }],
            Output::Confirm { .. } => vec![Input::Unconfirmed],
            Output::Commit(_) => vec![Input::Committed(match self.answers {
                Answers::Commits(answer) => answer,
                Answers::Well | Answers::Later => Ok(Commit::Committed),
            })],
            _ => Vec::new(),
        }
    }

    pub(crate) fn orders(&mut self, order: TranscoderOrder) -> Vec<Output> {
        self.ordered = Some(order.clone());
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

    /// The same, with each heartbeat answered as the one before was.
    pub(crate) fn waits_answered(&mut self, time: Duration) {
        let order = self.ordered.clone().unwrap_or(TranscoderOrder::Wait);
        let until = self.now + time;
        loop {
            let before = self.told.len();
            let next = self.task.deadline().filter(|deadline| *deadline <= until);
            match next {
                Some(deadline) => {
                    self.now = self.now.max(deadline);
                    self.handle(Input::Timeout);
                }
                None => break,
            }
            if self.told.len() > before {
                self.orders(order.clone());
            }
        }
        self.now = until;
    }

    /// What a heartbeat would tell now.
    pub(crate) fn health(&self) -> Health {
        let at = |monotonic| Now { monotonic, wall: BEGAN + monotonic };
        let mut task = self.task.clone();
        task.handle(at(self.now), Input::Unanswered);
        task.handle(at(self.now + HEARTBEAT_EVERY), Input::Timeout);
        let told = std::iter::from_fn(|| task.poll()).find_map(|output| match output {
            Output::Heartbeat(health) => Some(health),
            _ => None,
        });
        told.expect("no more than two seconds later")
    }

    /// How long it is until the task does something of itself, but for heartbeats.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let mut task = self.task.clone();
        loop {
            let monotonic = task.deadline()?;
            task.handle(Now { monotonic, wall: BEGAN + monotonic }, Input::Timeout);
            let mut outputs = std::iter::from_fn(|| task.poll()).peekable();
            // One that stays under way.
            let only_heartbeats =
                outputs.peek().is_some() && outputs.all(|output| matches!(output, Output::Heartbeat(_)));
            if !only_heartbeats {
                return Some(monotonic.saturating_sub(self.now));
            }
        }
    }
}
