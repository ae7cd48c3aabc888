//! The program, a control plane that knows one key, and what both have seen.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use headwater_domain::hooks::Secret;
use headwater_domain::testing::samples;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{BroadcastId, SessionId, Timestamp};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::hooks::stream;
use crate::program::program;
use crate::support::{PATIENCE, stream_key_text};

/// Health is asked for so often: no oftener, for the flood is on the same thread.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A publish request as the control plane got it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Seen {
    asked: Vec<Asked>,
    /// Questions under way, and the most of them that ever were.
    open: usize,
    most: usize,
}

#[derive(Debug, Clone)]
struct Plane {
    seen: watch::Sender<Seen>,
    /// Whether wrong keys are answered at all.
    answers: watch::Sender<bool>,
}

async fn publish(State(plane): State<Plane>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    let right = body["key"] == stream_key_text();
    plane.seen.send_modify(|seen| {
        seen.asked.push(Asked { headers, body });
        seen.open += 1;
        seen.most = seen.most.max(seen.open);
    });
    if !right {
        plane.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
    }
    plane.seen.send_modify(|seen| seen.open -= 1);
    let broadcast = BroadcastId::new(&stream(), 1_000, 7);
    Json(match right {
        true => json!({ "decision": "allow", "stream": stream(), "broadcast": broadcast, "order": 1 }),
        false => json!({ "decision": "deny", "kind": "unknown_key", "reason": "no stream has this key" }),
    })
}

/// What the program has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// Most memory it ever had, MiB.
    pub(crate) peak: u64,
    pub(crate) descriptors: usize,
}

pub(crate) struct GatewayHarness {
    pub(crate) rtmp: SocketAddr,
    pub(crate) source: SocketAddr,
    child: Child,
    plane: Plane,
    log: Arc<Mutex<Vec<String>>>,
    http: Client<HttpConnector, Full<Bytes>>,
    began: Instant,
    spool: TempDir,
}

impl GatewayHarness {
    /// Open, and with its strangers' wrong keys answered at once.
    pub(crate) async fn open() -> Self {
        Self::open_with(program).await
    }

    /// The same, of a program that is started in another way.
    pub(crate) async fn open_with(start: impl FnOnce(SocketAddr, &Path) -> Command) -> Self {
        let plane = Plane { seen: watch::Sender::default(), answers: watch::Sender::new(true) };
        let router = Router::new()
            .route("/hooks/publish", post(publish))
            .route("/hooks/unpublish", post(|| async { Json(json!({})) }))
            .route("/hooks/heartbeat", post(|| async { Json(json!({ "sessions": {} })) }))
            .with_state(plane.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let surroundings = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });

        let spool = tempfile::tempdir().unwrap();
        let mut command = start(surroundings, spool.path());
        command.env("SOURCE_URL", "http://192.0.2.3:8936").env_remove("LOG_FORMAT");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (rtmp, source) = loop {
            let line =
                timeout(PATIENCE, lines.next_line()).await.expect("it starts").unwrap().expect("it runs");
            if line.contains("gateway listens") {
                let address = |name: &str| {
                    let (_, rest) = line.split_once(&format!("{name}=")).unwrap();
                    rest.split(' ').next().unwrap().parse().unwrap()
                };
                break (address(" rtmp"), address(" source"));
            }
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { rtmp, source, child, plane, log, http, began: Instant::now(), spool }
    }

    /// Where the program sees its spool folder, and its id.
    pub(crate) fn spool(&self) -> (&Path, u32) {
        (self.spool.path(), self.child.id().expect("it runs"))
    }

    /// Wrong keys are answered, or not yet.
    pub(crate) fn answer_strangers(&self, answers: bool) {
        self.plane.answers.send_replace(answers);
    }

    /// Publish requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.plane.seen.borrow().asked.clone()
    }

    /// Most questions that were ever open at a time.
    pub(crate) fn most_questions(&self) -> usize {
        self.plane.seen.borrow().most
    }

    /// Waits until so many questions are open.
    pub(crate) async fn until_open(&self, count: usize) {
        let mut seen = self.plane.seen.subscribe();
        timeout(PATIENCE, seen.wait_for(|seen| seen.open >= count)).await.expect("they are asked").unwrap();
    }

    /// Windows of guessing that have begun: a machine that is busy for a minute sees two.
    pub(crate) fn windows(&self) -> usize {
        1 + usize::try_from(self.began.elapsed().as_secs()).unwrap() / 60
    }

    /// Lines of the log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&self, text: &str) {
        let said = async {
            while !self.log.lock().unwrap().iter().any(|line| line.contains(text)) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("{text} is not in {:#?}", self.log()));
    }

    pub(crate) fn used(&self) -> Used {
        let proc = format!("/proc/{}", self.child.id().expect("it runs"));
        let read = |file: &str| std::fs::read_to_string(format!("{proc}/{file}")).unwrap();
        let stat = read("stat");
        // Behind the name, which may hold anything: fields 14 and 15, in ticks of 10 ms (proc_pid_stat(5)).
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let status = read("status");
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        let peak: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        let descriptors = std::fs::read_dir(format!("{proc}/fd")).unwrap().count();
        Used { cpu: Duration::from_millis(ticks * 10), peak: peak / 1_024, descriptors }
    }

    /// Checks what an attack cost against its bounds, and prints it.
    #[track_caller]
    pub(crate) fn cost(&self, attack: &str, before: Used, cpu: Duration, mib: u64) {
        let after = self.used();
        let (cpu_used, grown) = (after.cpu - before.cpu, after.peak - before.peak);
        println!(
            "{attack}: {:.2} CPU s (bound {} s), {grown} MiB (bound {mib} MiB)",
            cpu_used.as_secs_f64(),
            cpu.as_secs()
        );
        assert!(cpu_used <= cpu, "{attack}: {cpu_used:?} of CPU");
        assert!(grown <= mib, "{attack}: {grown} MiB more");
    }

    pub(crate) fn token(&self, session: &SessionId, until: u64) -> String {
        let key = SigningKey::new(Secret::new("signing"));
        key.source_token(session, &samples::writer(1), Timestamp(until)).expose().to_owned()
    }

    /// A request to the source link.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response<Incoming> {
        let request = self.make(method, path, token, headers, body);
        timeout(PATIENCE, self.http.request(request)).await.expect("an answer").unwrap()
    }

    fn make(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.source));
        request = request.header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::from(body)).unwrap()
    }

    /// The status, or nothing if it was closed before all was sent.
    pub(crate) async fn try_request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<u16> {
        let request = self.make(method, path, token, headers, body);
        let answer = timeout(PATIENCE, self.http.request(request)).await.expect("an answer, or an end");
        answer.ok().map(|answer| answer.status().as_u16())
    }

    pub(crate) async fn health(&self) -> Value {
        let answer = self.request("GET", "/health", "", &[], Vec::new()).await;
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    /// Waits until its health is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let health = self.health().await;
                if wanted(&health) {
                    return health;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: {:#?}", self.log()))
    }

    /// Waits until it has so many connections.
    pub(crate) async fn until_connections(&self, count: u64) {
        self.until("connections end", |health| health["connections"] == count).await;
    }

    /// It still runs. (How it leaves is shown elsewhere; it would wait for readers of what the strangers sent.)
    pub(crate) async fn close(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "{:#?}", self.log());
        self.child.kill().await.unwrap();
        let log = self.log();
        assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    }
}
