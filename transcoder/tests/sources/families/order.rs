//! Orders of messages, tracks that come late, stop early, or are not there.

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{AUDIO, DATA, Message, VIDEO, each, merged, only, timed};

#[expect(clippy::too_many_lines, reason = "a table: one case under the other")]
pub fn cases() -> Vec<Case> {
    vec![
        case("an ordinary source", "OBS, FFmpeg", 75, 3.0, || clip().flv()),
        case("an ordinary source that is encoded anew", "passthrough: always_encode", 75, 3.0, || {
            clip().flv()
        })
        .encoded(),
        case("pictures alone", "FLV 10.1 E.2: one track is enough", 75, 0.0, || clip().silent_film().flv()),
        case("sound alone", "FLV 10.1 E.2; HaishinKit#755", 0, 3.0, || {
            only(clip().flv(), |one| one.kind != VIDEO)
        }),
        case(
            "sound's sequence header before the pictures'",
            "winlinvip/simple-rtmp-server#301",
            75,
            3.0,
            || {
                let mut all = clip().flv();
                all.sort_by_key(|one| match (one.kind, one.is_header()) {
                    (DATA, _) => 0,
                    (AUDIO, true) => 1,
                    (VIDEO, true) => 2,
                    _ => 3,
                });
                all
            },
        ),
        case("metadata behind the sequence headers", "RTMP 7.1.2: no order is told", 75, 3.0, || {
            let mut all = clip().flv();
            all.sort_by_key(|one| match (one.kind, one.is_header()) {
                (_, true) => 0,
                (DATA, _) => 1,
                _ => 2,
            });
            all
        }),
        case("no metadata at all", "bluenviron/mediamtx#386", 75, 3.0, || {
            only(clip().flv(), |one| one.kind != DATA)
        }),
        case(
            "the sequence headers again before every key frame",
            "OBS multitrack, nginx-rtmp relays",
            75,
            3.0,
            || {
                let all = clip().flv();
                let headers: Vec<Message> = all.iter().filter(|one| one.is_header()).cloned().collect();
                each(all, |one| {
                    let again = headers.iter().filter(|_| one.is_key());
                    let again = again.map(|header| Message { time: one.time, ..header.clone() });
                    again.chain([one.clone()]).collect()
                })
            },
        ),
        case("an empty sequence header of sound before the right one", "harlanc/xiu#110", 75, 3.0, || {
            each(clip().flv(), |one| match (one.kind, one.is_header()) {
                (AUDIO, true) => vec![Message::new(AUDIO, one.time, &b"\xaf\0"[..]), one],
                _ => vec![one],
            })
        }),
        case(
            "tracks one after the other, 600 ms a piece",
            "FFmpeg -max_interleave_delta; api.video-flutter-live-stream#9",
            75,
            3.0,
            || {
                let all = clip().flv();
                let rank = |one: &Message| {
                    let media = one.is_picture() || one.is_sound();
                    (media, if media { one.time / 600 } else { 0 }, one.kind == AUDIO)
                };
                let mut all = all;
                all.sort_by_key(rank);
                all
            },
        ),
        case("media before the sequence headers", "a relay that joins in mid-stream", 75, 3.0, || {
            let all = clip().flv();
            let early = all.iter().filter(|one| one.is_picture() && !one.is_key()).take(5);
            let early = early.map(|one| Message { time: 0, ..one.clone() }).collect::<Vec<_>>();
            early.into_iter().chain(all).collect()
        }),
        case("the first pictures are no key frames", "joining a GOP in its middle", 75, 2.6, || {
            let mut pictures = 0;
            only(clip().flv(), move |_| true)
                .into_iter()
                .filter(|one| {
                    pictures += usize::from(one.is_picture());
                    !one.is_picture() || !(1..=10).contains(&pictures)
                })
                .collect()
        })
        .shows(25..75),
        case("sound begins a second late", "HaishinKit#755: the microphone is slow", 75, 2.0, || {
            only(clip().flv(), |one| !one.is_sound() || one.time >= 1_000)
        }),
        case("sound begins four seconds late", "as above; beyond what is waited for", 175, 3.0, || {
            only(clip().rate("25", 175).flv(), |one| !one.is_sound() || one.time >= 4_000)
        }),
        // A broadcast begins with its first picture.
        case("pictures begin a second late", "cameras are slower than microphones", 75, 3.0, || {
            let (pictures, sound) =
                (clip().silent_film().flv(), clip().aac("-ac 2 -ar 48000").rate("25", 100).flv());
            let pictures = timed(pictures, |one| if one.is_picture() { one.time + 1_000 } else { 0 });
            merged([pictures, only(sound, |one| one.kind == AUDIO)])
        }),
        case("sound stops early", "HaishinKit#489", 75, 1.5, || {
            only(clip().flv(), |one| !one.is_sound() || one.time < 1_500)
        }),
        case("pictures stop early", "HaishinKit#489", 40, 3.0, || {
            only(clip().flv(), |one| !one.is_picture() || one.time < 1_600)
        }),
        case("a broadcast of one picture", "a still image as a stream", 1, 0.0, || {
            clip().rate("25", 1).silent_film().flv()
        }),
        case("one picture and sound for three seconds", "radio with a cover", 1, 3.0, || {
            let sound = only(clip().flv(), |one| one.kind == AUDIO);
            merged([clip().rate("25", 1).silent_film().flv(), sound])
        })
        .may_say("is shown")
        .without_step(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_tracks() {
    hold("order", cases()).await;
}
