//! The REST API: streams and their keys, as `openapi.json` describes it. Who may call it is the authorizer's business.

mod broadcasts;
mod idempotency;
mod input;
mod keys;
mod object;
mod openapi;
mod streams;
mod view;

use headwater_domain::StreamId;
use headwater_domain::key::Pepper;
use headwater_domain::objects::KeptFor;
use headwater_domain::ports::{
    ReadBroadcasts, ReadControl, ReadKeys, ReadStreams, ReadTimeline, RememberRequests, WriteBroadcasts,
    WriteControl, WriteKeys, WriteStreams,
};
use headwater_domain::stream::StreamDocument;
use http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde_json::json;

use crate::context::Context;
use crate::reply::{Problem, answer, json, method, path};

/// Everything the API needs of the table.
pub trait ApiTable:
    ReadStreams
    + WriteStreams
    + ReadKeys
    + WriteKeys
    + ReadControl
    + WriteControl
    + ReadBroadcasts
    + WriteBroadcasts
    + RememberRequests
    + ReadTimeline
{
}
impl<T> ApiTable for T where
    T: ReadStreams
        + WriteStreams
        + ReadKeys
        + WriteKeys
        + ReadControl
        + WriteControl
        + ReadBroadcasts
        + WriteBroadcasts
        + RememberRequests
        + ReadTimeline
{
}

/// Where people publish and watch.
#[derive(Debug, Clone, Default)]
pub struct PublicUrls {
    /// RTMP server URLs, this region's first.
    pub rtmp: Vec<String>,
    /// RTMPS server URLs; empty without a certificate.
    pub rtmps: Vec<String>,
    /// The edge.
    pub edge: String,
}

/// The API function.
#[derive(Debug, Clone)]
pub struct ApiFunction<T> {
    /// Where it runs.
    pub context: Context,
    /// The table.
    pub table: T,
    /// Hashes stream keys.
    pub pepper: Pepper,
    /// Where people publish and watch.
    pub public_urls: PublicUrls,
    /// For how long recordings can be watched.
    pub kept_for: KeptFor,
}

impl<T: ApiTable> ApiFunction<T> {
    /// Answers one request.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let routed = self.route(&request).await;
        // Browsers ask before they send a token or JSON; API Gateway adds what they want to hear.
        let is_options = request.method() == Method::OPTIONS;
        answer(if is_options { routed.or_else(Problem::into_options) } else { routed })
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Problem> {
        // One slash at the end is forgiven, as clients' URL builders like to leave it there.
        let path = path(request);
        let path = path.strip_prefix('/').unwrap_or(path);
        let parts: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let method = method(request);
        match parts.as_slice() {
            _ if parts.contains(&"") => Err(Problem::not_found("resource")),
            ["health"] => match *method {
                Method::GET => {
                    Ok(json(StatusCode::OK, &json!({"status": "ok", "region": self.context.region})))
                }
                _ => Err(Problem::method_not_allowed("GET, HEAD, OPTIONS")),
            },
            ["v1", "openapi.json"] => match *method {
                Method::GET => Ok(openapi::answer(request.headers())),
                _ => Err(Problem::method_not_allowed("GET, HEAD, OPTIONS")),
            },
            ["v1", "streams"] => match *method {
                Method::POST => self.create_stream(request).await,
                Method::GET => self.list_streams(request).await,
                _ => Err(Problem::method_not_allowed("GET, HEAD, OPTIONS, POST")),
            },
            ["v1", "streams", stream] => {
                let stream = stream_id(stream)?;
                match *method {
                    Method::GET => self.get_stream(&stream).await,
                    Method::PATCH => self.patch_stream(&stream, request).await,
                    Method::DELETE => self.delete_stream(&stream).await,
                    _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, OPTIONS, PATCH")),
                }
            }
            ["v1", "streams", stream, "keys"] => {
                let stream = stream_id(stream)?;
                match *method {
                    Method::POST => self.create_key(&stream, request).await,
                    Method::GET => self.list_keys(&stream, request).await,
                    _ => Err(Problem::method_not_allowed("GET, HEAD, OPTIONS, POST")),
                }
            }
            ["v1", "streams", stream, "keys", key] => match *method {
                Method::DELETE => self.revoke_key(&stream_id(stream)?, key).await,
                _ => Err(Problem::method_not_allowed("DELETE, OPTIONS")),
            },
            ["v1", "streams", stream, "stop"] => match *method {
                Method::POST => self.stop_stream(&stream_id(stream)?).await,
                _ => Err(Problem::method_not_allowed("OPTIONS, POST")),
            },
            ["v1", "streams", stream, "broadcasts"] => match *method {
                Method::GET => self.list_broadcasts(&stream_id(stream)?, request).await,
                _ => Err(Problem::method_not_allowed("GET, HEAD, OPTIONS")),
            },
            _ => Err(Problem::not_found("resource")),
        }
    }

    /// The stream, if it is there and was not deleted.
    async fn find(&self, id: &StreamId) -> Result<StreamDocument, Problem> {
        let found = self.table.stream(id).await?.filter(|stream| stream.deleted_at.is_none());
        found.ok_or_else(|| not_found(id))
    }
}

fn not_found(id: &StreamId) -> Problem {
    Problem::not_found("stream").with("stream", id)
}

fn stream_id(text: &str) -> Result<StreamId, Problem> {
    text.parse().map_err(|_| Problem::not_found("stream"))
}
