//! The history of broadcasts over the REST API.

use headwater_domain::ports::WriteTimeline;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use serde_json::{Value, json};

use crate::support::{Event, Harness, later};

async fn list(harness: &Harness, query: &str) -> Value {
    harness.ask(&Event::sample("api-list-broadcasts").query(query)).await.expect(200)
}

#[tokio::test]
async fn broadcasts_are_listed_newest_first_with_how_they_ended() {
    let harness = Harness::seeded().await;
    assert_eq!(list(&harness, "").await, json!({ "broadcasts": [], "next": null }));
    let first = harness.allowed(1).await;
    harness.heartbeat_live(&first).await;
    harness.commit(&harness.lease().await, 0).await;
    later(10);
    harness.ask(&Event::sample("api-stop-stream")).await.expect(202);
    later(10);
    let second = harness.allowed(2).await;
    harness.heartbeat_live(&second).await;

    let page = list(&harness, "").await;
    let expected = json!([
        {
            "id": second.broadcast, "state": "live", "started_at": "2023-11-14T22:13:40Z", "ended_at": null,
            "reason": null, "recording_url": null,
        },
        {
            "id": first.broadcast, "state": "ended", "started_at": "2023-11-14T22:13:20Z",
            "ended_at": "2023-11-14T22:13:30Z", "reason": "the stream was stopped by its owner",
            "recording_url": format!("https://watch.example.com/us-east-1/playlists/{}/index.m3u8", first.broadcast),
        },
    ]);
    assert_eq!(page, json!({ "broadcasts": expected, "next": null }));
    assert_eq!(list(&harness.other_region(), "").await["broadcasts"][1]["state"], "ended");
}

#[tokio::test]
async fn pages_of_broadcasts_show_each_once() {
    let harness = Harness::seeded().await;
    let mut made = Vec::new();
    for session in 1..=5 {
        made.push(harness.allowed(session).await.broadcast);
        harness.ask(&Event::sample("api-stop-stream")).await.expect(202);
        later(1);
    }
    made.reverse();
    let (mut seen, mut query, mut pages) = (Vec::new(), "limit=2".to_owned(), 0);
    loop {
        let page = list(&harness, &query).await;
        pages += 1;
        seen.extend(
            page["broadcasts"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!((pages, seen), (3, made.iter().map(ToString::to_string).collect()));
}

#[tokio::test]
async fn a_broadcast_whose_window_has_passed_is_over_before_anybody_says_so() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.commit(&harness.lease().await, 0).await;
    harness.unpublish(&session).await;
    assert_eq!(list(&harness, "").await["broadcasts"][0]["state"], "reconnecting");
    later(60);
    let ended = list(&harness, "").await["broadcasts"][0].clone();
    assert_eq!((&ended["state"], &ended["ended_at"]), (&json!("ended"), &json!("2023-11-14T22:14:20Z")));
    assert!(ended["recording_url"].is_string());
    harness.sweep().await;
    let swept = list(&harness, "").await["broadcasts"][0].clone();
    assert_eq!((&swept["state"], &swept["ended_at"]), (&json!("ended"), &ended["ended_at"]));
    assert_eq!(swept["reason"], "the encoder closed the connection");
}

#[tokio::test]
async fn of_a_broadcast_without_media_no_recording_is_offered() {
    let harness = Harness::seeded().await;
    let mut broadcasts = Vec::new();
    // Nothing came, only gaps came, and something to see.
    for gaps in [None, Some(true), Some(false)] {
        let session = harness.allowed(broadcasts.len() as u128 + 1).await;
        harness.heartbeat_live(&session).await;
        let lease = harness.lease().await;
        for number in gaps.iter().flat_map(|_| 0..9) {
            let entry = Entry {
                broadcast: session.broadcast.clone(),
                lease: lease.clone(),
                gap: gaps == Some(true) || number > 0,
                ..samples::entry(1, number)
            };
            harness.table.commit(&entry).await.unwrap();
        }
        harness.ask(&Event::sample("api-stop-stream")).await.expect(202);
        later(60);
        broadcasts.push(session.broadcast);
    }
    let listed = list(&harness, "").await;
    let offered: Vec<_> =
        listed["broadcasts"].as_array().unwrap().iter().map(|one| one["recording_url"].is_string()).collect();
    assert_eq!(offered, [true, false, false], "newest first");
    for (broadcast, is_there) in broadcasts.iter().zip([false, false, true]) {
        let path = format!("/us-east-1/playlists/{broadcast}/index.m3u8");
        let answer = harness.view(&Event::sample("playlist-recording").path(&path)).await;
        assert_eq!(answer.status.as_u16(), if is_there { 200 } else { 404 }, "{}", answer.text());
    }
}
