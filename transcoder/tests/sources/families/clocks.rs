//! Timestamps: where they begin, how they step, wrap, repeat and stumble (RTMP 5.3.1.2, FLV 10.1 E.4.1).

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{AUDIO, Message, VIDEO, each, merged, only, pictures, timed};

/// Without B-frames, as phones and drones send: pictures are shown in the order in which they come.
fn in_order() -> Vec<Message> {
    clip().x264("-g 25 -bf 0").flv()
}

/// All times later by so much, as they go over the wire.
fn later(by: u32) -> impl Fn() -> Vec<Message> {
    move || timed(clip().x264("-g 25 -bf 2").flv(), |one| one.time.wrapping_add(by))
}

/// Sound whose times move in steps.
fn bursts(step: u32) -> impl Fn() -> Vec<Message> {
    move || timed(clip().flv(), |one| if one.is_sound() { one.time / step * step } else { one.time })
}

/// The sound's times, earlier or later by so many milliseconds than those of the pictures that come with it.
fn apart(sound: u32, picture: u32) -> Vec<Message> {
    timed(clip().rate("25", 250).flv(), |one| match (one.is_sound(), one.is_picture()) {
        (true, _) => one.time + sound,
        (_, true) => one.time + picture,
        _ => one.time,
    })
}

/// One picture's composition time.
fn composed(at: usize, millis: i32) -> impl Fn() -> Vec<Message> {
    move || {
        pictures(clip().x264("-g 25 -bf 2").flv(), |number, one| {
            let mut body = one.body.to_vec();
            if number == at {
                body[2..5].copy_from_slice(&millis.to_be_bytes()[1..]);
            }
            vec![Message::new(VIDEO, one.time, body)]
        })
    }
}

/// A number that looks drawn, but is the same each time.
fn noise(of: u32) -> u32 {
    of.wrapping_mul(2_654_435_761) >> 16
}

pub fn where_they_begin() -> Vec<Case> {
    vec![
        case(
            "times from 4 h 39 min on: they need 32 bits",
            "node-rtsp-rtmp-server#127; RTMP 5.3.1.3",
            75,
            3.0,
            later(0xff_fc00),
        ),
        case("times from 2^31 on", "go-livepeer#1422: after 24.8 days", 75, 3.0, later(0x7fff_fc00)),
        case("times over the wrap at 2^32", "RTMP 5.3.1.2: after 49.7 days", 75, 3.0, later(0xffff_fc00)),
        case(
            "times that begin at an uptime of 30 days",
            "Node-Media-Server#25",
            75,
            3.0,
            later(2_592_000_000),
        ),
        case("headers at 0, media from an hour on", "eerimoq/moblin#516", 75, 3.0, || {
            timed(
                clip().flv(),
                |one| if one.is_sound() || one.is_picture() { one.time + 3_600_000 } else { 0 },
            )
        }),
        case("a clock that jumps an hour ahead", "HaishinKit#755", 75, 3.0, || {
            timed(clip().flv(), |one| if one.time < 2_000 { one.time } else { one.time + 3_600_000 })
        }),
        case("a clock that begins anew", "kaltura/media-framework#176", 75, 3.0, || {
            timed(clip().flv(), |one| if one.time < 2_000 { one.time } else { one.time - 2_000 })
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table: one case under the other")]
pub fn how_they_step() -> Vec<Case> {
    vec![
        case("the second picture has the first one's time", "HaishinKit#1412", 75, 3.0, || {
            pictures(in_order(), |at, one| vec![if at == 1 { Message { time: 0, ..one } } else { one }])
        }),
        case("each second picture has the time of the one before", "StreamPack#58", 75, 3.0, || {
            timed(in_order(), |one| if one.is_picture() { one.time / 80 * 80 } else { one.time })
        }),
        case(
            "times that step back by milliseconds",
            "ThibaultBee/StreamPack#58; go2rtc#1969",
            75,
            3.0,
            || {
                timed(in_order(), |one| {
                    one.time.saturating_sub(if one.is_picture() { noise(one.time) % 30 } else { 0 })
                })
            },
        ),
        case("times of whole tenths of a second", "clocks of 10 Hz", 75, 3.0, || {
            timed(in_order(), |one| if one.is_picture() { one.time / 100 * 100 } else { one.time })
        }),
        case("sound in bursts of 100 ms", "RootEncoder#344", 75, 3.0, bursts(100))
            // A burst has the time of its first frame.
            .own_offset(-40.0),
        case("sound in bursts of 400 ms", "HaishinKit#1732", 75, 3.0, bursts(400)),
        case("sound that jitters by 20 ms", "HaishinKit#1732", 75, 3.0, || {
            timed(clip().flv(), |one| if one.is_sound() { one.time + noise(one.time) % 20 } else { one.time })
        }),
        case("sound four seconds ahead of its pictures", "mistserver#263", 250, 10.0, || apart(4_000, 0))
            .may_say("4.0 s ahead of the pictures', it is moved to those that it comes with")
            .without_step(),
        case("pictures four seconds ahead of their sound", "bluenviron/mediamtx#2790", 250, 10.0, || {
            apart(0, 4_000)
        })
        .may_say("4.0 s behind the pictures', it is moved to those that it comes with")
        .without_step(),
        case("pictures that pause for five seconds while sound goes on", "HaishinKit#489", 0, 10.0, || {
            only(clip().rate("25", 250).flv(), |one| !one.is_picture() || !(2_000..7_000).contains(&one.time))
        })
        .may_say("is shown")
        .shows((0..50).chain(175..250)),
        case(
            "pictures that pause within a long GOP and go on in it",
            "phones: a call comes in",
            0,
            10.0,
            || {
                let pictures =
                    clip().rate("25", 125).x264("-g 200 -x264-params b-pyramid=normal").silent_film();
                let sound = only(clip().rate("25", 250).flv(), |one| one.kind == AUDIO);
                merged([
                    timed(pictures.flv(), |one| one.time + if one.time < 2_000 { 0 } else { 5_000 }),
                    sound,
                ])
            },
        )
        .may_say("is shown")
        .shows(0..125),
        case(
            "pictures that pause in a GOP too long to be decoded twice",
            "browsers' recorders",
            0,
            8.0,
            || {
                let film = || clip().x264("-g 9999").silent_film();
                let after = film().rate("240", 240).numbered_from(1_680).flv();
                let after = timed(only(after, Message::is_picture), |one| one.time + 7_000);
                let sound = only(clip().rate("25", 200).flv(), |one| one.kind == AUDIO);
                merged([film().rate("240", 720).flv(), after, sound])
            },
        )
        .rate(240.0)
        .may_say("is shown")
        .shows((0..720).chain(1_680..1_920)),
        case(
            "interlaced pictures that pause for five seconds",
            "cameras behind capture cards",
            0,
            10.0,
            || {
                let all = clip().rate("25", 250).x264("-g 25 -flags +ildct+ilme -x264-params tff=1").flv();
                only(all, |one| !one.is_picture() || !(2_000..7_000).contains(&one.time))
            },
        )
        .says("interlaced")
        .shows((0..50).chain(175..250)),
        case("sound that pauses for two seconds", "HaishinKit#755", 150, 4.0, || {
            only(clip().rate("25", 150).flv(), |one| !one.is_sound() || !(2_000..4_000).contains(&one.time))
        }),
    ]
}

pub fn composition() -> Vec<Case> {
    vec![
        case("one composition time of +2^23−1", "FLV 10.1 E.4.3.1: SI24", 75, 3.0, composed(30, 0x7f_ffff))
            .may_miss(1),
        case("one composition time of −2^23", "FLV 10.1 E.4.3.1: SI24", 75, 3.0, composed(30, -0x80_0000))
            .says("timestamps are damaged")
            .may_miss(1),
        case("one composition time of a minute", "issue 11, 1.1", 75, 3.0, composed(31, 60_000))
            .says("timestamps are damaged")
            .may_miss(1),
        case("a key frame's composition time of −1 s", "issue 11, 1.1", 75, 3.0, composed(25, -1_000))
            .says("timestamps are damaged")
            .may_miss(1),
        case(
            "composition times that are all negative",
            "edit lists taken over by some muxers",
            75,
            3.0,
            || {
                pictures(clip().x264("-g 25 -bf 2").flv(), |_, one| {
                    let time = i32::from_be_bytes([one.body[2], one.body[3], one.body[4], 0]) >> 8;
                    let mut body = one.body.to_vec();
                    body[2..5].copy_from_slice(&(time - 80).to_be_bytes()[1..]);
                    vec![Message::new(VIDEO, one.time + 80, body)]
                })
            },
        ),
        case(
            "no composition times although there are B-frames",
            "encoders that forget them",
            75,
            3.0,
            || {
                pictures(clip().x264("-g 25 -bf 2").flv(), |_, one| {
                    let mut body = one.body.to_vec();
                    body[2..5].fill(0);
                    vec![Message::new(VIDEO, one.time, body)]
                })
            },
        )
        // As its times say: pictures are shown by the reorder delay too early.
        .own_offset(80.0),
        case("one time of a picture is an hour ahead", "a damaged timestamp", 75, 3.0, || {
            pictures(clip().flv(), |at, one| {
                vec![if at == 40 { Message { time: one.time + 3_600_000, ..one } } else { one }]
            })
        })
        .may_miss(1),
        case("one time of sound is zero", "a damaged timestamp", 75, 3.0, || {
            let mut count = 0;
            each(clip().flv(), |one| {
                count += usize::from(one.is_sound());
                vec![if one.is_sound() && count == 100 { Message { time: 0, ..one } } else { one }]
            })
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks() {
    hold("clocks", where_they_begin().into_iter().chain(how_they_step()).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn composition_times() {
    hold("composition times", composition()).await;
}
