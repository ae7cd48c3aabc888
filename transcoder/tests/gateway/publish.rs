//! Real encoders publish, and what they sent is what a transcoder reads.

use headwater_domain::hooks::PublishRequest;

use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::*;

#[tokio::test]
async fn what_ffmpeg_sends_is_what_the_source_link_serves() {
    let rig = rig().await;
    let sent = sample(rig.dir.path(), 5).await;
    let ffmpeg = publish(&sent, &rig.rtmp_url()).await;
    assert!(ffmpeg.status.success(), "{}", String::from_utf8_lossy(&ffmpeg.stderr));
    let gone = rig.hooks.unpublish(0).await;
    assert_eq!(gone.reason, "encoder ended the stream");

    let flv = rig.read(&gone.session.session, 0).await;
    assert_eq!(flv.headers["content-type"], "video/x-flv");
    assert_eq!(flv.headers["headwater-session"], gone.session.session.as_str());
    assert_eq!(
        (flv.header("headwater-run"), flv.header("headwater-cursor"), flv.header("headwater-lost")),
        (1, 1, 0)
    );
    let cursors = flv.cursors();
    assert_eq!(cursors, (1..=cursors.len() as u64).collect::<Vec<_>>(), "no cursor is missing");

    let got = rig.dir.path().join("got.flv");
    std::fs::write(&got, &flv.bytes).unwrap();
    assert_eq!(packets(&got).await, packets(&sent).await);
    assert_eq!(rig.status(&gone.session.session, *cursors.last().unwrap()).await, 410);
    rig.leave().await;
}

#[tokio::test]
async fn the_hook_is_asked_with_everything_the_encoder_said() {
    let rig = rig().await;
    let sent = sample(rig.dir.path(), 1).await;
    publish(&sent, &format!("{}?camera=2", rig.rtmp_url())).await;
    rig.hooks.unpublish(0).await;
    let record = rig.hooks.record();
    let PublishRequest { gateway, session, app, key, address, query, asked_at } = record.published[0].clone();
    assert!(asked_at.is_some());
    assert_eq!((gateway.region.as_str(), gateway.source.as_str()), ("eu-west-1", "http://10.0.1.5:8936"));
    assert_eq!((app.as_str(), key.expose()), ("live", stream_key_text().as_str()));
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(query["camera"], "2");
    let gone = &record.unpublished[0];
    assert_eq!((&gone.session.session, gone.session.order), (&session, 1));
    rig.leave().await;
}

#[tokio::test]
async fn a_reader_follows_a_live_publisher_to_its_end() {
    let rig = rig().await;
    let mut encoder = publish_live(&rig.rtmp_url());
    let session = rig.hooks.session(0).await;
    // Both ask before there is media, and wait for it.
    let (first, second, ()) = tokio::join!(rig.read(&session, 0), rig.read(&session, 0), async {
        rig.hooks
            .until(|record| record.heartbeats.iter().any(|heartbeat| !heartbeat.sessions.is_empty()))
            .await;
        encoder.start_kill().unwrap();
    });
    assert_eq!(first.bytes, second.bytes);
    assert!(first.media().len() > 10, "{}", first.media().len());
    rig.hooks.unpublish(0).await;
    rig.leave().await;
}

#[tokio::test]
async fn gstreamer_publishes() {
    let rig = rig().await;
    let location = format!("location={}", rig.rtmp_url());
    let launch = "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=90,framerate=25/1 ! \
        x264enc key-int-max=25 speed-preset=ultrafast ! h264parse ! flvmux name=mux streamable=true ! rtmp2sink";
    let audio = "audiotestsrc num-buffers=140 ! avenc_aac ! aacparse ! mux.";
    let args: Vec<&str> =
        launch.split_whitespace().chain([location.as_str()]).chain(audio.split_whitespace()).collect();
    let gst = output(tokio::process::Command::new("gst-launch-1.0").args(args)).await;
    assert!(gst.status.success(), "{}", String::from_utf8_lossy(&gst.stderr));
    let gone = rig.hooks.unpublish(0).await;
    let flv = rig.read(&gone.session.session, 0).await;
    assert_eq!(flv.media().iter().filter(|tag| tag.kind == 9).count(), 75);
    assert!(flv.media().iter().filter(|tag| tag.kind == 8).count() > 100);
    rig.leave().await;
}

#[tokio::test]
async fn one_failure_of_the_hook_is_not_seen_by_the_encoder() {
    let rig = rig_with(Policy::Fail(1), |_| {}).await;
    let sent = sample(rig.dir.path(), 1).await;
    assert!(publish(&sent, &rig.rtmp_url()).await.status.success());
    let record = rig.hooks.until(|record| !record.unpublished.is_empty()).await;
    assert_eq!(record.published.len(), 2);
    assert_eq!(record.published[0].session, record.published[1].session, "the same request again");
    rig.leave().await;
}

#[tokio::test]
async fn an_encoder_that_goes_while_it_is_judged_leaves_no_session_behind() {
    let rig = rig_with(Policy::Hold, |limits| limits.hook_timeout = PATIENCE).await;
    let publisher = Publisher::ask(rig.gateway.rtmp_addr(), Vec::new()).await;
    let session = rig.hooks.session(0).await;
    drop(publisher);
    // The gateway has seen it go.
    while rig.health().await["connections"] != 0 {
        tokio::task::yield_now().await;
    }
    rig.hooks.release();
    let told = rig.hooks.unpublish(0).await;
    assert_eq!((told.session.session, &*told.reason), (session, "encoder took its publish request back"));
    rig.leave().await;
}

#[tokio::test]
async fn audio_alone_and_video_alone_are_streams() {
    let rig = rig().await;
    let sent = sample(rig.dir.path(), 2).await;
    for (n, (drop, kind)) in [("-vn", 8), ("-an", 9)].into_iter().enumerate() {
        let ffmpeg = output(&mut ffmpeg(&[
            "-i",
            sent.to_str().unwrap(),
            drop,
            "-c",
            "copy",
            "-f",
            "flv",
            &rig.rtmp_url(),
        ]))
        .await;
        assert!(ffmpeg.status.success());
        let session = rig.hooks.unpublish(n).await.session.session;
        let flv = rig.read(&session, 0).await;
        assert_eq!(flv.bytes[4], if kind == 8 { 4 } else { 1 }, "flags of the file header");
        assert!(flv.media().len() > 40 && flv.media().iter().all(|tag| tag.kind == kind));
    }
    rig.leave().await;
}
