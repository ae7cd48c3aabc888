//! `If-None-Match` on reads: 304 as S3 answers it (RFC 9110 §13.1.2), which the file store does not do. Must not
//! know who reads.

use axum::body::Body;
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, Method, Request, Response, StatusCode};

/// Headers a 304 repeats (RFC 9110 §15.4.5).
const KEPT: [http::HeaderName; 4] = [CACHE_CONTROL, ETAG, EXPIRES, LAST_MODIFIED];

/// What a read said about the copy it has.
pub(super) struct Conditions {
    unless: Option<String>,
}

impl Conditions {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let tags = request.headers().get(IF_NONE_MATCH).filter(|_| reads);
        Self { unless: tags.and_then(|tags| tags.to_str().ok()).map(str::to_owned) }
    }

    /// The answer, or 304 if the caller has it already.
    pub(super) fn answer(&self, response: Response<Body>) -> Response<Body> {
        let known = self.unless.as_deref().is_some_and(|tags| has(tags, response.headers()));
        if !known || response.status() != StatusCode::OK {
            return response;
        }
        let mut not_modified = Response::new(Body::empty());
        *not_modified.status_mut() = StatusCode::NOT_MODIFIED;
        for name in KEPT {
            if let Some(value) = response.headers().get(&name) {
                not_modified.headers_mut().insert(name, value.clone());
            }
        }
        not_modified
    }
}

fn has(tags: &str, headers: &HeaderMap) -> bool {
    let Some(etag) = headers.get(ETAG).and_then(|etag| etag.to_str().ok()) else { return false };
    // Weak comparison: W/ prefixes do not count.
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.split(',').any(|tag| tag.trim() == "*" || plain(tag) == plain(etag))
}
