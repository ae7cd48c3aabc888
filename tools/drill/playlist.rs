//! Asks the edge for playlists and objects, as a player's HTTP client does. Must not know what is expected of them.

use std::time::Duration;

use bytes::Bytes;
use headwater_conformance::playlist::{MediaPlaylist, Multivariant, at_path};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

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

    /// Status and body; `None` if there was no answer in time.
    pub(crate) async fn get(&self, path: &str) -> Option<(StatusCode, Bytes)> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = Request::get(url.parse::<Uri>().ok()?).body(Empty::new()).ok()?;
        let asking = async {
            let (head, body) = self.http.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.ok()?.to_bytes();
            Some((head.status, body))
        };
        tokio::time::timeout(MAX_WAIT, asking).await.ok()?
    }
}

/// Paths of the best picture and of the sound, of the multivariant playlist at `address`.
pub(crate) fn renditions(address: &str, body: &[u8]) -> Option<Vec<String>> {
    let playlist = Multivariant::read(&at_path(address)?, body);
    let best = playlist.variants.iter().filter(|variant| variant.resolution.is_some());
    let best = best.max_by_key(|variant| variant.bandwidth)?.url.path().to_owned();
    let sound = playlist.alternatives.iter().find_map(|alternative| alternative.url.as_ref());
    Some(std::iter::once(best).chain(sound.map(|url| url.path().to_owned())).collect())
}

/// The media playlist at `path`; `None` if it is none.
pub(crate) fn media(path: &str, body: &[u8]) -> Option<MediaPlaylist> {
    let playlist = MediaPlaylist::read(&at_path(path)?, body);
    playlist.target_duration.is_some().then_some(playlist)
}
