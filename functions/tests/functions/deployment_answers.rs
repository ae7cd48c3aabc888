//! Whatever happens to a custom resource's request, CloudFormation is answered.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use headwater_domain::Region;
use headwater_domain::ports::{ListedApi, PortResult, ReadApis};
use headwater_domain::testing::deployment::{FakeApis, MemorySite};
use headwater_functions::deployment::Unanswered;
use http::Method;
use serde_json::{Value, json};

use crate::support::deployment::{
    Answered, CloudFormation, SIGNATURE, account, api, facts, function, in_seconds, peers, region,
};
use crate::support::{Logs, sample};

/// APIs that nobody can list.
#[derive(Clone, Copy)]
enum Broken {
    Panics,
    Hangs,
}

impl ReadApis for Broken {
    async fn apis(&self, _: &Region) -> PortResult<Vec<ListedApi>> {
        match self {
            Self::Panics => panic!("index out of bounds"),
            Self::Hangs => pending().await,
        }
    }

    async fn stage_tags(&self, _: &Region, _: &str) -> PortResult<BTreeMap<String, String>> {
        pending().await
    }
}

async fn handle(event: &Value, url: &str, seconds: u64) -> Answered {
    let mut event = event.clone();
    event["ResponseURL"] = url.into();
    peers("eu-west-1", &account()).handle(event, in_seconds(seconds)).await
}

#[tokio::test]
async fn the_answer_is_put_as_a_pre_signed_url_wants_it() {
    let logs = Logs::capture();
    let mut cloudformation = CloudFormation::start().await;
    handle(&sample("deployment-peer-create"), &cloudformation.response_url(), 60).await.unwrap();
    let put = cloudformation.puts().remove(0);
    assert_eq!((put.method, put.target), (Method::PUT, CloudFormation::target()));
    assert_eq!(put.headers["content-type"], "");
    assert_eq!(put.headers["content-length"], put.length.to_string());
    assert!(!put.headers.contains_key("transfer-encoding"), "S3 takes no chunks");
    let log = logs.text();
    assert!(log.contains("a custom resource is as asked"), "{log}");
    assert!(!log.contains(SIGNATURE), "{log}");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_at_first_is_put_again() {
    let mut cloudformation = CloudFormation::answering(&[500, 503, 429]).await;
    handle(&sample("deployment-peer-create"), &cloudformation.response_url(), 60).await.unwrap();
    let puts = cloudformation.puts();
    assert_eq!(puts.len(), 4);
    assert!(puts.iter().all(|put| put.body == puts[0].body));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_an_error_in_bounded_time() {
    let logs = Logs::capture();
    let event = sample("deployment-peer-create");
    let mut cloudformation = CloudFormation::answering(&[403]).await;
    let refused = handle(&event, &cloudformation.response_url(), 60).await.unwrap_err();
    assert!(matches!(refused, Unanswered::NotTaken(_)), "{refused:?}");
    assert_eq!(cloudformation.puts().len(), 1, "an expired URL stays expired");

    let gone = CloudFormation::start().await.response_url();
    let unreachable = handle(&event, &gone, 60).await.unwrap_err();
    assert!(matches!(unreachable, Unanswered::NotTaken(_)), "{unreachable:?}");
    let late = handle(&event, &gone, 1).await.unwrap_err();
    assert!(matches!(late, Unanswered::TooLate), "{late:?}");
    for malformed in ["not a url", "ftp://host/", "http://"] {
        let error = handle(&event, malformed, 60).await.unwrap_err();
        assert!(matches!(error, Unanswered::NotTaken(_)), "{malformed}: {error:?}");
    }
    for event in [json!(null), json!({}), json!([]), json!({"ResponseURL": 7}), json!({"ResponseURL": ""})] {
        let error = peers("eu-west-1", &account()).handle(event, in_seconds(60)).await.unwrap_err();
        assert!(matches!(error, Unanswered::NoUrl), "{error:?}");
    }
    let said = format!("{refused:?} {unreachable:?} {}", logs.text());
    assert!(!said.contains(SIGNATURE), "{said}");
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let broken = Arc::new(function("eu-west-1", Broken::Panics, MemorySite::default()));
    let mut cloudformation = CloudFormation::start().await;
    let reason = cloudformation.reason(&broken, &sample("deployment-peer-create")).await;
    assert!(reason.contains("panicked") && reason.contains("index out of bounds"), "{reason}");
}

#[tokio::test]
async fn lack_of_time_is_an_answer_before_the_deadline() {
    let broken = Arc::new(function("eu-west-1", Broken::Hangs, MemorySite::default()));
    let mut cloudformation = CloudFormation::start().await;
    for kind in ["Create", "Update"] {
        let mut event = sample("deployment-peer-create");
        event["RequestType"] = kind.into();
        event["ResponseURL"] = cloudformation.response_url().into();
        broken.clone().handle(event, in_seconds(3)).await.unwrap();
        let answer = cloudformation.puts().remove(0).body;
        assert_eq!(answer["Status"], "FAILED");
        assert!(answer["Reason"].as_str().unwrap().contains("gave up; try again"), "{answer}");
    }
}

#[tokio::test]
async fn a_delete_always_succeeds() {
    let mut cloudformation = CloudFormation::start().await;
    let panics = Arc::new(function("eu-west-1", Broken::Panics, MemorySite::default()));
    let event = sample("deployment-peer-delete");
    let answer = cloudformation.ask(&panics, &event).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert_eq!(answer["PhysicalResourceId"], event["PhysicalResourceId"]);
    // The sample's own, after a failed create (whose id is what we answered), and such as were never ours.
    let mut malformed = event.clone();
    malformed["ResourceProperties"] = json!({"Role": ["?"]});
    malformed["PhysicalResourceId"] = json!("Peer/none");
    let mut unknown = event.clone();
    unknown["ResourceType"] = json!("Custom::Other");
    let mut site = event.clone();
    site["ResourceType"] = json!("Custom::HeadwaterSite");
    let mut bare = event.clone();
    bare.as_object_mut().unwrap().remove("PhysicalResourceId");
    for event in [event, malformed, unknown, site, bare] {
        let answer = cloudformation.ask(&peers("eu-west-1", &FakeApis::default()), &event).await;
        assert_eq!(answer["Status"], "SUCCESS", "{event}");
        let id = answer["PhysicalResourceId"].as_str().unwrap();
        assert!(!id.is_empty());
        assert!(event["PhysicalResourceId"].as_str().is_none_or(|given| given == id), "{id}");
    }
}

#[tokio::test]
async fn unknown_types_and_requests_are_refused() {
    let mut cloudformation = CloudFormation::start().await;
    let function = peers("eu-west-1", &account());
    for kind in ["Create", "Update"] {
        let mut event = sample("deployment-peer-create");
        event["RequestType"] = json!(kind);
        event["ResourceType"] = json!("Custom::Other");
        let reason = cloudformation.reason(&function, &event).await;
        assert_eq!(
            reason,
            "the deployment function has no resource type Custom::Other; is the template of another version?"
        );
    }
    for kind in [json!("Import"), json!(null), json!(1)] {
        let mut event = sample("deployment-peer-create");
        event["RequestType"] = kind;
        let reason = cloudformation.reason(&function, &event).await;
        assert!(reason.contains("does not know the request type"), "{reason}");
    }
    let url = json!({ "ResponseURL": cloudformation.response_url() });
    function.handle(url, in_seconds(60)).await.unwrap();
    let answer = cloudformation.puts().remove(0).body;
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("/none")));
}

#[tokio::test]
async fn reason_and_data_stay_within_cloudformation_s_limits() {
    let mut cloudformation = CloudFormation::start().await;
    let mut event = sample("deployment-peer-create");
    event["ResourceProperties"]["Role"] = json!("\"é\u{1}".repeat(3000));
    event["LogicalResourceId"] = json!("L".repeat(255));
    let reason = cloudformation.reason(&peers("eu-west-1", &account()), &event).await;
    assert!(reason.starts_with("property Role is '") && reason.ends_with('…'), "{reason}");

    let apis = FakeApis::default();
    let with_arns = |length: usize| {
        let mut tags = facts("primary", "us-east-1");
        let arns = tags.values_mut().filter(|value| value.starts_with("arn:"));
        arns.for_each(|value| *value = format!("{value:x<length$}"));
        tags
    };
    let listed = api("a1b2c3d4e5", "us-east-1", "headwater", "primary");
    apis.add(&region("us-east-1"), listed.clone(), with_arns(256));
    let answer = cloudformation.ask(&peers("eu-west-1", &apis), &sample("deployment-peer-create")).await;
    assert_eq!(answer["Status"], "SUCCESS", "tags of full length fit");

    let apis = FakeApis::default();
    apis.add(&region("us-east-1"), listed, with_arns(512));
    let event = sample("deployment-peer-create");
    let reason = cloudformation.reason(&peers("eu-west-1", &apis), &event).await;
    assert!(reason.contains("longer than CloudFormation takes"), "{reason}");
}
