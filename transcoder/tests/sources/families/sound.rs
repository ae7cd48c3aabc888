//! Sound: AAC of all rates and channels, HE-AAC and how it is told, ADTS, and what is left out (ISO/IEC 14496-3).

use super::super::aac::{self, HighEfficiency};
use super::super::case::{Case, case, hold};
use super::super::clip::{Clip, clip};
use super::super::message::{AUDIO, DATA, Message, each, merged, only, timed};

/// The same in each channel, so that mixing them down changes nothing.
const FIVE: &str = "-af pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0 -ar 48000";
const SEVEN: &str = "-af pan=7.1(wide)|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0|FLC=c0|FRC=c0 -ar 48000";

fn sounding(options: &'static str) -> impl Fn() -> Vec<Message> {
    move || clip().aac(options).flv()
}

/// Pictures of an ordinary source with other sound.
fn with_sound(clip: &Clip, sound: Vec<Message>) -> Vec<Message> {
    merged([only(clip.flv(), |one| one.kind != AUDIO), sound])
}

/// Two seconds of pictures with recorded HE-AAC; `config` makes the configuration that is sent of the encoder's.
fn high_efficiency(file: &'static [u8], rate: u32, config: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Message> {
    let sound = HighEfficiency::read(file, rate);
    let config = config(&sound.config);
    with_sound(&clip().rate("25", 50), only(sound.messages(&config), |one| one.time < 2_000))
}

fn version_1(config: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Message> {
    high_efficiency(include_bytes!("../captures/he-aac-v1.bin"), 48_000, config)
}

fn version_2(config: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Message> {
    high_efficiency(include_bytes!("../captures/he-aac-v2.bin"), 44_100, config)
}

/// 960 samples a frame at 48 kHz: 20 ms.
fn short_frames() -> Vec<Message> {
    let frames = (0..150).map(|at| aac::frame(at * 20, &aac::rough_frame(192)));
    let sound = [aac::header(&aac::config(48_000, 1, true))].into_iter().chain(frames).collect();
    with_sound(&clip(), sound)
}

/// ADTS frames instead of raw ones.
fn adts(with_header: bool) -> Vec<Message> {
    each(clip().flv(), |one| match (one.kind, one.is_header()) {
        (AUDIO, true) if with_header => vec![one],
        (AUDIO, true) => vec![],
        (AUDIO, false) => vec![aac::frame(one.time, &aac::adts(&one.body[2..], 48_000, 2))],
        _ => vec![one],
    })
}

/// No sound, nor a header of it, before `from` (ms).
fn late_header(from: u32) -> Vec<Message> {
    let all = clip().flv();
    let header = all.iter().find(|one| one.kind == AUDIO && one.is_header()).unwrap().clone();
    let rest = only(all, |one| one.kind != AUDIO || (one.is_sound() && one.time >= from));
    let at = rest.iter().position(|one| one.is_sound()).unwrap();
    let (before, after) = rest.split_at(at);
    [before, &[Message { time: from, ..header }], after].concat()
}

pub fn rates() -> Vec<Case> {
    vec![
        case(
            "AAC at 8 kHz, mono",
            "ISO/IEC 14496-3 table 1.18; doorbells",
            75,
            3.0,
            sounding("-ar 8000 -ac 1 -b:a 16k"),
        ),
        case(
            "AAC at 11.025 kHz",
            "ISO/IEC 14496-3 table 1.18",
            75,
            3.0,
            sounding("-ar 11025 -ac 2 -b:a 24k"),
        ),
        case("AAC at 16 kHz, mono", "IP cameras", 75, 3.0, sounding("-ar 16000 -ac 1 -b:a 24k")),
        case("AAC at 22.05 kHz", "old capture cards", 75, 3.0, sounding("-ar 22050 -ac 2")),
        case("AAC at 32 kHz", "DJI", 75, 3.0, sounding("-ar 32000 -ac 2")),
        case("AAC at 44.1 kHz", "FLV 10.1 E.4.2.1; phones", 75, 3.0, sounding("-ar 44100 -ac 2")),
        case("AAC at 64 kHz", "ISO/IEC 14496-3 table 1.18", 75, 3.0, sounding("-ar 64000 -ac 2 -b:a 96k")),
        case("AAC at 96 kHz", "ISO/IEC 14496-3 table 1.18", 75, 3.0, sounding("-ar 96000 -ac 2 -b:a 128k")),
        case("AAC mono at 48 kHz", "ISO/IEC 14496-3 table 1.19", 75, 3.0, sounding("-ar 48000 -ac 1")),
        case("AAC of 5.1", "ISO/IEC 14496-3 table 1.19: 6", 75, 3.0, sounding(FIVE)),
        case("AAC of 7.1", "ISO/IEC 14496-3 table 1.19: 7", 75, 3.0, sounding(SEVEN)),
        case("a rate that is spelled out", "ISO/IEC 14496-3 1.6.2.1: escape 15", 75, 3.0, || {
            each(clip().flv(), |one| match (one.kind, one.is_header()) {
                (AUDIO, true) => vec![aac::header(&aac::config_with_rate(48_000, 2))],
                _ => vec![one],
            })
        }),
        case(
            "FLV's flags say 5.5 kHz and mono",
            "FLV 10.1 E.4.2.1: they are ignored; srs#1749",
            75,
            3.0,
            || {
                each(clip().flv(), |one| {
                    let mut body = one.body.to_vec();
                    if one.kind == AUDIO {
                        body[0] = 0xa0;
                    }
                    vec![Message::new(one.kind, one.time, body)]
                })
            },
        ),
        case(
            "960 samples a frame",
            "ISO/IEC 14496-3 4.4.1: frameLengthFlag; mkvtoolnix#2031",
            75,
            3.0,
            short_frames,
        )
        .without_step(),
    ]
}

pub fn signalling() -> Vec<Case> {
    vec![
        case(
            "HE-AAC that is told behind the configuration",
            "ISO/IEC 14496-3 1.6.5.3; mediamtx#1068",
            50,
            2.0,
            || version_1(<[u8]>::to_vec),
        ),
        case("HE-AAC that is not told", "ISO/IEC 14496-3 1.6.5.3: implicit", 50, 2.0, || {
            version_1(|config| config[..2].to_vec())
        }),
        case("HE-AAC that is told first", "ISO/IEC 14496-3 1.6.5.2: hierarchical", 50, 2.0, || {
            version_1(|_| vec![0x2b, 0x09, 0x88, 0x00])
        }),
        case("HE-AAC v2 that is told behind the configuration", "ISO/IEC 14496-3 1.6.5.3", 50, 2.0, || {
            version_2(<[u8]>::to_vec)
        }),
        case("HE-AAC v2 that is not told", "ISO/IEC 14496-3 1.6.5.3: implicit", 50, 2.0, || {
            version_2(|config| config[..2].to_vec())
        }),
        case("HE-AAC v2 that is told first", "ISO/IEC 14496-3 1.6.5.2: hierarchical", 50, 2.0, || {
            version_2(|_| vec![0xeb, 0x8a, 0x08, 0x00])
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table: one case under the other")]
pub fn odd() -> Vec<Case> {
    vec![
        case("ADTS frames behind a sequence header", "ant-media/Ant-Media-Server#3790", 75, 3.0, || {
            adts(true)
        }),
        case("ADTS frames without a sequence header", "ant-media/Ant-Media-Server#3790", 75, 3.0, || {
            adts(false)
        }),
        case(
            "sound's sequence header a quarter of a second late",
            "RTMP 7.1: no order is told",
            75,
            2.8,
            || late_header(280),
        ),
        case("the same, and nothing tells that there will be sound", "no onMetaData", 75, 2.8, || {
            only(late_header(280), |one| one.kind != DATA)
        }),
        case("sound's sequence header half a second late", "beyond what is waited for", 75, 2.5, || {
            late_header(500)
        })
        .known_limit(
            "a header of sound more than 300 ms behind the first picture costs those up to the next key frame",
        ),
        case(
            "raw frames without a sequence header",
            "bluenviron/mediamtx#3802: DJI Osmo Action 4",
            200,
            0.0,
            || only(clip().rate("25", 200).flv(), |one| !(one.kind == AUDIO && one.is_header())),
        )
        .says("audio cannot be used")
        .live(),
        case("messages of sound without a frame now and then", "nginx-rtmp-module#1734", 75, 3.0, || {
            let mut count = 0;
            each(clip().flv(), |one| {
                count += u32::from(one.is_sound());
                let empty = (one.is_sound() && count % 10 == 0)
                    .then(|| Message::new(AUDIO, one.time, &b"\xaf\x01"[..]));
                empty.into_iter().chain([one]).collect()
            })
        }),
        case(
            "messages of sound with nothing at all",
            "E-RTMP: audio silence message; enhanced-rtmp#29",
            75,
            3.0,
            || {
                let mut count = 0;
                each(clip().flv(), |one| {
                    count += u32::from(one.is_sound());
                    let empty =
                        (one.is_sound() && count % 10 == 0).then(|| Message::new(AUDIO, one.time, &b""[..]));
                    empty.into_iter().chain([one]).collect()
                })
            },
        ),
        case("frames of silence", "video-dev/hls.js#412", 75, 0.0, || {
            let frames = (0..141).map(|at| aac::frame(at * 64 / 3, &aac::silent_frame()));
            let sound = [aac::header(&aac::config(48_000, 1, false))].into_iter().chain(frames).collect();
            with_sound(&clip(), sound)
        }),
        case(
            "sound of another rate and of other channels from half of it on",
            "bilibili/flv.js#293",
            75,
            3.0,
            || {
                let (first, second) = (clip().flv(), clip().aac("-ar 44100 -ac 1").flv());
                let header = second.iter().find(|one| one.kind == AUDIO && one.is_header()).unwrap().clone();
                let before = only(first, |one| one.kind != AUDIO || one.time < 2_000);
                let header = Message { time: 2_000, ..header };
                let after = only(second, |one| one.is_sound() && one.time >= 2_000);
                let mut all = before;
                let at = all.iter().position(|one| one.time >= 2_000).unwrap();
                let (head, tail) = all.split_at(at);
                let rest = merged([tail.to_vec(), after]);
                all = [head, &[header], &rest].concat();
                all
            },
        ),
        case("frames that are damaged now and then", "loss before RTMP", 75, 2.8, || {
            let mut count = 0;
            each(clip().flv(), |one| {
                count += u32::from(one.is_sound());
                let mut body = one.body.to_vec();
                if one.is_sound() && count % 40 == 0 {
                    body[2..].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(7));
                }
                vec![Message::new(one.kind, one.time, body)]
            })
        })
        .says("arrive damaged"),
        case("a clock of sound that is 0.2 % fast", "ossrs/srs#2409; sample clocks drift", 250, 10.0, || {
            timed(clip().rate("25", 250).flv(), |one| {
                if one.is_sound() { one.time - one.time / 500 } else { one.time }
            })
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_and_channels() {
    hold("rates and channels", rates()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn high_efficiency_is_heard() {
    hold("HE-AAC", signalling()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_sound() {
    hold("odd sound", odd()).await;
}
