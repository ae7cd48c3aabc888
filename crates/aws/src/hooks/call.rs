//! One signed call of one region's API.

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use headwater_domain::ports::{FaultKind, PortError, PortResult};
use headwater_domain::problem::ProblemDocument;
use headwater_domain::{ClockReader, Region};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};

use crate::error::causes;
use crate::https::{self, HttpsClient};
use crate::settings::{self, SettingError};

/// Longest answer we read; ours have a few kilobytes.
const MAX_ANSWER: usize = 1 << 20;
/// Characters of a refusal that a log line quotes; ours have some hundred.
const MAX_QUOTED: usize = 300;

/// One region's API.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) region: Region,
    pub(super) base: String,
}

/// Calls APIs, signed.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    http: HttpsClient,
    credentials: SharedCredentialsProvider,
    user_agent: HeaderValue,
    clock: ClockReader,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Caller {
    pub(super) fn new(config: &SdkConfig, clock: ClockReader) -> Result<Self, SettingError> {
        let credentials =
            config.credentials_provider().ok_or_else(|| settings::missing("AWS credentials"))?;
        Ok(Self { http: https::client()?, credentials, user_agent: user_agent(config)?, clock })
    }

    /// Posts `body`; the answer's body if its status is 200.
    pub(super) async fn post(&self, api: &Api, path: &'static str, body: Bytes) -> PortResult<Bytes> {
        let refused = |error: AnyError| fault(FaultKind::Refused, path, error);
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
        let unavailable = |error: AnyError| fault(FaultKind::Unavailable, path, causes(&*error));
        let answer = self.http.request(request).await.map_err(|error| unavailable(error.into()))?;
        let status = answer.status();
        let body =
            Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(unavailable)?.to_bytes();
        if status == StatusCode::OK {
            return Ok(body);
        }
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => FaultKind::Throttled,
            // What API Gateway says of a function that does not answer (HTTP API quotas, 30 s).
            StatusCode::GATEWAY_TIMEOUT => FaultKind::TimedOut,
            StatusCode::FORBIDDEN => FaultKind::Forbidden,
            status if status.is_server_error() => FaultKind::Unavailable,
            _ => FaultKind::Refused,
        };
        // Without a document it is not the function that answers, but API Gateway, or who stands in between.
        let said =
            ProblemDocument::read(&body).map_or(String::from_utf8_lossy(&body), |problem| problem.detail);
        let said: String = said.chars().take(MAX_QUOTED).collect();
        Err(fault(kind, path, format!("{status}: {said}")))
    }

    async fn sign(&self, api: &Api, request: &mut Request<Full<Bytes>>, body: &[u8]) -> Result<(), AnyError> {
        let identity = self.credentials.provide_credentials().await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(api.region.as_str())
            .name("execute-api")
            .time((self.clock)().into())
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

pub(super) fn fault(kind: FaultKind, action: &'static str, source: impl Into<AnyError>) -> PortError {
    PortError { kind, action, source: source.into() }
}
