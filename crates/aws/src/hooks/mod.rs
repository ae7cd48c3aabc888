//! Our own API as gateway and transcoder call it: JSON over HTTPS, signed with SigV4 (`execute-api`).
//!
//! CloudFront cannot fail a POST over, so this client does: it asks its own region's API, then the peer's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use headwater_domain::hooks::{
    GatewayBeat, GatewayOrders, Heartbeat, PublishAnswer, PublishRequest, TranscoderBeat, TranscoderOrder,
    UnpublishRequest,
};
use headwater_domain::ports::{FaultKind, Hooks, PortError, PortResult};
use headwater_domain::ration::Ration;
use headwater_domain::{Region, Timestamp};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::https::{self, HttpsClient};
use crate::settings::{self, SettingError};

/// Longest answer we read; ours have a few kilobytes.
const MAX_ANSWER: usize = 1 << 20;
/// One API gets so long; with both asked an encoder waits 8 s at most.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// Lines about calls that failed, in each [`LINES_WINDOW`]: each publisher that comes during an outage makes two.
const MAX_LINES: u32 = 20;
/// What they are counted over.
const LINES_WINDOW: Duration = Duration::from_secs(10);

/// One region's API.
#[derive(Debug, Clone)]
struct Api {
    region: Region,
    base: String,
}

/// Calls the hooks, in this region or else in the peer's.
#[derive(Debug, Clone)]
pub struct HookClient {
    http: HttpsClient,
    credentials: SharedCredentialsProvider,
    apis: Vec<Api>,
    user_agent: HeaderValue,
    lines: Arc<Mutex<Ration>>,
}

impl HookClient {
    /// From `API_URL`, and `PEER_API_URL` with `PEER_REGION` if there is a peer.
    pub fn from_env(config: &SdkConfig) -> Result<Self, SettingError> {
        let mut apis = vec![Api { region: settings::region()?, base: settings::required("API_URL")? }];
        if let (Some(region), Some(base)) = (settings::peer_region()?, settings::optional("PEER_API_URL")) {
            apis.push(Api { region, base });
        }
        let credentials =
            config.credentials_provider().ok_or_else(|| settings::missing("AWS credentials"))?;
        let lines = Arc::new(Mutex::new(Ration::new(MAX_LINES, LINES_WINDOW)));
        Ok(Self { http: https::client()?, credentials, apis, user_agent: user_agent(config)?, lines })
    }

    /// Asks one API after the other until one answers.
    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &'static str,
        question: &Q,
    ) -> PortResult<A> {
        let body = Bytes::from(serde_json::to_vec(question).expect("our questions are maps with text keys"));
        let mut failed = None;
        for api in &self.apis {
            let asked = tokio::time::timeout(ANSWER_WITHIN, self.ask_one(api, path, body.clone())).await;
            match asked.unwrap_or_else(|elapsed| Err(fault(FaultKind::Unavailable, path, elapsed))) {
                Ok(answer) => {
                    return serde_json::from_slice(&answer)
                        .map_err(|error| fault(FaultKind::Corrupt, path, error));
                }
                Err(error) => {
                    if let Some(withheld) = self.may_tell() {
                        tracing::warn!(region = %api.region, path, error = %error.source, withheld, "a hook call failed");
                    }
                    failed = Some(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| fault(FaultKind::Refused, path, "no API is configured")))
    }

    fn may_tell(&self) -> Option<u64> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    async fn ask_one(&self, api: &Api, path: &'static str, body: Bytes) -> PortResult<Bytes> {
        let refused =
            |error: Box<dyn std::error::Error + Send + Sync>| fault(FaultKind::Refused, path, error);
        let uri: Uri = format!("{}{path}", api.base.trim_end_matches('/'))
            .parse()
            .map_err(|error: http::uri::InvalidUri| refused(error.into()))?;
        let mut request = Request::post(&uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, self.user_agent.clone())
            .header(header::HOST, uri.authority().map(ToString::to_string).unwrap_or_default())
            .body(Full::new(body.clone()))
            .map_err(|error| refused(error.into()))?;
        self.sign(api, &mut request, &body).await.map_err(refused)?;
        let unavailable =
            |error: Box<dyn std::error::Error + Send + Sync>| fault(FaultKind::Unavailable, path, error);
        let answer = self.http.request(request).await.map_err(|error| unavailable(error.into()))?;
        let status = answer.status();
        let body =
            Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(unavailable)?.to_bytes();
        if status == StatusCode::OK {
            return Ok(body);
        }
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => FaultKind::Throttled,
            status if status.is_server_error() => FaultKind::Unavailable,
            _ => FaultKind::Refused,
        };
        Err(fault(kind, path, format!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]))))
    }

    async fn sign(
        &self,
        api: &Api,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let identity = self.credentials.provide_credentials().await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(api.region.as_str())
            .name("execute-api")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let uri = request.uri().to_string();
        let signable = SignableRequest::new("POST", uri.as_str(), headers, SignableBody::Bytes(body))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

/// Who calls, as the SDK says it of itself: access logs show which program it was (`AWS_SDK_UA_APP_ID`).
fn user_agent(config: &SdkConfig) -> Result<HeaderValue, SettingError> {
    let app = config.app_name().map(|name| format!(" app/{name}")).unwrap_or_default();
    HeaderValue::try_from(concat!("headwater/", env!("CARGO_PKG_VERSION")).to_owned() + &app)
        .map_err(|error| settings::invalid("AWS_SDK_UA_APP_ID", &error))
}

fn fault(
    kind: FaultKind,
    action: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> PortError {
    PortError { kind, action, source: source.into() }
}

impl Hooks for HookClient {
    async fn publish(&self, request: &PublishRequest) -> PortResult<PublishAnswer> {
        self.ask("/hooks/publish", request).await
    }

    async fn unpublish(&self, request: &UnpublishRequest) -> PortResult<()> {
        self.ask::<_, serde::de::IgnoredAny>("/hooks/unpublish", request).await.map(|_| ())
    }

    async fn gateway_beat(&self, beat: &GatewayBeat) -> PortResult<GatewayOrders> {
        self.ask("/hooks/heartbeat", &Heartbeat::Gateway(beat.clone())).await
    }

    async fn transcoder_beat(&self, beat: &TranscoderBeat) -> PortResult<TranscoderOrder> {
        self.ask("/hooks/heartbeat", &Heartbeat::Transcoder(beat.clone())).await
    }
}
