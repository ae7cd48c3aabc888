//! How sessions end from the gateway's side: orders, outages of the control plane, and the gateway's own leaving.

use std::time::Duration;

use headwater_rtmp::amf::Value;

use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::*;

#[tokio::test]
async fn a_stop_order_ends_the_old_publisher_and_not_the_new_one() {
    let rig = rig().await;
    let old = Publisher::start(rig.gateway.rtmp_addr()).await;
    let mut new = Publisher::start(rig.gateway.rtmp_addr()).await;
    rig.hooks.stop(&rig.hooks.session(0).await, "another encoder took over");
    let heard = old.closed().await;
    assert!(
        heard.contains("NetStream.Publish.Denied") && heard.contains("another encoder took over"),
        "{heard}"
    );
    let gone = rig.hooks.unpublish(0).await;
    assert_eq!((gone.session.order, gone.reason.as_str()), (1, "another encoder took over"));
    new.headers().await;
    new.gops(0, 1, 100).await;
    new.finish().await;
    assert_eq!(rig.hooks.unpublish(1).await.session.order, 2);
    rig.leave().await;
}

/// `Denied` makes OBS give up; the other code makes it try again.
#[tokio::test]
async fn an_encoder_that_may_do_better_is_told_to_try_again() {
    let rig = rig().await;
    let publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let reason = "the source cannot be decoded: 0 packets failed; connect again";
    rig.hooks.stop_for_now(&rig.hooks.session(0).await, reason);
    let heard = publisher.closed().await;
    assert!(heard.contains("NetStream.Publish.Rejected") && heard.contains(reason), "{heard}");
    assert!(!heard.contains("NetStream.Publish.Denied"), "{heard}");
    assert_eq!(rig.hooks.unpublish(0).await.reason, reason);
    rig.leave().await;
}

#[tokio::test]
async fn ffmpeg_shows_why_it_was_stopped() {
    let rig = rig().await;
    let encoder = publish_live(&rig.rtmp_url());
    rig.hooks.stop(&rig.hooks.session(0).await, "the stream was deleted");
    let ended =
        tokio::time::timeout(PATIENCE, encoder.wait_with_output()).await.expect("ffmpeg ends").unwrap();
    let shown = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && shown.contains("the stream was deleted"), "{shown}");
    rig.leave().await;
}

#[tokio::test]
async fn an_outage_of_the_control_plane_ends_nothing() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    rig.hooks.set_outage(true);
    let heartbeats = rig.hooks.record().heartbeats.len();
    rig.hooks.until(|record| record.heartbeats.len() >= heartbeats + 2).await;
    publisher.gops(0, 2, 100).await;
    publisher.finish().await;
    let session = rig.hooks.session(0).await;
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 12);
    rig.hooks.set_outage(false);
    assert_eq!(rig.hooks.unpublish(0).await.session.session, session, "told as soon as it is back");
    rig.leave().await;
}

#[tokio::test]
async fn a_gateway_that_leaves_says_so_and_lets_transcoders_read_and_commit_what_is_left() {
    let rig = rig_with(Policy::Allow, |limits| {
        (limits.drain_timeout, limits.commit_timeout) = (2 * PATIENCE, 2 * PATIENCE);
    })
    .await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    // More than wait until it is known which of the first timestamps are right.
    publisher.gops(0, 4, 100).await;
    let session = rig.hooks.session(0).await;
    while rig.health().await["buffered_bytes"].as_u64().unwrap() < 1_000 {
        tokio::task::yield_now().await;
    }
    rig.shutdown.cancel();
    let heard = publisher.closed().await;
    assert!(
        heard.contains("NetConnection.Connect.Closed") && heard.contains("gateway is leaving"),
        "{heard}"
    );
    assert_eq!(rig.hooks.unpublish(0).await.reason, "gateway is leaving");
    assert!(tokio::net::TcpStream::connect(rig.gateway.rtmp_addr()).await.is_err(), "takes nobody any more");
    let cursors = rig.read(&session, 0).await.cursors();
    assert_eq!(cursors.len(), 24);
    // The task that read it dies before it has committed all; its successor reads the rest.
    rig.commit(&session, cursors[5]).await;
    assert!(!rig.read(&session, cursors[5]).await.cursors().is_empty());
    rig.commit(&session, cursors[23]).await;
    rig.leave().await;
}

#[tokio::test]
async fn encoders_that_can_be_asked_go_by_themselves() {
    for (property, value, sign) in [
        ("capsEx", Value::Number(1.0), &b"NetConnection.Connect.ReconnectRequest"[..]),
        ("supportsGoAway", Value::Boolean(true), b"\x02\0\0\0\0\0\0\x20"),
    ] {
        let rig = rig_with(Policy::Allow, |limits| limits.move_timeout = PATIENCE).await;
        let mut publisher = Publisher::ask(rig.gateway.rtmp_addr(), vec![(property.to_owned(), value)]).await;
        publisher.hears("NetStream.Publish.Start").await;
        publisher.headers().await;
        rig.shutdown.cancel();
        publisher.hears(sign).await;
        // Still welcome until its next keyframe.
        publisher.gops(0, 1, 100).await;
        publisher.finish().await;
        assert_eq!(rig.hooks.unpublish(0).await.reason, "encoder ended the stream");
        rig.leave().await;
    }
}

#[tokio::test]
async fn encoders_that_were_asked_and_stay_are_cut_off() {
    let rig = rig_with(Policy::Allow, |limits| limits.move_timeout = Duration::from_millis(200)).await;
    let mut publisher =
        Publisher::ask(rig.gateway.rtmp_addr(), vec![("capsEx".to_owned(), Value::Number(1.0))]).await;
    publisher.hears("NetStream.Publish.Start").await;
    rig.shutdown.cancel();
    let heard = publisher.closed().await;
    assert!(heard.contains("ReconnectRequest") && heard.contains("NetConnection.Connect.Closed"), "{heard}");
    assert_eq!(rig.hooks.unpublish(0).await.reason, "gateway is leaving");
    rig.leave().await;
}

#[tokio::test]
async fn a_dead_encoder_is_a_closed_connection() {
    let rig = rig().await;
    let mut encoder = publish_live(&rig.rtmp_url());
    let session = rig.hooks.session(0).await;
    drop(rig.get(&session, 0).await);
    encoder.kill().await.unwrap();
    let gone = rig.hooks.unpublish(0).await;
    assert!(
        gone.reason.starts_with("encoder closed the connection")
            || gone.reason.starts_with("connection broke"),
        "{}",
        gone.reason
    );
    rig.leave().await;
}
