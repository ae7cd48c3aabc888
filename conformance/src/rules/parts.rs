//! Rules about partial segments (low latency); without EXT-X-PART-INF there are none.

use std::collections::{BTreeMap, BTreeSet};

use crate::mp4::{Handler, Media, Sample};
use crate::presentation::{Item, PartItem, Presentation, Rendition};
use crate::report::Findings;

use super::video::begins_with_idr;

/// The least length of most parts, of PART-TARGET.
const MIN_PART: f64 = 0.85;
/// Durations are written in microseconds.
const ROUNDING: f64 = 0.000_001;

/// Segments with their parts, where there are any.
fn parents<'p, 'a>(
    presentation: &'p Presentation<'a>,
) -> impl Iterator<Item = (&'p Rendition<'a>, &'p Item<'a>)> {
    let low = presentation.renditions.iter().filter(|one| one.is_low_latency());
    low.flat_map(|one| one.items.values().map(move |item| (one, item)))
        .filter(|(_, item)| !item.parts.is_empty())
}

fn each<'p, 'a>(
    presentation: &'p Presentation<'a>,
) -> impl Iterator<Item = (String, &'p Rendition<'a>, &'p Item<'a>, usize, &'p PartItem)> {
    parents(presentation).flat_map(|(rendition, item)| {
        item.parts.iter().enumerate().map(move |(index, part)| {
            let at = format!("{} segment {} part {index}", rendition.name, item.segment.number);
            (at, rendition, item, index, part)
        })
    })
}

fn readable(part: &PartItem) -> Option<&Media> {
    part.media.as_ref()?.as_ref().ok()
}

pub(super) fn target(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, rendition, item, index, part) in each(presentation) {
        let Some(target) = rendition.newest().and_then(|one| one.part_target) else { continue };
        let next = item.parts.get(index + 1);
        // The last part of the segment that is being made need not be its last.
        let last = next.is_none();
        let free = last || part.part.independent || part.part.gap || next.is_some_and(|next| next.part.gap);
        let (found, least) = (part.part.duration, if free { 0.0 } else { MIN_PART * target });
        let right = found <= target + ROUNDING && found + ROUNDING >= least;
        findings.expect(right, at, format!("{found} s"), format!("{least:.3} to {target} s"));
    }
}

pub(super) fn duration(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, _, _, _, part) in each(presentation) {
        let Some(media) = readable(part) else { continue };
        let frame = media.samples.iter().map(|one| one.duration).max().unwrap_or(0);
        let frame = f64::from(frame) / f64::from(media.timescale);
        let (found, expected) = (part.part.duration, media.seconds());
        let right = (found - expected).abs() < frame.max(ROUNDING);
        findings.expect(right, at, format!("{found} s"), format!("{expected:.6} s"));
    }
}

pub(super) fn available(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, _, _, _, part) in each(presentation).filter(|(.., part)| !part.part.gap) {
        let resource = &part.part.resource;
        let asked = presentation.recording.exchanges.iter().find(|one| {
            one.ask == crate::Ask::Object && one.url == resource.url && one.range == resource.range
        });
        if let Some(exchange) = asked {
            findings.expect(exchange.is_ok(), at, format!("status {}", exchange.status), "it, or GAP=YES");
        }
    }
}

/// How far the folders of a segment and its parts are apart. More than usual: a writer that took over in mid-segment has made
/// the segment anew, and lists the parts that were out before.
fn apart(item: &Item<'_>) -> usize {
    let Some(segment) = item.segment.resource.as_ref().map(|one| one.url.path()) else { return 0 };
    let names = |path: &str| path.split('/').rev().skip(1).map(str::to_owned).collect::<BTreeSet<_>>();
    let of_parts = item.parts.iter().map(|part| names(part.part.resource.url.path()));
    of_parts.map(|folder| names(segment).difference(&folder).count()).max().unwrap_or(0)
}

pub(super) fn make_segment(presentation: &Presentation<'_>, findings: &mut Findings) {
    let mut usual: BTreeMap<&str, usize> = BTreeMap::new();
    for (rendition, item) in parents(presentation) {
        let least = usual.entry(&rendition.name).or_insert(usize::MAX);
        *least = apart(item).min(*least);
    }
    for (rendition, item) in parents(presentation) {
        let Some(Ok(whole)) = &item.media else { continue };
        let Some(parts) = item.parts.iter().map(readable).collect::<Option<Vec<_>>>() else { continue };
        let of_parts: Vec<&Sample> = parts.iter().flat_map(|one| &one.samples).collect();
        let at = || format!("{} segment {}", rendition.name, item.segment.number);
        // A client that came in the middle does not know the first parts.
        let known = whole.samples.len().saturating_sub(of_parts.len());
        if item.parts.len() < 2 && known > 0 {
            continue;
        }
        let made_anew = apart(item) > usual.get(rendition.name.as_str()).copied().unwrap_or(0);
        let count = (of_parts.len(), whole.samples.len());
        let equal = count.0 == count.1
            && of_parts.iter().zip(&whole.samples).all(|(part, whole)| {
                (part.dts, part.pts, part.duration) == (whole.dts, whole.pts, whole.duration)
                    && (made_anew || part.digest == whole.digest)
            });
        findings.expect(
            equal,
            at(),
            format!("{} samples in its parts", count.0),
            format!("the same {}", count.1),
        );
    }
}

pub(super) fn independent(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, rendition, _, index, part) in
        each(presentation).filter(|(_, one, ..)| one.kind == Handler::Video)
    {
        let Some(begins) = readable(part).and_then(begins_with_idr) else { continue };
        let independent = part.part.independent;
        if independent {
            findings.expect(begins, at, "INDEPENDENT=YES without an IDR picture first", "an IDR picture");
        } else if index == 0 && rendition.newest().is_some_and(|one| one.independent_segments) {
            findings.wrong(at, "no INDEPENDENT=YES", "it, as segments are independent");
        }
    }
}
