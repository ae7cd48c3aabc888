//! What only a low-latency client asks for (RFC 8216bis §6.2.5).

use futures::future::try_join;
use url::Url;

use super::session::Session;
use crate::fetch::FetchError;
use crate::playlist::MediaPlaylist;
use crate::recording::Ask;

/// Segments beyond the newest that nobody could wait for: more than two are to be refused (§6.2.5.2).
const FAR: u64 = 10;

/// Asks for what must be answered and what must be refused; the newest playlist that came of it.
pub(super) async fn probe(
    session: &Session,
    url: &Url,
    playlist: MediaPlaylist,
) -> Result<MediaPlaylist, FetchError> {
    let far = playlist.newest().map_or(FAR, |(msn, _)| msn.saturating_add(FAR));
    let directed = |name: &str, value: u64| directed(url, &[(name, value.to_string())]);
    session.get(Ask::FarAhead { playlist: url.clone() }, &directed("_HLS_msn", far), None).await?;
    session.get(Ask::PartAlone { playlist: url.clone() }, &directed("_HLS_part", 0), None).await?;
    let playlist = next(session, url, &playlist).await?.unwrap_or(playlist);
    if playlist.server_control.as_ref().is_some_and(|control| control.can_skip_until.is_some()) {
        let skip = self::directed(url, &[("_HLS_skip", "YES".to_owned())]);
        session.get(Ask::Delta { playlist: url.clone() }, &skip, None).await?;
    }
    Ok(playlist)
}

/// Waits for the next part: by a blocking reload, and by its hinted address at the same time.
pub(super) async fn next(
    session: &Session,
    url: &Url,
    playlist: &MediaPlaylist,
) -> Result<Option<MediaPlaylist>, FetchError> {
    let (msn, part) = match (&playlist.open, playlist.segments.last()) {
        (Some(open), _) => (open.number, open.parts.len() as u64),
        (None, Some(last)) => (last.number.saturating_add(1), 0),
        (None, None) => (playlist.media_sequence, 0),
    };
    let address = directed(url, &[("_HLS_msn", msn.to_string()), ("_HLS_part", part.to_string())]);
    let ask = Ask::Blocking { playlist: url.clone(), msn, part };
    let reload = session.get(ask, &address, None);
    let exchange = match &playlist.hint {
        Some(hint) => {
            let hinted = session.get(Ask::Hint { playlist: url.clone() }, &hint.url, hint.range);
            try_join(reload, hinted).await?.0
        }
        None => reload.await?,
    };
    Ok(exchange.is_ok().then(|| MediaPlaylist::read(url, &exchange.body)))
}

/// An address with directives, which are in the order of their names (§6.2.5).
fn directed(url: &Url, directives: &[(&str, String)]) -> Url {
    let mut url = url.clone();
    for (name, value) in directives {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}
