//! Odd sources end to end: what encoders really send, in real time, into one running platform. Each is played in full, or
//! encoder and API are told why not. The corpus itself is transcoder/tests/sources, whose parts are used here.

use std::sync::Arc;

use futures::StreamExt;
use headwater_domain::ports::ReadTimeline;
use headwater_domain::timeline::resolve;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::corpus::clip::clip;
use super::corpus::encoder::{self, Pace};
use super::corpus::judge;
use super::corpus::message::{self, AUDIO, Message, VIDEO};
use super::support::{Platform, eventually};

/// Sources under way at a time: each has a task of its own.
const AT_A_TIME: usize = 3;

/// A source, and how many pictures and seconds of sound are shown; or the words in which it is refused.
struct Odd(&'static str, Vec<Message>, Result<(usize, f64), &'static str>);

/// Sound's messages behind this head.
fn sound_with_head(head: &[u8]) -> Vec<Message> {
    message::each(clip().flv(), |one| match (one.kind, one.is_header()) {
        (AUDIO, false) => vec![Message::new(AUDIO, one.time, [head, &one.body[2..]].concat())],
        (AUDIO, true) => vec![],
        _ => vec![one],
    })
}

fn sources() -> Vec<Odd> {
    let plays = Ok((75, 3.0));
    let high = || clip().x264("-g 25 -pix_fmt yuv444p10le").flv();
    let retimed = |time: fn(&Message) -> u32| message::timed(clip().x264("-g 25 -bf 2").flv(), time);
    let without = |left_out: fn(&Message) -> bool| message::only(clip().flv(), |one| !left_out(one));
    let seek = |one: Message| match one.is_key() {
        true => vec![Message::new(VIDEO, one.time, &b"\xd0\x00"[..]), one],
        false => vec![one],
    };
    vec![
        Odd("ordinary", clip().flv(), plays),
        Odd("without metadata", without(|one| one.kind == message::DATA), plays),
        Odd("pictures alone", without(|one| one.kind == AUDIO), Ok((75, 0.0))),
        Odd("sound alone", without(|one| one.kind == VIDEO), Ok((0, 3.0))),
        Odd("times over the wrap", retimed(|one| one.time.wrapping_add(0xffff_fc00)), plays),
        Odd("4:4:4 of 10 bits", high(), plays),
        Odd(
            "a pyramid of B-frames in open GOPs",
            clip().x264("-g 25 -bf 7 -x264-params open-gop=1").flv(),
            plays,
        ),
        Odd("sound at 8 kHz", clip().aac("-ar 8000 -ac 1 -b:a 16k").flv(), plays),
        Odd("seek commands", message::each(clip().flv(), seek), plays),
        Odd("too wide", clip().size(4_112, 32).silent_film().flv(), Err("4112x32")),
        Odd("Opus", sound_with_head(b"\x91Opus"), Err("Opus")),
        Odd("Speex", sound_with_head(b"\xb2\x00"), Err("Speex")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_sources_play_or_are_told_why_not() {
    let platform = Arc::new(Platform::start().await);
    let sources = tokio::task::spawn_blocking(sources).await.unwrap();
    let wrong: Vec<Option<String>> = futures::stream::iter(sources)
        .map(|one| try_out(&platform, one))
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), platform.logs());
    Arc::into_inner(platform).unwrap().stop().await;
}

/// What is wrong with what came of a source.
async fn try_out(platform: &Platform, Odd(name, messages, right): Odd) -> Option<String> {
    let settings = json!({ "ladder": [{"height": 108, "kbps": 300}], "reconnect_window_seconds": 0 });
    let stream = platform.create(settings).await;
    let address = platform.stack.regions[0].rtmp_url().replace("rtmp://", "").replace("/live", "");
    let (let_in, _) = oneshot::channel();
    let told = encoder::publish(address.parse().unwrap(), &stream.key, &messages, Pace::Live, let_in).await;
    let mut problems = Vec::new();
    let ended = eventually(&format!("{name} is over"), || async {
        let shown = platform.show(0, &stream).await;
        let broadcast = shown["broadcast"].clone();
        // What was sent is read to its end even when nobody is waited for any more.
        if platform.task_of(0, &stream).is_some() {
            return None;
        }
        ["ended", "failed"].iter().any(|state| broadcast["state"] == *state).then_some(broadcast)
    })
    .await;
    problems.extend(ended["problem"].as_str().map(str::to_owned));
    problems.extend(ended["reason"].as_str().map(str::to_owned));
    let said = format!("{} | {told}", problems.join("; "));
    let (pictures, sound) = match right {
        Ok(right) => right,
        Err(words) if said.contains(words) => return None,
        Err(words) => return Some(format!("{name}: nobody is told {words:?}, but {said}")),
    };
    let broadcast = ended["id"].as_str().unwrap().parse().unwrap();
    let entries = resolve(platform.table(0).all(&broadcast).await.unwrap());
    let mut objects = std::collections::BTreeMap::new();
    for entry in &entries {
        for path in entry.renditions.iter().flat_map(|one| [one.init.clone(), entry.media_path(&one.name)]) {
            let body = platform.object(&format!("/{path}")).await;
            objects.insert(path, body.to_vec());
        }
    }
    let seen = tokio::task::spawn_blocking(move || judge::look(&entries, |path| objects[path].clone()))
        .await
        .unwrap();
    let shown = seen.numbers();
    let fine = shown.iter().map(|one| usize::from(*one)).eq(0..pictures) && (seen.heard - sound).abs() < 0.25;
    let quiet = ended["problem"] == Value::Null;
    (!fine || !quiet).then(|| {
        format!(
            "{name}: {} pictures, {:.2} s of sound, told: {said}; {:?}",
            shown.len(),
            seen.heard,
            seen.complaints
        )
    })
}
