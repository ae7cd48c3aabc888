//! The API's own description, as clients and tools ask for it. Must not know what it says: tests keep it true.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use http::{HeaderMap, StatusCode, header};
use lambda_http::{Body, Response};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../../openapi.json");
/// It changes with a deployment only; minutes keep it out of everybody's way after one.
const CACHE_CONTROL: &str = "public, max-age=300";

/// Names this version of the document; both regions run the same program, so both name it alike.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    DOCUMENT.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
});

/// The document, or 304 if the client's copy is this one.
pub(super) fn answer(request: &HeaderMap) -> Response<Body> {
    let response =
        Response::builder().header(header::ETAG, &*ETAG).header(header::CACHE_CONTROL, CACHE_CONTROL);
    let response = if has_it(request) {
        response.status(StatusCode::NOT_MODIFIED).body(Body::Empty)
    } else {
        response.header(header::CONTENT_TYPE, "application/json").body(DOCUMENT.into())
    };
    response.expect("a fixed set of headers")
}

/// `If-None-Match`: a list of tags, weak or not, or `*` (RFC 9110 §13.1.2).
fn has_it(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == *ETAG)
}
