//! What every kind of playlist is written with. Must not know any of them.

use headwater_hls::Uri;

use crate::reply::Problem;

/// Length of a segment that the transcoder aims at; the target duration is never below it.
pub(super) const SEGMENT_SECONDS: u32 = 2;

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
