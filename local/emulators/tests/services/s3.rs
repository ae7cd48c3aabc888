//! S3 against the real SDK, and as the edge and strangers see it.

use super::support::{credentials, get, sdk_config, send};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use axum::body::Body;
use headwater_emulators::calls::CallLog;
use headwater_emulators::s3::{CorsRule, OAC_HEADER, S3, S3Config};
use http::{Method, Request, StatusCode};
use std::path::Path;
use std::time::Duration;

pub(super) const BUCKET: &str = "media-bucket";
const SECRET: &str = "edge-secret";
const OBJECT: &str = "/media-bucket/us-east-1/media/b/1.m4s";

pub(super) async fn start(folder: &Path, port: u16) -> S3 {
    let s3 = S3::start(S3Config {
        region: "us-east-1".to_owned(),
        port,
        folder: folder.join("s3"),
        credentials: credentials(),
        oac_secret: SECRET.to_owned(),
        calls: CallLog::default(),
    });
    let s3 = s3.await.unwrap();
    s3.create_bucket(BUCKET).unwrap();
    s3
}

pub(super) fn client(s3: &S3) -> Client {
    Client::from_conf(sdk_config!(aws_sdk_s3, s3.addr()).force_path_style(true).build())
}

async fn put(client: &Client) {
    let request =
        client.put_object().bucket(BUCKET).key("us-east-1/media/b/1.m4s").content_type("video/iso.segment");
    let request = request.cache_control("public, max-age=31536000, immutable");
    request.body(ByteStream::from_static(b"0123456789")).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_store_and_read_with_headers_and_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    let client = client(&s3);
    put(&client).await;
    let object = client.get_object().bucket(BUCKET).key("us-east-1/media/b/1.m4s").range("bytes=2-4");
    let object = object.send().await.unwrap();
    assert_eq!(object.cache_control(), Some("public, max-age=31536000, immutable"));
    assert_eq!(object.content_type(), Some("video/iso.segment"));
    assert_eq!(object.content_range(), Some("bytes 2-4/10"));
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"234");
    let missing = client.get_object().bucket(BUCKET).key("nothing").send().await.unwrap_err();
    assert!(missing.into_service_error().is_no_such_key(), "a caller with ListBucket sees 404");
    let listed = client.list_objects_v2().bucket(BUCKET).prefix("us-east-1/").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    let wrong = aws_sdk_s3::config::Credentials::new("AKIALOCAL", "wrong", None, None, "tests");
    let config =
        sdk_config!(aws_sdk_s3, s3.addr()).credentials_provider(wrong).force_path_style(true).build();
    let refused = Client::from_conf(config).list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_reads_objects_only_and_strangers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    put(&client(&s3)).await;
    let addr = s3.addr();
    let edge = [(OAC_HEADER, SECRET)];

    assert_eq!(get(addr, OBJECT, &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(addr, OBJECT, &[(OAC_HEADER, "guess")]).await.status, StatusCode::FORBIDDEN);
    let read = get(addr, OBJECT, &edge).await;
    assert_eq!((read.status, read.text()), (StatusCode::OK, "0123456789"));
    assert_eq!(read.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(read.header("content-type"), "video/iso.segment");

    let missing = get(addr, "/media-bucket/us-east-1/media/b/2.m4s", &edge).await;
    assert_eq!(missing.status, StatusCode::FORBIDDEN);
    assert!(missing.text().contains("<Code>AccessDenied</Code>"));
    assert_eq!(get(addr, "/media-bucket/?list-type=2", &edge).await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(addr, &format!("{OBJECT}?tagging"), &edge).await.text(), "0123456789");
    let put = Request::put(format!("http://{addr}{OBJECT}")).header(OAC_HEADER, SECRET);
    assert_eq!(send(put.body(Body::from("x")).unwrap()).await.status, StatusCode::FORBIDDEN);

    let etag = read.header("etag").to_owned();
    let same = get(addr, OBJECT, &[(OAC_HEADER, SECRET), ("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.text()), (StatusCode::NOT_MODIFIED, ""));
    let ranged = get(addr, OBJECT, &[(OAC_HEADER, SECRET), ("range", "bytes=0-3")]).await;
    assert_eq!((ranged.status, ranged.text()), (StatusCode::PARTIAL_CONTENT, "0123"));
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_by_the_bucket_s_rules_and_refused_without() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    put(&client(&s3)).await;
    let ask = async |headers: &[(&str, &str)]| {
        let request = Request::options(format!("http://{}{OBJECT}", s3.addr()));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        send(request.body(Body::empty()).unwrap()).await
    };
    let (origin, method) = (("origin", "https://player.example"), ("access-control-request-method", "GET"));
    let wanted = ("access-control-request-headers", "CMCD-Request, range");
    let refused = ask(&[origin, method, wanted]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (StatusCode::FORBIDDEN, ""));
    assert!(refused.text().contains("<Code>AccessForbidden</Code>"));
    let plain = get(s3.addr(), OBJECT, &[(OAC_HEADER, SECRET), origin]).await;
    assert_eq!((plain.status, plain.header("access-control-allow-origin")), (StatusCode::OK, ""));

    let rule = |origin: &str, headers: &[&str]| CorsRule {
        allowed_origins: vec![origin.to_owned()],
        allowed_methods: vec![Method::GET, Method::HEAD],
        allowed_headers: headers.iter().map(|&name| name.to_owned()).collect(),
        expose_headers: vec!["etag".to_owned()],
        max_age: Duration::from_secs(60),
    };
    s3.set_cors(BUCKET, vec![rule("https://*.example", &["range", "cmcd-*"])]);
    let fine = ask(&[origin, method, wanted]).await;
    assert_eq!((fine.status, fine.text()), (StatusCode::OK, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://player.example"),
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-headers", "cmcd-request, range"),
        ("access-control-expose-headers", "etag"),
        ("access-control-max-age", "60"),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ] {
        assert_eq!(fine.header(name), value, "{name}");
    }
    let read = get(s3.addr(), OBJECT, &[(OAC_HEADER, SECRET), origin]).await;
    assert_eq!((read.text(), read.header("access-control-allow-origin")), ("0123456789", origin.1));
    assert_eq!(read.header("access-control-max-age"), "");
    for headers in [
        &[("origin", "https://player.invalid"), method, wanted][..],
        &[origin, ("access-control-request-method", "PUT")],
        &[origin, method, ("access-control-request-headers", "range, x-other")],
    ] {
        assert_eq!(ask(headers).await.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    for headers in [&[][..], &[origin], &[method]] {
        assert_eq!(ask(headers).await.status, StatusCode::BAD_REQUEST, "{headers:?}");
    }
    s3.set_cors(BUCKET, vec![rule("*", &["*"])]);
    let any =
        ask(&[("origin", "null"), method, ("access-control-request-headers", "authorization,x-token")]).await;
    assert_eq!((any.status, any.header("access-control-allow-origin")), (StatusCode::OK, "*"));
    assert_eq!(any.header("access-control-allow-headers"), "authorization, x-token");
}

/// The file store would read some as other keys, and fail at others.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_file_can_be_called_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    put(&client(&s3)).await;
    let long = "x".repeat(900);
    for key in [
        "/us-east-1/media/b/1.m4s",
        "us-east-1//media/b/1.m4s",
        "us-east-1/media/b/1.m4s/",
        "us-east-1/media/b/1.m4s/more",
        "us-east-1/media/./b/1.m4s",
        "us-east-1/media/c/%2e%2e/b/1.m4s",
        "us-east-1%2fmedia%2f%2fb/1.m4s",
        "us-east-1/media/b",
        "us-east-1/media/b/%00",
        "us-east-1/media/b/%ff",
        long.as_str(),
    ] {
        let path = format!("/{BUCKET}/{key}");
        let answer = get(s3.addr(), &path, &[(OAC_HEADER, SECRET)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{key}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_created_once_and_never_seen_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    let client = client(&s3);
    for round in 0..20 {
        let key = format!("object-{round}");
        let writers = (0..4).map(|_| {
            let request =
                client.put_object().bucket(BUCKET).key(&key).if_none_match("*").cache_control("max-age=9");
            tokio::spawn(request.body(ByteStream::from_static(b"0123456789")).send())
        });
        let writers: Vec<_> = writers.collect();
        let path = format!("/{BUCKET}/{key}");
        let read = loop {
            let read = get(s3.addr(), &path, &[(OAC_HEADER, SECRET)]).await;
            if read.status != StatusCode::FORBIDDEN {
                break read;
            }
        };
        assert_eq!((read.text(), read.header("cache-control")), ("0123456789", "max-age=9"));
        let outcomes = futures::future::join_all(writers).await;
        assert_eq!(outcomes.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_it_refuses_and_restarted_it_has_its_objects() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path(), 0).await;
    put(&client(&s3)).await;
    s3.stop().await;
    let refused = client(&s3).head_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert!(refused.as_service_error().is_none());
    let port = s3.addr().port();
    drop(s3);
    let again = start(folder.path(), port).await;
    assert_eq!(get(again.addr(), OBJECT, &[(OAC_HEADER, SECRET)]).await.text(), "0123456789");
}
