//! Errors as RFC 9457 problem details.

use std::io;

use axum::response::{IntoResponse, Response};
use headwater_domain::problem::{self, ProblemDocument};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::gateway::session::Fenced;

/// Why a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceLinkProblem {
    status: StatusCode,
    slug: &'static str,
    detail: &'static str,
}

impl SourceLinkProblem {
    pub(super) const TOKEN: Self =
        Self::new(StatusCode::UNAUTHORIZED, "bad-token", "the bearer token does not open this session");
    pub(super) const UNKNOWN: Self =
        Self::new(StatusCode::NOT_FOUND, "unknown-session", "this gateway has no such session");
    pub(super) const CURSOR: Self =
        Self::new(StatusCode::BAD_REQUEST, "bad-cursor", "a cursor is a whole number, not negative");
    pub(super) const GONE: Self =
        Self::new(StatusCode::GONE, "session-ended", "the session has ended and nothing more of it is kept");
    pub(super) const READERS: Self = Self::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-readers",
        "the session is read too many times already",
    );
    pub(super) const FENCED: Self = Self::new(
        StatusCode::CONFLICT,
        "fenced",
        "a transcoder with a higher lease reads this session in place of this one",
    );
    pub(super) const REHEARSAL: Self =
        Self::new(StatusCode::FORBIDDEN, "not-the-writer", "the token is a standby's, which commits nothing");
    pub(super) const SLOW: Self =
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "the request's body did not come in time");
    pub(super) const INTERNAL: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the gateway's disk failed");

    const fn new(status: StatusCode, slug: &'static str, detail: &'static str) -> Self {
        Self { status, slug, detail }
    }

    /// The spool cannot be read.
    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(super) fn disk(error: io::Error) -> Self {
        tracing::error!(%error, "cannot read a spool");
        Self::INTERNAL
    }
}

impl From<Fenced> for SourceLinkProblem {
    fn from(Fenced: Fenced) -> Self {
        Self::FENCED
    }
}

impl IntoResponse for SourceLinkProblem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let document = ProblemDocument::new(self.status.as_u16(), self.slug, title, self.detail);
        (self.status, [(CONTENT_TYPE, problem::MEDIA_TYPE)], document.to_json()).into_response()
    }
}
