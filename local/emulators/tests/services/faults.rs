//! Every kind of fault on every embedded service, as the real SDK sees it.

use super::support::{REGION, credentials, get, sdk_config, until};
use super::{dynamodb, ecs, s3};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use futures::future::BoxFuture;
use headwater_emulators::calls::CallLog;
use headwater_emulators::fault::{Failure, Fault, Rate};
use headwater_emulators::http_api::{HttpApi, HttpApiConfig};
use headwater_emulators::lambda::{Lambda, LambdaConfig};
use headwater_emulators::listen::Faults;
use headwater_emulators::process::Spawner;
use headwater_emulators::secrets_manager::{SecretsManager, SecretsManagerConfig};
use std::time::{Duration, Instant};

/// A hundred times what an answer of a service that is well takes.
const MORE_THAN_AN_ANSWER: Duration = Duration::from_millis(200);

/// What a client sees of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Answer,
    Refused,
    Error(u16, String),
}

impl Seen {
    fn of<T, E: ProvideErrorMetadata, R: Status>(result: Result<T, SdkError<E, R>>) -> Self {
        match result {
            Ok(_) => Self::Answer,
            Err(SdkError::ServiceError(error)) => {
                Self::Error(error.raw().status(), error.err().code().unwrap_or_default().to_owned())
            }
            Err(_) => Self::Refused,
        }
    }
}

/// A response's status, whatever SDK it came through.
trait Status: std::fmt::Debug {
    fn status(&self) -> u16;
}

impl Status for aws_sdk_dynamodb::config::http::HttpResponse {
    fn status(&self) -> u16 {
        self.status().as_u16()
    }
}

fn error(status: u16, code: &str) -> Seen {
    Seen::Error(status, code.to_owned())
}

/// A service that can fail, a way to call it, and what its failures look like.
struct Subject<'a> {
    faults: Faults,
    call: Box<dyn Fn() -> BoxFuture<'static, Seen> + 'a>,
    internal: Seen,
    unavailable: Seen,
    throttled: Seen,
}

impl Subject<'_> {
    async fn suffers_everything(&self) {
        let Self { faults, call, .. } = self;
        assert_eq!(call().await, Seen::Answer);

        faults.apply(Fault::Stopped).await;
        assert_eq!((call().await, faults.active()), (Seen::Refused, vec![Fault::Stopped]));
        faults.clear().unwrap();
        assert_eq!((call().await, faults.active()), (Seen::Answer, vec![]));

        faults.apply(Fault::Frozen).await;
        let asked = faults.requests();
        let mut waiting = tokio::spawn(call());
        until("it is asked", || faults.requests() > asked).await;
        assert!(tokio::time::timeout(MORE_THAN_AN_ANSWER, &mut waiting).await.is_err(), "it was answered");
        assert_eq!(faults.active(), [Fault::Frozen]);
        faults.clear().unwrap();
        assert_eq!(waiting.await.unwrap(), Seen::Answer, "it was only held up");

        let latency = Duration::from_millis(200);
        faults.apply(Fault::Slow(latency)).await;
        let asked = Instant::now();
        assert_eq!(call().await, Seen::Answer);
        assert!(asked.elapsed() >= latency);
        assert_eq!(faults.active(), [Fault::Slow(latency)]);
        faults.clear().unwrap();

        faults.apply(Fault::Mute).await;
        let asked = faults.requests();
        let mut waiting = tokio::spawn(call());
        until("it is asked", || faults.requests() > asked).await;
        assert!(tokio::time::timeout(MORE_THAN_AN_ANSWER, &mut waiting).await.is_err(), "it was answered");
        faults.clear().unwrap();
        assert_eq!(waiting.await.unwrap(), Seen::Answer, "it was done and not said");

        faults.apply(Fault::Resetting).await;
        assert_eq!((call().await, faults.active()), (Seen::Refused, vec![Fault::Resetting]));
        faults.clear().unwrap();

        // Each byte of an answer, and each of a request, takes its time.
        for fault in [Fault::Dripping(Duration::from_millis(1)), Fault::Narrow(2_000)] {
            faults.apply(fault).await;
            let asked = Instant::now();
            assert_eq!((call().await, faults.active()), (Seen::Answer, vec![fault]));
            assert!(asked.elapsed() >= Duration::from_millis(50), "an answer has more than fifty bytes");
            faults.clear().unwrap();
        }

        for (with, seen) in [
            (Failure::Internal, &self.internal),
            (Failure::Unavailable, &self.unavailable),
            (Failure::Throttle, &self.throttled),
        ] {
            faults.apply(Fault::always(with)).await;
            assert_eq!(&call().await, seen);
        }
        assert_eq!(faults.active(), [Fault::always(Failure::Throttle)]);

        let half = Fault::Failing { rate: Rate::new(0.5).unwrap(), with: Failure::Unavailable, seed: 11 };
        let mut runs = Vec::new();
        for _ in 0..2 {
            faults.apply(half).await;
            let mut run = Vec::new();
            for _ in 0..20 {
                run.push(call().await);
            }
            runs.push(run);
        }
        assert_eq!(runs[0], runs[1], "the same seed fails the same requests");
        assert!(runs[0].contains(&Seen::Answer) && runs[0].contains(&self.unavailable));
        faults.clear().unwrap();
        assert_eq!((call().await, faults.active()), (Seen::Answer, vec![]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_suffers_everything() {
    let folder = tempfile::tempdir().unwrap();
    let db = dynamodb::start(folder.path(), REGION, 0).await;
    let client = dynamodb::client(&db);
    dynamodb::create_table(&client).await;
    let call = || -> BoxFuture<'static, Seen> {
        let key = |name: &str| dynamodb::s(name);
        let get = client.get_item().table_name(dynamodb::TABLE).key("PK", key("a")).key("SK", key("x"));
        Box::pin(async move { Seen::of(get.send().await) })
    };
    let subject = Subject {
        faults: db.faults(),
        call: Box::new(call),
        internal: error(500, "InternalServerError"),
        unavailable: error(503, "ServiceUnavailable"),
        throttled: error(400, "ProvisionedThroughputExceededException"),
    };
    subject.suffers_everything().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_suffers_everything() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = s3::start(folder.path(), 0).await;
    let client = s3::client(&s3);
    let call = || -> BoxFuture<'static, Seen> {
        let put = client.put_object().bucket(s3::BUCKET).key("object");
        Box::pin(async move { Seen::of(put.body(ByteStream::from_static(b"0123456789")).send().await) })
    };
    let subject = Subject {
        faults: s3.faults(),
        call: Box::new(call),
        internal: error(500, "InternalError"),
        unavailable: error(503, "ServiceUnavailable"),
        throttled: error(503, "SlowDown"),
    };
    subject.suffers_everything().await;

    // An answer that comes while the body is still on its way is seen all the same.
    s3.faults().apply(Fault::always(Failure::Throttle)).await;
    let large = ByteStream::from(vec![7; 8 << 20]);
    let put = client.put_object().bucket(s3::BUCKET).key("large").body(large).send().await;
    assert_eq!(Seen::of(put), error(503, "SlowDown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ecs_suffers_everything() {
    let logs = tempfile::tempdir().unwrap();
    let (ecs, client, _inbox) = ecs::start(logs.path(), ecs::definition("exec sleep 600"));
    let call = || -> BoxFuture<'static, Seen> {
        let run = client.run_task().cluster(ecs::CLUSTER).task_definition("worker").client_token("one");
        Box::pin(async move { Seen::of(run.send().await) })
    };
    let subject = Subject {
        faults: ecs.faults(),
        call: Box::new(call),
        internal: error(500, "ServerException"),
        unavailable: error(503, "ServiceUnavailable"),
        throttled: error(400, "ThrottlingException"),
    };
    subject.suffers_everything().await;
    assert_eq!(ecs.tasks().len(), 1, "a call that failed has started nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_manager_suffers_everything() {
    let config = SecretsManagerConfig { region: REGION.to_owned(), port: 0, calls: CallLog::default() };
    let manager = SecretsManager::start(config).unwrap();
    let arn = manager.create("name", "abcdef", "value");
    let config = sdk_config!(aws_sdk_secretsmanager, manager.addr()).build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    let call = || -> BoxFuture<'static, Seen> {
        let get = client.get_secret_value().secret_id(&arn);
        Box::pin(async move { Seen::of(get.send().await) })
    };
    let subject = Subject {
        faults: manager.faults(),
        call: Box::new(call),
        internal: error(500, "InternalServiceError"),
        unavailable: error(503, "ServiceUnavailable"),
        throttled: error(400, "ThrottlingException"),
    };
    subject.suffers_everything().await;
}

/// An API without routes: its own 404 is its answer.
fn http_api(folder: &std::path::Path) -> (HttpApi, Lambda) {
    let lambda = LambdaConfig {
        region: REGION.to_owned(),
        port: 0,
        logs: folder.to_owned(),
        credentials: credentials(),
        account_concurrency: 1,
        idle_after: Duration::from_secs(300),
    };
    let lambda = Lambda::start(lambda, Spawner::new().unwrap()).unwrap();
    let config = HttpApiConfig {
        region: REGION.to_owned(),
        port: 0,
        api_id: "api".to_owned(),
        routes: Vec::new(),
        cors: None,
        credentials: credentials(),
        access_log: folder.join("access.log"),
        integration_timeout: Duration::from_secs(30),
        calls: CallLog::default(),
    };
    (HttpApi::start(config, lambda.clone()).unwrap(), lambda)
}

async fn ask(addr: std::net::SocketAddr) -> Seen {
    match tokio::spawn(async move { get(addr, "/", &[]).await }).await {
        Ok(answer) if answer.status == 404 => Seen::Answer,
        Ok(answer) => error(answer.status.as_u16(), answer.json()["message"].as_str().unwrap()),
        // The helper wants an answer.
        Err(_) => Seen::Refused,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_suffers_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _lambda) = http_api(folder.path());
    let addr = api.addr();
    let subject = Subject {
        faults: api.faults(),
        call: Box::new(move || Box::pin(ask(addr))),
        internal: error(500, "Internal Server Error"),
        unavailable: error(503, "Service Unavailable"),
        throttled: error(429, "Too Many Requests"),
    };
    subject.suffers_everything().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_knows_each_failure_as_one_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = dynamodb::start(folder.path(), REGION, 0).await;
    dynamodb::create_table(&dynamodb::client(&db)).await;
    let s3 = s3::start(folder.path(), 0).await;
    let (ecs, ..) = ecs::start(folder.path(), ecs::definition("exec sleep 600"));
    let patient =
        RetryConfig::standard().with_max_attempts(20).with_initial_backoff(Duration::from_millis(1));
    let patient = patient.with_max_backoff(Duration::from_millis(5));
    let config = sdk_config!(aws_sdk_dynamodb, db.addr()).retry_config(patient.clone()).build();
    let tables = aws_sdk_dynamodb::Client::from_conf(config);
    let config =
        sdk_config!(aws_sdk_s3, s3.addr()).force_path_style(true).retry_config(patient.clone()).build();
    let buckets = aws_sdk_s3::Client::from_conf(config);
    let config = sdk_config!(aws_sdk_ecs, ecs.addr()).retry_config(patient).build();
    let tasks = aws_sdk_ecs::Client::from_conf(config);
    for with in [Failure::Internal, Failure::Unavailable, Failure::Throttle] {
        let often = Fault::Failing { rate: Rate::new(0.5).unwrap(), with, seed: 3 };
        for faults in [db.faults(), s3.faults(), ecs.faults()] {
            faults.apply(often).await;
        }
        for _ in 0..4 {
            tables.describe_table().table_name(dynamodb::TABLE).send().await.unwrap();
            buckets.head_bucket().bucket(s3::BUCKET).send().await.unwrap();
            tasks.list_tasks().cluster(ecs::CLUSTER).send().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_listener_fails_alone_and_with_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _lambda) = http_api(folder.path());
    let secondary = api.secondary("the edge's way", 0).unwrap();
    let (main, own) = (api.addr(), secondary.addr());
    assert_eq!((ask(main).await, ask(own).await), (Seen::Answer, Seen::Answer));
    assert_eq!((api.faults().requests(), secondary.faults().requests()), (2, 1));

    secondary.faults().apply(Fault::Stopped).await;
    assert_eq!((ask(main).await, ask(own).await), (Seen::Answer, Seen::Refused));
    secondary.faults().clear().unwrap();
    secondary.faults().apply(Fault::always(Failure::Internal)).await;
    assert_eq!((ask(main).await, ask(own).await), (Seen::Answer, error(500, "Internal Server Error")));
    secondary.faults().clear().unwrap();

    api.faults().apply(Fault::always(Failure::Throttle)).await;
    assert_eq!(ask(own).await, error(429, "Too Many Requests"));
    assert_eq!(secondary.faults().active(), [], "it is not the secondary listener's fault");
    api.faults().clear().unwrap();

    api.stop().await;
    assert_eq!((ask(main).await, ask(own).await), (Seen::Refused, Seen::Refused));
    secondary.faults().start().unwrap();
    assert_eq!(ask(own).await, Seen::Refused, "a secondary listener leads nowhere without its service");
    api.faults().start().unwrap();
    assert_eq!(ask(own).await, Seen::Answer);

    secondary.faults().apply(Fault::Stopped).await;
    api.stop().await;
    api.faults().start().unwrap();
    assert_eq!((ask(main).await, ask(own).await), (Seen::Answer, Seen::Refused));
}
