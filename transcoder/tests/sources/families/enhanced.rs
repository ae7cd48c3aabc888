//! Every form of Enhanced RTMP (v1 and v2, veovera.org): FourCC codecs, frames without composition time, modifiers,
//! metadata frames, tracks.

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{AUDIO, Message, VIDEO, each, merged, only, timed};
use super::super::mp4;

const REFERENCE: &str = "E-RTMP v2";

/// Classic H.264 and AAC in the enhanced form.
fn enhanced(all: Vec<Message>, without_time: bool) -> Vec<Message> {
    each(all, |one| {
        let body = match one.kind {
            VIDEO => {
                let (frame, packet, time) = (one.body[0] & 0x70 | 0x80, one.body[1], &one.body[2..5]);
                let head = match packet {
                    1 if without_time && time == [0; 3] => [&[frame | 3], &b"avc1"[..]].concat(),
                    1 => [&[frame | 1], &b"avc1"[..], time].concat(),
                    other => [&[frame | other], &b"avc1"[..]].concat(),
                };
                [&head, &one.body[5..]].concat()
            }
            AUDIO => [&[0x90 | one.body[1]], &b"mp4a"[..], &one.body[2..]].concat(),
            _ => return vec![one],
        };
        vec![Message::new(one.kind, one.time, body)]
    })
}

/// As one track of several with this number (video packet type 6, audio 5; AvMultitrackType OneTrack).
fn one_track(all: Vec<Message>, track: u8) -> Vec<Message> {
    each(all, |one| {
        let multitrack = match one.kind {
            VIDEO => 6,
            AUDIO => 5,
            _ => return vec![one],
        };
        let packet = one.body[0] & 0x0f;
        let head = [&[one.body[0] & 0xf0 | multitrack, packet], &one.body[1..5], &[track]].concat();
        vec![Message::new(one.kind, one.time, [&head, &one.body[5..]].concat())]
    })
}

/// Modifiers in front of each coded frame (packet type 7): nanoseconds of the time, and one that nobody knows.
fn modified(all: Vec<Message>) -> Vec<Message> {
    each(all, |one| {
        if !(one.is_picture() || one.is_sound()) {
            return vec![one];
        }
        let packet = one.body[0] & 0x0f;
        // Size less one, data, type and the packet type that follows.
        let head = [one.body[0] & 0xf0 | 7, 2, 0x03, 0x0d, 0x40, 0x07, 0, 0xaa, 0xf0 | packet];
        vec![Message::new(one.kind, one.time, [&head, &one.body[1..]].concat())]
    })
}

/// In front of pictures, all 25 of them: HDR information, as OBS sends it.
fn with_colour_info(all: Vec<Message>, code: &'static [u8; 4]) -> Vec<Message> {
    let info = headwater_rtmp::amf::encode(&[
        "colorInfo".into(),
        headwater_rtmp::amf::Value::Object(vec![(
            "colorConfig".to_owned(),
            headwater_rtmp::amf::Value::Object(vec![("colorPrimaries".to_owned(), 9.0.into())]),
        )]),
    ]);
    each(all, |one| {
        let told = (one.kind == VIDEO && (one.is_header() || one.is_key()))
            .then(|| Message::new(VIDEO, one.time, [&[0xd4], &code[..], &info].concat()));
        told.into_iter().chain([one]).collect()
    })
}

fn coded(code: &'static [u8; 4], kind: &'static [u8; 4], options: &'static str) -> Vec<Message> {
    let (config, samples) = mp4::read(&clip().silent_film().encode("mp4", options), kind);
    let with_sound = clip().x264("-g 25 -bf 0").flv();
    // There the first picture has this time, here it is shown so much behind 0; so much later is the sound.
    let first = with_sound.iter().find(|one| one.is_picture()).map_or(0, |one| one.time);
    let later = samples[0].later as u32;
    let sound = only(with_sound, |one| one.kind == AUDIO && (one.is_header() || one.time + later >= first));
    let sound = timed(sound, |one| if one.is_sound() { one.time + later - first } else { 0 });
    merged([mp4::enhanced(code, (config, samples)), sound])
}

const HEVC: &str = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:pools=1:keyint=25:open-gop=0:bframes=3";
const OPEN_HEVC: &str = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:pools=1:keyint=25:min-keyint=25:open-gop=1:bframes=3";
const DEEP_HEVC: &str = "-c:v libx265 -preset ultrafast -tag:v hvc1 -pix_fmt yuv420p10le -x265-params log-level=none:pools=1:keyint=25:bframes=0";
const AV1: &str = "-c:v libsvtav1 -preset 12 -g 25 -svtav1-params lp=1";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -threads 1 -g 25";

pub fn codecs() -> Vec<Case> {
    vec![
        case("avc1 and mp4a", REFERENCE, 75, 3.0, || enhanced(clip().x264("-g 25 -bf 2").flv(), false)),
        case("avc1 without composition times", "E-RTMP v1: CodedFramesX", 75, 3.0, || {
            enhanced(clip().x264("-g 25 -bf 0").flv(), true)
        }),
        case(
            "avc1 with B-frames, times only where they are not 0",
            "E-RTMP v1: CodedFramesX",
            75,
            3.0,
            || enhanced(clip().x264("-g 25 -bf 2").flv(), true),
        ),
        case("avc1 with classic AAC", REFERENCE, 75, 3.0, || {
            each(clip().flv(), |one| if one.kind == VIDEO { enhanced(vec![one], false) } else { vec![one] })
        }),
        case("classic H.264 with mp4a", REFERENCE, 75, 3.0, || {
            each(clip().flv(), |one| if one.kind == AUDIO { enhanced(vec![one], false) } else { vec![one] })
        }),
        case("from classic to enhanced in mid-stream", "an encoder that was told to", 75, 3.0, || {
            let all = clip().flv();
            let headers: Vec<Message> = all.iter().filter(|one| one.is_header()).cloned().collect();
            let at = all.iter().position(|one| one.is_key() && one.time >= 1_900).unwrap();
            let (before, after) = all.split_at(at);
            let again = headers.into_iter().map(|one| Message { time: after[0].time, ..one });
            [before.to_vec(), enhanced(again.chain(after.to_vec()).collect(), false)].concat()
        }),
        case("hvc1", REFERENCE, 75, 3.0, || coded(b"hvc1", b"hvcC", HEVC)),
        case("hvc1 of open GOPs (CRA)", "H.265 table 7-1; FFmpeg with x265", 75, 3.0, || {
            coded(b"hvc1", b"hvcC", OPEN_HEVC)
        }),
        case("hvc1 of 10 bits", "H.265 A.3.3: Main 10; OBS HDR", 75, 3.0, || {
            coded(b"hvc1", b"hvcC", DEEP_HEVC)
        }),
        case("HEVC as codec 12", "Ant-Media-Server#6585; CDN-Union", 75, 3.0, || {
            each(coded(b"hvc1", b"hvcC", HEVC), |one| {
                if one.kind != VIDEO {
                    return vec![one];
                }
                let (frame, packet) = (one.body[0] & 0x70, one.body[0] & 0x0f);
                let (time, data) = match packet {
                    1 => (&one.body[5..8], &one.body[8..]),
                    _ => (&[0; 3][..], &one.body[5..]),
                };
                let head = [frame | 12, u8::from(packet != 0)];
                vec![Message::new(VIDEO, one.time, [&head, time, data].concat())]
            })
        }),
        case("av01", "AV1 in ISOBMFF 2.3.3; E-RTMP v1", 75, 3.0, || coded(b"av01", b"av1C", AV1)),
        case("vp09", "VP9 in ISOBMFF; E-RTMP v1", 75, 3.0, || coded(b"vp09", b"vpcC", VP9)),
    ]
}

pub fn forms() -> Vec<Case> {
    vec![
        case("modifiers in front of frames", "E-RTMP v2: ModEx, TimestampOffsetNano", 75, 3.0, || {
            modified(enhanced(clip().x264("-g 25 -bf 2").flv(), false))
        }),
        case("one track in the form of several", "E-RTMP v2: Multitrack, OneTrack", 75, 3.0, || {
            one_track(enhanced(clip().flv(), false), 0)
        }),
        case("a second track beside the first", "E-RTMP v2: trackId 1; obs-studio#10500", 75, 3.0, || {
            let all = clip().flv();
            each(all, |one| match one.kind {
                VIDEO | AUDIO => [vec![one.clone()], one_track(enhanced(vec![one], false), 1)].concat(),
                _ => vec![one],
            })
        })
        .refused("one video and one audio track"),
        case("several tracks in one message", "E-RTMP v2: ManyTracks; mediamtx#3685", 75, 3.0, || {
            each(enhanced(clip().flv(), false), |one| {
                if !one.is_picture() {
                    return vec![one];
                }
                let packet = one.body[0] & 0x0f;
                let data = &one.body[5..];
                let size = &(data.len() as u32).to_be_bytes()[1..];
                let head = [&[one.body[0] & 0xf0 | 6, 0x10 | packet], &one.body[1..5]].concat();
                let body = [&head, &[0][..], size, data, &[1], size, data].concat();
                vec![Message::new(VIDEO, one.time, body)]
            })
        })
        .refused("one video and one audio track"),
        case(
            "colour information in front of each key frame",
            "E-RTMP v1: Metadata; obs-studio#10028",
            75,
            3.0,
            || with_colour_info(coded(b"hvc1", b"hvcC", HEVC), b"hvc1"),
        ),
        case("colour information beside H.264", "E-RTMP v1: Metadata", 75, 3.0, || {
            with_colour_info(enhanced(clip().flv(), false), b"avc1")
        }),
        case("an end of sequence and a new start", "E-RTMP v2: SequenceEnd", 75, 3.0, || {
            let all = enhanced(clip().flv(), false);
            let header = all.iter().find(|one| one.kind == VIDEO).unwrap().clone();
            each(all, |one| match one.is_key() && one.time > 0 {
                true => vec![
                    Message::new(VIDEO, one.time, &b"\x92avc1"[..]),
                    Message { time: one.time, ..header.clone() },
                    one,
                ],
                false => vec![one],
            })
        }),
        case("how channels lie, in front of the sound", "E-RTMP v2: MultichannelConfig", 75, 3.0, || {
            each(enhanced(clip().flv(), false), |one| match one.kind == AUDIO && one.is_header() {
                true => vec![one, Message::new(AUDIO, 0, &b"\x94mp4a\x01\x02\0\0\0\x03"[..])],
                false => vec![one],
            })
        }),
        case("seek commands", "E-RTMP v1: VideoCommand; FLV 10.1 E.4.3.1: frame type 5", 75, 3.0, || {
            each(clip().flv(), |one| match one.is_key() {
                true => vec![
                    Message::new(VIDEO, one.time, &b"\xd0\x00"[..]),
                    Message::new(VIDEO, one.time, &b"\x57\x00"[..]),
                    one,
                ],
                false => vec![one],
            })
        }),
        case("a packet type that nobody knows", "E-RTMP v2: reserved", 75, 3.0, || {
            each(enhanced(clip().flv(), false), |one| match one.is_key() {
                true => vec![Message::new(VIDEO, one.time, &b"\x9eavc1\x01\x02"[..]), one],
                false => vec![one],
            })
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn enhanced_codecs() {
    hold("enhanced codecs", codecs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enhanced_forms() {
    hold("enhanced forms", forms()).await;
}
