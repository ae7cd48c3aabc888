//! `Custom::HeadwaterSite`: the player page in the media bucket.

use std::path::Path;
use std::sync::Arc;

use headwater_domain::testing::deployment::{FakeApis, MemorySite};
use headwater_functions::deployment::DeploymentFunction;
use serde_json::{Value, json};

use crate::support::deployment::{CloudFormation, function};
use crate::support::sample;

type Function = Arc<DeploymentFunction<FakeApis, MemorySite>>;

const BUCKET: &str = "headwater-primary-media-1a2b3c4d5e6f";
const FILES: [(&str, &str); 8] = [
    ("assets/logo.png", "image/png"),
    ("favicon.svg", "image/svg+xml"),
    ("hls.LICENSE.txt", "text/plain; charset=utf-8"),
    ("hls.min.mjs", "text/javascript; charset=utf-8"),
    ("index.html", "text/html; charset=utf-8"),
    ("player.js", "text/javascript; charset=utf-8"),
    ("style.css", "text/css; charset=utf-8"),
    ("unknown", "application/octet-stream"),
];

fn write(folder: &Path, name: &str) {
    let path = folder.join("site").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("this is {name}")).unwrap();
}

fn packed(folder: &Path) -> (Function, MemorySite) {
    FILES.iter().for_each(|(name, _)| write(folder, name));
    let site = MemorySite::default();
    let function = function("us-east-1", FakeApis::default(), site.clone());
    (Arc::new(DeploymentFunction { site_folder: folder.join("site"), ..function }), site)
}

/// The answer of a function whose package has the page.
pub(crate) async fn from_a_package(event: Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (function, _) = packed(folder.path());
    CloudFormation::start().await.ask(&function, &event).await
}

fn event(kind: &str) -> Value {
    let mut event = sample("deployment-site-create");
    event["RequestType"] = json!(kind);
    if kind != "Create" {
        event["PhysicalResourceId"] = json!(format!("{BUCKET}/web/"));
        event["OldResourceProperties"] = event["ResourceProperties"].clone();
    }
    event
}

fn keys(site: &MemorySite) -> Vec<String> {
    site.files().into_keys().map(|(_, key)| key).collect()
}

#[tokio::test]
async fn create_and_update_put_every_file_with_its_type_and_the_start_page_last() {
    let folder = tempfile::tempdir().unwrap();
    let (function, site) = packed(folder.path());
    let mut cloudformation = CloudFormation::start().await;
    let answer = cloudformation.ask(&function, &event("Create")).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(answer["PhysicalResourceId"], format!("{BUCKET}/web/"));
    let files = site.files();
    assert_eq!(files.len(), FILES.len());
    for (name, content_type) in FILES {
        let file = &files[&(BUCKET.to_owned(), format!("web/{name}"))];
        assert_eq!((file.content_type, file.cache_control), (content_type, "max-age=60"), "{name}");
        assert_eq!(file.body, format!("this is {name}"));
    }
    assert_eq!(site.order().last().unwrap(), "web/index.html");

    write(folder.path(), "new.js");
    let mut update = event("Update");
    update["OldResourceProperties"]["CodeVersion"] = json!("0.0.9");
    let answer = cloudformation.ask(&function, &update).await;
    assert_eq!(answer["PhysicalResourceId"], format!("{BUCKET}/web/"), "another id would delete the page");
    assert_eq!(keys(&site).len(), FILES.len() + 1);
}

#[tokio::test]
async fn delete_removes_the_page_s_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (function, site) = packed(folder.path());
    let mut cloudformation = CloudFormation::start().await;
    cloudformation.ask(&function, &event("Create")).await;
    let mut elsewhere = event("Create");
    elsewhere["ResourceProperties"]["Prefix"] = json!("us-east-1/");
    cloudformation.ask(&function, &elsewhere).await;
    let answer = cloudformation.ask(&function, &event("Delete")).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert!(keys(&site).iter().all(|key| key.starts_with("us-east-1/")));
    assert_eq!(keys(&site).len(), FILES.len());
}

#[tokio::test]
async fn delete_leaves_nothing_of_earlier_versions_or_late_puts() {
    let folder = tempfile::tempdir().unwrap();
    let (packed, site) = packed(folder.path());
    let mut cloudformation = CloudFormation::start().await;
    write(folder.path(), "old/only-in-an-earlier-version.js");
    cloudformation.ask(&packed, &event("Create")).await;
    std::fs::remove_dir_all(folder.path().join("site")).unwrap();
    site.put_late("web/late.js");
    let answer = cloudformation.ask(&packed, &event("Delete")).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert!(keys(&site).is_empty(), "{:?}", keys(&site));
}

#[tokio::test]
async fn delete_succeeds_even_if_nothing_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (packed, site) = packed(folder.path());
    let mut cloudformation = CloudFormation::start().await;
    cloudformation.ask(&packed, &event("Create")).await;
    site.fail(Some("AccessDenied: no"));
    let answer = cloudformation.ask(&packed, &event("Delete")).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert!(answer["Reason"].as_str().unwrap().contains("AccessDenied: no"), "{answer}");
    let empty: Function = Arc::new(function("us-east-1", FakeApis::default(), MemorySite::default()));
    assert_eq!(cloudformation.ask(&empty, &event("Delete")).await["Status"], "SUCCESS");
}

#[tokio::test]
async fn failures_of_the_player_page_name_file_and_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let (function, site) = packed(folder.path());
    let mut cloudformation = CloudFormation::start().await;
    site.fail(Some("NoSuchBucket: The specified bucket does not exist"));
    let reason = cloudformation.reason(&function, &event("Create")).await;
    assert!(reason.contains("cannot store a file of the player page (web/"), "{reason}");
    assert!(reason.contains(BUCKET) && reason.contains("NoSuchBucket"), "{reason}");
    for (name, bad) in [("Bucket", ""), ("Prefix", "web"), ("Prefix", "/web/"), ("Prefix", "/")] {
        let mut event = event("Create");
        event["ResourceProperties"][name] = json!(bad);
        let reason = cloudformation.reason(&function, &event).await;
        assert!(reason.starts_with(&format!("property {name} is '{bad}'; it must be ")), "{reason}");
    }
}

#[tokio::test]
async fn a_package_without_the_page_or_with_too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = function("us-east-1", FakeApis::default(), MemorySite::default());
    let empty: Function = Arc::new(DeploymentFunction { site_folder: folder.path().join("site"), ..empty });
    let mut cloudformation = CloudFormation::start().await;
    for _ in 0..2 {
        let reason = cloudformation.reason(&empty, &event("Create")).await;
        assert!(reason.contains("has no site/ folder with files"), "{reason}");
        std::fs::create_dir_all(folder.path().join("site/empty")).unwrap();
    }
    (0..501).for_each(|number| write(folder.path(), &format!("{number}.js")));
    let reason = cloudformation.reason(&empty, &event("Create")).await;
    assert!(reason.contains("too large: more than 500 files"), "{reason}");
    let other = tempfile::tempdir().unwrap();
    write(other.path(), "1/2/3/4/5/6/7/8/9/deep.js");
    let deep = function("us-east-1", FakeApis::default(), MemorySite::default());
    let deep: Function = Arc::new(DeploymentFunction { site_folder: other.path().join("site"), ..deep });
    let reason = cloudformation.reason(&deep, &event("Create")).await;
    assert!(reason.contains("folders deep"), "{reason}");
}
