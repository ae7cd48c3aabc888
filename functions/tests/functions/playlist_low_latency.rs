//! Low-latency playlists: what they say, and that ordinary players can play them.

use headwater_domain::heartbeat::{Health, Quiesced, StandbyHealth};
use headwater_domain::hooks::{SessionRef, TranscoderOrder};
use headwater_domain::paths::EdgePath;
use headwater_domain::testing::parts::{closed_entry, half_seconds, open_entry};
use headwater_domain::testing::samples;
use headwater_domain::timeline::EntryPart;
use headwater_domain::{Lease, SegmentNumber};
use serde_json::json;

use crate::support::{Answer, Event, Harness, flowing, later, now};

const CONTROL: &str = "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.602000,HOLD-BACK=6.0";

async fn live() -> (Harness, SessionRef, Lease) {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    (harness, session, lease)
}

fn path(rendition: &str) -> String {
    let rendition = rendition.parse().unwrap();
    EdgePath::LowLatency(samples::region_a(), samples::broadcast(), rendition).to_string()
}

async fn ask(harness: &Harness, rendition: &str, query: &str) -> Answer {
    harness.view(&Event::sample("playlist-low-latency").path(&path(rendition)).query(query)).await
}

async fn text(harness: &Harness, rendition: &str) -> String {
    let answer = ask(harness, rendition, "").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    answer.text()
}

/// What stands behind a tag, wherever it stands.
fn tags(text: &str, tag: &str) -> Vec<String> {
    let prefix = format!("#EXT-X-{tag}:");
    text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_playlist_has_parts_at_its_end_and_says_what_comes_next() {
    let (harness, session, lease) = live().await;
    harness.put_closed(&lease, 0..8).await;
    harness.put(open_entry(&lease, 8, 2)).await;
    let video = text(&harness, "720p").await;
    assert_eq!(tags(&video, "SERVER-CONTROL"), [CONTROL]);
    assert_eq!(tags(&video, "PART-INF"), ["PART-TARGET=0.534000"]);
    let folder = format!("/us-east-1/parts/{}/{lease}/720p", session.broadcast);
    // Six seconds before the end at 17 s: segments 5, 6 and 7 and the open one.
    let mut expected = Vec::new();
    for (number, count) in [(5, 4), (6, 4), (7, 4), (8, 2)] {
        for part in 0..count {
            let independent = if part == 0 { ",INDEPENDENT=YES" } else { "" };
            expected.push(format!("DURATION=0.500000,URI=\"{folder}/{number}.{part}.m4s\"{independent}"));
        }
    }
    assert_eq!(tags(&video, "PART"), expected);
    assert_eq!(tags(&video, "PRELOAD-HINT"), [format!("TYPE=PART,URI=\"{folder}/8.2.m4s\"")]);
    let report = format!("URI=\"{}\",LAST-MSN=8,LAST-PART=1", path("audio"));
    assert_eq!(tags(&video, "RENDITION-REPORT"), [report]);

    // Who does not know parts sees eight whole segments.
    let list = m3u8_rs::parse_media_playlist(video.as_bytes()).unwrap().1;
    assert_eq!((list.segments.len(), list.media_sequence, list.target_duration), (8, 0, 2));
    assert!(list.segments.iter().all(|segment| segment.uri.contains("/media/")));

    let audio = text(&harness, "audio").await;
    let parts = tags(&audio, "PART");
    assert!(parts.iter().all(|part| part.ends_with(",INDEPENDENT=YES")), "{parts:?}");
    assert!(parts.iter().all(|part| ["0.490667", "0.512000"].iter().any(|d| part.contains(d))), "{parts:?}");

    // The usual playlist of the same broadcast is one of whole segments.
    let usual = harness.view(&Event::sample("playlist-media")).await.text();
    assert!(!usual.contains("PART") && !usual.contains("SERVER-CONTROL"), "{usual}");
    assert!(usual.ends_with("/720p/7.m4s\n"), "{usual}");
}

#[tokio::test]
async fn the_multivariant_playlist_leads_to_where_parts_are() {
    let (harness, _, lease) = live().await;
    harness.put(open_entry(&lease, 0, 1)).await;
    let text = harness.view(&Event::sample("playlist-multivariant")).await.text();
    assert!(text.contains(&path("720p")) && text.contains(&path("audio")), "{text}");
    assert!(!text.contains("/playlists/"));
    // Half a second after the start there is a part to play, and no segment yet.
    let first = self::text(&harness, "720p").await;
    assert!(first.contains("#EXT-X-MEDIA-SEQUENCE:0\n") && !first.contains("#EXTINF"), "{first}");
    assert_eq!(tags(&first, "PART").len(), 1);
    let usual = harness.view(&Event::sample("playlist-media")).await;
    assert_eq!(usual.problem(404, "not-live")["state"], "live");
}

#[tokio::test]
async fn a_hint_is_given_only_where_it_is_known_what_comes() {
    let (harness, _, lease) = live().await;
    let hint = async || tags(&text(&harness, "720p").await, "PRELOAD-HINT").pop().unwrap_or_default();
    for parts in 1..4 {
        harness.put(open_entry(&lease, 0, parts)).await;
        assert!(hint().await.ends_with(&format!("/720p/0.{parts}.m4s\"")));
    }
    harness.put(open_entry(&lease, 0, 4)).await;
    assert_eq!(hint().await, "", "two seconds are full, but the source may have no key frame yet");
    harness.put_closed(&lease, 0..1).await;
    assert!(hint().await.ends_with("/720p/1.0.m4s\""));
}

#[tokio::test]
async fn a_segment_whose_writer_died_is_a_gap_and_one_that_nobody_finishes_is_left_out() {
    let (harness, session, lease) = live().await;
    harness.put_closed(&lease, 0..6).await;
    harness.put(open_entry(&lease, 6, 3)).await;
    let mut other = samples::lease(2);
    other.region = samples::region_b();
    let mut first = open_entry(&other, 9, 1);
    (first.discontinuity, first.discontinuities) = (true, 1);
    harness.put(first.clone()).await;
    let shown = text(&harness, "720p").await;
    let list = m3u8_rs::parse_media_playlist(shown.as_bytes()).unwrap().1;
    let gaps: Vec<_> =
        list.segments.iter().map(|s| s.unknown_tags.iter().any(|t| t.tag == "X-GAP")).collect();
    assert_eq!(
        gaps,
        [vec![false; 6], vec![true; 3]].concat(),
        "6 was never finished, 7 and 8 never begun\n{shown}"
    );
    assert!((list.segments[6].duration - 1.5).abs() < 1e-6, "as long as its parts");
    assert!(tags(&shown, "PART").last().unwrap().contains("/eu-west-1/parts/"));
    let (end, start) = (shown.rfind("#EXT-X-DISCONTINUITY\n"), shown.find("/9.0.m4s"));
    assert!(end.is_some() && end < start, "the break stands before the open segment's parts\n{shown}");

    // The end: what is open stays so; live, in the usual playlist and in the recording it is not there.
    harness.unpublish(&session).await;
    later(60);
    for event in ["playlist-low-latency", "playlist-media", "playlist-recording-media"] {
        let answer = harness.view(&Event::sample(event)).await;
        let text = answer.text();
        assert_eq!(answer.status.as_u16(), 200, "{text}");
        assert!(
            text.ends_with("#EXT-X-ENDLIST\n") && !text.contains("PART") && !text.contains("/9."),
            "{text}"
        );
        assert_eq!(m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap().1.segments.len(), 7, "{event}");
        assert_eq!(answer.header("cache-control"), "max-age=60");
    }
}

#[tokio::test]
async fn parts_that_a_predecessor_stored_keep_their_address() {
    let (harness, _, lease) = live().await;
    harness.put_closed(&lease, 0..2).await;
    harness.put(open_entry(&lease, 2, 2)).await;
    let mut next = open_entry(&samples::lease(9), 2, 3);
    for part in &mut next.parts[..2] {
        part.lease = Some(lease.clone());
    }
    harness.put(next.clone()).await;
    let parts = tags(&text(&harness, "720p").await, "PART");
    let of =
        |wanted: &Lease| parts[8..].iter().map(|part| part.contains(&wanted.to_string())).collect::<Vec<_>>();
    assert_eq!((of(&lease), of(&next.lease)), (vec![true, true, false], vec![false, false, true]));
}

#[tokio::test]
async fn parts_of_odd_lengths_are_left_to_the_whole_segment() {
    let (harness, _, lease) = live().await;
    harness.put_closed(&lease, 0..2).await;
    // A picture that stood still for a while: the third part is too short for one that is not the last.
    let odd = |parts: Vec<EntryPart>, open| headwater_domain::timeline::Entry {
        parts,
        open,
        ..open_entry(&lease, 2, 4)
    };
    let mut parts = half_seconds(2, 4);
    parts[2].video.as_mut().unwrap().duration.ticks = 30_000;
    harness.put(odd(parts[..3].to_vec(), true)).await;
    let shown = text(&harness, "720p").await;
    assert_eq!(tags(&shown, "PART").iter().filter(|part| part.contains("/2.")).count(), 2, "{shown}");
    assert_eq!(tags(&shown, "PRELOAD-HINT"), [""; 0]);
    assert_eq!(tags(&text(&harness, "audio").await, "PART").len(), 8 + 3, "its parts are as they should be");
    harness.put(odd(parts, false)).await;
    let shown = text(&harness, "720p").await;
    assert_eq!(tags(&shown, "PART").iter().filter(|part| part.contains("/2.")).count(), 2, "{shown}");
    assert!(shown.contains("/720p/2.m4s\n"));
}

#[tokio::test]
async fn what_could_not_be_stored_is_a_gap_in_parts_as_well() {
    let (harness, _, lease) = live().await;
    harness.put_closed(&lease, 0..2).await;
    let mut lost = closed_entry(&lease, 2);
    lost.gap = true;
    harness.put(lost).await;
    let shown = text(&harness, "720p").await;
    let gaps: Vec<_> = tags(&shown, "PART").iter().map(|part| part.ends_with(",GAP=YES")).collect();
    assert_eq!(gaps, [vec![false; 8], vec![true; 4]].concat());
    assert_eq!(shown.matches("#EXT-X-GAP\n").count(), 1);
}

#[tokio::test]
async fn a_delta_update_skips_what_is_six_targets_behind() {
    let (harness, _, lease) = live().await;
    harness.put_closed(&lease, 0..20).await;
    harness.put(open_entry(&lease, 20, 1)).await;
    for query in ["_HLS_skip=YES", "_HLS_skip=v2", "_HLS_msn=20&_HLS_part=0&_HLS_skip=YES"] {
        let delta = ask(&harness, "720p", query).await.text();
        assert!(delta.starts_with("#EXTM3U\n#EXT-X-VERSION:9\n"), "{delta}");
        assert_eq!(tags(&delta, "SKIP"), ["SKIPPED-SEGMENTS=14"]);
        assert_eq!(tags(&delta, "MEDIA-SEQUENCE"), ["0"]);
        assert_eq!(delta.matches("#EXTINF").count(), 6);
    }
    assert!(text(&harness, "720p").await.starts_with("#EXTM3U\n#EXT-X-VERSION:6\n"));
}

#[tokio::test]
async fn a_stream_that_is_not_recorded_is_only_live() {
    let harness = Harness::with(|stream| stream.settings.record = false).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.put_closed(&harness.lease().await, 0..3).await;
    assert!(text(&harness, "720p").await.contains("/2.m4s"));
    harness.unpublish(&session).await;
    later(60);
    for name in ["playlist-recording", "playlist-recording-media"] {
        let answer = harness.view(&Event::sample(name)).await;
        answer.problem(404, "not-recorded");
        assert_eq!(answer.header("cache-control"), "max-age=1, stale-if-error=0");
    }
    assert!(text(&harness, "720p").await.ends_with("#EXT-X-ENDLIST\n"), "viewers see it to its end");
    let listed = harness.ask(&Event::sample("api-list-broadcasts").query("")).await.expect(200);
    assert_eq!(listed["broadcasts"][0]["recording_url"], json!(null));
    // Also when it is no longer the newest one.
    harness.allowed(2).await;
    harness.view(&Event::sample("playlist-recording")).await.problem(404, "not-recorded");
    let listed = harness.ask(&Event::sample("api-list-broadcasts").query("")).await.expect(200);
    assert_eq!(listed["broadcasts"][1]["recording_url"], json!(null));
}

#[tokio::test]
async fn over_a_handover_no_part_is_hinted_at_whose_path_nobody_knows() {
    let (harness, session, lease) = live().await;
    harness.put_closed(&lease, 0..8).await;
    assert_eq!(tags(&text(&harness, "720p").await, "PRELOAD-HINT").len(), 1);
    let leaving = Health { leaving_by: Some(now()), ..flowing(&session) };
    harness.heartbeat(&session, &lease, "process", leaving.clone()).await;
    let standby = harness.cluster.started()[1].lease.clone();
    let ready = Health { standby: Some(StandbyHealth { ready: true }), ..Health::starting() };
    harness.heartbeat(&session, &standby, "standby", ready.clone()).await;
    assert_eq!(
        tags(&text(&harness, "720p").await, "PRELOAD-HINT").len(),
        0,
        "the next one may be its standby's"
    );
    harness.put(open_entry(&lease, 8, 2)).await;
    let hints = tags(&text(&harness, "720p").await, "PRELOAD-HINT");
    assert!(hints.iter().all(|hint| hint.contains("/8.2.m4s")) && hints.len() == 1, "{hints:?}");
    harness.put_closed(&lease, 8..9).await;

    let segment = SegmentNumber(8);
    let held = Some(Quiesced { standby: standby.clone(), segment });
    let held = Health { segment: Some(segment), held, ..flowing(&session) };
    let order = harness.heartbeat(&session, &lease, "process", held).await;
    assert_eq!((order, harness.lease().await), (TranscoderOrder::HandedOver, standby.clone()));
    assert_eq!(tags(&text(&harness, "720p").await, "PRELOAD-HINT").len(), 0, "its path has another lease");
    harness.put(open_entry(&standby, 9, 1)).await;
    let hints = tags(&text(&harness, "720p").await, "PRELOAD-HINT");
    assert!(hints[0].contains(&format!("/{standby}/720p/9.1.m4s")), "{hints:?}");
}
