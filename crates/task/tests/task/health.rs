//! What heartbeats tell.

use std::time::Duration;

use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::TranscoderOrder::Wait;
use headwater_task::engine::Ending;
use headwater_task::source::{Opened, RunHead};
use headwater_task::{About, Input};

use crate::given::{ended, failed, gone, out_of_reach, read, session, unknown};
use crate::hand::{BEGAN, Hand};

const SECOND: Duration = Duration::from_secs(1);

fn problem(hand: &Hand) -> Option<String> {
    hand.health().problem
}

#[test]
fn it_tells_what_it_reads_and_how_far_it_has_come() {
    let mut hand = Hand::reading();
    let health = hand.health();
    assert_eq!((health.activity, health.session), (Activity::Transcoding, Some(session(1))));
    assert_eq!((health.segment, health.media_until), (None, None));
    hand.makes(60);
    hand.makes(120);
    let health = hand.health();
    assert_eq!(health.segment.map(|number| number.0), Some(1));
    assert_eq!(health.media_until, Some(BEGAN + 4 * SECOND));
    assert_eq!(health.committed_at, Some(BEGAN));
    hand.waits(SECOND);
    hand.handle(ended(120, Ending::Whole));
    hand.handle(gone());
    let health = hand.health();
    assert_eq!((health.activity, health.source_lost_since), (Activity::Waiting, Some(BEGAN + SECOND)));
    assert_eq!((health.session, health.problem), (Some(session(1)), None), "it has ended well");
}

#[test]
fn without_a_publisher_it_waits() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.answers(1);
    assert_eq!(hand.health().activity, Activity::Transcoding);
    hand.handle(ended(1, Ending::BrokeOff));
    hand.orders(Wait);
    hand.waits(SECOND);
    assert_eq!(hand.health().activity, Activity::Waiting);
}

#[test]
fn a_source_out_of_reach_is_told_until_it_answers() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    hand.waits(3 * SECOND);
    hand.handle(out_of_reach());
    hand.waits(3 * SECOND);
    hand.handle(out_of_reach());
    let health = hand.health();
    assert_eq!(health.source_lost_since, Some(BEGAN + 3 * SECOND), "since the first time");
    assert_eq!(health.problem.as_deref(), Some("out of reach"));
    hand.waits(SECOND);
    hand.handle(unknown());
    assert_eq!(problem(&hand).as_deref(), Some("not found"), "the newest");
    hand.waits(SECOND);
    hand.answers(1);
    let health = hand.health();
    assert_eq!((health.source_lost_since, health.problem), (None, None));
}

#[test]
fn a_source_that_is_given_up_is_told_with_its_reason_alone_until_another_comes() {
    let mut hand = Hand::reading();
    hand.handle(Input::Noted(About::KeyFrames, Some("no key frame".into())));
    hand.handle(Input::Ended(Err(failed(true))));
    let health = hand.health();
    let given_up = health.given_up.unwrap();
    assert!(given_up.retry && given_up.reason.starts_with("it failed"));
    assert_eq!(health.problem, Some(given_up.reason));
    hand.orders(read(&[2]));
    hand.answers(1);
    let health = hand.health();
    assert_eq!((health.session, health.given_up, health.problem), (Some(session(2)), None, None));
}

#[test]
fn what_is_wrong_with_a_source_is_over_with_it_and_what_has_happened_after_a_minute() {
    let mut hand = Hand::new();
    hand.orders(read(&[1]));
    let head = RunHead { run: 1, started_ms: BEGAN.0, first_cursor: 8, lost: 7 };
    let problem = Some("audio cannot be used".into());
    hand.handle(Input::Opened(Ok(Opened::Run { head, problem })));
    hand.handle(Input::Noted(About::Media, Some("no sound".into())));
    let told = hand.health().problem;
    let lost = "7 source messages were lost before they were read";
    assert_eq!(told, Some(format!("{lost}; audio cannot be used; no sound")));
    hand.handle(Input::Noted(About::Media, None));
    hand.handle(ended(60, Ending::Whole));
    hand.handle(gone());
    assert_eq!(hand.health().problem.as_deref(), Some(lost));
    hand.waits(60 * SECOND);
    assert_eq!(hand.health().problem, None);
}

#[test]
fn a_run_that_fails_is_told_beside_what_is_wrong_with_buckets() {
    let mut hand = Hand::reading();
    hand.handle(Input::Noted(About::OwnBucket, Some("the bucket fails".into())));
    hand.handle(Input::Mirroring(3));
    hand.handle(Input::Ended(Err(failed(false))));
    let health = hand.health();
    assert_eq!((health.problem.as_deref(), health.mirror_lag), (Some("the bucket fails; it failed"), 3));
    hand.handle(Input::Noted(About::OwnBucket, None));
    assert_eq!(problem(&hand).as_deref(), Some("it failed"));
}

#[test]
fn what_the_gateway_says_with_what_it_is_told_is_told() {
    let mut hand = Hand::reading();
    hand.handle(Input::Confirmed { problem: Some("it hums".into()) });
    assert_eq!(problem(&hand).as_deref(), Some("it hums"));
    hand.handle(Input::Unconfirmed);
    assert_eq!(problem(&hand).as_deref(), Some("it hums"), "it has said nothing else");
    hand.handle(Input::Confirmed { problem: None });
    assert_eq!(problem(&hand), None);
}

#[test]
fn media_that_comes_late_is_no_backlog() {
    let mut hand = Hand::reading();
    hand.waits(100 * SECOND);
    hand.makes(60);
    assert_eq!(hand.task.metrics().source_late, Duration::ZERO, "there was more to be read");
    hand.handle(Input::Starved);
    hand.handle(Input::Fed);
    hand.makes(120);
    assert_eq!(hand.task.metrics().source_late, 96 * SECOND);
    assert_eq!(hand.task.metrics().media_until, Some(BEGAN + 4 * SECOND));
    hand.handle(ended(120, Ending::Whole));
    hand.handle(gone());
    assert_eq!(hand.task.metrics().media_until, None, "without a source nothing is due");
}

#[test]
fn viewers_are_told_of_the_source_and_of_nothing_else() {
    let mut hand = Hand::reading();
    for about in [About::OwnBucket, About::Mirror, About::Failure, About::Loss] {
        hand.handle(Input::Noted(about, Some(format!("{about:?}"))));
    }
    assert!(problem(&hand).is_some());
    assert_eq!(hand.health().source_problem, None);
    for about in [About::KeyFrames, About::Tracks, About::Media] {
        hand.handle(Input::Noted(about, Some(format!("{about:?}"))));
        assert_eq!(hand.health().source_problem, Some(format!("{about:?}")), "what viewers notice first");
    }
    hand.handle(ended(1, Ending::Whole));
    hand.handle(gone());
    assert_eq!(hand.health().source_problem, None, "the source is over");
}
