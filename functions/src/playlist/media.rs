//! Media playlists: a rendition's window of the timeline.

use std::collections::BTreeSet;

use headwater_domain::live::Situation;
use headwater_domain::ports::{ReadLive, ReadStreams, ReadTimeline};
use headwater_domain::time::{MediaTime, Span};
use headwater_domain::timeline::{Entry, TrackKind, resolve};
use headwater_domain::{BroadcastId, SegmentNumber, Timestamp};
use headwater_hls::{
    MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, Uri, WallClock, Window,
};

use super::output::{Keep, Reply};
use super::{PlaylistFunction, not_live, unknown_broadcast};
use crate::reply::Problem;

/// Length of a segment that the transcoder aims at; the target duration is never below it.
pub(super) const SEGMENT_SECONDS: u32 = 2;
/// Fewer segments than this are never a live window (Apple HLS authoring specification 8.11 wants six).
const MIN_SEGMENTS: usize = 6;
/// Entries read beyond the window: those of a lower lease that a higher one has replaced.
const OVERLAP: usize = 6;

impl<T: ReadLive + ReadTimeline + ReadStreams> PlaylistFunction<T> {
    /// The live window of one rendition.
    pub(super) async fn live_media(
        &self,
        broadcast: &BroadcastId,
        rendition: &str,
        first_try: bool,
    ) -> Result<Reply, Problem> {
        let situation = self.situation(&broadcast.stream(), first_try).await?;
        let segments = window_segments(&situation);
        let written = self.table.newest(broadcast, segments + OVERLAP).await?;
        let oldest = oldest_shown(&written, segments);
        let entries = resolve(written);
        let ended = has_ended(&situation, broadcast, self.context.now());
        let from =
            entries.partition_point(|entry| entry.number < oldest).min(entries.len().saturating_sub(1));
        let window = window(&entries[from..], rendition, PlaylistType::Live, ended)?;
        let keep = if ended { Keep::Minute } else { Keep::Second };
        render(window, keep).ok_or_else(|| {
            if entries.is_empty() {
                not_live(situation.state(self.context.now()))
            } else {
                Problem::not_found("rendition")
            }
        })
    }

    /// All of one rendition, once the broadcast has ended.
    pub(super) async fn vod_media(&self, broadcast: &BroadcastId, rendition: &str) -> Result<Reply, Problem> {
        let entries = self.finished(broadcast).await?;
        render(window(&entries, rendition, PlaylistType::Vod, true)?, Keep::Minute)
            .ok_or_else(|| Problem::not_found("rendition"))
    }

    /// The whole timeline of a broadcast that has ended.
    pub(super) async fn finished(&self, broadcast: &BroadcastId) -> Result<Vec<Entry>, Problem> {
        let situation = self.table.situation(&broadcast.stream()).await?;
        if !has_ended(&situation, broadcast, self.context.now()) {
            return Err(not_live(situation.state(self.context.now()))
                .with("hint", "the recording is here once the broadcast has ended"));
        }
        let entries = resolve(self.table.all(broadcast).await?);
        if entries.is_empty() { Err(unknown_broadcast(broadcast)) } else { Ok(entries) }
    }
}

/// Segments of the stream's DVR window.
pub(super) fn window_segments(situation: &Situation) -> usize {
    let seconds = situation.session().map_or(60, |session| session.settings.dvr_window_seconds);
    MIN_SEGMENTS.max((seconds / SEGMENT_SECONDS) as usize)
}

/// Where the live window begins. It is counted over every number that was ever written, so that a higher lease that
/// replaces the end of a lower one does not pull the window back: what has left a playlist never returns to it
/// (RFC 8216bis §6.2.2).
fn oldest_shown(written: &[Entry], segments: usize) -> SegmentNumber {
    let numbers: BTreeSet<SegmentNumber> = written.iter().map(|entry| entry.number).collect();
    let gone = numbers.len().saturating_sub(segments);
    numbers.into_iter().nth(gone).unwrap_or_default()
}

/// Whether nothing more comes to a broadcast: another one holds now, or it is the one and is settled.
pub(super) fn has_ended(situation: &Situation, broadcast: &BroadcastId, now: Timestamp) -> bool {
    match situation.broadcast() {
        Some(current) if current == broadcast => situation.is_settled(now),
        Some(current) => broadcast < current,
        // A region that has heard nothing of the stream yet.
        None => false,
    }
}

fn render(window: Option<Window>, keep: Keep) -> Option<Reply> {
    let playlist = MediaPlaylist::new(window?);
    match playlist {
        Ok(playlist) => Some(Reply::playlist(playlist.render(), keep)),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the timeline makes no valid playlist");
            None
        }
    }
}

/// The entries as one rendition's window. `None` if it is in none of them.
fn window(
    entries: &[Entry],
    rendition: &str,
    playlist_type: PlaylistType,
    ended: bool,
) -> Result<Option<Window>, Problem> {
    let Some(first) = entries.first() else { return Ok(None) };
    if !entries.iter().any(|entry| entry.renditions.iter().any(|one| one.name == rendition)) {
        return Ok(None);
    }
    let mut segments = Vec::with_capacity(entries.len());
    let mut map = None;
    for (index, entry) in entries.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &entries[before]) {
            fill_hole(&mut segments, before, entry, rendition)?;
        }
        segments.push(segment(entry, rendition, &mut map)?);
    }
    let shortest = TargetDuration::from_seconds(SEGMENT_SECONDS).expect("two seconds are a target duration");
    let fitting = TargetDuration::fitting(segments.iter().map(|segment: &Segment| segment.duration));
    Ok(Some(Window {
        target_duration: if fitting.seconds() > shortest.seconds() { fitting } else { shortest },
        media_sequence: first.number.0,
        discontinuity_sequence: first.discontinuities.saturating_sub(first.discontinuity.into()),
        playlist_type,
        ended,
        independent_segments: true,
        segments,
    }))
}

fn segment(entry: &Entry, rendition: &str, map: &mut Option<Uri>) -> Result<Segment, Problem> {
    let found = entry.renditions.iter().find(|one| one.name == rendition);
    let span = match found.map(|found| &found.kind) {
        Some(TrackKind::Audio { .. }) => entry.audio,
        Some(TrackKind::Video { .. }) => entry.video,
        None => None,
    };
    let (span, present) = match span.or(entry.span()) {
        Some(span) => (span, found.is_some() && !entry.gap),
        None => (
            Span {
                start: MediaTime::video(0),
                duration: MediaTime::video(u64::from(SEGMENT_SECONDS) * 90_000),
            },
            false,
        ),
    };
    if let Some(found) = found {
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

/// Numbers that nobody wrote (a takeover from the other region leaves room) are gaps: players skip them and keep count.
fn fill_hole(
    segments: &mut Vec<Segment>,
    before: &Entry,
    after: &Entry,
    rendition: &str,
) -> Result<(), Problem> {
    for number in before.number.0 + 1..after.number.0 {
        let missing = Entry { number: SegmentNumber(number), ..before.clone() };
        let duration = MediaDuration::new(u64::from(SEGMENT_SECONDS), 1).map_err(internal)?;
        segments
            .push(Segment::new(uri(&format!("/{}", missing.media_path(rendition)))?, duration).lost(true));
    }
    Ok(())
}

pub(super) fn uri(text: &str) -> Result<Uri, Problem> {
    text.parse().map_err(internal)
}

/// What we stored ourselves is not what it must be.
pub(super) fn internal(error: impl std::error::Error + 'static) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "a timeline entry cannot be shown");
    Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Internal error",
        "this deployment has a fault; its log says more",
    )
}
