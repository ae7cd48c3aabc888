//! Rules over reloads: what a playlist may do while it is watched. With one load of each there is nothing to say.

use std::collections::{BTreeMap, HashMap};

use crate::playlist::{MediaPlaylist, Resource, Segment};
use crate::presentation::{Presentation, Rendition};
use crate::report::Findings;

/// Dates are written in milliseconds.
const SAME_DATE: f64 = 0.0015;

/// Each load of a rendition's playlist and the one after it.
fn pairs<'p>(
    presentation: &'p Presentation<'_>,
) -> impl Iterator<Item = (&'p str, &'p MediaPlaylist, &'p MediaPlaylist)> {
    presentation.renditions.iter().flat_map(|rendition| {
        let pairs = rendition.loads.windows(2);
        pairs.map(|pair| (rendition.name.as_str(), &pair[0].playlist, &pair[1].playlist))
    })
}

pub(super) fn media_sequence(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (name, before, after) in pairs(presentation) {
        let window =
            |one: &MediaPlaylist| (one.media_sequence, one.all().next_back().map(|last| last.number));
        let ((from, to), (was_from, was_to)) = (window(after), window(before));
        let found = format!("{from} to {to:?}");
        findings.expect(
            from >= was_from && to >= was_to,
            name,
            found,
            format!("at least {was_from} to {was_to:?}"),
        );
    }
}

pub(super) fn unchanged(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in presentation.renditions.iter().filter(|one| one.loads.len() > 1) {
        let mut known: BTreeMap<u64, &Segment> = BTreeMap::new();
        let mut numbers: HashMap<&Resource, u64> = HashMap::new();
        for segment in rendition.loads.iter().flat_map(|load| &load.playlist.segments) {
            let at = || format!("{} segment {}", rendition.name, segment.number);
            if let Some(resource) = &segment.resource {
                let number = *numbers.entry(resource).or_insert(segment.number);
                if number != segment.number {
                    findings.wrong(at(), format!("{resource} again"), format!("only as segment {number}"));
                }
            }
            let first = *known.entry(segment.number).or_insert(segment);
            findings.expect(
                same(first, segment),
                at(),
                describe(segment),
                format!("as before, {}", describe(first)),
            );
        }
    }
}

fn same(one: &Segment, other: &Segment) -> bool {
    let dates = match (one.program_date_time, other.program_date_time) {
        (Some(one), Some(other)) => (one - other).abs() <= SAME_DATE,
        // A date may be left out of one load where it follows from the others.
        _ => true,
    };
    dates
        && one.resource == other.resource
        && one.duration == other.duration
        && one.discontinuity == other.discontinuity
        && one.gap == other.gap
        && one.map == other.map
}

fn describe(segment: &Segment) -> String {
    let uri = segment.resource.as_ref().map(ToString::to_string).unwrap_or_default();
    let date = segment.program_date_time.map_or("none".into(), |date| format!("{date:.3}"));
    let (duration, broken, gap) = (segment.duration, segment.discontinuity, segment.gap);
    format!("{uri} {duration} s, date {date}, discontinuity {broken}, gap {gap}")
}

pub(super) fn target(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (name, before, after) in pairs(presentation) {
        let targets = |one: &MediaPlaylist| (one.target_duration, one.part_target);
        let (found, expected) = (targets(after), targets(before));
        findings.expect(found == expected, name, format!("{found:?}"), format!("{expected:?}"));
    }
}

pub(super) fn endlist(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for load in rendition.loads.iter().filter(|load| load.playlist.ended) {
            let goes_on = load.playlist.goes_on_after_end;
            findings.expect(!goes_on, &rendition.name, "lines after EXT-X-ENDLIST", "nothing");
        }
    }
    for (name, before, after) in pairs(presentation).filter(|(_, before, _)| before.ended) {
        let last = |one: &MediaPlaylist| one.segments.last().map(|last| last.number);
        let right = after.ended && last(after) == last(before);
        let found = format!("ended {}, last segment {:?}", after.ended, last(after));
        findings.expect(right, name, found, format!("ended at {:?}", last(before)));
    }
}

pub(super) fn discontinuity_count(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in presentation.renditions.iter().filter(|one| one.loads.len() > 1) {
        count(rendition, findings);
    }
}

fn count(rendition: &Rendition<'_>, findings: &mut Findings) {
    let mut known: BTreeMap<u64, u64> = BTreeMap::new();
    for load in rendition.loads.iter().filter(|load| load.playlist.discontinuity_sequence.is_some()) {
        // One for each load: one lost count would otherwise be told for every segment.
        let moved = load.playlist.segments.iter().find_map(|segment| {
            let found = segment.discontinuity_number;
            let expected = *known.entry(segment.number).or_insert(found);
            (found != expected).then_some((segment.number, found, expected))
        });
        match moved {
            Some((number, found, expected)) => {
                findings.wrong(
                    format!("{} segment {number}", rendition.name),
                    found,
                    format!("{expected} as before"),
                );
            }
            None => findings.right(),
        }
    }
}
