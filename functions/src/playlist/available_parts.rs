//! How far a timeline is for one rendition: which parts players are shown, and whether what they wait for is there.
//! Pure; must not know how one waits.

use headwater_domain::timeline::{Entry, EntryPart, Wanted, span_for};
use headwater_hls::{MediaDuration, PartTarget};

use super::directives::Position;

/// PART-TARGET in milliseconds: parts of 0.5 s are cut at a frame of video, and 25 frames of AAC are 0.5333 s. No part
/// of a source with 15 frames a second or more is longer, and none but a segment's last shorter than 85 % of it.
const PART_TARGET_MS: u64 = 534;
/// What the transcoder aims at.
pub(super) const PARTS_IN_SEGMENT: u64 = 4;
/// How many parts ahead a client may ask: three part targets below a second make this many (section 6.2.5.2, "Advance
/// Part Limit": 3 divided by the part target, rounded up).
const ADVANCE_PARTS: usize = 6;
/// How many segments behind the last complete one a client may ask for (section 6.2.5.2).
const ADVANCE_SEGMENTS: u64 = 2;

pub(super) fn part_target() -> PartTarget {
    PartTarget::from_millis(PART_TARGET_MS).expect("half a second is a duration")
}

/// The parts that players are shown, with their lengths.
///
/// Sources with few or irregular frames can have parts that break the rules for their length; those and the ones behind
/// them are left out, and players load the whole segment once it is there. An open segment's last part may turn out not
/// to be its last, so it must be long enough.
pub(super) fn shown<'a>(
    entry: &'a Entry,
    rendition: &Wanted,
) -> impl Iterator<Item = (&'a EntryPart, MediaDuration)> {
    let kind = rendition.found(entry).map(|found| found.kind.clone());
    let (target, last) = (part_target(), entry.parts.len().checked_sub(1).filter(|_| !entry.open));
    entry.parts.iter().enumerate().map_while(move |(index, part)| {
        let span = span_for(kind.as_ref(), part.video, part.audio)?;
        let duration = MediaDuration::new(span.duration.ticks, span.duration.timescale).ok()?;
        let fits = target.fits(duration) && (Some(index) == last || target.is_filled_by(duration));
        fits.then_some((part, duration))
    })
}

/// Number of the last segment that is shown, at least in parts, and the index of its last part.
pub(super) fn last_shown(entries: &[Entry], rendition: &Wanted) -> Option<(u64, Option<u64>)> {
    entries.iter().rev().find_map(|entry| {
        let parts = shown(entry, rendition).count() as u64;
        (!entry.open || parts > 0).then_some((entry.number.0, parts.checked_sub(1)))
    })
}

/// What to do about a request for something of a timeline's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    /// It is there.
    There,
    /// It comes next, in about so many parts.
    Ahead(u64),
    /// It is further ahead than what comes next. It may come, but nobody waits for it: each position that is waited for is a
    /// question of its own, which holds a Lambda slot.
    Later,
    /// It is too far ahead, or will never come.
    Never,
}

/// Whether the playlist has `wanted`. `entries`: the end of the timeline, resolved.
pub(super) fn judge(entries: &[Entry], rendition: &Wanted, wanted: Position) -> Availability {
    // Nothing is live yet; the playlist will say so.
    let Some(last) = entries.last() else { return Availability::There };
    let parts = |entry: &Entry| shown(entry, rendition).count();
    let wanted = wanted.normal(|number| {
        let asked = entries.iter().find(|entry| entry.number.0 == number);
        asked.filter(|entry| !entry.open || entry.number != last.number).map(parts)
    });
    let (number, there) = (last.number.0, parts(last));
    let is_there = match wanted.part {
        _ if wanted.segment < number => true,
        _ if wanted.segment > number => false,
        Some(part) => part < there,
        None => !last.open,
    };
    if is_there {
        return Availability::There;
    }
    let complete = if last.open { number.checked_sub(1) } else { Some(number) };
    let segments = wanted.segment - number;
    // Players that tune in count from the last part that they saw, and may name one behind the segment's end.
    let part_limit = ADVANCE_PARTS + if segments == 0 { there } else { PARTS_IN_SEGMENT as usize };
    let most = complete.map_or(ADVANCE_SEGMENTS - 1, |complete| complete + ADVANCE_SEGMENTS);
    if wanted.segment > most || wanted.part.is_some_and(|part| part >= part_limit) {
        return Availability::Never;
    }
    // Where it begins or, for a whole segment, ends, counted from the last segment's beginning.
    let target = segments * PARTS_IN_SEGMENT + wanted.part.map_or(PARTS_IN_SEGMENT, |part| part as u64 + 1);
    let done = if last.open { there as u64 } else { PARTS_IN_SEGMENT };
    let ahead = target.saturating_sub(done).max(1);
    let comes_next = match wanted.part {
        Some(_) => ahead == 1,
        None => wanted.segment == number + u64::from(!last.open),
    };
    if comes_next { Availability::Ahead(ahead) } else { Availability::Later }
}

impl Position {
    /// A part behind a complete segment's last one is the first of the next segment (section 6.2.5.2). Only the one right
    /// behind it: that is what a client asks for which has seen the segment open.
    fn normal(self, parts_of: impl Fn(u64) -> Option<usize>) -> Self {
        match (self.part, parts_of(self.segment)) {
            (Some(part), Some(parts)) if part == parts => Self { segment: self.segment + 1, part: Some(0) },
            _ => self,
        }
    }
}
