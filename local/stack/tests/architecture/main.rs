//! The repository's claims about itself: which way dependencies point, that the core stays pure, and that the sample
//! events are those of the routes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each of our crates, and those of ours that it stands on (ARCHITECTURE.md, "Map").
const STANDS_ON: [(&str, &[&str]); 12] = [
    ("headwater-domain", &[]),
    ("headwater-hls", &[]),
    ("headwater-rtmp", &[]),
    ("headwater-task", &["headwater-domain", "headwater-rtmp"]),
    ("headwater-aws", &["headwater-domain"]),
    ("headwater-functions", &["headwater-aws", "headwater-domain", "headwater-hls"]),
    // Its driver knows bytes only; what it drives are tests.
    ("headwater-fuzz", &[]),
    // The judge of what the others make.
    ("headwater-conformance", &[]),
    ("headwater-transcoder", &["headwater-aws", "headwater-domain", "headwater-rtmp", "headwater-task"]),
    // AWS's services know nothing of who calls them.
    ("headwater-emulators", &[]),
    // Our programs are processes to it.
    ("headwater-local", &["headwater-aws", "headwater-domain", "headwater-emulators"]),
    (
        "headwater-tools",
        &[
            "headwater-conformance",
            "headwater-domain",
            "headwater-emulators",
            "headwater-hls",
            "headwater-local",
            "headwater-rtmp",
            "headwater-transcoder",
        ],
    ),
];
/// What the pure crates must not touch.
const IMPURE: [&str; 8] = ["tokio", "hyper", "axum", "ffmpeg-next", "rand", "reqwest", "tracing", "rustls"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

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
    let mut found = BTreeMap::new();
    for (name, all) in dependencies() {
        let ours: BTreeSet<_> = all.into_iter().filter(|one| one.starts_with("headwater-")).collect();
        found.insert(name, ours);
    }
    let told: BTreeMap<String, BTreeSet<String>> = STANDS_ON
        .iter()
        .map(|(name, ours)| ((*name).to_owned(), ours.iter().map(|one| (*one).to_owned()).collect()))
        .collect();
    assert_eq!(
        found, told,
        "the crates' own dependencies, and what this test and ARCHITECTURE.md say of them"
    );
}

#[test]
fn the_core_is_pure_and_aws_and_ffmpeg_have_one_room_each() {
    let dependencies = dependencies();
    for name in ["headwater-domain", "headwater-hls", "headwater-rtmp", "headwater-task"] {
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
    let root = root().join("transcoder/src");
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

#[test]
fn every_route_has_a_sample_event_and_every_sample_event_its_route() {
    let routes: BTreeSet<String> = headwater_local::routes().into_iter().map(|route| route.key).collect();
    let folder = root().join("events");
    let mut with_event = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let event: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(key) = event["routeKey"].as_str() else { continue };
        assert!(routes.contains(key), "{name}: there is no route {key}");
        assert_eq!(event["requestContext"]["routeKey"], key, "{name}");
        let (method, template) = key.split_once(' ').unwrap();
        let http = &event["requestContext"]["http"];
        assert!(method == "ANY" || http["method"] == method, "{name}");
        assert_eq!(http["path"], event["rawPath"], "{name}");
        // The path is the route's, with what the event calls its variables in their places.
        let variables = event["pathParameters"].as_object().cloned().unwrap_or_default();
        let filled = variables.iter().fold(template.replace("+}", "}"), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value.as_str().unwrap())
        });
        // The event of an authorizer on such a route is no event of the route's function; it has no variables filled in.
        if event["type"] != "REQUEST" {
            assert_eq!(event["rawPath"], filled, "{name}");
            with_event.insert(key.to_owned());
        }
    }
    assert_eq!(with_event, routes);
}

/// `make test` runs the end-to-end tests beside all others, which it finds by a pattern.
#[test]
fn only_the_end_to_end_tests_have_a_name_that_begins_with_e() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    let tests = targets.filter(|target| target.is_test()).map(|target| target.name.as_str());
    let with_e: Vec<_> = tests.filter(|name| name.starts_with('e')).collect();
    assert_eq!(with_e, ["e2e"]);
}
