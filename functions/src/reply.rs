//! Answers over HTTP: JSON, and problems as RFC 9457 has them. One table maps our errors to statuses.

use headwater_domain::paths::UnknownPath;
use headwater_domain::ports::{FaultKind, PortError};
use headwater_domain::problem::{self, ProblemDocument};
use http::{Method, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;
use serde_json::json;

/// A problem as an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    /// In a box: it is carried through every result.
    document: Box<ProblemDocument>,
    headers: Vec<(header::HeaderName, String)>,
}

impl Problem {
    /// A problem of type `urn:headwater:problem:<slug>`.
    pub fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let document = ProblemDocument::new(status.as_u16(), slug, title, detail.into());
        Self { status, document: Box::new(document), headers: Vec::new() }
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.document.more.insert(name.into(), json!(value));
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", format!("there is no such {what}"))
    }

    /// The path is there, the method is not.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("this resource answers {allow}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
            .header(header::ALLOW, allow)
    }

    /// What OPTIONS is answered where another method would be told which ones there are.
    pub(crate) fn into_options(self) -> Result<Response<Body>, Self> {
        if self.status != StatusCode::METHOD_NOT_ALLOWED {
            return Err(self);
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        Ok(response.body(Body::Empty).expect("our header values are plain text"))
    }

    /// For viewers: the edge asks the other region after a 503, never after a 429.
    #[must_use]
    pub fn for_the_edge(mut self) -> Self {
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            self.status = StatusCode::SERVICE_UNAVAILABLE;
            self.document.status = self.status.as_u16();
        }
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// As an answer.
    pub fn into_response(self) -> Response<Body> {
        let mut response =
            Response::builder().status(self.status).header(header::CONTENT_TYPE, problem::MEDIA_TYPE);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(self.document.to_json().into()).expect("our header values are plain text")
    }
}

impl From<UnknownPath> for Problem {
    fn from(error: UnknownPath) -> Self {
        Self::not_found(error.what())
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        tracing::error!(action = error.action, kind = ?error.kind, error = error.told(), "a port failed");
        match error.kind {
            FaultKind::Throttled => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many requests",
                "the store is throttling this deployment; try again in a moment",
            )
            .header(header::RETRY_AFTER, "1"),
            FaultKind::Unavailable | FaultKind::TimedOut => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Temporarily unavailable",
                "a service this deployment stands on did not answer; try again, or ask the other region",
            )
            .header(header::RETRY_AFTER, "1"),
            FaultKind::Corrupt | FaultKind::Refused | FaultKind::Forbidden => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
                "this deployment has a fault; its log says more",
            ),
        }
    }
}

/// The path as the client sent it and API Gateway matched it. `Request::uri` has its dot segments resolved, so that
/// `DELETE /v1/streams/<id>/keys/..` would read as the stream's own path.
pub(crate) fn path(request: &Request) -> &str {
    match request.raw_http_path() {
        "" => request.uri().path(),
        raw => raw,
    }
}

/// The method to route by: HEAD is answered as GET is; API Gateway leaves the body out (RFC 9110 §9.3.2).
pub(crate) fn method(request: &Request) -> &Method {
    if request.method() == Method::HEAD { &Method::GET } else { request.method() }
}

/// JSON with a status.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_string(body).expect("our answers are maps with text keys");
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(body.into())
        .expect("a fixed set of headers")
}

/// Whatever came of a request, as an answer.
pub(crate) fn answer(result: Result<Response<Body>, Problem>) -> Response<Body> {
    result.unwrap_or_else(Problem::into_response)
}
