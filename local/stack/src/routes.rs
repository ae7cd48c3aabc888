//! The HTTP API's routes, as template.yaml has them.

use std::time::Duration;

use headwater_emulators::http_api::{Authorizer, Route};

use super::LOW_LATENCY;

/// All routes of one region's API.
pub fn routes() -> Vec<Route> {
    let admin = || Authorizer::Lambda { function: "authorizer".into(), cache_for: Duration::ZERO };
    let open = [
        "GET /health",
        "HEAD /health",
        "GET /v1/openapi.json",
        "HEAD /v1/openapi.json",
        // A preflight has no token, and a route for ANY would hand it to its authorizer.
        "OPTIONS /v1/streams",
        "OPTIONS /v1/streams/{proxy+}",
        "OPTIONS /v1/{proxy+}",
    ];
    let mut routes: Vec<_> = open.into_iter().map(|key| Route::open(key, "api")).collect();
    // The last one for `/v1/streams/`: no route key may end with a slash.
    for key in ["ANY /v1/streams", "ANY /v1/streams/{proxy+}", "ANY /v1/{proxy+}"] {
        routes.push(Route::open(key, "api").authorized_by(admin()));
    }
    routes.push(Route::open("POST /hooks/{hook}", "hooks").authorized_by(Authorizer::Iam));
    for key in [
        "GET /live/index.json",
        "GET /live/{stream}/index.m3u8",
        "GET /{region}/playlists/{proxy+}",
        "HEAD /live/index.json",
        "HEAD /live/{stream}/index.m3u8",
        "HEAD /{region}/playlists/{proxy+}",
    ] {
        routes.push(Route::open(key, "playlist"));
    }
    for key in [
        "GET /{region}/low-latency/{proxy+}",
        "GET /{region}/parts/{proxy+}",
        "HEAD /{region}/low-latency/{proxy+}",
        "HEAD /{region}/parts/{proxy+}",
    ] {
        routes.push(Route::open(key, LOW_LATENCY));
    }
    routes
}
