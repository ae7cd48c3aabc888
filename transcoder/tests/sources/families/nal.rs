//! H.264 as it comes: NAL units of all kinds, slices, parameter sets, GOPs (ITU-T H.264, ISO/IEC 14496-15).

use super::super::bits::Bits;
use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{Message, VIDEO, each, parameter_sets, pictures};

/// SEI of user data without meaning (D.1.6): 16 bytes of UUID and some text.
const SEI: &[u8] =
    b"\x06\x05\x18\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10headless\x80";
const AUD: &[u8] = b"\x09\xf0";
const FILLER: &[u8] = b"\x0c\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80";
const END_OF_SEQUENCE: &[u8] = b"\x0a";
const END_OF_STREAM: &[u8] = b"\x0b";

/// An ordinary source whose pictures have these NAL units in front and behind.
fn around(front: &'static [&'static [u8]], behind: &'static [&'static [u8]]) -> impl Fn() -> Vec<Message> {
    move || {
        pictures(clip().flv(), |_, one| {
            let units: Vec<Vec<u8>> = one.nals().into_iter().map(<[u8]>::to_vec).collect();
            let all =
                front.iter().copied().chain(units.iter().map(Vec::as_slice)).chain(behind.iter().copied());
            vec![one.with_nals(all)]
        })
    }
}

/// Parameter sets in front of each IDR picture.
fn in_band(all: Vec<Message>, sps: &[u8], pps: &[u8]) -> Vec<Message> {
    pictures(all, |_, one| {
        if !one.is_key() {
            return vec![one];
        }
        let units: Vec<Vec<u8>> = one.nals().into_iter().map(<[u8]>::to_vec).collect();
        vec![one.with_nals([sps, pps].into_iter().chain(units.iter().map(Vec::as_slice)))]
    })
}

/// Lengths of two bytes instead of four, in header and pictures (5.3.3.1.2).
fn short_lengths(all: Vec<Message>, bytes: usize) -> Vec<Message> {
    each(all, |one| {
        if one.kind != VIDEO {
            return vec![one];
        }
        let mut body = one.body.to_vec();
        if one.is_header() {
            body[9] = 0xfc | (bytes - 1) as u8;
        } else {
            body.truncate(5);
            for unit in one.nals() {
                body.extend_from_slice(&(unit.len() as u32).to_be_bytes()[4 - bytes..]);
                body.extend_from_slice(unit);
            }
        }
        vec![Message::new(VIDEO, one.time, body)]
    })
}

/// Start codes instead of lengths (H.264 annex B).
fn start_codes(all: Vec<Message>, code: &'static [u8]) -> Vec<Message> {
    pictures(all, |_, one| {
        let mut body = one.body[..5].to_vec();
        for unit in one.nals() {
            body.extend_from_slice(code);
            body.extend_from_slice(unit);
        }
        vec![Message::new(VIDEO, one.time, body)]
    })
}

/// Baseline pictures whose PPS claims two slice groups (FMO, 7.3.2.2), which nobody decodes today. There are more than 20 s
/// of them: for so long is waited for something that can be decoded.
fn slice_groups() -> Vec<Message> {
    // PPS 0 of SPS 0: CAVLC, no bottom fields, two slice groups, interleaved by one macroblock each.
    let pps = Bits::default()
        .put(8, 0x68)
        .put(1, 1)
        .put(1, 1)
        .put(2, 0)
        .put(3, 0b010)
        .put(1, 1)
        .put(1, 1)
        .put(1, 1);
    let pps = pps.put(1, 1).put(1, 1).put(3, 0).put(1, 1).put(1, 1).put(1, 1).put(3, 0).put(1, 1).bytes();
    let all = clip().rate("25", 550).silent_film().x264("-profile:v baseline -g 25").flv();
    let (sps, _) = parameter_sets(&all);
    each(all, |one| {
        if !(one.kind == VIDEO && one.is_header()) {
            return vec![one];
        }
        let mut record = one.body[..11].to_vec();
        record.extend_from_slice(&(sps.len() as u16).to_be_bytes());
        record.extend_from_slice(&sps);
        record.push(1);
        record.extend_from_slice(&(pps.len() as u16).to_be_bytes());
        record.extend_from_slice(&pps);
        vec![Message::new(VIDEO, 0, record)]
    })
}

#[expect(clippy::too_many_lines, reason = "a table: one case under the other")]
pub fn units() -> Vec<Case> {
    vec![
        case("zero-length NAL units in front", "bluenviron/mediamtx#2375", 75, 3.0, around(&[b""], &[])),
        case(
            "zero-length NAL units behind",
            "FFmpeg 4.4 from padded Annex B",
            75,
            3.0,
            around(&[], &[b"", b""]),
        ),
        case("access unit delimiters", "H.264 7.4.1.2.3; RootEncoder#501", 75, 3.0, around(&[AUD], &[])),
        case("SEI in front of each picture", "RootEncoder#501", 75, 3.0, around(&[SEI, SEI], &[])),
        case(
            "filler data behind each picture",
            "H.264 7.4.2.7; constant bitrate of hardware",
            75,
            3.0,
            around(&[], &[FILLER]),
        ),
        case(
            "an end of sequence behind each picture that precedes an IDR",
            "H.264 7.4.1.2.4; membrane_h26x_plugin#29",
            75,
            3.0,
            || {
                pictures(clip().flv(), |at, one| {
                    let units: Vec<Vec<u8>> = one.nals().into_iter().map(<[u8]>::to_vec).collect();
                    let end: &[&[u8]] = if at % 25 == 24 { &[END_OF_SEQUENCE] } else { &[] };
                    vec![one.with_nals(units.iter().map(Vec::as_slice).chain(end.iter().copied()))]
                })
            },
        ),
        case("an end of stream at the end", "H.264 7.4.2.6", 75, 3.0, || {
            pictures(clip().flv(), |at, one| match at {
                74 => vec![one.clone(), one.with_nals([END_OF_SEQUENCE, END_OF_STREAM])],
                _ => vec![one],
            })
        }),
        case("an end of sequence as a message of its own", "Adobe FMLE; FLV 10.1 E.4.3.1", 75, 3.0, || {
            pictures(clip().flv(), |at, one| match at % 25 {
                24 => vec![one.clone(), one.with_nals([END_OF_SEQUENCE])],
                _ => vec![one],
            })
        }),
        case("SEI in messages of their own", "medooze/media-server#379; DJI", 75, 3.0, || {
            pictures(clip().flv(), |_, one| vec![one.with_nals([SEI]), one])
        }),
        case(
            "pictures without anything in them now and then",
            "arut/nginx-rtmp-module#1734",
            75,
            3.0,
            || {
                pictures(clip().flv(), |at, one| match at % 10 {
                    5 => vec![Message::new(VIDEO, one.time, one.body.slice(..5)), one],
                    _ => vec![one],
                })
            },
        ),
        case(
            "NAL units of types that are not used",
            "H.264 table 7-1: 24 to 31 are ignored",
            75,
            3.0,
            around(&[b"\x18\x01\x02", b"\x1f\x00"], &[b"\x0e\x01\x02\x03"]),
        ),
        case("lengths of two bytes", "ISO/IEC 14496-15 5.3.3.1.2: lengthSizeMinusOne", 75, 3.0, || {
            short_lengths(clip().flv(), 2)
        }),
        case(
            "start codes of four bytes instead of lengths",
            "RootEncoder#2086; LibRtmp-Client-for-Android#103",
            75,
            3.0,
            || start_codes(clip().flv(), b"\0\0\0\x01"),
        ),
        case("start codes of three bytes instead of lengths", "H.264 annex B", 75, 3.0, || {
            start_codes(clip().flv(), b"\0\0\x01")
        }),
        case("start codes with zeros before them", "H.264 B.1.1: leading_zero_8bits", 75, 3.0, || {
            start_codes(clip().flv(), b"\0\0\0\0\0\0\x01")
        }),
        case("start codes behind the first length", "RootEncoder#2086: SEI and IDR in one", 75, 3.0, || {
            pictures(clip().flv(), |_, one| {
                let units = one.nals().join(&b"\0\0\0\x01"[..]);
                vec![one.with_nals([units.as_slice()])]
            })
        }),
    ]
}

pub fn sets() -> Vec<Case> {
    vec![
        case("parameter sets in band, too", "H.264 7.4.1.2.1; RootEncoder#501", 75, 3.0, || {
            let all = clip().flv();
            let (sps, pps) = parameter_sets(&all);
            in_band(all, &sps, &pps)
        }),
        case("parameter sets in band alone", "ossrs/srs#2994", 75, 3.0, || {
            let all = clip().flv();
            let (sps, pps) = parameter_sets(&all);
            let all = in_band(all, &sps, &pps);
            all.into_iter().filter(|one| !(one.kind == VIDEO && one.is_header())).collect()
        }),
        case("parameter sets in messages of their own", "LibRtmp-Client-for-Android#103", 75, 3.0, || {
            let all = clip().flv();
            let (sps, pps) = parameter_sets(&all);
            let all = pictures(all, |_, one| match one.is_key() {
                true => vec![one.with_nals([sps.as_slice()]), one.with_nals([pps.as_slice()]), one],
                false => vec![one],
            });
            all.into_iter().filter(|one| !(one.kind == VIDEO && one.is_header())).collect()
        }),
        case("parameter sets with another number", "H.264 7.4.2.1.1: ids up to 31", 75, 3.0, || {
            clip().x264("-g 25 -x264-params sps-id=7").flv()
        }),
        case(
            "a header of baseline, parameter sets of High in band",
            "ossrs/srs#635: DJI GO",
            75,
            3.0,
            || {
                let (baseline, high) =
                    (clip().x264("-profile:v baseline -g 25").flv(), clip().x264("-g 25 -bf 2").flv());
                let header = baseline.into_iter().find(|one| one.kind == VIDEO && one.is_header()).unwrap();
                let (sps, pps) = parameter_sets(&high);
                each(in_band(high, &sps, &pps), |one| match one.kind == VIDEO && one.is_header() {
                    true => vec![header.clone()],
                    false => vec![one],
                })
            },
        ),
        case(
            "an SPS of another size from an IDR on, told by a header",
            "yasea#840; hls.js#2062",
            75,
            3.0,
            || {
                let (first, second) = (clip().flv(), clip().size(160, 90).flv());
                let header = second.iter().find(|one| one.kind == VIDEO && one.is_header()).unwrap().clone();
                let mut later = second.into_iter().filter(Message::is_picture);
                pictures(first, |at, one| {
                    let other = later.next().unwrap();
                    match at {
                        0..50 => vec![one],
                        50 => vec![Message { time: one.time, ..header.clone() }, other],
                        _ => vec![other],
                    }
                })
            },
        ),
        case("an SPS of another size from an IDR on, in band alone", "wacky6/hikaru#33", 75, 3.0, || {
            let (first, second) = (clip().flv(), clip().size(160, 90).flv());
            let (sps, pps) = parameter_sets(&second);
            let mut later = in_band(second, &sps, &pps).into_iter().filter(Message::is_picture);
            let (sps, pps) = parameter_sets(&first);
            pictures(in_band(first, &sps, &pps), |at, one| {
                let other = later.next().unwrap();
                vec![if at < 50 { one } else { other }]
            })
        }),
    ]
}

pub fn slices() -> Vec<Case> {
    vec![
        case("four slices a picture", "H.264 7.4.3; hardware encoders", 75, 3.0, || {
            clip().x264("-g 25 -slices 4").flv()
        }),
        case("slices in messages of their own", "ossrs/srs-librtmp#31", 75, 3.0, || {
            pictures(clip().x264("-g 25 -slices 3").flv(), |_, one| {
                one.nals().into_iter().map(|unit| one.with_nals([unit])).collect()
            })
        }),
        case("CAVLC, baseline", "H.264 A.2.1; every camera", 75, 3.0, || {
            clip().x264("-profile:v baseline -g 25").flv()
        }),
        case(
            "baseline with slice groups (FMO)",
            "H.264 A.2.1; no decoder in use has it",
            0,
            0.0,
            slice_groups,
        )
        .says("cannot be decoded"),
        case("constrained intra prediction", "H.264 7.4.2.2", 75, 3.0, || {
            clip().x264("-g 25 -x264-params constrained-intra=1").flv()
        }),
        case("weighted prediction and eight references", "H.264 7.4.3.2", 75, 3.0, || {
            clip().x264("-g 25 -bf 3 -x264-params weightp=2:weightb=1:ref=8").flv()
        }),
        case("lossless", "H.264 A.2.8: High 4:4:4 Predictive", 75, 3.0, || clip().x264("-g 25 -qp 0").flv()),
    ]
}

pub fn groups() -> Vec<Case> {
    vec![
        case("B-frames", "H.264 7.4.3; OBS", 75, 3.0, || clip().x264("-g 25 -bf 3").flv()),
        case("a pyramid of B-frames", "x264 b-pyramid", 75, 3.0, || {
            clip().x264("-g 25 -bf 7 -b_strategy 0 -x264-params b-pyramid=normal").flv()
        }),
        case("open GOPs", "ossrs/srs#635; ExoPlayer#1660", 75, 3.0, || {
            clip().x264("-g 25 -bf 3 -x264-params open-gop=1").flv()
        }),
        case(
            "intra refresh with recovery points, one IDR",
            "w3c/webcodecs#650; x264 intra-refresh",
            150,
            6.0,
            || clip().rate("25", 150).x264("-g 25 -x264-params intra-refresh=1").flv(),
        ),
        case("intra refresh without any IDR", "H.264 D.2.8; joining in its middle", 0, 11.0, || {
            let all = clip().rate("25", 275).x264("-g 25 -x264-params intra-refresh=1").flv();
            all.into_iter().filter(|one| !one.is_key()).collect()
        })
        .says("no picture can be decoded")
        .live(),
        case("one key frame and no more", "nginx-rtmp-module#1192: browsers' recorders", 150, 6.0, || {
            clip().rate("25", 150).x264("-g 9999").flv()
        }),
        case("key frames alone", "H.264 A.2.8.1; capture cards", 75, 3.0, || clip().x264("-g 1").flv()),
        case("key frames 8 s apart", "bluenviron/gohlslib#79", 250, 10.0, || {
            clip().rate("25", 250).x264("-g 200").flv()
        }),
        case("the same picture twice, with a later time", "encoders that fill gaps", 75, 3.0, || {
            // As an IDR it is another picture; as any other its frame number says that it is the same.
            pictures(clip().x264("-g 1").flv(), |at, one| match at % 10 {
                5 => vec![one.clone(), Message { time: one.time + 20, ..one }],
                _ => vec![one],
            })
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nal_units() {
    hold("nal units", units()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_sets_and_slices() {
    hold("parameter sets and slices", sets().into_iter().chain(slices()).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_pictures() {
    hold("groups of pictures", groups()).await;
}
