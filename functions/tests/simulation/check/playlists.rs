//! A region's playlists never go backwards, keep what they have listed, name only what is stored, and tell times that hold.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::FutureExt;
use headwater_conformance::playlist::{MediaPlaylist, Resource, Segment, at_path};
use headwater_domain::paths::EdgePath;
use headwater_domain::{BroadcastId, Lease};
use http::Request;
use lambda_http::Body;
use tokio::runtime::Runtime;

use crate::calls::{playlist, text};
use crate::simulation::{self, SIDES, Side, tell, violated};

thread_local! {
    static SEEN: RefCell<BTreeMap<(Side, String), Playlist>> = RefCell::default();
    /// Only for its clock, which never moves: a question that waits is given up at once.
    static PATIENCE: Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

pub fn reset() {
    SEEN.take();
}

/// A segment as a playlist lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub uri: String,
    pub gap: bool,
    /// EXTINF, in seconds.
    seconds: f64,
    /// EXT-X-PROGRAM-DATE-TIME, in seconds after 1970.
    date: Option<f64>,
    /// Behind a break.
    broken: bool,
}

impl Listed {
    fn lease(&self) -> Lease {
        match self.uri.parse().unwrap() {
            EdgePath::Object(object) => object.lease,
            other => panic!("{other} is no segment"),
        }
    }
}

/// A media playlist as a player reads it.
#[derive(Debug, Clone, Default)]
pub struct Playlist {
    pub first: u64,
    pub breaks: u64,
    pub ended: bool,
    /// EXT-X-TARGETDURATION.
    target: u64,
    pub segments: Vec<Listed>,
    /// Everything else that it says is there.
    objects: Vec<String>,
}

impl Playlist {
    /// Of what is at `path`; its text must be faultless.
    pub fn parse(path: &str, text: &str) -> Self {
        let read = MediaPlaylist::read(&at_path(path).unwrap(), text.as_bytes());
        if let Some(problem) = read.problems.iter().next() {
            tell(|| text.to_owned());
            violated(|| format!("{path}, line {}: {}", problem.line, problem.what));
        }
        let path_of = |resource: &Resource| resource.url.path().to_owned();
        let (maps, parts) = (
            read.all().filter_map(|segment| segment.map.as_ref()),
            read.all().flat_map(|segment| &segment.parts).filter(|part| !part.gap),
        );
        let listed = |segment: &Segment| Listed {
            uri: segment.resource.as_ref().map(path_of).unwrap(),
            gap: segment.gap,
            seconds: segment.duration,
            date: segment.program_date_time,
            broken: segment.discontinuity,
        };
        Self {
            first: read.media_sequence,
            breaks: read.discontinuity_sequence.unwrap_or(0),
            ended: read.ended,
            target: read.target_duration.unwrap_or(0),
            segments: read.segments.iter().map(listed).collect(),
            objects: maps.chain(parts.map(|part| &part.resource)).map(path_of).collect(),
        }
    }

    /// The number behind its last segment.
    pub fn end(&self) -> u64 {
        self.first + self.segments.len() as u64
    }

    fn get(&self, number: u64) -> Option<&Listed> {
        self.segments.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

/// The two playlists of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Segments,
    Parts,
}

/// The path of a broadcast's playlist.
fn path(side: Side, broadcast: &BroadcastId, kind: Kind) -> String {
    let kind = match kind {
        Kind::Segments => EdgePath::Media,
        Kind::Parts => EdgePath::LowLatency,
    };
    kind(side.region(), broadcast.clone(), "720p".parse().unwrap()).to_string()
}

/// Asks a region's playlist function, as a viewer near it does.
pub fn get(side: Side, path: &str, attempt: Option<&str>) -> Result<String, u16> {
    let mut request = Request::get(path);
    if let Some(attempt) = attempt {
        request = request.header(headwater_functions::playlist::TRY_HEADER, attempt);
    }
    let function = playlist(side);
    let request = request.body(Body::Empty).unwrap();
    let answer = PATIENCE.with(|patience| {
        let _clock = patience.enter();
        function.handle(request).now_or_never()
    });
    // Nothing is there yet.
    let Some(answer) = answer else { return Err(404) };
    if answer.status() == 200 { Ok(text(answer)) } else { Err(answer.status().as_u16()) }
}

/// Looks at a broadcast's playlist in one region.
pub fn look(side: Side, broadcast: &BroadcastId, kind: Kind) {
    look_at(side, path(side, broadcast, kind));
}

/// Looks at all that were seen: time changes them, too.
pub fn look_again() {
    let seen: Vec<_> = SEEN.with_borrow(|seen| seen.keys().cloned().collect());
    for (side, path) in seen {
        look_at(side, path);
    }
}

fn look_at(side: Side, path: String) {
    let before = SEEN.with_borrow_mut(|seen| seen.remove(&(side, path.clone())));
    match get(side, &path, None) {
        Ok(text) => {
            let now = Playlist::parse(&path, &text);
            if let Some(before) = &before
                && let Some(problem) = backwards(before, &now)
            {
                tell(|| text.clone());
                violated(|| format!("{side:?} {path}: {problem}"));
            }
            if let Some(problem) = untimely(&now) {
                tell(|| text.clone());
                violated(|| format!("{side:?} {path}: {problem}"));
            }
            if let Some(missing) = missing(&now) {
                violated(|| format!("{side:?} {path} names {missing}, which is not stored"));
            }
            SEEN.with_borrow_mut(|seen| seen.insert((side, path), now));
        }
        // Nobody watches a deleted stream.
        Err(404) if super::orders::is_deleted(side) => {}
        // Nothing yet, parts that nobody makes, or some of a segment that nobody has finished.
        Err(404) if before.is_none_or(|before| before.segments.is_empty()) => {}
        // What was deleted is gone.
        Err(404) if super::orders::may_be_deleted() => {}
        Err(status) => violated(|| format!("{side:?} {path} was there and answers {status}")),
    }
}

fn missing(playlist: &Playlist) -> Option<String> {
    let segments = playlist.segments.iter().filter(|listed| !listed.gap).map(|listed| &listed.uri);
    let mut named = segments.chain(&playlist.objects);
    simulation::with(|sim| named.find(|uri| !sim.media.has(uri.trim_start_matches('/'))).cloned())
}

/// How `now` goes back behind `before`, if it does (RFC 8216bis §6.2.2).
fn backwards(before: &Playlist, now: &Playlist) -> Option<String> {
    if now.first < before.first {
        return Some(format!("MEDIA-SEQUENCE {} -> {}", before.first, now.first));
    }
    if now.breaks < before.breaks {
        return Some(format!("DISCONTINUITY-SEQUENCE {} -> {}", before.breaks, now.breaks));
    }
    if now.target != before.target {
        return Some(format!("TARGETDURATION {} -> {}", before.target, now.target));
    }
    for number in now.first..now.end() {
        let (Some(old), Some(new)) = (before.get(number), now.get(number)) else { continue };
        // What was missing may come late; a higher lease may take a lower one's place.
        let is_replaced = !old.gap && old.uri != new.uri && new.lease() <= old.lease();
        if is_replaced || (!old.gap && new.gap && old.uri == new.uri) {
            return Some(format!("segment {number}: {old:?} -> {new:?}"));
        }
        let is_same = !old.gap && old.uri == new.uri;
        if is_same && ((old.seconds - new.seconds).abs() > 1e-6 || old.date != new.date) {
            return Some(format!("times of segment {number}: {old:?} -> {new:?}"));
        }
    }
    None
}

/// Which of a playlist's times cannot be (RFC 8216bis §4.4.3.1, §4.4.4.1, §4.4.4.6), or makes players stand still.
fn untimely(playlist: &Playlist) -> Option<String> {
    for (number, listed) in (playlist.first..).zip(&playlist.segments) {
        let rounded = (listed.seconds + 0.5).floor();
        if listed.seconds <= 0.0 || rounded > playlist.target as f64 {
            return Some(format!(
                "EXTINF {} of segment {number}, TARGETDURATION {}",
                listed.seconds, playlist.target
            ));
        }
        if !listed.gap && listed.date.is_none() {
            return Some(format!("segment {number} has no EXT-X-PROGRAM-DATE-TIME"));
        }
        if listed.gap && listed.broken {
            return Some(format!("gap {number} stands behind a break of its own"));
        }
    }
    // Of one lease: two that knew nothing of each other tell of two encoders.
    let shown: Vec<_> = playlist.segments.iter().filter(|listed| !listed.gap).collect();
    let turned = |pair: &&[&Listed]| pair[0].lease() == pair[1].lease() && pair[0].date > pair[1].date;
    let turned = shown.windows(2).find(turned)?;
    Some(format!("EXT-X-PROGRAM-DATE-TIME goes back: {turned:?}"))
}

/// Whether every region says that a broadcast is complete; of a deleted stream there is nothing to be seen.
pub fn is_complete(broadcast: &BroadcastId) -> bool {
    let ended = |side| match get(side, &path(side, broadcast, Kind::Segments), None) {
        Ok(text) => text.contains("#EXT-X-ENDLIST") && !super::orders::is_deleted(side),
        Err(status) => status == 404 && super::orders::is_deleted(side),
    };
    SIDES.into_iter().all(ended)
}
