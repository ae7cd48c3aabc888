//! Numbers of the window of which nothing is there: a takeover from the other region leaves room, and a replica may have
//! entries in any order. Players skip them, and keep count.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use headwater_domain::SegmentNumber;
use headwater_domain::stream::DVR_WINDOW_SECONDS;
use headwater_domain::timeline::Entry;
use headwater_hls::{MAX_FURTHER_BREAKS, MediaDuration, Segment};

use super::common::{SEGMENT_SECONDS, internal, object_uri};
use crate::reply::Problem;

/// Numbers in a row that nobody wrote and that are still shown as gaps: the longest live window. A takeover leaves some
/// hundred at most; behind a longer gap a live window begins anew, and a recording leaves out the rest.
const MAX_GAP_NUMBERS: u64 = (*DVR_WINDOW_SECONDS.end() / SEGMENT_SECONDS) as u64;
/// Of a gap: numbers that a takeover leaves free for what it cannot see are more than the time that has passed has segments.
const SHORTEST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(SEGMENT_SECONDS as u64);

/// The numbers that anybody wrote.
pub(super) fn numbers(written: &[Entry]) -> BTreeSet<SegmentNumber> {
    written.iter().map(|entry| entry.number).collect()
}

/// Discontinuities before an entry. One that is shown behind another lease's entry stands behind a break that its own lease
/// has not counted.
pub(super) fn breaks_before(entry: &Entry) -> u64 {
    entry.discontinuities.saturating_sub(entry.discontinuity.into())
}

/// The live window's first number, and the newest that anybody wrote. It is counted over every number that was ever
/// written, so that a higher lease that replaces the end of a lower one does not pull the window back: what has left a
/// playlist never returns to it (RFC 8216bis §6.2.2). The newest number counts once somebody has closed it; until then
/// it is shown beside the window. A window that is not full yet begins with the broadcast, whatever is known of it:
/// the replica of another region has entries in any order.
pub(super) fn window_bounds(
    written: &[Entry],
    is_all: bool,
    segments: usize,
) -> RangeInclusive<SegmentNumber> {
    let numbers = numbers(written);
    let newest = numbers.last().copied().unwrap_or_default();
    let is_open = written.iter().filter(|entry| entry.number == newest).all(|entry| entry.open);
    let gone = numbers.len().saturating_sub(segments + usize::from(is_open));
    let oldest = if gone == 0 && is_all { None } else { numbers.into_iter().nth(gone) };
    oldest.unwrap_or_default()..=newest
}

/// What of `line` is in the window. It begins where it must, with gaps if nothing is there; also if the lease that
/// holds is not as far yet as one that it has replaced.
pub(super) fn in_window(mut line: Vec<Entry>, window: RangeInclusive<SegmentNumber>) -> Vec<Entry> {
    let (oldest, newest) = window.into_inner();
    let Some(last) = line.last().cloned() else { return line };
    let shown = line.partition_point(|entry| entry.number < oldest);
    let breaks = line[..shown].last().map(|before| before.discontinuities);
    line.drain(..shown);
    match line.first() {
        Some(first) if first.number > oldest => {
            // As many breaks as are known of before the window; the others stand behind the gap.
            let known = breaks.or((oldest.0 == 0).then_some(0)).unwrap_or(u64::MAX);
            line.insert(0, missing(first, oldest, known.min(breaks_before(first))));
        }
        Some(_) => {}
        None => {
            let window_bounds = BTreeSet::from([oldest, newest]);
            line.extend(window_bounds.into_iter().map(|number| missing(&last, number, last.discontinuities)));
        }
    }
    line
}

/// A number of which nothing is there, near an entry of which something is.
fn missing(near: &Entry, number: SegmentNumber, discontinuities: u64) -> Entry {
    let length = |segments: u64| Duration::from_secs(segments * u64::from(SEGMENT_SECONDS));
    let (ahead, behind) = (near.number.0.saturating_sub(number.0), number.0.saturating_sub(near.number.0));
    Entry {
        number,
        program_date_time: near.program_date_time - length(ahead) + length(behind),
        discontinuity: false,
        discontinuities,
        gap: true,
        open: false,
        parts: Vec::new(),
        ..near.clone()
    }
}

/// The numbers between two entries as gaps, which together last as long as what is missing, as far as that can be told.
pub(super) fn fill_gap(
    segments: &mut Vec<Segment>,
    before: &Entry,
    after: &Entry,
    rendition: &str,
) -> Result<(), Problem> {
    // A gap in a recording can be as long as somebody likes; in a live window none is longer.
    let first = (before.number.0 + 1).max(after.number.0.saturating_sub(MAX_GAP_NUMBERS));
    let missing = after.number.0.saturating_sub(first);
    let time = after.program_date_time.since(before.until());
    let each = time.checked_div(u32::try_from(missing).unwrap_or(u32::MAX)).unwrap_or_default();
    let each = u64::try_from(each.clamp(SHORTEST_GAP, LONGEST_GAP).as_millis()).unwrap_or(u64::MAX);
    let duration = MediaDuration::new(each, 1_000).map_err(internal)?;
    for number in first..after.number.0 {
        let missing = Entry { number: SegmentNumber(number), ..before.clone() };
        segments.push(Segment::new(object_uri(&missing.media_path(rendition))?, duration).lost(true));
    }
    Ok(())
}

/// How many breaks are shown before each entry. None stands before a gap: hls.js loads sound only once a picture has told
/// where time begins behind a break, and of a gap there never will be one, so it would stand still until the gaps have
/// left the window. They stand before the next segment that is there, a tag for each, also those that were counted in a
/// gap; so no segment's discontinuity sequence number changes while the window slides.
pub(super) fn breaks_shown(entries: &[Entry]) -> Vec<u64> {
    let mut due = 0;
    let mut shown = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &entries[before])
            && before.number.next() < entry.number
        {
            due += breaks_before(entry).saturating_sub(before.discontinuities);
        }
        due += u64::from(entry.discontinuity);
        let is_lost = entry.gap || (entry.open && index + 1 < entries.len());
        shown.push(if is_lost { 0 } else { std::mem::take(&mut due).min(1 + MAX_FURTHER_BREAKS) });
    }
    shown
}

/// The first entry behind the last gap that is too long to be shown.
pub(super) fn after_long_gap(entries: &[Entry]) -> usize {
    let too_long = |pair: &[Entry]| pair[1].number.0 - pair[0].number.0 > MAX_GAP_NUMBERS;
    entries.windows(2).rposition(too_long).map_or(0, |before| before + 1)
}
