//! What is not there cannot be right: a stream that is meant to be something must have what it takes.

use headwater_conformance::{Ask, Options, Outcome, Profile, Recording, check, judge, rule_named};

use super::http::{quickly, serve};
use super::support::{edit, example};

fn good(profile: Profile) -> Recording {
    match profile {
        Profile::Live | Profile::Watched => example().live(),
        Profile::LowLatency => example().low_latency(),
        Profile::Recording => example().vod(),
    }
}

#[test]
fn good_examples_have_all_that_their_profiles_demand() {
    for (name, profile) in Profile::NAMES {
        assert_eq!(name.parse(), Ok(profile));
        let rules = profile.rules();
        for rule in &rules {
            assert_eq!(rule_named(rule), Ok(*rule));
        }
        let report = judge(&good(profile)).require(&rules);
        assert!(report.passed(), "{name}: {report}");
    }
    assert!("lowlatency".parse::<Profile>().unwrap_err().to_string().contains("low-latency"));
    assert!(rule_named("gzipped").unwrap_err().to_string().contains("gzip"));
}

/// The tags without which a profile's stream is another one, and the lines of each that a proxy would leave out.
const TAGS: &[(Profile, &[&str])] = &[
    (
        Profile::Watched,
        &[
            "#EXT-X-STREAM-INF",
            "#EXT-X-MEDIA:",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            "#EXT-X-TARGETDURATION",
            "#EXT-X-MEDIA-SEQUENCE",
            "#EXT-X-DISCONTINUITY-SEQUENCE",
            "#EXT-X-PROGRAM-DATE-TIME",
            "#EXT-X-MAP",
            "#EXTINF",
        ],
    ),
    (
        Profile::LowLatency,
        &[
            "#EXT-X-SERVER-CONTROL",
            "#EXT-X-PART-INF",
            "#EXT-X-PART:",
            "#EXT-X-PRELOAD-HINT",
            "#EXT-X-RENDITION-REPORT",
            "#EXT-X-PART", // both
        ],
    ),
    (Profile::Recording, &["#EXT-X-PLAYLIST-TYPE", "#EXT-X-ENDLIST", "#EXT-X-MAP"]),
];

fn stripped(good: &Recording, tags: &[&str]) -> Recording {
    let mut recording = good.clone();
    // Without a hint nobody asks for what it names.
    let hints = !tags.contains(&"#EXT-X-PRELOAD-HINT");
    recording.exchanges.retain(|one| hints || !matches!(one.ask, Ask::Hint { .. }));
    edit(&mut recording, ".m3u8", |text| {
        let kept = text.lines().filter(|line| !tags.iter().any(|tag| line.starts_with(tag)));
        kept.fold(String::new(), |text, line| text + line + "\n")
    });
    recording
}

#[test]
fn no_tag_can_be_left_out_unnoticed() {
    for (profile, tags) in TAGS {
        for tag in *tags {
            let report = judge(&stripped(&good(*profile), &[tag])).require(&profile.rules());
            assert!(!report.passed(), "{profile:?} without {tag}: {report}");
        }
    }
}

/// A proxy that strips every low-latency tag leaves a good stream, but not a good low-latency one.
#[tokio::test]
async fn a_proxy_that_strips_low_latency_is_found_out_over_http() {
    let low = example().low_latency();
    let (url, server) = serve(&low).await;
    let report = check(&url, &quickly(0)).await.unwrap().require(&Profile::LowLatency.rules());
    assert!(report.passed(), "{report}");
    server.abort();

    let all = TAGS.iter().find(|(profile, _)| *profile == Profile::LowLatency).unwrap().1;
    let (url, server) = serve(&stripped(&low, all)).await;
    let options = Options { watch: std::time::Duration::from_millis(100), ..quickly(0) };
    let report = check(&url, &options).await.unwrap();
    assert!(report.passed(), "nothing of it is wrong: {report}");
    let report = report.require(&Profile::LowLatency.rules());
    assert!(!report.passed(), "{report}");
    let missing = report.with(Outcome::Missing);
    for rule in ["server-control", "part-target", "blocking-reload", "rendition-reports", "preload-hint"] {
        assert!(missing.contains(&rule), "{rule}: {missing:?}");
    }
    assert!(report.to_string().contains("MISS  server-control"), "{report}");
    server.abort();
}
