//! What strangers may send to the functions: guesses, paths that lead elsewhere, text that is meant to be something else,
//! packed bodies; and manifests at their largest.

use std::io::Write as _;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use headwater_domain::key::StreamKey;
use headwater_domain::key_attempts::{MAX_ATTEMPTS_PER_ADDRESS, MAX_ATTEMPTS_PER_KEY};
use headwater_domain::ports::WriteTimeline;
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::{KeyId, SegmentNumber};
use serde_json::{Value, json};

use crate::support::{Answer, Event, Harness, Logs, later};

/// A key of the sample stream with a secret that is wrong.
fn guess(id: u128, secret: u128) -> String {
    StreamKey::from_random(samples::stream_id(), KeyId::from_random(id), secret).reveal().expose().to_owned()
}

fn publish(harness: &Harness, n: u128, key: &str, address: &str) -> Event {
    harness.publish_event(n).edit(|body| {
        body["key"] = json!(key);
        body["address"] = json!(address);
    })
}

#[tokio::test]
async fn guesses_are_bounded_for_each_address_and_each_key() {
    let harness = Harness::seeded().await;
    let logs = Logs::capture();
    let hooks = harness.hooks(harness.table.clone(), harness.cluster.clone());
    let kind = async |event: Event| -> Value {
        Answer::of(hooks.handle(event.request()).await).expect(200)["kind"].clone()
    };
    let right = guess(2, 3);
    // One address at many keys, behind as many ports as it likes.
    let mut looked_at = 0;
    for n in 0..300u128 {
        let answer =
            kind(publish(&harness, n, &guess(100 + n, n), &format!("192.0.2.1:{}", 1_000 + n))).await;
        looked_at += u32::from(answer == "unknown_key");
        assert!(answer == "unknown_key" || answer == "too_many_attempts", "{answer}");
    }
    assert_eq!(looked_at, MAX_ATTEMPTS_PER_ADDRESS);
    let lines = logs.text().lines().filter(|line| line.contains("publish denied")).count();
    assert_eq!(lines, 20, "for 300 guesses");
    assert!(!logs.text().contains(guess(100, 0).rsplit('-').next().unwrap()));
    // Many addresses at one key.
    let mut looked_at = 0;
    for n in 0..200u128 {
        let answer = kind(publish(&harness, n, &guess(2, 1_000 + n), &format!("198.51.100.{n}:1"))).await;
        looked_at += u32::from(answer == "unknown_key");
    }
    assert_eq!(looked_at, MAX_ATTEMPTS_PER_KEY);
    // Whoever has the key waits at most a minute; and not at all once it was right here.
    assert_eq!(kind(publish(&harness, 900, &right, "203.0.113.5:1")).await, "too_many_attempts");
    later(60);
    assert_eq!(kind(publish(&harness, 901, &right, "203.0.113.5:1")).await, Value::Null);
    for n in 0..200u128 {
        kind(publish(&harness, n, &guess(2, 5_000 + n), "203.0.113.5:1")).await;
    }
    assert_eq!(kind(publish(&harness, 902, &right, "203.0.113.5:1")).await, Value::Null);
    later(11);
    kind(publish(&harness, 903, "nonsense", "192.0.2.77:1")).await;
    let last = logs.text().lines().rfind(|line| line.contains("publish denied")).unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert!(
        last["fields"]["withheld"].as_u64().unwrap() > 100,
        "the next line says how many were not: {last}"
    );
}

const NOT_IDS: [&str; 16] = [
    "..",
    ".",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "....//",
    "..%5c..%5c",
    "%c0%ae%c0%ae",
    "%00",
    "000000000001%00",
    "000000000001/..",
    "%252e%252e",
    "000000000001%0d%0aX-Injected:%201",
    "000000000001 ",
    "00000000000I",
    "000000000001#",
];

#[tokio::test]
async fn no_path_leads_out_of_its_place() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.commit(&harness.lease().await, 0).await;
    let broadcast = samples::broadcast();
    let long = "0".repeat(8_000);
    for id in NOT_IDS.into_iter().chain([long.as_str()]) {
        for (method, path) in [
            ("GET", format!("/v1/streams/{id}")),
            ("DELETE", format!("/v1/streams/{id}")),
            ("PATCH", format!("/v1/streams/{id}")),
            ("POST", format!("/v1/streams/{id}/stop")),
            ("GET", format!("/v1/streams/{id}/keys")),
            ("POST", format!("/v1/streams/{id}/keys")),
            ("GET", format!("/v1/streams/{id}/broadcasts")),
            ("DELETE", format!("/v1/streams/{}/keys/{id}", samples::stream_id())),
        ] {
            let event = Event::sample("api-patch-stream").method(method).path(&path);
            let answer = Answer::of(harness.api(harness.table.clone()).handle(event.request()).await);
            assert!((400..500).contains(&answer.status.as_u16()), "{method} {path}: {}", answer.status);
            assert!(!answer.headers.contains_key("x-injected"));
        }
        for path in [
            format!("/live/{id}/index.m3u8"),
            format!("/{id}/playlists/{id}/720p.m3u8"),
            format!("/us-east-1/playlists/{id}/720p.m3u8"),
            format!("/us-east-1/playlists/{broadcast}/{id}"),
            format!("/us-east-1/playlists/{broadcast}/{id}.m3u8"),
            format!("/us-east-1/playlists/{broadcast}/vod/{id}.m3u8"),
            format!("/{id}/low-latency/{broadcast}/720p.m3u8"),
            format!("/us-east-1/low-latency/{broadcast}/{id}.m3u8"),
            format!("/us-east-1/parts/{broadcast}/{id}/720p/0.0.m4s"),
            format!("/us-east-1/parts/{broadcast}/1.us-east-1.00000002/{id}/0.0.m4s"),
            format!("/us-east-1/parts/{broadcast}/1.us-east-1.00000002/720p/{id}.0.m4s"),
        ] {
            let event = Event::sample("playlist-media").path(&path);
            let answer = Answer::of(harness.playlist(&[]).handle(event.request()).await);
            assert!((400..500).contains(&answer.status.as_u16()), "{path}: {}", answer.status);
            assert!(!answer.headers.contains_key("x-injected"));
        }
    }
    // None of it touched the stream.
    assert!(harness.ask(&Event::sample("api-get-stream")).await.status.is_success());
    assert!(matches!(harness.publish(9).await, headwater_domain::hooks::PublishAnswer::Allow { .. }));
}

/// `lambda_http` makes a URI of host, path and query, and panics where there is none.
#[tokio::test]
async fn what_makes_no_uri_is_not_found_or_refused() {
    let harness = Harness::seeded().await;
    let long = "a".repeat(70_000);
    let paths = [
        "",
        "/",
        "//",
        "//us-east-1/media/x/1.m4s",
        "//us-east-1/playlists/x/720p.m3u8",
        "///live/000000000001/index.m3u8",
        ":99999/v1/streams",
        "@example.org/v1/streams",
        "/v1/streams/ a b ",
        "/v1/streams/\"<>^`{|}\\",
        "/v1/streams/\u{0}\r\nX: y\t\u{7f}",
        "/v1/streams/\u{e4}\u{1f600}\u{202e}",
        "/v1/streams/%zz%",
        "/v1/streams/#x?y",
        "http://[::1/v1/streams",
        long.as_str(),
    ];
    for path in paths {
        let event = Event::sample("api-get-stream").path(path);
        let answer = Answer::of(harness.api(harness.table.clone()).handle(event.request()).await);
        answer.problem(404, "not-found");
        let answer = harness.view(&Event::sample("playlist-media").path(path)).await;
        answer.problem(404, "not-found");
        let answer = harness.hook(&Event::sample("hooks-publish").path(path)).await;
        answer.problem(404, "not-found");
    }
    for (name, value) in [
        ("host", ""),
        ("host", "a b"),
        ("host", "[::1"),
        ("host", "example.org:99999"),
        ("host", "example.org/%"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-proto", "1"),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "javascript"),
    ] {
        harness.ask(&Event::sample("api-get-stream").header(name, value)).await.expect(200);
    }
    for query in ["\" <>", "\u{0}\u{7f}", "\u{e4}", "a#b", "%zz", "^`{|}\\", long.as_str()] {
        harness.ask(&Event::sample("api-get-stream").query(query)).await.expect(200);
        harness.ask(&Event::sample("api-list-streams").query(&format!("limit=1&{query}"))).await.expect(200);
    }
    let problem = harness.ask(&Event::sample("api-list-streams").query("limit=\"")).await;
    problem.problem(400, "bad-limit");
}

/// Nothing of the functions unpacks anything: a packed body is text that is no JSON, whatever it would become.
#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    let harness = Harness::seeded().await;
    let pack = |text: &[u8], times: usize| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        (0..times).for_each(|_| packed.write_all(text).unwrap());
        base64::engine::general_purpose::STANDARD.encode(packed.finish().unwrap())
    };
    // 8 MiB of spaces in 8 kB, and a good body.
    for body in [pack(&[b' '; 1 << 20], 8), pack(b"{\"name\":\"packed\"}", 1)] {
        for name in ["api-create-stream", "hooks-publish", "hooks-heartbeat-gateway"] {
            let event = Event::sample(name).packed(&body);
            let answer = match name {
                "api-create-stream" => {
                    Answer::of(harness.api(harness.table.clone()).handle(event.request()).await)
                }
                _ => harness.hook(&event).await,
            };
            assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn text_stays_text() {
    let harness = Harness::seeded().await;
    let logs = Logs::capture();
    let evil =
        ["x\r\nX-Injected: 1", "x\u{1b}[2J", "a\nb", "x\0", "x\u{85}", "\u{200b}\u{2800}", "\u{202e}evil"];
    for (n, evil) in (2..).zip(evil) {
        let named = Event::sample("api-create-stream").edit(|body| body["name"] = json!(evil));
        harness.ask(&named).await.problem(422, "invalid-value");
        let labelled = Event::sample("api-create-key").edit(|body| body["label"] = json!(evil));
        harness.ask(&labelled).await.problem(422, "invalid-value");
        let asked = harness.publish_event(1).edit(|body| {
            body["address"] = json!(evil);
            body["app"] = json!(evil);
            body["key"] = json!(evil);
            body["query"] = json!({ evil: evil });
        });
        assert_eq!(harness.hook(&asked).await.expect(200)["kind"], "unknown_key");
        let session = harness.allowed(n).await;
        let mut gone = json!({ "gateway": harness.gateway(), "reason": evil });
        gone.as_object_mut().unwrap().extend(json!(session).as_object().unwrap().clone());
        harness.hook(&Event::sample("hooks-unpublish").body(&gone)).await.expect(200);
    }
    for line in logs.text().lines() {
        let line: Value = serde_json::from_str(line).expect("each line is one object");
        assert!(line["level"].is_string());
    }
    assert!(!logs.text().contains('\u{1b}'));
}

/// CPU time of this thread, in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<u64>().unwrap() / 1_000_000
}

#[tokio::test]
async fn the_longest_window_has_a_bounded_manifest() {
    let harness = Harness::with(|stream| stream.settings.dvr_window_seconds = 7_200).await;
    let session = harness.allowed(1).await;
    let lease = harness.lease().await;
    for number in 0..5_000 {
        harness.commit(&lease, number).await;
    }
    harness.heartbeat_live(&session).await;
    let before = cpu_ms();
    let answer = harness.view(&Event::sample("playlist-media")).await;
    let cpu = cpu_ms() - before;
    let text = answer.text();
    let segments = text.matches("#EXTINF").count();
    println!("2 h of DVR: {segments} segments, {} bytes, {} packed, {cpu} ms", text.len(), answer.body.len());
    assert_eq!(segments, 3_600);
    assert!(text.len() < 1_200_000 && answer.body.len() < 150_000);
    assert!(cpu < 3_000, "{cpu} ms without optimization");
    for dvr in [7_201, u32::MAX] {
        let more = Event::sample("api-patch-stream")
            .edit(|body| body["settings"]["dvr_window_seconds"] = json!(dvr));
        harness.ask(&more).await.problem(422, "invalid-value");
    }
}

#[tokio::test]
async fn a_gap_in_a_timeline_is_not_written_out_without_end() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let lease = harness.lease().await;
    let far = 1 << 40;
    for number in [0, 1, far, far + 1] {
        let entry =
            Entry { lease: lease.clone(), number: SegmentNumber(number), ..samples::entry(1, number.min(9)) };
        harness.table.commit(&entry).await.unwrap();
    }
    harness.heartbeat_live(&session).await;
    for name in ["playlist-media", "playlist-low-latency"] {
        let text = harness.view(&Event::sample(name)).await.text();
        assert!(text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{far}\n")) && text.len() < 10_000, "{text}");
    }
}
