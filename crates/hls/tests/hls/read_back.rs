//! What we write, a parser that is not ours reads back with the same values.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use crate::common::{audio, uri};
use headwater_hls::{
    AudioGroup, ByteRange, FrameRate, Ladder, MediaDuration, MediaPlaylist, MultivariantPlaylist,
    PlaylistType, Segment, TargetDuration, Variant, WallClock, Window,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let timescale =
        prop_oneof![Just(90_000_u32), Just(48_000), Just(44_100), Just(12_800), Just(1_000_000), Just(1)];
    let duration = (timescale, 1..10_000_000_u64)
        .prop_map(|(scale, n)| MediaDuration::new(1 + n % (10 * u64::from(scale)), scale).unwrap());
    let range = option::of(
        (1..u64::MAX / 2, 0..u64::MAX / 2).prop_map(|(length, offset)| ByteRange { length, offset }),
    );
    let one =
        (duration, "[a-z0-9/._~?=&%-]{1,40}", 0..3_u8, any::<[bool; 3]>(), 0..253_402_300_800_000_u64, range);
    let one = one.prop_map(|(duration, name, init, [breaks, gap, map_known], ms, byte_range)| {
        let mut segment = Segment::new(uri(&name), duration)
            .at(WallClock::from_unix_ms(ms).unwrap())
            .after_break(breaks)
            .lost(gap);
        segment.byte_range = byte_range;
        segment.map = (!gap || map_known).then(|| uri(&format!("init-{init}.mp4")));
        segment
    });
    vec(one, 1..40)
}

fn windows() -> impl Strategy<Value = Window> {
    let kinds = prop_oneof![Just(PlaylistType::Live), Just(PlaylistType::Event), Just(PlaylistType::Vod)];
    (segments(), kinds, any::<bool>(), any::<bool>(), any::<u32>(), any::<u32>(), 0..5_u32).prop_map(
        |(segments, playlist_type, ended, independent_segments, msn, dsn, spare)| Window {
            target_duration: TargetDuration::from_seconds(
                TargetDuration::fitting(segments.iter().map(|s| s.duration)).seconds() + spare,
            )
            .unwrap(),
            media_sequence: msn.into(),
            discontinuity_sequence: dsn.into(),
            playlist_type,
            ended: ended || playlist_type == PlaylistType::Vod,
            independent_segments,
            segments,
            low_latency: None,
        },
    )
}

/// The tick count that an EXTINF's decimals stand for.
fn ticks_of(decimal: &str, timescale: u32) -> u64 {
    let (seconds, fraction) = decimal.split_once('.').unwrap();
    assert_eq!(fraction.len(), 6);
    let micros: u128 = format!("{seconds}{fraction}").parse().unwrap();
    u64::try_from((2 * micros * u128::from(timescale) + 1_000_000) / 2_000_000).unwrap()
}

fn variants() -> impl Strategy<Value = Vec<Variant>> {
    let one = (
        1..9_000_000_u64,
        0..9_000_000_u64,
        1..4_000_u32,
        1..3_000_u32,
        (1..240_000_u32, prop_oneof![Just(1_000_u32), Just(1_001)]),
    );
    vec(one, 0..8).prop_map(|all| {
        let make = |(n, (average, spare, width, height, (frames, seconds)))| Variant {
            name: format!("r{n}, =<é>").parse().unwrap(),
            uri: uri(&format!("r{n}.m3u8")),
            bandwidth: average + spare,
            average_bandwidth: average,
            codecs: format!("avc1.64{n:04x}").parse().unwrap(),
            width,
            height,
            frame_rate: FrameRate::new(frames, seconds).unwrap(),
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

proptest! {
    #[test]
    fn media_playlists(window in windows()) {
        let text = MediaPlaylist::new(window.clone()).unwrap().render();
        let (rest, read) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();

        prop_assert!(rest.is_empty());
        prop_assert_eq!(read.version, Some(6));
        prop_assert_eq!(read.target_duration, u64::from(window.target_duration.seconds()));
        prop_assert_eq!(read.media_sequence, window.media_sequence);
        prop_assert_eq!(read.discontinuity_sequence, window.discontinuity_sequence);
        prop_assert_eq!(read.end_list, window.ended);
        prop_assert_eq!(read.independent_segments, window.independent_segments);
        let kind = match window.playlist_type {
            PlaylistType::Live => None,
            PlaylistType::Event => Some(m3u8_rs::MediaPlaylistType::Event),
            PlaylistType::Vod => Some(m3u8_rs::MediaPlaylistType::Vod),
        };
        prop_assert_eq!(&read.playlist_type, &kind);
        prop_assert_eq!(read.segments.len(), window.segments.len());
        let extinf: Vec<_> = text.lines().filter_map(|l| l.strip_prefix("#EXTINF:")?.strip_suffix(',')).collect();
        let mut current = None;
        for ((wrote, read), extinf) in window.segments.iter().zip(&read.segments).zip(extinf) {
            prop_assert_eq!(wrote.uri.as_str(), &read.uri);
            prop_assert_eq!(ticks_of(extinf, wrote.duration.timescale()), wrote.duration.ticks());
            prop_assert!(read.duration.round() as u32 <= window.target_duration.seconds());
            prop_assert_eq!(wrote.discontinuity, read.discontinuity);
            prop_assert_eq!(wrote.gap, read.unknown_tags.iter().any(|t| t.tag == "X-GAP"));
            prop_assert_eq!(wrote.program_date_time.map(|t| t.unix_ms() as i64), read.program_date_time.map(|t| t.timestamp_millis()));
            prop_assert_eq!(wrote.byte_range.map(|r| (r.length, Some(r.offset))), read.byte_range.as_ref().map(|r| (r.length, r.offset)));
            // The init in force, as a player sees it; after a break only one that was said again counts.
            if read.discontinuity { current = None; }
            if let Some(map) = &read.map { current = Some(map.uri.clone()); }
            if let Some(map) = &wrote.map { prop_assert_eq!(Some(map.as_str()), current.as_deref()); }
        }
    }

    #[test]
    fn multivariant_playlists(video in variants(), sound in option::of(Just(audio())), independent_segments in any::<bool>()) {
        prop_assume!(!video.is_empty() || sound.is_some());
        let ladder = Ladder { video: video.clone(), audio: sound.clone(), independent_segments };
        let text = MultivariantPlaylist::new(ladder).unwrap().render();
        let (rest, read) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();

        prop_assert!(rest.is_empty());
        prop_assert_eq!(read.independent_segments, independent_segments);
        prop_assert_eq!(read.variants.len(), video.len() + usize::from(sound.is_some()));
        let (extra, extra_average) = sound.as_ref().map_or((0, 0), |a: &AudioGroup| (a.bandwidth, a.average_bandwidth));
        for wrote in &video {
            let read = read.variants.iter().find(|v| v.uri == wrote.uri.as_str()).unwrap();
            prop_assert_eq!(read.bandwidth, wrote.bandwidth + extra);
            prop_assert_eq!(read.average_bandwidth, Some(wrote.average_bandwidth + extra_average));
            prop_assert_eq!(read.resolution.map(|r| (r.width, r.height)), Some((wrote.width.into(), wrote.height.into())));
            prop_assert_eq!(read.frame_rate.map(|r| format!("{r:.3}")), Some(wrote.frame_rate.to_string()));
            prop_assert_eq!(read.audio.as_deref(), sound.as_ref().map(|_| "audio"));
            let codecs = format!("{}{}", wrote.codecs, if sound.is_some() { ",mp4a.40.2" } else { "" });
            prop_assert_eq!(read.codecs.as_deref(), Some(&*codecs));
            prop_assert!(matches!(&read.other_attributes.as_ref().unwrap()["NAME"], m3u8_rs::QuotedOrUnquoted::Quoted(n) if n == wrote.name.as_str()));
        }
        let groups: Vec<_> = read.alternatives.iter().map(|a| (&*a.group_id, a.uri.as_deref(), a.default, a.autoselect, a.channels.as_deref())).collect();
        if sound.is_some() && !video.is_empty() {
            prop_assert_eq!(groups, [("audio", Some("/us-east-1/playlists/b/audio.m3u8"), true, true, Some("2"))]);
        } else {
            prop_assert!(groups.is_empty());
        }
        if let Some(sound) = &sound {
            let alone = read.variants.last().unwrap();
            prop_assert_eq!((&*alone.uri, alone.bandwidth, alone.codecs.as_deref()), (sound.uri.as_str(), sound.bandwidth, Some("mp4a.40.2")));
            prop_assert!(alone.resolution.is_none());
        }
    }
}
