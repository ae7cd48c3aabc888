//! The functions over a deployment in memory, which is the same for every input.

use std::cell::Cell;
use std::future::Future;

use headwater_domain::hooks::Secret;
use headwater_domain::key::{KeyRecord, Pepper, StreamKey};
use headwater_domain::ports::{WriteKeys, WriteStreams, WriteTimeline};
use headwater_domain::problem::ProblemDocument;
use headwater_domain::testing::fakes::{FakeCluster, MemoryBuckets, MemoryTable};
use headwater_domain::testing::samples;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{KeyId, Timestamp};
use headwater_functions::api::{ApiFunction, PublicUrls};
use headwater_functions::context::Context;
use headwater_functions::hooks::{HooksFunction, PublishGuard};
use headwater_functions::playlist::PlaylistFunction;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

thread_local!(static ROLLS: Cell<u128> = const { Cell::new(0) });

const NOW: Timestamp = Timestamp(1_700_000_010_000);

fn random() -> u128 {
    ROLLS.set(ROLLS.get() + 1);
    ROLLS.get()
}

/// Runs to the end, however long it wants to wait: time is skipped.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(future)
}

/// The key of the sample stream.
pub(crate) fn right_key() -> StreamKey {
    StreamKey::from_random(samples::stream_id(), KeyId::from_random(2), 3)
}

pub(crate) struct Harness {
    table: MemoryTable,
    context: Context,
    pepper: Pepper,
}

impl Harness {
    /// A stream with a key and some segments.
    pub(crate) async fn seeded() -> Self {
        ROLLS.set(0);
        let (region, peer) = (samples::region_a(), Some(samples::region_b()));
        let context = Context { region, peer, clock: || NOW, random };
        let (table, pepper) = (MemoryTable::default(), Pepper::new(Secret::new("a pepper")));
        let key = right_key();
        let record = KeyRecord {
            id: key.id().clone(),
            stream: key.stream().clone(),
            hash: key.hash(&pepper),
            label: None,
            created_at: Timestamp(2),
            expires_at: None,
        };
        table.put_stream(&samples::stream()).await.expect("stored");
        table.add_key(&record).await.expect("stored");
        for number in 0..4 {
            table.commit(&samples::entry(1, number)).await.expect("stored");
        }
        Self { table, context, pepper }
    }

    pub(crate) fn hooks(&self) -> HooksFunction<MemoryTable, FakeCluster> {
        HooksFunction {
            context: self.context.clone(),
            table: self.table.clone(),
            tasks: FakeCluster::default(),
            pepper: self.pepper.clone(),
            signing: SigningKey::new(Secret::new("a signing key")),
            revision: Some("r1".to_owned()),
            peer: None,
            publish_guard: PublishGuard::default(),
        }
    }

    pub(crate) fn api(&self) -> ApiFunction<MemoryTable> {
        let public_urls =
            PublicUrls { edge: "https://watch.example.com".to_owned(), ..PublicUrls::default() };
        ApiFunction {
            context: self.context.clone(),
            table: self.table.clone(),
            pepper: self.pepper.clone(),
            public_urls,
            kept_for: Default::default(),
        }
    }

    pub(crate) fn playlist(&self) -> PlaylistFunction<MemoryTable, MemoryBuckets> {
        PlaylistFunction {
            context: self.context.clone(),
            table: self.table.clone(),
            parts: MemoryBuckets::default(),
            origin_secrets: Vec::new(),
            kept_for: Default::default(),
            renditions: Default::default(),
        }
    }
}

/// A request as API Gateway hands it to a function.
pub(crate) fn request(method: &str, path: &str, query: &str, headers: Value, body: &str) -> Option<Request> {
    // lambda_http ends the invocation of an event whose path makes no URI, before any code of ours: API Gateway says 500.
    // Its paths begin with a slash, always.
    path.starts_with('/').then_some(())?;
    format!("https://example.com{path}?{query}").parse::<http::Uri>().ok()?;
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a", "domainName": "example.com", "domainPrefix": "a",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.1", "userAgent": "x" },
            "requestId": "x", "routeKey": "$default", "stage": "$default",
            "time": "14/Nov/2023:22:13:20 +0000", "timeEpoch": 1_700_000_000_000_u64,
        },
        "body": body, "isBase64Encoded": false,
    });
    // What is no request at all never reaches a function.
    lambda_http::request::from_str(&event.to_string()).ok()
}

/// No answer is a fault of ours; one that is an error says what is wrong, as RFC 9457 has it, and quotes no `secret`.
pub(crate) fn check(answer: &Response<Body>, secret: Option<&str>) {
    let status = answer.status().as_u16();
    assert!(status < 500, "{status}: {:?}", answer.body());
    let bytes: &[u8] = answer.body();
    assert!(bytes.len() < 256 << 10, "{} bytes", bytes.len());
    if status >= 400 && !bytes.is_empty() {
        let problem = ProblemDocument::read(bytes).expect("it is a problem document");
        assert_eq!(problem.status, status);
        assert!(problem.slug().is_some() && !problem.detail.is_empty(), "{problem:?}");
        assert!(!secret.is_some_and(|secret| problem.to_json().contains(secret)), "{problem:?}");
    }
}
