//! The player page's files as the deployment function stores them, against the real SDK and S3.

use super::support::credentials;
use aws_credential_types::Credentials;
use bytes::Bytes;
use headwater_aws::settings::fixed_config;
use headwater_aws::site::Site;
use headwater_domain::ports::{FaultKind, SiteFile, WriteSite};
use headwater_emulators::s3::{OAC_HEADER, S3, S3Config};

use super::support::get;

const BUCKET: &str = "media-bucket";
const SECRET: &str = "edge-secret";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_stored_with_its_headers_replaced_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let config = S3Config {
        calls: headwater_emulators::calls::CallLog::default(),
        region: "us-east-1".to_owned(),
        port: 0,
        folder: folder.path().join("s3"),
        credentials: credentials(),
        oac_secret: SECRET.to_owned(),
    };
    let s3 = S3::start(config).await.unwrap();
    s3.create_bucket(BUCKET).unwrap();
    let keys = Credentials::new("AKIALOCAL", "local-secret", None, None, "tests");
    let site = Site::new(&fixed_config("us-east-1", &format!("http://{}", s3.addr()), keys));
    let file = |body: &'static str| SiteFile {
        body: Bytes::from_static(body.as_bytes()),
        content_type: "text/html; charset=utf-8",
        cache_control: "max-age=60",
    };
    for body in ["first", "second"] {
        site.put_file(BUCKET, "web/index.html", file(body)).await.unwrap();
        let page = get(s3.addr(), &format!("/{BUCKET}/web/index.html"), &[(OAC_HEADER, SECRET)]).await;
        assert_eq!((page.status.as_u16(), page.text()), (200, body));
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "max-age=60");
    }
    site.put_file(BUCKET, "website/other.html", file("not of the page")).await.unwrap();
    assert_eq!(site.some_files(BUCKET, "web/").await.unwrap(), ["web/index.html"]);
    for _ in 0..2 {
        site.delete_file(BUCKET, "web/index.html").await.unwrap();
    }
    let gone = get(s3.addr(), &format!("/{BUCKET}/web/index.html"), &[(OAC_HEADER, SECRET)]).await;
    assert_eq!(gone.status.as_u16(), 403);
    assert!(site.some_files(BUCKET, "web/").await.unwrap().is_empty());

    let stranger = Credentials::new("AKIALOCAL", "another-secret", None, None, "tests");
    let site = Site::new(&fixed_config("us-east-1", &format!("http://{}", s3.addr()), stranger));
    let refused = site.put_file(BUCKET, "web/index.html", file("x")).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Forbidden);
    assert!(refused.source.to_string().starts_with("SignatureDoesNotMatch: "), "{}", refused.source);
}
