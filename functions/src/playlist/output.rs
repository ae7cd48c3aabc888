//! Answers to viewers: types, caching, CORS, gzip.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use headwater_domain::problem;
use http::{StatusCode, header};
use lambda_http::{Body, Response};

use super::accept_encoding::Accepted;
use crate::reply::Problem;

/// RFC 8216bis §4: the registered type of a playlist.
const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// Longest playlist that is sent as it is, bytes. Lambda's answers have at most 6 MB as JSON, in which each line end counts
/// twice (Lambda quotas); packed, a day's recording has half a megabyte.
const MAX_PLAIN: usize = 4 << 20;
/// Below this gzip gains nothing that a packet would notice.
const WORTH_GZIP: usize = 300;

/// How long the edge may keep an answer. `no-cache` would turn off the edge's collapsing; a stale playlist is worse
/// than an error, because the edge can still ask the other region.
#[derive(Debug, Clone, Copy)]
pub(super) enum CachePolicy {
    /// It may change any second. The least that there is: with less CloudFront would not collapse (see `wait`).
    Second,
    /// It has what was waited for. Three target durations: for viewers that ask the same a little later.
    Satisfied,
    /// It never changes, and nobody asks for it for long.
    Part,
    /// It is final, as far as this region knows.
    Minute,
}

impl CachePolicy {
    fn header(self) -> &'static str {
        match self {
            Self::Second => "max-age=1, stale-if-error=0",
            Self::Satisfied => "max-age=6, stale-if-error=0",
            Self::Part => "public, max-age=60, immutable",
            Self::Minute => "max-age=60",
        }
    }
}

/// An answer to a viewer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    kind: &'static str,
    cache: CachePolicy,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Media(Bytes),
    Made(Response<Body>),
}

impl Reply {
    pub(super) fn playlist(body: String, cache: CachePolicy) -> Self {
        Self { status: StatusCode::OK, kind: PLAYLIST, cache, content: Content::Text(body) }
    }

    pub(super) fn json(body: String) -> Self {
        let content = Content::Text(body);
        Self { status: StatusCode::OK, kind: "application/json", cache: CachePolicy::Second, content }
    }

    pub(super) fn part(body: Bytes, kind: &'static str) -> Self {
        Self { status: StatusCode::OK, kind, cache: CachePolicy::Part, content: Content::Media(body) }
    }

    pub(super) fn problem(problem: Problem) -> Self {
        let (status, response) = (problem.status(), problem.into_response());
        let kind = problem::MEDIA_TYPE;
        Self { status, kind, cache: CachePolicy::Second, content: Content::Made(response) }
    }

    pub(super) fn into_response(self, accepted: Accepted) -> Response<Body> {
        if matches!(&self.content, Content::Text(text) if text.len() > MAX_PLAIN) && !accepted.takes_gzip() {
            return Self::problem(too_long()).into_response(accepted);
        }
        let mut response = match self.content {
            Content::Text(text) => body(text, accepted),
            Content::Media(bytes) => Response::new(Vec::from(bytes).into()),
            Content::Made(response) => response,
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, header::HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.kind);
        set(header::CACHE_CONTROL, self.cache.header());
        set(header::VARY, "Accept-Encoding");
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        response
    }
}

fn too_long() -> Problem {
    let detail = "this playlist is too long to be sent unpacked; ask for it with Accept-Encoding: gzip";
    Problem::new(StatusCode::NOT_ACCEPTABLE, "gzip-needed", "Ask with gzip", detail)
}

fn body(text: String, accepted: Accepted) -> Response<Body> {
    let must = text.len() > MAX_PLAIN;
    if !must && !accepted.wants_gzip(text.len() >= WORTH_GZIP) {
        return Response::new(text.into());
    }
    let mut gzip = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::fast());
    let packed = gzip
        .write_all(text.as_bytes())
        .and_then(|()| gzip.finish())
        .expect("writing to memory does not fail");
    let mut response = Response::new(packed.into());
    response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_that_lambda_could_not_answer_is_sent_packed_or_refused() {
        let long = || Reply::playlist("#EXTINF:2,\n".repeat(MAX_PLAIN / 10), CachePolicy::Minute);
        let packed = long().into_response(Accepted::of("gzip"));
        assert_eq!(packed.status(), StatusCode::OK);
        assert!(packed.body().len() < 1 << 20);
        let rather_plain = long().into_response(Accepted::of("identity, gzip;q=0.1"));
        assert_eq!((rather_plain.status(), rather_plain.body().len()), (StatusCode::OK, packed.body().len()));
        let refused = long().into_response(Accepted::of(""));
        assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
        assert!(refused.body().len() < 1_000);
    }
}
