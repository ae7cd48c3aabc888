//! Reading playlists as a player would, with an independent parser.

use bytes::Bytes;
use http::StatusCode;
use m3u8_rs::{MasterPlaylist, MediaPlaylist, MediaSegment, Playlist};

use super::support::{Platform, Stream, eventually};

/// One rendition's playlist, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Rendition {
    pub(crate) name: String,
    pub(crate) path: String,
}

impl Platform {
    pub(crate) async fn multivariant(&self, url: &str) -> Option<MasterPlaylist> {
        let (status, headers, body) = self.get(url).await;
        if status != StatusCode::OK {
            assert_eq!(status, StatusCode::NOT_FOUND, "{}", String::from_utf8_lossy(&body));
            return None;
        }
        assert_eq!(headers["content-type"], "application/vnd.apple.mpegurl");
        assert_eq!(headers["access-control-allow-origin"], "*");
        match m3u8_rs::parse_playlist_res(&body).expect("a playlist") {
            Playlist::MasterPlaylist(playlist) => Some(playlist),
            Playlist::MediaPlaylist(_) => panic!("not a multivariant playlist"),
        }
    }

    /// Waits until the stream plays.
    pub(crate) async fn plays(&self, stream: &Stream) -> MasterPlaylist {
        eventually(&format!("it plays\n{}", self.logs()), || self.multivariant(&stream.playback)).await
    }

    pub(crate) async fn media(&self, path: &str) -> MediaPlaylist {
        let (status, headers, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
        assert_eq!(headers["content-type"], "application/vnd.apple.mpegurl");
        match m3u8_rs::parse_playlist_res(&body).expect("a playlist") {
            Playlist::MediaPlaylist(playlist) => playlist,
            Playlist::MasterPlaylist(_) => panic!("not a media playlist"),
        }
    }

    /// Waits until a media playlist is as `wanted`.
    pub(crate) async fn media_until(
        &self,
        path: &str,
        wanted: impl Fn(&MediaPlaylist) -> bool,
    ) -> MediaPlaylist {
        eventually(&format!("{path} is as wanted\n{}", self.logs()), || async {
            let playlist = self.media(path).await;
            wanted(&playlist).then_some(playlist)
        })
        .await
    }

    pub(crate) async fn object(&self, path: &str) -> Bytes {
        let (status, headers, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
        body
    }
}

/// All renditions that a multivariant playlist names, audio too.
pub(crate) fn renditions(playlist: &MasterPlaylist) -> Vec<Rendition> {
    let videos = playlist
        .variants
        .iter()
        .filter(|variant| variant.resolution.is_some())
        .map(|variant| variant.uri.clone());
    let audios = playlist.alternatives.iter().filter_map(|alternative| alternative.uri.clone());
    videos.chain(audios).map(|path| Rendition { name: name_of(&path), path }).collect()
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap().trim_end_matches(".m3u8").to_owned()
}

/// The media sequence numbers and whether each begins with a discontinuity.
pub(crate) fn breaks(playlist: &MediaPlaylist) -> Vec<(u64, bool)> {
    (playlist.media_sequence..).zip(playlist.segments.iter().map(|segment| segment.discontinuity)).collect()
}

/// What was seen of a playlist that keeps everything is still what it says.
pub(crate) fn nothing_is_taken_back(seen: &MediaPlaylist, now: &MediaPlaylist) {
    for (before, now) in seen.segments.iter().zip(&now.segments) {
        assert_eq!(before.uri, now.uri, "nothing is taken back");
    }
}

/// Whether nothing is there (EXT-X-GAP).
pub(crate) fn is_gap(segment: &MediaSegment) -> bool {
    segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP")
}
