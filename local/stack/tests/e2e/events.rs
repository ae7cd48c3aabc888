//! The sample events as Lambda's runtime hands them to the real binaries: the function that a route names, or whom a
//! trigger invokes, takes each without an error.

use bytes::Bytes;
use headwater_local::routes;
use serde_json::Value;

use super::support::{Platform, root};

/// The function that AWS would invoke with this event.
fn function(name: &str, event: &Value) -> Option<String> {
    match event["routeKey"].as_str() {
        _ if event["type"] == "REQUEST" => Some("authorizer".into()),
        Some(key) => Some(routes().into_iter().find(|route| route.key == key).unwrap().function),
        // Named after their function; those of a function that the local stack does not have are not for it.
        None => name.split('-').next().filter(|&name| name == "lifecycle").map(str::to_owned),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_event_is_taken_by_its_function_s_binary() {
    let platform = Platform::start().await;
    let lambda = &platform.stack.regions[0].lambda;
    let mut paths: Vec<_> =
        std::fs::read_dir(root().join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut invoked = std::collections::BTreeSet::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read(&path).unwrap();
        let event: Value = serde_json::from_slice(&text).unwrap();
        let Some(function) = function(name, &event) else { continue };
        let answer = lambda.invoke(&function, Bytes::from(text)).await;
        let answer: Value =
            serde_json::from_slice(&answer.unwrap_or_else(|error| panic!("{name}: {error}")).payload)
                .unwrap();
        match function.as_str() {
            "lifecycle" => assert_eq!(answer["failed"], 0, "{name}: {answer}"),
            "authorizer" => assert!(answer["isAuthorized"].is_boolean(), "{name}: {answer}"),
            _ => {
                assert!(answer["statusCode"].as_u64().is_some_and(|status| status < 500), "{name}: {answer}")
            }
        }
        invoked.insert(function);
    }
    let all: Vec<_> = invoked.iter().map(String::as_str).collect();
    assert_eq!(all, ["api", "authorizer", "hooks", "lifecycle", "low-latency", "playlist"]);
    platform.stop().await;
}
