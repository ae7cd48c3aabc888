//! Every address is read back as it is written, and nothing else is read.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::{BroadcastId, KeyId, Lease, LeaseNumber, Nonce, Region, SegmentNumber, StreamId};
use crate::retention::Retention;
use crate::testing::samples;

/// `*` is any text, as in CloudFront's path patterns.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, rest)) => path.strip_prefix(before).is_some_and(|path| {
            rest.is_empty()
                || (0..=path.len()).any(|at| path.is_char_boundary(at) && matches(rest, &path[at..]))
        }),
    }
}

fn both_regions() -> Vec<EdgePath> {
    [samples::region_a(), samples::region_b()].iter().flat_map(samples::edge_paths).collect()
}

#[test]
fn an_address_is_what_players_know() {
    let lease = "1.us-east-1.00000001";
    let folder = "us-east-1/media/000000000001-1hf7yat000001";
    let unrecorded = folder.replace("media", "media/unrecorded");
    let expected = [
        "/live/index.json".to_owned(),
        "/live/000000000001/index.m3u8".to_owned(),
        "/us-east-1/playlists/000000000001-1hf7yat000001/720p.m3u8".to_owned(),
        "/us-east-1/low-latency/000000000001-1hf7yat000001/720p.m3u8".to_owned(),
        "/us-east-1/playlists/000000000001-1hf7yat000001/index.m3u8".to_owned(),
        "/us-east-1/playlists/000000000001-1hf7yat000001/vod/720p.m3u8".to_owned(),
        format!("/{folder}/{lease}/720p/12.m4s"),
        format!("/{folder}/{lease}/720p/init-12.mp4"),
        format!("/{unrecorded}/{lease}/720p/12.m4s"),
        format!("/{unrecorded}/{lease}/720p/init-12.mp4"),
        format!("/us-east-1/parts/000000000001-1hf7yat000001/{lease}/720p/12.3.m4s"),
    ];
    let paths = samples::edge_paths(&samples::region_a());
    assert_eq!(paths.iter().map(EdgePath::to_string).collect::<Vec<_>>(), expected);
    for path in samples::api_paths() {
        let filled = path.template().replace("{stream}", "000000000001").replace("{key}", "00000002");
        assert_eq!(path.to_string(), filled);
    }
}

#[test]
fn the_first_behavior_that_takes_a_path_is_its_own() {
    for path in both_regions() {
        let region = path.region().cloned().unwrap_or_else(samples::region_a);
        let first = EdgeBehavior::ALL
            .into_iter()
            .find(|behavior| matches(&behavior.pattern(&region), &path.to_string()));
        assert_eq!(first, Some(path.behavior()), "{path}");
    }
}

#[test]
fn what_is_missing_is_told_without_a_word_of_the_text() {
    for (text, what) in [
        ("", "page"),
        ("live/index.json", "page"),
        ("/live/index.m3u8", "page"),
        ("/live/00000000000i/index.m3u8", "stream"),
        ("/x/playlists/000000000001-1hf7yat000001/720p.m3u8", "region"),
        ("/us-east-1/playlists/../720p.m3u8", "broadcast"),
        ("/us-east-1/playlists/000000000001-1hf7yat000001/720p", "playlist"),
        ("/us-east-1/playlists/000000000001-1hf7yat000001/.m3u8", "playlist"),
        ("/us-east-1/playlists/000000000001-1hf7yat000001/7 0p.m3u8", "rendition"),
        ("/us-east-1/low-latency/000000000001-1hf7yat000001/index.m3u8", "rendition"),
        ("/us-east-1/media/000000000001-1hf7yat000001/1.m4s", "object"),
        ("/us-east-1/parts/1.m4s", "part"),
    ] {
        let error = text.parse::<EdgePath>().unwrap_err();
        assert_eq!((error.what(), error.to_string()), (what, format!("there is no such {what}")), "{text}");
    }
    for (text, what) in [
        ("/v1/streams/", "resource"),
        ("//health", "resource"),
        ("/v1/streams/x/stop", "stream"),
        ("/v1/streams/000000000001/keys/x", "stream key"),
    ] {
        assert_eq!(text.parse::<ApiPath>().map_err(UnknownPath::what), Err(what), "{text}");
    }
    assert_eq!("/hooks/publish/".parse::<HookPath>().map_err(UnknownPath::what), Err("hook"));
}

/// The text without a character, with one twice, or with another one instead.
fn nearly(text: &str) -> impl Iterator<Item = String> {
    let text = text.to_owned();
    (0..text.len()).flat_map(move |at| {
        let (before, after) = (text[..at].to_owned(), text[at + 1..].to_owned());
        let one = text[at..=at].to_owned();
        ["", "/", "0", "+", ".", "Z", "%2f", &one.repeat(2)].map(|other| format!("{before}{other}{after}"))
    })
}

fn has_one_spelling<P: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(path) = text.parse::<P>() {
        assert_eq!(path.to_string(), text);
        assert!(!text.contains("..") && !text.contains("//"), "{text}");
    }
}

#[test]
fn what_is_nearly_an_address_is_another_one_or_none() {
    for path in both_regions() {
        assert_eq!(path.to_string().parse(), Ok(path.clone()));
        nearly(&path.to_string()).for_each(|text| has_one_spelling::<EdgePath>(&text));
    }
    for path in samples::api_paths() {
        assert_eq!(path.to_string().parse(), Ok(path.clone()));
        nearly(&path.to_string()).for_each(|text| has_one_spelling::<ApiPath>(&text));
    }
    for path in HookPath::ALL {
        assert_eq!(path.to_string().parse(), Ok(path));
        nearly(path.as_str()).for_each(|text| has_one_spelling::<HookPath>(&text));
    }
}

fn name() -> impl Strategy<Value = RenditionName> {
    "[A-Za-z0-9_-]{1,32}".prop_filter_map("index is none", |text| text.parse().ok())
}

fn edge_path() -> impl Strategy<Value = EdgePath> {
    let region = "[a-z]{2}-[a-z]{4,9}-[1-9]".prop_map(|text| text.parse::<Region>().expect("a region"));
    let values = (any::<u128>(), any::<u32>(), 0..(1u64 << 44), any::<u64>(), 0..=MAX_PART_INDEX);
    (0..8u8, region, name(), values, any::<bool>(), any::<bool>()).prop_map(
        |(kind, region, rendition, (random, lease, ms, number, part), recorded, init)| {
            let stream = StreamId::from_random(random);
            let broadcast = BroadcastId::new(&stream, ms, random);
            let nonce = Nonce::from_random(random);
            let lease = Lease { number: LeaseNumber(lease), region: region.clone(), nonce };
            let number = SegmentNumber(number);
            match kind {
                0 => EdgePath::Listing,
                1 => EdgePath::Live(stream),
                2 => EdgePath::Media(region, broadcast, rendition),
                3 => EdgePath::LowLatency(region, broadcast, rendition),
                4 => EdgePath::Recording(region, broadcast),
                5 => EdgePath::RecordingMedia(region, broadcast, rendition),
                6 => {
                    let retention = if recorded { Retention::Recorded } else { Retention::Unrecorded };
                    let file = if init { ObjectFile::Init(number) } else { ObjectFile::Segment(number) };
                    EdgePath::Object(ObjectPath { broadcast, lease, retention, rendition, file })
                }
                _ => EdgePath::Part(PartPath { broadcast, lease, rendition, number, part }),
            }
        },
    )
}

proptest! {
    #[test]
    fn an_address_reads_back_what_it_prints(path in edge_path()) {
        prop_assert_eq!(path.to_string().parse::<EdgePath>(), Ok(path.clone()));
        // One thing has one kind of address.
        let behavior = path.behavior();
        prop_assert!(matches(&behavior.pattern(path.region().unwrap_or(&samples::region_a())), &path.to_string()));
    }

    #[test]
    fn a_resource_reads_back_what_it_prints(random: u128) {
        for path in ApiPath::all(&StreamId::from_random(random), &KeyId::from_random(random)) {
            prop_assert_eq!(path.to_string().parse::<ApiPath>(), Ok(path.clone()));
        }
    }

    #[test]
    fn no_text_has_two_spellings(text in "/(live|us-east-1|v1|hooks)/(playlists|media|parts|streams|index\\.json)?/?\\PC{0,60}") {
        has_one_spelling::<EdgePath>(&text);
        has_one_spelling::<ApiPath>(&text);
        has_one_spelling::<HookPath>(&text);
    }
}

/// Tests in other languages read the file.
#[test]
fn the_addresses_that_others_are_held_against_are_these() {
    let edge = |path: EdgePath| {
        let of_broadcast = path.region().is_some();
        json!({
            "path": path.to_string(),
            "behavior": path.behavior().to_string(),
            "region": path.region(),
            "broadcast": of_broadcast.then(samples::broadcast),
            "stream": matches!(path, EdgePath::Live(_)).then(samples::stream_id),
            "playlist": path.to_string().ends_with(".m3u8"),
        })
    };
    let behaviors: BTreeMap<_, _> =
        EdgeBehavior::ALL.map(|behavior| (behavior.to_string(), behavior.template())).into();
    let all: Value = json!({
        "api": samples::api_paths().map(|path| json!({"path": path.to_string(), "template": path.template()})),
        "behaviors": behaviors,
        "edge": both_regions().into_iter().map(edge).collect::<Vec<_>>(),
        "hooks": HookPath::ALL.map(HookPath::as_str),
    });
    let expected = serde_json::to_string_pretty(&all).expect("it is JSON") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/paths.json");
    let there = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(there, expected, "write this to crates/domain/paths.json:\n{expected}");
}
