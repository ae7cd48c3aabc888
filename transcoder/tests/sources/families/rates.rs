//! Pictures a second: from one in five seconds to 240, even and uneven.

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::message::{AUDIO, Message, merged, only, timed};

fn at(rate: &'static str, pictures: usize, gop: usize) -> impl Fn() -> Vec<Message> {
    move || clip().rate(rate, pictures).x264(&format!("-g {gop}")).flv()
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a picture in five seconds", "slides; nginx-rtmp-module#1525", 3, 15.0, at("1/5", 3, 1))
            .may_say("is shown")
            .rate(0.2),
        case("a picture a second", "surveillance", 6, 6.0, at("1", 6, 2)).rate(1.0),
        case("5 pictures a second", "screen sharing", 20, 4.0, at("5", 20, 10)).rate(5.0),
        case("12.5 pictures a second", "half of PAL", 50, 4.0, at("25/2", 50, 25)).rate(12.5),
        case("23.976 pictures a second", "film by way of NTSC", 72, 3.0, at("24000/1001", 72, 24))
            .without_step(),
        case("29.97 pictures a second", "NTSC", 90, 3.0, at("30000/1001", 90, 30)).without_step(),
        case("50 pictures a second", "PAL's fields", 150, 3.0, at("50", 150, 50)).rate(50.0),
        case("59.94 pictures a second", "NTSC's fields", 180, 3.0, at("60000/1001", 180, 60)).without_step(),
        case("120 pictures a second", "games; Ant-Media-Server#7706", 240, 2.0, at("120", 240, 120))
            .rate(120.0),
        case("144 pictures a second", "screens", 288, 2.0, at("144", 288, 144)).rate(144.0),
        case(
            "240 pictures a second",
            "slow motion; milliseconds are 4, 4, 4, 5",
            480,
            2.0,
            at("240", 480, 240),
        )
        .rate(240.0),
        case("between 15 and 40 pictures a second", "nginx-rtmp-module#1525", 75, 3.0, || {
            // The frame times swing by 12 ms around their places.
            timed(clip().flv(), |one| {
                let swing = (f64::from(one.time) / 200.0).sin() * 12.0 + 12.0;
                if one.is_picture() { one.time + swing as u32 } else { one.time }
            })
        }),
        case("pictures only where something changes", "RTMP from screen recorders", 0, 6.0, || {
            let mut count = 0;
            let all = clip().rate("25", 150).x264("-g 1").flv();
            only(all, |_| true)
                .into_iter()
                .filter(|one| {
                    count += usize::from(one.is_picture());
                    !one.is_picture() || [1, 2, 3, 30, 31, 90, 149].contains(&count)
                })
                .collect()
        })
        .may_say("is shown")
        .shows([0, 1, 2, 29, 30, 89, 148])
        .without_step(),
        case("60 pictures a second that become 15", "adaptive phones", 0, 4.0, || {
            let (fast, slow) = (
                clip().rate("60", 120).x264("-g 60").flv(),
                clip().rate("15", 30).numbered_from(120).x264("-g 15").flv(),
            );
            let sound = only(clip().rate("25", 100).flv(), |one| one.kind == AUDIO);
            let slow = timed(only(slow, Message::is_picture), |one| one.time + 2_000);
            merged([only(fast, |one| one.kind != AUDIO), slow, sound])
        })
        .shows(0..150)
        .without_step(),
        case("a broadcast of a fifth of a second", "a test of a connection", 5, 0.2, at("25", 5, 25))
            .without_step(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_a_second() {
    hold("pictures a second", cases()).await;
}
