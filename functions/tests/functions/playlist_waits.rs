//! Requests that wait: for how long, what they cost, and how long their answers may be kept. Time is tokio's, paused:
//! it passes only while everybody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater_domain::Lease;
use headwater_domain::testing::parts::{closed_entry, open_entry};
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Event, Harness, Shim, at_ms, later};

/// Entries that are read to look for a rendition's name.
const NAMES: usize = 8;
const SECOND: &str = "max-age=1, stale-if-error=0";
const SATISFIED: &str = "max-age=6, stale-if-error=0";

/// A broadcast with seven whole segments; of the eighth there are `parts` parts, the last one just written.
async fn live(parts: u64) -> (Harness, Lease) {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    harness.put_closed(&lease, 0..7).await;
    let open = open_entry(&lease, 7, parts);
    at_ms(open.committed_at);
    harness.heartbeat_live(&session).await;
    if parts > 0 {
        harness.put(open).await;
    }
    (harness, lease)
}

fn event(query: &str) -> Event {
    Event::sample("playlist-low-latency").query(query)
}

/// The answer, how long it took, and how many looks at the end and at the window it cost. What a cold instance reads of the
/// names once is not among them: `hostile.rs` counts it.
async fn timed(harness: &Harness, event: &Event) -> (Answer, Duration, (usize, usize)) {
    let (looks, windows) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (looks.clone(), windows.clone());
    let table = Shim::limits(&harness.table, move |limit| {
        match limit {
            0..=2 => counted.0.fetch_add(1, Ordering::Relaxed),
            NAMES => 0,
            _ => counted.1.fetch_add(1, Ordering::Relaxed),
        };
    });
    let started = Instant::now();
    let answer = Answer::of(harness.playlist_over(table, &[]).handle(event.request()).await);
    (answer, started.elapsed(), (looks.load(Ordering::Relaxed), windows.load(Ordering::Relaxed)))
}

/// Asks, and has `entry` written after a while.
async fn while_written(
    harness: &Harness,
    query: &str,
    after_ms: u64,
    entry: Entry,
) -> (Answer, Duration, (usize, usize)) {
    let writes = async {
        sleep(Duration::from_millis(after_ms)).await;
        harness.put(entry).await;
    };
    let event = event(query);
    tokio::join!(timed(harness, &event), writes).0
}

#[tokio::test(start_paused = true)]
async fn a_playlist_without_directives_costs_one_query_of_the_window_and_no_time() {
    let (harness, _) = live(2).await;
    let (answer, took, cost) = timed(&harness, &event("")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, SECOND));
    assert_eq!((took, cost), (Duration::ZERO, (0, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_request_for_the_next_part_is_answered_as_soon_as_it_is_there() {
    let (harness, lease) = live(2).await;
    // The part before was written just now, so this one is due in half a second.
    let (answer, took, (looks, windows)) =
        while_written(&harness, "_HLS_msn=7&_HLS_part=2", 530, open_entry(&lease, 7, 3)).await;
    assert!(answer.text().contains("/720p/7.2.m4s\""), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), SATISFIED);
    assert!((530..=620).contains(&took.as_millis()), "{took:?}");
    assert_eq!((looks, windows), (3, 1), "at once, when it is due, and one more");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_answered_at_once() {
    let (harness, lease) = live(2).await;
    for query in ["_HLS_msn=7&_HLS_part=1", "_HLS_msn=7&_HLS_part=0", "_HLS_msn=6", "_HLS_msn=0&_HLS_part=9"]
    {
        let (answer, took, cost) = timed(&harness, &event(query)).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, SATISFIED), "{query}");
        assert_eq!((took, cost), (Duration::ZERO, (1, 1)), "{query}");
    }
    harness.put_closed(&lease, 7..8).await;
    for query in ["_HLS_msn=7", "_HLS_msn=7&_HLS_part=3"] {
        assert_eq!(timed(&harness, &event(query)).await.1, Duration::ZERO, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_behind_a_segment_s_last_one_is_the_first_of_the_next() {
    let (harness, lease) = live(4).await;
    let writes = async {
        sleep(Duration::from_millis(100)).await;
        harness.put_closed(&lease, 7..8).await;
        sleep(Duration::from_millis(500)).await;
        harness.put(open_entry(&lease, 8, 1)).await;
    };
    let query = event("_HLS_msn=7&_HLS_part=4");
    let ((answer, took, _), ()) = tokio::join!(timed(&harness, &query), writes);
    assert!(answer.text().contains("/720p/8.0.m4s\""), "{}", answer.text());
    assert!((600..=690).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_segment_is_waited_for_until_it_is_closed() {
    let (harness, lease) = live(3).await;
    let writes = async {
        sleep(Duration::from_millis(500)).await;
        harness.put(open_entry(&lease, 7, 4)).await;
        sleep(Duration::from_millis(20)).await;
        harness.put_closed(&lease, 7..8).await;
    };
    let query = event("_HLS_msn=7");
    let ((answer, took, _), ()) = tokio::join!(timed(&harness, &query), writes);
    assert!(answer.text().contains("/720p/7.m4s\n"), "{}", answer.text());
    assert!((520..=610).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_four_seconds_there_is_the_current_playlist_for_a_second() {
    let (harness, _) = live(2).await;
    let before = timed(&harness, &event("")).await.0.text();
    let (answer, took, (looks, windows)) = timed(&harness, &event("_HLS_msn=7&_HLS_part=2")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, SECOND));
    assert_eq!((answer.text(), took.as_millis()), (before, 4_000));
    assert!((20..=30).contains(&looks) && windows == 1, "{looks} looks, {windows} windows");
}

#[tokio::test(start_paused = true)]
async fn the_second_try_never_waits_and_never_knows_better() {
    let (harness, _) = live(2).await;
    for query in ["_HLS_msn=7&_HLS_part=2", "_HLS_msn=70"] {
        let (answer, took, _) = timed(&harness, &event(query).header("x-headwater-try", "2")).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, SECOND), "{query}");
        assert_eq!(took, Duration::ZERO, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_refused_at_once() {
    let (harness, lease) = live(2).await;
    let refused = async |query: &str| {
        let (answer, took, (_, windows)) = timed(&harness, &event(query)).await;
        answer.problem(400, "bad-directive");
        assert_eq!((answer.header("cache-control"), took, windows), (SECOND, Duration::ZERO, 0), "{query}");
    };
    for query in [
        "_HLS_part=1",
        "_HLS_msn=",
        "_HLS_msn=-1",
        "_HLS_msn=%2B7",
        "_HLS_msn=07",
        "_HLS_msn=7&_HLS_part=00",
        "_HLS_msn=7.0",
        "_HLS_msn=x",
        "_HLS_msn=18446744073709551615",
        "_HLS_msn=99999999999999999999999",
        "_HLS_msn=7&_HLS_msn=8",
        "_HLS_msn=7&_HLS_part=",
        "_HLS_msn=7&_HLS_part=1000",
        "_HLS_msn=7&_HLS_part=-0",
        "_HLS_skip=NO",
        "_HLS_skip=",
        "_HLS_skip=YES&_HLS_skip=YES",
        // The last whole segment is 6.
        "_HLS_msn=9",
        "_HLS_msn=9&_HLS_part=0",
        "_HLS_msn=18446744073709551613",
        // More than three seconds of parts ahead.
        "_HLS_msn=7&_HLS_part=8",
        "_HLS_msn=8&_HLS_part=10",
    ] {
        refused(query).await;
    }
    for query in ["_HLS_msn=8", "_HLS_msn=7&_HLS_part=7", "_HLS_msn=8&_HLS_part=9", "_HLS_push=1&utm=2"] {
        assert_eq!(timed(&harness, &event(query)).await.0.status.as_u16(), 200, "{query}");
    }
    harness.put_closed(&lease, 7..8).await;
    refused("_HLS_msn=10").await;
    assert_eq!(timed(&harness, &event("_HLS_msn=9")).await.0.status.as_u16(), 200);
}

/// A stranger asks everything that there is to ask, at once: a handful of questions hold a slot, everything else is answered.
#[tokio::test(start_paused = true)]
async fn of_all_questions_only_those_for_what_comes_next_are_waited_for() {
    let mut questions = Vec::new();
    for segment in 0..14 {
        for skip in ["", "&_HLS_skip=YES", "&_HLS_skip=v2"] {
            questions.push(format!("_HLS_msn={segment}{skip}"));
            for part in [0, 1, 2, 3, 4, 5, 6, 7, 8, 50, 998, 999] {
                questions.push(format!("_HLS_msn={segment}&_HLS_part={part}{skip}"));
            }
        }
    }
    for (parts, spelled) in [
        (2, ["_HLS_part=2&_HLS_msn=7", "_HLS_msn=%37&_HLS_part=2", "_HLS_msn=7&_HLS_part=2&x=1"]),
        (0, ["_HLS_part=0&_HLS_msn=7", "_HLS_msn=7&_HLS_part=%30", "x=1&_HLS_msn=7"]),
    ] {
        let (harness, _) = live(parts).await;
        let mut waited = Vec::new();
        for query in questions.iter().map(String::as_str).chain(spelled) {
            let (answer, took, _) = timed(&harness, &event(query)).await;
            assert!(matches!(answer.status.as_u16(), 200 | 400), "{query}: {}", answer.status);
            if took > Duration::ZERO {
                waited.push(query.to_owned());
            }
        }
        // The next part, the segment that it is in, and behind a closed segment the part's other name.
        let next = if parts > 0 { 4 } else { 6 };
        assert_eq!(waited.len(), next, "{waited:?}");
        for position in [format!("_HLS_msn=7&_HLS_part={parts}"), "_HLS_msn=7".to_owned()] {
            assert!(
                waited.contains(&position) && waited.contains(&format!("{position}&_HLS_skip=YES")),
                "{waited:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_all_parts_only_the_next_one_is_waited_for() {
    let (harness, lease) = live(2).await;
    let mut waited = Vec::new();
    for number in 0..14 {
        for part in [0, 1, 2, 3, 4, 5, 6, 7, 99] {
            for rendition in ["720p", "audio", "360p", "video"] {
                let path = format!("/{}", open_entry(&lease, number, 0).part_path(rendition, part));
                let (answer, took, _) = timed(&harness, &Event::sample("playlist-part").path(&path)).await;
                answer.problem(404, "not-found");
                if took > Duration::ZERO {
                    waited.push((rendition, number, part));
                }
            }
        }
    }
    assert_eq!(waited, [("720p", 7, 2), ("audio", 7, 2)]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_broadcast_that_is_over() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.put_closed(&harness.lease().await, 0..3).await;
    harness.unpublish(&session).await;
    later(60);
    for query in ["_HLS_msn=3&_HLS_part=0", "_HLS_msn=900", "_HLS_msn=3&_HLS_skip=YES"] {
        let (answer, took, _) = timed(&harness, &event(query)).await;
        assert_eq!((answer.status.as_u16(), took), (200, Duration::ZERO));
        assert!(answer.text().ends_with("#EXT-X-ENDLIST\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_stream_that_starts_the_first_try_is_answered_when_there_is_something() {
    let harness = Harness::seeded().await;
    let first = Event::sample("playlist-multivariant");
    let (answer, took, _) = timed(&harness, &first).await;
    assert_eq!((answer.status.as_u16(), took), (404, Duration::ZERO), "nobody publishes");

    let session = harness.allowed(1).await;
    let (answer, took, (looks, _)) = timed(&harness, &first).await;
    assert_eq!(answer.problem(404, "not-live")["state"], "starting");
    assert!((1_500..1_700).contains(&took.as_millis()), "less than the edge's two seconds: {took:?}");
    assert!(looks <= 16, "{looks}");
    let (answer, took, _) = timed(&harness, &first.clone().header("x-headwater-try", "2")).await;
    assert_eq!((answer.status.as_u16(), took), (404, Duration::ZERO), "the second try never waits");

    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    let writes = async {
        sleep(Duration::from_millis(700)).await;
        harness.put(open_entry(&lease, 0, 1)).await;
    };
    let (answer, took, _) = tokio::join!(timed(&harness, &first), writes).0;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert!((700..=800).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_rendition_that_is_not_made() {
    let (harness, _) = live(2).await;
    let path = Event::sample("playlist-low-latency")
        .path(&format!("/us-east-1/low-latency/{}/1080p.m3u8", samples::broadcast()));
    let (answer, took, _) = timed(&harness, &path.query("_HLS_msn=7&_HLS_part=2")).await;
    answer.problem(404, "not-found");
    assert_eq!((took, answer.header("cache-control")), (Duration::ZERO, SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_rendition_that_is_left_out_is_nobody_s_answer_for_long() {
    let (harness, lease) = live(0).await;
    for number in 7..9 {
        let mut entry = closed_entry(&lease, number);
        entry.renditions.retain(|one| one.name != "720p");
        harness.put(entry).await;
    }
    let (answer, took, _) = timed(&harness, &event("_HLS_msn=9&_HLS_part=0")).await;
    assert_eq!((answer.status.as_u16(), took), (200, Duration::ZERO));
    assert_eq!(answer.header("cache-control"), SECOND, "it does not have what was asked for");
    assert!(!answer.text().contains("PRELOAD-HINT"), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn the_usual_playlists_know_no_directives() {
    let (harness, _) = live(2).await;
    for query in ["_HLS_msn=7&_HLS_part=2", "_HLS_msn=900", "_HLS_part=x"] {
        let (answer, took, cost) = timed(&harness, &Event::sample("playlist-media").query(query)).await;
        assert_eq!((answer.status.as_u16(), took, cost), (200, Duration::ZERO, (0, 1)), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hinted_part_is_answered_as_soon_as_the_timeline_names_it() {
    let (harness, lease) = live(2).await;
    let entry = open_entry(&lease, 7, 3);
    let (video, audio) = (entry.part_path("720p", 2), entry.part_path("audio", 2));
    let ask = |path: &str| Event::sample("playlist-part").path(&format!("/{path}"));
    let writes = async {
        sleep(Duration::from_millis(510)).await;
        harness.store(&video, b"moof and mdat").await;
        harness.store(&audio, b"sound").await;
        harness.put(entry.clone()).await;
    };
    let asked = (ask(&video), ask(&audio));
    let (first, second, ()) = tokio::join!(timed(&harness, &asked.0), timed(&harness, &asked.1), writes);
    assert_eq!((first.0.status.as_u16(), first.0.body.as_slice()), (200, b"moof and mdat".as_slice()));
    assert_eq!(first.0.header("content-type"), "video/mp4");
    assert_eq!(first.0.header("cache-control"), "public, max-age=60, immutable");
    assert_eq!(first.0.header("access-control-allow-origin"), "*");
    assert_eq!(
        (second.0.body.as_slice(), second.0.header("content-type")),
        (b"sound".as_slice(), "audio/mp4")
    );
    assert!((510..=600).contains(&first.1.as_millis()), "{:?}", first.1);
    assert_eq!(first.2.1, 0, "the window is not read");
    let (again, took, _) = timed(&harness, &ask(&video)).await;
    assert_eq!((again.status.as_u16(), took), (200, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_come_is_not_found() {
    let (harness, lease) = live(2).await;
    let view = async |path: &str| {
        let (answer, took, _) = timed(&harness, &Event::sample("playlist-part").path(path)).await;
        let problem = answer.problem(404, "not-found");
        assert_eq!(answer.header("cache-control"), SECOND, "{problem}");
        took.as_millis()
    };
    let path =
        |number: u64, part: usize| format!("/{}", open_entry(&lease, number, 1).part_path("720p", part));
    assert_eq!(view(&path(7, 2)).await, 4_000, "it was due and did not come");
    assert_eq!(view(&path(7, 1)).await, 0, "the timeline has it, the bucket does not");
    for (number, part) in [(6, 4), (0, 0), (9, 0), (7, 9), (1 << 40, 0)] {
        assert_eq!(view(&path(number, part)).await, 0, "{number}.{part}");
    }
    let next = path(7, 2);
    for (from, to) in [
        ("us-east-1/parts", "eu-west-1/parts"),
        ("us-east-1", "eu-west-1"),
        ("/720p/", "/1080p/"),
        ("/720p/", "/../"),
        ("/720p/", "/%2e%2e/"),
        (".m4s", ".mp4"),
        ("/parts/", "/parts/../parts/"),
        ("/1.us-east-1", "/2.us-east-1"),
        (samples::broadcast().as_str(), "000000000002-1hf7yat000001"),
    ] {
        let wrong = next.replace(from, to);
        assert_ne!(wrong, next);
        assert_eq!(view(&wrong).await, 0, "{wrong}");
    }
    // Its segment is closed without it while somebody waits.
    let (harness, lease) = live(4).await;
    let writes = async {
        sleep(Duration::from_millis(50)).await;
        harness.put_closed(&lease, 7..8).await;
    };
    let ask = Event::sample("playlist-part").path(&path(7, 4));
    let ((answer, took, _), ()) = tokio::join!(timed(&harness, &ask), writes);
    answer.problem(404, "not-found");
    assert!(took < Duration::from_millis(600), "{took:?}");
}
