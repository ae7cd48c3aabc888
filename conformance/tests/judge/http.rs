//! Recording over HTTP, from a server that publishes the low-latency example one part for each blocking reload.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use headwater_conformance::{Ask, Exchange, FetchError, Options, Outcome, Recording, check, judge, record};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::support::{edit, example};

/// Answers to come for each path with its query; the last one stays.
type Script = Arc<Mutex<HashMap<String, Vec<Exchange>>>>;

/// Serves what a recording has, as it has it.
pub(super) async fn serve(recording: &Recording) -> (Url, JoinHandle<()>) {
    let mut script: HashMap<String, Vec<Exchange>> = HashMap::new();
    for exchange in recording.exchanges.iter().rev() {
        let query = match exchange.ask {
            // Whoever asks for the far future may name any number.
            Ask::FarAhead { .. } => "?far".to_owned(),
            _ => exchange.url.query().map(|query| format!("?{query}")).unwrap_or_default(),
        };
        script.entry(format!("{}{query}", exchange.url.path())).or_default().push(exchange.clone());
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/index.m3u8", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::new(Mutex::new(script)));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url.parse().unwrap(), server)
}

async fn answer(State(script): State<Script>, request: Request<Body>) -> Response<Body> {
    let mut script = script.lock().unwrap();
    let path = request.uri().path_and_query().unwrap().as_str();
    let far = format!("{}?far", request.uri().path());
    let key = if path.contains("_HLS_msn=") && !script.contains_key(path) { far.as_str() } else { path };
    let Some(answers) = script.get_mut(key) else {
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let exchange = if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() };
    let mut response = Response::builder().status(exchange.status);
    for (name, value) in &exchange.headers {
        response = response.header(name, value);
    }
    if let Some(location) = exchange.redirects.first() {
        return Response::builder()
            .status(302)
            .header(header::LOCATION, location)
            .body(Body::empty())
            .unwrap();
    }
    let body = if exchange.header("content-encoding").is_some() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&exchange.body).unwrap();
        gzip.finish().unwrap()
    } else {
        exchange.body.to_vec()
    };
    response.body(body.into()).unwrap()
}

pub(super) fn quickly(watch: u64) -> Options {
    let reload = Some(Duration::from_millis(10));
    Options { watch: Duration::from_millis(watch), reload, ..Options::default() }
}

#[tokio::test]
async fn a_low_latency_stream_is_asked_for_everything_that_is_judged() {
    let (url, server) = serve(&example().low_latency()).await;
    let report = check(&url, &quickly(0)).await.unwrap();
    assert!(report.passed(), "{report}");
    let skipped: Vec<_> = report.with(Outcome::NotApplicable);
    let of_recordings = ["bandwidth-vod", "playlist-type", "same-range", "endlist", "live-window"];
    assert!(skipped.iter().all(|rule| of_recordings.contains(rule)), "{skipped:?}");
    server.abort();
}

#[tokio::test]
async fn reloads_are_recorded_and_gaps_are_not_asked_for() {
    let mut good = example().live();
    for name in ["/high.m3u8", "/low.m3u8", "/sound.m3u8"] {
        edit(&mut good, name, |text| {
            let date = "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:08";
            text.replace(date, &format!("#EXT-X-GAP\n{date}"))
        });
    }
    let (url, server) = serve(&good).await;
    let recording = record(&url, &quickly(500)).await.unwrap();
    let report = judge(&recording);
    assert!(report.passed(), "{report}");
    assert!(report.with(Outcome::Pass).contains(&"published-unchanged"), "it was reloaded");
    assert!(!recording.exchanges.iter().any(|one| one.url.path().ends_with("/4.m4s")), "a gap was asked for");
    server.abort();
}

#[tokio::test]
async fn redirects_are_followed_and_told() {
    let mut moved = example().vod();
    let segment = moved.exchanges.iter_mut().find(|one| one.url.path() == "/low/4.m4s").unwrap();
    segment.redirects.push("/low/5.m4s".into());
    let (url, server) = serve(&moved).await;
    let report = check(&url, &Options { vod: true, ..Options::default() }).await.unwrap();
    assert!(report.failed().contains(&"no-redirects"), "{report}");
    server.abort();
}

#[tokio::test]
async fn an_unreachable_origin_is_an_error_not_a_failed_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/index.m3u8", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    assert!(matches!(check(&url, &quickly(0)).await, Err(FetchError::Connection { .. })));
}
