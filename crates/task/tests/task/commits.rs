//! In which order what is made is stored and committed, and what is waited for.

use std::time::Duration;

use headwater_domain::ports::{Commit, FaultKind};
use headwater_task::engine::Ending;
use headwater_task::{Exit, Input, Output, TimelineLost};

use crate::given::{ended, gone, leave, read, session, source};
use crate::hand::{Answers, Hand};
use crate::outputs::{entries, exit, has, opened, stored};

const SECOND: Duration = Duration::from_secs(1);

fn numbers(outputs: &[Output]) -> Vec<u64> {
    entries(outputs).iter().map(|entry| entry.number.0).collect()
}

fn uploads(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Upload(_))).count()
}

/// What the gateway is told is safe, and by which token.
fn confirmed(outputs: &[Output]) -> Option<(u64, String)> {
    outputs.iter().find_map(|output| match output {
        Output::Confirm { source, cursor } => Some((*cursor, source.token.expose().to_owned())),
        _ => None,
    })
}

fn by_hand() -> Hand {
    let mut hand = Hand::reading();
    hand.answers = Answers::Later;
    hand
}

const WELL: Input = Input::Committed(Ok(Commit::Committed));

#[test]
fn what_is_stored_first_waits_for_what_was_made_first() {
    let mut hand = by_hand();
    let (first, second) = (hand.makes(60), hand.makes(120));
    assert!(numbers(&hand.handle(stored(&second, false))).is_empty());
    assert_eq!(numbers(&hand.handle(stored(&first, false))), [0]);
    assert_eq!(numbers(&hand.handle(WELL)), [1], "not before the other is");
}

#[test]
fn four_are_stored_at_once_one_waits_and_the_engine_does() {
    let mut hand = by_hand();
    let first = hand.makes(60);
    for cursor in [120, 180, 240] {
        assert_eq!(uploads(&hand.makes(cursor)), 1);
    }
    assert!(hand.task.has_room());
    assert_eq!(uploads(&hand.makes(300)), 0);
    assert!(!hand.task.has_room());
    let outputs = hand.handle(stored(&first, false));
    assert_eq!((uploads(&outputs), numbers(&outputs)), (1, vec![0]), "the next takes its place");
    assert!(hand.task.has_room());
}

#[test]
fn what_is_read_need_not_be_kept_once_it_is_on_its_way() {
    let mut hand = by_hand();
    assert!(has(&hand.makes(60), |output| matches!(output, Output::Written(60))));
}

#[test]
fn the_run_is_over_when_all_of_it_is_committed_and_the_gateway_knows() {
    let mut hand = by_hand();
    let upload = hand.makes(60);
    assert_eq!(opened(&hand.handle(ended(75, Ending::Whole))), None);
    assert_eq!(opened(&hand.handle(stored(&upload, false))), None);
    let outputs = hand.handle(WELL);
    assert_eq!((confirmed(&outputs), opened(&outputs)), (Some((60, "token".into())), None));
    assert_eq!(opened(&hand.handle(Input::Unconfirmed)), Some((session(1), 75)), "or cannot be told");
}

#[test]
fn the_gateway_is_told_the_newest_with_the_newest_token() {
    let mut hand = by_hand();
    let all = [60, 120, 180].map(|cursor| hand.makes(cursor));
    for upload in &all {
        hand.handle(stored(upload, false));
    }
    assert_eq!(confirmed(&hand.handle(WELL)).map(|(cursor, _)| cursor), Some(60));
    assert_eq!(confirmed(&hand.handle(WELL)), None, "one word at a time");
    hand.handle(WELL);
    let mut order = read(&[1]);
    if let headwater_domain::hooks::TranscoderOrder::Transcode { source: newest, .. } = &mut order {
        *newest = headwater_domain::hooks::Source {
            token: headwater_domain::hooks::Secret::new("newer"),
            ..source(1)
        };
    }
    hand.orders(order);
    assert_eq!(confirmed(&hand.handle(Input::Unconfirmed)), Some((180, "newer".into())));
    assert_eq!(confirmed(&hand.handle(Input::Confirmed { problem: None })), None);
}

#[test]
fn a_table_that_refuses_for_now_is_asked_eight_times_ever_more_rarely() {
    for fault in [FaultKind::Throttled, FaultKind::Unavailable] {
        let mut hand = by_hand();
        let upload = hand.makes(60);
        hand.handle(stored(&upload, false));
        for pause in [100, 200, 400, 800, 1_600, 3_200, 5_000] {
            assert!(hand.handle(Input::Committed(Err(fault))).is_empty());
            assert_eq!(hand.patience(), Some(Duration::from_millis(pause)));
            assert_eq!(numbers(&hand.waits(Duration::from_millis(pause))), [0]);
        }
        assert!(has(&hand.handle(Input::Committed(Err(fault))), |output| matches!(output, Output::Abort)));
        let outputs = hand.handle(ended(60, Ending::Cancelled));
        assert!(has(&outputs, |output| matches!(output, Output::Exit(Err(TimelineLost)))));
    }
}

#[test]
fn an_entry_that_is_tried_again_is_the_same() {
    let mut hand = by_hand();
    let upload = hand.makes(60);
    let first = entries(&hand.handle(stored(&upload, false)));
    hand.handle(Input::Committed(Err(FaultKind::Throttled)));
    assert_eq!(entries(&hand.waits(SECOND)), first, "else it would be another process's");
}

#[test]
fn a_table_that_refuses_for_good_is_not_asked_again() {
    for fault in [FaultKind::Refused, FaultKind::Forbidden, FaultKind::Corrupt] {
        let mut hand = Hand::reading();
        hand.answers = Answers::Commits(Err(fault));
        assert!(has(&hand.makes(60), |output| matches!(output, Output::Abort)));
        assert!(numbers(&hand.waits(60 * SECOND)).is_empty());
    }
}

#[test]
fn what_could_not_be_stored_is_a_gap() {
    let mut hand = by_hand();
    let upload = hand.makes(60);
    assert!(entries(&hand.handle(stored(&upload, true)))[0].gap);
}

#[test]
fn asked_to_leave_everything_is_committed_before_the_goodbye() {
    let mut hand = by_hand();
    hand.handle(leave());
    let upload = hand.makes(60);
    assert_eq!(exit(&hand.handle(ended(60, Ending::Cancelled))), None);
    hand.handle(stored(&upload, false));
    hand.handle(WELL);
    assert_eq!(exit(&hand.handle(Input::Unconfirmed)), Some(Exit::Left));
    assert!(hand.handle(gone()).is_empty());
}
