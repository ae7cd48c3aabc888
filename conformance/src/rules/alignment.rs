//! Rules that hold renditions against each other. Segments are matched by their media sequence numbers, which Headwater
//! gives alike in all renditions; where they were not, boundaries would not be aligned either.

use std::collections::BTreeMap;

use crate::mp4::Handler;
use crate::presentation::{Item, Presentation, Rendition};
use crate::report::Findings;

/// One frame of AAC at the lowest common rate that is not below 44.1 kHz: 1024 / 44100 s.
const AAC_FRAME: f64 = 0.0233;
/// Ticks of different timescales never agree better than this.
const SAME_INSTANT: f64 = 0.000_5;
/// How far apart renditions may place the same instant: dates have milliseconds, sound is cut beside the picture.
const DATE_TOLERANCE: f64 = 0.05;
/// How much shorter the last segment of one rendition may be: sources end their tracks at slightly different times.
const END_TOLERANCE: f64 = 0.5;

/// The rendition that the others are compared with: pictures if there are any.
fn reference<'p, 'a>(presentation: &'p Presentation<'a>) -> Option<&'p Rendition<'a>> {
    presentation.videos().next().or(presentation.renditions.first())
}

/// Every other rendition's items beside those of the reference.
fn beside<'p, 'a>(
    presentation: &'p Presentation<'a>,
    mut look: impl FnMut(&Rendition<'a>, &Item<'a>, &Rendition<'a>, &Item<'a>),
) {
    let Some(first) = reference(presentation) else { return };
    for other in presentation.renditions.iter().filter(|one| one.url != first.url) {
        for (number, item) in &other.items {
            if let Some(beside) = first.items.get(number) {
                look(first, beside, other, item);
            }
        }
    }
}

fn start(item: &Item<'_>) -> Option<f64> {
    item.media.as_ref()?.as_ref().ok()?.start()
}

pub(super) fn boundaries(presentation: &Presentation<'_>, findings: &mut Findings) {
    beside(presentation, |first, beside, other, item| {
        let (Some(expected), Some(found)) = (start(beside), start(item)) else { return };
        let tolerance = if first.kind == Handler::Video && other.kind == Handler::Video {
            SAME_INSTANT
        } else {
            AAC_FRAME
        };
        findings.expect(
            (found - expected).abs() <= tolerance,
            format!("{} segment {}", other.name, item.segment.number),
            format!("begins at {found:.6} s"),
            format!("{expected:.6} s as {}", first.name),
        );
    });
}

pub(super) fn discontinuities(presentation: &Presentation<'_>, findings: &mut Findings) {
    beside(presentation, |first, beside, other, item| {
        let state = |item: &Item<'_>| (item.segment.discontinuity, item.segment.discontinuity_number);
        let ((flag, number), (expected_flag, expected)) = (state(item), state(beside));
        findings.expect(
            flag == expected_flag && number == expected,
            format!("{} segment {}", other.name, item.segment.number),
            format!("discontinuity {flag}, number {number}"),
            format!("{expected_flag}, {expected} as {}", first.name),
        );
    });
}

pub(super) fn dates(presentation: &Presentation<'_>, findings: &mut Findings) {
    beside(presentation, |first, beside, other, item| {
        let origin = |item: &Item<'_>| Some(item.segment.program_date_time? - start(item)?);
        let (Some(expected), Some(found)) = (origin(beside), origin(item)) else { return };
        findings.expect(
            (found - expected).abs() <= DATE_TOLERANCE,
            format!("{} segment {}", other.name, item.segment.number),
            format!("its date is {:+.3} s off", found - expected),
            format!("that of {}", first.name),
        );
    });
}

/// What has ended is compared as a whole; while it goes on, renditions are loaded at different times.
pub(super) fn range(presentation: &Presentation<'_>, findings: &mut Findings) {
    let mut ranges = BTreeMap::new();
    for (index, rendition) in presentation.renditions.iter().enumerate() {
        if let Some(newest) = rendition.newest().filter(|one| one.ended) {
            let seconds: f64 = newest.segments.iter().map(|one| one.duration).sum();
            ranges.insert(index, (newest.media_sequence, newest.segments.len(), seconds));
        }
    }
    let Some((_, &(from, count, seconds))) = ranges.first_key_value() else { return };
    for (index, found) in ranges.into_iter().skip(1) {
        let right = found.0 == from && found.1 == count && (found.2 - seconds).abs() <= END_TOLERANCE;
        findings.expect(
            right,
            &presentation.renditions[index].name,
            format!("{} segments from {}, {:.3} s", found.1, found.0, found.2),
            format!("{count} from {from}, {seconds:.3} s"),
        );
    }
}
