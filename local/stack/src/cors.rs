//! What scripts of other sites may do, as template.yaml has it.

use std::time::Duration;

use headwater_emulators::http_api::Cors;
use headwater_emulators::s3::CorsRule;
use http::Method;

/// How long browsers may remember that they may.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// The HTTP API: who may call is the token's matter.
pub(super) fn of_api() -> Cors {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Cors {
        allow_origins: list(&["*"]),
        allow_methods: list(&["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
        allow_headers: list(&["authorization", "content-type", "idempotency-key", "if-none-match"]),
        expose_headers: list(&["allow", "etag", "location", "retry-after"]),
        max_age: MAX_AGE,
    }
}

/// The media bucket: players on any site may read it, with whatever headers they send (the edge has the last word).
pub(super) fn of_media() -> CorsRule {
    CorsRule {
        allowed_origins: vec!["*".to_owned()],
        allowed_methods: vec![Method::GET, Method::HEAD],
        allowed_headers: vec!["*".to_owned()],
        expose_headers: Vec::new(),
        max_age: MAX_AGE,
    }
}
