//! Media playlists, to the letter, and the windows that are refused.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use crate::common::{at, live, segment, ticks, uri};
use headwater_hls::{
    ByteRange, MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, TimeError, WallClock,
    Window, WindowError,
};

fn render(window: Window) -> String {
    MediaPlaylist::new(window).unwrap().render()
}

#[test]
fn a_plain_live_window() {
    let text = render(live(7, (7..13).map(segment).collect()));
    assert_eq!(text, include_str!("../snapshots/live.m3u8"));
}

#[test]
fn an_event_with_a_failover_a_hole_and_its_end() {
    let other = "/eu-west-1/media/b/8.eu-west-1.zz81m2aa/720p";
    let window = Window {
        discontinuity_sequence: 3,
        playlist_type: PlaylistType::Event,
        ended: true,
        segments: vec![
            segment(0),
            Segment::new(segment(1).uri, ticks(105_105))
                .with_map(uri("/us-east-1/media/b/7.us-east-1.k3jf9q2m/720p/init-2.mp4"))
                .at(at(2_000)),
            Segment::new(uri(&format!("{other}/2.m4s")), ticks(180_000))
                .at(at(3_168))
                .lost(true)
                .after_break(true),
            Segment::new(uri(&format!("{other}/3.m4s")), ticks(180_000))
                .with_map(uri(&format!("{other}/init-1.mp4")))
                .at(at(5_168)),
            // The same init, but a break: it has to be said again.
            Segment::new(uri(&format!("{other}/4.m4s")), ticks(180_000))
                .with_map(uri(&format!("{other}/init-1.mp4")))
                .at(at(9_000))
                .after_break(true),
        ],
        ..live(0, Vec::new())
    };
    assert_eq!(render(window), include_str!("../snapshots/event_failover.m3u8"));
}

#[test]
fn a_recording_of_one_object() {
    let segments: Vec<_> = (0..3)
        .map(|n| {
            let audio = MediaDuration::new(if n == 2 { 1_024 } else { 95_232 }, 48_000).unwrap();
            Segment::new(uri("audio.mp4"), audio)
                .with_map(uri("audio-init.mp4"))
                .within(ByteRange { length: 32_000, offset: 800 + 32_000 * n })
        })
        .collect();
    let target_duration = TargetDuration::fitting(segments.iter().map(|s| s.duration));
    let window =
        Window { target_duration, playlist_type: PlaylistType::Vod, ended: true, ..live(0, segments) };
    assert_eq!(render(window), include_str!("../snapshots/vod_byteranges.m3u8"));
}

#[test]
fn windows_that_would_break_players_are_refused() {
    let refusal = |window: Window| MediaPlaylist::new(window).unwrap_err();
    let bare = Segment::new(uri("0.m4s"), ticks(180_000));

    assert_eq!(refusal(live(0, vec![])), WindowError::Empty);
    assert_eq!(
        refusal(Window { playlist_type: PlaylistType::Vod, ..live(0, vec![segment(0)]) }),
        WindowError::VodNotEnded
    );
    assert_eq!(refusal(live(u64::MAX, vec![segment(0)])), WindowError::SequenceOverflow);
    assert_eq!(
        refusal(live(0, vec![segment(0), bare.clone().at(at(0))])),
        WindowError::MapMissing { index: 1 }
    );
    let timeless = bare.with_map(uri("init.mp4"));
    assert_eq!(refusal(live(0, vec![timeless.clone()])), WindowError::DateTimeMissing { index: 0 });
    assert_eq!(
        refusal(live(0, vec![segment(0), timeless.after_break(true)])),
        WindowError::DateTimeMissing { index: 1 }
    );
    for range in [ByteRange { length: 0, offset: 0 }, ByteRange { length: 2, offset: u64::MAX }] {
        assert_eq!(refusal(live(0, vec![segment(0).within(range)])), WindowError::ByteRange { index: 0 });
    }
}

#[test]
fn a_segment_may_be_longer_than_the_target_by_less_than_half_a_second() {
    let with = |count| {
        let mut long = segment(1);
        long.duration = ticks(count);
        MediaPlaylist::new(live(0, vec![segment(0), long]))
    };
    assert!(with(224_999).is_ok());
    let refusal = with(225_000).unwrap_err();
    assert_eq!(refusal, WindowError::TooLong { index: 1, duration: ticks(225_000), target: 2 });
    assert_eq!(refusal.to_string(), "segment 1 of 2.500000 s is too long for a target duration of 2 s");
}

#[test]
fn the_fitting_target_is_the_longest_duration_rounded() {
    let fitting = |counts: &[u64]| TargetDuration::fitting(counts.iter().map(|&c| ticks(c))).seconds();
    assert_eq!(fitting(&[180_000, 224_999, 90_000]), 2);
    assert_eq!(fitting(&[180_000, 225_000]), 3);
    assert_eq!(fitting(&[1]), 1);
    assert_eq!(fitting(&[]), 1);
}

#[test]
fn numbers_that_are_no_time_are_refused() {
    assert_eq!(MediaDuration::new(1, 0), Err(TimeError::Timescale(0)));
    assert_eq!(MediaDuration::new(1, 1_000_001), Err(TimeError::Timescale(1_000_001)));
    assert_eq!(MediaDuration::new(0, 9), Err(TimeError::Duration { ticks: 0, timescale: 9 }));
    assert_eq!(MediaDuration::new(u64::MAX, 9), Err(TimeError::Duration { ticks: u64::MAX, timescale: 9 }));
    assert_eq!(TargetDuration::from_seconds(0), Err(TimeError::Target(0)));
    assert!(WallClock::from_unix_ms(253_402_300_800_000).is_err());
}

#[test]
fn wall_clock_is_right_on_the_days_that_calendars_get_wrong() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(WallClock::from_unix_ms(ms).unwrap().to_string(), text);
    }
}
