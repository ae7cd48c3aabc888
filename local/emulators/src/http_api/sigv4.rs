//! Checks a SigV4 signature by making it again. Must not know routes.

use super::event::Inbound;
use crate::credentials::LocalCredentials;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use std::time::{Duration, SystemTime};
use thiserror::Error;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;

/// How far a signature's time may be from ours (SigV4: "within five minutes").
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// The service name callers of an HTTP API sign for.
const SERVICE: &str = "execute-api";

/// Why a request was not accepted; callers only see 403.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Refused {
    #[error("not signed")]
    Unsigned,
    #[error("malformed authorization")]
    Malformed,
    #[error("unknown access key")]
    UnknownKey,
    #[error("signed for another service, region or day")]
    WrongScope,
    #[error("signed too long ago or in the future")]
    Skewed,
    #[error("the signature is wrong")]
    WrongSignature,
}

/// Accepts requests signed with `credentials` for this API in `region`.
pub(super) fn verify(
    request: &Inbound,
    credentials: &LocalCredentials,
    region: &str,
    now: SystemTime,
) -> Result<(), Refused> {
    let header = request.header("authorization").ok_or(Refused::Unsigned)?;
    let claimed = Claimed::parse(header).ok_or(Refused::Malformed)?;
    let signed_at = request.header("x-amz-date").ok_or(Refused::Malformed)?;
    let time = instant(signed_at).ok_or(Refused::Malformed)?;
    if claimed.access_key != credentials.access_key_id {
        return Err(Refused::UnknownKey);
    }
    let day = signed_at.get(..8).unwrap_or_default();
    if claimed.scope != [day, region, SERVICE, "aws4_request"] {
        return Err(Refused::WrongScope);
    }
    let skew = now.duration_since(time).unwrap_or_else(|ahead| ahead.duration());
    if skew > MAX_SKEW {
        return Err(Refused::Skewed);
    }
    let signature = signature(request, &claimed, credentials, region, time).ok_or(Refused::Malformed)?;
    if signature == claimed.signature { Ok(()) } else { Err(Refused::WrongSignature) }
}

struct Claimed<'a> {
    access_key: &'a str,
    scope: Vec<&'a str>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claimed<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (access_key, scope) = field("Credential")?.split_once('/')?;
        let signed_headers: Vec<_> = field("SignedHeaders")?.split(';').collect();
        // Without the host a signature would be good for any API of the region.
        signed_headers.contains(&"host").then_some(())?;
        Some(Self {
            access_key,
            scope: scope.split('/').collect(),
            signed_headers,
            signature: field("Signature")?,
        })
    }
}

fn signature(
    request: &Inbound,
    claimed: &Claimed<'_>,
    credentials: &LocalCredentials,
    region: &str,
    time: SystemTime,
) -> Option<String> {
    let LocalCredentials { access_key_id, secret_access_key } = credentials;
    let identity = Credentials::new(access_key_id, secret_access_key, None, None, "local").into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name(SERVICE).time(time);
    let params = params.settings(SigningSettings::default()).build().ok()?.into();
    let host = request.header("host")?;
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let url = format!("http://{host}{}{query}", request.path);
    let mut headers = Vec::with_capacity(claimed.signed_headers.len());
    for name in &claimed.signed_headers {
        let values = request.headers.get_all(*name).into_iter().map(|value| value.to_str().ok());
        for value in values {
            headers.push((*name, value?));
        }
    }
    let body = SignableBody::Bytes(&request.body);
    let signable = SignableRequest::new(request.method.as_str(), url, headers.into_iter(), body).ok()?;
    Some(sign(signable, &params).ok()?.signature().to_owned())
}

/// Reads `20261121T033435Z`.
fn instant(text: &str) -> Option<SystemTime> {
    let format: Vec<BorrowedFormatItem<'_>> =
        time::format_description::parse_borrowed::<2>("[year][month][day]T[hour][minute][second]Z").ok()?;
    Some(PrimitiveDateTime::parse(text, &format).ok()?.assume_utc().into())
}
