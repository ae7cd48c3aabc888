//! The edge: real nginx in front of small origins.

use super::support::{Answer, PATIENCE, credentials, get, send, until};
use axum::body::Body;
use futures::future::BoxFuture;
use headwater_emulators::calls::CallLog;
use headwater_emulators::edge::{Behavior, Distribution, Edge, EdgeConfig, EdgeError, Origin};
use headwater_emulators::listen::{Handler, Server};
use headwater_emulators::process::Spawner;
use headwater_emulators::s3::{OAC_HEADER, S3, S3Config};
use http::{Method, Request, Response, StatusCode};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// An origin that answers as its settings say and remembers what it was asked.
struct TestOrigin {
    name: &'static str,
    reply: Mutex<(u16, Option<&'static str>)>,
    asked: Mutex<Vec<Request<()>>>,
    gate: Semaphore,
}

const OPEN: usize = 1_000_000;

impl TestOrigin {
    fn start(name: &'static str, status: u16, cache_control: Option<&'static str>) -> (Arc<Self>, Server) {
        let reply = Mutex::new((status, cache_control));
        let origin = Arc::new(Self { name, reply, asked: Mutex::default(), gate: Semaphore::new(OPEN) });
        let server = Server::start(name, 0, origin.clone()).unwrap();
        (origin, server)
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn last(&self) -> Request<()> {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    fn say(&self, status: u16, cache_control: Option<&'static str>) {
        *self.reply.lock().unwrap() = (status, cache_control);
    }
}

impl Handler for TestOrigin {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(request.map(|_| ()));
            self.gate.acquire().await.unwrap().forget();
            let (status, cache_control) = *self.reply.lock().unwrap();
            let mut response = Response::builder().status(status).header("x-headwater-debug", "internal");
            if let Some(cache_control) = cache_control {
                response = response.header("cache-control", cache_control);
            }
            response.body(Body::from(format!("from {}", self.name))).unwrap()
        })
    }
}

async fn edge(folder: &Path, nodes: usize, distribution: Distribution) -> Edge {
    let config = EdgeConfig { folder: folder.join("edge"), nodes: vec![0; nodes], distribution };
    Edge::start(config, Spawner::new().unwrap()).await.unwrap()
}

/// `/live/*` fails over on 503, `/east/media/*` also on 403 and 404.
fn two_origins(a: &Server, b: &Server) -> Distribution {
    let short = Duration::from_millis(1500);
    let a =
        Origin::new(a.addr()).header("try", "1").header("x-secret", "of the edge").response_timeout(short);
    let b = Origin::new(b.addr()).path("/prefix").header("try", "2").response_timeout(short);
    let playlists =
        Behavior::cached("/live/*", "a", Some("b"), &[500, 502, 503, 504]).hide("x-headwater-debug");
    let media = Behavior::cached("/*/media/*", "a", Some("b"), &[403, 404, 500, 502, 503, 504]);
    Distribution {
        origins: [("a".to_owned(), a), ("b".to_owned(), b)].into(),
        behaviors: vec![
            playlists
                .query_keys(&["_HLS_msn", "_HLS_part"])
                .response_header("access-control-allow-origin", "*"),
            media,
            Behavior::pass_through("/v1/*", "a", Some("b")),
        ],
        static_root: None,
    }
}

fn seen(answer: &Answer) -> (u16, &str, &str) {
    (answer.status.as_u16(), answer.text(), answer.header("x-cache"))
}

#[tokio::test(flavor = "multi_thread")]
async fn caching_follows_cache_control_and_the_query_keys_per_node() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 200, Some("max-age=600"));
    let (b, server_b) = TestOrigin::start("b", 200, None);
    let edge = edge(folder.path(), 2, two_origins(&server_a, &server_b)).await;
    let (one, two) = (edge.addrs()[0], edge.addrs()[1]);

    let path = "/live/s/index.m3u8?_HLS_part=0&_HLS_msn=7&utm=x";
    let first = get(one, path, &[("x-secret", "forged"), ("authorization", "Bearer viewer")]).await;
    assert_eq!(seen(&first), (200, "from a", "Miss from edge"));
    assert_eq!((first.header("x-headwater-debug"), first.header("access-control-allow-origin")), ("", "*"));
    let asked = a.last();
    assert_eq!(asked.uri().to_string(), "/live/s/index.m3u8?_HLS_msn=7&_HLS_part=0");
    let header = |name: &str| asked.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((header("try").as_deref(), header("x-secret").as_deref()), (Some("1"), Some("of the edge")));
    assert_eq!((header("authorization"), asked.headers().get_all("x-secret").iter().count()), (None, 1));

    let again = get(one, "/live/s/index.m3u8?_HLS_msn=7&_HLS_part=0&other=1", &[]).await;
    assert_eq!(seen(&again), (200, "from a", "Hit from edge"));
    assert_eq!(seen(&get(one, "/live/s/index.m3u8?_HLS_msn=8", &[]).await).2, "Miss from edge");
    assert_eq!(seen(&get(two, path, &[]).await).2, "Miss from edge", "nodes share nothing");
    assert_eq!((a.count(), b.count()), (3, 0));

    a.say(200, None);
    for _ in 0..2 {
        assert_eq!(seen(&get(one, "/live/uncached", &[]).await).2, "Miss from edge");
    }
    assert_eq!(a.count(), 5);
    assert_eq!(
        seen(&get(one, "/live/%0A/%0D%0Aindex.m3u8", &[]).await).1,
        "from a",
        "a wildcard takes line breaks"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_asked_of_origins_for_who_takes_it_and_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 200, Some("max-age=600"));
    let (_b, server_b) = TestOrigin::start("b", 200, None);
    let edge = edge(folder.path(), 1, two_origins(&server_a, &server_b)).await;
    let encoding = async |number: usize, header: &str| {
        let path = format!("/live/{number}");
        get(edge.addr(), &path, &[("accept-encoding", header)]).await;
        let asked = a.last();
        assert_eq!(asked.uri().path(), path);
        asked.headers().get("accept-encoding").map(|value| value.to_str().unwrap().to_owned())
    };
    let packed = [
        "gzip",
        "GZIP",
        "x-gzip",
        "br,gzip",
        "br, gzip;q=0.001",
        "gzip ; q=1.000, *;q=0",
        "deflate, gzip;q=1.0, br",
        "gzip;q=0.5",
    ];
    for (number, header) in packed.into_iter().enumerate() {
        assert_eq!(encoding(number, header).await.as_deref(), Some("gzip"), "{header}");
    }
    let plain = [
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip; q=0.0",
        "GZIP;Q=0.000",
        "br;q=1, gzip;q=0, *;q=0.5",
        "xgzip",
        "gzipped",
        "gzip-9",
        "gzip;q=",
        "gzip;q=no",
        "*;q=0",
    ];
    for (number, header) in (packed.len()..).zip(plain) {
        assert_eq!(encoding(number, header).await, None, "{header}");
    }
    let asked = a.count();
    for header in ["gzip", "gzip;q=0.3", "gzip;q=0", "identity"] {
        get(edge.addr(), "/live/0", &[("accept-encoding", header)]).await;
    }
    assert_eq!(a.count(), asked + 1, "packed and plain are one cache entry each");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_reach_the_origin_and_are_answered_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 200, Some("max-age=600"));
    let (b, server_b) = TestOrigin::start("b", 204, None);
    let mut distribution = two_origins(&server_a, &server_b);
    let asked_before = ["Origin", "Access-Control-Request-Headers"];
    for behavior in &mut distribution.behaviors {
        *behavior = behavior
            .clone()
            .forward(&asked_before)
            .response_header("Access-Control-Allow-Origin", "*")
            .preflight_header("Access-Control-Allow-Headers", "*");
        behavior.prompt = behavior.pattern == "/live/*";
    }
    let edge = edge(folder.path(), 1, distribution).await;
    let ask = async |path: &str| {
        let request = Request::options(format!("http://{}{path}", edge.addr()))
            .header("origin", "https://player.example")
            .header("access-control-request-headers", "cmcd-request")
            .header("cookie", "a=b");
        send(request.body(Body::empty()).unwrap()).await
    };
    for path in ["/live/x", "/east/media/x"] {
        for round in 1..=2 {
            let before = a.count();
            let answer = ask(path).await;
            assert_eq!((answer.status, answer.header("access-control-allow-headers")), (StatusCode::OK, "*"));
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert_eq!(a.count(), before + 1, "{path} {round}: it is not cached");
            let headers = a.last().headers().clone();
            assert_eq!(a.last().method(), Method::OPTIONS);
            assert_eq!(headers["origin"], "https://player.example");
            assert_eq!(
                (headers.contains_key("cookie"), &headers["access-control-request-headers"]),
                (false, &"cmcd-request".parse().unwrap())
            );
        }
        let answer = get(edge.addr(), path, &[("origin", "https://one.example")]).await;
        assert_eq!(answer.header("access-control-allow-headers"), "", "only preflights are told");
        assert_eq!(seen(&answer).2, "Miss from edge");
        let other = get(edge.addr(), path, &[("origin", "https://two.example")]).await;
        assert_eq!((seen(&other).2, other.header("access-control-allow-origin")), ("Hit from edge", "*"));
    }
    a.say(403, None);
    assert_eq!(ask("/east/media/y").await.status, StatusCode::NO_CONTENT, "the other bucket may know more");
    assert_eq!(b.last().method(), Method::OPTIONS);
}

/// CloudFront resolves dots and decodes before it picks a behaviour, and takes `//` for what it is.
#[tokio::test(flavor = "multi_thread")]
async fn two_slashes_are_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 200, Some("max-age=600"));
    let (_b, server_b) = TestOrigin::start("b", 200, None);
    let site = folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    let distribution = Distribution { static_root: Some(site), ..two_origins(&server_a, &server_b) };
    let edge = edge(folder.path(), 1, distribution).await;
    for path in ["//live/x", "///live/x", "/%2flive/x", "/.//live/x"] {
        assert_eq!(get(edge.addr(), path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(a.count(), 0, "they are no behaviour's");
    for path in ["/live//x", "/live/a/../x", "/./live/x", "/%6cive/x"] {
        assert_eq!(seen(&get(edge.addr(), path, &[]).await).1, "from a", "{path}");
        assert_eq!(a.last().uri().path(), path, "the origin gets the path as it was sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_fails_over_as_its_statuses_say() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 503, Some("no-store"));
    let (b, server_b) = TestOrigin::start("b", 200, Some("max-age=600"));
    let edge = edge(folder.path(), 1, two_origins(&server_a, &server_b)).await;
    let addr = edge.addr();
    assert_eq!(seen(&get(addr, "/live/1?_HLS_msn=3", &[]).await), (200, "from b", "Miss from edge"));
    assert_eq!(b.last().uri().to_string(), "/prefix/live/1?_HLS_msn=3");
    assert_eq!(b.last().headers()["try"], "2");
    assert!(b.last().headers().get("x-secret").is_none());
    assert_eq!(
        seen(&get(addr, "/live/1?_HLS_msn=3", &[]).await).2,
        "Hit from edge",
        "the group's answer is cached"
    );
    assert_eq!((a.count(), b.count()), (1, 1));

    a.say(404, None);
    assert_eq!(seen(&get(addr, "/live/2", &[]).await).0, 404, "playlists do not fail over on 404");
    assert_eq!(seen(&get(addr, "/east/media/2", &[]).await), (200, "from b", "Miss from edge"));
    a.say(429, None);
    assert_eq!(seen(&get(addr, "/east/media/3", &[]).await).0, 429, "429 never fails over");

    server_a.faults().stop().await;
    assert_eq!(seen(&get(addr, "/live/3", &[]).await), (200, "from b", "Miss from edge"));
    server_a.faults().start().unwrap();
    a.say(200, None);
    assert_eq!(seen(&get(addr, "/live/4", &[]).await).1, "from a");

    a.gate.forget_permits(OPEN);
    assert_eq!(seen(&get(addr, "/live/5", &[]).await).1, "from b", "no answer in time fails over");
    server_a.faults().stop().await;
    server_b.faults().stop().await;
    assert_eq!(seen(&get(addr, "/live/6", &[]).await).0, 502);
}

/// How long an error is remembered at least; nginx counts in whole seconds.
const REMEMBERED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_remembered_for_a_second_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 404, Some("max-age=600"));
    let (_b, server_b) = TestOrigin::start("b", 200, None);
    let edge = edge(folder.path(), 1, two_origins(&server_a, &server_b)).await;
    assert_eq!(seen(&get(edge.addr(), "/live/x", &[]).await).0, 404);
    let failed = Instant::now();
    a.say(200, None);
    let again = get(edge.addr(), "/live/x", &[]).await.status;
    assert!(again == StatusCode::NOT_FOUND || failed.elapsed() >= REMEMBERED, "it was not remembered at all");
    let forgotten = async {
        while get(edge.addr(), "/live/x", &[]).await.status == StatusCode::NOT_FOUND {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("it is forgotten");
    assert_eq!(a.count(), 2, "it was asked again once");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_at_a_node_ask_the_origin_once_even_through_a_failover() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 503, None);
    let (b, server_b) = TestOrigin::start("b", 200, Some("max-age=600"));
    let edge = edge(folder.path(), 1, two_origins(&server_a, &server_b)).await;
    b.gate.forget_permits(OPEN);
    let viewers: Vec<_> = (0..8).map(|_| tokio::spawn(get_owned(edge.addr(), "/live/x"))).collect();
    until("b is asked", || b.count() > 0).await;
    b.gate.add_permits(OPEN);
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().text(), "from b");
    }
    assert_eq!((a.count(), b.count()), (1, 1));
}

async fn get_owned(addr: SocketAddr, path: &'static str) -> Answer {
    get(addr, path, &[]).await
}

/// nginx's own lock would hold each round up for half a second.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_viewers_get_a_prompt_behaviour_s_answer_at_once_from_one_request_per_node() {
    const ROUNDS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 404, None);
    let (b, server_b) = TestOrigin::start("b", 200, Some("max-age=6"));
    let mut distribution = two_origins(&server_a, &server_b);
    distribution.behaviors.iter_mut().for_each(|behavior| behavior.prompt = true);
    let edge = edge(folder.path(), 2, distribution).await;
    b.gate.forget_permits(OPEN);
    let rounds = async {
        for round in 0..ROUNDS {
            let path = |viewer: usize| format!("/east/media/{round}?viewer={viewer}");
            let ask = |viewer: usize| {
                let (addr, path) = (edge.addrs()[viewer % 2], path(viewer));
                tokio::spawn(async move { get(addr, &path, &[("accept-encoding", "gzip")]).await })
            };
            let mut viewers: Vec<_> = (0..50).map(ask).collect();
            while b.count() < 2 * (round + 1) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            // The first one goes, as viewers do; nobody else notices.
            viewers.remove(0).abort();
            b.gate.add_permits(2);
            for viewer in viewers {
                let answer = viewer.await.unwrap();
                assert_eq!((answer.status.as_u16(), answer.text()), (200, "from b"));
            }
            assert_eq!((a.count(), b.count()), (2 * (round + 1), 2 * (round + 1)), "once a node");
        }
    };
    let polling = Duration::from_millis(500) * u32::try_from(ROUNDS).unwrap();
    tokio::time::timeout(polling * 3 / 4, rounds).await.expect("they wait as if somebody polled");

    // Answers that may not be kept, and errors, are not repeated.
    b.gate.add_permits(OPEN);
    b.say(200, None);
    for _ in 0..2 {
        get(edge.addr(), "/east/media/uncached", &[]).await;
    }
    assert_eq!(b.count(), 2 * ROUNDS + 2);
    let head = Request::head(format!("http://{}/east/media/0", edge.addr())).body(Body::empty()).unwrap();
    assert_eq!(send(head).await.status, StatusCode::OK);
    edge.stop().await;
    edge.resume().await.unwrap();
    assert_eq!(get(edge.addr(), "/east/media/again", &[]).await.text(), "from b");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pass_through_paths_take_other_methods_and_writes_are_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (a, server_a) = TestOrigin::start("a", 503, None);
    let (b, server_b) = TestOrigin::start("b", 200, None);
    let edge = edge(folder.path(), 1, two_origins(&server_a, &server_b)).await;
    let ask = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", edge.addr()));
        request.header("authorization", "Bearer x").header("try", "forged").body(Body::from("{}")).unwrap()
    };
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(send(ask(method, "/live/x")).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(a.count(), 0);
    assert_eq!(send(ask(Method::POST, "/v1/streams?a=1")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((a.count(), b.count()), (1, 0));
    assert_eq!(a.last().headers()["authorization"], "Bearer x");
    assert_eq!((a.last().uri().query(), &a.last().headers()["try"]), (Some("a=1"), &"1".parse().unwrap()));
    assert_eq!(send(ask(Method::GET, "/v1/streams")).await.text(), "from b");
    server_a.faults().stop().await;
    assert_eq!(
        send(ask(Method::POST, "/v1/streams")).await.text(),
        "from b",
        "what was not sent may be sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_from_the_second_bucket_when_the_first_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut buckets = Vec::new();
    for region in ["us-east-1", "us-west-2"] {
        let config = S3Config {
            region: region.to_owned(),
            port: 0,
            folder: folder.path().join(region),
            credentials: credentials(),
            oac_secret: "oac".to_owned(),
            calls: CallLog::default(),
        };
        let s3 = S3::start(config).await.unwrap();
        s3.create_bucket("media-bucket").unwrap();
        buckets.push(s3);
    }
    std::fs::write(folder.path().join("us-west-2/media-bucket/only-west"), "west").unwrap();
    let origin = |s3: &S3| Origin::new(s3.addr()).path("/media-bucket").header(OAC_HEADER, "oac");
    let distribution = Distribution {
        origins: [("east".to_owned(), origin(&buckets[0])), ("west".to_owned(), origin(&buckets[1]))].into(),
        behaviors: vec![Behavior::cached("/*", "east", Some("west"), &[403, 404, 500, 502, 503, 504])],
        static_root: None,
    };
    let edge = edge(folder.path(), 1, distribution).await;
    assert_eq!(get(edge.addr(), "/only-west", &[]).await.text(), "west");
    assert_eq!(get(edge.addr(), "/only-west", &[("range", "bytes=1-2")]).await.text(), "es");
    assert_eq!(get(edge.addr(), "/nowhere", &[]).await.status, StatusCode::FORBIDDEN);
    buckets[0].stop().await;
    assert_eq!(get(edge.addr(), "/only-west?again", &[]).await.text(), "west");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_a_folder_and_comes_back_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("index.html"), "<p>player</p>").unwrap();
    let (_a, server_a) = TestOrigin::start("a", 200, None);
    let (_b, server_b) = TestOrigin::start("b", 200, None);
    let both = Distribution { static_root: Some(site), ..two_origins(&server_a, &server_b) };
    let edge = edge(folder.path(), 2, both).await;
    let index = get(edge.addr(), "/", &[]).await;
    assert_eq!((index.text(), index.header("content-type")), ("<p>player</p>", "text/html"));
    for method in [Method::OPTIONS, Method::POST, Method::DELETE] {
        let request = Request::builder().method(method.clone()).uri(format!("http://{}/", edge.addr()));
        assert_eq!(
            send(request.body(Body::empty()).unwrap()).await.status,
            StatusCode::FORBIDDEN,
            "{method}"
        );
    }
    assert_eq!(get(edge.addrs()[1], "/live/x", &[]).await.text(), "from a");

    edge.stop().await;
    tokio::net::TcpStream::connect(edge.addr()).await.unwrap_err();
    edge.resume().await.unwrap();
    assert_eq!(get(edge.addr(), "/live/x", &[]).await.text(), "from a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_cannot_smuggle_configuration_in() {
    let folder = tempfile::tempdir().unwrap();
    let (_a, server_a) = TestOrigin::start("a", 200, None);
    let (_b, server_b) = TestOrigin::start("b", 200, None);
    let mut wrong = two_origins(&server_a, &server_b);
    wrong.behaviors[0].pattern = "/x; evil".to_owned();
    let config = EdgeConfig { folder: folder.path().join("edge"), nodes: vec![0], distribution: wrong };
    assert!(matches!(Edge::start(config, Spawner::new().unwrap()).await, Err(EdgeError::Render(_))));
}
