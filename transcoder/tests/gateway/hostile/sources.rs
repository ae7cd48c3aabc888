//! The source link against tokens that are not good (any more), paths that lead elsewhere, and bodies that grow.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use headwater_domain::testing::samples;
use headwater_domain::{SessionId, Timestamp};
use http_body_util::BodyExt;

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::{Rig, rig_with};

#[tokio::test]
async fn a_token_opens_its_own_session_while_there_is_something_of_it() {
    let rig = rig_with(Policy::Allow, |limits| limits.buffer_seconds = 1).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let other = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    let (session, next) = (rig.hooks.session(0).await, rig.hooks.session(1).await);
    let token = rig.token(&session);
    let status = async |of: &SessionId, token: &str| {
        rig.request("GET", &rig.source_url(of, 0), token, String::new()).await.status().as_u16()
    };
    let expired = rig.key.source_token(&session, &samples::writer(1), Timestamp(1_000));
    let expired = expired.expose().to_owned();
    let later = expired.replacen("1.", "4000000000.", 1);
    for bad in [expired.as_str(), &later, &rig.token(&next), &token[..token.len() - 1], &token.to_uppercase()]
    {
        assert_eq!(status(&session, bad).await, 401, "{bad}");
    }
    assert_eq!(status(&next, &token).await, 401, "that of another session");
    publisher.finish().await;
    // The encoder has gone: its transcoder still reads what it left, and then the token is worth nothing.
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 6);
    assert_eq!(rig.status(&session, 6).await, 410);
    while status(&session, &token).await != 404 {
        tokio::task::yield_now().await;
    }
    drop(other);
    rig.leave().await;
}

async fn answer(rig: &Rig, path: &str, token: &str) -> (u16, String) {
    let url = format!("http://{}{path}", rig.gateway.source_addr());
    let answer = rig.request("GET", &url, token, String::new()).await;
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(&answer.into_body().collect().await.unwrap().to_bytes()).into_owned())
}

#[tokio::test]
async fn paths_lead_to_sessions_and_nowhere_else() {
    let rig = rig_with(Policy::Allow, |_| {}).await;
    let publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let session = rig.hooks.session(0).await;
    let token = rig.token(&session);
    for id in [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "....//....//etc/passwd",
        "..%5c..%5cwindows",
        "%c0%ae%c0%ae",
        "%00",
        "0000000000000001%00",
        "0000000000000001/../../health",
        "%252e%252e",
        "0000000000000001%0d%0aX-Injected:1",
        &session.as_str().to_uppercase(),
        &format!("{session}%20"),
        &"a".repeat(4_000),
    ] {
        for path in [format!("/sources/{id}"), format!("/sources/{id}/committed"), format!("/{id}/{session}")]
        {
            let (status, body) = answer(&rig, &path, &token).await;
            assert!((400..500).contains(&status), "{path}: {status} {body}");
            assert!(!body.contains("root:"), "{body}");
        }
    }
    publisher.finish().await;
    rig.leave().await;
}

/// Nothing of the source link unpacks anything: packed bodies are bytes that are no JSON.
#[tokio::test]
async fn bodies_are_bounded_and_not_unpacked() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let token = harness.token(&bystander.session, 4_000_000_000_000);
    let path = format!("/sources/{}/committed", bystander.session);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..50 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let small = {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(b"{\"cursor\":18446744073709551615}").unwrap();
        packed.finish().unwrap()
    };
    let before = harness.used();
    let attack = async {
        for body in [small, bomb, vec![b' '; 4 << 20]] {
            for _ in 0..20 {
                let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
                let request = harness.try_request("PUT", &path, &token, &headers, body.clone()).await;
                assert!(request.is_none_or(|status| status == 400), "{request:?}");
            }
        }
    };
    bystander.beside(attack).await;
    harness.cost("60 bodies packed and long", before, Duration::from_secs(5), 16);
    bystander.end().await;
    harness.close().await;
}
