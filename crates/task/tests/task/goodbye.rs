//! How a task leaves: mirror copies are waited for, then the next lease is told not to wait for its silence.

use std::time::Duration;

use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::TranscoderOrder::{Fenced, Wait};
use headwater_domain::testing::samples;
use headwater_task::{Exit, Input, Now, Output, Task};

use crate::given::{leave, stop};
use crate::hand::{BEGAN, Hand};
use crate::outputs::exit;

/// A task that is told everything, also what the hand answers by itself.
struct Bare(Task);

impl Bare {
    fn new() -> Self {
        let mut bare = Self(Task::new(Self::at(0), samples::broadcast(), samples::lease(1)));
        assert!(matches!(bare.outputs()[..], [Output::Heartbeat(_)]));
        bare
    }

    fn at(seconds: u64) -> Now {
        let monotonic = Duration::from_secs(seconds);
        Now { monotonic, wall: BEGAN + monotonic }
    }

    fn handle(&mut self, seconds: u64, input: Input) -> Vec<Output> {
        self.0.handle(Self::at(seconds), input);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        let all = std::iter::from_fn(|| self.0.poll());
        all.filter(|output| !matches!(output, Output::Report(_))).collect()
    }
}

fn says_goodbye(outputs: &[Output]) -> bool {
    matches!(outputs, [Output::Heartbeat(health)] if health.activity == Activity::Leaving)
}

#[test]
fn the_goodbye_comes_behind_the_mirror_s_copies_and_is_waited_for() {
    let mut bare = Bare::new();
    assert!(matches!(bare.handle(0, Input::Ordered(stop()))[..], [Output::Drain]));
    // As long as they take it lives.
    let outputs = bare.handle(1, Input::Timeout);
    assert!(matches!(&outputs[..], [Output::Heartbeat(health)] if health.activity == Activity::Waiting));
    assert!(bare.handle(2, Input::Ordered(stop())).is_empty(), "an answer means nothing any more");
    assert!(says_goodbye(&bare.handle(2, Input::Drained)));
    assert_eq!(bare.0.deadline(), Some(Duration::from_secs(7)));
    assert_eq!(exit(&bare.handle(3, Input::Ordered(stop()))), Some(Exit::Over));
    assert!(bare.handle(4, Input::Timeout).is_empty() && bare.0.deadline().is_none(), "it is over");
}

#[test]
fn a_goodbye_that_is_not_answered_is_waited_for_five_seconds() {
    let mut bare = Bare::new();
    bare.handle(0, Input::Ordered(stop()));
    bare.handle(0, Input::Drained);
    assert!(bare.handle(4, Input::Timeout).is_empty());
    assert_eq!(exit(&bare.handle(5, Input::Timeout)), Some(Exit::Over));
    let mut bare = Bare::new();
    bare.handle(0, Input::Ordered(stop()));
    bare.handle(0, Input::Drained);
    assert_eq!(exit(&bare.handle(1, Input::Unanswered)), Some(Exit::Over));
}

#[test]
fn a_heartbeat_under_way_is_answered_first_or_could_be_taken_for_the_newer_one() {
    for answer in [Input::Ordered(Wait), Input::Unanswered] {
        let mut bare = Bare::new();
        assert!(matches!(bare.handle(0, leave())[..], [Output::Drain]));
        assert!(bare.handle(1, Input::Drained).is_empty());
        assert!(says_goodbye(&bare.handle(2, answer)));
    }
    let mut bare = Bare::new();
    bare.handle(0, leave());
    bare.handle(1, Input::Drained);
    assert!(says_goodbye(&bare.handle(6, Input::Timeout)), "for five seconds");
    assert_eq!(exit(&bare.handle(11, Input::Timeout)), Some(Exit::Left));
}

#[test]
fn who_is_fenced_says_nothing() {
    let mut hand = Hand::new();
    let outputs = hand.orders(Fenced);
    assert_eq!(exit(&outputs), Some(Exit::Fenced));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Drain)));
    assert_eq!(hand.told.len(), 1);
}
