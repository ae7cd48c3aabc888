//! A standby: it reads and makes what its holder does, writes nothing, and goes on when it is promoted.

use std::time::Duration;

use headwater_domain::heartbeat::{Activity, StandbyHealth};
use headwater_domain::hooks::TranscoderOrder::{self, Fenced, Wait};
use headwater_domain::timeline::ResumePoint;
use headwater_task::engine::{Ending, Passthrough};
use headwater_task::{Exit, Feed, Input, Output};

use crate::given::{ended, failed, gone, leave, out_of_reach, read, rehearse, session, stop};
use crate::hand::Hand;
use crate::outputs::{entries, exit, has, opened};

const SECOND: Duration = Duration::from_secs(1);

fn aborts(outputs: &[Output]) -> bool {
    has(outputs, |output| matches!(output, Output::Abort))
}

fn is_ready(hand: &Hand) -> bool {
    hand.health().standby.unwrap().ready
}

/// A standby whose engine works.
fn rehearsing() -> Hand {
    let mut hand = Hand::standby(2);
    hand.orders(rehearse(1));
    hand.answers(61);
    hand
}

/// One that could take over.
fn ready() -> Hand {
    let mut hand = rehearsing();
    hand.waits(2 * SECOND);
    hand.makes(121);
    assert!(is_ready(&hand));
    hand
}

/// A promotion behind the first segment of lease 1, at cursor 60.
fn promotion() -> TranscoderOrder {
    let mut holder = Hand::reading();
    let entry = entries(&holder.makes(60)).pop().unwrap();
    let mut order = read(&[1]);
    if let TranscoderOrder::Transcode { resume, .. } = &mut order {
        *resume = Some(Box::new(ResumePoint::after(&entry)));
    }
    order
}

#[test]
fn it_reads_from_the_live_edge_and_writes_nothing() {
    let mut hand = Hand::standby(2);
    assert_eq!(hand.told[0].standby, Some(StandbyHealth { ready: false }));
    let outputs = hand.orders(rehearse(1));
    assert!(has(&outputs, |output| matches!(output, Output::Open { after: 0, live: true, .. })));
    let run = hand.answers(61);
    assert_eq!((run.feed, run.copy), (Feed::Rehearsal, Passthrough::ALL));
    for cursor in [121, 181, 241] {
        hand.waits(2 * SECOND);
        assert!(hand.task.has_room());
        let outputs = hand.makes(cursor);
        assert!(outputs.iter().all(|output| matches!(output, Output::Report(_))), "{outputs:?}");
    }
    let health = hand.health();
    assert_eq!((health.activity, health.session), (Activity::Transcoding, Some(session(1))));
    assert_eq!((health.segment, health.media_until, health.committed_at), (None, None, None));
    assert!(health.breaks.is_empty() && health.source_lost_since.is_none());
}

#[test]
fn one_segment_in_real_time_makes_it_ready_and_that_is_told_at_once_and_often() {
    let mut hand = rehearsing();
    hand.waits(3 * SECOND / 2);
    hand.orders(rehearse(1));
    let before = hand.told.len();
    hand.makes(121);
    assert_eq!(hand.told.len(), before + 1, "at once");
    assert_eq!(hand.told.last().unwrap().standby, Some(StandbyHealth { ready: true }));
    hand.orders(rehearse(1));
    let before = hand.told.len();
    hand.waits_answered(10 * SECOND);
    assert_eq!(hand.told.len() - before, 40);
}

#[test]
fn a_machine_that_is_too_slow_is_not_ready_until_it_is_not() {
    let mut hand = rehearsing();
    for cursor in [121, 181, 241] {
        hand.waits(5 * SECOND);
        hand.makes(cursor);
        assert!(!is_ready(&hand));
    }
    hand.waits(2 * SECOND);
    hand.makes(301);
    assert!(is_ready(&hand));
    hand.waits(9 * SECOND);
    hand.makes(361);
    assert!(is_ready(&hand), "once it has been, it stays so");
}

#[test]
fn promoted_it_goes_on_as_after_a_death() {
    let mut hand = ready();
    assert!(aborts(&hand.orders(promotion())));
    assert!(hand.makes(181).is_empty(), "what the rehearsal still makes is nobody's");
    let outputs = hand.handle(ended(181, Ending::Cancelled));
    assert_eq!(opened(&outputs), Some((session(1), 60)));
    let health = hand.health();
    assert_eq!((health.standby, health.session, health.segment), (None, None, None));
    let run = hand.answers(60);
    assert_eq!((run.feed, run.start.next_segment), (Feed::Link, 1));
    let written = entries(&hand.makes(120));
    assert_eq!((written[0].number.0, written[0].discontinuity, written[0].lease.number.0), (1, false, 2));
    let mut holder = Hand::reading();
    let before = entries(&holder.makes(60)).pop().unwrap();
    assert_eq!(written[0].renditions[0].init, before.renditions[0].init, "the one before serves on");
    assert_eq!(written[0].source.offset, before.source.offset);
}

#[test]
fn promoted_while_it_asks_or_waits_or_has_nothing_to_rehearse_it_goes_on_at_once() {
    let mut hand = Hand::standby(2);
    assert_eq!(opened(&hand.orders(promotion())), Some((session(1), 60)));
    let mut hand = Hand::standby(2);
    hand.orders(rehearse(1));
    let outputs = hand.orders(promotion());
    assert!(has(&outputs, |output| matches!(output, Output::Close)));
    assert_eq!(opened(&outputs), Some((session(1), 60)));
    let mut hand = Hand::standby(2);
    hand.orders(rehearse(1));
    hand.handle(out_of_reach());
    assert_eq!(opened(&hand.orders(promotion())), Some((session(1), 60)));
}

#[test]
fn the_sessions_before_are_read_first_whatever_was_rehearsed() {
    let mut hand = ready();
    let mut order = promotion();
    if let TranscoderOrder::Transcode { earlier, .. } = &mut order {
        earlier.push(crate::given::source(7));
    }
    hand.orders(order);
    assert_eq!(opened(&hand.handle(ended(121, Ending::Cancelled))), Some((session(7), 0)));
}

#[test]
fn withdrawn_or_told_to_stop_it_leaves_at_once_with_nothing_to_finish() {
    let orders: [(TranscoderOrder, Exit); 2] = [(Fenced, Exit::Fenced), (stop(), Exit::Over)];
    for (order, expected) in orders {
        assert_eq!(exit(&Hand::standby(2).orders(order.clone())), Some(expected));
        let mut hand = Hand::standby(2);
        hand.orders(rehearse(1));
        assert_eq!(exit(&hand.orders(order.clone())), Some(expected), "it asks");
        let mut hand = ready();
        assert!(aborts(&hand.orders(order)));
        assert_eq!(exit(&hand.handle(ended(121, Ending::Cancelled))), Some(expected));
    }
}

#[test]
fn asked_to_leave_it_leaves_at_once() {
    let within = 120 * SECOND;
    assert_eq!(exit(&Hand::standby(2).handle(Input::Leave { within })), Some(Exit::Left));
    let mut hand = ready();
    assert!(aborts(&hand.handle(leave())));
    assert_eq!(exit(&hand.handle(ended(121, Ending::Cancelled))), Some(Exit::Left));
    let goodbye = hand.told.last().unwrap();
    assert_eq!(
        (goodbye.activity, goodbye.standby),
        (Activity::Leaving, Some(StandbyHealth { ready: false }))
    );
}

#[test]
fn without_a_publisher_it_reads_nothing_and_stays() {
    let mut hand = rehearsing();
    assert!(aborts(&hand.orders(Wait)));
    let outputs = hand.handle(ended(61, Ending::Cancelled));
    assert!(outputs.is_empty(), "{outputs:?}");
    assert_eq!(hand.health().activity, Activity::Waiting);
    assert_eq!(opened(&hand.orders(rehearse(2))), Some((session(2), 0)));
}

#[test]
fn another_session_is_rehearsed_in_place_of_the_one_before() {
    let mut hand = ready();
    assert!(!aborts(&hand.orders(rehearse(1))), "a token only");
    assert!(aborts(&hand.orders(rehearse(2))));
    assert_eq!(opened(&hand.handle(ended(121, Ending::Cancelled))), Some((session(2), 0)));
    assert!(is_ready(&hand));
}

#[test]
fn a_source_out_of_reach_or_over_is_asked_again_and_is_no_lost_source_of_a_holder() {
    for answer in [out_of_reach, gone] {
        let mut hand = Hand::standby(2);
        hand.orders(rehearse(1));
        for _ in 0..10 {
            hand.handle(answer());
            assert_eq!(hand.health().source_lost_since, None);
            assert_eq!(opened(&hand.waits(SECOND / 2)), Some((session(1), 0)));
        }
    }
    let mut hand = rehearsing();
    for ending in [Ending::Whole, Ending::BrokeOff, Ending::Changed, Ending::TimestampJump] {
        assert_eq!(opened(&hand.handle(ended(61, ending))), None);
        assert!(opened(&hand.waits(SECOND / 2)).is_some());
        hand.answers(61);
    }
}

#[test]
fn what_cannot_be_copied_is_encoded_in_rehearsal_too() {
    let mut hand = rehearsing();
    hand.handle(ended(61, Ending::NotCopyable { why: "it has no key frames" }));
    hand.waits(SECOND / 2);
    assert!(!hand.answers(61).copy.video);
}

#[test]
fn who_cannot_make_anything_of_the_source_says_why_and_leaves() {
    let mut hand = ready();
    assert_eq!(exit(&hand.handle(Input::Ended(Err(failed(true))))), Some(Exit::Over));
    let goodbye = hand.told.last().unwrap();
    assert_eq!(goodbye.standby, Some(StandbyHealth { ready: false }));
    assert_eq!(goodbye.problem.as_deref(), Some("it failed"));
    let mut hand = rehearsing();
    for _ in 1..5 {
        assert_eq!(exit(&hand.handle(Input::Ended(Err(failed(false))))), None);
        hand.waits(SECOND / 2);
        hand.answers(61);
    }
    assert_eq!(exit(&hand.handle(Input::Ended(Err(failed(false))))), Some(Exit::Over));
}

#[test]
fn a_standby_that_nobody_answers_for_five_minutes_leaves() {
    let mut hand = Hand::standby(2);
    hand.waits(301 * SECOND);
    assert_eq!(exit(&hand.handle(Input::Unanswered)), Some(Exit::Over));
}
