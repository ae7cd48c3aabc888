//! What every kind of playlist is written with. Must not know any of them.

pub(super) use headwater_domain::stream::SEGMENT_SECONDS;
use headwater_hls::Uri;

use crate::reply::Problem;

pub(super) fn uri(text: &str) -> Result<Uri, Problem> {
    text.parse().map_err(internal)
}

/// What we stored ourselves is not what it must be.
pub(super) fn internal(error: impl std::error::Error + 'static) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "a timeline entry cannot be shown");
    Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Internal error",
        "this deployment has a fault; its log says more",
    )
}
