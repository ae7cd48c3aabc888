//! In paused time: nothing here waits, and seconds are exact.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::*;

/// What a place does: answers or fails after so many milliseconds; `None` hangs.
type Does = (Option<u64>, Result<&'static str, &'static str>);

const HANGS: Does = (None, Err(""));

fn answers(after: u64) -> Does {
    (Some(after), Ok("allow"))
}

async fn does((after, outcome): Does) -> Result<&'static str, &'static str> {
    match after {
        Some(after) => sleep(Duration::from_millis(after)).await,
        None => std::future::pending().await,
    }
    outcome
}

struct Heard {
    answer: Result<&'static str, Option<&'static str>>,
    took: Duration,
    /// In the order in which they were asked.
    asked: Vec<Endpoint>,
    is_open: bool,
}

async fn hear(memory: &Memory, own: Does, peer: Does) -> Heard {
    let (began, asked) = (Instant::now(), Mutex::new(Vec::new()));
    let endpoint = |endpoint| {
        asked.lock().unwrap().push(endpoint);
        does(if endpoint == Endpoint::Own { own } else { peer })
    };
    let heard = ask(memory, true, endpoint, |answer| *answer == "allow", |_, _| ()).await;
    let took = began.elapsed();
    let (answer, is_open) = match heard {
        Asked::Answered(answer, open) => (Ok(answer), open.is_some()),
        Asked::Failed(error) => (Err(Some(error)), false),
        Asked::Silence => (Err(None), false),
    };
    Heard { answer, took, asked: asked.into_inner().unwrap(), is_open }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

use Endpoint::{Own, Peer};

#[tokio::test(start_paused = true)]
async fn a_place_that_answers_is_the_only_one_that_is_asked() {
    let heard = hear(&Memory::default(), answers(1_900), answers(1)).await;
    assert_eq!((heard.answer, heard.asked), (Ok("allow"), vec![Own]));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_followed_by_the_peer_at_once() {
    let heard = hear(&Memory::default(), (Some(5), Err("503")), answers(10)).await;
    assert_eq!((heard.answer, heard.took), (Ok("allow"), ms(15)));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_place_costs_its_slowness_once() {
    let memory = Memory::default();
    let first = hear(&memory, HANGS, answers(1_000)).await;
    assert_eq!((first.answer, first.took), (Ok("allow"), HEDGE_AFTER + ms(1_000)));
    let second = hear(&memory, HANGS, answers(1_000)).await;
    assert_eq!((second.answer, second.took, second.asked), (Ok("allow"), ms(1_000), vec![Peer]));
}

#[tokio::test(start_paused = true)]
async fn one_caller_at_a_time_finds_out_whether_it_answers_again() {
    let memory = Memory::default();
    hear(&memory, HANGS, answers(1)).await;
    advance(AVOID_FOR).await;
    let (finds_out, other) = tokio::join!(hear(&memory, HANGS, answers(1)), hear(&memory, HANGS, answers(1)));
    assert_eq!((finds_out.asked, other.asked), (vec![Own, Peer], vec![Peer]));
    advance(AVOID_FOR).await;
    assert_eq!(hear(&memory, HANGS, answers(1)).await.asked, [Peer], "avoided for longer each time");
    advance(AVOID_FOR).await;
    assert_eq!(hear(&memory, answers(1), answers(1)).await.asked, [Own]);
    assert_eq!(hear(&memory, answers(1), answers(1)).await.asked, [Own], "and all is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_avoided_for_a_minute_at_most() {
    let memory = Memory::default();
    for _ in 0..40 {
        memory.was_slow(Own);
    }
    advance(AVOID_AT_MOST).await;
    assert_eq!(memory.first(), Own);
}

#[tokio::test(start_paused = true)]
async fn an_avoided_place_is_asked_when_the_peer_is_slow_too() {
    let memory = Memory::default();
    hear(&memory, HANGS, answers(1)).await;
    let heard = hear(&memory, answers(700), HANGS).await;
    assert_eq!((heard.answer, heard.took), (Ok("allow"), HEDGE_AFTER + ms(700)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answers_ends_in_time() {
    let heard = hear(&Memory::default(), HANGS, HANGS).await;
    assert_eq!((heard.answer, heard.took, heard.asked), (Err(None), ANSWER_WITHIN, vec![Own, Peer]));
    let heard = hear(&Memory::default(), (Some(1), Err("own")), (Some(1), Err("peer"))).await;
    assert_eq!((heard.answer, heard.took), (Err(Some("peer")), ms(2)));
    let heard = hear(&Memory::default(), (Some(1), Err("own")), HANGS).await;
    assert_eq!((heard.answer, heard.took), (Err(None), ANSWER_WITHIN));
}

/// The peer may not have heard of a new key; what the own region says counts for as long as it may still come.
#[tokio::test(start_paused = true)]
async fn a_denial_of_the_second_waits_for_the_first() {
    let denies = |after| (Some(after), Ok("deny"));
    let heard = hear(&Memory::default(), answers(3_000), denies(10)).await;
    assert_eq!((heard.answer, heard.took), (Ok("allow"), ms(3_000)));
    let heard = hear(&Memory::default(), (Some(3_000), Err("503")), denies(10)).await;
    assert_eq!((heard.answer, heard.took), (Ok("deny"), ms(3_000)));
    let heard = hear(&Memory::default(), HANGS, denies(10)).await;
    assert_eq!((heard.answer, heard.took, heard.is_open), (Ok("deny"), ANSWER_WITHIN, true));
    let heard = hear(&Memory::default(), denies(2_100), answers(1_000)).await;
    assert_eq!((heard.answer, heard.is_open), (Ok("deny"), true), "the other one may still allow");
}

#[tokio::test(start_paused = true)]
async fn without_a_peer_there_is_one_place() {
    let asked = ask(&Memory::default(), false, |_| does(answers(3_000)), |_| true, |_, _| ()).await;
    assert!(matches!(asked, Asked::Answered("allow", None)));
}
