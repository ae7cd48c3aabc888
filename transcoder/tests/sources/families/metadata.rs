//! What encoders say of themselves beside the media: none of it is needed, and none of it may harm (FLV 10.1 E.5).

use bytes::Bytes;
use headwater_rtmp::amf::{Properties, Value, encode};

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{DATA, Message, each};

/// Data in AMF3 (RTMP 7.1.2): one byte in front.
const DATA_AMF3: u8 = 15;

fn named(values: &[(&str, Value)]) -> Properties {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn data(values: &[Value]) -> Bytes {
    encode(values)
}

/// An ordinary source with this instead of its metadata.
fn instead(bodies: Vec<Bytes>) -> Vec<Message> {
    each(clip().flv(), |one| match one.kind {
        DATA => bodies.iter().map(|body| Message::new(DATA, 0, body.clone())).collect(),
        _ => vec![one],
    })
}

fn set(values: Properties) -> Bytes {
    data(&["@setDataFrame".into(), "onMetaData".into(), Value::EcmaArray(values)])
}

fn lies() -> Properties {
    named(&[
        ("width", 7_680.0.into()),
        ("height", (-1.0).into()),
        ("framerate", 1_000.0.into()),
        ("videocodecid", 2.0.into()),
        ("audiocodecid", 11.0.into()),
        ("audiosamplerate", 5_500.0.into()),
        ("audiochannels", 17.0.into()),
        ("stereo", Value::Boolean(false)),
        ("duration", f64::NAN.into()),
        ("filesize", f64::INFINITY.into()),
        ("videodatarate", 0.002.into()),
        ("audiodatarate", (-5.0).into()),
    ])
}

/// The source with this message at each key frame.
fn beside(kind: u8, body: &Bytes) -> Vec<Message> {
    each(clip().flv(), |one| match one.is_key() {
        true => vec![Message::new(kind, one.time, body.clone()), one],
        false => vec![one],
    })
}

pub fn cases() -> Vec<Case> {
    vec![
        case("@setDataFrame", "Adobe FMLE; every encoder", 75, 3.0, || {
            instead(vec![set(named(&[("width", 192.0.into())]))])
        }),
        case("@setDataFrame twice", "obs-studio#10028", 75, 3.0, || {
            let frame = set(named(&[("width", 192.0.into())]));
            instead(vec![frame.clone(), frame])
        }),
        case("codecs by name", "obs-studio#3131: \"avc1\", \"mp4a\"", 75, 3.0, || {
            instead(vec![set(named(&[("videocodecid", "avc1".into()), ("audiocodecid", "mp4a".into())]))])
        }),
        case("codecs by FourCC as numbers", "bluenviron/mediamtx#2217", 75, 3.0, || {
            instead(vec![set(named(&[
                ("videocodecid", 1_752_589_105.0.into()),
                ("audiocodecid", 1_836_069_985.0.into()),
            ]))])
        }),
        case("lies about everything", "ossrs/srs#562; HaishinKit#577", 75, 3.0, || {
            instead(vec![set(lies())])
        }),
        case("empty metadata", "nginx-rtmp-module#755", 75, 3.0, || instead(vec![set(Vec::new())])),
        case("metadata that is an object without a name", "nginx-rtmp-module#755", 75, 3.0, || {
            instead(vec![data(&[Value::Object(lies())])])
        }),
        case("metadata that is no AMF", "a message that is cut short", 75, 3.0, || {
            instead(vec![Bytes::from_static(b"\x02\xff\xffon")])
        }),
        case("metadata without a body", "RTMP 7.1.2", 75, 3.0, || instead(vec![Bytes::new()])),
        case("60 kB of metadata", "encoders that add thumbnails", 75, 3.0, || {
            instead(vec![set(named(&[("thumbnail", Value::from("x".repeat(60_000).as_str()))]))])
        }),
        case("metadata again and again", "obs-studio: each change of the bitrate", 75, 3.0, || {
            beside(DATA, &set(named(&[("videodatarate", 300.0.into())])))
        }),
        case("metadata that changes its mind", "adaptive phones", 75, 3.0, || beside(DATA, &set(lies()))),
        case("text data", "onTextData; bluenviron/mediamtx#577", 75, 3.0, || {
            beside(DATA, &data(&["onTextData".into(), Value::Object(named(&[("text", "hello".into())]))]))
        }),
        case("cue points", "FLV 10.1 E.6: onCuePoint", 75, 3.0, || {
            beside(
                DATA,
                &data(&[
                    "onCuePoint".into(),
                    Value::Object(named(&[("name", "ad".into()), ("time", 1.0.into())])),
                ]),
            )
        }),
        case("RtmpSampleAccess", "Adobe FMS", 75, 3.0, || {
            beside(DATA, &data(&["|RtmpSampleAccess".into(), Value::Boolean(true), Value::Boolean(true)]))
        }),
        case("data in AMF3", "RTMP 7.1.2: type 15", 75, 3.0, || {
            let amf0 = data(&["onTextData".into(), "hello".into()]);
            beside(DATA_AMF3, &[&[0], &amf0[..]].concat().into())
        }),
        case("messages of a type that nobody knows", "issue 11, 1.9", 75, 3.0, || {
            beside(99, &Bytes::from_static(b"??"))
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata() {
    hold("metadata", cases()).await;
}
