//! When heartbeats are sent, and what becomes of a task that nobody answers.

use std::time::Duration;

use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::TranscoderOrder::Wait;
use headwater_task::engine::Ending;
use headwater_task::{About, Exit, Input, Output, Report};

use crate::given::{ended, gone, out_of_reach, read, unknown};
use crate::hand::{Answers, Hand};
use crate::outputs::{exit, has, opened};

const SECOND: Duration = Duration::from_secs(1);

/// Heartbeats that are sent in so long, each of them answered at once as before.
fn sent(hand: &mut Hand, time: Duration) -> usize {
    let before = hand.told.len();
    hand.waits_answered(time);
    hand.told.len() - before
}

#[test]
fn the_first_is_sent_at_once_and_one_is_under_way_at_a_time() {
    let mut hand = Hand::new();
    assert_eq!(hand.told.len(), 1);
    assert_eq!(hand.told[0].activity, Activity::Waiting);
    hand.waits(60 * SECOND);
    assert_eq!(hand.told.len(), 1, "it is not answered");
    hand.orders(Wait);
    hand.waits(SECOND / 2);
    assert_eq!(hand.told.len(), 2);
}

#[test]
fn they_come_every_two_seconds_with_media_and_twice_a_second_without() {
    let mut hand = Hand::new();
    hand.orders(Wait);
    assert_eq!(sent(&mut hand, 10 * SECOND), 20);
    let mut hand = Hand::reading();
    // What was sent while it had none is answered first.
    hand.waits_answered(SECOND);
    assert_eq!(hand.told.last().unwrap().activity, Activity::Transcoding);
    assert_eq!(sent(&mut hand, 10 * SECOND), 5);
}

#[test]
fn news_is_told_at_once_or_as_soon_as_the_one_under_way_is_answered() {
    let mut hand = Hand::reading();
    hand.orders(read(&[1]));
    let before = hand.told.len();
    hand.makes(60);
    assert_eq!(hand.told.len(), before + 1, "its first segment");
    hand.handle(Input::Noted(About::Tracks, Some("audio cannot be used".into())));
    assert_eq!(hand.told.len(), before + 1);
    hand.orders(read(&[1]));
    assert_eq!(hand.told.len(), before + 2);
    assert_eq!(hand.told[before + 1].problem.as_deref(), Some("audio cannot be used"));
    hand.orders(read(&[1]));
    assert_eq!(hand.told.len(), before + 2, "once");
    hand.makes(120);
    assert_eq!(hand.told.len(), before + 2, "another one is no news");
}

#[test]
fn whoever_fails_again_and_again_sends_no_more_heartbeats_for_it() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.handle(out_of_reach());
    assert_eq!(hand.told.len(), 2, "the first time");
    hand.orders(read(&[1]));
    for _ in 0..10 {
        hand.waits_answered(SECOND / 2);
        let before = hand.told.len();
        hand.handle(out_of_reach());
        assert_eq!(hand.told.len(), before);
    }
    hand.waits_answered(SECOND / 2);
    let before = hand.told.len();
    hand.handle(unknown());
    assert_eq!(hand.told.len(), before + 1, "it fails otherwise");
}

#[test]
fn a_heartbeat_that_is_not_answered_is_followed_by_the_next() {
    let mut hand = Hand::new();
    hand.handle(Input::Unanswered);
    assert_eq!(hand.patience(), None, "nothing is decided by it");
    hand.waits(SECOND / 2);
    assert_eq!(hand.told.len(), 2);
}

#[test]
fn a_task_that_nobody_answers_for_five_minutes_finishes_what_there_is_and_leaves() {
    let mut hand = Hand::reading();
    hand.makes(60);
    let is_stopped = |outputs: &[Output]| {
        has(outputs, |output| matches!(output, Output::Report(Report::ToldToStop { .. })))
    };
    for _ in 0..150 {
        assert!(!is_stopped(&hand.handle(Input::Unanswered)));
        hand.waits(2 * SECOND);
    }
    hand.waits(2 * SECOND);
    assert!(is_stopped(&hand.handle(Input::Unanswered)));
    assert_eq!(hand.patience(), Some(60 * SECOND));
    hand.handle(ended(60, Ending::Whole));
    assert_eq!(exit(&hand.handle(gone())), Some(Exit::Over));
}

#[test]
fn an_answer_after_all_takes_that_back() {
    let mut hand = Hand::reading();
    hand.waits(301 * SECOND);
    hand.handle(Input::Unanswered);
    assert_eq!(hand.patience(), Some(60 * SECOND));
    hand.waits(2 * SECOND);
    hand.orders(read(&[1]));
    assert_eq!(hand.patience(), None);
    assert_eq!(opened(&hand.handle(ended(60, Ending::Whole))).map(|(_, after)| after), Some(60));
}

#[test]
fn they_go_on_while_stores_are_waited_for() {
    let mut hand = Hand::reading();
    hand.answers = Answers::Later;
    hand.makes(60);
    hand.handle(ended(60, Ending::Whole));
    hand.waits_answered(SECOND);
    assert_eq!(sent(&mut hand, 20 * SECOND), 10);
}
