//! Broken connections, new runs and new sessions.

use headwater_domain::Timestamp;
use headwater_domain::stream::{Latency, Passthrough};

use crate::flv;
use crate::hooks::Say;
use crate::server::Run;
use crate::support::{FIRST_SHOWN, FRAMES, RATE, rig, session, source};

#[tokio::test]
async fn a_broken_connection_loses_and_doubles_nothing() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(4_700).breaking(5_300)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES]);
    let reads = rig.source.reads();
    assert_eq!(reads[0], 0);
    assert!(line.iter().any(|entry| entry.source.cursor == reads[1]), "{reads:?}");
    assert_eq!(reads.len(), 3, "{reads:?}");
}

#[tokio::test]
async fn a_new_run_begins_behind_both_ends_with_one_discontinuity() {
    let rig = rig(Say::Transcode(session(1))).await;
    let first = Run::of(source());
    let second = Run::of(source()).behind(&first).started(1_007_500);
    rig.source.put(&session(1), vec![first, second], true);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES, FRAMES]);
    let begins = line.iter().find(|entry| entry.discontinuity).unwrap();
    assert_eq!((begins.source.run, begins.program_date_time), (2, Timestamp(1_007_500 + FIRST_SHOWN)));
}

#[tokio::test]
async fn a_new_session_is_a_discontinuity_and_wall_clock_does_not_go_back() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source())], true);
    // A gateway whose clock is behind that of the first.
    rig.source.put(&session(2), vec![Run::of(source()).started(1_005_000)], true);
    let running = rig.start(1);
    rig.hooks.until(|heartbeat| heartbeat.health.source_lost_since.is_some()).await;
    rig.hooks.say(Say::Transcode(session(2)));
    rig.read_out(running, &session(2)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES, FRAMES]);
    let second = line.iter().position(|entry| entry.discontinuity).unwrap();
    assert_eq!(line[second].program_date_time, line[second - 1].until());
}

#[tokio::test]
async fn what_the_gateway_had_to_drop_is_a_discontinuity() {
    let rig = rig(Say::Transcode(session(1))).await;
    let mut rest = Run::of(source());
    let replay = rest.flv.tags.iter().find(|tag| tag.key && tag.millis >= 4_700).unwrap().cursor;
    rest.flv = rest.flv.filter(|tag| tag.header || tag.cursor >= replay);
    rest.lost = 40;
    let mut run = Run::of(source()).until(2_900).breaking(3_000);
    run.then = Some(Box::new(rest.until(2_900)));
    rig.source.put(&session(1), vec![run], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    let line = rig.line().await;
    assert_eq!(line.iter().map(|entry| entry.discontinuity).collect::<Vec<_>>()[..2], [false, true]);
    rig.shows(&line, &[50, FRAMES - 120]);
    let problem = rig.hooks.heartbeats().last().unwrap().health.problem.clone().unwrap();
    assert!(problem.contains("40 source messages were lost"), "{problem}");
}

/// Seconds of a source of which a gateway had handed on so much when it died.
const HANDED_ON: usize = 5;

#[tokio::test]
async fn what_a_gateway_handed_on_before_it_died_is_shown() {
    // Pictures in the order in which they are shown: what is there of them has no hole.
    let source = flv::clip("160x90", "25", 7.0, "-g 40 -bf 0");
    for latency in [Latency::Standard, Latency::Low] {
        for passthrough in [Passthrough::AlwaysEncode, Passthrough::Auto] {
            let rig = rig(Say::Transcode(session(1))).await;
            rig.hooks.change_settings(|settings| {
                (settings.latency, settings.passthrough) = (latency, passthrough);
            });
            let millis = HANDED_ON as u32 * 1_000;
            let run = Run::of(source.clone()).until(millis - 700).breaking(millis);
            rig.source.put(&session(1), vec![run], false);
            rig.source.put(&session(2), vec![Run::of(source.clone()).started(1_030_000)], true);
            let running = rig.start(1);
            rig.timeline.committed(&running.lease, 1).await;
            rig.source.dies(&session(1), millis);
            rig.hooks.until(|heartbeat| heartbeat.health.source_lost_since.is_some()).await;
            rig.hooks.say(Say::Transcode(session(2)));
            rig.read_out(running, &session(2)).await.unwrap();
            let line = rig.line().await;
            rig.shows(&line, &[HANDED_ON * RATE, 7 * RATE]);
        }
    }
}

#[tokio::test]
async fn what_a_gateway_handed_on_before_it_died_is_shown_though_nobody_comes_back() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(4_300).breaking(4_700)], false);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, 1).await;
    rig.hooks.say(Say::Wait);
    rig.source.dies(&session(1), 4_700);
    rig.hooks.until(|heartbeat| heartbeat.health.source_lost_since.is_some()).await;
    rig.hooks.say(Say::Stop);
    running.end().await.unwrap();
    let line = rig.line().await;
    let shown = line.last().unwrap().video.unwrap().end().ticks - line[0].video.unwrap().start.ticks;
    assert!(shown > 90 * 4_600, "{shown}");
}
