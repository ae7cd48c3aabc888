//! How long is waited: for a source, for its end, to try again, to leave.

use std::time::Duration;

use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::timeline::ResumePoint;
use headwater_task::engine::Ending;
use headwater_task::{Exit, Input, Output, Report};

use crate::given::{ended, leave, out_of_reach, read, session, stop, unknown};
use crate::hand::Hand;
use crate::outputs::{entries, exit, has, init, opened, started};

const SECOND: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(3_600);

fn finishes(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Finish))
}

fn leaves_behind(outputs: &[Output], number: u128) -> bool {
    has(
        outputs,
        |output| matches!(output, Output::Report(Report::LeftBehind { session: left }) if *left == session(number)),
    )
}

#[test]
fn a_source_alone_is_waited_for_without_end() {
    let mut hand = Hand::new();
    assert_eq!(opened(&hand.orders(read(&[1]))), Some((session(1), 0)));
    assert_eq!(hand.patience(), None);
    assert!(hand.orders(read(&[1])).is_empty(), "an order that only renews the token asks for nothing");
    hand.answers(1);
    hand.handle(Input::Starved);
    assert_eq!(hand.patience(), None);
}

#[test]
fn a_replaced_source_that_does_not_answer_is_left_after_two_seconds() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.orders(read(&[1, 2]));
    hand.waits(SECOND);
    hand.orders(read(&[1, 2]));
    assert_eq!(hand.patience(), Some(SECOND), "orders do not begin it anew");
    let outputs = hand.waits(SECOND);
    assert!(has(&outputs, |output| matches!(output, Output::Close)) && leaves_behind(&outputs, 1));
    assert_eq!(opened(&outputs), Some((session(2), 0)));
}

#[test]
fn a_replaced_source_is_left_when_it_is_silent_for_five_seconds() {
    let mut hand = Hand::reading();
    hand.handle(Input::Starved);
    hand.waits(60 * SECOND);
    hand.orders(read(&[2]));
    assert_eq!(hand.patience(), Some(5 * SECOND), "its silence of before was its right");
    hand.waits(4 * SECOND);
    hand.handle(Input::Fed);
    assert_eq!(hand.patience(), None, "it says something");
    hand.handle(Input::Starved);
    let outputs = hand.waits(5 * SECOND);
    assert!(finishes(&outputs));
    let outputs = hand.handle(ended(7, Ending::Cancelled));
    assert!(leaves_behind(&outputs, 1));
    assert_eq!(opened(&outputs), Some((session(2), 0)));
}

#[test]
fn what_a_replaced_source_had_before_is_read_however_long_it_takes_but_no_minute_of_what_comes_later() {
    let mut hand = Hand::reading();
    hand.waits(60 * SECOND);
    hand.orders(read(&[2]));
    // Sixty seconds of before, and sixty more.
    for segment in 1..=60 {
        hand.waits(10 * SECOND);
        assert!(!finishes(&hand.makes(segment)), "segment {segment}");
    }
    assert!(finishes(&hand.makes(61)));
    assert!(!finishes(&hand.makes(62)), "once");
}

#[test]
fn a_replaced_source_that_holds_no_more_is_read_on() {
    let mut hand = Hand::reading();
    hand.handle(Input::Starved);
    hand.orders(read(&[2]));
    hand.orders(read(&[1]));
    assert_eq!(hand.patience(), None);
}

#[test]
fn told_to_stop_what_is_there_is_read_for_a_minute() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.orders(stop());
    hand.waits(59 * SECOND);
    hand.orders(stop());
    assert_eq!(hand.patience(), Some(SECOND), "the time runs from the first order");
    assert!(finishes(&hand.waits(SECOND)));
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Over));
}

#[test]
fn told_to_stop_a_gateway_that_does_not_answer_is_waited_for_no_longer_than_that() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.orders(stop());
    assert_eq!(exit(&hand.waits(59 * SECOND)), None);
    let outputs = hand.waits(SECOND);
    assert!(has(&outputs, |output| matches!(output, Output::Close)));
    assert_eq!(exit(&outputs), Some(Exit::Over));
}

#[test]
fn an_order_to_go_on_takes_the_stop_back() {
    let mut hand = Hand::reading();
    hand.orders(stop());
    hand.orders(read(&[1]));
    assert_eq!(hand.patience(), None);
    hand.orders(stop());
    assert_eq!(hand.patience(), Some(60 * SECOND), "the next one begins anew");
}

#[test]
fn a_source_out_of_reach_is_asked_again_after_half_a_second_whatever_is_ordered_meanwhile() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    for _ in 0..20 {
        hand.handle(out_of_reach());
        assert_eq!(hand.patience(), Some(SECOND / 2));
        assert!(hand.orders(read(&[1])).is_empty());
        assert_eq!(opened(&hand.waits(SECOND / 2)), Some((session(1), 0)));
    }
}

#[test]
fn a_replaced_source_out_of_reach_is_asked_twice_and_an_unknown_one_once() {
    let mut hand = Hand::new();
    hand.orders(read(&[1, 2, 3]));
    hand.handle(out_of_reach());
    hand.waits(SECOND / 2);
    let outputs = hand.handle(out_of_reach());
    assert!(leaves_behind(&outputs, 1));
    assert_eq!(opened(&outputs), Some((session(2), 0)));
    assert_eq!(opened(&hand.handle(unknown())), Some((session(3), 0)));
}

#[test]
fn told_to_stop_a_source_out_of_reach_is_asked_four_times() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.orders(stop());
    for _ in 1..4 {
        assert_eq!(exit(&hand.handle(out_of_reach())), None);
        assert!(opened(&hand.waits(SECOND / 2)).is_some());
    }
    assert_eq!(exit(&hand.handle(out_of_reach())), Some(Exit::Over));
}

#[test]
fn the_initialization_section_of_the_lease_before_serves_for_half_an_hour() {
    let mut hand = Hand::reading();
    let outputs = hand.makes(60);
    let before = init(&outputs);
    let entry = entries(&outputs).pop();
    let mut hand = Hand::of_lease(2);
    let mut order = read(&[1]);
    if let TranscoderOrder::Transcode { resume, .. } = &mut order {
        *resume = entry.map(|entry| Box::new(ResumePoint::after(&entry)));
    }
    hand.orders(order);
    hand.answers(60);
    hand.waits(30 * 60 * SECOND - SECOND);
    assert_eq!(init(&hand.makes(120)), before);
    hand.waits(SECOND);
    assert_ne!(init(&hand.makes(180)), before);
}

#[test]
fn what_is_read_again_from_memory_is_not_left() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(ended(60, Ending::BrokeOff));
    hand.orders(stop());
    hand.waits(SECOND / 2);
    let outputs = hand.handle(unknown());
    assert!(has(&outputs, |output| matches!(output, Output::Recall)));
    assert!(started(&hand.handle(Input::Recalled(Some(61)))).is_some());
    assert!(hand.waits(A_WHILE).is_empty() && hand.handle(leave()).is_empty());
    assert_eq!(exit(&hand.handle(ended(90, Ending::Whole))), Some(Exit::Left));
}
