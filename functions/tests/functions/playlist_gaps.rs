//! Numbers of which a region has nothing, yet or at all. The simulation found these cases.

use headwater_domain::Lease;
use headwater_domain::ports::WriteTimeline;
use headwater_domain::testing::parts::open_entry;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use m3u8_rs::MediaPlaylist;

use crate::support::{Event, Harness};

async fn live() -> Harness {
    let harness = Harness::with(|stream| stream.settings.dvr_window_seconds = 12).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness
}

async fn put(harness: &Harness, lease: &Lease, number: u64, change: impl FnOnce(&mut Entry)) {
    let mut entry = Entry { lease: lease.clone(), ..samples::entry(1, number) };
    change(&mut entry);
    harness.table.commit(&entry).await.unwrap();
}

/// The playlist, and which of its segments are gaps.
async fn media(harness: &Harness) -> (MediaPlaylist, String) {
    let answer = harness.view(&Event::sample("playlist-media")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let list = m3u8_rs::parse_media_playlist(answer.text().as_bytes()).unwrap().1;
    let gap = |segment: &m3u8_rs::MediaSegment| segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP");
    let gaps = list.segments.iter().map(|segment| if gap(segment) { '-' } else { 'x' }).collect();
    (list, gaps)
}

fn other_lease(number: u32) -> Lease {
    Lease { region: samples::region_b(), ..samples::lease(number) }
}

#[tokio::test]
async fn entries_that_are_replicated_out_of_order_do_not_pull_the_window_back() {
    let harness = live().await;
    for (number, shown) in [(2, "--x"), (1, "-xx"), (0, "xxx")] {
        put(&harness, &samples::lease(1), number, |_| ()).await;
        let (list, gaps) = media(&harness).await;
        assert_eq!((list.media_sequence, gaps.as_str()), (0, shown));
    }
}

#[tokio::test]
async fn a_window_whose_end_is_only_begun_is_still_a_playlist() {
    let harness = live().await;
    for number in 0..20 {
        put(&harness, &samples::lease(2), number, |_| ()).await;
    }
    let before = media(&harness).await.0.media_sequence;
    // The first thing that is seen of the lease that has replaced the end.
    harness.table.commit(&open_entry(&samples::lease(3), 10, 2)).await.unwrap();
    let (list, gaps) = media(&harness).await;
    assert_eq!(
        (list.media_sequence, gaps.as_str()),
        (before, "------"),
        "nothing of the window is there yet"
    );
}

#[tokio::test]
async fn a_lease_that_is_not_as_far_as_the_one_it_replaced_does_not_pull_the_window_back() {
    let harness = live().await;
    for number in 0..12 {
        put(&harness, &samples::lease(1), number, |_| ()).await;
    }
    let before = media(&harness).await.0.media_sequence;
    for number in 4..8 {
        put(&harness, &samples::lease(2), number, |_| ()).await;
        assert_eq!(media(&harness).await.0.media_sequence, before);
    }
    assert_eq!(media(&harness).await.1, "xx", "and what there is of it is shown");
}

#[tokio::test]
async fn breaks_that_a_takeover_leaves_room_for_are_shown_as_such() {
    let harness = live().await;
    put(&harness, &samples::lease(1), 0, |_| ()).await;
    // Tags before each segment; the independent parser only tells whether there is one.
    let breaks = async || {
        let text = harness.view(&Event::sample("playlist-media")).await.text();
        let mut counts = vec![0];
        for line in text.lines() {
            match line {
                "#EXT-X-DISCONTINUITY" => *counts.last_mut().unwrap() += 1,
                _ if line.starts_with('/') => counts.push(0),
                _ => {}
            }
        }
        counts.pop();
        counts
    };
    put(&harness, &other_lease(2), 4, |entry| (entry.discontinuity, entry.discontinuities) = (true, 4)).await;
    assert_eq!(breaks().await, [0, 0, 0, 0, 4], "no gap stands behind a break of its own");
    let list = media(&harness).await.0;
    let gap: f32 = list.segments[1..4].iter().map(|segment| segment.duration).sum();
    assert!((gap - 6.0).abs() < 0.01, "the gaps last as long as what is missing: {gap}");
    // Two of those that were missing come late, one behind a break.
    put(&harness, &samples::lease(1), 1, |_| ()).await;
    put(&harness, &samples::lease(1), 2, |entry| (entry.discontinuity, entry.discontinuities) = (true, 1))
        .await;
    let (list, gaps) = media(&harness).await;
    assert_eq!((breaks().await, gaps.as_str()), (vec![0, 0, 1, 0, 3], "xxx-x"));
    assert_eq!(list.discontinuity_sequence, 0);
    // Once the gap has left the window one break is left of it, and its segment has the number that it always had.
    for number in 5..10 {
        put(&harness, &other_lease(2), number, |entry| entry.discontinuities = 4).await;
    }
    let list = media(&harness).await.0;
    assert_eq!((list.media_sequence, list.discontinuity_sequence), (4, 3));
    assert_eq!(breaks().await, [1, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn gaps_of_a_takeover_last_as_long_as_the_time_that_passed() {
    let harness = live().await;
    put(&harness, &samples::lease(1), 0, |_| ()).await;
    // Room for eleven segments was left, though only nine seconds passed.
    put(&harness, &other_lease(2), 12, |entry| {
        entry.program_date_time = samples::entry(1, 0).until() + std::time::Duration::from_secs(9);
        (entry.discontinuity, entry.discontinuities) = (true, 12);
    })
    .await;
    let (list, gaps) = media(&harness).await;
    assert_eq!(gaps, "x-----------x");
    let gap: f32 = list.segments[1..12].iter().map(|segment| segment.duration).sum();
    assert!((8.9..=9.1).contains(&gap), "{gap}");
}

#[tokio::test]
async fn a_gap_hands_its_break_to_the_next_segment() {
    let harness = live().await;
    put(&harness, &samples::lease(1), 0, |_| ()).await;
    put(&harness, &samples::lease(1), 1, |entry| {
        (entry.gap, entry.discontinuity, entry.discontinuities) = (true, true, 1);
    })
    .await;
    put(&harness, &samples::lease(1), 2, |entry| entry.discontinuities = 1).await;
    let (list, gaps) = media(&harness).await;
    let breaks: Vec<_> = list.segments.iter().map(|segment| segment.discontinuity).collect();
    assert_eq!((breaks, gaps.as_str()), (vec![false, false, true], "x-x"));
}

#[tokio::test]
async fn a_gap_names_no_initialization_section() {
    let harness = live().await;
    put(&harness, &samples::lease(1), 0, |entry| entry.gap = true).await;
    put(&harness, &samples::lease(1), 1, |_| ()).await;
    let (list, gaps) = media(&harness).await;
    assert_eq!(gaps, "-x");
    assert!(list.segments[0].map.is_none(), "it may be missing as well");
    assert!(list.segments[1].map.is_some());
}
