//! Nothing goes wrong.

use headwater_domain::heartbeat::Activity;
use headwater_domain::ports::Bucket;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::{Asked, Run};
use crate::support::{FIRST_SHOWN, FRAMES, rig, session, source};

#[tokio::test]
async fn a_session_is_committed_to_its_last_frame() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source())], true);
    let exit = rig.read_out(rig.start(1), &session(1)).await.unwrap();
    assert_eq!(exit, Exit::Over);

    let line = rig.line().await;
    rig.shows(&line, &[FRAMES]);
    assert!(line.iter().all(|entry| !entry.gap && !entry.discontinuity));
    assert_eq!(line[0].program_date_time.0, 1_000_000 + FIRST_SHOWN);

    let heartbeats = rig.hooks.heartbeats();
    let last = &heartbeats.last().unwrap().health;
    assert_eq!(last.activity, Activity::Leaving);
    assert_eq!(
        (last.segment, last.media_until),
        (Some(line.last().unwrap().number), Some(line.last().unwrap().until()))
    );
    assert_eq!((last.problem.as_deref(), last.decode_errors), (None, 0));
    assert!(heartbeats.iter().any(|heartbeat| heartbeat.health.activity == Activity::Transcoding));

    // The gateway may forget all of it.
    let told = rig.source.asked().into_iter().rev().find_map(|asked| match asked {
        Asked::Committed { cursor, .. } => Some(cursor),
        _ => None,
    });
    assert_eq!(told, Some(line.last().unwrap().source.cursor));
}

#[tokio::test]
async fn objects_are_in_both_buckets_and_initialization_sections_once() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    let line = rig.line().await;
    for (entry, one) in line.iter().flat_map(|entry| entry.renditions.iter().map(move |one| (entry, one))) {
        for path in [&one.init, &entry.media_path(&one.name)] {
            let own = rig.buckets.get(Bucket::Own, path).unwrap();
            assert_eq!(rig.buckets.get(Bucket::Mirror, path), Some(own), "{path}");
        }
        assert_eq!(one.init, line[0].renditions.iter().find(|first| first.name == one.name).unwrap().init);
    }
    let tried = rig.buckets.tried(Bucket::Own);
    assert_eq!(tried.len(), 2 + line.len() * 2, "{tried:?}");
}

#[tokio::test]
async fn entries_come_while_the_session_lives() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(5_000)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    let first = rig.hooks.until(|heartbeat| heartbeat.health.segment.is_some()).await;
    assert_eq!(first.health.activity, Activity::Transcoding);
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
}
