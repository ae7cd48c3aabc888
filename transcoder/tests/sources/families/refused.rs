//! What cannot be played is refused by name, so that the person at the encoder knows what to change.

use super::super::case::{Case, case, hold};
use super::super::clip::{clip, sound};
use super::super::message::{AUDIO, Message, VIDEO, each, merged, only};

/// The pictures of an ordinary source with sound by this encoder.
fn with_sound(options: &'static str) -> impl Fn() -> Vec<Message> {
    move || {
        merged([
            only(clip().flv(), |one| one.kind == VIDEO),
            only(sound(3.0, options), |one| one.kind == AUDIO),
        ])
    }
}

/// The same with each frame of sound behind this head: the codec, not the sound, is what matters.
fn with_head(head: &'static [u8]) -> impl Fn() -> Vec<Message> {
    move || {
        each(clip().flv(), |one| match (one.kind, one.is_header()) {
            (AUDIO, false) => vec![Message::new(AUDIO, one.time, [head, &one.body[2..]].concat())],
            (AUDIO, true) => vec![],
            _ => vec![one],
        })
    }
}

/// Pictures behind this head.
fn pictures_with_head(head: &'static [u8]) -> impl Fn() -> Vec<Message> {
    move || {
        each(clip().flv(), |one| match (one.kind, one.is_header()) {
            (VIDEO, false) => vec![Message::new(VIDEO, one.time, [head, &one.body[5..]].concat())],
            (VIDEO, true) => vec![],
            _ => vec![one],
        })
    }
}

pub fn of_sound() -> Vec<Case> {
    vec![
        case("MP3", "FLV 10.1 E.4.2.1: 2; ossrs/srs#2940", 75, 0.0, with_sound("-c:a libmp3lame -ar 44100"))
            .refused("MP3"),
        case("Speex", "FLV 10.1 E.4.2.1: 11", 75, 0.0, with_sound("-c:a libspeex -ar 16000 -ac 1"))
            .refused("Speex"),
        case(
            "G.711 A-law",
            "FLV 10.1 E.4.2.1: 7; hls.js#1325",
            75,
            0.0,
            with_sound("-c:a pcm_alaw -ar 8000 -ac 1"),
        )
        .refused("G.711"),
        case(
            "G.711 µ-law",
            "FLV 10.1 E.4.2.1: 8; restreamer#68",
            75,
            0.0,
            with_sound("-c:a pcm_mulaw -ar 8000 -ac 1"),
        )
        .refused("G.711"),
        case(
            "Nellymoser",
            "FLV 10.1 E.4.2.1: 6; PLDroidPlayer#23",
            75,
            0.0,
            with_sound("-c:a nellymoser -ar 44100 -ac 1"),
        )
        .refused("Nellymoser"),
        case("PCM", "FLV 10.1 E.4.2.1: 3", 75, 0.0, with_sound("-c:a pcm_s16le -ar 44100")).refused("PCM"),
        case("ADPCM", "FLV 10.1 E.4.2.1: 1", 75, 0.0, with_sound("-c:a adpcm_swf -ar 44100 -ac 1"))
            .refused("ADPCM"),
        case("Opus", "E-RTMP v2; enhanced-rtmp#2", 75, 0.0, with_head(b"\x91Opus")).refused("Opus"),
        case("FLAC", "E-RTMP v2", 75, 0.0, with_head(b"\x91fLaC")).refused("fLaC"),
        case("AC-3", "E-RTMP v2", 75, 0.0, with_head(b"\x91ac-3")).refused("ac-3"),
        case("E-AC-3", "E-RTMP v2", 75, 0.0, with_head(b"\x91ec-3")).refused("ec-3"),
        case("MP3 in the enhanced form", "E-RTMP v2", 75, 0.0, with_head(b"\x91.mp3")).refused(".mp3"),
    ]
}

pub fn of_pictures() -> Vec<Case> {
    vec![
        case("Sorenson H.263", "FLV 10.1 E.4.3.1: 2", 0, 0.0, pictures_with_head(b"\x12")).refused("H.263"),
        case("Screen video", "FLV 10.1 E.4.3.1: 3", 0, 0.0, pictures_with_head(b"\x13"))
            .refused("Screen video"),
        case("VP6", "FLV 10.1 E.4.3.1: 4", 0, 0.0, pictures_with_head(b"\x14")).refused("VP6"),
        case("VP8 in the enhanced form", "E-RTMP v2", 0, 0.0, pictures_with_head(b"\x91vp08"))
            .refused("vp08"),
        case("VVC", "E-RTMP v2: H.266", 0, 0.0, pictures_with_head(b"\x91vvc1\0\0\0")).refused("vvc1"),
        case("an enhanced codec of the future", "E-RTMP v2", 0, 0.0, pictures_with_head(b"\x91av02"))
            .refused("av02"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_by_name() {
    hold("refused by name", of_sound().into_iter().chain(of_pictures()).collect()).await;
}
