//! Secrets Manager with the real SDK, read as the functions read it.

use super::support::{REGION, sdk_config, send};
use aws_sdk_secretsmanager::Client;
use axum::body::Body;
use headwater_aws::secrets::Secrets;
use headwater_aws::settings::fixed_config;
use headwater_emulators::secrets_manager::{SecretsManager, SecretsManagerConfig};
use http::Request;
use std::error::Error as _;

const VARIABLE: &str = "ORIGIN_SECRET_ARN";

fn start() -> SecretsManager {
    SecretsManager::start(SecretsManagerConfig {
        region: REGION.to_owned(),
        port: 0,
        calls: headwater_emulators::calls::CallLog::default(),
    })
    .unwrap()
}

fn client(manager: &SecretsManager) -> Client {
    Client::from_conf(sdk_config!(aws_sdk_secretsmanager, manager.addr()).build())
}

fn reader(manager: &SecretsManager) -> Secrets {
    let keys = aws_credential_types::Credentials::new("AKIALOCAL", "local-secret", None, None, "tests");
    Secrets::new(&fixed_config(REGION, &format!("http://{}", manager.addr()), keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_found_by_name_and_arn_and_keeps_its_previous_version() {
    let manager = start();
    let client = client(&manager);
    let arn = manager.create("app/origin", "AbC123", "first");
    assert_eq!(arn, format!("arn:aws:secretsmanager:{REGION}:000000000000:secret:app/origin-AbC123"));
    for id in ["app/origin", arn.as_str(), arn.strip_suffix("-AbC123").unwrap()] {
        let found = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!((found.secret_string(), found.arn()), (Some("first"), Some(arn.as_str())), "{id}");
        assert_eq!(found.name(), Some("app/origin"));
    }
    let ask = |stage: &str| client.get_secret_value().secret_id(&arn).version_stage(stage).send();
    let missing = ask("AWSPREVIOUS").await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing}");
    assert!(manager.rotate(&arn, "second") && !manager.rotate("app/other", "x"));
    let (current, previous) = (ask("AWSCURRENT").await.unwrap(), ask("AWSPREVIOUS").await.unwrap());
    assert_eq!((current.secret_string(), previous.secret_string()), (Some("second"), Some("first")));
    assert_ne!(current.version_id(), previous.version_id());
    let old = client.get_secret_value().secret_id(&arn).version_id(previous.version_id().unwrap());
    assert_eq!(old.send().await.unwrap().version_stages(), ["AWSPREVIOUS"]);
    let unknown = client.get_secret_value().secret_id("app/other").send().await.unwrap_err();
    assert!(unknown.into_service_error().is_resource_not_found_exception());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_operations_and_broken_requests_are_refused() {
    let manager = start();
    let post = |target: &str, body: &str| {
        let request =
            Request::post(format!("http://{}/", manager.addr())).header("x-amz-target", target.to_owned());
        send(request.body(Body::from(body.to_owned())).unwrap())
    };
    for (target, body, kind) in [
        ("secretsmanager.GetSecretValue", "{", "SerializationException"),
        ("secretsmanager.GetSecretValue", "{}", "InvalidParameterException"),
        ("secretsmanager.PutSecretValue", "{}", "UnknownOperationException"),
    ] {
        let answer = post(target, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["__type"].as_str()), (400, Some(kind)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_read_the_current_secret_and_for_the_edge_the_previous_as_well() {
    let manager = start();
    let reader = reader(&manager);
    let arn = manager.create("app/origin", "AbC123", "first");
    let exposed = async || {
        let secrets = reader.read_current_and_previous(VARIABLE, &arn).await.unwrap();
        secrets.iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(exposed().await, ["first"]);
    manager.rotate(&arn, "second");
    assert_eq!(exposed().await, ["second", "first"]);
    assert_eq!(reader.read_current(VARIABLE, &arn).await.unwrap().expose(), "second");
    manager.rotate(&arn, "third");
    assert_eq!(exposed().await, ["third", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_variable_arn_and_reason_and_never_a_value() {
    let manager = start();
    let reader = reader(&manager);
    let unset = reader.current("NO_SUCH_VARIABLE_ARN").await.unwrap_err().to_string();
    assert!(unset.contains("NO_SUCH_VARIABLE_ARN") && unset.contains("not set"), "{unset}");
    assert!(reader.current_and_previous("NO_SUCH_VARIABLE_ARN").await.unwrap().is_empty());

    let missing = reader.read_current(VARIABLE, "app/missing").await.unwrap_err().to_string();
    for part in [VARIABLE, "app/missing", "no such secret"] {
        assert!(missing.contains(part), "{missing}");
    }
    let empty = manager.create("app/empty", "AbC123", "");
    let empty = reader.read_current(VARIABLE, &empty).await.unwrap_err().to_string();
    assert!(empty.contains("has no text"), "{empty}");

    let arn = manager.create("app/origin", "AbC123", "hidden-value");
    let found = reader.read_current(VARIABLE, &arn).await.unwrap();
    assert!(!format!("{found:?} {manager:?}").contains("hidden-value"));
    manager.stop().await;
    let down = reader.read_current(VARIABLE, &arn).await.unwrap_err();
    assert!(down.to_string().contains(&arn) && down.source().is_none(), "{down:?}");
    assert!(!format!("{down:?}").contains("hidden-value"));
}
