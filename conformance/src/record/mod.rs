//! Watches a stream as a strict client would and notes every exchange. It reads playlists only to know what to ask for
//! next; whether they are right is judged from the recording.

mod probes;
mod session;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures::future::try_join_all;
use url::Url;

use crate::fetch::FetchError;
use crate::playlist::{MediaPlaylist, Multivariant, Resource};
use crate::recording::{Ask, Recording};
use session::Session;

/// What is recorded.
#[derive(Debug, Clone)]
pub struct Options {
    /// Playlists are reloaded for so long, or until the stream ends.
    pub watch: Duration,
    /// Time between reloads; by default half a target duration. Low latency needs none: reloads block.
    pub reload: Option<Duration>,
    /// So many of the newest segments of each rendition are fetched at first.
    pub segments: usize,
    /// The address is that of a finished recording.
    pub vod: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { watch: Duration::ZERO, reload: None, segments: 30, vod: false }
    }
}

/// Records a stream, beginning at the address of its multivariant playlist.
pub async fn record(url: &Url, options: &Options) -> Result<Recording, FetchError> {
    let session = Session::new()?;
    let first = session.get(Ask::Multivariant, url, None).await?;
    let multivariant = Multivariant::read(url, &first.body);
    let variants = multivariant.variants.iter().map(|one| &one.url);
    let alternatives = multivariant.alternatives.iter().filter_map(|one| one.url.as_ref());
    let playlists: BTreeSet<&Url> = variants.chain(alternatives).collect();
    try_join_all(playlists.into_iter().map(|playlist| follow(&session, playlist, options))).await?;
    if options.watch > Duration::ZERO {
        // What it says now is of the segments that have come since.
        session.get(Ask::Multivariant, url, None).await?;
    }
    Ok(session.into_recording(options.vod))
}

/// Loads one media playlist again and again, and everything that it names.
async fn follow(session: &Session, url: &Url, options: &Options) -> Result<(), FetchError> {
    let mut fetched = Fetched::default();
    let Some(mut playlist) = load(session, url).await? else { return Ok(()) };
    fetched.catch_up(session, &playlist, options.segments).await?;
    if playlist.part_target.is_some() && !playlist.ended {
        playlist = probes::probe(session, url, playlist).await?;
        fetched.catch_up(session, &playlist, options.segments).await?;
    }
    while session.elapsed() < options.watch && !playlist.ended {
        let next = if playlist.part_target.is_some() {
            probes::next(session, url, &playlist).await?
        } else {
            let half = Duration::from_millis(500 * playlist.target_duration.unwrap_or(2).clamp(1, 20));
            tokio::time::sleep(options.reload.unwrap_or(half)).await;
            load(session, url).await?
        };
        let Some(next) = next else { break };
        playlist = next;
        fetched.catch_up(session, &playlist, options.segments).await?;
    }
    Ok(())
}

async fn load(session: &Session, url: &Url) -> Result<Option<MediaPlaylist>, FetchError> {
    let exchange = session.get(Ask::Media { playlist: url.clone() }, url, None).await?;
    Ok(exchange.is_ok().then(|| MediaPlaylist::read(url, &exchange.body)))
}

/// What has been fetched of one rendition.
#[derive(Default)]
struct Fetched {
    resources: HashSet<Resource>,
    /// Segments below were left out at first and are not fetched later.
    from: Option<u64>,
}

impl Fetched {
    async fn catch_up(
        &mut self,
        session: &Session,
        playlist: &MediaPlaylist,
        segments: usize,
    ) -> Result<(), FetchError> {
        let newest = playlist.segments.len().saturating_sub(segments);
        let oldest = playlist.segments.get(newest).map(|one| one.number);
        let from = *self.from.get_or_insert(oldest.unwrap_or(playlist.media_sequence));
        for segment in playlist.all().filter(|one| one.number >= from) {
            let parts = segment.parts.iter().filter(|one| !one.gap).map(|one| &one.resource);
            // A gap is not there (RFC 8216bis §4.4.4.7).
            let whole = segment.resource.iter().filter(|_| !segment.gap);
            for resource in segment.map.iter().filter(|_| !segment.gap).chain(whole).chain(parts) {
                if self.resources.insert(resource.clone()) {
                    session.get(Ask::Object, &resource.url, resource.range).await?;
                }
            }
        }
        Ok(())
    }
}
