//! Every sample event, unchanged, in the order in which a broadcast's life brings them.

use std::collections::BTreeSet;

use headwater_domain::hooks::Secret;
use headwater_domain::testing::parts::open_entry;
use headwater_functions::authorizer::AuthorizerFunction;
use serde_json::Value;

use crate::deployment_site;
use crate::support::deployment::{CloudFormation, account, peers};
use crate::support::{Event, Harness, folder, later, sample};

/// Function, event, status.
const HTTP: &[(&str, &[(&str, u16)])] = &[
    (
        "before",
        &[
            ("api-health", 200),
            ("api-head-health", 200),
            ("api-openapi", 200),
            ("api-head-openapi", 200),
            ("api-preflight-streams", 204),
            ("api-preflight-stream", 204),
            ("api-preflight-slash", 204),
            ("api-list-streams", 200),
            ("api-list-streams-slash", 200),
            ("api-get-stream", 200),
            ("api-patch-stream", 200),
            ("api-list-keys", 200),
            ("api-stop-stream", 409),
            ("api-move-stream", 409),
            ("playlist-multivariant", 404),
        ],
    ),
    (
        "live",
        &[
            ("hooks-heartbeat-gateway", 200),
            ("hooks-heartbeat-transcoder", 200),
            ("playlist-multivariant", 200),
            ("playlist-media", 200),
            ("playlist-low-latency", 200),
            ("playlist-head-low-latency", 200),
            ("playlist-low-latency-blocking", 200),
            ("playlist-part", 200),
            ("playlist-head-part", 200),
            ("playlist-listing", 200),
            ("playlist-head-multivariant", 200),
            ("playlist-head-media", 200),
            ("playlist-head-listing", 200),
            ("playlist-recording", 404),
            ("api-list-broadcasts", 200),
            ("api-create-key", 201),
            ("api-move-stream", 202),
            ("api-stop-stream", 202),
            ("hooks-unpublish", 200),
        ],
    ),
    (
        "after",
        &[
            ("playlist-recording", 200),
            ("playlist-recording-media", 200),
            ("api-revoke-key", 204),
            ("api-delete-stream", 204),
            ("api-get-stream", 404),
            ("api-create-stream", 201),
        ],
    ),
];

async fn send(harness: &Harness, name: &str) -> crate::support::Answer {
    let event = Event::sample(name);
    match name.split_once('-').unwrap().0 {
        "api" => harness.ask(&event).await,
        "hooks" => harness.hook(&event).await,
        "playlist" => harness.view_with(&["example-origin-secret"], &event).await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_sample_event_is_understood_in_the_story_of_one_broadcast() {
    let harness = Harness::seeded().await;
    let mut used = BTreeSet::new();
    for (part, steps) in HTTP {
        match *part {
            "live" => {
                let answer = send(&harness, "hooks-publish").await.expect(200);
                assert_eq!(answer["decision"], "allow");
                used.insert("hooks-publish".to_owned());
                let lease = harness.lease().await;
                for number in 0..3 {
                    harness.commit(&lease, number).await;
                }
                let open = open_entry(&lease, 3, 3);
                harness.store(&open.part_path("720p", 2), b"the third part").await;
                harness.put(open).await;
            }
            "after" => later(61),
            _ => {}
        }
        for (name, status) in *steps {
            let answer = send(&harness, name).await;
            assert_eq!(answer.status.as_u16(), *status, "{part} {name}: {}", answer.text());
            used.insert((*name).to_owned());
        }
    }
    for name in ["lifecycle-task-stopped", "lifecycle-gateway-stopped", "lifecycle-sweep"] {
        let report = harness.lifecycle_event(sample(name)).await;
        assert_eq!(report.failed, 0, "{name}");
        used.insert(name.to_owned());
    }
    for (name, region) in [
        ("deployment-peer-create", "eu-west-1"),
        ("deployment-peer-update", "us-east-1"),
        ("deployment-peer-delete", "eu-west-1"),
    ] {
        let mut cloudformation = CloudFormation::start().await;
        let answer = cloudformation.ask(&peers(region, &account()), &sample(name)).await;
        assert_eq!(answer["Status"], "SUCCESS", "{name}: {answer}");
        used.insert(name.to_owned());
    }
    let site = deployment_site::from_a_package(sample("deployment-site-create")).await;
    assert_eq!(site["Status"], "SUCCESS", "{site}");
    used.insert("deployment-site-create".to_owned());
    let authorizer = AuthorizerFunction::new(Secret::new("example-admin-token"), crate::support::now);
    let event = serde_json::from_value(sample("authorizer-request")).unwrap();
    assert!(authorizer.handle(&event).is_authorized);
    used.insert("authorizer-request".to_owned());

    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "json", "{}", path.display());
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    let there: BTreeSet<String> = std::fs::read_dir(folder()).unwrap().map(stem).collect();
    assert_eq!(there, used, "every file in events/ is used here, and nothing else is");
}

#[test]
fn a_task_s_event_is_the_one_of_the_sample_broadcast() {
    let stopped = sample("lifecycle-task-stopped");
    let variables = &stopped["detail"]["overrides"]["containerOverrides"][0]["environment"];
    let value = |name: &str| {
        let found = variables.as_array().unwrap().iter().find(|variable| variable["name"] == name);
        found.map(|variable| variable["value"].as_str().unwrap().to_owned())
    };
    let heartbeat: Value =
        serde_json::from_str(sample("hooks-heartbeat-transcoder")["body"].as_str().unwrap()).unwrap();
    assert_eq!(value("HEADWATER_BROADCAST").as_deref(), heartbeat["broadcast"].as_str());
    assert_eq!(value("HEADWATER_LEASE").as_deref(), heartbeat["lease"].as_str());
}

#[test]
fn the_authorizer_takes_the_event_of_api_gateway_and_only_its_token() {
    let authorizer = AuthorizerFunction::new(Secret::new("example-admin-token"), crate::support::now);
    let judge = |event: Value| authorizer.handle(&serde_json::from_value(event).unwrap()).is_authorized;
    let mut wrong = sample("authorizer-request");
    wrong["headers"]["authorization"] = "Bearer example-admin-tokeN".into();
    assert!(!judge(wrong));
    let mut none = sample("authorizer-request");
    none["headers"].as_object_mut().unwrap().remove("authorization");
    assert!(!judge(none));
    assert!(judge(sample("authorizer-request")));
}
