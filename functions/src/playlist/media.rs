//! Media playlists: a rendition's window of the timeline.

use headwater_domain::control::ReplicatedState;
use headwater_domain::ports::{ReadControl, ReadStreams, ReadTimeline};
use headwater_domain::time::{MediaTime, Span};
use headwater_domain::timeline::{
    DiscontinuityCounts, Entry, Wanted, after_long_gap, in_force, in_window, latest_of_each_number, numbers,
    resolve, span_for, window_bounds,
};
use headwater_domain::{BroadcastId, Timestamp};
use headwater_hls::{
    MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, Uri, WallClock, Window,
};

use super::common::{SEGMENT_SECONDS, internal, object_uri};
use super::gaps::{breaks, fill_gap};
use super::output::{CachePolicy, Reply};
use super::renditions::{AT_EITHER_END, Name};
use super::{PlaylistFunction, not_live, unknown_broadcast};
use crate::reply::Problem;

/// Fewer segments than this are never a live window (Apple HLS authoring specification 8.11 wants six).
const MIN_SEGMENTS: usize = 6;
/// Entries read beyond the window: those of a lower lease that a higher one has replaced, and the one that is open.
const OVERLAP: usize = 7;
/// Entries beyond which a window is not read anew for the sake of replaced ones: it has many numbers then.
const MAX_READ: usize = 400;

impl<T: ReadControl + ReadTimeline + ReadStreams, P> PlaylistFunction<T, P> {
    /// The live window of one rendition, in whole segments.
    pub(super) async fn live_media(
        &self,
        broadcast: &BroadcastId,
        rendition: &str,
        first_try: bool,
        address: &Uri,
    ) -> Result<Reply, Problem> {
        let name = self.look_up(broadcast, rendition).await?;
        if matches!(name, Name::Unknown) {
            return Err(Problem::not_found("rendition"));
        }
        let replicated = self.replicated_state(&broadcast.stream(), first_try).await?;
        let Name::Known(rendition) = name else { return Err(self.nothing_of(&replicated)) };
        let entries = self.shown_entries(broadcast, &replicated).await?;
        let ended = has_ended(&replicated, broadcast, self.context.now());
        let cache = match ended {
            true => self.may_still_be_watched(&replicated, broadcast, &entries).await?,
            false => CachePolicy::Second,
        };
        let window = window(&entries, &rendition, PlaylistType::Live, ended)?;
        let window = window.ok_or_else(|| self.nothing_of(&replicated))?;
        Ok(Reply::playlist(checked(window, address)?.render(), cache))
    }

    /// All of one rendition, once the broadcast has ended.
    pub(super) async fn vod_media(
        &self,
        broadcast: &BroadcastId,
        rendition: &str,
        address: &Uri,
    ) -> Result<Reply, Problem> {
        let none = || Problem::not_found("rendition");
        let rendition = match self.look_up(broadcast, rendition).await? {
            Name::Known(rendition) => rendition,
            Name::Unknown => Wanted::fixed(rendition).ok_or_else(none)?,
            Name::NothingYet => return Err(self.nothing_of_recording(broadcast).await),
        };
        let entries = self.finished(broadcast).await?;
        if !entries.iter().any(|entry| rendition.found(entry).is_some()) {
            return Err(none());
        }
        let window = window(&entries, &rendition, PlaylistType::Vod, true)?.ok_or_else(none)?;
        Ok(Reply::playlist(checked(window, address)?.render(), CachePolicy::Minute))
    }

    /// The whole timeline of a broadcast that has ended and can be watched again.
    pub(super) async fn finished(&self, broadcast: &BroadcastId) -> Result<Vec<Entry>, Problem> {
        let replicated = self.table.replicated_state(&broadcast.stream()).await?;
        if !has_ended(&replicated, broadcast, self.context.now()) {
            return Err(not_live(replicated.state(self.context.now()))
                .with("hint", "the recording is here once the broadcast has ended"));
        }
        self.must_be_recorded(broadcast, &self.table.newest(broadcast, AT_EITHER_END).await?).await?;
        let now = self.context.now();
        let mut entries = resolve(self.table.all(broadcast).await?);
        entries.retain(|entry| !self.kept_for.is_over(entry, now));
        if entries.is_empty() { Err(unknown_broadcast(broadcast)) } else { Ok(entries) }
    }

    /// The entries of the live window, oldest first; the last one may be open.
    pub(super) async fn shown_entries(
        &self,
        broadcast: &BroadcastId,
        replicated: &ReplicatedState,
    ) -> Result<Vec<Entry>, Problem> {
        let segments = window_segments(replicated);
        let (written, is_all) = self.window_of(broadcast, segments).await?;
        let window = window_bounds(&written, is_all, segments);
        let written = in_force(written);
        let counts = DiscontinuityCounts::of(
            &written,
            replicated.lease_progress(broadcast).map(|(_, progress)| progress),
        );
        let mut entries = in_window(resolve(written), window.clone());
        if !is_all && entries.iter().all(|entry| entry.open) {
            // A task that was replaced and did not hear of it has run ahead, and its successor has not come so far yet. What was
            // shown stays until it has.
            let (written, _) = self.window_of(broadcast, segments).await?;
            entries = in_window(latest_of_each_number(written), window);
        }
        entries.drain(..after_long_gap(&entries));
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

    /// Why there is no playlist of a broadcast yet.
    pub(super) fn nothing_of(&self, replicated: &ReplicatedState) -> Problem {
        not_live(replicated.state(self.context.now()))
    }

    /// Why there is no recording of a broadcast without entries.
    pub(super) async fn nothing_of_recording(&self, broadcast: &BroadcastId) -> Problem {
        match self.table.replicated_state(&broadcast.stream()).await {
            Ok(replicated) if has_ended(&replicated, broadcast, self.context.now()) => {
                unknown_broadcast(broadcast)
            }
            Ok(replicated) => self.nothing_of(&replicated),
            Err(error) => error.into(),
        }
    }
}

/// Segments of the stream's DVR window.
pub(super) fn window_segments(replicated: &ReplicatedState) -> usize {
    let seconds = replicated.session().map_or(60, |session| session.settings.dvr_window_seconds);
    MIN_SEGMENTS.max((seconds / SEGMENT_SECONDS) as usize)
}

/// Whether nothing more comes to a broadcast: it is the one that holds and is settled, or another one holds and its task,
/// which may have media yet to write, has left.
pub(super) fn has_ended(replicated: &ReplicatedState, broadcast: &BroadcastId, now: Timestamp) -> bool {
    match replicated.broadcast() {
        Some(current) if current == broadcast => replicated.is_settled(now),
        Some(current) => broadcast < current && !replicated.is_written(broadcast, now),
        // A region that has heard nothing of the stream yet.
        None => false,
    }
}

/// A window that players can play, as it is served at `address`.
pub(super) fn checked(window: Window, address: &Uri) -> Result<MediaPlaylist, Problem> {
    MediaPlaylist::new(window.relative_to(address)).map_err(internal)
}

/// The entries as one rendition's window of whole segments: one that is still open at the end is left out. `None` if
/// there is nothing to show.
pub(super) fn window(
    entries: &[Entry],
    rendition: &Wanted,
    playlist_type: PlaylistType,
    ended: bool,
) -> Result<Option<Window>, Problem> {
    let closed = match entries.split_last() {
        Some((last, before)) if last.open => before,
        _ => entries,
    };
    let Some(first) = closed.first() else { return Ok(None) };
    let segments = segments(closed, &breaks(entries), rendition)?;
    Ok(Some(window_from(first, segments, playlist_type, ended)))
}

/// A window that begins with `first`.
pub(super) fn window_from(
    first: &Entry,
    mut segments: Vec<Segment>,
    playlist_type: PlaylistType,
    ended: bool,
) -> Window {
    let setting = TargetDuration::from_seconds(SEGMENT_SECONDS).expect("two seconds are a target duration");
    let target_duration = match playlist_type {
        // Players may have it since before the longest segment was made, and it must never change.
        PlaylistType::Live => {
            segments.iter_mut().for_each(|segment| segment.duration = setting.cut(segment.duration));
            setting
        }
        // Nothing is added to it any more.
        PlaylistType::Event | PlaylistType::Vod => {
            TargetDuration::fitting(segments.iter().map(|segment| segment.duration)).max(setting)
        }
    };
    Window {
        target_duration,
        media_sequence: first.number.0,
        discontinuity_sequence: first.discontinuities_before(),
        playlist_type,
        ended,
        independent_segments: true,
        segments,
        low_latency: None,
    }
}

/// Each number's segment of one rendition, as far as entries and the gaps between them go. `breaks`: how many are shown
/// before each entry.
pub(super) fn segments(
    entries: &[Entry],
    breaks: &[u64],
    rendition: &Wanted,
) -> Result<Vec<Segment>, Problem> {
    let mut segments = Vec::with_capacity(entries.len());
    let mut map = None;
    for (index, (entry, breaks)) in entries.iter().zip(breaks).enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &entries[before]) {
            fill_gap(&mut segments, before, entry, rendition.name())?;
        }
        segments.push(segment(entry, *breaks, rendition, &mut map)?);
    }
    Ok(segments)
}

/// An entry that is open and not the last one has lost its writer: players skip it, too.
fn segment(
    entry: &Entry,
    breaks: u64,
    rendition: &Wanted,
    map: &mut Option<Uri>,
) -> Result<Segment, Problem> {
    let found = rendition.found(entry);
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
    if let Some(found) = found.filter(|_| entry.has_init()) {
        *map = Some(object_uri(&found.init)?);
    }
    let name = found.map_or(rendition.name(), |found| &found.name);
    let duration = MediaDuration::new(span.duration.ticks, span.duration.timescale).map_err(internal)?;
    let mut segment = Segment::new(object_uri(&entry.media_path(name))?, duration)
        .at(WallClock::from_unix_ms(entry.program_date_time.0).map_err(internal)?)
        .after_breaks(breaks)
        .lost(!present);
    if let Some(map) = map {
        segment = segment.with_map(map.clone());
    }
    Ok(segment)
}
