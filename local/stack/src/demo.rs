//! A stream to try things with, created through the real REST API.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use headwater_domain::paths::ApiPath;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::endpoints::{Demo, Endpoints};

/// Calls the REST API of region A.
#[derive(Debug, Clone)]
pub struct ApiClient {
    base: String,
    token: String,
}

impl ApiClient {
    /// For one region's API.
    pub fn new(base: impl Into<String>, token: impl Into<String>) -> Self {
        Self { base: base.into(), token: token.into() }
    }

    /// Sends one request; a body is JSON.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default()))?;
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok((status, body))
    }
}

/// The demo stream: that of the last start if it is still there, a new one otherwise.
pub async fn demo(endpoints: &Endpoints, before: Option<Demo>) -> anyhow::Result<Demo> {
    let region = endpoints.regions.first().context("there are two regions")?;
    let api = ApiClient::new(&region.api, &endpoints.token);
    if let Some(demo) = before {
        let (status, stream) =
            api.call(Method::GET, &ApiPath::Stream(demo.stream_id.parse()?).to_string(), None).await?;
        if status == StatusCode::OK {
            let playback_url = text(&stream, "/playback_url")?;
            return Ok(Demo { playback_url, ..demo });
        }
    }
    let asked = json!({ "name": "Demo", "settings": { "listed": true } });
    let (status, stream) = api.call(Method::POST, &ApiPath::Streams.to_string(), Some(asked)).await?;
    ensure!(status == StatusCode::CREATED, "the demo stream was not created: {status} {stream}");
    Ok(Demo {
        stream_id: text(&stream, "/id")?,
        stream_key: text(&stream, "/stream_key/value")?,
        playback_url: text(&stream, "/playback_url")?,
    })
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("the API's answer has no {pointer}"))?.to_owned())
}
