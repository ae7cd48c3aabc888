//! What a recording shows, and how long what is over can be watched: read back by a parser that is not ours.

use headwater_domain::hooks::SessionRef;
use headwater_domain::ports::{ReadControl, ReadStreams, WriteStreams, WriteTimeline};
use headwater_domain::testing::samples;
use headwater_domain::timeline::{Entry, EntryRendition, TrackKind};
use headwater_domain::{Lease, Timestamp};
use m3u8_rs::{MasterPlaylist, MediaPlaylist};

use crate::support::{Answer, Event, Harness, at_ms, later, now};

async fn live(
    change: impl FnOnce(&mut headwater_domain::stream::StreamDocument),
) -> (Harness, SessionRef, Lease) {
    let harness = Harness::with(change).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    (harness, session, lease)
}

async fn put(harness: &Harness, lease: &Lease, number: u64, change: impl FnOnce(&mut Entry)) {
    let mut entry = Entry { lease: lease.clone(), ..samples::entry(1, number) };
    change(&mut entry);
    harness.table.commit(&harness.as_ordered(entry).await).await.unwrap();
}

async fn view(harness: &Harness, path: &str) -> Answer {
    harness.view(&Event::sample("playlist-media").path(path)).await
}

async fn media(harness: &Harness, path: &str) -> MediaPlaylist {
    let answer = view(harness, path).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    m3u8_rs::parse_media_playlist(answer.text().as_bytes()).unwrap().1
}

async fn index(harness: &Harness) -> MasterPlaylist {
    let answer = harness.view(&Event::sample("playlist-recording")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    m3u8_rs::parse_master_playlist(answer.text().as_bytes()).unwrap().1
}

fn gap(segment: &m3u8_rs::MediaSegment) -> bool {
    segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP")
}

/// The letters of the renditions that are shown, one for each segment.
fn shown(list: &MediaPlaylist) -> String {
    let folder = |segment: &m3u8_rs::MediaSegment| segment.uri.rsplit('/').nth(1).unwrap()[..1].to_owned();
    list.segments.iter().map(|segment| if gap(segment) { "-".to_owned() } else { folder(segment) }).collect()
}

fn sound_alone(entry: &mut Entry) {
    entry.video = None;
    entry.renditions.remove(0);
}

fn with(entry: &mut Entry, name: &str, width: u32, height: u32) {
    let kind = TrackKind::Video { width, height, millifps: 25_000 };
    let init = entry.renditions[0].init.replace("720p", name);
    let one = EntryRendition { name: name.into(), kind, init, ..entry.renditions[0].clone() };
    entry.renditions[0] = one;
}

/// The recording's playlists, each with what it shows.
async fn recording(harness: &Harness) -> Vec<(String, String)> {
    let index = index(harness).await;
    let mut seen = Vec::new();
    for variant in index.variants.iter().filter(|one| one.resolution.is_some()) {
        let list = media(harness, &variant.uri).await;
        // Each initialization section is named where it comes into force, and each segment is under its own rendition's.
        let mut map = String::new();
        for segment in &list.segments {
            if let Some(new) = &segment.map {
                map.clone_from(&new.uri);
            }
            let of = |uri: &str| uri.rsplit('/').nth(1).unwrap().to_owned();
            assert!(gap(segment) || of(&map) == of(&segment.uri), "{} is under {map}", segment.uri);
        }
        let name = variant.uri.rsplit('/').next().unwrap().trim_end_matches(".m3u8").to_owned();
        seen.push((name, shown(&list)));
    }
    seen
}

async fn over(harness: &Harness, session: &SessionRef) {
    harness.unpublish(session).await;
    later(60);
}

#[tokio::test]
async fn pictures_before_a_longer_stretch_of_sound_are_in_the_recording() {
    let (harness, session, lease) = live(|_| ()).await;
    for number in 0..10 {
        put(&harness, &lease, number, |entry| {
            if number >= 4 {
                sound_alone(entry)
            }
        })
        .await;
    }
    over(&harness, &session).await;
    assert_eq!(recording(&harness).await, [("720p".to_owned(), "7777------".to_owned())]);
    let audio = media(&harness, &format!("/us-east-1/playlists/{}/vod/audio.m3u8", session.broadcast)).await;
    assert_eq!(shown(&audio), "aaaaaaaaaa");
    let length = |list: &MediaPlaylist| list.segments.iter().map(|segment| segment.duration).sum::<f32>();
    let video = media(&harness, &format!("/us-east-1/playlists/{}/vod/720p.m3u8", session.broadcast)).await;
    assert!((length(&audio) - length(&video)).abs() < 0.1, "both span all of it");
}

#[tokio::test]
async fn a_source_that_changes_its_size_is_seen_to_its_end_in_every_rendition() {
    let (harness, session, lease) = live(|stream| stream.settings.dvr_window_seconds = 12).await;
    let before = format!("/us-east-1/playlists/{}/360p.m3u8", session.broadcast);
    for number in 0..40 {
        put(&harness, &lease, number, |entry| {
            (entry.discontinuity, entry.discontinuities) = (number == 20, u64::from(number >= 20));
            if number < 20 { with(entry, "360p", 640, 360) } else { with(entry, "288p", 512, 288) }
        })
        .await;
        let list = media(&harness, &before).await;
        assert!(!list.segments.iter().any(gap), "a viewer who came before the change has a gap at {number}");
        let sizes = shown(&list);
        assert!(number < 26 || sizes == "222222", "{sizes}");
    }
    over(&harness, &session).await;
    let all = format!("{}{}", "3".repeat(20), "2".repeat(20));
    let mut seen = recording(&harness).await;
    seen.sort();
    assert_eq!(seen, [("288p".to_owned(), all.clone()), ("360p".to_owned(), all)]);
}

#[tokio::test]
async fn pictures_in_between_only_are_seen_under_a_name_of_their_own() {
    let (harness, session, lease) = live(|_| ()).await;
    for number in 0..30 {
        put(&harness, &lease, number, |entry| {
            if !(12..16).contains(&number) {
                sound_alone(entry)
            }
        })
        .await;
    }
    over(&harness, &session).await;
    let all = format!("{}7777{}", "-".repeat(12), "-".repeat(14));
    assert_eq!(recording(&harness).await, [("video".to_owned(), all)]);
}

#[tokio::test]
async fn whoever_comes_while_a_camera_is_switched_gets_pictures() {
    let (harness, _, lease) = live(|_| ()).await;
    let offers_pictures = async || {
        let text = harness.view(&Event::sample("playlist-multivariant")).await.text();
        text.contains("RESOLUTION=1280x720")
    };
    for number in 0..12 {
        put(&harness, &lease, number, |entry| {
            if number >= 5 {
                sound_alone(entry)
            }
        })
        .await;
        assert_eq!(offers_pictures().await, number < 7, "segment {number}");
    }
}

#[tokio::test]
async fn the_target_duration_never_changes() {
    let (harness, session, lease) = live(|stream| stream.settings.dvr_window_seconds = 12).await;
    for number in 0..20 {
        put(&harness, &lease, number, |entry| {
            if number == 8 {
                // Sound that outlasted the pictures, as transcoders once wrote it.
                entry.audio.as_mut().unwrap().duration.ticks = 48_000 * 37 / 10;
                entry.video.as_mut().unwrap().duration.ticks = 90_000 * 28 / 10;
            }
        })
        .await;
        for rendition in ["720p", "audio"] {
            let path = format!("/us-east-1/playlists/{}/{rendition}.m3u8", session.broadcast);
            let list = media(&harness, &path).await;
            assert_eq!(list.target_duration, 2, "{rendition} with segment {number}");
            let longest = list.segments.iter().map(|segment| segment.duration).fold(0.0, f32::max);
            assert!(longest.round() <= 2.0, "{longest} in {rendition}");
        }
    }
    over(&harness, &session).await;
    let live = media(&harness, &format!("/us-east-1/playlists/{}/720p.m3u8", session.broadcast)).await;
    assert_eq!((live.target_duration, live.end_list), (2, true), "also when it is over");
    let vod = media(&harness, &format!("/us-east-1/playlists/{}/vod/audio.m3u8", session.broadcast)).await;
    assert_eq!(vod.target_duration, 4, "a recording is complete and says how long its longest segment is");
}

/// All playlists of the sample broadcast.
fn playlists(session: &SessionRef) -> [String; 4] {
    [
        "playlists/{}/index.m3u8",
        "playlists/{}/vod/720p.m3u8",
        "playlists/{}/720p.m3u8",
        "low-latency/{}/720p.m3u8",
    ]
    .map(|path| format!("/us-east-1/{}", path.replace("{}", session.broadcast.as_str())))
}

/// The greatest age of a playlist in any cache, in seconds.
fn kept(answer: &Answer) -> u64 {
    answer.header("cache-control").split(&[',', '='][..]).nth(1).unwrap().trim().parse().unwrap()
}

async fn delete(harness: &Harness) {
    let document = harness.table.stream(&samples::stream_id()).await.unwrap().unwrap();
    let version = document.version + 1;
    let deleted = headwater_domain::stream::StreamDocument { deleted_at: Some(now()), version, ..document };
    harness.table.put_stream(&deleted).await.unwrap();
}

#[tokio::test]
async fn of_a_deleted_stream_nothing_is_served_a_minute_later() {
    let (harness, session, lease) = live(|_| ()).await;
    for number in 0..10 {
        put(&harness, &lease, number, |_| ()).await;
    }
    at_ms(samples::entry(1, 9).committed_at);
    over(&harness, &session).await;
    for path in playlists(&session) {
        let answer = view(&harness, &path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert!(kept(&answer) <= 60, "{path} may be in a cache for longer than a minute");
    }
    later(30);
    delete(&harness).await;
    for path in playlists(&session) {
        let answer = view(&harness, &path).await;
        answer.problem(404, "not-found");
        assert!(kept(&answer) <= 1, "{path}");
    }
}

#[tokio::test]
async fn of_a_deleted_stream_s_earlier_broadcasts_nothing_is_served_either() {
    let (harness, session, lease) = live(|_| ()).await;
    put(&harness, &lease, 0, |_| ()).await;
    over(&harness, &session).await;
    let next = harness.allowed(2).await;
    assert_ne!(next.broadcast, session.broadcast);
    assert_eq!(view(&harness, &playlists(&session)[2]).await.status.as_u16(), 200);
    later(30);
    delete(&harness).await;
    for path in playlists(&session) {
        view(&harness, &path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn who_watches_a_stream_that_is_deleted_sees_that_it_is_over() {
    let (harness, session, lease) = live(|_| ()).await;
    for number in 0..10 {
        put(&harness, &lease, number, |_| ()).await;
    }
    at_ms(samples::entry(1, 9).committed_at);
    harness.ask(&Event::sample("api-delete-stream")).await.expect(204);
    let [index, vod, window, _] = playlists(&session);
    // Its task says goodbye.
    let leaving = headwater_domain::heartbeat::Health {
        activity: headwater_domain::heartbeat::Activity::Leaving,
        ..crate::support::read_out(&session)
    };
    harness.heartbeat(&session, &lease, "process", leaving).await;
    let answer = view(&harness, &window).await;
    assert!(answer.text().ends_with("#EXT-X-ENDLIST\n") && kept(&answer) == 1, "{}", answer.text());
    for path in [&index, &vod] {
        view(&harness, path).await.problem(404, "not-found");
    }
    later(20);
    view(&harness, &window).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_not_recorded_is_gone_minutes_after_its_end() {
    let (harness, session, lease) = live(|stream| stream.settings.record = false).await;
    for number in 0..10 {
        put(&harness, &lease, number, |_| ()).await;
    }
    at_ms(samples::entry(1, 9).committed_at);
    over(&harness, &session).await;
    let [index, vod, window, low] = playlists(&session);
    for path in [&window, &low] {
        let answer = view(&harness, path).await;
        assert!(answer.text().ends_with("#EXT-X-ENDLIST\n"), "viewers see it to its end");
        assert_eq!(kept(&answer), 1, "{path}");
    }
    later(181);
    for path in [&index, &vod, &window, &low] {
        view(&harness, path).await.problem(404, "not-recorded");
    }
    harness.allowed(2).await;
    later(181);
    for path in [&index, &vod, &window, &low] {
        view(&harness, path).await.problem(404, "not-recorded");
    }
}

/// What the API offers of the sample broadcast to be watched again.
async fn offered(harness: &Harness) -> bool {
    let listed = harness.ask(&Event::sample("api-list-broadcasts").query("")).await.expect(200);
    let broadcasts = listed["broadcasts"].as_array().unwrap();
    broadcasts.iter().any(|one| one["recording_url"].is_string())
}

#[tokio::test]
async fn a_broadcast_is_recorded_or_not_from_beginning_to_end_whatever_is_set_later() {
    for recorded in [true, false] {
        let (harness, session, lease) = live(|stream| stream.settings.record = recorded).await;
        put(&harness, &lease, 0, |_| ()).await;
        let document = harness.table.stream(&samples::stream_id()).await.unwrap().unwrap();
        let mut changed = document.successor(&harness.region, now());
        changed.settings.record = !recorded;
        harness.table.put_stream(&changed).await.unwrap();
        harness.unpublish(&session).await;
        // The encoder comes back into the same broadcast.
        let session = harness.allowed(2).await;
        harness.heartbeat_live(&session).await;
        put(&harness, &lease, 1, |_| ()).await;
        at_ms(samples::entry(1, 1).committed_at);
        over(&harness, &session).await;
        let [index, vod, ..] = playlists(&session);
        for _ in 0..2 {
            assert_eq!(offered(&harness).await, recorded);
            for path in [&index, &vod] {
                let answer = view(&harness, path).await;
                assert_eq!(answer.status.as_u16(), if recorded { 200 } else { 404 }, "{path}");
                let folder = "/media/unrecorded/";
                assert!(!answer.text().contains(folder), "what will be deleted is not in a recording");
            }
            // Nor does it change with the next broadcast, which goes by what is set now.
            let next = harness.allowed(3).await;
            assert_ne!(next.broadcast, session.broadcast);
            let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
            assert_eq!(replicated.session().unwrap().settings.record, !recorded);
        }
    }
}

#[tokio::test]
async fn a_recording_that_is_kept_for_days_is_gone_before_its_media() {
    let (mut harness, session, lease) = live(|_| ()).await;
    harness.kept_for = "2".parse().unwrap();
    let hour = |hours: u64| Timestamp(crate::support::T0 + hours * 3_600_000);
    // A broadcast of twenty hours, of which a segment an hour will do.
    for number in 0..20 {
        put(&harness, &lease, number, |entry| entry.committed_at = hour(number)).await;
    }
    at_ms(hour(20));
    over(&harness, &session).await;
    let [index, vod, window, low] = playlists(&session);
    let numbers = async |harness: &Harness| -> Vec<u64> {
        let list = media(harness, &vod).await;
        assert!(list.end_list);
        (list.media_sequence..).take(list.segments.len()).collect()
    };
    assert!(offered(&harness).await);
    assert_eq!(numbers(&harness).await, (0..20).collect::<Vec<_>>());
    // The rule goes by the age of each object, so the beginning goes first: an hour early, for its initialization section.
    at_ms(hour(2 * 24 + 9));
    assert!(offered(&harness).await);
    assert_eq!(numbers(&harness).await, (11..20).collect::<Vec<_>>());
    assert_eq!(view(&harness, &index).await.status.as_u16(), 200);
    at_ms(hour(3 * 24));
    assert!(!offered(&harness).await, "the history names nothing that is gone");
    for path in [&index, &vod, &window, &low] {
        view(&harness, path).await.problem(404, "expired");
    }
    harness.kept_for = Default::default();
    assert!(offered(&harness).await, "without a rule nothing goes");
}
