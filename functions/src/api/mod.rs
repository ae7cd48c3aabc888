//! The REST API: streams and their keys, as `openapi.json` describes it. Who may call it is the authorizer's business.

mod broadcasts;
mod idempotency;
mod input;
mod keys;
mod moves;
mod object;
mod openapi;
mod streams;
mod view;

use headwater_domain::StreamId;
use headwater_domain::key::Pepper;
use headwater_domain::objects::KeptFor;
use headwater_domain::paths::{ApiPath, EdgePath};
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

impl PublicUrls {
    /// Where the edge serves a path.
    fn at_edge(&self, path: &EdgePath) -> String {
        format!("{}{path}", self.edge.trim_end_matches('/'))
    }
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
        let path: ApiPath = path.strip_suffix('/').unwrap_or(path).parse()?;
        match (path, method(request)) {
            (ApiPath::Health, &Method::GET) => {
                Ok(json(StatusCode::OK, &json!({"status": "ok", "region": self.context.region})))
            }
            (ApiPath::OpenApi, &Method::GET) => Ok(openapi::answer(request.headers())),
            (ApiPath::Streams, &Method::POST) => self.create_stream(request).await,
            (ApiPath::Streams, &Method::GET) => self.list_streams(request).await,
            (ApiPath::Stream(stream), &Method::GET) => self.get_stream(&stream).await,
            (ApiPath::Stream(stream), &Method::PATCH) => self.patch_stream(&stream, request).await,
            (ApiPath::Stream(stream), &Method::DELETE) => self.delete_stream(&stream).await,
            (ApiPath::Keys(stream), &Method::POST) => self.create_key(&stream, request).await,
            (ApiPath::Keys(stream), &Method::GET) => self.list_keys(&stream, request).await,
            (ApiPath::Key(stream, key), &Method::DELETE) => self.revoke_key(&stream, &key).await,
            (ApiPath::Stop(stream), &Method::POST) => self.stop_stream(&stream).await,
            (ApiPath::Move(stream), &Method::POST) => self.move_stream(&stream).await,
            (ApiPath::Broadcasts(stream), &Method::GET) => self.list_broadcasts(&stream, request).await,
            (path, _) => Err(Problem::method_not_allowed(allowed(&path))),
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

/// The methods that a resource answers.
fn allowed(path: &ApiPath) -> &'static str {
    match path {
        ApiPath::Health | ApiPath::OpenApi | ApiPath::Broadcasts(_) => "GET, HEAD, OPTIONS",
        ApiPath::Streams | ApiPath::Keys(_) => "GET, HEAD, OPTIONS, POST",
        ApiPath::Stream(_) => "DELETE, GET, HEAD, OPTIONS, PATCH",
        ApiPath::Key(..) => "DELETE, OPTIONS",
        ApiPath::Stop(_) | ApiPath::Move(_) => "OPTIONS, POST",
    }
}
