//! Rules about pictures.

use crate::mp4::{Codec, Media, Sample};
use crate::playlist::Segment;
use crate::presentation::{Presentation, Rendition};
use crate::report::Findings;

/// The longest time without an IDR picture: two seconds, and what half a second of irregular keyframes adds.
const MAX_IDR_INTERVAL: f64 = 2.5;
/// `profile_idc` of Baseline, Main and High.
const PROFILES: [u8; 3] = [66, 77, 100];
/// Level 5.2.
const MAX_LEVEL: u8 = 52;

fn is_idr(sample: &Sample) -> bool {
    sample.picture.is_some_and(|picture| picture.idr)
}

/// Whether a file begins with an IDR picture; `None` if it has no H.264.
pub(super) fn begins_with_idr(media: &Media) -> Option<bool> {
    let first = media.samples.first()?;
    first.picture.map(|picture| picture.idr)
}

fn segments<'p>(
    presentation: &'p Presentation<'_>,
) -> impl Iterator<Item = (&'p Rendition<'p>, &'p Segment, &'p Media)> {
    presentation.videos().flat_map(|one| one.media().map(move |(segment, media)| (one, segment, media)))
}

fn at(rendition: &Rendition<'_>, segment: &Segment) -> String {
    format!("{} segment {}", rendition.name, segment.number)
}

pub(super) fn idr_first(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, segment, media) in segments(presentation) {
        if let Some(right) = begins_with_idr(media) {
            findings.expect(right, at(rendition, segment), "another picture first", "an IDR picture");
        }
    }
}

pub(super) fn idr_interval(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in presentation.videos() {
        for run in rendition.runs() {
            let mut last = None;
            for (segment, media) in run {
                for sample in media.samples.iter().filter(|one| is_idr(one)) {
                    let time = sample.pts as f64 / f64::from(media.timescale);
                    if let Some(since) = last.replace(time).map(|last| time - last) {
                        let found = format!("{since:.3} s without");
                        findings.expect(
                            since <= MAX_IDR_INTERVAL,
                            at(rendition, segment),
                            found,
                            "about 2 s",
                        );
                    }
                }
            }
        }
    }
}

pub(super) fn leading(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, segment, media) in segments(presentation) {
        let Some(first) = media.samples.first() else { continue };
        let before = media.samples.iter().filter(|one| one.pts < first.pts).count();
        findings.expect(before == 0, at(rendition, segment), format!("{before} leading pictures"), "none");
    }
}

pub(super) fn sync(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, segment, media) in segments(presentation) {
        let wrong = media.samples.iter().position(|one| one.picture.is_some() && one.sync != is_idr(one));
        let found = format!("sample {} is flagged otherwise", wrong.unwrap_or(0));
        findings.expect(wrong.is_none(), at(rendition, segment), found, "sync exactly where IDR");
    }
}

/// In `avc1` the sample entry has all parameter sets; decoders are set up by it and need not look for others in samples.
pub(super) fn parameter_sets(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, segment, media) in segments(presentation) {
        let pictures = media.samples.iter().filter_map(|one| one.picture);
        let foreign = pictures.clone().filter(|picture| picture.foreign_sets).count();
        if pictures.count() > 0 {
            let found = format!("{foreign} samples with parameter sets of their own");
            findings.expect(
                foreign == 0,
                at(rendition, segment),
                found,
                "those of the sample entry, or none",
            );
        }
    }
}

pub(super) fn profile(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in presentation.videos() {
        for (map, init) in &rendition.inits {
            for track in init.iter().flat_map(|init| &init.tracks) {
                if let Codec::Avc(avc) = &track.codec {
                    let right =
                        avc.entry == "avc1" && PROFILES.contains(&avc.profile) && avc.level <= MAX_LEVEL;
                    findings.expect(right, map, track.codec.name(), "avc1, at most High at level 5.2");
                }
            }
        }
    }
}
