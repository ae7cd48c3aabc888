//! A handover, walked through step by step in every order: heartbeats whose answers are lost, two deciders at once, the
//! peer's API that knows old things, tasks that die. A step is anything that can happen next; states that were seen are not
//! walked again.

use std::collections::HashSet;

use super::*;
use crate::control::decide::{HandOverStep, TimelineEnd};
use crate::heartbeat::{Heartbeat, Quiesced, StandbyHealth};
use crate::hooks::{HandoverOrder, Source, TranscoderOrder};
use crate::ids::Lease;
use crate::testing::samples;
use crate::timeline::{Entry, resolve};

/// Steps from the first state. Eight take minutes, and found nothing more.
const DEPTH: usize = 5;
/// No more time passes: a holder that lives is not taken for dead, which is another story.
const LONGEST: u64 = 14 * SECOND;
/// Of so many states one is let run on undisturbed, to see that somebody writes in the end.
const RUN_ON_EVERY: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Mode {
    Writing,
    Ending(Lease),
    Waiting(Lease),
    Rehearsing {
        ready: bool,
    },
    /// Started to write, and not told yet.
    Fresh,
    Left,
    Dead,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Process {
    lease: Lease,
    mode: Mode,
    next: u64,
    written: Option<u64>,
}

impl Process {
    fn may_write(&self) -> bool {
        matches!(self.mode, Mode::Writing | Mode::Ending(_))
    }

    fn lives(&self) -> bool {
        !matches!(self.mode, Mode::Left | Mode::Dead)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Heartbeat of a process to the API of its region; whether the answer comes.
    Heartbeat(usize, bool),
    /// The same, whose decision is written later.
    HeartbeatDecidedLate(usize),
    WriteLate,
    PeerHeartbeat(usize),
    Replicate,
    Segment(usize),
    EndSegment(usize),
    Ready(usize),
    Die(usize),
    Stopped(usize),
    Wait(u64),
}

#[derive(Debug, Clone)]
struct Model {
    a: ReplicatedState,
    b: ReplicatedState,
    now: Timestamp,
    processes: Vec<Process>,
    timeline: Vec<Entry>,
    late: Option<ControlRecord>,
    deaths: u8,
}

impl Model {
    /// A holder that has written something and was told to hand over, and a standby that is ready.
    fn new() -> Self {
        let mut harness = Harness::new();
        harness.publish(1);
        let lease = harness.replicated.lease().unwrap().lease.clone();
        let holder = Process { lease, mode: Mode::Writing, next: 0, written: None };
        let mut model = Self {
            a: harness.replicated,
            b: ReplicatedState::default(),
            now: harness.now,
            processes: vec![holder],
            timeline: Vec::new(),
            late: None,
            deaths: 0,
        };
        model.segment(0);
        model.send(0, true, false);
        let own = model.own();
        let decide::Move::Ordered(record) = decide::order_move(&model.a, &own, model.now) else { panic!() };
        model.put(*record);
        model.send(0, true, false);
        assert_eq!(model.processes.len(), 2, "a standby was granted, and its task started");
        model.processes[1].mode = Mode::Rehearsing { ready: true };
        model.send(1, true, false);
        model.replicate();
        model.send(0, true, false);
        assert!(matches!(model.processes[0].mode, Mode::Ending(_)), "it is told to hand over");
        model
    }

    fn own(&self) -> ControlRecord {
        self.a.records.iter().find(|record| record.region == region_a()).unwrap().clone()
    }

    /// The conditional write.
    fn put(&mut self, record: ControlRecord) -> bool {
        if self.own().version + 1 != record.version {
            return false;
        }
        let before = self.a.lease().unwrap().lease.clone();
        self.a.records.retain(|old| old.region != record.region);
        self.a.records.push(record);
        let lease = self.a.lease().unwrap().clone();
        if lease.lease != before
            && let Some(promotion) = &lease.promotion
        {
            let from = self.processes.iter().find(|one| one.lease == promotion.from).unwrap();
            assert!(!from.may_write(), "{} was promoted while {from:?} could write", lease.lease);
        }
        true
    }

    fn replicate(&mut self) {
        let of = |from: &ReplicatedState, region: &Region| ReplicatedState {
            records: from.records.iter().filter(|one| one.region == *region).cloned().collect(),
            heartbeats: from.heartbeats.iter().filter(|one| one.region == *region).cloned().collect(),
        };
        let (a, b) = (of(&self.a, &region_a()), of(&self.b, &region_b()));
        let records = [a.records, b.records].concat();
        let heartbeats = [a.heartbeats, b.heartbeats].concat();
        (self.a, self.b) = (
            ReplicatedState { records: records.clone(), heartbeats: heartbeats.clone() },
            ReplicatedState { records, heartbeats },
        );
    }

    fn heartbeat_of(&self, index: usize) -> TranscoderHeartbeat {
        let process = &self.processes[index];
        let session = self.a.session().unwrap();
        let mut health = Health {
            activity: Activity::Transcoding,
            session: Some(session.id.clone()),
            segment: process.written.map(SegmentNumber),
            committed_at: process.written.map(|_| self.now),
            ..Health::starting()
        };
        match &process.mode {
            Mode::Rehearsing { ready } => health.standby = Some(StandbyHealth { ready: *ready }),
            Mode::Waiting(standby) => {
                let segment = SegmentNumber(process.written.unwrap());
                health.held = Some(Quiesced { standby: standby.clone(), segment });
            }
            _ => {}
        }
        TranscoderHeartbeat {
            stream: stream().id,
            broadcast: session.broadcast.clone(),
            lease: process.lease.clone(),
            claim: Secret::new("claim"),
            fencing_token: Secret::new(process.lease.to_string()),
            health,
        }
    }

    fn store(&mut self, region: &Region, heartbeat: &TranscoderHeartbeat) -> bool {
        let token = heartbeat.fencing_token.expose().to_owned();
        let view = if *region == region_a() { &mut self.a } else { &mut self.b };
        let stored = decide::record_heartbeat(region, view, heartbeat, token, self.now);
        let there = view
            .heartbeats
            .iter()
            .find(|old| old.region == *region && old.is_of_a_standby() == stored.is_of_a_standby());
        if there.is_some_and(|there: &Heartbeat| there.lease > stored.lease) {
            return false;
        }
        *view = view.clone().with_heartbeat(stored);
        true
    }

    /// A heartbeat to the API of the leases' region, as the hook handles it.
    fn send(&mut self, index: usize, is_answered: bool, is_late: bool) {
        let heartbeat = self.heartbeat_of(index);
        let token = heartbeat.fencing_token.expose().to_owned();
        let mut outcome = decide::heartbeat(&self.a, &heartbeat, &token, self.now);
        let counts = outcome != HeartbeatOutcome::Fenced || heartbeat.health.segment.is_some();
        if counts && !self.store(&region_a(), &heartbeat) {
            outcome = HeartbeatOutcome::Fenced;
        } else if counts {
            self.decide(is_late);
            outcome = decide::heartbeat(&self.a, &heartbeat, &token, self.now);
        }
        if is_answered {
            let handover = self.a.handover_order(&heartbeat, &region_a(), self.now);
            self.obey(index, outcome, handover);
        }
    }

    fn decide(&mut self, is_late: bool) {
        let own = self.own();
        let entropy = Entropy { broadcast: 1, nonce: self.processes.len() as u128 + 40 };
        let line = resolve(self.timeline.clone());
        let mut end = TimelineEnd::Unread;
        let next = loop {
            match decide::hand_over(&self.a, &own, end, self.now, entropy) {
                None => return,
                Some(HandOverStep::Write(next)) => break *next,
                Some(HandOverStep::ReadTimeline) => end = TimelineEnd::Read(line.last()),
            }
        };
        if is_late && next.start.is_none() {
            self.late = Some(next.record);
        } else if self.put(next.record) {
            self.start(next.start);
        }
    }

    fn start(&mut self, start: Option<decide::StartTask>) {
        let Some(start) = start else { return };
        let mode = if start.standby { Mode::Rehearsing { ready: false } } else { Mode::Fresh };
        self.processes.push(Process { lease: start.lease, mode, next: 0, written: None });
    }

    /// The peer's API, which decides nothing.
    fn send_to_peer(&mut self, index: usize) {
        let heartbeat = self.heartbeat_of(index);
        let token = heartbeat.fencing_token.expose().to_owned();
        let mut outcome = decide::heartbeat(&self.b, &heartbeat, &token, self.now);
        if outcome != HeartbeatOutcome::Fenced && !self.store(&region_b(), &heartbeat) {
            outcome = HeartbeatOutcome::Fenced;
        }
        let handover = self.b.handover_order(&heartbeat, &region_b(), self.now);
        assert!(!matches!(handover, Some(HandoverOrder::HandOver { .. })), "the peer decides nothing");
        self.obey(index, outcome, handover);
    }

    /// What the contract says that a task does.
    fn obey(&mut self, index: usize, outcome: HeartbeatOutcome, handover: Option<HandoverOrder>) {
        let next = resolve(self.timeline.clone()).last().map_or(0, |last| last.number.0 + 1);
        let process = &mut self.processes[index];
        let is_told = match outcome {
            HeartbeatOutcome::Fenced | HeartbeatOutcome::HandedOver | HeartbeatOutcome::Stop(_) => {
                process.mode = Mode::Left;
                return;
            }
            HeartbeatOutcome::Transcode(_) => handover,
            HeartbeatOutcome::Rehearse(_) => {
                assert!(matches!(process.mode, Mode::Rehearsing { .. }), "{process:?} is told to rehearse");
                return;
            }
            HeartbeatOutcome::Hold | HeartbeatOutcome::Wait => return,
        };
        process.mode = match (process.mode.clone(), is_told) {
            (Mode::Rehearsing { .. } | Mode::Fresh, _) => {
                process.next = next;
                Mode::Writing
            }
            (Mode::Writing | Mode::Ending(_), Some(HandoverOrder::HandOver { to })) => Mode::Ending(to),
            (Mode::Waiting(_), Some(HandoverOrder::HandOver { to })) => Mode::Waiting(to),
            (Mode::Ending(to) | Mode::Waiting(to), Some(HandoverOrder::GoOn { withdrawn }))
                if withdrawn >= to =>
            {
                Mode::Writing
            }
            (mode, _) => mode,
        };
    }

    fn segment(&mut self, index: usize) {
        let process = &mut self.processes[index];
        let number = process.next;
        (process.next, process.written) = (number + 1, Some(number));
        let (lease, broadcast) = (process.lease.clone(), self.a.broadcast().unwrap().clone());
        let entry = Entry { lease, broadcast, ..samples::entry(1, number) };
        let line = resolve(self.timeline.clone());
        assert_eq!(line.last().map_or(0, |last| last.number.0 + 1), number, "no number twice, none left out");
        self.timeline.push(entry);
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            match process.mode {
                Mode::Left => continue,
                Mode::Dead => {
                    steps.push(Step::Stopped(index));
                    continue;
                }
                Mode::Writing if process.written.unwrap_or(0) < 3 => steps.push(Step::Segment(index)),
                Mode::Ending(_) => steps.push(Step::EndSegment(index)),
                Mode::Rehearsing { ready: false } => steps.push(Step::Ready(index)),
                _ => {}
            }
            steps.extend([
                Step::Heartbeat(index, true),
                Step::Heartbeat(index, false),
                Step::PeerHeartbeat(index),
            ]);
            if self.late.is_none() {
                steps.push(Step::HeartbeatDecidedLate(index));
            }
            if self.deaths < 1 {
                steps.push(Step::Die(index));
            }
        }
        if self.late.is_some() {
            steps.push(Step::WriteLate);
        }
        if self.a != self.b {
            steps.push(Step::Replicate);
        }
        if self.now.0 + 4 * SECOND <= T0 + LONGEST {
            steps.push(Step::Wait(4 * SECOND));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Heartbeat(index, is_answered) => self.send(index, is_answered, false),
            Step::HeartbeatDecidedLate(index) => self.send(index, true, true),
            Step::WriteLate => {
                if let Some(record) = self.late.take() {
                    self.put(record);
                }
            }
            Step::PeerHeartbeat(index) => self.send_to_peer(index),
            Step::Replicate => self.replicate(),
            Step::Segment(index) => self.segment(index),
            Step::EndSegment(index) => {
                self.segment(index);
                let process = &mut self.processes[index];
                if let Mode::Ending(to) = process.mode.clone() {
                    process.mode = Mode::Waiting(to);
                }
            }
            Step::Ready(index) => self.processes[index].mode = Mode::Rehearsing { ready: true },
            Step::Die(index) => {
                self.processes[index].mode = Mode::Dead;
                self.deaths += 1;
            }
            Step::Stopped(index) => {
                let lease = self.processes[index].lease.clone();
                self.processes[index].mode = Mode::Left;
                let trigger = Trigger::TaskStopped { lease, reason: "it died".into() };
                self.reconcile(&trigger);
            }
            Step::Wait(ms) => self.now = Timestamp(self.now.0 + ms),
        }
    }

    fn reconcile(&mut self, trigger: &Trigger) {
        let entropy = Entropy { broadcast: 1, nonce: self.processes.len() as u128 + 40 };
        if let Some(next) = decide::reconcile(&self.a, &self.own(), trigger, self.now, entropy)
            && self.put(next.record)
        {
            self.start(next.start);
        }
    }

    fn check(&self, path: &[Step]) {
        let writers = self.processes.iter().filter(|process| process.may_write()).count();
        assert!(writers <= 1, "two write after {path:?}: {:?}", self.processes);
        let state = self.a.state(self.now);
        assert_ne!(state, Some(State::Starting), "after {path:?}");
        if self.deaths == 0 {
            assert_eq!(state, Some(State::Live), "after {path:?}");
        }
    }

    /// From here on nothing more is lost, and nobody dies: somebody writes in the end, and nobody else does.
    fn run_on(mut self, path: &[Step]) {
        self.take(Step::WriteLate);
        let segments = self.timeline.len();
        for round in 0..160_u64 {
            self.now = Timestamp(self.now.0 + 250);
            if round % 4 == 0 {
                self.replicate();
            }
            for index in 0..self.processes.len() {
                match self.processes[index].mode.clone() {
                    Mode::Left => continue,
                    Mode::Dead => self.take(Step::Stopped(index)),
                    Mode::Ending(_) => self.take(Step::EndSegment(index)),
                    Mode::Writing if round % 8 == 0 => self.segment(index),
                    Mode::Rehearsing { .. } => self.take(Step::Ready(index)),
                    _ => {}
                }
                if self.processes[index].lives() {
                    self.send(index, true, false);
                }
            }
            self.check(path);
        }
        let writers = self.processes.iter().filter(|process| process.may_write()).count();
        assert_eq!(writers, 1, "nobody writes in the end after {path:?}: {:?}", self.processes);
        assert!(self.timeline.len() > segments, "nothing was written after {path:?}");
    }

    fn key(&self) -> String {
        format!("{self:?}")
    }
}

#[test]
fn in_every_order_one_writes_and_every_number_is_written_once() {
    let mut seen = HashSet::new();
    let mut states = vec![(Model::new(), Vec::new())];
    let (mut promoted, mut withdrawn, mut walked) = (0, 0, 0);
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (model, path) in states {
            for step in model.steps() {
                let (mut model, mut path) = (model.clone(), path.clone());
                path.push(step);
                model.take(step);
                model.check(&path);
                if !seen.insert(hash(&model.key())) {
                    continue;
                }
                walked += 1;
                promoted += usize::from(model.own().lease.is_some_and(|lease| lease.promotion.is_some()));
                withdrawn += usize::from(model.own().withdrawn.is_some());
                if walked % RUN_ON_EVERY == 0 {
                    model.clone().run_on(&path);
                }
                next.push((model, path));
            }
        }
        states = next;
    }
    println!("{walked} states, {promoted} of them with a promotion, {withdrawn} with a withdrawal");
    assert!(walked > 2_000 && promoted > 200 && withdrawn > 200, "{walked} {promoted} {withdrawn}");
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What it looks like on the wire: names are part of the contract.
#[test]
fn orders_and_health_read_back_and_old_ones_are_understood() {
    let source = Source {
        session: SessionId::from_random(1),
        url: "http://10.0.0.1:8936/sources/x".into(),
        token: Secret::new("t"),
    };
    let order = TranscoderOrder::Rehearse {
        source,
        settings: Box::new(stream().settings.transcode()),
        started_at: Timestamp(1),
    };
    let text = serde_json::to_string(&order).unwrap();
    assert!(text.contains("\"action\":\"rehearse\""), "{text}");
    assert_eq!(serde_json::from_str::<TranscoderOrder>(&text).unwrap(), order);
    for (order, text) in [(TranscoderOrder::Hold, "hold"), (TranscoderOrder::HandedOver, "handed_over")] {
        assert_eq!(serde_json::to_value(order).unwrap(), serde_json::json!({ "action": text }));
    }
    let told = HandoverOrder::GoOn { withdrawn: samples::lease(2) };
    let told = serde_json::to_value(told).unwrap();
    assert_eq!(told, serde_json::json!({ "go_on": { "withdrawn": samples::lease(2).to_string() } }));
    let health: Health = serde_json::from_str("{\"activity\":\"waiting\"}").unwrap();
    assert_eq!(health, Health::starting());
}
