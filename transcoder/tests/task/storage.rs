//! Buckets and a timeline that fail.

use headwater_domain::ports::Bucket;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::Run;
use crate::stores::Fares;
use crate::support::{FRAMES, Rig, rig, session, source};

async fn whole(own: Fares, mirror: Fares) -> Rig {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.buckets.fare(own, mirror);
    rig.source.put(&session(1), vec![Run::of(source())], true);
    assert_eq!(rig.read_out(rig.start(1), &session(1)).await.unwrap(), Exit::Over);
    rig
}

fn problem(rig: &Rig) -> String {
    rig.hooks.heartbeats().last().unwrap().health.problem.clone().unwrap_or_default()
}

#[tokio::test]
async fn the_mirror_carries_on_without_the_own_bucket() {
    let rig = whole(Fares::Fails, Fares::Well).await;
    let line = rig.line().await;
    assert!(line.iter().all(|entry| !entry.gap));
    rig.shows(&line, &[FRAMES]);
    assert!(problem(&rig).contains("bucket of this region fails"), "{}", problem(&rig));
}

#[tokio::test]
async fn a_failing_mirror_is_told() {
    let rig = whole(Fares::Well, Fares::Fails).await;
    rig.shows(&rig.line().await, &[FRAMES]);
    assert!(problem(&rig).contains("mirror bucket fails"), "{}", problem(&rig));
}

#[tokio::test]
async fn without_both_a_segment_is_a_gap_and_the_next_one_plays() {
    let rig = whole(Fares::FailsAtFirst, Fares::FailsAtFirst).await;
    let line = rig.line().await;
    assert_eq!(line.iter().map(|entry| entry.gap).collect::<Vec<_>>(), [true, false, false, false]);
    rig.shows(&line[1..], &[FRAMES - 50]);
}

#[tokio::test]
async fn a_successor_relies_on_nothing_that_a_gap_names() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.buckets.fare(Fares::FailsAtFirst, Fares::FailsAtFirst);
    rig.source.put(&session(1), vec![Run::of(source()).until(3_000)], false);
    let running = rig.start(1);
    rig.timeline.fence_from(1);
    rig.timeline.committed(&running.lease, 1).await;
    running.leave.cancel();
    assert_eq!(running.end().await.unwrap(), Exit::Fenced);
    rig.timeline.fence_from(u64::MAX);
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.read_out(rig.start(2), &session(1)).await.unwrap();
    let line = rig.line().await;
    assert!(line[0].gap);
    rig.shows(&line[1..], &[FRAMES - 50]);
}

#[tokio::test]
async fn without_mirroring_only_the_own_bucket_is_asked() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.hooks.change_settings(|settings| settings.mirror = false);
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    assert!(rig.buckets.tried(Bucket::Mirror).is_empty());
}

#[tokio::test]
async fn a_mirror_that_hangs_holds_nothing_up() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.buckets.fare(Fares::Well, Fares::Hangs);
    let first = Run::of(source());
    let second = Run::of(source()).behind(&first).started(1_007_500);
    rig.source.put(&session(1), vec![first, second], true);
    assert_eq!(rig.read_out(rig.start(1), &session(1)).await.unwrap(), Exit::Over);
    rig.shows(&rig.line().await, &[FRAMES, FRAMES]);
}

#[tokio::test]
async fn throttled_commits_are_tried_again_in_order() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.timeline.throttle(5);
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    let log = rig.timeline.log();
    assert_eq!(log[..5], [(1, 0, false); 5]);
    assert_eq!(log[5..], [(1, 0, true), (1, 1, true), (1, 2, true), (1, 3, true)]);
}
