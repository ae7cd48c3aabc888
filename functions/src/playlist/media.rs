//! Media playlists: a rendition's window of the timeline.

use headwater_domain::live::Situation;
use headwater_domain::ports::{ReadLive, ReadStreams, ReadTimeline};
use headwater_domain::time::{MediaTime, Span};
use headwater_domain::timeline::{Entry, in_force, resolve};
use headwater_domain::{BroadcastId, Timestamp};
use headwater_hls::{
    MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, Uri, WallClock, Window,
};

use super::counts::Counts;
use super::holes::{behind_hole, breaks_before, fill_hole, in_window, numbers, places};
use super::output::{Keep, Reply};
use super::reach::{found, span_for};
use super::vocabulary::{SEGMENT_SECONDS, internal, uri};
use super::{PlaylistFunction, not_live, not_recorded, unknown_broadcast};
use crate::reply::Problem;

/// Fewer segments than this are never a live window (Apple HLS authoring specification 8.11 wants six).
const MIN_SEGMENTS: usize = 6;
/// Entries read beyond the window: those of a lower lease that a higher one has replaced, and the one that is open.
const OVERLAP: usize = 7;
/// Entries beyond which a window is not read anew for the sake of replaced ones: it has many numbers then.
const MAX_READ: usize = 400;

impl<T: ReadLive + ReadTimeline + ReadStreams, P> PlaylistFunction<T, P> {
    /// The live window of one rendition, in whole segments.
    pub(super) async fn live_media(
        &self,
        broadcast: &BroadcastId,
        rendition: &str,
        first_try: bool,
    ) -> Result<Reply, Problem> {
        let situation = self.situation(&broadcast.stream(), first_try).await?;
        let entries = self.shown_entries(broadcast, &situation).await?;
        let ended = has_ended(&situation, broadcast, self.context.now());
        let Some(window) = window(&entries, rendition, PlaylistType::Live, ended)? else {
            return Err(self.nothing_of(&entries, &situation));
        };
        Ok(Reply::playlist(checked(window)?.render(), if ended { Keep::Minute } else { Keep::Second }))
    }

    /// All of one rendition, once the broadcast has ended.
    pub(super) async fn vod_media(&self, broadcast: &BroadcastId, rendition: &str) -> Result<Reply, Problem> {
        let entries = self.finished(broadcast).await?;
        let window = window(&entries, rendition, PlaylistType::Vod, true)?;
        let window = window.ok_or_else(|| Problem::not_found("rendition"))?;
        Ok(Reply::playlist(checked(window)?.render(), Keep::Minute))
    }

    /// The whole timeline of a broadcast that has ended and can be watched again.
    pub(super) async fn finished(&self, broadcast: &BroadcastId) -> Result<Vec<Entry>, Problem> {
        let situation = self.table.situation(&broadcast.stream()).await?;
        if !has_ended(&situation, broadcast, self.context.now()) {
            return Err(not_live(situation.state(self.context.now()))
                .with("hint", "the recording is here once the broadcast has ended"));
        }
        if !self.is_recorded(&situation, broadcast).await? {
            return Err(not_recorded(broadcast));
        }
        let entries = resolve(self.table.all(broadcast).await?);
        if entries.is_empty() { Err(unknown_broadcast(broadcast)) } else { Ok(entries) }
    }

    /// Whether a broadcast that has ended may be watched: as its last session's settings said or, of one that is not the
    /// stream's newest, as the stream's say now.
    async fn is_recorded(&self, situation: &Situation, broadcast: &BroadcastId) -> Result<bool, Problem> {
        if let Some(recorded) = situation.is_recorded(broadcast) {
            return Ok(recorded);
        }
        let document = self.table.stream(&broadcast.stream()).await?;
        Ok(document.is_none_or(|document| document.settings.record))
    }

    /// The entries of the live window, oldest first; the last one may be open.
    pub(super) async fn shown_entries(
        &self,
        broadcast: &BroadcastId,
        situation: &Situation,
    ) -> Result<Vec<Entry>, Problem> {
        let segments = window_segments(situation);
        let (written, is_all) = self.window_of(broadcast, segments).await?;
        let window = places(&written, is_all, segments);
        let written = in_force(written);
        let counts = Counts::of(&written, situation.reaches(broadcast).map(|(_, reach)| reach));
        let mut entries = in_window(resolve(written), window);
        entries.drain(..behind_hole(&entries));
        if let Some(first) = entries.first_mut() {
            let before = counts.before(first.number);
            first.discontinuities = first.discontinuities.max(before + u64::from(first.discontinuity));
        }
        Ok(entries)
    }

    /// The newest entries, of more numbers than the window has if there are as many, and whether that is all. One query,
    /// unless many leases have written the same numbers.
    async fn window_of(
        &self,
        broadcast: &BroadcastId,
        segments: usize,
    ) -> Result<(Vec<Entry>, bool), Problem> {
        let mut limit = segments + 2 * OVERLAP;
        loop {
            let written = self.table.newest(broadcast, limit).await?;
            let is_all = written.len() < limit.min(MAX_READ);
            if is_all || limit >= MAX_READ || numbers(&written).len() >= segments + OVERLAP {
                return Ok((written, is_all));
            }
            limit *= 2;
        }
    }

    /// Why there is no playlist of a rendition.
    pub(super) fn nothing_of(&self, entries: &[Entry], situation: &Situation) -> Problem {
        if entries.iter().any(|entry| !entry.open) {
            Problem::not_found("rendition")
        } else {
            not_live(situation.state(self.context.now()))
        }
    }
}

/// Segments of the stream's DVR window.
pub(super) fn window_segments(situation: &Situation) -> usize {
    let seconds = situation.session().map_or(60, |session| session.settings.dvr_window_seconds);
    MIN_SEGMENTS.max((seconds / SEGMENT_SECONDS) as usize)
}

/// Whether nothing more comes to a broadcast: it is the one that holds and is settled, or another one holds and its task,
/// which may have media yet to write, has left.
pub(super) fn has_ended(situation: &Situation, broadcast: &BroadcastId, now: Timestamp) -> bool {
    match situation.broadcast() {
        Some(current) if current == broadcast => situation.is_settled(now),
        Some(current) => broadcast < current && !situation.is_written(broadcast, now),
        // A region that has heard nothing of the stream yet.
        None => false,
    }
}

/// A window that players can play.
pub(super) fn checked(window: Window) -> Result<MediaPlaylist, Problem> {
    MediaPlaylist::new(window).map_err(internal)
}

/// The entries as one rendition's window of whole segments: one that is still open at the end is left out. `None` if
/// there is nothing to show.
pub(super) fn window(
    entries: &[Entry],
    rendition: &str,
    playlist_type: PlaylistType,
    ended: bool,
) -> Result<Option<Window>, Problem> {
    let closed = match entries.split_last() {
        Some((last, before)) if last.open => before,
        _ => entries,
    };
    let Some(first) = closed.first() else { return Ok(None) };
    if !has_rendition(closed, rendition) {
        return Ok(None);
    }
    Ok(Some(window_from(first, segments(closed, rendition)?, playlist_type, ended)))
}

pub(super) fn has_rendition(entries: &[Entry], rendition: &str) -> bool {
    entries.iter().any(|entry| found(entry, rendition).is_some())
}

/// A window that begins with `first`.
pub(super) fn window_from(
    first: &Entry,
    segments: Vec<Segment>,
    playlist_type: PlaylistType,
    ended: bool,
) -> Window {
    let shortest = TargetDuration::from_seconds(SEGMENT_SECONDS).expect("two seconds are a target duration");
    let fitting = TargetDuration::fitting(segments.iter().map(|segment: &Segment| segment.duration));
    Window {
        target_duration: fitting.max(shortest),
        media_sequence: first.number.0,
        discontinuity_sequence: breaks_before(first),
        playlist_type,
        ended,
        independent_segments: true,
        segments,
        low_latency: None,
    }
}

/// Each number's segment of one rendition, as far as entries and the holes between them go.
pub(super) fn segments(entries: &[Entry], rendition: &str) -> Result<Vec<Segment>, Problem> {
    let mut segments = Vec::with_capacity(entries.len());
    let mut map = None;
    for (index, entry) in entries.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &entries[before]) {
            fill_hole(&mut segments, before, entry, rendition)?;
        }
        segments.push(segment(entry, rendition, &mut map)?);
    }
    Ok(segments)
}

/// An entry that is open and not the last one has lost its writer: players skip it, too.
fn segment(entry: &Entry, rendition: &str, map: &mut Option<Uri>) -> Result<Segment, Problem> {
    let found = found(entry, rendition);
    let (span, present) = match span_for(found.map(|found| &found.kind), entry.video, entry.audio) {
        Some(span) => (span, found.is_some() && !entry.gap && !entry.open),
        None => (
            Span {
                start: MediaTime::video(0),
                duration: MediaTime::video(u64::from(SEGMENT_SECONDS) * 90_000),
            },
            false,
        ),
    };
    if let Some(found) = found.filter(|_| has_init(entry)) {
        *map = Some(uri(&format!("/{}", found.init))?);
    }
    let duration = MediaDuration::new(span.duration.ticks, span.duration.timescale).map_err(internal)?;
    let mut segment = Segment::new(uri(&format!("/{}", entry.media_path(rendition)))?, duration)
        .at(WallClock::from_unix_ms(entry.program_date_time.0).map_err(internal)?)
        .after_break(entry.discontinuity)
        .lost(!present);
    if let Some(map) = map {
        segment = segment.with_map(map.clone());
    }
    Ok(segment)
}

/// Whether the initialization sections that an entry names are stored: that of a gap may be missing as well.
pub(super) fn has_init(entry: &Entry) -> bool {
    if entry.open { entry.parts.iter().any(|part| !part.gap) } else { !entry.gap }
}
