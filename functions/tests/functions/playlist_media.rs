//! Playlists as players see them: read back by a parser that is not ours.

use std::collections::BTreeSet;

use headwater_domain::Lease;
use headwater_domain::heartbeat::{Activity, Health};
use headwater_domain::hooks::SessionRef;
use headwater_domain::paths::EdgePath;
use headwater_domain::ports::{ReadControl, ReadStreams, WriteStreams, WriteTimeline};
use headwater_domain::stream::{Latency, PublishPolicy};
use headwater_domain::testing::samples;
use headwater_domain::timeline::{Entry, TrackKind};
use m3u8_rs::{AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaPlaylistType};

use crate::support::{Answer, Event, Harness, flowing, later, now};

/// A live broadcast with its first lease.
async fn live(seconds: u32) -> (Harness, SessionRef, Lease) {
    let harness = Harness::with(|stream| stream.settings.dvr_window_seconds = seconds).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    (harness, session, lease)
}

fn media_of(answer: &Answer) -> MediaPlaylist {
    answer_ok(answer);
    let text = answer.text();
    let (rest, list) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty());
    list
}

fn answer_ok(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
}

async fn media(harness: &Harness, rendition: &str) -> MediaPlaylist {
    let rendition = rendition.parse().unwrap();
    let path = EdgePath::Media(samples::region_a(), samples::broadcast(), rendition).to_string();
    media_of(&harness.view(&Event::sample("playlist-media").path(&path)).await)
}

async fn master(harness: &Harness, event: Event) -> MasterPlaylist {
    let answer = harness.view(&event).await;
    answer_ok(&answer);
    let text = answer.text();
    m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap().1
}

fn gaps(list: &MediaPlaylist) -> Vec<bool> {
    list.segments.iter().map(|segment| segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP")).collect()
}

async fn put(harness: &Harness, lease: &Lease, number: u64, change: impl FnOnce(&mut Entry)) {
    let mut entry = Entry { lease: lease.clone(), ..samples::entry(1, number) };
    change(&mut entry);
    harness.table.commit(&entry).await.unwrap();
}

#[tokio::test]
async fn a_media_playlist_says_what_the_timeline_says() {
    let (harness, session, lease) = live(60).await;
    for number in 0..4 {
        harness.commit(&lease, number).await;
    }
    let list = media(&harness, "720p").await;
    assert_eq!((list.media_sequence, list.discontinuity_sequence, list.target_duration), (0, 0, 2));
    assert_eq!((list.playlist_type.clone(), list.end_list, list.independent_segments), (None, false, true));
    let folder = format!("/us-east-1/media/{}/{lease}", session.broadcast);
    for (number, segment) in list.segments.iter().enumerate() {
        assert_eq!(segment.uri, format!("{folder}/720p/{number}.m4s"));
        assert!((segment.duration - 2.0).abs() < 1e-6);
        let time = segment.program_date_time.unwrap().timestamp_millis();
        assert_eq!(time, 1_700_000_000_000 + 2_000 * i64::try_from(number).unwrap());
        assert!(!segment.discontinuity);
    }
    let maps: Vec<_> =
        list.segments.iter().filter_map(|segment| Some(segment.map.as_ref()?.uri.as_str())).collect();
    assert!(!maps.is_empty() && maps.iter().all(|map| map.ends_with("/720p/init-1.mp4")), "{maps:?}");

    let audio = media(&harness, "audio").await;
    assert_eq!(audio.segments.len(), 4);
    let exact = samples::entry(1, 1).audio.unwrap().duration.seconds();
    assert!((f64::from(audio.segments[1].duration) - exact).abs() < 1e-5, "audio has its own exact length");
    assert_eq!(audio.segments[1].uri, format!("{folder}/audio/1.m4s"));
    assert_eq!((audio.media_sequence, audio.target_duration), (list.media_sequence, list.target_duration));
}

#[tokio::test]
async fn the_window_slides_and_counts_what_leaves_it() {
    let (harness, _, lease) = live(12).await;
    let mut discontinuities = 0;
    for number in 0..20 {
        let broken = matches!(number, 5 | 9);
        discontinuities += u64::from(broken);
        put(&harness, &lease, number, |entry| {
            entry.discontinuity = broken;
            entry.discontinuities = discontinuities;
        })
        .await;
        let list = media(&harness, "720p").await;
        let first = (number + 1).saturating_sub(6);
        assert_eq!((list.media_sequence, list.segments.len() as u64), (first, (number + 1).min(6)));
        // A break that stands on the first segment is still shown, so it is not counted.
        let left = [5, 9].iter().filter(|at| **at < first).count() as u64;
        assert_eq!(list.discontinuity_sequence, left, "after {number}");
        let shown: Vec<_> = (first..)
            .zip(&list.segments)
            .filter(|(_, segment)| segment.discontinuity)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(shown, [5, 9].into_iter().filter(|at| (first..=number).contains(at)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_new_init_is_named_where_it_begins() {
    let (harness, _, lease) = live(60).await;
    for number in 0..4 {
        put(&harness, &lease, number, |entry| {
            if number >= 2 {
                entry.renditions[0].init = entry.renditions[0].init.replace("init-1", "init-2");
                entry.discontinuity = number == 2;
                entry.discontinuities = 1;
            }
        })
        .await;
    }
    let list = media(&harness, "720p").await;
    let map =
        |at: usize| list.segments[at].map.as_ref().map(|map| map.uri.rsplit('/').next().unwrap().to_owned());
    assert_eq!((map(0).as_deref(), map(2).as_deref()), (Some("init-1.mp4"), Some("init-2.mp4")));
}

#[tokio::test]
async fn what_nobody_wrote_after_a_takeover_is_a_gap() {
    let (harness, _, lease) = live(60).await;
    for number in 0..3 {
        harness.commit(&lease, number).await;
    }
    let mut other = samples::lease(2);
    other.region = samples::region_b();
    for number in 6..8 {
        put(&harness, &other, number, |entry| {
            entry.discontinuity = number == 6;
            entry.discontinuities = 1;
            let init = entry.renditions[0].init.clone();
            entry.renditions[0].init = init.replacen("us-east-1", "eu-west-1", 1);
        })
        .await;
    }
    for region in [&harness, &harness.other_region()] {
        let list = media(region, "720p").await;
        assert_eq!(gaps(&list), [false, false, false, true, true, true, false, false]);
        assert_eq!(list.media_sequence, 0, "every number has its place, so numbers stay true");
        assert!(list.segments[7].uri.starts_with("/eu-west-1/media/"), "media is where its lease wrote it");
        assert!(list.segments[6].discontinuity && list.segments[6].program_date_time.is_some());
    }
}

#[tokio::test]
async fn a_segment_that_could_not_be_stored_is_a_gap() {
    let (harness, _, lease) = live(60).await;
    for number in 0..3 {
        put(&harness, &lease, number, |entry| entry.gap = number == 1).await;
    }
    assert_eq!(gaps(&media(&harness, "720p").await), [false, true, false]);
    // A rendition that begins late has the nearest one before, so that all renditions have the same numbers.
    put(&harness, &lease, 3, |entry| {
        let mut low = entry.renditions[0].clone();
        low.name = "360p".into();
        entry.renditions.push(low);
    })
    .await;
    let late = media(&harness, "360p").await;
    assert_eq!((gaps(&late), late.media_sequence), (vec![false, true, false, false], 0));
    let shown: Vec<_> = late.segments.iter().map(|segment| segment.uri.contains("/360p/")).collect();
    assert_eq!(shown, [false, false, false, true]);
}

#[tokio::test]
async fn the_end_is_said_and_the_whole_broadcast_is_a_recording() {
    let (harness, session, lease) = live(12).await;
    for number in 0..10 {
        put(&harness, &lease, number, |entry| {
            entry.discontinuity = number == 1;
            entry.discontinuities = u64::from(number >= 1);
        })
        .await;
    }
    assert!(!media(&harness, "720p").await.end_list);
    harness.unpublish(&session).await;
    later(59);
    assert!(!media(&harness, "720p").await.end_list, "it may come back");
    later(1);
    let ended = media(&harness, "720p").await;
    assert_eq!((ended.end_list, ended.media_sequence, ended.segments.len()), (true, 4, 6));
    assert_eq!(ended.discontinuity_sequence, 1);

    let index = master(&harness, Event::sample("playlist-recording")).await;
    let uri = &index.variants[0].uri;
    // What was measured, not what the settings would have allowed.
    let (announced, measured) = (index.variants[0].bandwidth, (650_000 + 32_000) * 8 / 2);
    assert!(announced.abs_diff(measured) <= measured / 10, "{announced}");
    assert_eq!(uri, &format!("/us-east-1/playlists/{}/vod/720p.m3u8", session.broadcast));
    let vod = media_of(&harness.view(&Event::sample("playlist-recording-media").path(uri)).await);
    assert_eq!((vod.playlist_type.clone(), vod.end_list), (Some(MediaPlaylistType::Vod), true));
    assert_eq!((vod.segments.len(), vod.media_sequence, vod.discontinuity_sequence), (10, 0, 0));
    let audio = uri.replace("720p", "audio");
    assert_eq!(
        media_of(&harness.view(&Event::sample("playlist-media").path(&audio)).await).segments.len(),
        10
    );

    // The next broadcast does not disturb it.
    let next = harness.allowed(2).await;
    assert_ne!(next.broadcast, session.broadcast);
    assert!(media(&harness, "720p").await.end_list);
    assert_eq!(media_of(&harness.view(&Event::sample("playlist-recording-media")).await).segments.len(), 10);
}

#[tokio::test]
async fn a_recording_has_what_was_there_most_of_the_time() {
    let (harness, session, lease) = live(12).await;
    for number in 0..10 {
        put(&harness, &lease, number, |entry| {
            let mut high = entry.renditions[0].clone();
            (high.name, high.max_bitrate) = ("1080p".into(), 6_000_000);
            high.kind = TrackKind::Video { width: 1920, height: 1080, millifps: 30_000 };
            entry.renditions.insert(0, high);
            match number {
                // At first another rung was made; then the machine was too slow, and the encoder came back with sound only.
                0 => entry.renditions[1].name = "540p".into(),
                7 | 8 => drop(entry.renditions.remove(0)),
                9 => {
                    entry.renditions.drain(..2);
                    entry.video = None;
                }
                _ => {}
            }
        })
        .await;
    }
    harness.unpublish(&session).await;
    later(60);
    let index = master(&harness, Event::sample("playlist-recording")).await;
    let heights: BTreeSet<_> = index.variants.iter().filter_map(|one| Some(one.resolution?.height)).collect();
    assert_eq!(heights, [720, 1080].into());
    assert_eq!(index.alternatives.len(), 1, "and its sound");
    let high = index.variants.iter().find(|one| one.uri.contains("1080p")).unwrap();
    let vod = media_of(&harness.view(&Event::sample("playlist-recording-media").path(&high.uri)).await);
    assert_eq!(
        gaps(&vod),
        [[false; 9].as_slice(), &[true]].concat(),
        "only where there are no pictures at all"
    );
    let own = vod.segments.iter().filter(|segment| segment.uri.contains("/1080p/")).count();
    let stands_in = vod.segments[7..9].iter().all(|segment| segment.uri.contains("/720p/"));
    assert!(own >= 7 && stands_in, "{vod:?}");
}

#[tokio::test]
async fn a_broadcast_that_another_one_has_replaced_ends_when_its_task_has_left() {
    let harness = Harness::with(|stream| stream.settings.reconnect_window_seconds = 0).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    let lease = harness.lease().await;
    put(&harness, &lease, 0, |_| {}).await;
    harness.unpublish(&session).await;
    later(1);
    let next = harness.allowed(2).await;
    assert_ne!(next.broadcast, session.broadcast);
    put(&harness, &lease, 1, |_| {}).await;
    let draining = media(&harness, "720p").await;
    assert_eq!((draining.end_list, draining.segments.len()), (false, 2), "it has more to write");
    let goodbye = Health { activity: Activity::Leaving, ..flowing(&session) };
    harness.heartbeat(&session, &lease, "process", goodbye).await;
    later(1);
    assert!(media(&harness, "720p").await.end_list);
}

#[tokio::test]
async fn settings_that_shape_a_playlist_hold_for_the_broadcast() {
    let (harness, session, lease) = live(12).await;
    for number in 0..20 {
        put(&harness, &lease, number, |_| {}).await;
    }
    assert_eq!(media(&harness, "720p").await.media_sequence, 14);
    let mut document = harness.table.stream(&session.stream).await.unwrap().unwrap();
    (document.settings.dvr_window_seconds, document.settings.latency) = (600, Latency::Low);
    document.settings.publish_policy = PublishPolicy::Reject;
    document.version += 1;
    harness.table.put_stream(&document).await.unwrap();
    harness.unpublish(&session).await;
    let again = harness.allowed(2).await;
    assert_eq!(again.broadcast, session.broadcast);
    assert_eq!(media(&harness, "720p").await.media_sequence, 14, "what has left does not come back");
    let replicated = harness.table.replicated_state(&session.stream).await.unwrap();
    let settings = &replicated.session().unwrap().settings;
    assert_eq!((settings.latency, settings.publish_policy), (Latency::Standard, PublishPolicy::Reject));
    harness.unpublish(&again).await;
    later(60);
    harness.allowed(3).await;
    let replicated = harness.table.replicated_state(&session.stream).await.unwrap();
    assert_eq!(
        replicated.session().unwrap().settings,
        document.settings,
        "the next broadcast has the new ones"
    );
}

#[tokio::test]
async fn the_multivariant_playlist_offers_what_there_is() {
    let (harness, session, lease) = live(60).await;
    for number in 0..3 {
        put(&harness, &lease, number, |entry| {
            let mut low = entry.renditions[0].clone();
            low.name = "360p".into();
            low.kind = TrackKind::Video { width: 640, height: 360, millifps: 29_970 };
            low.codecs = "avc1.64001e".into();
            (low.bytes, low.max_bitrate) = (200_000, 900_000);
            entry.renditions.insert(1, low);
        })
        .await;
    }
    let list = master(&harness, Event::sample("playlist-multivariant")).await;
    let find =
        |name: &str| list.variants.iter().find(|variant| variant.uri.ends_with(&format!("/{name}.m3u8")));
    let (high, low) = (find("720p").unwrap(), find("360p").unwrap());
    assert_eq!(high.uri, format!("/us-east-1/playlists/{}/720p.m3u8", session.broadcast));
    assert_eq!(high.codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
    assert_eq!(low.codecs.as_deref(), Some("avc1.64001e,mp4a.40.2"));
    assert_eq!(high.resolution.map(|size| (size.width, size.height)), Some((1280, 720)));
    assert!((low.frame_rate.unwrap() - 29.97).abs() < 1e-6);
    assert_eq!(high.bandwidth, 3_080_000 + 140_000);
    // Two seconds of picture; the sound beside it is up to one frame of AAC longer or shorter.
    let average = (650_000 + 32_000) * 8 / 2;
    assert!(
        high.average_bandwidth.unwrap().abs_diff(average) <= 128_000 / 90,
        "{:?}",
        high.average_bandwidth
    );
    assert!(list.independent_segments);
    let audio = &list.alternatives[0];
    assert_eq!((list.alternatives.len(), &audio.media_type), (1, &AlternativeMediaType::Audio));
    assert_eq!(high.audio.as_ref(), Some(&audio.group_id));
    assert!(audio.default && audio.autoselect);
    let audio_uri = audio.uri.as_deref().unwrap();
    assert_eq!(audio_uri, format!("/us-east-1/playlists/{}/audio.m3u8", session.broadcast));
    for uri in list.variants.iter().map(|variant| variant.uri.as_str()).chain([audio_uri]) {
        let answer = harness.view(&Event::sample("playlist-media").path(uri)).await;
        assert_eq!(media_of(&answer).segments.len(), 3, "{uri} is there");
    }
}

#[tokio::test]
async fn a_stream_without_sound_or_without_picture_plays() {
    for (kept, codecs) in [(0, "avc1.64001f"), (1, "mp4a.40.2")] {
        let (harness, _, lease) = live(60).await;
        for number in 0..3 {
            put(&harness, &lease, number, |entry| {
                entry.renditions = vec![entry.renditions[kept].clone()];
                if kept == 0 { entry.audio = None } else { entry.video = None }
            })
            .await;
        }
        let list = master(&harness, Event::sample("playlist-multivariant")).await;
        assert_eq!((list.variants.len(), list.alternatives.len()), (1, 0));
        assert_eq!(list.variants[0].codecs.as_deref(), Some(codecs));
        let event = Event::sample("playlist-media").path(&list.variants[0].uri);
        assert_eq!(gaps(&media_of(&harness.view(&event).await)), [false, false, false]);
    }
}

#[tokio::test]
async fn the_playback_url_follows_the_encoder_to_the_other_region() {
    let (harness, _, lease) = live(60).await;
    harness.commit(&lease, 0).await;
    later(20);
    let b = harness.other_region();
    let second = b.allowed(2).await;
    b.heartbeat_live(&second).await;
    put(&harness, &b.lease().await, 24, |entry| (entry.discontinuity, entry.discontinuities) = (true, 1))
        .await;
    for region in [&harness, &b] {
        let list = master(region, Event::sample("playlist-multivariant")).await;
        assert!(list.variants[0].uri.starts_with("/eu-west-1/playlists/"), "{}", list.variants[0].uri);
    }
    assert!(now().0 > 0);
}
