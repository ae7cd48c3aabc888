//! Gateways that leave while they are published to: nothing that one has taken is lost. Pictures carry their numbers
//! (`counted`).

use headwater_emulators::process::Exit;
use serde_json::json;

use super::counted;
use super::hls::{breaks, nothing_is_taken_back, renditions};
use super::support::{Platform, patience, small};

/// What the gateways of region A said when sessions ended: messages that each had taken, and lost.
fn ended(platform: &Platform) -> Vec<(u64, u64)> {
    let log = platform.stack.data().join("logs").join(platform.stack.regions[0].name()).join("gateway.log");
    let log = std::fs::read_to_string(log).unwrap();
    let number = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    log.lines()
        .filter(|line| line.contains(" ended: "))
        .map(|line| (number(line, "messages").unwrap(), number(line, "lost").unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_that_leaves_has_taken_is_in_the_timeline_once() {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    let stream = platform.create(settings).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    let seen = platform.media_until(&path, |playlist| playlist.segments.len() >= 4).await;
    let leaving = platform.stack.regions[0].gateway.replace().await.unwrap().expect("there was one");
    // As OBS does: cut off, it connects again at once, under the same address.
    assert!(!encoder.end().await.0, "it is cut off");
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let playlist = platform
        .media_until(&path, |playlist| {
            let breaks = breaks(playlist);
            breaks.iter().position(|(_, broken)| *broken).is_some_and(|at| breaks.len() >= at + 4)
        })
        .await;
    let left = tokio::time::timeout(patience(), leaving.wait()).await.expect("it leaves");
    assert_eq!(left, Exit::Code(0), "{}", platform.logs());
    nothing_is_taken_back(&seen, &playlist);
    assert_eq!(breaks(&playlist).iter().filter(|(_, broken)| *broken).count(), 1);

    // Each encoder counts from 0. All the first one's pictures are there up to the last, and all of the second's.
    let numbers = platform.numbers("180p", &playlist).await;
    let cut = numbers.iter().rposition(|number| *number == 0).unwrap();
    for run in [&numbers[..cut], &numbers[cut..]] {
        assert_eq!(*run, (0..run.len() as u32).collect::<Vec<_>>());
    }
    // Which is the last is what the gateway says itself: the timeline has come to the last message it took.
    let ended = ended(&platform);
    let [(messages, lost)] = ended[..] else { panic!("one session has ended: {ended:?}") };
    let broadcast = platform.broadcast(0, &stream).await;
    let entries = platform.written(0, &broadcast).await;
    let session = &entries[0].source.session;
    let last = entries.iter().rfind(|entry| entry.source.session == *session).unwrap();
    assert_eq!((last.source.cursor, lost), (messages, 0), "the whole session is in the timeline");
    println!("{messages} messages, {cut} pictures of the first gateway, none lost");
    assert_eq!(platform.stack.regions[0].ecs.tasks().len(), 1, "the same task goes on");
    encoder.kill().await;
    platform.stop().await;
}
