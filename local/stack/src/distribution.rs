//! The edge's behaviours, as template.yaml's CloudFront distribution has them.

use std::path::PathBuf;
use std::time::Duration;

use headwater_domain::paths::EdgeBehavior;
use headwater_emulators::edge::{Behavior, Distribution, Origin};
use headwater_emulators::s3::OAC_HEADER;

use super::region::Region;
use super::secrets::Secrets;
use super::setup::bucket;

/// What the edge proves itself to the APIs with.
pub(super) const ORIGIN_HEADER: &str = "x-headwater-origin";
/// A playlist group fails over when a region cannot answer; a 404 of a stream that is not live is an answer.
const PLAYLIST_FAILOVER: [u16; 4] = [500, 502, 503, 504];
/// A media group fails over for a missing object as well (403 with origin access control): the mirror may have it.
const MEDIA_FAILOVER: [u16; 6] = [500, 502, 503, 504, 403, 404];
/// What an HLS client can ask of a playlist (RFC 8216bis section 6.2.5); everything else in a query is ignored.
const HLS_QUESTIONS: [&str; 3] = ["_HLS_msn", "_HLS_part", "_HLS_skip"];
/// A region that does not answer in time is asked no longer; the other one is.
const PLAYLIST_TIMEOUT: Duration = Duration::from_secs(2);
/// Of a bucket that hangs each object costs a viewer this; no longer than a segment lasts, or players would starve.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(2);
/// Low-latency playlists are held for up to 4 s until there is something new in them; a recording of a day takes some
/// seconds to read.
const LOW_LATENCY_TIMEOUT: Duration = Duration::from_secs(6);

/// What browsers of other sites say before they ask, and wherefrom (the origin request policy).
const CORS_QUESTIONS: [&str; 3] =
    ["Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"];

/// Players on any site may read playlists and media (the response headers policy).
fn for_players_anywhere(behavior: Behavior) -> Behavior {
    behavior
        .forward(&CORS_QUESTIONS)
        .response_header("Access-Control-Allow-Origin", "*")
        .response_header("Access-Control-Expose-Headers", "Age, Date, Content-Length, Content-Range, X-Cache")
        .response_header("X-Content-Type-Options", "nosniff")
        .preflight_header("Access-Control-Allow-Headers", "*")
        .preflight_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        .preflight_header("Access-Control-Max-Age", "86400")
}

/// Everything the edge serves.
pub(super) fn distribution(regions: &[Region; 2], secrets: &Secrets, web: Option<PathBuf>) -> Distribution {
    let mut distribution = Distribution { static_root: web, ..Distribution::default() };
    for (region, label) in regions.iter().zip(["a", "b"]) {
        let (api, s3) = region.origins();
        for (kind, timeout) in [("", PLAYLIST_TIMEOUT), ("-low", LOW_LATENCY_TIMEOUT)] {
            for attempt in ["1", "2"] {
                let origin = Origin::new(api)
                    .header("x-headwater-try", attempt)
                    .header(ORIGIN_HEADER, secrets.origin_secret.clone())
                    .response_timeout(timeout);
                distribution.origins.insert(format!("api-{label}{kind}-try-{attempt}"), origin);
            }
        }
        let origin = Origin::new(s3)
            .path(format!("/{}", bucket(region.name())))
            .header(OAC_HEADER, secrets.oac_secret.clone())
            .response_timeout(MEDIA_TIMEOUT);
        distribution.origins.insert(format!("s3-{label}"), origin);
    }
    let playlists = |pattern: &str, kind: &str, first: &str, second: &str| {
        let (first, second) = (format!("api-{first}{kind}-try-1"), format!("api-{second}{kind}-try-2"));
        Behavior::cached(pattern, &first, Some(&second), &PLAYLIST_FAILOVER)
    };
    for (region, first, second) in [(&regions[0], "a", "b"), (&regions[1], "b", "a")] {
        let name = region.name().parse().expect("regions have names");
        for behavior in EdgeBehavior::ALL {
            let pattern = behavior.pattern(&name);
            let answered = match behavior {
                // Both regions know it alike.
                EdgeBehavior::Live if first == "b" => continue,
                EdgeBehavior::Live | EdgeBehavior::Playlists => playlists(&pattern, "", first, second),
                EdgeBehavior::RecordedMedia | EdgeBehavior::Recordings => {
                    playlists(&pattern, "-low", first, second)
                }
                EdgeBehavior::LowLatency => {
                    playlists(&pattern, "-low", first, second).query_keys(&HLS_QUESTIONS).promptly()
                }
                EdgeBehavior::Media => {
                    let (first, second) = (format!("s3-{first}"), format!("s3-{second}"));
                    Behavior::cached(&pattern, &first, Some(&second), &MEDIA_FAILOVER)
                }
                EdgeBehavior::Parts => {
                    // What the bucket does not have yet, the region's API waits for; the other region has nothing of it.
                    let (bucket, waits) = (format!("s3-{first}"), format!("api-{first}-low-try-1"));
                    Behavior::cached(&pattern, &bucket, Some(&waits), &MEDIA_FAILOVER).promptly()
                }
            };
            distribution.behaviors.push(answered);
        }
    }
    let behaviors = distribution.behaviors.into_iter().map(for_players_anywhere);
    distribution.behaviors = behaviors.collect();
    distribution
}
