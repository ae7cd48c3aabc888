//! Answers to CloudFormation: JSON, put to the pre-signed S3 URL that came with a custom resource's request.
//!
//! The URL is a credential for as long as it holds: it is in no error and in no log line.

use std::time::Duration;

use bytes::Bytes;
use headwater_domain::ports::{FaultKind, PortError, PortResult};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;

use crate::error::causes;
use crate::https::{self, HttpsClient};
use crate::settings::SettingError;

/// What is being done, in errors.
const ACTION: &str = "answer CloudFormation";
/// Tries of one answer. With the pauses and time-outs all of them take less than 20 s.
const MAX_TRIES: u32 = 5;
/// One try gets so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Pause after the first try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Puts answers.
#[derive(Debug, Clone)]
pub struct Callback {
    http: HttpsClient,
}

impl Callback {
    /// With the system's certificates.
    pub fn new() -> Result<Self, SettingError> {
        Ok(Self { http: https::client()? })
    }

    /// Puts `body` to `url`; tries again unless S3 refuses it (an expired URL stays expired).
    pub async fn put(&self, url: &str, body: Bytes) -> PortResult<()> {
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| {
            fault(FaultKind::Refused, format!("the response URL is malformed: {error}"))
        })?;
        let mut tries = 1;
        loop {
            let sent = tokio::time::timeout(ANSWER_WITHIN, self.put_once(&uri, body.clone())).await;
            match sent.unwrap_or_else(|elapsed| Err(fault(FaultKind::TimedOut, elapsed))) {
                Err(error) if !error.kind.is_refusal() && tries < MAX_TRIES => {
                    tracing::warn!(tries, error = %error.source, "an answer to CloudFormation was not taken");
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn put_once(&self, uri: &Uri, body: Bytes) -> PortResult<()> {
        // The signature covers an empty Content-Type; Content-Length comes with the whole body.
        let request = Request::put(uri)
            .header(header::CONTENT_TYPE, HeaderValue::from_static(""))
            .body(Full::new(body))
            .map_err(|error| fault(FaultKind::Refused, error))?;
        let answer = self
            .http
            .request(request)
            .await
            .map_err(|error| fault(FaultKind::Unavailable, causes(&error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(fault(FaultKind::Unavailable, status.to_string()))
            }
            status => Err(fault(FaultKind::Refused, status.to_string())),
        }
    }
}

fn fault(kind: FaultKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    PortError { kind, action: ACTION, source: source.into() }
}
