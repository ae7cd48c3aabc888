//! What a stranger can put into a playlist's URL, and what it costs: each word that nobody has asked for before passes the
//! edge's cache, so no answer to one may read more than two handfuls of entries.

use std::sync::{Arc, Mutex};

use headwater_domain::ports::WriteTimeline;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_functions::playlist::PlaylistFunction;

use crate::support::{Answer, Event, Harness, Shim, later};

/// Entries that a look at either end of a timeline reads.
const FEW: usize = 8;

/// What was read of the table: the operation, and how many entries it asked for.
type Reads = Arc<Mutex<Vec<(String, usize)>>>;

/// A function over a table that notes what is read, as a new instance is.
fn instance(
    harness: &Harness,
    reads: &Reads,
) -> PlaylistFunction<Shim, impl headwater_domain::ports::ReadParts + use<>> {
    let (operations, limits) = (reads.clone(), reads.clone());
    let table = Shim::new(&harness.table, move |action, _| {
        operations.lock().unwrap().push((action.to_owned(), if action == "all" { usize::MAX } else { 1 }));
        None
    });
    let table = table.with_limits(move |limit| {
        if let Some(last) = limits.lock().unwrap().last_mut() {
            last.1 = limit;
        }
    });
    harness.playlist_over(table, &[])
}

/// The answer of a new instance, and what it read.
async fn cold(harness: &Harness, path: &str, query: &str) -> (Answer, Vec<(String, usize)>) {
    let reads = Reads::default();
    let event = Event::sample("playlist-low-latency").path(path).query(query);
    let answer = Answer::of(instance(harness, &reads).handle(event.request()).await);
    let reads = reads.lock().unwrap().clone();
    (answer, reads)
}

/// A live broadcast with a long window, and one before it that is over.
async fn long() -> (Harness, String, String) {
    let harness = Harness::with(|stream| {
        stream.settings.dvr_window_seconds = 7_200;
        stream.settings.reconnect_window_seconds = 0;
    })
    .await;
    let mut broadcasts = Vec::new();
    for session in [1, 2] {
        let session = harness.allowed(session).await;
        harness.heartbeat_live(&session).await;
        let lease = harness.lease().await;
        for number in 0..500 {
            let (broadcast, lease) = (session.broadcast.clone(), lease.clone());
            harness.table.commit(&Entry { broadcast, lease, ..samples::entry(1, number) }).await.unwrap();
        }
        broadcasts.push(session.broadcast.to_string());
        if broadcasts.len() == 1 {
            harness.unpublish(&session).await;
            later(60);
        }
    }
    harness.heartbeat_live(&harness.allowed(2).await).await;
    let [over, live] = broadcasts.try_into().unwrap();
    (harness, over, live)
}

#[tokio::test]
async fn what_nobody_made_costs_two_small_reads_at_most() {
    let (harness, over, live) = long().await;
    let other = "000000000002-1hf7yat000001";
    let stale = format!("{}-000000000000z", live.split('-').next().unwrap());
    let mut asked = Vec::new();
    for broadcast in [over.as_str(), &live, other, &stale] {
        for name in [
            "nosuch",
            "181p",
            "720P",
            "720p ",
            "72op",
            "video2",
            "%3720p",
            "720p.m3u8",
            "..",
            "x/y",
            "720p;a",
        ] {
            for folder in ["playlists/{}", "playlists/{}/vod", "low-latency/{}"] {
                asked.push(format!("/us-east-1/{}/{name}.m3u8", folder.replace("{}", broadcast)));
            }
        }
        for name in ["720p.m3u8", "vod/720p.m3u8", "index.m3u8"] {
            asked.push(format!("/us-west-9/playlists/{broadcast}/{name}"));
            asked.push(format!("/US-EAST-1/playlists/{broadcast}/{name}"));
            asked.push(format!("/us-east-1/playlists/{broadcast}x/{name}"));
            asked.push(format!("/us-east-1/playlists/{broadcast}/{name}/"));
            asked.push(format!("/us-east-1/playlists/{}/{name}", broadcast.to_uppercase()));
        }
        for part in [
            "1.us-east-1.zzzzzzzz/720p/499.9",
            "9.us-east-1.00000000/720p/0.0",
            "1.eu-west-1.00000000/720p/499.1",
        ] {
            asked.push(format!("/us-east-1/parts/{broadcast}/{part}.m4s"));
        }
    }
    for name in ["index.m3u8", "vod/720p.m3u8", "720p.m3u8"] {
        for broadcast in [other, &stale] {
            asked.push(format!("/us-east-1/playlists/{broadcast}/{name}"));
        }
    }
    for path in &asked {
        for query in ["", "_HLS_msn=499", "_HLS_msn=500&_HLS_part=0", "_HLS_skip=YES"] {
            let (answer, reads) = cold(&harness, path, query).await;
            assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.text());
            assert!(
                reads.len() <= 2 && reads.iter().all(|(_, entries)| *entries <= FEW),
                "{path}?{query}: {reads:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_an_instance_knows_costs_two_reads() {
    let (harness, over, live) = long().await;
    let reads = Reads::default();
    let function = instance(&harness, &reads);
    let ask = async |path: &str| {
        let event = Event::sample("playlist-media").path(path);
        let answer = Answer::of(function.handle(event.request()).await);
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        std::mem::take(&mut *reads.lock().unwrap()).into_iter().map(|(action, _)| action).collect::<Vec<_>>()
    };
    let path = format!("/us-east-1/playlists/{live}/720p.m3u8");
    assert_eq!(ask(&path).await, ["newest", "replicated_state", "newest"], "the name is looked for once");
    assert_eq!(ask(&path).await, ["replicated_state", "newest"]);
    assert_eq!(ask(&path.replace("720p", "audio")).await, ["replicated_state", "newest"]);
    ask(&format!("/us-east-1/playlists/{over}/vod/720p.m3u8")).await;
    assert_eq!(ask(&path).await, ["replicated_state", "newest"], "others do not drive it out");
}
