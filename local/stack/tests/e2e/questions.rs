//! Viewers' questions against everybody else: hundreds of different ones at once are answered, and where all places for those
//! who wait are taken, encoders' hooks and playlists that nobody waits in are as well off as before.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use headwater_domain::paths::EdgePath;
use headwater_emulators::lambda::Stats;
use http::StatusCode;

use super::low_latency::Seeded;
use super::support::{Picture, Platform, eventually, small};

const RENDITIONS: [&str; 2] = ["720p", "audio"];
const QUESTIONS: usize = 300;

async fn seeded(platform: &Platform) -> Seeded {
    let live = Seeded::start(platform).await;
    for number in 0..6 {
        live.close(number).await;
    }
    live.write(6, 1).await;
    live
}

fn stats(platform: &Platform, function: &str) -> Stats {
    platform.stack.regions[0].lambda.stats(function).unwrap()
}

/// Every position from long ago to far ahead, in every spelling that is another question to the edge.
fn questions(live: &Seeded) -> Vec<String> {
    let parts = |segment: u64| {
        let of = (0..10).map(move |part| format!("?_HLS_msn={segment}&_HLS_part={part}"));
        std::iter::once(format!("?_HLS_msn={segment}")).chain(of)
    };
    let positions: Vec<_> = (0..9).rev().flat_map(parts).collect();
    let skips = ["", "&_HLS_skip=YES"];
    let all = positions.iter().flat_map(|position| {
        let of = |rendition| skips.map(|skip| live.playlist(rendition, &format!("{position}{skip}")));
        RENDITIONS.map(of).into_iter().flatten().collect::<Vec<_>>()
    });
    all.take(QUESTIONS).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_different_questions_at_once_are_all_answered() {
    let platform = Platform::start().await;
    let live = seeded(&platform).await;
    let questions = questions(&live);
    assert_eq!(questions.len(), QUESTIONS);
    let answers = join_all(questions.iter().map(|path| platform.get(path))).await;
    for (path, (status, _, body)) in questions.iter().zip(&answers) {
        // What is too far ahead is said to be. The edge gives up on what a machine that is busy otherwise starts late.
        let may = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::GATEWAY_TIMEOUT];
        assert!(may.contains(status), "{path}: {status} {body:?}");
    }
    let seen = answers.iter().filter(|(status, ..)| *status == StatusCode::OK).count();
    assert!(seen > QUESTIONS / 4, "{seen} are answered with a playlist");
    let stats = stats(&platform, "low-latency");
    println!("{QUESTIONS} questions, {seen} playlists, in {} places", stats.cold_starts);
    assert_eq!(stats.throttled, 0, "{stats:?}");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_takes_no_place_from_hooks_and_other_viewers() {
    // Fewer places than there are questions that are waited for; the other functions have hardly more than they need.
    let platform = Platform::start_with(|config| {
        config.lambda.account = 30;
        config.lambda.hooks = 8;
        config.lambda.playlists = 4;
        config.lambda.low_latency = 6;
    })
    .await;
    let live = seeded(&platform).await;
    // One question that is waited for, spelled differently, is many to the edge and one to the function.
    let next = live.playlist("720p", "?_HLS_msn=6&_HLS_part=1");
    let name = next.rfind("720p").unwrap();
    let spelled = |at: usize| format!("{}%{:02X}{}", &next[..at], next.as_bytes()[at], &next[at + 1..]);
    let spellings = (name..name + "720p.m3u8".len()).map(spelled).chain([next.clone()]);
    let questions: Vec<_> = spellings.chain(questions(&live)).collect();

    let done = AtomicBool::new(false);
    let flood = async {
        while !done.load(Ordering::Relaxed) {
            live.heartbeat().await;
            for (status, _, body) in join_all(questions.iter().map(|path| platform.get(path))).await {
                let known = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE];
                assert!(known.contains(&status), "{status} {body:?}");
            }
        }
    };
    let meanwhile = async {
        eventually("all places of those who wait are taken", || async {
            (stats(&platform, "low-latency").throttled > 0).then_some(())
        })
        .await;
        let stream = platform.create(small()).await;
        let encoder =
            Picture { size: "192x108", ..Picture::default() }.publish(&platform.rtmp(0, &stream.key));
        platform.status(&stream, "live").await;
        let window =
            EdgePath::Media(live.region().clone(), live.broadcast().clone(), "720p".parse().unwrap())
                .to_string();
        for path in [&window, &stream.playback, "/live/index.json"] {
            let (status, _, body) = platform.get(path).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body:?}");
        }
        encoder.kill().await;
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(flood, meanwhile);
    for function in ["hooks", "playlist", "api", "authorizer"] {
        let stats = stats(&platform, function);
        assert!(stats.invocations > 0 && stats.throttled == 0, "{function}: {stats:?}");
    }
    platform.stop().await;
}
