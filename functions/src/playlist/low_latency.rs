//! Low-latency media playlists: the window with parts, what comes next, and how far the other renditions are.
//!
//! A request with directives waits (see `wait`) and is then rendered from one query of the window, as any other is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_domain::paths::{EdgePath, RenditionName, part_path};
use headwater_domain::ports::{ReadControl, ReadStreams, ReadTimeline};
use headwater_domain::timeline::{Entry, EntryPart, EntryRendition, Wanted};
use headwater_domain::{BroadcastId, Region};
use headwater_hls::{
    LowLatency, MediaDuration, OpenSegment, Part, PlaylistType, RenditionReport, Segment, Uri, WallClock,
    Window,
};

use super::available_parts::{Availability, judge, last_shown, part_target, shown};
use super::common::{SEGMENT_SECONDS, internal, object_uri, uri};
use super::directives::{Directives, refused};
use super::gaps::{self, fill_gap};
use super::media::{checked, has_ended, segments, window, window_from};
use super::output::{CachePolicy, Reply};
use super::renditions::Name;
use super::wait::{PATIENCE, Waited};
use super::{Attempt, PlaylistFunction};
use crate::reply::Problem;

/// Newest entries whose parts are written down. Players want those of three target durations, which are three segments
/// or, where a source breaks often, some more; the playlist leaves out what is too old.
const ENTRIES_IN_PARTS: usize = 8;

/// A request for a low-latency playlist.
pub(super) struct PlaylistRequest {
    /// The region in the path; the other renditions' playlists are in it as well.
    pub(super) region: Region,
    pub(super) broadcast: BroadcastId,
    pub(super) rendition: RenditionName,
    pub(super) attempt: Attempt,
    pub(super) directives: Directives,
    /// Where the playlist is served.
    pub(super) address: Uri,
}

/// Whether a broadcast is published in parts.
pub(super) fn in_parts(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| !entry.parts.is_empty())
}

impl<T: ReadControl + ReadTimeline + ReadStreams, P> PlaylistFunction<T, P> {
    /// The live window of one rendition, in parts at its end.
    pub(super) async fn low_latency_media(&self, request: &PlaylistRequest) -> Result<Reply, Problem> {
        let PlaylistRequest { broadcast, directives, .. } = request;
        let name = self.look_up(broadcast, request.rendition.as_str()).await?;
        if matches!(name, Name::Unknown) {
            return Err(Problem::not_found("rendition"));
        }
        let replicated =
            self.replicated_state(&broadcast.stream(), request.attempt == Attempt::First).await?;
        let Name::Known(rendition) = name else { return Err(self.nothing_of(&replicated)) };
        let ended = has_ended(&replicated, broadcast, self.context.now());
        // Nothing comes any more: whatever was asked for, this is all there is.
        let satisfied = !ended && self.is_satisfied(request, &rendition).await?;
        let entries = self.shown_entries(broadcast, &replicated).await?;
        let cache = match (ended, satisfied) {
            (true, _) => self.may_still_be_watched(&replicated, broadcast, &entries).await?,
            (false, true) => CachePolicy::Satisfied,
            (false, false) => CachePolicy::Second,
        };
        let window = match in_parts(&entries) && !ended {
            true => {
                let hands_over = |last: &Entry| replicated.hands_over(&last.lease, self.context.now());
                low_latency_window(&entries, request, &rendition, hands_over)?
            }
            false => window(&entries, &rendition, PlaylistType::Live, ended)?,
        };
        let playlist = checked(window.ok_or_else(|| self.nothing_of(&replicated))?, &request.address)?;
        let text = if directives.delta { playlist.render_delta() } else { playlist.render() };
        Ok(Reply::playlist(text, cache))
    }

    /// Waits for what was asked for, if anything was; whether it came.
    async fn is_satisfied(&self, request: &PlaylistRequest, rendition: &Wanted) -> Result<bool, Problem> {
        let Some(until) = request.directives.until else { return Ok(false) };
        let may_wait = request.attempt != Attempt::Second;
        let patience = if may_wait && request.directives.canonical { PATIENCE } else { Duration::ZERO };
        let is_made = AtomicBool::new(true);
        let judge = |entries: &[Entry]| {
            let made = entries.iter().any(|entry| rendition.found(entry).is_some());
            is_made.store(made, Ordering::Relaxed);
            // Nobody waits for what is not made; the playlist will say that there is none.
            if made { judge(entries, rendition, until) } else { Availability::There }
        };
        match self.wait(&request.broadcast, patience, judge).await?.0 {
            Waited::There => Ok(is_made.load(Ordering::Relaxed)),
            // On the second try this region may just not know yet what the other one has told the viewer.
            Waited::Never if may_wait => {
                Err(refused("what _HLS_msn and _HLS_part ask for is more than two segments ahead"))
            }
            Waited::Never | Waited::Later | Waited::InVain => Ok(false),
        }
    }
}

fn low_latency_window(
    entries: &[Entry],
    request: &PlaylistRequest,
    rendition: &Wanted,
    hands_over: impl Fn(&Entry) -> bool,
) -> Result<Option<Window>, Problem> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
    let closed = if last.open { &entries[..entries.len() - 1] } else { entries };
    let breaks = gaps::breaks(entries);
    let mut segments = segments(closed, &breaks, rendition)?;
    if let Some(before) = closed.last() {
        fill_gap(&mut segments, before, last, rendition.name())?;
    }
    add_parts(&mut segments, closed, first.number.0, rendition)?;
    // Over a handover nobody knows whose the next part will be: its path names the lease.
    let hint = hint(last, rendition).filter(|_| last.open || !hands_over(last));
    let low_latency = LowLatency {
        part_target: part_target(),
        open: open_segment(closed, last, breaks[entries.len() - 1], rendition)?,
        hint: hint.map(|key| object_uri(&key)).transpose()?,
        reports: reports(entries, request)?,
    };
    let window = window_from(first, segments, PlaylistType::Live, false);
    if window.segments.is_empty() && low_latency.open.is_none() {
        return Ok(None);
    }
    Ok(Some(Window { low_latency: Some(low_latency), ..window }))
}

/// The parts of the newest segments; a segment that lost its writer is a gap as a whole.
fn add_parts(
    segments: &mut [Segment],
    entries: &[Entry],
    first: u64,
    rendition: &Wanted,
) -> Result<(), Problem> {
    // A segment that is whole although one of its parts could not be stored is loaded as a whole.
    let in_parts = |entry: &&Entry| !entry.open && !entry.parts.iter().any(|part| part.gap);
    for entry in entries.iter().rev().take(ENTRIES_IN_PARTS).filter(in_parts) {
        let index = usize::try_from(entry.number.0 - first).unwrap_or(usize::MAX);
        if let Some(segment) = segments.get_mut(index) {
            segment.parts = parts(entry, rendition)?;
        }
    }
    Ok(())
}

fn parts(entry: &Entry, rendition: &Wanted) -> Result<Vec<Part>, Problem> {
    let found = rendition.found(entry);
    let name = found.map_or(rendition.name(), |found| &found.name);
    let is_audio = found.is_some_and(|one| one.kind.is_audio());
    let make = |(index, (part, duration)): (usize, (&EntryPart, MediaDuration))| {
        Ok(Part {
            uri: object_uri(&entry.part_path(name, index))?,
            duration,
            // Every frame of AAC decodes by itself.
            independent: part.independent || is_audio,
            gap: entry.gap || part.gap || found.is_none(),
        })
    };
    shown(entry, rendition).enumerate().map(make).collect()
}

/// What there is of the segment that is being made, if anything is shown of it.
fn open_segment(
    closed: &[Entry],
    last: &Entry,
    breaks: u64,
    rendition: &Wanted,
) -> Result<Option<OpenSegment>, Problem> {
    let parts = if last.open { parts(last, rendition)? } else { Vec::new() };
    if parts.is_empty() {
        return Ok(None);
    }
    let inits = std::iter::once(last).chain(closed.iter().rev());
    let mut stored = inits.filter(|entry| entry.has_init());
    let init = stored.find_map(|entry| rendition.found(entry)).map(|found| &found.init);
    Ok(Some(OpenSegment {
        map: init.map(|init| object_uri(init)).transpose()?,
        discontinuity: breaks > 0,
        further_breaks: breaks.saturating_sub(1),
        program_date_time: Some(WallClock::from_unix_ms(last.program_date_time.0).map_err(internal)?),
        parts,
    }))
}

/// The part that comes next. None while that is open: an open segment of full length may be closed, or go on until its
/// source has a key frame.
fn hint(last: &Entry, rendition: &Wanted) -> Option<String> {
    // Where nothing of its kind is made there is none.
    let name = &rendition.found(last)?.name;
    if !last.open {
        let number = last.number.next();
        return Some(part_path(&last.broadcast, &last.lease, name, number, 0));
    }
    let parts = last.parts.len();
    let all_are_shown = shown(last, rendition).count() == parts;
    let may_be_over =
        last.span().is_some_and(|span| span.duration.seconds() > f64::from(SEGMENT_SECONDS) - 0.1);
    (all_are_shown && !may_be_over).then(|| last.part_path(name, parts))
}

fn reports(entries: &[Entry], request: &PlaylistRequest) -> Result<Vec<RenditionReport>, Problem> {
    let Some(last) = entries.last() else { return Ok(Vec::new()) };
    let others = last.renditions.iter().filter(|one| one.name != request.rendition.as_str());
    let report = |one: &EntryRendition| -> Result<Option<RenditionReport>, Problem> {
        let Some((last_segment, last_part)) = last_shown(entries, &Wanted::of(one)) else { return Ok(None) };
        let name = one.name.parse().map_err(internal)?;
        let path = EdgePath::LowLatency(request.region.clone(), request.broadcast.clone(), name);
        Ok(Some(RenditionReport { uri: uri(&path)?, last_segment, last_part }))
    };
    others.filter_map(|one| report(one).transpose()).collect()
}
