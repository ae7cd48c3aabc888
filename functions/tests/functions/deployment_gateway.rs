//! The peer through the real SDK: an HTTP server that answers as API Gateway does, in both regions.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use headwater_aws::apis::Apis;
use headwater_aws::settings::fixed_config;
use headwater_domain::ports::ReadApis;
use headwater_domain::testing::deployment::MemorySite;
use headwater_functions::deployment::DeploymentFunction;
use serde_json::{Value, json};

use crate::support::deployment::{CloudFormation, Listening, api, facts, function, in_seconds, region};
use crate::support::sample;

/// What is wrong with the other region.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// This status with this error code, so many times.
    Error(u16, &'static str, usize),
    Hangs,
    EndlessPages,
    NoStage,
    NoJson,
}

struct Gateway {
    trouble: Trouble,
    /// Region, path and query of every request.
    seen: Mutex<Vec<(String, String)>>,
}

impl Gateway {
    async fn start(trouble: Trouble) -> (Listening, Arc<Self>) {
        let gateway = Arc::new(Self { trouble, seen: Mutex::default() });
        let server = Listening::serve(Router::new().fallback(answer).with_state(gateway.clone())).await;
        (server, gateway)
    }

    fn seen_in(&self, region: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(of, _)| of == region).map(|(_, target)| target.clone()).collect()
    }
}

fn adapter(server: &Listening) -> Apis {
    let keys = Credentials::new("AKIATEST", "secret", None, None, "tests");
    Apis::new(&fixed_config("eu-west-1", &server.url, keys))
}

fn secondary(server: &Listening) -> Arc<DeploymentFunction<Apis, MemorySite>> {
    Arc::new(function("eu-west-1", adapter(server), MemorySite::default()))
}

/// One endpoint for all regions, as an emulator has it: the region is in the signature's scope.
async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let scope = request.headers()["authorization"].to_str().unwrap().to_owned();
    let mut scope = scope.split('/').skip(2);
    let (of, service) = (scope.next().unwrap().to_owned(), scope.next().unwrap());
    assert_eq!(service, "apigateway");
    let target = request.uri().to_string();
    gateway.seen.lock().unwrap().push((of.clone(), target.clone()));
    if of == "us-east-1" {
        let asked = gateway.seen_in("us-east-1").len();
        match gateway.trouble {
            Trouble::Error(status, code, times) if asked <= times => return refused(status, code),
            Trouble::Hangs => pending().await,
            Trouble::NoJson => return respond(200, "", "<html>".into()),
            _ => {}
        }
    }
    let path = request.uri().path();
    if path == "/v2/apis" {
        let query = request.uri().query().unwrap();
        let page = query.split('&').find_map(|pair| pair.strip_prefix("nextToken=page%2B")).unwrap_or("0");
        let page: usize = page.parse().unwrap();
        return respond(200, "", listing(&of, page, gateway.trouble == Trouble::EndlessPages).to_string());
    }
    if path == "/v2/apis/a1b2c3d4e5/stages/%24default" && gateway.trouble != Trouble::NoStage {
        let stage = json!({ "stageName": "$default", "autoDeploy": true, "tags": facts("primary", &of) });
        return respond(200, "", stage.to_string());
    }
    refused(404, "NotFoundException")
}

/// Two APIs a page; ours is on the third.
fn listing(of: &str, page: usize, endless: bool) -> Value {
    let item = |id: &str, tags: BTreeMap<String, String>| {
        let endpoint = format!("https://{id}.execute-api.{of}.amazonaws.com");
        json!({
            "apiId": id, "apiEndpoint": endpoint, "name": id, "protocolType": "HTTP", "tags": tags,
            "routeSelectionExpression": "$request.method $request.path", "createdDate": "2023-11-14T22:13:20Z",
        })
    };
    let mut items = vec![item(&format!("other{page}"), BTreeMap::new())];
    if page == 2 {
        let (id, role) =
            if of == "us-east-1" { ("a1b2c3d4e5", "primary") } else { ("b2c3d4e5f6", "secondary") };
        items.push(item(id, api(id, of, "headwater", role).tags));
    }
    if endless || page < 2 {
        json!({ "items": items, "nextToken": format!("page+{}", page + 1) })
    } else {
        json!({ "items": items })
    }
}

fn refused(status: u16, code: &str) -> Response {
    respond(status, code, json!({ "message": format!("the message of {code}") }).to_string())
}

fn respond(status: u16, code: &str, body: String) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    let response = if code.is_empty() { response } else { response.header("x-amzn-errortype", code) };
    response.body(Body::from(body)).unwrap()
}

async fn reason(trouble: Trouble) -> String {
    let (server, _) = Gateway::start(trouble).await;
    let event = sample("deployment-peer-create");
    CloudFormation::start().await.reason(&secondary(&server), &event).await
}

#[tokio::test]
async fn the_peer_is_found_behind_pages_in_its_own_region() {
    let (server, gateway) = Gateway::start(Trouble::None).await;
    let event = sample("deployment-peer-create");
    let answer = CloudFormation::start().await.ask(&secondary(&server), &event).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(answer["Data"]["ApiHost"], "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com");
    assert_eq!(answer["Data"]["Table"], "headwater");
    assert!(answer["Data"]["KeyPepperArn"].as_str().unwrap().contains(":eu-west-1:"), "{answer}");
    assert_eq!(gateway.seen_in("eu-west-1").len(), 3, "own listing");
    let asked = gateway.seen_in("us-east-1");
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[3].contains("/stages/%24default"), "{asked:?}");
}

#[tokio::test]
async fn the_adapter_lists_all_apis_with_their_tags() {
    let (server, _) = Gateway::start(Trouble::None).await;
    let apis = adapter(&server);
    let listed = apis.apis(&region("us-east-1")).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|api| api.id.as_str()).collect();
    assert_eq!(ids, ["other0", "other1", "other2", "a1b2c3d4e5"]);
    assert_eq!(listed[3], api("a1b2c3d4e5", "us-east-1", "headwater", "primary"));
    let tags = apis.stage_tags(&region("us-east-1"), "a1b2c3d4e5").await.unwrap();
    assert_eq!(tags, facts("primary", "us-east-1"));
}

#[tokio::test]
async fn a_transient_error_is_retried() {
    for trouble in [
        Trouble::Error(429, "TooManyRequestsException", 1),
        Trouble::Error(500, "InternalFailure", 1),
        // A role that was made a moment ago.
        Trouble::Error(403, "AccessDeniedException", 1),
    ] {
        let (server, _) = Gateway::start(trouble).await;
        let event = sample("deployment-peer-create");
        let answer = CloudFormation::start().await.ask(&secondary(&server), &event).await;
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    }
}

#[tokio::test]
async fn trouble_that_stays_is_told_in_api_gateway_s_words() {
    for (status, code) in
        [(400, "BadRequestException"), (429, "TooManyRequestsException"), (500, "InternalFailure")]
    {
        assert_eq!(
            reason(Trouble::Error(status, code, usize::MAX)).await,
            format!("cannot list the HTTP APIs in us-east-1: {code}: the message of {code}")
        );
    }
    let stage = reason(Trouble::NoStage).await;
    assert!(stage.starts_with("cannot read the stage $default in us-east-1: NotFoundException: "), "{stage}");
    let endless = reason(Trouble::EndlessPages).await;
    assert!(endless.contains("the listing does not end after 50 pages"), "{endless}");
    let broken = reason(Trouble::NoJson).await;
    assert!(broken.contains("cannot list the HTTP APIs in us-east-1: "), "{broken}");
}

#[tokio::test]
async fn a_region_that_does_not_answer_is_given_up_before_the_deadline() {
    let (server, _) = Gateway::start(Trouble::Hangs).await;
    let mut cloudformation = CloudFormation::start().await;
    let mut event = sample("deployment-peer-create");
    event["ResponseURL"] = cloudformation.response_url().into();
    secondary(&server).handle(event, in_seconds(3)).await.unwrap();
    let answer = cloudformation.puts().remove(0).body;
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("gave up; try again"), "{answer}");
}
