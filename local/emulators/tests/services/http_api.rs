//! The HTTP API in front of a real function binary.

use super::lambda::{echo, host};
use super::support::{Answer, REGION, credentials, get, send};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::body::Body;
use headwater_emulators::calls::CallLog;
use headwater_emulators::clock;
use headwater_emulators::http_api::{Authorizer, Cors, HttpApi, HttpApiConfig, Route};
use headwater_emulators::lambda::Lambda;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn start(folder: &Path, lambda: &Lambda, routes: Vec<Route>, timeout: Duration) -> HttpApi {
    start_with(folder, lambda, routes, timeout, None)
}

fn start_with(
    folder: &Path,
    lambda: &Lambda,
    routes: Vec<Route>,
    timeout: Duration,
    cors: Option<Cors>,
) -> HttpApi {
    let config = HttpApiConfig {
        region: REGION.to_owned(),
        port: 0,
        api_id: "local".to_owned(),
        routes,
        cors,
        credentials: credentials(),
        access_log: folder.join("access.log"),
        integration_timeout: timeout,
        calls: CallLog::default(),
    };
    HttpApi::start(config, lambda.clone()).unwrap()
}

fn with_echo(folder: &Path, routes: Vec<Route>) -> (HttpApi, Lambda) {
    let lambda = host(folder, 10);
    lambda.register(echo());
    (start(folder, &lambda, routes, Duration::from_secs(30)), lambda)
}

fn message(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_the_payload_2_0_event() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _lambda) = with_echo(folder.path(), vec![Route::open("POST /v1/streams/{id}", "echo")]);
    let addr = api.addr();
    // Another spelling of the path is the same one to the function, and another of the query is not.
    let request = Request::post(format!("http://{addr}/v1/streams/%61b%63?tag=a&tag=b%20c&x="));
    let request = request.header("Content-Type", "application/json").header("User-Agent", "test/1");
    let request = request.header("X-Many", "1").header("X-Many", "2").header("Cookie", "a=1; b=2");
    let answer =
        send(request.header("X-Forwarded-For", "203.0.113.9").body(Body::from(r#"{"n":1}"#)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let got = answer.json();
    let context = &got["requestContext"];
    let expected = json!({
        "version": "2.0",
        "routeKey": "POST /v1/streams/{id}",
        "rawPath": "/v1/streams/abc",
        "rawQueryString": "tag=a&tag=b%20c&x=",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "content-length": "7",
            "content-type": "application/json",
            "host": addr.to_string(),
            "user-agent": "test/1",
            "x-forwarded-for": "203.0.113.9, 127.0.0.1",
            "x-forwarded-port": addr.port().to_string(),
            "x-forwarded-proto": "http",
            "x-many": "1,2",
        },
        "queryStringParameters": { "tag": "a,b c", "x": "" },
        "pathParameters": { "id": "abc" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": addr.to_string(),
            "domainPrefix": "127",
            "http": {
                "method": "POST",
                "path": "/v1/streams/abc",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test/1",
            },
            "requestId": context["requestId"],
            "routeKey": "POST /v1/streams/{id}",
            "stage": "$default",
            "time": context["time"],
            "timeEpoch": context["timeEpoch"],
        },
        "body": "{\"n\":1}",
        "isBase64Encoded": false,
    });
    assert_eq!(got, expected);
    assert_eq!(answer.header("apigw-requestid"), context["requestId"].as_str().unwrap());
    let time = context["time"].as_str().unwrap();
    assert!(time.len() == 26 && time.ends_with(" +0000") && time.as_bytes()[2] == b'/', "{time}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_text_travel_as_base64_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _lambda) = with_echo(folder.path(), vec![Route::open("$default", "echo")]);
    let request =
        Request::post(format!("http://{}/x", api.addr())).header("content-type", "application/octet-stream");
    let event = send(request.body(Body::from(vec![0, 255])).unwrap()).await.json();
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8="), &json!(true)));

    let answer = get(api.addr(), "/x?do=binary", &[]).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::CREATED, &b"\x1f\x8b\x08\xff"[..]));
    assert_eq!(answer.header("content-encoding"), "gzip");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_has_api_gateways_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let lambda = host(folder.path(), 1);
    lambda.register(echo());
    let routes = vec![Route::open("GET /x", "echo"), Route::open("GET /slow", "echo").throttled(0.001, 1)];
    let api = start(folder.path(), &lambda, routes, Duration::from_secs(2));
    let addr = api.addr();
    assert_eq!(message(&get(addr, "/y", &[]).await), (404, json!({ "message": "Not Found" })));
    let failed = (500, json!({ "message": "Internal Server Error" }));
    assert_eq!(message(&get(addr, "/x?do=fail", &[]).await), failed);
    assert_eq!(message(&get(addr, "/x?do=crash", &[]).await), failed);

    let unavailable = (503, json!({ "message": "Service Unavailable" }));
    assert_eq!(message(&get(addr, "/x?do=hang", &[]).await), unavailable);
    // The function still runs, so the account's only place is taken.
    assert_eq!(message(&get(addr, "/x", &[]).await), unavailable);
    assert_eq!(lambda.stats("echo").unwrap().throttled, 1);

    get(addr, "/slow", &[]).await;
    assert_eq!(message(&get(addr, "/slow", &[]).await), (429, json!({ "message": "Too Many Requests" })));
    let large = Request::get(format!("http://{addr}/x")).body(Body::from(vec![b'x'; 10 * 1024 * 1024 + 1]));
    assert_eq!(send(large.unwrap()).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lambda_authorizer_decides_and_its_context_reaches_the_function() {
    let folder = tempfile::tempdir().unwrap();
    let authorizer = Authorizer::Lambda { function: "echo".to_owned(), cache_for: Duration::ZERO };
    let routes = vec![Route::open("ANY /v1/{proxy+}", "echo").authorized_by(authorizer)];
    let (api, lambda) = with_echo(folder.path(), routes);
    let addr = api.addr();
    assert_eq!(message(&get(addr, "/v1/a", &[]).await), (401, json!({ "message": "Unauthorized" })));
    assert_eq!(lambda.stats("echo").unwrap().invocations, 0, "no identity, no question");
    let refused = get(addr, "/v1/a", &[("authorization", "Bearer bad")]).await;
    assert_eq!(message(&refused), (403, json!({ "message": "Forbidden" })));
    let allowed = get(addr, "/v1/a?secret=in-the-query", &[("authorization", "Bearer good")]).await.json();
    assert_eq!(allowed["requestContext"]["authorizer"], json!({ "lambda": { "who": "test" } }));
    assert_eq!(allowed["pathParameters"], json!({ "proxy": "a" }));
    assert_eq!(lambda.stats("echo").unwrap().invocations, 3);

    let log = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert_eq!(log.lines().count(), 3);
    assert!(log.contains(r#""routeKey":"ANY /v1/{proxy+}","status":401"#), "{log}");
    for secret in ["Bearer", "good", "bad", "in-the-query"] {
        assert!(!log.contains(secret), "{secret} is in the access log");
    }
}

fn cors() -> Cors {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Cors {
        allow_origins: list(&["https://dashboard.example", "https://other.example"]),
        allow_methods: list(&["GET", "POST"]),
        allow_headers: list(&["authorization", "content-type"]),
        expose_headers: list(&["etag"]),
        max_age: Duration::from_secs(300),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_as_api_gateway_does() {
    let folder = tempfile::tempdir().unwrap();
    let lambda = host(folder.path(), 10);
    lambda.register(echo());
    let authorizer = || Authorizer::Lambda { function: "echo".to_owned(), cache_for: Duration::ZERO };
    let routes = vec![
        Route::open("GET /open", "echo"),
        Route::open("ANY /closed", "echo").authorized_by(authorizer()),
        Route::open("ANY /with-options", "echo").authorized_by(authorizer()),
        Route::open("OPTIONS /with-options", "echo"),
    ];
    let api = start_with(folder.path(), &lambda, routes, Duration::from_secs(30), Some(cors()));
    let origin = ("origin", "https://dashboard.example");
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let request = Request::options(format!("http://{}{path}", api.addr()));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        send(request.body(Body::empty()).unwrap()).await
    };
    let question = [origin, ("access-control-request-method", "POST")];
    // Routed or not: the API itself answers, without a function.
    for path in ["/open", "/nowhere"] {
        let answer = ask(path, &question).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::NO_CONTENT, ""), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", origin.1),
            ("access-control-allow-methods", "GET,POST"),
            ("access-control-allow-headers", "authorization,content-type"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        let stranger = [("origin", "https://evil.example"), question[1]];
        let answer = ask(path, &stranger).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, ""));
        assert_eq!(ask(path, &[origin]).await.status, StatusCode::NOT_FOUND, "{path}: no preflight");
    }
    assert_eq!(lambda.stats("echo").unwrap().invocations, 0);
    // A route for ANY takes it, and its authorizer refuses it; an own route for OPTIONS does not.
    assert_eq!(ask("/closed", &question).await.status, StatusCode::UNAUTHORIZED);
    let own = ask("/with-options", &question).await;
    assert_eq!((own.status, own.header("access-control-allow-methods")), (StatusCode::OK, "GET,POST"));

    // The configuration's headers take the place of the function's.
    let plain = get(api.addr(), "/open?do=cors", &[]).await;
    assert_eq!((plain.status.as_u16(), plain.header("access-control-allow-origin")), (200, ""));
    let crossed = get(api.addr(), "/open?do=cors", &[origin]).await;
    assert_eq!(crossed.header("access-control-allow-origin"), origin.1);
    assert_eq!(crossed.header("access-control-expose-headers"), "etag");
    assert_eq!(crossed.header("access-control-allow-methods"), "");
}

fn signed(
    url: &str,
    secret: &str,
    region: &str,
    service: &str,
    at: SystemTime,
    body: &'static [u8],
) -> Request<Body> {
    let mut request = Request::post(url).header("content-type", "application/json").body(body).unwrap();
    let identity = Credentials::new("AKIALOCAL", secret, None, None, "tests").into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name(service).time(at);
    let params = params.settings(SigningSettings::default()).build().unwrap().into();
    let headers = [("content-type", "application/json")].into_iter();
    let signable = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body)).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    request.map(Body::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_accepts_only_the_right_signature() {
    let folder = tempfile::tempdir().unwrap();
    let routes = vec![Route::open("POST /hooks/{hook}", "echo").authorized_by(Authorizer::Iam)];
    let (api, _lambda) = with_echo(folder.path(), routes);
    let url = format!("http://{}/hooks/publish?b=2&a=%20x", api.addr());
    let now = clock::now();
    let event = send(signed(&url, "local-secret", REGION, "execute-api", now, b"{}")).await;
    assert_eq!(event.status, StatusCode::OK, "{}", event.text());
    assert_eq!(event.json()["requestContext"]["authorizer"]["iam"]["accessKey"], "AKIALOCAL");

    let old = now - Duration::from_secs(3600);
    let mut tampered = signed(&url, "local-secret", REGION, "execute-api", now, b"{}");
    *tampered.body_mut() = Body::from("[]");
    let refused = [
        Request::post(&url).body(Body::empty()).unwrap(),
        Request::post(&url).header("authorization", "Bearer x").body(Body::empty()).unwrap(),
        signed(&url, "wrong", REGION, "execute-api", now, b"{}"),
        signed(&url, "local-secret", "us-west-2", "execute-api", now, b"{}"),
        signed(&url, "local-secret", REGION, "lambda", now, b"{}"),
        signed(&url, "local-secret", REGION, "execute-api", old, b"{}"),
        tampered,
    ];
    for request in refused {
        assert_eq!(message(&send(request).await), (403, json!({ "message": "Forbidden" })));
    }
}
