//! What lies in the buckets, and in the table, after broadcasts that are recorded and such that are not: told by the keys
//! that were really written, and held against the kinds that template.yaml's lifecycle rules are held against.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::objects::KeyKind;
use http::{Method, StatusCode};
use serde_json::json;

use super::counted;
use super::hls::renditions;
use super::support::{Platform, Stream, eventually, small};

/// Keys of a region's bucket, by what they are.
async fn stored(platform: &Platform, region: usize) -> BTreeMap<KeyKind, BTreeSet<String>> {
    let (config, bucket) = platform.bucket_config(region);
    let client = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
    );
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut pages = client.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap();
            let kind = KeyKind::of(key);
            let kind = kind.unwrap_or_else(|| panic!("no rule is meant for {key}"));
            found.entry(kind).or_default().insert(key.to_owned());
        }
    }
    found
}

/// How many entries a broadcast's timeline has, and how many of them expire.
async fn entries(platform: &Platform, broadcast: &str) -> (usize, usize) {
    let (config, table) = platform.table_config(0);
    let client = aws_sdk_dynamodb::Client::new(&config);
    let found = client
        .query()
        .table_name(table)
        .key_condition_expression("PK = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(format!("TIMELINE#{broadcast}")));
    let found = found.send().await.unwrap();
    (found.items().len(), found.items().iter().filter(|item| item.contains_key("ttl")).count())
}

/// Three segments of a stream in parts, to their end; its broadcast, and whether it is offered to be watched again.
async fn broadcast(platform: &Platform, record: bool) -> (Stream, String, bool) {
    let mut settings = small();
    settings["record"] = json!(record);
    settings["latency"] = json!("low");
    settings["reconnect_window_seconds"] = json!(0);
    let stream = platform.create(settings).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    assert_eq!(playlist.segments[0].uri.contains("/media/unrecorded/"), !record, "{playlist:?}");
    platform.object(&playlist.segments[0].uri).await;
    encoder.kill().await;
    let history = format!("/v1/streams/{}/broadcasts", stream.id);
    let ended = eventually("its end", || async {
        let (_, history) = platform.api(0).call(Method::GET, &history, None).await.unwrap();
        Some(history["broadcasts"][0].clone()).filter(|one| one["state"] == "ended")
    })
    .await;
    let id = ended["id"].as_str().unwrap().to_owned();
    (stream, id, ended["recording_url"].is_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_recorded_lies_where_it_expires_from_its_first_object_on() {
    let platform = Platform::start().await;
    let (kept, kept_id, is_offered) = broadcast(&platform, true).await;
    assert!(is_offered);
    let (gone, gone_id, is_offered) = broadcast(&platform, false).await;
    assert!(!is_offered);
    for region in 0..2 {
        let stored = stored(&platform, region).await;
        for (kind, keys) in &stored {
            for key in keys {
                let of_kept = key.contains(&format!("/{}-", kept.id));
                assert!(of_kept || key.contains(&format!("/{}-", gone.id)), "{key}");
                let meant = match (kind, region) {
                    // Parts are for the live edge only: of one region, and never mirrored.
                    (KeyKind::Part, 0) => true,
                    (KeyKind::Recorded, _) => of_kept,
                    (KeyKind::Unrecorded, _) => !of_kept,
                    _ => false,
                };
                assert!(meant, "{kind} in region {region}: {key}");
            }
        }
        for kind in [KeyKind::Recorded, KeyKind::Unrecorded] {
            let has = |text: &str| stored[&kind].iter().any(|key| key.contains(text));
            assert!(
                has("/init-") && has("/180p/") && has("/audio/"),
                "{kind} in region {region}: {stored:?}"
            );
        }
    }
    let (all, expiring) = entries(&platform, &gone_id).await;
    assert!(all >= 3 && expiring == all, "{expiring} of {all}");
    let (all, expiring) = entries(&platform, &kept_id).await;
    assert!(all >= 3 && expiring == 0, "{expiring} of {all}");
    let path = format!("/us-east-1/playlists/{gone_id}/index.m3u8");
    assert_eq!(platform.get(&path).await.0, StatusCode::NOT_FOUND);
    platform.stop().await;
}
