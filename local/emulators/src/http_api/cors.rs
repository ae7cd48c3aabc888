//! Cross-origin requests as an HTTP API with a CORS configuration treats them (developer guide, "Configure CORS for HTTP
//! APIs"): it answers preflights for which there is no route, puts its own headers in place of the function's, and says
//! nothing to requests without `Origin`. A route for `ANY` takes preflights, too, and with them its authorizer: who wants
//! them answered gives OPTIONS a route of its own. Must not know what the routes do.

use super::config::Cors;
use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// Headers that are the API's own business once it has a configuration.
const OWN: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// What a request wants to know.
#[derive(Debug, Clone)]
pub(super) struct CorsRequest {
    origin: Option<HeaderValue>,
    is_preflight: bool,
}

impl CorsRequest {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let origin = headers.get(ORIGIN).cloned();
        let is_preflight = method == Method::OPTIONS
            && origin.is_some()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Self { origin, is_preflight }
    }
}

impl Cors {
    /// The answer to a preflight that no route takes.
    pub(super) fn preflight(&self, asked: &CorsRequest) -> Option<Response<Body>> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.mark(asked, &mut response);
        asked.is_preflight.then_some(response)
    }

    /// Puts the configured headers on an answer.
    pub(super) fn mark(&self, asked: &CorsRequest, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        for name in &OWN {
            headers.remove(name);
        }
        let Some(origin) = &asked.origin else { return };
        let any = self.allow_origins.iter().any(|one| one == "*");
        if !any && !self.allow_origins.iter().any(|one| one.as_bytes() == origin.as_bytes()) {
            return;
        }
        let mut set = |name: &HeaderName, values: &[String]| {
            if let (false, Ok(value)) = (values.is_empty(), HeaderValue::try_from(values.join(","))) {
                headers.insert(name, value);
            }
        };
        set(&ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers);
        if asked.is_preflight {
            set(&ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods);
            set(&ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers);
            set(&ACCESS_CONTROL_MAX_AGE, &[self.max_age.as_secs().to_string()]);
        }
        let allowed = if any { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }
}
