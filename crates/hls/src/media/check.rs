//! The rules that a window must keep so that players can play it.

use super::{LowLatency, MAX_FURTHER_BREAKS, PartProblem, PlaylistType, Window, WindowError};
use crate::{Part, Segment};

pub(super) fn check(window: &Window) -> Result<(), WindowError> {
    if window.segments.is_empty() && window.low_latency.as_ref().is_none_or(|low| low.open.is_none()) {
        return Err(WindowError::Empty);
    }
    if window.playlist_type == PlaylistType::Vod && !window.ended {
        return Err(WindowError::VodNotEnded);
    }
    // One more for the segment that is open or comes next.
    if window.media_sequence.checked_add(window.segments.len() as u64 + 1).is_none() {
        return Err(WindowError::SequenceOverflow);
    }
    for (index, segment) in window.segments.iter().enumerate() {
        check_segment(window, index, segment)?;
    }
    match &window.low_latency {
        Some(low) => check_low_latency(window, low),
        None if window.segments.iter().any(|segment| !segment.parts.is_empty()) => {
            Err(WindowError::PartsOutOfPlace)
        }
        None => Ok(()),
    }
}

fn check_segment(window: &Window, index: usize, segment: &Segment) -> Result<(), WindowError> {
    if !window.target_duration.fits(segment.duration) {
        let target = window.target_duration.seconds();
        return Err(WindowError::TooLong { index, duration: segment.duration, target });
    }
    if segment.map.is_none() && !segment.gap {
        return Err(WindowError::MapMissing { index });
    }
    check_breaks(index, segment.discontinuity, segment.further_breaks)?;
    check_time(window, index, segment.discontinuity, segment.program_date_time.is_some())?;
    match segment.byte_range {
        Some(range) if range.length == 0 || range.offset.checked_add(range.length).is_none() => {
            Err(WindowError::ByteRange { index })
        }
        _ => Ok(()),
    }
}

fn check_breaks(index: usize, discontinuity: bool, further: u64) -> Result<(), WindowError> {
    let most = if discontinuity { MAX_FURTHER_BREAKS } else { 0 };
    if further > most { Err(WindowError::FurtherBreaks { index, further }) } else { Ok(()) }
}

/// Apple authoring specification 8.4. At a break a player cannot extrapolate, so it holds for recordings too.
fn check_time(window: &Window, index: usize, discontinuity: bool, has_time: bool) -> Result<(), WindowError> {
    let needs_time = discontinuity || (index == 0 && window.playlist_type != PlaylistType::Vod);
    if needs_time && !has_time { Err(WindowError::DateTimeMissing { index }) } else { Ok(()) }
}

fn check_low_latency(window: &Window, low: &LowLatency) -> Result<(), WindowError> {
    if window.ended || window.playlist_type != PlaylistType::Live {
        return Err(WindowError::PartsOutOfPlace);
    }
    let target = low.part_target.duration();
    if target.micros() > u64::from(window.target_duration.seconds()) * 1_000_000 {
        return Err(WindowError::PartTarget(target));
    }
    for (index, segment) in window.segments.iter().enumerate() {
        let last = segment.parts.len().checked_sub(1);
        check_parts(low, index, &segment.parts, last, segment.gap)?;
    }
    let Some(open) = &low.open else { return Ok(()) };
    let index = window.segments.len();
    if open.parts.is_empty() {
        return Err(WindowError::OpenWithoutParts);
    }
    if open.map.is_none() && open.parts.iter().any(|part| !part.gap) {
        return Err(WindowError::MapMissing { index });
    }
    check_breaks(index, open.discontinuity, open.further_breaks)?;
    check_time(window, index, open.discontinuity, open.program_date_time.is_some())?;
    check_parts(low, index, &open.parts, None, true)
}

/// `last`: the index of the segment's last part, if that is known.
fn check_parts(
    low: &LowLatency,
    index: usize,
    parts: &[Part],
    last: Option<usize>,
    may_be_lost: bool,
) -> Result<(), WindowError> {
    for (part, listed) in parts.iter().enumerate() {
        let wrong = |problem| Err(WindowError::Part { index, part, problem });
        if !low.part_target.fits(listed.duration) {
            return wrong(PartProblem::TooLong);
        }
        if Some(part) != last && !low.part_target.is_filled_by(listed.duration) {
            return wrong(PartProblem::TooShort);
        }
        if listed.gap && !may_be_lost {
            return wrong(PartProblem::Gap);
        }
    }
    Ok(())
}
