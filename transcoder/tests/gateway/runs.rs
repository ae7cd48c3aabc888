//! One response, one set of sequence headers and one epoch.

use headwater_rtmp::MediaKind::{Audio, Video};

use crate::rtmp_client::{Publisher, aac_header, avc_header, picture, sound};
use crate::support::*;

/// Reads run after run as a transcoder does; answers number and cursors of each.
async fn all_runs(rig: &Rig, session: &headwater_domain::SessionId) -> Vec<Flv> {
    let mut runs: Vec<Flv> = Vec::new();
    let mut after = 0;
    loop {
        let answer = rig.get(session, after).await;
        if answer.status() == http::StatusCode::GONE {
            return runs;
        }
        drop(answer);
        let flv = rig.read(session, after).await;
        after = *flv.cursors().last().unwrap();
        runs.push(flv);
    }
}

fn shape(runs: &[Flv]) -> Vec<(u64, u64, usize, u32)> {
    let of = |flv: &Flv| {
        (flv.header("headwater-run"), flv.header("headwater-cursor"), flv.media().len(), flv.media()[0].time)
    };
    runs.iter().map(of).collect()
}

#[tokio::test]
async fn a_changed_sequence_header_and_a_jump_each_begin_a_run() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(500, 2, 100).await;
    publisher.headers().await;
    publisher.gops(2_500, 1, 100).await;
    publisher.send(Video, 3_500, avc_header(40)).await;
    publisher.gops(3_500, 2, 100).await;
    publisher.gops(100_000, 1, 100).await;
    publisher.gops(0, 3, 100).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;

    let runs = all_runs(&rig, &session).await;
    assert_eq!(shape(&runs), [(1, 1, 18, 0), (2, 19, 12, 0), (3, 31, 6, 0), (4, 37, 18, 0)]);
    assert_eq!(runs[0].tags[0].body, avc_header(30));
    for run in &runs[1..] {
        assert_eq!((&run.tags[0].body, &run.tags[1].body), (&avc_header(40), &aac_header()));
    }
    let started = |run: usize| runs[run].header("headwater-run-started");
    assert_eq!(started(1), started(0) + 3_000, "the source's clock went on");
    rig.leave().await;
}

#[tokio::test]
async fn a_reader_of_a_live_session_is_sent_to_the_next_run() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    let session = rig.hooks.session(0).await;
    let (first, ()) = tokio::join!(rig.read(&session, 0), async {
        publisher.send(Video, 1_000, avc_header(40)).await;
        publisher.gops(1_000, 1, 100).await;
    });
    assert_eq!(first.cursors(), [1, 2, 3, 4, 5, 6]);
    let (second, ()) = tokio::join!(rig.read(&session, 6), publisher.finish());
    assert_eq!((second.header("headwater-run"), second.cursors()), (2, vec![7, 8, 9, 10, 11, 12]));
    rig.leave().await;
}

#[tokio::test]
async fn a_track_that_comes_late_begins_a_run_with_both_headers() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.send(Video, 0, avc_header(30)).await;
    publisher.send(Audio, 0, sound()).await; // before its header: nobody could decode it
    publisher.send(Video, 0, picture(true, 100)).await;
    for time in (40..=320).step_by(40) {
        publisher.send(Video, time, picture(false, 100)).await; // for so long nobody waits
    }
    publisher.send(Audio, 330, aac_header()).await;
    publisher.send(Audio, 330, sound()).await;
    publisher.send(Video, 360, picture(false, 100)).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let runs = all_runs(&rig, &session).await;
    assert_eq!(shape(&runs), [(1, 1, 9, 0), (2, 10, 2, 0)]);
    assert_eq!((runs[0].bytes[4], runs[1].bytes[4]), (1, 5), "flags: video, then both");
    rig.leave().await;
}

#[tokio::test]
async fn a_header_behind_the_first_pictures_is_in_time() {
    for late in [0, 40, 280] {
        let rig = rig().await;
        let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
        publisher.send(Video, 0, avc_header(30)).await;
        publisher.send(Video, 0, picture(true, 100)).await;
        if late > 0 {
            publisher.send(Video, late, picture(false, 100)).await;
        }
        publisher.send(Audio, late, aac_header()).await;
        publisher.send(Audio, late, sound()).await;
        publisher.send(Video, late + 40, picture(false, 100)).await;
        publisher.finish().await;
        let session = rig.hooks.unpublish(0).await.session.session;
        let runs = all_runs(&rig, &session).await;
        assert_eq!(shape(&runs), [(1, 1, if late > 0 { 4 } else { 3 }, 0)], "{late}");
        assert_eq!(runs[0].bytes[4], 5, "flags: both");
        rig.leave().await;
    }
}

#[tokio::test]
async fn time_goes_on_over_the_wrap_of_rtmp_timestamps() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    for (n, raw) in [u32::MAX - 500, u32::MAX - 250, u32::MAX, 249, 499].into_iter().enumerate() {
        publisher.send(Video, raw, picture(n == 0, 100)).await;
    }
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let flv = rig.read(&session, 0).await;
    assert_eq!(flv.media().iter().map(|tag| tag.time).collect::<Vec<_>>(), [0, 250, 500, 750, 1_000]);
    rig.leave().await;
}

#[tokio::test]
async fn audio_alone_resumes_right_after_the_cursor() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.send(Audio, 0, aac_header()).await;
    for n in 0..200 {
        publisher.send(Audio, n * 21, sound()).await;
    }
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let flv = rig.read(&session, 137).await;
    assert_eq!(flv.header("headwater-cursor"), 138);
    assert_eq!(flv.cursors(), (138..=200).collect::<Vec<_>>());
    rig.leave().await;
}
