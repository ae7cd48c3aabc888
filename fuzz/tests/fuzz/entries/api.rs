//! Requests to the REST API.

use headwater_domain::testing::samples;
use http::StatusCode;
use serde_json::{Value, json};

use super::harness::{Harness, block_on, check, request};

/// The first byte chooses the route, the rest is the body. What is made can be read again.
pub(crate) fn api(data: &[u8]) {
    let Some((&which, body)) = data.split_first() else { return };
    let Ok(body) = std::str::from_utf8(body) else { return };
    let stream = format!("/v1/streams/{}", samples::stream_id());
    let keys = format!("{stream}/keys");
    let (method, path) =
        [("POST", "/v1/streams"), ("PATCH", &stream), ("POST", &keys)][usize::from(which) % 3];
    let headers = json!({ "content-type": "application/json", "idempotency-key": "k" });
    let Some(asked) = request(method, path, "", headers.clone(), body) else { return };
    block_on(async {
        let api = Harness::seeded().await.api();
        let answer = api.handle(asked).await;
        check(&answer, None);
        if answer.status() == StatusCode::CREATED && path == "/v1/streams" {
            let made: Value = serde_json::from_slice(answer.body()).expect("JSON");
            let id = made["id"].as_str().expect("an id");
            let again = request("GET", &format!("/v1/streams/{id}"), "", headers, "").expect("a request");
            let read = api.handle(again).await;
            assert_eq!(read.status(), StatusCode::OK);
            let read: Value = serde_json::from_slice(read.body()).expect("JSON");
            assert_eq!((&read["name"], &read["settings"]), (&made["name"], &made["settings"]));
        }
    });
}
