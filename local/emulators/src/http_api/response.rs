//! Turns what a function returned into an HTTP response (payload format 2.0), and words API Gateway's own answers.
//! Pure; must not know who asked.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// The function's answer is not one API Gateway understands; callers see 500.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the function's answer is malformed: {0}")]
pub(super) struct Malformed(&'static str);

/// Reads a function's answer.
pub(super) fn from_function(payload: &[u8]) -> Result<Response<Body>, Malformed> {
    let answer: Value = serde_json::from_slice(payload).map_err(|_| Malformed("not JSON"))?;
    let Some(status) = answer.get("statusCode") else {
        // Without a status code the whole answer is the body ("format of a Lambda function response").
        let body = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
    let status =
        status.and_then(|status| StatusCode::from_u16(status).ok()).ok_or(Malformed("statusCode"))?;
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => Body::from(STANDARD.decode(text).map_err(|_| Malformed("base64 body"))?),
        _ => Body::from(text.to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = HeaderName::try_from(name.as_str()).map_err(|_| Malformed("header name"))?;
        // The length is that of the body we send, whatever the function thought it was.
        if name != header::CONTENT_LENGTH {
            headers.append(name, HeaderValue::try_from(value).map_err(|_| Malformed("header value"))?);
        }
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).map_err(|_| Malformed("cookie"))?);
    }
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// What API Gateway answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Unauthorized,
    Forbidden,
    NotFound,
    TooLarge,
    TooManyRequests,
    Internal,
    Unavailable,
}

impl Own {
    pub(super) fn response(self) -> Response<Body> {
        let (status, message) = match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        let mut response = Response::new(Body::from(json!({ "message": message }).to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
