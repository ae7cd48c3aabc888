//! Asks the edge for playlists and objects, as a player's HTTP client does. Must not know what is expected of them.

use std::time::Duration;

use bytes::Bytes;
use headwater_conformance::resolve_references;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use m3u8_rs::{MasterPlaylist, MediaPlaylist};

/// Players give up a request after so long, or longer.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Largest body, in bytes; a segment of the drill's picture has some 100 kB.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Asks the edge.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    base: String,
    http: Client<HttpConnector, Empty<Bytes>>,
}

impl Edge {
    pub(crate) fn new(base: String) -> Self {
        Self { base, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Status and body, references of a playlist resolved; `None` if there was no answer in time.
    pub(crate) async fn get(&self, path: &str) -> Option<(StatusCode, Bytes)> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let url = url.parse::<Uri>().ok()?;
        let address = url.path().to_owned();
        let request = Request::get(url).body(Empty::new()).ok()?;
        let asking = async {
            let (head, body) = self.http.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.ok()?.to_bytes();
            let is_playlist =
                head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == headwater_hls::CONTENT_TYPE);
            let resolved = || Some(resolve_references(&address, std::str::from_utf8(&body).ok()?).into());
            Some((head.status, if is_playlist { resolved()? } else { body }))
        };
        tokio::time::timeout(MAX_WAIT, asking).await.ok()?
    }
}

/// Paths of the best picture and of the sound.
pub(crate) fn renditions(body: &[u8]) -> Option<Vec<String>> {
    let playlist: MasterPlaylist = m3u8_rs::parse_master_playlist_res(body).ok()?;
    let best = playlist.variants.iter().filter(|variant| variant.resolution.is_some());
    let best = best.max_by_key(|variant| variant.bandwidth)?.uri.clone();
    let sound = playlist.alternatives.iter().find_map(|alternative| alternative.uri.clone());
    Some(std::iter::once(best).chain(sound).collect())
}

/// A media playlist.
pub(crate) fn media(body: &[u8]) -> Option<MediaPlaylist> {
    m3u8_rs::parse_media_playlist_res(body).ok()
}
