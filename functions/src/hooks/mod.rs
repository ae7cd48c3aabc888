//! The hooks: what gateway and transcoder ask and tell. `POST /hooks/{publish,unpublish,heartbeat}`, IAM-signed.

mod claim;
mod hand_over;
mod heartbeat;
mod publish;
mod publish_guard;
mod revalidate;
mod withdraw;

use headwater_domain::control::decide;
use headwater_domain::hooks::{HeartbeatRequest, PublishRequest, UnpublishRequest};
use headwater_domain::key::Pepper;
use headwater_domain::paths::HookPath;
use headwater_domain::peer::{Answer, PeerNow};
use headwater_domain::ports::{
    PortResult, ReadControl, ReadKeys, ReadStreams, ReadTimeline, StartTasks, WriteBroadcasts, WriteControl,
    WriteHeartbeats,
};
use headwater_domain::tokens::SigningKey;
use http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use self::publish_guard::PublishGuard;
use crate::commit::write_control_record;
use crate::context::Context;
use crate::reply::{Problem, answer, json, path};

/// Longest hook body: 200 sessions of ≈ 120 bytes fit ten times.
const MAX_BODY: usize = 256 * 1024;

/// Everything the hooks need of the table.
pub trait HookTable:
    ReadStreams + ReadKeys + ReadControl + WriteControl + WriteHeartbeats + WriteBroadcasts + ReadTimeline
{
}
impl<
    T: ReadStreams + ReadKeys + ReadControl + WriteControl + WriteHeartbeats + WriteBroadcasts + ReadTimeline,
> HookTable for T
{
}

/// The hooks function.
#[derive(Debug, Clone)]
pub struct HooksFunction<T, C> {
    /// Where it runs.
    pub context: Context,
    /// The table.
    pub table: T,
    /// Starts tasks.
    pub tasks: C,
    /// Proves stream keys.
    pub pepper: Pepper,
    /// Makes source tokens.
    pub signing: SigningKey,
    /// Which deployment of the gateway belongs to this one.
    pub revision: Option<String>,
    /// The region's peer: every answer says it, for gateways and tasks are not started anew when it changes.
    pub peer: Option<PeerNow>,
    /// What is remembered of attempts to publish.
    pub publish_guard: PublishGuard,
}

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    /// Answers one request.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        answer(self.route(&request).await)
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Problem> {
        if request.method() != Method::POST {
            return Err(Problem::method_not_allowed("POST"));
        }
        match path(request).parse()? {
            HookPath::Publish => {
                let asked: PublishRequest = parse(request)?;
                Ok(self.answered(self.publish(&asked).await?))
            }
            HookPath::Unpublish => {
                self.unpublish(&parse(request)?).await?;
                Ok(self.answered(json!({})))
            }
            HookPath::Heartbeat => match parse(request)? {
                HeartbeatRequest::Gateway(heartbeat) => {
                    Ok(self.answered(self.gateway_heartbeat(&heartbeat).await?))
                }
                HeartbeatRequest::Transcoder(heartbeat) => {
                    self.check_claim(&heartbeat)?;
                    Ok(self.answered(self.transcoder_heartbeat(&heartbeat).await?))
                }
            },
        }
    }

    fn answered<A: Serialize>(&self, answer: A) -> Response<Body> {
        json(StatusCode::OK, &Answer { answer, peer: self.peer.clone() })
    }

    async fn unpublish(&self, request: &UnpublishRequest) -> PortResult<()> {
        let session = &request.session;
        let done = write_control_record(&self.table, &session.stream, &self.context, |replicated, own| {
            let record =
                decide::unpublish(replicated, own, &session.session, &request.reason, self.context.now())?;
            Some((record, ()))
        });
        if done.await?.is_some() {
            tracing::info!(stream = %session.stream, session = %session.session, reason = request.reason, "publisher gone");
        }
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let body: &[u8] = request.body();
    if body.len() > MAX_BODY {
        let detail = format!("a hook's body has at most {MAX_BODY} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail));
    }
    // serde_json's message may quote the body, and the body may hold a stream key: only say where.
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("not a valid hook request (line {}, column {})", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, "invalid-request", "Invalid request", detail)
    })
}
