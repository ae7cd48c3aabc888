//! Sources that cannot be transcoded, or not be read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_domain::heartbeat::Activity;

use crate::enhanced::{HEVC, recorded};
use crate::hooks::Say;
use crate::server::Run;
use crate::support::{FRAMES, Rig, Running, rig, session, source};

/// The encoder comes back with a good source; what was told of the one before is over.
async fn the_next_one_plays(rig: &Rig, running: Running) {
    rig.source.put(&session(2), vec![Run::of(source())], true);
    rig.hooks.say(Say::Transcode(session(2)));
    rig.read_out(running, &session(2)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    let last = rig.hooks.heartbeats().last().unwrap().health.clone();
    assert_eq!((last.problem, last.given_up, last.source_problem), (None, None, None), "it is over");
}

#[tokio::test]
async fn garbage_is_told_and_not_asked_for_again_and_again() {
    let rig = rig(Say::Transcode(session(1))).await;
    let noise = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    let mut run = Run::of(source());
    run.garbage = Some(noise.collect::<Bytes>());
    rig.source.put(&session(1), vec![run], false);
    let running = rig.start(1);
    let heartbeat = rig.hooks.until(|heartbeat| heartbeat.health.problem.is_some()).await;
    assert_eq!(heartbeat.health.activity, Activity::Waiting);
    assert!(heartbeat.health.problem.unwrap().contains("no media"));
    let given_up = heartbeat.health.given_up.expect("its encoder is to be told");
    assert!(given_up.reason.contains("no media") && given_up.retry, "{given_up:?}");
    rig.hooks.more(8).await;
    assert!(rig.source.reads().len() <= 3, "{:?}", rig.source.reads());

    the_next_one_plays(&rig, running).await;
}

#[tokio::test]
async fn a_codec_without_decoder_is_told() {
    let rig = rig(Say::Transcode(session(1))).await;
    let mut run = Run::of(recorded(HEVC));
    for tag in run.flv.tags.iter_mut().filter(|tag| tag.video) {
        let body = [&tag.body()[..1], b"vvc1", &tag.body()[5..]].concat();
        *tag = tag.with_body(&body);
    }
    rig.source.put(&session(1), vec![run], false);
    let running = rig.start(1);
    let heartbeat = rig.hooks.until(|heartbeat| heartbeat.health.problem.is_some()).await;
    let given_up = heartbeat.health.given_up.expect("its encoder is to be told");
    assert!(given_up.reason.contains("no decoder for video") && !given_up.retry, "{given_up:?}");
    assert_eq!(heartbeat.health.problem, Some(given_up.reason));
    the_next_one_plays(&rig, running).await;
}

/// A stretch between two IDRs: nothing in it can be decoded.
fn barren() -> Run {
    let mut barren = Run::of(source());
    barren.flv =
        barren.flv.filter(|tag| tag.header || (tag.video && !tag.key && (100..400).contains(&tag.millis)));
    for tag in barren.flv.tags.iter_mut().filter(|tag| !tag.header) {
        let end = tag.bytes.len() - 4;
        tag.bytes[16..end].fill(0);
    }
    barren
}

#[tokio::test]
async fn a_short_source_of_which_nothing_is_decoded_is_told_of() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![barren()], true);
    let running = rig.start(1);
    let heartbeat = rig.hooks.until(|heartbeat| heartbeat.health.given_up.is_some()).await;
    let reason = heartbeat.health.given_up.unwrap().reason;
    assert!(reason.contains("cannot be decoded") && reason.contains("connect again"), "{reason}");
    assert_eq!(heartbeat.health.problem, Some(reason));
    the_next_one_plays(&rig, running).await;
}

#[tokio::test]
async fn a_run_without_media_is_skipped_and_reported() {
    let rig = rig(Say::Transcode(session(1))).await;
    let barren = barren();
    let good = Run::of(source()).behind(&barren);
    rig.source.put(&session(1), vec![barren, good], true);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    let heartbeats = rig.hooks.heartbeats();
    let told = |told: &str| told.contains("cannot be decoded");
    assert!(heartbeats.iter().any(|heartbeat| heartbeat.health.problem.as_deref().is_some_and(told)));
    assert!(heartbeats.iter().all(|heartbeat| heartbeat.health.given_up.is_none()), "the rest is of use");
}

#[tokio::test]
async fn a_source_out_of_reach_is_asked_at_leisure() {
    let rig = rig(Say::Transcode(session(1))).await;
    let running = rig.start(1);
    rig.hooks
        .until(|heartbeat| heartbeat.health.problem.as_deref().is_some_and(|told| told.contains("404")))
        .await;
    // Six more requests take five pauses of half a second, however busy the machine; one may be seen late.
    let (begun, before) = (Instant::now(), rig.source.reads().len());
    rig.source.until(|asked| asked.len() >= before + 6).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "asked six times in {:?}", begun.elapsed());
    // Heartbeats come twice a second while it waits; a request that fails again makes none.
    let (heartbeats, waited) = (rig.hooks.heartbeats().len(), begun.elapsed());
    assert!(heartbeats as u128 <= 20 + waited.as_millis() / 250, "{heartbeats} heartbeats in {waited:?}");
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.timeline.committed(&running.lease, 4).await;
    rig.read_out(running, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
}

#[tokio::test]
async fn what_the_gateway_cannot_use_is_told_as_long_as_it_says_so() {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(4_000)], false);
    rig.source.change(&session(1), |session| session.problem = Some("audio cannot be used: it hums"));
    let running = rig.start(1);
    let is_told =
        |told: Option<&str>| told.is_some_and(|told| told.contains("audio cannot be used: it hums"));
    let heartbeat = rig.hooks.until(|heartbeat| is_told(heartbeat.health.problem.as_deref())).await;
    assert_eq!(heartbeat.health.activity, Activity::Transcoding, "the rest goes on");
    assert!(is_told(heartbeat.health.source_problem.as_deref()), "viewers are told, too");
    rig.source.change(&session(1), |session| session.problem = None);
    rig.source.release(&session(1));
    rig.read_out(running, &session(1)).await.unwrap();
    rig.shows(&rig.line().await, &[FRAMES]);
    assert_eq!(rig.hooks.heartbeats().last().unwrap().health.problem, None, "it is over");
}
