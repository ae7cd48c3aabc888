//! EventBridge's part: task events and the schedule invoke the lifecycle function.

use std::time::Duration;

use bytes::Bytes;
use headwater_emulators::lambda::Lambda;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// EventBridge tries for 24 hours; a local stack that cannot invoke for so many seconds is stopped or broken.
const TRIES: u32 = 30;

/// Hands task events to the lifecycle function, one after the other. A failed invocation is tried again.
pub(super) async fn deliver(mut events: mpsc::Receiver<Value>, lambda: Lambda, done: CancellationToken) {
    while let Some(Some(event)) = done.run_until_cancelled(events.recv()).await {
        // The rule in template.yaml matches stopped tasks only.
        if event["detail"]["lastStatus"] != "STOPPED" {
            continue;
        }
        for _ in 0..TRIES {
            match invoke(&lambda, &event).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(error, "a task event is not delivered yet"),
            }
            if done.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
                return;
            }
        }
    }
}

/// Invokes the sweep every `every`.
pub(super) async fn schedule(region: String, every: Duration, lambda: Lambda, done: CancellationToken) {
    let event = json!({
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "region": region,
        "resources": [format!("arn:aws:events:{region}:000000000000:rule/headwater-sweep")],
        "detail": {},
    });
    while done.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        if let Err(error) = invoke(&lambda, &event).await {
            tracing::warn!(error, "the sweep failed");
        }
    }
}

async fn invoke(lambda: &Lambda, event: &Value) -> Result<(), String> {
    let payload = Bytes::from(event.to_string());
    lambda.invoke("lifecycle", payload).await.map(|_| ()).map_err(|error| error.to_string())
}
