//! CloudFormation for the deployment function: its events, and the server behind its ResponseURL.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use headwater_aws::callback::Callback;
use headwater_aws::clock::wall_clock;
use headwater_domain::Region;
use headwater_domain::ports::{ListedApi, ReadApis, WriteSite};
use headwater_domain::testing::deployment::{FakeApis, MemorySite};
use headwater_functions::deployment::{DeploymentFunction, Unanswered};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Part of every ResponseURL here; whoever knows it can answer for us.
pub const SIGNATURE: &str = "0123456789abcdef-signature";

/// Something listening on the loopback interface until it is dropped.
pub struct Listening {
    pub url: String,
    task: JoinHandle<()>,
}

impl Listening {
    pub async fn serve(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was put to the ResponseURL.
#[derive(Debug)]
pub struct Put {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Value,
    pub length: usize,
}

/// The bucket behind the ResponseURL.
pub struct CloudFormation {
    server: Listening,
    inbox: mpsc::Receiver<Put>,
}

struct Inbox {
    puts: mpsc::Sender<Put>,
    statuses: Mutex<VecDeque<u16>>,
}

impl CloudFormation {
    /// Takes every answer.
    pub async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// Answers with these statuses, then with 200.
    pub async fn answering(statuses: &[u16]) -> Self {
        let (puts, inbox) = mpsc::channel(16);
        let state = Arc::new(Inbox { puts, statuses: Mutex::new(statuses.iter().copied().collect()) });
        let server = Listening::serve(Router::new().fallback(take).with_state(state)).await;
        Self { server, inbox }
    }

    /// As the one of a real event: the path and the query are encoded and must come back as they are.
    pub fn response_url(&self) -> String {
        format!("{}{}", self.server.url, Self::target())
    }

    pub fn target() -> String {
        format!("/arn%3Aaws%3Acloudformation%3Astack%2Fs%7CPeer%7C1?X-Amz-Signature={SIGNATURE}&X=a%2Fb")
    }

    /// All that was put since the last call.
    pub fn puts(&mut self) -> Vec<Put> {
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }

    /// Has the function handle the event and gives its answer, the only one.
    pub async fn ask<A, S>(&mut self, function: &Arc<DeploymentFunction<A, S>>, event: &Value) -> Value
    where
        A: ReadApis + 'static,
        S: WriteSite + 'static,
    {
        let mut event = event.clone();
        event["ResponseURL"] = self.response_url().into();
        function.clone().handle(event.clone(), in_seconds(60)).await.unwrap();
        let mut puts = self.puts();
        assert_eq!(puts.len(), 1, "{puts:?}");
        let put = puts.remove(0);
        assert!(put.length < 4096, "{}", put.length);
        for (name, value) in put.body.as_object().unwrap() {
            assert!(name == "Data" || value.is_string(), "{name}: {value}");
        }
        for field in ["StackId", "RequestId", "LogicalResourceId"] {
            assert_eq!(put.body[field], event[field], "{field}");
        }
        put.body
    }

    /// The same; it must have failed. Gives the reason.
    pub async fn reason<A, S>(&mut self, function: &Arc<DeploymentFunction<A, S>>, event: &Value) -> String
    where
        A: ReadApis + 'static,
        S: WriteSite + 'static,
    {
        let answer = self.ask(function, event).await;
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        assert!(answer.get("Data").is_none(), "{answer}");
        assert!(!answer["PhysicalResourceId"].as_str().unwrap().is_empty());
        let reason = answer["Reason"].as_str().unwrap();
        assert!(reason.len() < 1024 && !reason.contains('\n'), "{reason}");
        reason.to_owned()
    }
}

async fn take(State(inbox): State<Arc<Inbox>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let put = Put {
        method: parts.method,
        target: parts.uri.to_string(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap(),
        length: body.len(),
    };
    inbox.puts.send(put).await.unwrap();
    let status = inbox.statuses.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

pub fn in_seconds(seconds: u64) -> SystemTime {
    (wall_clock() + Duration::from_secs(seconds)).into()
}

pub fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// The function in a region, with an empty folder for the site.
pub fn function<A, S>(region_name: &str, apis: A, site: S) -> DeploymentFunction<A, S> {
    DeploymentFunction {
        region: region(region_name),
        apis,
        site,
        site_folder: "/nonexistent/site".into(),
        callback: Callback::new().unwrap(),
        clock: wall_clock,
    }
}

/// The function with these APIs.
pub fn peers(region_name: &str, apis: &FakeApis) -> Arc<DeploymentFunction<FakeApis, MemorySite>> {
    Arc::new(function(region_name, apis.clone(), MemorySite::default()))
}

pub type Answered = Result<(), Unanswered>;

pub fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn api(id: &str, region: &str, deployment: &str, role: &str) -> ListedApi {
    ListedApi {
        id: id.to_owned(),
        endpoint: format!("https://{id}.execute-api.{region}.amazonaws.com"),
        tags: tags(&[
            ("headwater:deployment", deployment),
            ("headwater:role", role),
            ("aws:cloudformation:stack-name", &format!("{deployment}-{role}")),
        ]),
    }
}

/// What the stage of a stack says.
pub fn facts(role: &str, region: &str) -> BTreeMap<String, String> {
    let secret =
        |name: &str| format!("arn:aws:secretsmanager:{region}:123456789012:secret:headwater/{name}-AbC123");
    let balancer = format!(
        "arn:aws:elasticloadbalancing:{region}:123456789012:loadbalancer/net/headwater/50dc6c495c0c9188"
    );
    let mut facts = tags(&[
        ("headwater:media-bucket", &format!("headwater-{role}-media-1a2b3c")),
        ("headwater:cluster", "headwater"),
        ("headwater:task-family", "headwater-transcoder"),
        ("headwater:subnets", "subnet-0a1b2c3d subnet-4e5f6a7b"),
        ("headwater:security-group", "sg-0a1b2c3d"),
        ("headwater:task-role-arn", &format!("arn:aws:iam::123456789012:role/headwater-{role}-task")),
        ("headwater:execution-role-arn", &format!("arn:aws:iam::123456789012:role/headwater-{role}-exec")),
        ("headwater:ingest-host", &format!("headwater-50dc6c495c0c9188.elb.{region}.amazonaws.com")),
        ("headwater:load-balancer-arn", &balancer),
        ("headwater:rtmps", "false"),
    ]);
    if role == "primary" {
        facts.extend(tags(&[
            ("headwater:table", "headwater"),
            ("headwater:distribution-arn", "arn:aws:cloudfront::123456789012:distribution/EDFDVBD632BHDS5"),
            ("headwater:edge-url", "https://d111111abcdef8.cloudfront.net"),
            ("headwater:admin-token-arn", &secret("admin-token")),
            ("headwater:key-pepper-arn", &secret("key-pepper")),
            ("headwater:signing-key-arn", &secret("signing-key")),
            ("headwater:origin-secret-arn", &secret("origin-secret")),
        ]));
    }
    facts
}

/// Both stacks of the sample events' deployment, complete, beside somebody else's.
pub fn account() -> FakeApis {
    let apis = FakeApis::default();
    for (id, name, role) in [("a1b2c3d4e5", "us-east-1", "primary"), ("b2c3d4e5f6", "eu-west-1", "secondary")]
    {
        apis.add(&region(name), api(&format!("x{id}"), name, "other", role), facts(role, name));
        apis.add(&region(name), ListedApi { id: "plain".into(), ..ListedApi::default() }, BTreeMap::new());
        apis.add(&region(name), api(id, name, "headwater", role), facts(role, name));
    }
    apis
}
