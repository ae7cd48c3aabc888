//! A stream key is shown once, by the one answer that made it: no other answer and no log line has it.

use serde_json::{Value, json};

use crate::support::{Event, Harness, Logs, later};

/// Every part of a key that lets somebody publish.
fn secret_of(key: &Value) -> String {
    key["value"].as_str().unwrap().rsplit('-').next().unwrap().to_owned()
}

#[tokio::test]
async fn no_key_reaches_a_log_line_or_another_answer() {
    let logs = Logs::capture();
    let harness = Harness::empty();
    let made = harness.ask(&Event::sample("api-create-stream")).await.expect(201);
    let path = format!("/v1/streams/{}", made["id"].as_str().unwrap());
    let second =
        harness.ask(&Event::sample("api-create-key").path(&format!("{path}/keys"))).await.expect(201);
    let (first, second) = (&made["stream_key"], &second);
    let secrets = [secret_of(first), secret_of(second)];

    let publish =
        |session: u128, key: &str| harness.publish_event(session).edit(|body| body["key"] = json!(key));
    let value = first["value"].as_str().unwrap();
    let mut answers = Vec::new();
    // A key with a typing error, one in the wrong field of the encoder, one in its query, then the right one.
    answers.push(harness.hook(&publish(1, &value[..value.len() - 1])).await);
    answers.push(harness.hook(&publish(1, &format!("{value}?a=b"))).await);
    let misplaced = publish(1, "").edit(|body| {
        body["app"] = json!(format!("live/{value}"));
        body["query"] = json!({ "key": value });
    });
    answers.push(harness.hook(&misplaced).await);
    harness.cluster.fail(Some("no capacity"));
    answers.push(harness.hook(&publish(2, value)).await);
    harness.cluster.fail(None);
    answers.push(harness.hook(&publish(3, value)).await);
    answers.push(harness.hook(&publish(4, second["value"].as_str().unwrap())).await);
    for (name, suffix) in [
        ("api-get-stream", ""),
        ("api-list-keys", "/keys"),
        ("api-list-broadcasts", "/broadcasts"),
        ("api-patch-stream", ""),
        ("api-move-stream", "/move"),
        ("api-stop-stream", "/stop"),
        ("api-list-streams", "none"),
    ] {
        let path = if suffix == "none" { "/v1/streams".to_owned() } else { format!("{path}{suffix}") };
        answers.push(harness.ask(&Event::sample(name).path(&path)).await);
    }
    let key_path = format!("{path}/keys/{}", first["id"].as_str().unwrap());
    answers.push(harness.ask(&Event::sample("api-revoke-key").path(&key_path)).await);
    answers.push(harness.hook(&publish(5, value)).await);
    later(30);
    answers.push(harness.ask(&Event::sample("api-delete-stream").path(&path)).await);
    answers.push(harness.hook(&publish(6, value)).await);
    harness.sweep().await;

    let log = logs.text();
    assert!(
        log.contains("stream created") && log.contains("publish allowed") && log.contains("publish denied"),
        "{log}"
    );
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{log}");
        for answer in &answers {
            assert!(!answer.text().contains(secret.as_str()), "{}", answer.text());
            assert!(!format!("{:?}", answer.headers).contains(secret.as_str()));
        }
    }
}
