//! The origin secret is rotated while people watch: nobody is refused, at no moment.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::counted;
use super::hls::renditions;
use super::support::{LOOK, Platform, eventually, small};

/// Status of a request on a connection of its own; `secret` for one that goes past the edge.
async fn status(url: &str, secret: Option<&str>) -> StatusCode {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(url);
    let request = match secret {
        Some(secret) => request.header("x-headwater-origin", secret),
        None => request,
    };
    client.request(request.body(Empty::new()).unwrap()).await.unwrap().status()
}

/// What the regions' APIs have answered the edge so far.
fn answers(platform: &Platform) -> Vec<u64> {
    let logs = platform.stack.regions.iter().map(|region| {
        let log = platform.stack.data().join("logs").join(region.name()).join("api-access.log");
        std::fs::read_to_string(log).unwrap_or_default()
    });
    let lines: Vec<String> =
        logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let asked_by_edge = |line: &Value| {
        let route = line["routeKey"].as_str().unwrap_or_default();
        ["/playlists/", "/live/"].iter().any(|part| route.contains(part))
    };
    lines.filter(asked_by_edge).map(|line| line["status"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_while_the_origin_secret_is_rotated() {
    let platform = Platform::start_with(|config| config.edge_nodes = 2).await;
    let stream = platform.create(small()).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let playlist = platform.plays(&stream).await;
    let own: Vec<String> = renditions(&playlist).into_iter().map(|rendition| rendition.path).collect();
    // The other region serves them as well, and the edge keeps each for a second.
    let [a, b] = [0, 1].map(|index| platform.stack.regions[index].name());
    let paths: Vec<String> = own
        .iter()
        .flat_map(|path| [path.clone(), path.replacen(a, b, 1)])
        .chain([stream.playback.clone()])
        .collect();

    let urls: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            let url = platform.edge(path);
            platform.stack.edge.addrs().into_iter().map(move |node| (node, url.clone()))
        })
        .map(|(node, url)| url.replace(&platform.stack.edge_url(), &format!("http://{node}")))
        .collect();
    for url in &urls {
        let there = async || (status(url, None).await == StatusCode::OK).then_some(());
        eventually(&format!("{url} in both regions"), there).await;
    }

    let over = AtomicBool::new(false);
    let watches = async {
        let mut seen = 0;
        while !over.load(Ordering::Relaxed) {
            for url in &urls {
                assert_eq!(status(url, None).await, StatusCode::OK, "{url}\n{}", platform.logs());
                seen += 1;
            }
            tokio::time::sleep(LOOK).await;
        }
        seen
    };
    let rotates = async {
        let old = platform.stack.secrets.origin_secret.clone();
        let (mut before, asked) = (old.clone(), || answers(&platform).len());
        // A second one, to see that the next rotation finds things as the first one did.
        for new in ["the-second-secret", "the-third-secret"] {
            let served = async |step: &str| {
                let from = asked();
                let enough = from + 3 * paths.len();
                eventually(step, || async { (asked() >= enough).then_some(()) }).await;
            };
            served("before").await;
            platform.stack.store_origin_secret(new);
            served("functions that run know nothing of the new one").await;
            for region in platform.stack.regions.iter().rev() {
                region.restart_functions();
                served("functions have both, the edge sends the old one").await;
            }
            platform.stack.send_origin_secret(new).await.unwrap();
            served("the edge sends the new one").await;
            for region in &platform.stack.regions {
                let url = format!("{}{}", region.api_url(), paths[0].replacen(a, region.name(), 1));
                for (secret, answer) in [
                    (new, StatusCode::OK),
                    (before.as_str(), StatusCode::OK),
                    ("another", StatusCode::FORBIDDEN),
                ] {
                    assert_eq!(status(&url, Some(secret)).await, answer, "{}", region.name());
                }
            }
            new.clone_into(&mut before);
        }
        // What was two rotations ago opens nothing any more.
        let url = format!("{}{}", platform.stack.regions[0].api_url(), paths[0]);
        assert_eq!(status(&url, Some(&old)).await, StatusCode::FORBIDDEN);
        over.store(true, Ordering::Relaxed);
    };
    let (seen, ()) = tokio::join!(watches, rotates);
    assert!(seen > 50, "{seen}");
    // The edge may hide a refusal behind the other region's answer. Those of the checks above: one in each region and rotation,
    // and the last.
    let refused = answers(&platform).into_iter().filter(|status| *status == 403).count();
    assert_eq!(refused, 2 * 2 + 1, "the edge was refused\n{}", platform.logs());
    encoder.kill().await;
    platform.stop().await;
}
