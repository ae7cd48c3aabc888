//! HTTP as strangers, monitors and players of other sites speak it, at the edge and at the API.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::Platform;

/// A status line and headers, as they came.
struct Heard {
    status: u16,
    headers: String,
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Sends what an HTTP library would not.
async fn say(addr: SocketAddr, request_line: &str, headers: &[(&str, &str)]) -> Heard {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{request_line} HTTP/1.1\r\nHost: {addr}\r\n{headers}Connection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Heard { status: status.unwrap_or_else(|| panic!("{request_line}: {head}")), headers: head.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_is_a_server_error_and_every_question_of_a_browser_is_answered() {
    let platform = Platform::start().await;
    let edge: SocketAddr = platform.stack.edge_url().trim_start_matches("http://").parse().unwrap();
    let api = platform.stack.regions[0].api.addr();
    no_server_errors(edge, api).await;
    monitors_and_slashes(&platform, api).await;
    preflights(edge, api).await;
    platform.stop().await;
}

async fn no_server_errors(edge: SocketAddr, api: SocketAddr) {
    let long = format!("/us-east-1/media/{}", "a".repeat(3_000));
    let deep = format!("/us-east-1/media/{}", "a/".repeat(1_000));
    for path in [
        "//",
        "//us-east-1/media/b/1.m4s",
        "///us-east-1/media/b/1.m4s",
        "/us-east-1//media/b/1.m4s",
        "/us-east-1/media//b/1.m4s",
        "/us-east-1/media/",
        "/us-east-1/media/b/../../../1.m4s",
        "/us-east-1/media/..%2f..%2f1.m4s",
        "/us-east-1/media/%2e%2e/%2e%2e/1.m4s",
        "/us-east-1/media/%00",
        "/us-east-1/media/%ff%fe",
        "/us-east-1/media/%zz",
        "/us-east-1/media/a%20b%0a%0d",
        "/us-east-1/media/{}|^`\\\"<>",
        "/us-east-1/media/?uploads",
        "/us-east-1/media/x?versionId=1&\"<>",
        "//us-east-1/parts/b/1.m4s",
        "/us-east-1/parts//b/1.m4s",
        "/us-east-1/parts/%2f",
        "//us-east-1/playlists/x/720p.m3u8",
        "/us-east-1/playlists//x/720p.m3u8",
        "/us-east-1/playlists/{}|^`\\\"<>.m3u8",
        "/us-east-1/playlists/%ff/%zz.m3u8",
        "/us-east-1/playlists/\u{e4}\u{1f600}.m3u8",
        "/us-east-1/low-latency//x/720p.m3u8?_HLS_msn=\"",
        "/us-east-1/low-latency/x/720p.m3u8?_HLS_msn={}&_HLS_part=^",
        "//live/x/index.m3u8",
        "/live//index.m3u8",
        "/live/%2f/index.m3u8",
        "/live/../../index.m3u8",
        "/v1/streams",
        "//v1/streams",
        "/v1/streams/\"<>",
        "/%",
        long.as_str(),
        deep.as_str(),
    ] {
        for (place, addr) in [("edge", edge), ("API", api)] {
            for method in ["GET", "HEAD", "OPTIONS"] {
                let heard = say(addr, &format!("{method} {path}"), &[]).await;
                assert!(
                    (200..500).contains(&heard.status),
                    "{method} {path} at the {place}: {}",
                    heard.status
                );
            }
        }
    }
}

async fn monitors_and_slashes(platform: &Platform, api: SocketAddr) {
    for path in ["/health", "/v1/openapi.json"] {
        assert_eq!(say(api, &format!("HEAD {path}"), &[]).await.status, 200, "{path}");
    }
    let client = platform.api(0);
    for path in ["/v1/streams", "/v1/streams/"] {
        let (status, streams) = client.call(Method::GET, path, None).await.unwrap();
        assert_eq!((status, streams["streams"].as_array().unwrap().len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(say(api, &format!("GET {path}"), &[]).await.status, 401, "{path} wants the token");
    }
}

async fn preflights(edge: SocketAddr, api: SocketAddr) {
    let (origin, wanted) = ("https://player.example", "cmcd-object,cmcd-request,cmcd-session,range,x-token");
    for path in [
        "/live/000000000001/index.m3u8",
        "/live/index.json",
        "/us-east-1/playlists/000000000001-1hf7yat000001/720p.m3u8",
        "/us-east-1/playlists/000000000001-1hf7yat000001/index.m3u8",
        "/us-east-1/playlists/000000000001-1hf7yat000001/vod/720p.m3u8",
        "/eu-west-1/low-latency/000000000001-1hf7yat000001/720p.m3u8?_HLS_msn=1",
        "/us-east-1/parts/000000000001-1hf7yat000001/1.us-east-1.00000002/720p/1.0.m4s",
        "/eu-west-1/media/000000000001-1hf7yat000001/1.us-east-1.00000002/720p/1.m4s",
    ] {
        let question = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Headers", wanted),
        ];
        let heard = say(edge, &format!("OPTIONS {path}"), &question).await;
        assert!((200..300).contains(&heard.status), "{path}: {}", heard.headers);
        assert_eq!(heard.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(heard.header("access-control-allow-headers"), Some("*"), "{path}");
        assert_eq!(heard.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"), "{path}");
        // Whatever the origin says beside it, a browser reads the answer that comes.
        let heard = say(edge, &format!("GET {path}"), &question[..1]).await;
        assert_eq!(heard.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(heard.header("access-control-allow-headers"), None, "{path}");
    }
    let question = [
        ("Origin", "https://dashboard.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type,idempotency-key"),
    ];
    for path in
        ["/v1/streams", "/v1/streams/", "/v1/streams/000000000001/stop", "/v1/openapi.json", "/health"]
    {
        let heard = say(api, &format!("OPTIONS {path}"), &question).await;
        assert_eq!(heard.status, 204, "{path}: {}", heard.headers);
        let allowed = heard.header("access-control-allow-headers").unwrap();
        assert!(
            question[2].1.split(',').all(|name| allowed.split(',').any(|one| one == name)),
            "{path}: {allowed}"
        );
        assert!(heard.header("access-control-allow-methods").unwrap().contains("POST"), "{path}");
    }
}
