//! A living task hands over to a standby.

use headwater_domain::heartbeat::Activity;
use headwater_domain::ports::Bucket;
use headwater_domain::testing::samples;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::Run;
use crate::support::{FRAMES, rig, session, source};

#[tokio::test]
async fn a_standby_goes_on_where_its_holder_ends_a_segment_without_a_picture_lost_or_doubled() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(5_000)], false);
    let holder = rig.start(1);
    rig.timeline.committed(&holder.lease, 1).await;
    // The segment that is open ends by itself with what comes now.
    rig.hooks.say(Say::HandOver(session(1), false));
    rig.hooks.more(3).await;
    let standby = rig.start_as(2, true);
    let lease = standby.lease.clone();
    rig.hooks.until(|told| told.lease == lease && told.health.activity == Activity::Transcoding).await;
    rig.source.release(&session(1));
    let held = rig.hooks.until(|told| told.health.held.is_some()).await;
    rig.hooks.until(|told| told.health.standby.is_some_and(|standby| standby.ready)).await;
    let line = rig.line().await;
    assert!(line.iter().all(|entry| entry.lease == samples::lease(1)), "a standby writes nothing");
    assert_eq!(held.health.held.unwrap().segment, line.last().unwrap().number);
    assert!(!line.last().unwrap().open);
    let stored = rig.buckets.tried(Bucket::Own);
    assert!(!stored.iter().any(|path| path.contains(&lease.to_string())), "and stores nothing: {stored:?}");

    rig.hooks.say(Say::HandOver(session(1), true));
    assert_eq!(holder.end().await.unwrap(), Exit::Over);
    rig.read_out(standby, &session(1)).await.unwrap();
    let after = rig.line().await;
    assert_eq!(after[..line.len()], line);
    assert_eq!(after[line.len()].lease, lease);
    rig.shows(&after, &[FRAMES]);
    assert!(after.iter().all(|entry| entry.renditions[0].init == after[0].renditions[0].init));
}
