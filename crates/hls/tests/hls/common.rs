//! Builders that the tests share.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part
#![allow(missing_docs, clippy::unwrap_used)]

use headwater_hls::{
    AudioGroup, FrameRate, Ladder, MediaDuration, PlaylistType, Segment, TargetDuration, Uri, Variant,
    WallClock, Window,
};

/// 2026-11-21T10:00:00.000Z
pub const START_MS: u64 = 1_795_255_200_000;

pub fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

pub fn ticks(count: u64) -> MediaDuration {
    MediaDuration::new(count, 90_000).unwrap()
}

pub fn at(ms_after_start: u64) -> WallClock {
    WallClock::from_unix_ms(START_MS + ms_after_start).unwrap()
}

/// A two-second segment as the transcoder makes them.
pub fn segment(number: u64) -> Segment {
    let base = "/us-east-1/media/b/7.us-east-1.k3jf9q2m/720p";
    Segment::new(uri(&format!("{base}/{number}.m4s")), ticks(180_000))
        .with_map(uri(&format!("{base}/init-1.mp4")))
        .at(at(2_000 * number))
}

pub fn live(media_sequence: u64, segments: Vec<Segment>) -> Window {
    Window {
        target_duration: TargetDuration::from_seconds(2).unwrap(),
        media_sequence,
        discontinuity_sequence: 0,
        playlist_type: PlaylistType::Live,
        ended: false,
        independent_segments: true,
        segments,
        low_latency: None,
    }
}

pub fn variant(name: &str, average: u64, width: u32, height: u32, codecs: &str) -> Variant {
    Variant {
        name: name.parse().unwrap(),
        uri: uri(&format!("/us-east-1/playlists/b/{name}.m3u8")),
        bandwidth: average * 5 / 4,
        average_bandwidth: average,
        codecs: codecs.parse().unwrap(),
        width,
        height,
        frame_rate: FrameRate::new(30_000, 1_001).unwrap(),
    }
}

pub fn audio() -> AudioGroup {
    AudioGroup {
        group_id: "audio".parse().unwrap(),
        name: "Main".parse().unwrap(),
        uri: uri("/us-east-1/playlists/b/audio.m3u8"),
        default: true,
        channels: 2,
        codecs: "mp4a.40.2".parse().unwrap(),
        bandwidth: 132_000,
        average_bandwidth: 128_000,
    }
}

pub fn ladder() -> Ladder {
    Ladder {
        video: vec![
            variant("360p", 800_000, 640, 360, "avc1.64001e"),
            variant("480p", 1_400_000, 854, 480, "avc1.64001f"),
            variant("720p", 2_800_000, 1280, 720, "avc1.64001f"),
        ],
        audio: Some(audio()),
        independent_segments: true,
    }
}
