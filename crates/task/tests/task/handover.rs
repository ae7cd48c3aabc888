//! A holder hands over: it ends its segment, says so, and writes nothing until it is told. Every step, and what can be lost.

use std::time::Duration;

use headwater_domain::hooks::TranscoderOrder::{self, Fenced, HandedOver, Hold, Wait};
use headwater_task::engine::Ending;
use headwater_task::{Exit, Input, Output};

use crate::given::{
    ended, go_on, gone, hand_over, leave, out_of_reach, read, rehearse, session, stop, unknown,
};
use crate::hand::{Answers, Hand};
use crate::outputs::{entries, exit, has, opened, started, stored};

const SECOND: Duration = Duration::from_secs(1);

fn ends_segment(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::EndSegment))
}

fn aborts(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Abort))
}

/// Whom it waits for, and its last segment.
fn held(hand: &Hand) -> Option<(u32, u64)> {
    hand.health().held.map(|held| (held.standby.number.0, held.segment.0))
}

/// One that reads, has committed segment 0, and is told to hand over to lease 2.
fn handing_over() -> Hand {
    let mut hand = Hand::reading();
    hand.makes(60);
    assert!(ends_segment(&hand.orders(hand_over(2))));
    hand
}

/// One that has, behind segment 1.
fn holding() -> Hand {
    let mut hand = handing_over();
    hand.makes(120);
    assert!(
        hand.handle(ended(120, Ending::Cancelled))
            .iter()
            .all(|it| matches!(it, Output::Report(_) | Output::Forget))
    );
    assert_eq!(held(&hand), Some((2, 1)));
    hand
}

/// Nothing is read or written, whatever happens.
fn holds(hand: &mut Hand, outputs: &[Output]) {
    assert!(outputs.iter().all(|output| matches!(output, Output::Report(_))), "{outputs:?}");
    assert!(hand.waits(60 * SECOND).is_empty());
    assert!(held(hand).is_some());
}

#[test]
fn the_open_segment_is_ended_at_its_boundary_committed_and_told_at_once() {
    let mut hand = handing_over();
    assert!(!ends_segment(&hand.orders(hand_over(2))), "once");
    assert_eq!(held(&hand), None);
    hand.answers = Answers::Later;
    let upload = hand.makes(120);
    hand.handle(ended(120, Ending::Cancelled));
    hand.handle(stored(&upload, false));
    assert_eq!(held(&hand), None, "it is not committed");
    hand.handle(Input::Committed(Ok(headwater_domain::ports::Commit::Committed)));
    assert_eq!(held(&hand), None, "the gateway may not know");
    hand.orders(hand_over(2));
    let before = hand.told.len();
    hand.handle(Input::Unconfirmed);
    assert_eq!(held(&hand), Some((2, 1)));
    assert_eq!(hand.told.len(), before + 1, "at once");
}

#[test]
fn it_is_told_four_times_a_second_and_nothing_is_written_meanwhile() {
    let mut hand = holding();
    hand.orders(Hold);
    let before = hand.told.len();
    hand.waits_answered(10 * SECOND);
    assert_eq!(hand.told.len() - before, 40);
    assert!(hand.makes(180).is_empty(), "whatever an engine still makes");
    assert!(held(&hand).is_some());
}

#[test]
fn neither_silence_nor_any_other_answer_lets_it_go_on() {
    let without: [fn() -> TranscoderOrder; 6] =
        [|| Hold, || Wait, || read(&[1]), || read(&[2]), || go_on(1), || rehearse(1)];
    for order in without {
        let mut hand = holding();
        let outputs = hand.orders(order());
        holds(&mut hand, &outputs);
        let outputs = hand.handle(Input::Unanswered);
        holds(&mut hand, &outputs);
    }
}

#[test]
fn only_that_its_standby_is_withdrawn_does_and_nothing_is_lost_or_doubled() {
    for withdrawn in [2, 3] {
        let mut hand = holding();
        assert_eq!(opened(&hand.orders(go_on(withdrawn))), Some((session(1), 120)));
        assert_eq!(held(&hand), None);
        let run = hand.answers(120);
        assert_eq!((run.after, run.start.next_segment), (120, 2));
        let entries = entries(&hand.makes(180));
        assert_eq!((entries[0].number.0, entries[0].discontinuity), (2, false));
        // It is said for ever, and means nothing more.
        assert!(hand.orders(go_on(withdrawn)).is_empty());
        assert!(ends_segment(&hand.orders(hand_over(4))), "another one");
    }
}

#[test]
fn another_standby_takes_the_place_of_one_that_was_withdrawn() {
    let mut hand = handing_over();
    hand.orders(hand_over(3));
    hand.makes(120);
    hand.handle(ended(120, Ending::Cancelled));
    assert_eq!(held(&hand), Some((3, 1)));
    let outputs = hand.orders(hand_over(4));
    holds(&mut hand, &outputs);
    assert_eq!(held(&hand), Some((4, 1)));
    let outputs = hand.orders(go_on(3));
    holds(&mut hand, &outputs);
    assert!(opened(&hand.orders(go_on(4))).is_some());
}

#[test]
fn withdrawn_before_the_boundary_it_goes_on_behind_that() {
    let mut hand = handing_over();
    hand.orders(go_on(2));
    hand.makes(120);
    assert_eq!(opened(&hand.handle(ended(120, Ending::Cancelled))), Some((session(1), 120)));
    assert_eq!(held(&hand), None);
}

#[test]
fn an_order_that_says_nothing_of_it_takes_nothing_back() {
    let mut hand = handing_over();
    hand.orders(read(&[1]));
    hand.makes(120);
    hand.handle(ended(120, Ending::Cancelled));
    assert_eq!(held(&hand), Some((2, 1)));
}

#[test]
fn when_its_standby_goes_on_it_leaves() {
    let mut hand = holding();
    assert_eq!(exit(&hand.orders(HandedOver)), Some(Exit::Over));
    assert_eq!(hand.told.last().unwrap().activity, headwater_domain::heartbeat::Activity::Leaving);
    let mut hand = holding();
    assert_eq!(exit(&hand.orders(Fenced)), Some(Exit::Fenced));
    let mut hand = holding();
    let outputs = hand.orders(stop());
    assert_eq!((exit(&outputs), opened(&outputs)), (Some(Exit::Over), None), "nothing more is finished");
}

#[test]
fn who_is_told_that_another_goes_on_before_it_has_said_that_it_is_done_drops_everything() {
    let mut hand = handing_over();
    assert!(aborts(&hand.orders(HandedOver)));
    assert!(hand.makes(120).is_empty());
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Fenced));
}

#[test]
fn fenced_or_told_to_stop_before_the_boundary_it_does_as_ever() {
    let mut hand = handing_over();
    assert!(aborts(&hand.orders(Fenced)));
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), Some(Exit::Fenced));
    let mut hand = handing_over();
    hand.orders(stop());
    hand.makes(120);
    assert_eq!(opened(&hand.handle(ended(120, Ending::Cancelled))), Some((session(1), 120)), "the rest");
    assert_eq!(held(&hand), None);
    hand.orders(stop());
    assert_eq!(exit(&hand.handle(gone())), Some(Exit::Over));
}

#[test]
fn a_source_that_breaks_off_before_the_boundary_is_taken_up_first() {
    let mut hand = handing_over();
    hand.handle(ended(60, Ending::BrokeOff));
    assert_eq!(held(&hand), None, "what was read may be nowhere else");
    assert_eq!(opened(&hand.waits(SECOND)), Some((session(1), 60)));
    let outputs = hand.handle(out_of_reach());
    assert!(entries(&outputs).is_empty());
    hand.waits(SECOND);
    let run = hand.answers(60);
    assert_eq!(run.start.next_segment, 1);
    hand.makes(120);
    hand.handle(ended(120, Ending::Cancelled));
    assert_eq!(held(&hand), Some((2, 1)));
}

#[test]
fn what_was_read_of_a_source_whose_gateway_is_gone_is_finished_first() {
    let mut hand = handing_over();
    hand.handle(ended(60, Ending::BrokeOff));
    hand.waits(SECOND);
    hand.handle(unknown());
    assert!(started(&hand.handle(Input::Recalled(Some(61)))).is_some());
    assert_eq!(held(&hand), None);
    hand.makes(90);
    hand.handle(ended(90, Ending::Whole));
    hand.waits(SECOND);
    assert_eq!(held(&hand), Some((2, 1)));
}

#[test]
fn a_session_that_ends_before_the_boundary_is_handed_over_all_the_same() {
    let mut hand = handing_over();
    hand.makes(90);
    hand.handle(ended(90, Ending::Whole));
    assert_eq!(held(&hand), Some((2, 1)));
    assert!(hand.handle(gone()).is_empty());
}

#[test]
fn who_is_told_between_two_runs_hands_over_at_once() {
    let mut hand = Hand::reading();
    hand.makes(60);
    hand.handle(ended(75, Ending::Whole));
    let outputs = hand.orders(hand_over(2));
    assert!(has(&outputs, |output| matches!(output, Output::Close)));
    assert_eq!(held(&hand), Some((2, 0)));
}

#[test]
fn without_a_segment_of_its_own_there_is_nothing_to_go_on_behind() {
    let mut hand = Hand::reading();
    hand.orders(hand_over(2));
    hand.handle(ended(1, Ending::Cancelled));
    assert_eq!(held(&hand), None);
    hand.answers(1);
    hand.makes(60);
    hand.handle(ended(60, Ending::Cancelled));
    assert_eq!(held(&hand), Some((2, 0)));
}

#[test]
fn a_holder_that_nobody_answers_for_five_minutes_leaves_and_writes_nothing() {
    let mut hand = holding();
    hand.waits(301 * SECOND);
    let outputs = hand.handle(Input::Unanswered);
    assert_eq!((exit(&outputs), opened(&outputs)), (Some(Exit::Over), None));
}

#[test]
fn asked_to_leave_a_holder_that_waits_leaves_and_writes_nothing() {
    let mut hand = holding();
    let outputs = hand.handle(leave());
    assert_eq!((exit(&outputs), opened(&outputs)), (Some(Exit::Left), None));
}

#[test]
fn who_is_neither_standby_nor_held_does_not_heed_what_is_said_to_those() {
    let mut hand = Hand::reading();
    hand.makes(60);
    for order in [Hold, rehearse(2)] {
        assert!(hand.orders(order).is_empty());
    }
    assert_eq!(entries(&hand.makes(120)).len(), 1);
}
