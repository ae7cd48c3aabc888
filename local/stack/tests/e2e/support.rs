//! A stack of its own for each test, encoders, and patience: everything is waited for by what can be seen.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use headwater_aws::media::Buckets;
use headwater_aws::settings::fixed_config;
use headwater_aws::table::Table;
use headwater_local::demo::ApiClient;
use headwater_local::{Binaries, Ports, REGIONS, Stack, StackConfig};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::outages;

/// The longest anything is waited for; on a busy machine things take their time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How often is looked.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// [`PATIENCE`], and longer if what is injected lasts longer than usual.
pub(crate) fn patience() -> Duration {
    PATIENCE + outages::more_patience()
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(patience(), waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A running platform.
pub(crate) struct Platform {
    pub(crate) stack: Stack,
    folder: Folder,
    pub(crate) http: Client<HttpConnector, Empty<Bytes>>,
}

/// Where a platform has its files. If its test fails, the logs are kept among the artifacts.
struct Folder(TempDir);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
            let to = artifacts().join("failed").join(test);
            // The test has failed already; it says why.
            let _ = copy_all(&self.0.path().join("logs"), &to);
        }
    }
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (entry, to) = (entry.path(), to.join(entry.file_name()));
        if entry.is_dir() {
            copy_all(&entry, &to)?;
        } else {
            std::fs::copy(entry, to)?;
        }
    }
    Ok(())
}

/// A created stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) playback: String,
}

/// A small ladder: size is not the point of these tests.
pub(crate) fn small() -> Value {
    json!({ "ladder": [{"height": 180, "kbps": 300}, {"height": 90, "kbps": 100}] })
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut StackConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = StackConfig::new(folder.path(), Ports::Free, Binaries::beside_me().unwrap());
        config.sweep_every = Duration::from_secs(2);
        config.web = Some(root().join("web/dist"));
        change(&mut config);
        let stack = Stack::start(config).await.unwrap();
        Self { stack, folder: Folder(folder), http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Stops everything; the logs are shown if the test has failed before.
    pub(crate) async fn stop(self) {
        self.stack.stop().await;
    }

    pub(crate) fn api(&self, region: usize) -> ApiClient {
        ApiClient::new(self.stack.regions[region].api_url(), &self.stack.secrets.admin_token)
    }

    pub(crate) async fn create(&self, settings: Value) -> Stream {
        let body = json!({ "name": "test", "settings": settings });
        let (status, stream) = self.api(0).call(Method::POST, "/v1/streams", Some(body)).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{stream}");
        let text = |pointer: &str| stream.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        Stream { id: text("/id"), key: text("/stream_key/value"), playback: text("/playback_url") }
    }

    /// The stream as the API of a region shows it.
    pub(crate) async fn show(&self, region: usize, stream: &Stream) -> Value {
        let (status, body) =
            self.api(region).call(Method::GET, &format!("/v1/streams/{}", stream.id), None).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Waits until the stream's status is `status`.
    pub(crate) async fn status(&self, stream: &Stream, status: &str) -> Value {
        eventually(&format!("status {status}\n{}", self.logs()), || async {
            let shown = self.show(0, stream).await;
            (shown["status"] == status).then_some(shown)
        })
        .await
    }

    /// Where an encoder publishes to.
    pub(crate) fn rtmp(&self, region: usize, key: &str) -> String {
        format!("{}/{key}", self.stack.regions[region].rtmp_url())
    }

    pub(crate) fn edge(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.stack.edge_url()) }
    }

    /// What the edge answers; references of playlists are resolved, as players do.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(self.edge(path)).body(Empty::new()).unwrap();
        let address = request.uri().path().to_owned();
        let answer = self.http.request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let is_playlist =
            head.headers.get("content-type").is_some_and(|kind| kind == headwater_hls::CONTENT_TYPE);
        let body = match std::str::from_utf8(&body) {
            Ok(text) if is_playlist => headwater_conformance::resolve_references(&address, text).into(),
            _ => body,
        };
        (head.status, head.headers, body)
    }

    /// A region's table, as our programs reach it.
    pub(crate) fn table(&self, region: usize) -> Table {
        let (config, name) = self.table_config(region);
        Table::new(&config, name)
    }

    /// How to reach a region's table, and its name.
    pub(crate) fn table_config(&self, region: usize) -> (aws_config::SdkConfig, &'static str) {
        (self.sdk(region, self.stack.regions[region].dynamodb.addr()), "headwater")
    }

    /// A region's media bucket, as our programs reach it.
    pub(crate) fn bucket(&self, region: usize) -> Buckets {
        let (config, name) = self.bucket_config(region);
        Buckets::only(&config, name)
    }

    /// How to reach a region's media bucket, and its name.
    pub(crate) fn bucket_config(&self, region: usize) -> (aws_config::SdkConfig, String) {
        let config = self.sdk(region, self.stack.regions[region].s3.addr());
        (config, format!("headwater-media-{}", REGIONS[region]))
    }

    fn sdk(&self, region: usize, addr: std::net::SocketAddr) -> aws_config::SdkConfig {
        let secret = self.stack.secrets.aws_secret_key.clone();
        let keys = aws_credential_types::Credentials::new("HEADWATERLOCAL", secret, None, None, "test");
        fixed_config(REGIONS[region], &format!("http://{addr}"), keys)
    }

    /// A folder for this test's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.0.path()
    }

    /// The last lines of all logs, for messages.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.stack.data().join("logs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("api-access.log") {
                    let log = std::fs::read_to_string(&path).unwrap_or_default();
                    let lines: Vec<_> = log.lines().rev().take(15).collect();
                    text.push_str(&format!("== {}\n", path.display()));
                    lines.iter().rev().for_each(|line| text.push_str(&format!("{line}\n")));
                }
            }
        }
        text
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Where screenshots and reports of a run are kept.
pub(crate) fn artifacts() -> PathBuf {
    let folder =
        std::env::var_os("HEADWATER_ARTIFACTS").map_or_else(|| root().join("test-artifacts"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("cannot start {program}: {error}")))
    }

    /// Waits for its end; whether it succeeded, and everything it said.
    pub(crate) async fn end(self) -> (bool, String) {
        let output = tokio::time::timeout(PATIENCE, self.0.wait_with_output())
            .await
            .expect("it does not end")
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Signals it, if it still runs.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap())).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Cuts it off without a word, as a lost network does.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }
}

/// How a test picture is encoded.
pub(crate) struct Picture {
    pub(crate) size: &'static str,
    pub(crate) rate: u32,
    /// Ends by itself after so many seconds.
    pub(crate) seconds: Option<u32>,
    pub(crate) video: bool,
    pub(crate) audio: bool,
}

impl Default for Picture {
    fn default() -> Self {
        Self { size: "320x180", rate: 25, seconds: None, video: true, audio: true }
    }
}

impl Picture {
    pub(crate) fn for_seconds(seconds: u32) -> Self {
        Self { seconds: Some(seconds), ..Self::default() }
    }

    /// Publishes it with ffmpeg, in real time.
    pub(crate) fn publish(&self, url: &str) -> Running {
        let mut arguments: Vec<String> = ["-hide_banner", "-loglevel", "error"].map(str::to_owned).to_vec();
        let mut add = |text: &str| arguments.extend(text.split_whitespace().map(str::to_owned));
        if self.video {
            add(&format!("-re -f lavfi -i testsrc2=size={}:rate={}", self.size, self.rate));
        }
        if self.audio {
            add("-re -f lavfi -i sine=frequency=440:sample_rate=48000");
        }
        if let Some(seconds) = self.seconds {
            add(&format!("-t {seconds}"));
        }
        if self.video {
            add("-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p");
        }
        if self.audio {
            add("-c:a aac -b:a 64k");
        }
        add("-f flv");
        arguments.push(url.to_owned());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        Running::start("ffmpeg", &arguments)
    }
}
