//! Paths and queries of viewers.

use http::StatusCode;
use serde_json::json;

use super::harness::{Harness, block_on, check, request};

/// Two lines: path and query. Each is answered, within the longest wait, with a playlist or with what is wrong.
pub(crate) fn playlist(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, query) = text.split_once('\n').unwrap_or((text, ""));
    let attempt = if data.len().is_multiple_of(2) { "1" } else { "2" };
    let headers = json!({ "x-headwater-try": attempt });
    let Some(request) = request("GET", path, query, headers, "") else { return };
    block_on(async {
        let playlist = Harness::seeded().await.playlist();
        let began = tokio::time::Instant::now();
        let answer = playlist.handle(request).await;
        assert!(began.elapsed().as_secs() <= 4, "{:?}", began.elapsed());
        check(&answer, None);
        if answer.status() == StatusCode::OK && path.ends_with(".m3u8") {
            assert!(answer.body().starts_with(b"#EXTM3U\n"));
        }
        assert!(answer.headers().contains_key("cache-control"));
    });
}
