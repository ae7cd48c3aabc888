//! Answers to viewers: types, caching, CORS, gzip.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{StatusCode, header};
use lambda_http::{Body, Response};

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
pub(super) enum Keep {
    /// It may change any second. The least that there is: with less CloudFront would not collapse (see `wait`).
    Second,
    /// It has what was waited for. Three target durations: for viewers that ask the same a little later.
    Satisfied,
    /// It never changes, and nobody asks for it for long.
    Part,
    /// It is final, as far as this region knows.
    Minute,
}

impl Keep {
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
    keep: Keep,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Media(Bytes),
    Made(Response<Body>),
}

impl Reply {
    pub(super) fn playlist(body: String, keep: Keep) -> Self {
        Self { status: StatusCode::OK, kind: PLAYLIST, keep, content: Content::Text(body) }
    }

    pub(super) fn json(body: String) -> Self {
        let content = Content::Text(body);
        Self { status: StatusCode::OK, kind: "application/json", keep: Keep::Second, content }
    }

    pub(super) fn part(body: Bytes, kind: &'static str) -> Self {
        Self { status: StatusCode::OK, kind, keep: Keep::Part, content: Content::Media(body) }
    }

    pub(super) fn problem(problem: Problem) -> Self {
        let (status, response) = (problem.status(), problem.into_response());
        let kind = "application/problem+json";
        Self { status, kind, keep: Keep::Second, content: Content::Made(response) }
    }

    pub(super) fn into_response(self, accept_encoding: &str) -> Response<Body> {
        if matches!(&self.content, Content::Text(text) if text.len() > MAX_PLAIN)
            && !accepts_gzip(accept_encoding)
        {
            return Self::problem(too_long()).into_response(accept_encoding);
        }
        let mut response = match self.content {
            Content::Text(text) => body(text, accept_encoding),
            Content::Media(bytes) => Response::new(Vec::from(bytes).into()),
            Content::Made(response) => response,
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, header::HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.kind);
        set(header::CACHE_CONTROL, self.keep.header());
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

fn body(text: String, accept_encoding: &str) -> Response<Body> {
    if text.len() < WORTH_GZIP || !accepts_gzip(accept_encoding) {
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

/// Whether `Accept-Encoding` names gzip and does not refuse it (RFC 9110 §12.5.3).
fn accepts_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = parts
            .any(|parameter| matches!(parameter.strip_prefix("q="), Some("0" | "0.0" | "0.00" | "0.000")));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_that_lambda_could_not_answer_is_sent_packed_or_refused() {
        let long = || Reply::playlist("#EXTINF:2,\n".repeat(MAX_PLAIN / 10), Keep::Minute);
        let packed = long().into_response("gzip");
        assert_eq!(packed.status(), StatusCode::OK);
        assert!(packed.body().len() < 1 << 20);
        let refused = long().into_response("");
        assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
        assert!(refused.body().len() < 1_000);
    }

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        for yes in ["gzip", "br, gzip;q=0.5", "GZIP", "*"] {
            assert!(accepts_gzip(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "identity", "xgzip"] {
            assert!(!accepts_gzip(no), "{no}");
        }
    }
}
