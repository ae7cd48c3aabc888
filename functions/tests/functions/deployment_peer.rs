//! `Custom::HeadwaterPeer`: what is found of the other region, and every sentence when it is not.

use headwater_domain::ports::ListedApi;
use headwater_domain::testing::deployment::FakeApis;
use serde_json::{Value, json};

use crate::support::deployment::{CloudFormation, account, api, facts, peers, region};
use crate::support::sample;

const PRIMARY: &str = "us-east-1";
const SECONDARY: &str = "eu-west-1";
/// Stands for a property that is not there.
const NONE: &str = "(none)";

fn create(changes: &[(&str, &str)]) -> Value {
    let mut event = sample("deployment-peer-create");
    for (name, value) in changes {
        event["ResourceProperties"][name] = json!(value);
    }
    event
}

/// The secondary's question of the sample event, with other APIs in the world.
async fn refused(apis: &FakeApis, event: &Value) -> String {
    let mut cloudformation = CloudFormation::start().await;
    cloudformation.reason(&peers(SECONDARY, apis), event).await
}

/// One stack in the primary's region, with these facts.
async fn refused_with(
    change: impl FnOnce(&mut ListedApi, &mut std::collections::BTreeMap<String, String>),
) -> String {
    let (mut listed, mut tags) =
        (api("a1b2c3d4e5", PRIMARY, "headwater", "primary"), facts("primary", PRIMARY));
    change(&mut listed, &mut tags);
    let apis = FakeApis::default();
    apis.add(&region(PRIMARY), listed, tags);
    refused(&apis, &create(&[])).await
}

#[tokio::test]
async fn the_secondary_learns_all_about_the_primary() {
    let mut cloudformation = CloudFormation::start().await;
    let answer = cloudformation.ask(&peers(SECONDARY, &account()), &create(&[])).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(answer["PhysicalResourceId"], "headwater/us-east-1");
    let secret =
        |name: &str| format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:headwater/{name}-AbC123");
    assert_eq!(
        answer["Data"],
        json!({
            "ApiId": "a1b2c3d4e5",
            "ApiEndpoint": "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "ApiHost": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "MediaBucket": "headwater-primary-media-1a2b3c",
            "Cluster": "headwater",
            "TaskFamily": "headwater-transcoder",
            "Subnets": "subnet-0a1b2c3d,subnet-4e5f6a7b",
            "SecurityGroup": "sg-0a1b2c3d",
            "TaskRoleArn": "arn:aws:iam::123456789012:role/headwater-primary-task",
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/headwater-primary-exec",
            "IngestHost": "headwater-50dc6c495c0c9188.elb.us-east-1.amazonaws.com",
            "LoadBalancerArn":
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/headwater/50dc6c495c0c9188",
            "Rtmps": "false",
            "Table": "headwater",
            "DistributionArn": "arn:aws:cloudfront::123456789012:distribution/EDFDVBD632BHDS5",
            "EdgeUrl": "https://d111111abcdef8.cloudfront.net",
            "AdminTokenArn": secret("admin-token"),
            "KeyPepperArn": secret("key-pepper"),
            "SigningKeyArn": secret("signing-key"),
            "OriginSecretArn": secret("origin-secret"),
            "OriginShield": "eu-west-1",
            "PeerOriginShield": "us-east-1",
        })
    );
}

#[tokio::test]
async fn the_primary_learns_of_the_secondary_what_a_secondary_has() {
    let mut cloudformation = CloudFormation::start().await;
    let answer = cloudformation.ask(&peers(PRIMARY, &account()), &sample("deployment-peer-update")).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(answer["PhysicalResourceId"], "headwater/eu-west-1");
    assert_eq!(answer["Data"]["ApiHost"], "b2c3d4e5f6.execute-api.eu-west-1.amazonaws.com");
    assert_eq!(answer["Data"]["MediaBucket"], "headwater-secondary-media-1a2b3c");
    for name in ["Table", "DistributionArn", "EdgeUrl", "AdminTokenArn", "OriginSecretArn"] {
        assert_eq!(answer["Data"][name], "", "Fn::GetAtt must not fail for {name}");
    }
}

#[tokio::test]
async fn without_a_peer_every_attribute_is_there_and_empty() {
    let mut cloudformation = CloudFormation::start().await;
    let apis = FakeApis::default();
    apis.add(&region(PRIMARY), api("a1b2c3d4e5", PRIMARY, "headwater", "primary"), facts("primary", PRIMARY));
    let own = [("Role", "primary"), ("ApiId", "a1b2c3d4e5")];
    for (changes, id) in [
        ([("PeerRegion", "eu-west-1"), ("Join", "false")], "headwater/eu-west-1"),
        ([("PeerRegion", ""), ("Join", "true")], "headwater/none"),
        ([("PeerRegion", NONE), ("Join", "true")], "headwater/none"),
    ] {
        let mut event = create(&[own, changes].concat());
        if event["ResourceProperties"]["PeerRegion"] == NONE {
            event["ResourceProperties"].as_object_mut().unwrap().remove("PeerRegion");
        }
        let answer = cloudformation.ask(&peers(PRIMARY, &apis), &event).await;
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(id)));
        let data = answer["Data"].as_object().unwrap();
        assert_eq!(data.len(), 22);
        let known = |name: &str| name.ends_with("OriginShield");
        assert!(data.iter().all(|(name, value)| known(name) != (value == "")), "{data:?}");
        assert_eq!(data["OriginShield"], PRIMARY);
    }
}

#[tokio::test]
async fn a_second_stack_of_the_deployment_in_one_region_is_refused() {
    let apis = account();
    apis.add(
        &region(SECONDARY),
        api("c3d4e5f6a7", SECONDARY, "headwater", "primary"),
        facts("primary", SECONDARY),
    );
    for changes in [[("Join", "true")], [("Join", "false")], [("PeerRegion", "")]] {
        assert_eq!(
            refused(&apis, &create(&changes)).await,
            "deployment 'headwater' is already in eu-west-1 (HTTP API c3d4e5f6a7 of stack headwater-primary); delete \
             that stack or deploy under another Deployment name"
        );
    }
    // An update that replaces the API: the old one is still there.
    let mut update = create(&[]);
    update["RequestType"] = json!("Update");
    update["PhysicalResourceId"] = json!("headwater/us-east-1");
    update["OldResourceProperties"] = update["ResourceProperties"].clone();
    update["OldResourceProperties"]["ApiId"] = json!("c3d4e5f6a7");
    let answer = CloudFormation::start().await.ask(&peers(SECONDARY, &apis), &update).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_asked_for_in_the_right_order() {
    assert_eq!(
        refused(&FakeApis::default(), &create(&[])).await,
        "deployment 'headwater' has no stack in us-east-1; deploy the primary in us-east-1 first"
    );
    let event = create(&[("Role", "primary"), ("PeerRegion", "eu-west-1")]);
    assert_eq!(
        CloudFormation::start().await.reason(&peers(PRIMARY, &FakeApis::default()), &event).await,
        "deployment 'headwater' has no stack in eu-west-1; deploy the secondary in eu-west-1, then this stack again \
         with PeerJoined=true"
    );
}

#[tokio::test]
async fn one_region_two_peers_and_equal_roles_are_refused() {
    assert_eq!(
        refused(&FakeApis::default(), &create(&[("PeerRegion", SECONDARY)])).await,
        "PeerRegion is eu-west-1, the region of this stack; the two stacks of a deployment are in two regions"
    );
    let apis = account();
    apis.add(&region(PRIMARY), api("c3d4e5f6a7", PRIMARY, "headwater", "primary"), facts("primary", PRIMARY));
    assert_eq!(
        refused(&apis, &create(&[])).await,
        "deployment 'headwater' is in us-east-1 more than once (HTTP APIs a1b2c3d4e5, c3d4e5f6a7); delete the stacks \
         that are not wanted, or deploy under another Deployment name"
    );
    let equal = refused_with(|api, _| {
        api.tags.insert("headwater:role".into(), "secondary".into());
    });
    assert_eq!(
        equal.await,
        "the stack of deployment 'headwater' in us-east-1 (HTTP API a1b2c3d4e5) says its role is 'secondary', but \
         this one is the secondary, so that must be the primary; delete one of them and deploy it with the right Role"
    );
    let none = refused_with(|api, _| {
        api.tags.remove("headwater:role");
    });
    assert!(none.await.contains("says its role is ''"));
}

#[tokio::test]
async fn a_peer_that_does_not_tell_all_is_named_with_what_is_missing() {
    for tag in facts("primary", PRIMARY).keys() {
        let reason = refused_with(|_, tags| {
            tags.remove(tag);
        });
        assert_eq!(
            reason.await,
            format!(
                "the primary stack in us-east-1 is not complete: no tag {tag} on stage $default of API a1b2c3d4e5; \
                 deploy it again"
            )
        );
        let empty = refused_with(|_, tags| {
            tags.insert(tag.clone(), String::new());
        });
        assert!(empty.await.contains(&format!("no good tag {tag} (it is '')")), "{tag}");
    }
    let nowhere = refused_with(|api, _| api.endpoint = "a1b2c3d4e5".into()).await;
    assert!(nowhere.contains("'a1b2c3d4e5' is no endpoint for clients of API a1b2c3d4e5"), "{nowhere}");
}

#[tokio::test]
async fn facts_have_shapes() {
    for (tag, bad) in [
        ("media-bucket", "two words"),
        ("subnets", "subnet-1,subnet-2"),
        ("subnets", "subnet-1 vpc-2"),
        ("subnets", "subnet-1  subnet-2"),
        ("security-group", "sg-"),
        ("security-group", "subnet-1"),
        ("task-role-arn", "arn:aws:s3:::bucket"),
        ("execution-role-arn", "role/headwater"),
        ("load-balancer-arn", "arn:aws:elasticloadbalancing:us-east-1:123456789012:"),
        ("ingest-host", "rtmp://host"),
        ("rtmps", "yes"),
        ("edge-url", "d111111abcdef8.cloudfront.net"),
        ("edge-url", "https:///"),
        ("distribution-arn", "EDFDVBD632BHDS5"),
        ("key-pepper-arn", "headwater/key-pepper"),
        ("signing-key-arn", "arn:aws:iam::123456789012:role/headwater"),
    ] {
        let tag = format!("headwater:{tag}");
        let reason = refused_with(|_, tags| {
            tags.insert(tag.clone(), bad.into());
        });
        let reason = reason.await;
        assert!(reason.contains(&format!("no good tag {tag} (it is '{bad}')")), "{reason}");
    }
}

#[tokio::test]
async fn properties_that_are_missing_or_wrong_are_named() {
    for (name, bad, wanted) in [
        ("Deployment", "", "it must be a name of 1 to 64 characters"),
        ("Role", "third", "property Role is 'third'; it must be primary or secondary"),
        ("PeerRegion", "Ireland!", "it must be a region or empty"),
        ("Join", "yes", "it must be true or false"),
        ("ApiId", "", "it must be the id of an HTTP API"),
    ] {
        let reason = refused(&account(), &create(&[(name, bad)])).await;
        assert!(reason.contains(&format!("property {name} ")) && reason.contains(wanted), "{reason}");
        let mut missing = create(&[]);
        missing["ResourceProperties"].as_object_mut().unwrap().remove(name);
        // Without a PeerRegion there is no peer.
        if name != "PeerRegion" {
            let reason = refused(&account(), &missing).await;
            assert_eq!(reason, format!("property {name} is missing or no text"));
        }
        let mut list = create(&[]);
        list["ResourceProperties"][name] = json!(["a"]);
        assert_eq!(refused(&account(), &list).await, format!("property {name} is missing or no text"));
    }
}

#[tokio::test]
async fn the_resource_s_id_changes_with_the_other_region_only() {
    let mut cloudformation = CloudFormation::start().await;
    let function = peers(PRIMARY, &account());
    let mut event = sample("deployment-peer-update");
    event["PhysicalResourceId"] = json!("as it was given");
    let kept = cloudformation.ask(&function, &event).await;
    assert_eq!(
        (&kept["Status"], &kept["PhysicalResourceId"]),
        (&json!("SUCCESS"), &json!("as it was given"))
    );
    event["OldResourceProperties"]["PeerRegion"] = json!("ap-south-1");
    let moved = cloudformation.ask(&function, &event).await;
    assert_eq!(moved["PhysicalResourceId"], "headwater/eu-west-1");
    event["ResourceProperties"]["PeerRegion"] = json!("us-west-2");
    let failed = cloudformation.ask(&function, &event).await;
    assert_eq!(
        (&failed["Status"], &failed["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("as it was given"))
    );
}
