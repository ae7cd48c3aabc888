//! A gateway on free ports, encoders as child processes, a reader of the source link, and a parser of what it reads.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_aws::clock::wall_clock;
use headwater_domain::hooks::Secret;
use headwater_domain::key::StreamKey;
use headwater_domain::testing::samples;
use headwater_domain::tokens::{SigningKey, SourceRight};
use headwater_domain::{KeyId, SessionId, Timestamp};
use headwater_rtmp::flv::{TAG_HEADER_LEN, TagHead};
use headwater_transcoder::gateway::{Codecs, Gateway, GatewayConfig, Limits, RtmpsConfig};
use headwater_transcoder::media;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::hooks::{FakeHooks, Policy, stream};

/// More than anything here takes on a busy machine; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn stream_key() -> StreamKey {
    StreamKey::from_random(stream(), KeyId::from_random(5), 0x1234_5678_9abc_def0_1234_5678_9abc_def0)
}

pub(crate) fn stream_key_text() -> String {
    stream_key().reveal().expose().to_owned()
}

pub(crate) struct Rig {
    pub(crate) hooks: Arc<FakeHooks>,
    pub(crate) gateway: Gateway,
    pub(crate) key: SigningKey,
    pub(crate) dir: TempDir,
    pub(crate) shutdown: CancellationToken,
    http: Client<HttpConnector, Full<Bytes>>,
}

pub(crate) async fn rig() -> Rig {
    rig_with(Policy::Allow, |_| {}).await
}

pub(crate) async fn rig_with(policy: Policy, change: impl FnOnce(&mut Limits)) -> Rig {
    let mut limits =
        Limits { drain_timeout: Duration::ZERO, move_timeout: Duration::ZERO, ..Limits::default() };
    change(&mut limits);
    rig_of(policy, limits, None, tempfile::tempdir().unwrap()).await
}

pub(crate) async fn rig_of(policy: Policy, limits: Limits, rtmps: Option<RtmpsConfig>, dir: TempDir) -> Rig {
    rig_configured(policy, dir, |config| (config.limits, config.rtmps) = (limits, rtmps)).await
}

pub(crate) async fn rig_configured(
    policy: Policy,
    dir: TempDir,
    change: impl FnOnce(&mut GatewayConfig),
) -> Rig {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let key = SigningKey::new(Secret::new("signing"));
    let hooks = Arc::new(FakeHooks::new(policy));
    let shutdown = CancellationToken::new();
    let mut config = GatewayConfig {
        rtmp: any,
        rtmps: None,
        source_listen: any,
        source_url: "http://10.0.1.5:8936".to_owned(),
        region: "eu-west-1".parse().unwrap(),
        spool_dir: dir.path().join("spool"),
        signing_key: key.clone(),
        codecs: Codecs::new(media::decodable()),
        limits: Limits::default(),
        revision: Some("r2".to_owned()),
        protection: None,
        metrics: None,
        clock: wall_clock,
    };
    change(&mut config);
    let gateway = Gateway::start(config, hooks.clone(), shutdown.clone()).await.unwrap();
    let http = Client::builder(TokioExecutor::new()).build_http();
    Rig { hooks, gateway, key, dir, shutdown, http }
}

impl Rig {
    pub(crate) fn rtmp_url(&self) -> String {
        format!("rtmp://{}/live/{}", self.gateway.rtmp_addr(), stream_key_text())
    }

    pub(crate) fn source_url(&self, session: &SessionId, after: u64) -> String {
        format!("http://{}/sources/{session}?after={after}", self.gateway.source_addr())
    }

    pub(crate) fn token(&self, session: &SessionId) -> String {
        self.token_of(session, &samples::writer(1))
    }

    /// A token of another lease than most tests have, or of a standby.
    pub(crate) fn token_of(&self, session: &SessionId, right: &SourceRight) -> String {
        self.key.source_token(session, right, Timestamp(4_000_000_000_000)).expose().to_owned()
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        url: &str,
        token: &str,
        body: String,
    ) -> http::Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        timeout(PATIENCE, self.http.request(request)).await.expect("an answer").unwrap()
    }

    /// The answer for a session that is known, or is about to be: the hooks hear of it a moment before its gateway has it.
    pub(crate) async fn get(&self, session: &SessionId, after: u64) -> http::Response<Incoming> {
        let known = async {
            loop {
                let answer = self.ask(session, after).await;
                if answer.status() != StatusCode::NOT_FOUND {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, known).await.expect("the gateway has the session")
    }

    async fn ask(&self, session: &SessionId, after: u64) -> http::Response<Incoming> {
        self.request("GET", &self.source_url(session, after), &self.token(session), String::new()).await
    }

    /// The whole body, to its clean end.
    pub(crate) async fn read(&self, session: &SessionId, after: u64) -> Flv {
        self.read_from(session, &self.source_url(session, after)).await
    }

    pub(crate) async fn read_from(&self, session: &SessionId, url: &str) -> Flv {
        let answer = self.request("GET", url, &self.token(session), String::new()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers().clone();
        let body =
            timeout(PATIENCE, answer.into_body().collect()).await.expect("an end").expect("a clean end");
        Flv::parse(headers, body.to_bytes())
    }

    pub(crate) async fn status(&self, session: &SessionId, after: u64) -> StatusCode {
        self.ask(session, after).await.status()
    }

    pub(crate) async fn commit(&self, session: &SessionId, cursor: u64) {
        let url = format!("http://{}/sources/{session}/committed", self.gateway.source_addr());
        let body = format!("{{\"cursor\":{cursor}}}");
        let answer = self.request("PUT", &url, &self.token(session), body).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    pub(crate) async fn health(&self) -> serde_json::Value {
        let url = format!("http://{}/health", self.gateway.source_addr());
        let answer = self.request("GET", &url, "", String::new()).await;
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    /// Files in the spool.
    pub(crate) fn spooled(&self) -> Vec<PathBuf> {
        let sessions = std::fs::read_dir(self.dir.path().join("spool")).unwrap();
        sessions
            .flat_map(|session| std::fs::read_dir(session.unwrap().path()).unwrap())
            .map(|file| file.unwrap().path())
            .collect()
    }

    /// Shuts down; the spool must be empty then.
    pub(crate) async fn leave(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.gateway.join()).await.expect("the gateway leaves").unwrap();
        let left: Vec<_> = std::fs::read_dir(self.dir.path().join("spool")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What the source link sent.
#[derive(Debug, Clone)]
pub(crate) struct Flv {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    /// Tags in order; the first ones are headers with cursor bits 0.
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: u8,
    pub(crate) time: u32,
    pub cursor_bits: u64,
    pub(crate) body: Bytes,
}

impl Tag {
    pub(crate) fn is_idr(&self) -> bool {
        self.kind == 9 && self.body[0] == 0x17 && self.body[1] == 1
    }
}

impl Flv {
    pub(crate) fn parse(headers: HeaderMap, bytes: Bytes) -> Self {
        assert_eq!(&bytes[..4], b"FLV\x01");
        let mut rest = bytes.slice(13..);
        let mut tags = Vec::new();
        while !rest.is_empty() {
            let head = TagHead::read(&rest).expect("a whole header");
            let end = TAG_HEADER_LEN + head.body_len;
            assert_eq!(rest[end..end + 4], (end as u32).to_be_bytes(), "back pointer");
            let (kind, cursor_bits) = (head.type_id, u64::from(head.stream_id));
            let body = rest.slice(TAG_HEADER_LEN..end);
            tags.push(Tag { kind, time: head.timestamp_ms, cursor_bits, body });
            rest = rest.slice(head.tag_len()..);
        }
        Self { headers, bytes, tags }
    }

    pub(crate) fn header(&self, name: &str) -> u64 {
        self.headers[name].to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn media(&self) -> Vec<&Tag> {
        self.tags.iter().filter(|tag| tag.cursor_bits != 0).collect()
    }

    pub(crate) fn cursors(&self) -> Vec<u64> {
        self.media().iter().map(|tag| tag.cursor_bits).collect()
    }
}

/// Runs a program to its end.
pub(crate) async fn output(command: &mut Command) -> Output {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    timeout(PATIENCE, running).await.expect("the program ends").expect("the program starts")
}

pub(crate) fn ffmpeg(args: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "info"]).args(args);
    command
}

/// A small H.264 and AAC file of `seconds`, an IDR each second, with B-frames.
pub(crate) async fn sample(dir: &Path, seconds: u32) -> PathBuf {
    let path = dir.join(format!("sample-{seconds}.flv"));
    let (video, audio) = (
        format!("testsrc2=size=160x90:rate=25:duration={seconds}"),
        format!("sine=frequency=440:sample_rate=48000:duration={seconds}"),
    );
    let made = output(&mut ffmpeg(&[
        "-y",
        "-f",
        "lavfi",
        "-i",
        &video,
        "-f",
        "lavfi",
        "-i",
        &audio,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-g",
        "25",
        "-sc_threshold",
        "0",
        "-threads",
        "1",
        "-b:v",
        "200k",
        "-c:a",
        "aac",
        "-f",
        "flv",
        path.to_str().unwrap(),
    ]))
    .await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

/// Publishes a file as it is, as fast as it goes.
pub(crate) async fn publish(file: &Path, url: &str) -> Output {
    output(&mut ffmpeg(&["-i", file.to_str().unwrap(), "-c", "copy", "-f", "flv", url])).await
}

/// Publishes in real time until it is stopped.
pub(crate) fn publish_live(url: &str) -> Child {
    let mut command = ffmpeg(&[
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x90:rate=25",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=48000",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-threads",
        "1",
        "-c:a",
        "aac",
        "-f",
        "flv",
        url,
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// `stream index, pts, dts, size, flags` of each packet, by ffprobe.
pub(crate) async fn packets(file: &Path) -> Vec<(u32, i64, i64, u64, String)> {
    let probed = output(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-of",
                "csv=p=0",
                "-show_entries",
                "packet=stream_index,pts,dts,size,flags",
            ])
            .arg(file),
    )
    .await;
    assert!(
        probed.status.success() && probed.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&probed.stderr)
    );
    let text = String::from_utf8(probed.stdout).unwrap();
    let line = |line: &str| {
        let mut fields = line.split(',');
        let mut next = || fields.next().unwrap().to_owned();
        let (stream, pts, dts, size, flags) = (next(), next(), next(), next(), next());
        (stream.parse().unwrap(), pts.parse().unwrap(), dts.parse().unwrap(), size.parse().unwrap(), flags)
    };
    text.lines().map(line).collect()
}
