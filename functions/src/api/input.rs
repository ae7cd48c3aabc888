//! Reading requests. Each kind of mistake has its own problem type, and a sentence that says what to send instead.

use headwater_domain::Timestamp;
use headwater_domain::stream::BadSetting;
use http::{StatusCode, header};
use lambda_http::{Request, RequestExt};
use serde::de::DeserializeOwned;

use super::object::Object;
use crate::reply::Problem;

/// Longest request body; the largest sensible one has a few hundred bytes.
const MAX_BODY: usize = 16 * 1024;
/// Items on a page.
pub(super) const PAGE: std::ops::RangeInclusive<usize> = 1..=100;
/// Latest time in a cursor, in milliseconds: nineteen digits, so that a pattern can say what a cursor is.
const MAX_CURSOR: u64 = 9_999_999_999_999_999_999;
/// Items on a page if nothing is said.
pub(super) const DEFAULT_PAGE: usize = 25;

/// The JSON body. An empty body reads as `{}`.
pub(super) fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes: &[u8] = request.body();
    if bytes.len() > MAX_BODY {
        let detail = format!("a request body has at most {MAX_BODY} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail));
    }
    if bytes.is_empty() {
        return serde_json::from_str("{}").map_err(|error| invalid(&error));
    }
    let content_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type != "application/json" && !media_type.ends_with("+json") {
        let detail = "send the body as JSON with Content-Type: application/json";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "Unsupported media type",
            detail,
        ));
    }
    serde_json::from_slice(without_mark(bytes)?).map(|Object(body)| body).map_err(|error| invalid(&error))
}

/// JSON behind a byte order mark, which PowerShell and some editors write. That of UTF-8 may be passed over (RFC 8259
/// §8.1); the others say that the text is in an encoding that JSON on the network does not have.
fn without_mark(bytes: &[u8]) -> Result<&[u8], Problem> {
    if let Some(text) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(text);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let detail = "the body begins with a byte order mark of UTF-16; send JSON as UTF-8";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-json", "Invalid JSON", detail));
    }
    Ok(bytes)
}

fn invalid(error: &serde_json::Error) -> Problem {
    let detail = error.to_string();
    let (status, slug, title) = if !error.is_data() {
        (StatusCode::BAD_REQUEST, "invalid-json", "Invalid JSON")
    } else if detail.starts_with("unknown field") {
        (StatusCode::UNPROCESSABLE_ENTITY, "unknown-field", "Unknown field")
    } else if detail.starts_with("missing field") {
        (StatusCode::UNPROCESSABLE_ENTITY, "missing-field", "Missing field")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "wrong-type", "Wrong type")
    };
    Problem::new(status, slug, title, detail)
}

impl From<BadSetting> for Problem {
    fn from(bad: BadSetting) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-value", "Invalid value", bad.to_string())
            .with("field", bad.field)
    }
}

/// `limit` and `cursor` of a listing.
pub(super) fn page<P>(
    request: &Request,
    default: usize,
    parse: impl Fn(&str) -> Option<P>,
) -> Result<(usize, Option<P>), Problem> {
    let query = request.query_string_parameters();
    let bad_limit = || {
        let detail = format!("limit is one number from {} to {}", PAGE.start(), PAGE.end());
        Problem::new(StatusCode::BAD_REQUEST, "bad-limit", "Bad limit", detail)
    };
    let bad_cursor = || {
        let detail = "cursor is the value of `next` from the page before, once and unchanged";
        Problem::new(StatusCode::BAD_REQUEST, "bad-cursor", "Bad cursor", detail)
    };
    let limit = match query.all("limit").as_deref() {
        None => default,
        Some([text]) => number(text).filter(|limit| PAGE.contains(limit)).ok_or_else(bad_limit)?,
        Some(_) => return Err(bad_limit()),
    };
    let cursor = match query.all("cursor").as_deref() {
        None | Some([""]) => None,
        Some([text]) => Some(parse(text).ok_or_else(bad_cursor)?),
        Some(_) => return Err(bad_cursor()),
    };
    Ok((limit, cursor))
}

/// A time in a cursor.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    number(text).filter(|at| *at <= MAX_CURSOR).map(Timestamp)
}

/// Decimal digits as a number writes them: `str::parse` takes `+1` and `01` as well.
pub(super) fn number<N: std::str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}
