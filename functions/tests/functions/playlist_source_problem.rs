//! What is wrong with a source is told at the playback URL, and nothing else is that goes wrong.

use headwater_domain::control::State;
use headwater_domain::heartbeat::{GivenUp, Health};
use headwater_domain::hooks::SessionRef;

use crate::support::{Answer, Event, Harness, flowing, later};

const SILENT: &str =
    "the encoder sends pictures but no sound, viewers hear silence: check the microphone or the mixer";
/// What only operators are told.
const OURS: &str = "media bucket of this region fails: AccessDenied for arn:aws:iam::123456789012:role/media";

async fn heartbeat(harness: &Harness, session: &SessionRef, change: impl FnOnce(&mut Health)) {
    let mut health = flowing(session);
    health.problem = Some(OURS.to_owned());
    change(&mut health);
    harness.heartbeat(session, &harness.lease().await, "process", health).await;
}

async fn view(harness: &Harness) -> Answer {
    let answer = harness.view(&Event::sample("playlist-multivariant")).await;
    assert_eq!(answer.header("cache-control"), "max-age=1, stale-if-error=0");
    assert!(
        !answer.text().contains("AccessDenied") && !answer.text().contains("bucket"),
        "{}",
        answer.text()
    );
    answer
}

/// The line of the playlist.
async fn told(harness: &Harness) -> Option<String> {
    let text = view(harness).await.text();
    text.lines().find(|line| line.starts_with("#EXT-X-SESSION-DATA")).map(str::to_owned)
}

/// What whoever waits is told.
async fn told_waiting(harness: &Harness) -> Option<String> {
    let problem = view(harness).await.problem(404, "not-live");
    problem.get("source_problem").map(|told| told.as_str().unwrap().to_owned())
}

fn line(reason: &str) -> Option<String> {
    let data_id = "headwater.source-problem";
    Some(format!("#EXT-X-SESSION-DATA:DATA-ID=\"{data_id}\",VALUE=\"{reason}\",LANGUAGE=\"en\""))
}

#[tokio::test(start_paused = true)]
async fn a_live_playlist_says_what_is_wrong_with_its_source_while_it_is() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.commit(&harness.lease().await, 0).await;
    heartbeat(&harness, &session, |_| ()).await;
    assert_eq!(told(&harness).await, None);
    heartbeat(&harness, &session, |health| health.source_problem = Some(SILENT.to_owned())).await;
    assert_eq!(told(&harness).await, line(SILENT));
    assert_eq!(told(&harness.other_region()).await, line(SILENT), "the other region says the same");
    heartbeat(&harness, &session, |_| ()).await;
    assert_eq!(told(&harness).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_which_nothing_was_made_is_explained_to_those_who_wait() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let reason = "its pictures are too large";
    for (is_source, right) in [(false, None), (true, Some(reason))] {
        let given_up = GivenUp { reason: reason.to_owned(), retry: false, is_source };
        heartbeat(&harness, &session, |health| health.given_up = Some(given_up)).await;
        assert_eq!(told_waiting(&harness).await.as_deref(), right);
    }
    // The window of a minute passes, and five more.
    harness.unpublish(&session).await;
    later(60 + 300);
    assert_eq!(harness.state().await, Some(State::Ended));
    assert_eq!(told_waiting(&harness).await.as_deref(), Some(reason), "its owner comes and looks");
    later(1);
    assert_eq!(told_waiting(&harness).await, None, "it is history");
}

#[tokio::test(start_paused = true)]
async fn what_was_wrong_with_one_encoder_is_not_said_of_the_next() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    heartbeat(&harness, &session, |health| health.source_problem = Some(SILENT.to_owned())).await;
    assert_eq!(told_waiting(&harness).await.as_deref(), Some(SILENT));
    later(1);
    harness.allowed(2).await;
    assert_eq!(told_waiting(&harness).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_a_reason_quotes_cannot_leave_its_line() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.commit(&harness.lease().await, 0).await;
    let hostile = format!("\"x\"\r\n#EXT-X-ENDLIST\n{}", "y".repeat(5_000));
    heartbeat(&harness, &session, |health| health.source_problem = Some(hostile)).await;
    let text = view(&harness).await.text();
    assert!(!text.lines().any(|line| line.starts_with("#EXT-X-ENDLIST")), "{text}");
    assert!(told(&harness).await.unwrap().starts_with(&line("'x'  #EXT-X-ENDLIST yyy").unwrap()[..70]));
    assert!(text.len() < 2_000, "{text}");
}
