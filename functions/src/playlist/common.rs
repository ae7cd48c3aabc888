//! What every kind of playlist is written with. Must not know any of them.

use headwater_domain::paths::EdgePath;
pub(super) use headwater_domain::stream::SEGMENT_SECONDS;
use headwater_hls::Uri;

use crate::reply::Problem;

/// A path of ours as playlists name it.
pub(super) fn uri(path: &EdgePath) -> Result<Uri, Problem> {
    path.to_string().parse().map_err(internal)
}

/// An object's, by its key.
pub(super) fn object_uri(key: &str) -> Result<Uri, Problem> {
    format!("/{key}").parse().map_err(internal)
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
