//! The source link's refusals, and the health.

use headwater_domain::Timestamp;
use headwater_domain::problem::ProblemDocument;
use headwater_domain::testing::samples;
use http::StatusCode;
use http_body_util::BodyExt;

use crate::rtmp_client::Publisher;
use crate::support::*;

#[tokio::test]
async fn only_the_sessions_own_token_opens_it() {
    let rig = rig().await;
    let _publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let session = rig.hooks.session(0).await;
    let other = headwater_domain::SessionId::from_random(1);
    let url = rig.source_url(&session, 0);
    let old = rig.key.source_token(&session, &samples::writer(1), Timestamp(1_000));
    let old = old.expose().to_owned();
    for token in ["", "x", "1.00", &old, &rig.token(&other)] {
        let answer = rig.request("GET", &url, token, String::new()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem = ProblemDocument::read(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!((problem.slug(), problem.status), (Some("bad-token"), 401));
        let put =
            rig.request("PUT", &url.replace("?after=0", "/committed"), token, "{\"cursor\":1}".into()).await;
        assert_eq!(put.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(rig.status(&other, 0).await, StatusCode::NOT_FOUND);
    let nonsense = format!("http://{}/sources/..%2f..%2fetc", rig.gateway.source_addr());
    assert_eq!(rig.request("GET", &nonsense, "x", String::new()).await.status(), StatusCode::NOT_FOUND);
    rig.leave().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let rig = rig().await;
    let _publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let session = rig.hooks.session(0).await;
    let token = rig.token(&session);
    let url = rig.source_url(&session, 0);
    for after in ["-1", "x", "", "99999999999999999999"] {
        let answer =
            rig.request("GET", &url.replace("=0", &format!("={after}")), &token, String::new()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{after}");
    }
    for body in ["", "{}", "{\"cursor\":-1}", "7"] {
        let answer = rig.request("PUT", &url.replace("?after=0", "/committed"), &token, body.into()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    rig.commit(&session, u64::MAX).await;
    rig.leave().await;
}

#[tokio::test]
async fn a_session_without_media_is_waited_for_and_then_gone() {
    let rig = rig().await;
    let publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let session = rig.hooks.session(0).await;
    let (status, ()) = tokio::join!(rig.status(&session, 0), publisher.finish());
    assert_eq!(status, StatusCode::GONE);
    rig.leave().await;
}

#[tokio::test]
async fn readers_are_bounded_and_give_their_places_back() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    // So many that their times are not doubted: they come sooner than they were sent.
    publisher.gops(0, 3, 100).await;
    let session = rig.hooks.session(0).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(rig.get(&session, 0).await);
    }
    assert_eq!(rig.status(&session, 0).await, StatusCode::TOO_MANY_REQUESTS);
    publisher.finish().await;
    for reader in readers {
        reader.into_body().collect().await.unwrap();
    }
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 18);
    rig.leave().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    // So many that their times are not doubted: they come sooner than they were sent.
    publisher.gops(0, 3, 1_000).await;
    let session = rig.hooks.session(0).await;
    let stuck = rig.get(&session, 0).await;
    publisher.gops(3_000, 40, 250_000).await;
    publisher.finish().await;
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 6 * 43);
    let whole = stuck.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.len() > 40_000_000, "it may still have it all");
    rig.leave().await;
}

#[tokio::test]
async fn health_tells_how_much_there_is() {
    let rig = rig().await;
    let idle = rig.health().await;
    assert_eq!(
        (&idle["status"], &idle["sessions"], &idle["buffered_bytes"]),
        (&"ok".into(), &0.into(), &0.into())
    );
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    // So many that their times are not doubted: they come sooner than they were sent.
    publisher.gops(0, 3, 1_000).await;
    let session = rig.hooks.session(0).await;
    drop(rig.get(&session, 5).await);
    let busy = rig.health().await;
    assert_eq!((&busy["sessions"], &busy["connections"]), (&1.into(), &1.into()));
    assert!(busy["buffered_bytes"].as_u64().unwrap() > 4_000);
    publisher.finish().await;
    rig.hooks.unpublish(0).await;
    assert_eq!(rig.health().await["sessions"], 0);
    rig.leave().await;
}

#[tokio::test]
async fn ffprobe_reads_the_source_link_itself() {
    let rig = rig().await;
    let sent = sample(rig.dir.path(), 2).await;
    publish(&sent, &rig.rtmp_url()).await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let probed = output(tokio::process::Command::new("ffprobe").args([
        "-v",
        "error",
        "-headers",
        &format!("Authorization: Bearer {}\r\n", rig.token(&session)),
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
        &rig.source_url(&session, 0),
    ]))
    .await;
    assert_eq!(
        String::from_utf8_lossy(&probed.stdout),
        "h264\naac\n",
        "{}",
        String::from_utf8_lossy(&probed.stderr)
    );
    rig.leave().await;
}
