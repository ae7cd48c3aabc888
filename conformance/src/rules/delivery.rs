//! Rules about HTTP: what is answered, and with which headers.

use crate::mp4::Handler;
use crate::playlist::Resource;
use crate::presentation::{Presentation, Rendition};
use crate::recording::{Ask, Exchange};
use crate::report::Findings;

/// Bytes below which a playlist needs no gzip: it would fit one packet anyway, and grow.
const MIN_GZIP: usize = 300;

fn is_playlist(exchange: &Exchange) -> bool {
    matches!(exchange.ask, Ask::Multivariant | Ask::Media { .. } | Ask::Blocking { .. } | Ask::Delta { .. })
}

/// Playlists that were answered with one.
fn playlists<'a>(presentation: &Presentation<'a>) -> impl Iterator<Item = &'a Exchange> {
    presentation.recording.exchanges.iter().filter(|one| is_playlist(one) && one.is_ok())
}

/// Files that were answered, each with the rendition it is of.
fn objects<'p, 'a>(
    presentation: &'p Presentation<'a>,
) -> impl Iterator<Item = (&'p Rendition<'a>, &'a Exchange)> {
    let all = presentation.recording.exchanges.iter().filter(|one| one.ask == Ask::Object && one.is_ok());
    all.filter_map(|exchange| {
        let resource = Resource { url: exchange.url.clone(), range: exchange.range };
        let uses = |one: &&Rendition<'_>| {
            let parts = |item: &crate::presentation::Item<'_>| {
                item.parts.iter().any(|part| part.part.resource == resource)
            };
            one.inits.contains_key(&resource)
                || one
                    .items
                    .values()
                    .any(|item| item.segment.resource.as_ref() == Some(&resource) || parts(item))
        };
        Some((presentation.renditions.iter().find(uses)?, exchange))
    })
}

pub(super) fn available(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for item in rendition.items.values() {
            let Some(exchange) = item.exchange else { continue };
            let at = format!("{} segment {}", rendition.name, item.segment.number);
            if item.segment.gap {
                findings.wrong(at, "a gap was asked for", "that nobody asks for it");
            } else {
                let status = format!("status {}", exchange.status);
                findings.expect(exchange.is_ok(), at, status, "it, or EXT-X-GAP");
            }
        }
    }
}

pub(super) fn redirects(presentation: &Presentation<'_>, findings: &mut Findings) {
    for exchange in &presentation.recording.exchanges {
        let none = exchange.redirects.is_empty();
        findings.expect(none, exchange.url.path(), format!("to {:?}", exchange.redirects), "no redirect");
    }
}

pub(super) fn gzip(presentation: &Presentation<'_>, findings: &mut Findings) {
    for exchange in playlists(presentation).filter(|one| one.body.len() >= MIN_GZIP) {
        let packed =
            exchange.header("content-encoding").is_some_and(|value| value.eq_ignore_ascii_case("gzip"));
        let found = format!("{:?}", exchange.header("content-encoding"));
        findings.expect(packed, exchange.url.path(), found, "Content-Encoding: gzip");
    }
}

pub(super) fn mime_types(presentation: &Presentation<'_>, findings: &mut Findings) {
    let kind = |exchange: &Exchange| {
        let value = exchange.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let mut look = |exchange: &Exchange, right: &[&str]| {
        let found = kind(exchange);
        let is_right = right.contains(&found.as_str());
        findings.expect(is_right, exchange.url.path(), format!("{found:?}"), right.join(" or "));
    };
    for exchange in playlists(presentation) {
        look(exchange, &["application/vnd.apple.mpegurl", "audio/mpegurl"]);
    }
    for (rendition, exchange) in objects(presentation) {
        match rendition.kind {
            Handler::Video => look(exchange, &["video/mp4", "video/iso.segment"]),
            Handler::Audio => look(exchange, &["audio/mp4", "video/mp4", "video/iso.segment"]),
            Handler::Other => {}
        }
    }
}

pub(super) fn cors(presentation: &Presentation<'_>, findings: &mut Findings) {
    let media = objects(presentation).map(|(_, exchange)| exchange);
    for exchange in playlists(presentation).chain(media) {
        let allowed = exchange.header("access-control-allow-origin");
        let right = matches!(allowed, Some("*" | "https://player.example"));
        findings.expect(right, exchange.url.path(), format!("{allowed:?}"), "Access-Control-Allow-Origin: *");
    }
}
