//! The repository's claims about itself: which way dependencies point, and that the core stays pure.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each of our crates, and which of ours it may stand on (DESIGN §4).
const ALLOWED: [(&str, &[&str]); 7] = [
    ("headwater-domain", &[]),
    ("headwater-hls", &[]),
    ("headwater-rtmp", &[]),
    ("headwater-aws", &["headwater-domain"]),
    ("headwater-functions", &["headwater-domain", "headwater-hls", "headwater-aws"]),
    ("headwater-transcoder", &["headwater-domain", "headwater-hls", "headwater-rtmp", "headwater-aws"]),
    (
        "headwater-local",
        &[
            "headwater-domain",
            "headwater-hls",
            "headwater-rtmp",
            "headwater-aws",
            "headwater-functions",
            "headwater-transcoder",
        ],
    ),
];
/// What the pure crates must not touch.
const IMPURE: [&str; 8] = ["tokio", "hyper", "axum", "ffmpeg-next", "rand", "reqwest", "tracing", "rustls"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let normal = |package: &cargo_metadata::Package| {
        let kept = package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal);
        kept.map(|one| one.name.to_string()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    assert_eq!(dependencies.len(), ALLOWED.len(), "every crate has its place in ALLOWED");
    for (name, allowed) in ALLOWED {
        let ours: Vec<_> = dependencies[name].iter().filter(|one| one.starts_with("headwater-")).collect();
        for one in ours {
            assert!(allowed.contains(&one.as_str()), "{name} must not depend on {one}");
        }
    }
}

#[test]
fn the_core_is_pure_and_aws_and_ffmpeg_have_one_room_each() {
    let dependencies = dependencies();
    for name in ["headwater-domain", "headwater-hls", "headwater-rtmp"] {
        for impure in IMPURE {
            assert!(!dependencies[name].contains(impure), "{name} must not depend on {impure}");
        }
    }
    for (name, all) in &dependencies {
        let sdk = all.iter().filter(|one| one.starts_with("aws-sdk-")).count();
        // The local stack creates the table, as CloudFormation does on AWS.
        let may = matches!(name.as_str(), "headwater-aws" | "headwater-local");
        assert!(may || sdk == 0, "{name} must reach AWS through headwater-aws");
        assert!(name == "headwater-transcoder" || !all.contains("ffmpeg-next"), "{name} must not use ffmpeg");
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("transcoder/src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("media") {
                folders.push(path);
            } else if path.is_file() {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("ffmpeg_next"), "{}: only src/media names ffmpeg", path.display());
            }
        }
    }
}
