//! Asked to leave while it reads a source, a task stays until another can go on, or its time is over.

use std::time::Duration;

use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::TranscoderOrder::{HandedOver, Wait};
use headwater_task::engine::Ending;
use headwater_task::{Exit, Input, Output};

use crate::given::{ended, gone, hand_over, read, stop};
use crate::hand::{BEGAN, Hand};
use crate::outputs::{entries, exit, has};

const SECOND: Duration = Duration::from_secs(1);
/// As template.yaml says.
const SIGTERM: Input = Input::Leave { within: Duration::from_secs(120) };

fn finishes(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Finish))
}

#[test]
fn it_says_at_once_by_when_it_is_gone_and_goes_on() {
    let mut hand = Hand::reading();
    hand.orders(read(&[1]));
    hand.makes(60);
    hand.orders(read(&[1]));
    let before = hand.told.len();
    assert!(hand.handle(SIGTERM).is_empty());
    assert_eq!(hand.told.len(), before + 1);
    let told = hand.told.last().unwrap();
    assert_eq!((told.activity, told.leaving_by), (Activity::Transcoding, Some(BEGAN + 110 * SECOND)));
    assert_eq!(entries(&hand.makes(120)).len(), 1);
}

#[test]
fn handed_over_it_leaves() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(SIGTERM);
    hand.waits(40 * SECOND);
    hand.orders(hand_over(2));
    hand.makes(120);
    assert_eq!(exit(&hand.handle(ended(120, Ending::Cancelled))), None);
    assert_eq!(exit(&hand.orders(HandedOver)), Some(Exit::Over));
    assert_eq!(hand.task.deadline(), None);
}

#[test]
fn without_anybody_to_go_on_it_leaves_in_time() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(SIGTERM);
    assert!(!finishes(&hand.waits(99 * SECOND)));
    assert!(finishes(&hand.waits(SECOND)));
    hand.makes(90);
    assert_eq!(exit(&hand.handle(ended(90, Ending::Cancelled))), Some(Exit::Left));
}

#[test]
fn waiting_to_be_told_who_goes_on_it_leaves_in_time_and_writes_nothing() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(SIGTERM);
    hand.orders(hand_over(2));
    hand.handle(ended(60, Ending::Cancelled));
    assert!(hand.health().held.is_some());
    assert_eq!(exit(&hand.waits(99 * SECOND)), None);
    let outputs = hand.waits(SECOND);
    assert_eq!(exit(&outputs), Some(Exit::Left));
    assert!(entries(&outputs).is_empty());
}

#[test]
fn who_reads_nothing_has_nothing_to_stay_for() {
    assert_eq!(exit(&Hand::new().handle(SIGTERM)), Some(Exit::Left));
    let mut hand = Hand::new();
    hand.orders(Wait);
    assert_eq!(exit(&hand.handle(SIGTERM)), Some(Exit::Left));
    // Nor when the session is over.
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(SIGTERM);
    hand.handle(ended(60, Ending::Whole));
    assert_eq!(exit(&hand.handle(gone())), Some(Exit::Left));
}

#[test]
fn told_to_stop_or_given_too_little_time_it_leaves_as_ever() {
    let mut hand = Hand::reading();
    hand.orders(stop());
    assert!(finishes(&hand.handle(SIGTERM)));
    let mut hand = Hand::reading();
    assert!(finishes(&hand.handle(Input::Leave { within: 19 * SECOND })));
}
