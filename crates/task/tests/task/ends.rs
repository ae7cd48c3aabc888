//! How runs end, and what follows: the next run, another source, what was read before, the exit.

use headwater_domain::hooks::TranscoderOrder::Wait;
use headwater_domain::ports::FaultKind;
use headwater_task::engine::{Ending, Passthrough};
use headwater_task::{Exit, Feed, Input, Output, Report, TimelineLost};

use crate::given::{ended, failed, gone, leave, read, session, stop, unknown};
use crate::hand::{Answers, Hand};
use crate::outputs::{entries, exit, has, opened, started};

fn recalls(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Recall))
}

fn gives_up(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Report(Report::GaveUp { .. })))
}

#[test]
fn the_next_run_is_asked_for_behind_what_was_read() {
    let mut hand = Hand::reading();
    hand.makes(60);
    assert_eq!(opened(&hand.handle(ended(75, Ending::Whole))), Some((session(1), 75)));
    assert!(hand.handle(gone()).iter().all(|output| matches!(output, Output::Report(_))));
    assert!(opened(&hand.orders(read(&[2]))).is_some(), "another session");
}

#[test]
fn an_order_of_before_has_nothing_read_again() {
    let mut hand = Hand::reading();
    hand.handle(ended(75, Ending::Whole));
    hand.handle(gone());
    assert_eq!(opened(&hand.orders(read(&[1]))), None);
    assert!(hand.orders(Wait).is_empty());
    assert_eq!(exit(&hand.orders(stop())), Some(Exit::Over), "nothing is left to be read");
}

#[test]
fn a_run_that_broke_off_is_taken_up_behind_what_is_written() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(ended(60, Ending::BrokeOff));
    let outputs = hand.waits(std::time::Duration::from_secs(1));
    assert_eq!(opened(&outputs), Some((session(1), 60)));
    let run = hand.answers(60);
    assert_eq!((run.feed, run.after, run.start.next_segment), (Feed::Link, 60, 1));
}

#[test]
fn what_was_read_of_a_session_is_finished_before_the_next_is_read() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(ended(60, Ending::BrokeOff));
    hand.waits(std::time::Duration::from_secs(1));
    // Its gateway knows nothing of it any more.
    assert!(recalls(&hand.handle(unknown())));
    let run = started(&hand.handle(Input::Recalled(Some(61)))).unwrap();
    assert_eq!((run.feed, run.head.first_cursor, run.after), (Feed::Replay, 61, 60));
    hand.handle(ended(90, Ending::Whole));
    assert_eq!(opened(&hand.orders(read(&[1, 2]))), None, "the pause is not over");
    assert!(opened(&hand.waits(std::time::Duration::from_secs(1))).is_some());
}

#[test]
fn what_cannot_be_copied_is_encoded_from_the_same_place_also_from_memory() {
    let mut hand = Hand::reading();
    hand.makes(60);
    let why = "it has no key frames";
    assert_eq!(opened(&hand.handle(ended(60, Ending::NotCopyable { why }))), Some((session(1), 60)));
    assert!(!hand.answers(60).copy.video);

    let mut hand = Hand::reading();
    hand.handle(ended(1, Ending::BrokeOff));
    hand.waits(std::time::Duration::from_secs(1));
    hand.handle(unknown());
    let run = started(&hand.handle(Input::Recalled(Some(1)))).unwrap();
    assert_eq!(run.copy, Passthrough::ALL);
    assert!(recalls(&hand.handle(ended(1, Ending::NotCopyable { why }))));
    let run = started(&hand.handle(Input::Recalled(Some(1)))).unwrap();
    assert!(!run.copy.video);
    let outputs = hand.handle(ended(1, Ending::NotCopyable { why }));
    assert!(!recalls(&outputs), "once");
}

#[test]
fn a_source_that_fails_is_given_up_and_one_that_we_fail_is_tried_five_times() {
    let mut hand = Hand::reading();
    assert!(gives_up(&hand.handle(Input::Ended(Err(failed(true))))));
    let mut hand = Hand::reading();
    for _ in 1..5 {
        assert!(!gives_up(&hand.handle(Input::Ended(Err(failed(false))))));
        hand.waits(std::time::Duration::from_secs(1));
        hand.answers(1);
    }
    assert!(gives_up(&hand.handle(Input::Ended(Err(failed(false))))));
}

#[test]
fn a_session_of_which_nothing_came_is_given_up_when_it_is_over() {
    let barren = |cursor| ended(cursor, Ending::Barren(failed(true)));
    let mut hand = Hand::reading();
    assert!(!gives_up(&hand.handle(barren(60))), "what follows may be better");
    assert!(gives_up(&hand.handle(gone())));
    let mut hand = Hand::reading();
    hand.handle(barren(60));
    hand.answers(61);
    hand.makes(90);
    hand.handle(ended(90, Ending::Whole));
    assert!(!gives_up(&hand.handle(gone())), "it was better");
}

#[test]
fn a_run_that_ends_where_it_began_is_not_asked_for_for_ever() {
    let mut hand = Hand::reading();
    let outputs = hand.handle(ended(1, Ending::TimestampJump));
    assert!(gives_up(&outputs) && opened(&outputs).is_none());
}

#[test]
fn asked_to_leave_the_open_segment_is_closed_short() {
    assert_eq!(exit(&Hand::new().handle(leave())), Some(Exit::Left));
    let mut hand = Hand::reading();
    let outputs = hand.handle(leave());
    assert!(has(&outputs, |output| matches!(output, Output::Finish)));
    assert_eq!(entries(&hand.makes(60)).len(), 1);
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Left));
}

#[test]
fn a_timeline_that_cannot_be_written_ends_the_task() {
    let mut hand = Hand::reading();
    hand.answers = Answers::Commits(Err(FaultKind::Refused));
    assert!(has(&hand.makes(60), |output| matches!(output, Output::Abort)));
    let outputs = hand.handle(ended(1, Ending::Cancelled));
    assert!(has(&outputs, |output| matches!(output, Output::Exit(Err(TimelineLost)))));
}

#[test]
fn an_answer_that_nobody_waits_for_is_ignored() {
    let mut hand = Hand::new();
    for input in [gone(), Input::Recalled(Some(1)), Input::Starved, Input::Timeout, ended(1, Ending::Whole)] {
        assert!(hand.handle(input).is_empty());
    }
}

#[test]
fn what_was_read_of_a_run_is_kept_only_if_it_broke_off() {
    for (ending, forgets) in [(Ending::Whole, true), (Ending::BrokeOff, false)] {
        let outputs = Hand::reading().handle(ended(60, ending));
        assert_eq!(has(&outputs, |output| matches!(output, Output::Forget)), forgets);
    }
}
