//! One lease after another, two tasks with one lease, and losing it.

use headwater_domain::SegmentNumber;
use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::ResumeAfter;
use headwater_domain::ports::Bucket;
use headwater_domain::stream::Rung;
use headwater_domain::timeline::TrackKind;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::Run;
use crate::stores::Fares;
use crate::support::{FRAMES, Rig, rig, session, source};

/// A live session of which five seconds are there; a task that was asked to leave after its first entry.
async fn left() -> Rig {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(5_000)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    running.leave.cancel();
    assert_eq!(running.end().await.unwrap(), Exit::Left);
    rig
}

#[tokio::test]
async fn a_task_that_is_asked_to_leave_closes_short_and_its_successor_goes_on_exactly() {
    let rig = left().await;
    assert_eq!(rig.hooks.heartbeats().last().unwrap().health.activity, Activity::Leaving);
    let before = rig.line().await;
    let last = before.last().unwrap();
    assert!(last.video.unwrap().duration.ticks < 180_000, "the open segment is short");

    rig.source.release(&session(1));
    rig.read_out(rig.start(2), &session(1)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES]);
    assert_eq!(line[..before.len()], before);
    assert_eq!(line[before.len()].lease.number.0, 2);
    assert!(rig.source.reads().contains(&last.source.cursor));
    // The very same initialization sections serve on.
    assert!(line.iter().all(|entry| entry.renditions[0].init == line[0].renditions[0].init));
    let tried = rig.buckets.tried(Bucket::Own);
    assert_eq!(tried.iter().filter(|path| path.contains("init")).count(), 2, "{tried:?}");
}

#[tokio::test]
async fn a_successor_with_another_ladder_says_so() {
    let rig = left().await;
    rig.source.release(&session(1));
    rig.hooks.change_settings(|settings| settings.ladder = Some(vec![Rung { height: 72, kbps: 80 }]));
    rig.read_out(rig.start(2), &session(1)).await.unwrap();
    let line = rig.line().await;
    let changed: Vec<_> = line.iter().filter(|entry| entry.discontinuity).collect();
    assert_eq!(changed.len(), 1);
    // Under the name that viewers have.
    let pictures = &changed[0].renditions[0];
    assert_eq!((changed[0].lease.number.0, pictures.name.as_str()), (2, "90p"));
    assert!(matches!(pictures.kind, TrackKind::Video { height: 72, .. }), "{:?}", pictures.kind);
}

#[tokio::test]
async fn a_lease_that_missed_the_other_region_s_entries_resumes_after_them() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(5_000)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    rig.hooks.send_resume_after(ResumeAfter { segment: SegmentNumber(40), discontinuities: 7 });
    // The answer to the first of them has come.
    rig.hooks.more(3).await;
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    let line = rig.timeline.entries(&rig.broadcast()).await;
    let moved = line.iter().position(|entry| entry.number == SegmentNumber(41)).unwrap();
    assert!(moved > 0 && line[moved].discontinuity);
    assert_eq!(line[moved].discontinuities, 8);
    assert_eq!(line[moved].video.unwrap().start, line[moved - 1].video.unwrap().end(), "its media goes on");
    assert_eq!(rig.pictures(&line).iter().map(Vec::len).sum::<usize>(), FRAMES, "all of it");
    let health = rig.hooks.heartbeats().last().unwrap().health.clone();
    assert_eq!(health.segment, line.last().map(|entry| entry.number));
    let told: Vec<_> = health.breaks.iter().map(|one| (one.segment.0, one.discontinuities)).collect();
    assert_eq!(told, [(0, 0), (41, 8)]);
}

#[tokio::test]
async fn of_two_tasks_with_one_lease_one_works() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source())], true);
    let first = rig.start(1);
    rig.hooks.until(|_| true).await;
    let second = rig.start(1);
    assert_eq!(second.end().await.unwrap(), Exit::Fenced);
    rig.read_out(first, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    let tokens = rig.hooks.heartbeats();
    assert!(
        tokens.iter().filter(|heartbeat| heartbeat.fencing_token != tokens[0].fencing_token).count() == 1,
        "it asks no more"
    );
}

#[tokio::test]
async fn fenced_by_the_hooks_nothing_more_is_committed() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(3_000)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    // The next segment is being stored when the fence comes.
    rig.buckets.fare(Fares::Hangs, Fares::Hangs);
    rig.source.change(&session(1), |session| session.runs[0].until = u32::MAX);
    rig.buckets.until(|tried| tried.iter().any(|(_, path)| path.ends_with("/1.m4s"))).await;
    rig.hooks.say(Say::Fenced);
    assert_eq!(running.end().await.unwrap(), Exit::Fenced);
    assert_eq!(rig.timeline.log(), [(1, 0, true)]);
    assert!(rig.hooks.heartbeats().iter().all(|heartbeat| heartbeat.health.activity != Activity::Leaving));
}

#[tokio::test]
async fn fenced_by_the_timeline_the_task_ends() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.timeline.fence_from(1);
    rig.source.put(&session(1), vec![Run::of(source())], false);
    assert_eq!(rig.start(1).end().await.unwrap(), Exit::Fenced);
    assert_eq!(rig.timeline.log(), [(1, 0, true), (1, 1, false)]);
}
