//! What the hooks order, and what a task does without them.

use std::time::Duration;

use headwater_domain::heartbeat::Activity;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::{Asked, Run};
use crate::support::{FRAMES, Rig, rig, session, source};

/// A live session of which `millis` are there, and a task that reads it.
async fn live(millis: u32) -> (Rig, crate::support::Running) {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(millis)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    (rig, running)
}

#[tokio::test]
async fn stop_drains_buffered_media() {
    let (rig, running) = live(3_000).await;
    rig.hooks.say(Say::Stop);
    rig.hooks.more(2).await;
    rig.source.release(&session(1));
    assert_eq!(running.end().await.unwrap(), Exit::Over);
    rig.shows(&rig.line().await, &[FRAMES]);
    assert_eq!(rig.hooks.heartbeats().last().unwrap().health.activity, Activity::Leaving);
}

#[tokio::test]
async fn stop_resumes_a_broken_connection() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(3_000).breaking(4_600)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    rig.hooks.say(Say::Stop);
    rig.hooks.more(2).await;
    rig.source.release(&session(1));
    assert_eq!(running.end().await.unwrap(), Exit::Over);
    rig.shows(&rig.line().await, &[FRAMES]);
}

#[tokio::test]
async fn stop_waits_briefly_for_a_silent_source() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![], false);
    let running = rig.start(1);
    rig.source.until(|asked| !asked.is_empty()).await;
    rig.hooks.say(Say::Stop);
    tokio::time::pause();
    assert_eq!(running.end().await.unwrap(), Exit::Over);
}

#[tokio::test]
async fn a_task_whose_hooks_never_answer_leaves() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![], false);
    let running = rig.start(1);
    rig.source.until(|asked| !asked.is_empty()).await;
    rig.hooks.say(Say::Fail);
    tokio::time::pause();
    let patience = Duration::from_secs(3_600);
    assert_eq!(running.end_within(patience).await.unwrap(), Exit::Over);
}

#[tokio::test]
async fn a_request_that_waits_is_not_made_again_for_every_order() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![], false);
    let running = rig.start(1);
    rig.source.until(|asked| !asked.is_empty()).await;
    rig.hooks.more(4).await;
    assert_eq!(rig.source.reads(), [0]);
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.read_out(running, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
}

#[tokio::test]
async fn a_replaced_source_that_does_not_end_is_left_behind() {
    let (rig, running) = live(5_000).await;
    rig.source.put(&session(2), vec![Run::of(source()).started(1_009_000)], true);
    rig.hooks.say(Say::Transcode(session(2)));
    rig.read_out(running, &session(2)).await.unwrap();
    let line = rig.line().await;
    let stretches = rig.pictures(&line);
    // What could be read of the first meanwhile (its end is missing), then all of the second.
    assert!((50..=125).contains(&stretches[0].len()), "{}", stretches[0].len());
    assert_eq!(stretches[1].len(), FRAMES);
}

#[tokio::test]
async fn a_replaced_source_that_has_more_to_say_is_read_to_its_end() {
    let (rig, running) = live(3_000).await;
    rig.source.put(&session(2), vec![Run::of(source()).started(1_009_000)], true);
    rig.hooks.say(Say::Transcode(session(2)));
    // For longer than a silent one is waited for, and never as long without a word: a heartbeat is two seconds.
    for millis in [3_800, 4_600, 5_400, 6_200] {
        rig.hooks.more(1).await;
        rig.source.change(&session(1), |session| session.runs[0].until = millis);
    }
    rig.source.release(&session(1));
    rig.read_out(running, &session(2)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES, FRAMES]);
}

#[tokio::test]
async fn sessions_that_came_and_went_before_the_task_are_read_one_after_the_other() {
    let rig = rig(Say::Backlog([1, 2, 3].map(session).to_vec())).await;
    for (number, started) in [(1, 1_000_000), (2, 1_010_000), (3, 1_020_000)] {
        rig.source.put(&session(number), vec![Run::of(source()).started(started)], true);
    }
    rig.read_out(rig.start(1), &session(3)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES, FRAMES, FRAMES]);
    assert_eq!(line.iter().filter(|entry| entry.discontinuity).count(), 2);
    assert_eq!(rig.source.reads().iter().filter(|after| **after == 0).count(), 3, "each is begun once");
}

#[tokio::test]
async fn sessions_before_that_nobody_keeps_any_more_hold_nothing_up() {
    let rig = rig(Say::Backlog([1, 2, 3].map(session).to_vec())).await;
    // Of the first nobody knows, the second says nothing and does not end.
    rig.source.put(&session(2), vec![], false);
    rig.source.put(&session(3), vec![Run::of(source())], true);
    rig.read_out(rig.start(1), &session(3)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
}

#[tokio::test]
async fn a_lease_goes_on_in_the_session_that_the_one_before_it_read_and_then_reads_the_next() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(4_700)], false);
    let first = rig.start(1);
    rig.timeline.committed(&first.lease, 1).await;
    first.leave.cancel();
    assert_eq!(first.end().await.unwrap(), Exit::Left);
    rig.source.release(&session(1));
    rig.source.put(&session(2), vec![Run::of(source()).started(1_010_000)], true);
    rig.hooks.say(Say::Backlog([1, 2].map(session).to_vec()));
    rig.read_out(rig.start(2), &session(2)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES, FRAMES]);
}

#[tokio::test]
async fn the_publisher_gone_what_it_sent_is_read() {
    let (rig, running) = live(3_000).await;
    rig.hooks.say(Say::Wait);
    rig.hooks.more(2).await;
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
}

#[tokio::test]
async fn without_answers_it_goes_on() {
    for silence in [Say::Fail, Say::Hang] {
        let (rig, running) = live(3_000).await;
        rig.hooks.say(silence);
        rig.hooks.more(1).await;
        rig.source.release(&session(1));
        let lease = running.lease.clone();
        rig.timeline.committed(&lease, 4).await;
        running.leave.cancel();
        assert_eq!(running.end().await.unwrap(), Exit::Left);
        rig.shows(&rig.line().await, &[FRAMES]);
    }
}

#[tokio::test]
async fn the_gateway_is_told_with_the_newest_token() {
    let (rig, running) = live(3_000).await;
    let newest = rig.hooks.issued() + 1;
    rig.hooks.more(2).await;
    rig.source.expire_before(newest);
    rig.source.release(&session(1));
    rig.timeline.committed(&running.lease, 4).await;
    let last = rig.line().await.last().unwrap().source.cursor;
    rig.source
        .until(|asked| {
            asked.contains(&Asked::BadToken)
                || asked
                    .iter()
                    .any(|asked| matches!(asked, Asked::Committed { cursor, .. } if *cursor == last))
        })
        .await;
    rig.read_out(running, &session(1)).await.unwrap();
    assert!(!rig.source.asked().contains(&Asked::BadToken));
}
