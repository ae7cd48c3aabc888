//! Another lease has taken over: wherever the task stands, nothing more is written.

use headwater_domain::hooks::TranscoderOrder::Fenced;
use headwater_domain::ports::Commit;
use headwater_task::engine::Ending;
use headwater_task::{Exit, Input, Output};

use crate::given::{ended, leave, out_of_reach, read, unknown};
use crate::hand::{Answers, Hand};
use crate::outputs::{entries, exit, has, stored};

fn aborts(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Abort))
}

fn writes(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Upload(_) | Output::Commit(_)))
}

#[test]
fn before_it_has_read_anything() {
    let mut hand = Hand::new();
    assert_eq!(exit(&hand.orders(Fenced)), Some(Exit::Fenced));
    assert!(hand.orders(read(&[1])).is_empty() && hand.task.deadline().is_none(), "it is over");
}

#[test]
fn while_the_gateway_is_asked() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    let outputs = hand.orders(Fenced);
    assert!(has(&outputs, |output| matches!(output, Output::Close)));
    assert_eq!(exit(&outputs), Some(Exit::Fenced));
}

#[test]
fn between_two_requests() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.handle(out_of_reach());
    hand.orders(Fenced);
    assert_eq!(exit(&hand.waits(std::time::Duration::from_secs(1))), Some(Exit::Fenced));
}

#[test]
fn in_a_run_what_is_made_meanwhile_is_not_written() {
    let mut hand = Hand::reading();
    assert!(writes(&hand.makes(60)));
    assert!(aborts(&hand.orders(Fenced)));
    assert!(!aborts(&hand.orders(Fenced)), "once");
    assert!(!writes(&hand.makes(120)));
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Fenced));
}

#[test]
fn by_the_timeline_in_a_run() {
    let mut hand = Hand::reading();
    hand.answers = Answers::Commits(Ok(Commit::Fenced));
    let outputs = hand.makes(60);
    assert!(aborts(&outputs) && exit(&outputs).is_none(), "the engine is stopped, and works still");
    assert!(!writes(&hand.makes(120)));
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Fenced));
}

#[test]
fn by_the_timeline_behind_the_end_of_a_run() {
    let mut hand = Hand::reading();
    hand.answers = Answers::Later;
    let upload = hand.makes(60);
    hand.handle(ended(60, Ending::Whole));
    assert_eq!(entries(&hand.handle(stored(&upload, false))).len(), 1);
    let outputs = hand.handle(Input::Committed(Ok(Commit::Fenced)));
    assert!(!aborts(&outputs), "there is nothing to be aborted");
    assert_eq!(exit(&outputs), Some(Exit::Fenced));
}

#[test]
fn a_stop_that_came_first_changes_nothing() {
    let mut hand = Hand::reading();
    hand.handle(leave());
    assert!(aborts(&hand.orders(Fenced)));
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Fenced));
}

#[test]
fn what_was_read_of_a_run_that_broke_off_is_not_finished() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(ended(60, Ending::BrokeOff));
    hand.orders(Fenced);
    let outputs = hand.waits(std::time::Duration::from_secs(1));
    assert!(!has(&outputs, |output| matches!(output, Output::Recall)));
    assert_eq!(exit(&outputs), Some(Exit::Fenced));
}

#[test]
fn while_what_was_read_is_finished() {
    let mut hand = Hand::reading();
    hand.handle(ended(1, Ending::BrokeOff));
    hand.waits(std::time::Duration::from_secs(1));
    hand.handle(unknown());
    hand.handle(Input::Recalled(Some(1)));
    assert!(aborts(&hand.orders(Fenced)));
    assert_eq!(exit(&hand.handle(ended(1, Ending::Cancelled))), Some(Exit::Fenced));
}

#[test]
fn what_is_on_its_way_is_not_waited_for_and_changes_nothing() {
    let mut hand = Hand::reading();
    hand.answers = Answers::Later;
    let upload = hand.makes(60);
    hand.handle(stored(&upload, false));
    let late = hand.makes(120);
    hand.orders(Fenced);
    assert!(hand.handle(stored(&late, false)).is_empty(), "nothing more is begun");
    assert!(hand.handle(Input::Committed(Ok(Commit::Committed))).is_empty());
    assert_eq!(exit(&hand.handle(ended(120, Ending::Cancelled))), Some(Exit::Fenced));
}
