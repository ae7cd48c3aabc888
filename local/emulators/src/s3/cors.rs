//! Cross-origin requests (S3 user guide, "Using cross-origin resource sharing"): preflights, which need no signature, and
//! what browsers want to see on answers. A bucket without rules refuses preflights. Must not know what the objects are.

use super::error_response;
use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// What an answer depends on.
const VARIES_BY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// One rule of a bucket (`CORSRule`). In origins and headers, one `*` stands for any text.
#[derive(Debug, Clone)]
pub struct CorsRule {
    /// Sites that may ask.
    pub allowed_origins: Vec<String>,
    /// With which methods.
    pub allowed_methods: Vec<Method>,
    /// With which headers.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember a preflight's answer.
    pub max_age: Duration,
}

/// All buckets' rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    of: Mutex<HashMap<String, Vec<CorsRule>>>,
}

/// What a request says about the site that it is made for.
#[derive(Debug)]
pub(super) struct BucketCorsRequest {
    bucket: String,
    origin: Option<HeaderValue>,
    method: Option<Method>,
    headers: Vec<String>,
    is_preflight: bool,
}

impl BucketCorsRequest {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let is_preflight = request.method() == Method::OPTIONS;
        let headers = request.headers();
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        let wanted = wanted.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let named = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).into_iter();
        let named = named.filter(|_| is_preflight).filter_map(|value| value.to_str().ok());
        let named = named.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let path = request.uri().path().trim_start_matches('/');
        Self {
            bucket: path.split('/').next().unwrap_or_default().to_owned(),
            origin: headers.get(ORIGIN).cloned(),
            method: if is_preflight { wanted } else { Some(request.method().clone()) },
            headers: named.filter(|name| !name.is_empty()).collect(),
            is_preflight,
        }
    }

    pub(super) fn is_preflight(&self) -> bool {
        self.is_preflight
    }
}

impl Rules {
    pub(super) fn set(&self, bucket: &str, rules: Vec<CorsRule>) {
        self.of.lock().insert(bucket.to_owned(), rules);
    }

    pub(super) fn preflight(&self, asked: &BucketCorsRequest) -> Response<Body> {
        // API reference, "OPTIONS object": without these two it is no preflight.
        if asked.origin.is_none() || asked.method.is_none() {
            return error_response(StatusCode::BAD_REQUEST, "BadRequest");
        }
        match self.headers(asked) {
            Some(headers) => {
                let mut response = Response::new(Body::empty());
                response.headers_mut().extend(headers);
                response
            }
            None => error_response(StatusCode::FORBIDDEN, "AccessForbidden"),
        }
    }

    /// The answer to anything else, with what the site's browser wants to see.
    pub(super) fn answer(&self, asked: &BucketCorsRequest, mut response: Response<Body>) -> Response<Body> {
        if let Some(headers) = self.headers(asked) {
            response.headers_mut().extend(headers);
        }
        response
    }

    fn headers(&self, asked: &BucketCorsRequest) -> Option<HeaderMap> {
        let (origin, method) = (asked.origin.as_ref()?, asked.method.as_ref()?);
        let rules = self.of.lock();
        let text = origin.to_str().ok()?;
        let (rule, pattern) = rules.get(&asked.bucket)?.iter().find_map(|rule| {
            let pattern = rule.allowed_origins.iter().find(|pattern| fits(pattern, text))?;
            let allowed = |name: &String| {
                rule.allowed_headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name))
            };
            let fine = rule.allowed_methods.contains(method) && asked.headers.iter().all(allowed);
            fine.then_some((rule, pattern))
        })?;
        let methods: Vec<_> = rule.allowed_methods.iter().map(Method::as_str).collect();
        let age = rule.max_age.as_secs().to_string();
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        };
        set(ACCESS_CONTROL_ALLOW_ORIGIN, if pattern == "*" { "*" } else { text });
        set(ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
        set(ACCESS_CONTROL_ALLOW_HEADERS, &asked.headers.join(", "));
        set(ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.join(", "));
        set(ACCESS_CONTROL_MAX_AGE, if asked.is_preflight { &age } else { "" });
        set(VARY, VARIES_BY);
        Some(headers)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}
