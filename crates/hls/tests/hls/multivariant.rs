//! Multivariant playlists, to the letter, and the ladders that are refused.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use crate::common::{audio, ladder, uri, variant};
use headwater_hls::{FrameRate, Ladder, LadderError, MultivariantPlaylist};

fn render(ladder: Ladder) -> String {
    MultivariantPlaylist::new(ladder).unwrap().render()
}

/// URI lines, in order.
fn listed(ladder: Ladder) -> Vec<String> {
    render(ladder).lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn video_with_a_shared_audio_group() {
    assert_eq!(render(ladder()), include_str!("../snapshots/multivariant.m3u8"));
}

#[test]
fn video_without_sound_names_no_group() {
    let text = render(Ladder { audio: None, ..ladder() });
    assert_eq!(text, include_str!("../snapshots/multivariant_silent.m3u8"));
}

#[test]
fn sound_without_video_is_the_variant_itself() {
    let text = render(Ladder { video: vec![], ..ladder() });
    assert_eq!(text, include_str!("../snapshots/multivariant_radio.m3u8"));
}

#[test]
fn the_first_variant_is_one_that_most_viewers_can_start_with() {
    let hd = || variant("1080p", 5_000_000, 1920, 1080, "avc1.640028");
    let low = || variant("360p", 800_000, 640, 360, "avc1.64001e");

    // No rung is cheap enough: the cheapest comes first.
    let heavy = Ladder {
        video: vec![hd(), variant("720p", 2_800_000, 1280, 720, "avc1.64001f")],
        audio: None,
        independent_segments: true,
    };
    assert_eq!(listed(heavy), ["/us-east-1/playlists/b/720p.m3u8", "/us-east-1/playlists/b/1080p.m3u8"]);
    // 1.95 Mbit/s fits alone, but not with its sound.
    let edge = variant("540p", 1_950_000, 960, 540, "avc1.64001f");
    let video = vec![low(), edge, hd()];
    let first = |audio| listed(Ladder { video: video.clone(), audio, independent_segments: true })[0].clone();
    assert_eq!(first(None), "/us-east-1/playlists/b/540p.m3u8");
    assert_eq!(first(Some(audio())), "/us-east-1/playlists/b/360p.m3u8");
}

#[test]
fn frame_rates_have_three_decimals() {
    let text = |frames, seconds| FrameRate::new(frames, seconds).unwrap().to_string();
    assert_eq!(text(30, 1), "30.000");
    assert_eq!(text(30_000, 1_001), "29.970");
    assert_eq!(text(24_000, 1_001), "23.976");
    assert_eq!(text(60_000, 1_001), "59.940");
    assert_eq!((FrameRate::new(0, 1), FrameRate::new(1, 0)), (None, None));
}

#[test]
fn ladders_that_would_break_players_are_refused() {
    let refusal = |ladder: Ladder| MultivariantPlaylist::new(ladder).unwrap_err();
    let with = |change: fn(&mut Ladder)| {
        let mut ladder = ladder();
        change(&mut ladder);
        refusal(ladder)
    };
    let name = || "480p".parse().unwrap();

    assert_eq!(
        refusal(Ladder { video: vec![], audio: None, independent_segments: true }),
        LadderError::Empty
    );
    assert_eq!(with(|l| l.video[1].height = 0), LadderError::Resolution { name: name() });
    assert_eq!(with(|l| l.video[0].name = l.video[1].name.clone()), LadderError::Twice { name: name() });
    assert_eq!(
        with(|l| l.video[1].uri = uri("/us-east-1/playlists/b/360p.m3u8")),
        LadderError::Twice { name: name() }
    );
    let average = 1_750_001;
    assert_eq!(
        with(|l| l.video[1].average_bandwidth = 1_750_001),
        LadderError::Bandwidth { name: name(), average, peak: 1_750_000 }
    );
    let silent = LadderError::Bandwidth { name: "Main".parse().unwrap(), average: 0, peak: 0 };
    let mute = with(|l| l.audio.iter_mut().for_each(|a| (a.bandwidth, a.average_bandwidth) = (0, 0)));
    assert_eq!(mute, silent);
}

#[test]
fn session_data_is_said_once_for_each_id_and_before_any_variant() {
    let id = || "example.note".parse().unwrap();
    let playlist = MultivariantPlaylist::new(ladder()).unwrap();
    let plain = playlist.render();
    let playlist = playlist.with_session_data(id(), "first, and = much; so".parse().unwrap());
    let text = playlist.with_session_data(id(), "second".parse().unwrap()).render();
    let line = "#EXT-X-SESSION-DATA:DATA-ID=\"example.note\",VALUE=\"second\",LANGUAGE=\"en\"\n";
    assert_eq!(text.replace(line, ""), plain);
    assert!(text.find(line).unwrap() < text.find("#EXT-X-MEDIA").unwrap());
}
