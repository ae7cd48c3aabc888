//! Rules about files: initialization sections, segments and parts as CMAF has them.

use crate::mp4::{Fragment, Media};
use crate::presentation::{Presentation, Rendition};
use crate::report::Findings;

/// Every readable segment and part, with its place.
fn files<'p>(
    presentation: &'p Presentation<'_>,
) -> impl Iterator<Item = (String, &'p Rendition<'p>, &'p Media)> {
    presentation.renditions.iter().flat_map(|rendition| {
        rendition.items.iter().flat_map(move |(number, item)| {
            let whole =
                item.media.iter().map(move |media| (format!("{} segment {number}", rendition.name), media));
            let parts = item.parts.iter().enumerate().filter_map(move |(index, part)| {
                Some((format!("{} segment {number} part {index}", rendition.name), part.media.as_ref()?))
            });
            whole.chain(parts).filter_map(move |(at, media)| Some((at, rendition, media.as_ref().ok()?)))
        })
    })
}

pub(super) fn readable(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for (map, init) in &rendition.inits {
            match init {
                Ok(_) => findings.right(),
                Err(error) => findings.wrong(map, error, "an initialization section"),
            }
        }
        for (number, item) in &rendition.items {
            let parts = item.parts.iter().filter_map(|part| part.media.as_ref());
            for media in item.media.iter().chain(parts) {
                match media {
                    Ok(_) => findings.right(),
                    Err(error) => {
                        findings.wrong(format!("{} segment {number}", rendition.name), error, "media")
                    }
                }
            }
        }
    }
}

pub(super) fn one_track(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for (map, init) in &rendition.inits {
            if let Ok(init) = init {
                findings.expect(init.tracks.len() == 1, map, format!("{} tracks", init.tracks.len()), 1);
            }
        }
    }
    for (at, rendition, media) in files(presentation) {
        let known =
            |id| rendition.inits.values().flatten().flat_map(|init| &init.tracks).any(|one| one.id == id);
        let wrong = media.fragments.iter().find(|one| one.tracks != 1 || !known(one.track_id));
        let found =
            wrong.map(|one| format!("{} tracks, first {}", one.tracks, one.track_id)).unwrap_or_default();
        findings.expect(wrong.is_none(), at, found, "the initialization section's track");
    }
}

fn each_fragment(
    presentation: &Presentation<'_>,
    findings: &mut Findings,
    right: fn(&Fragment) -> bool,
    (found, expected): (&str, &str),
) {
    for (at, _, media) in files(presentation) {
        findings.expect(media.fragments.iter().all(right), at, found, expected);
    }
}

pub(super) fn default_base(presentation: &Presentation<'_>, findings: &mut Findings) {
    let words = ("tfhd without default-base-is-moof", "the flag, and no base data offset");
    each_fragment(presentation, findings, |one| one.default_base_is_moof, words);
}

pub(super) fn tfdt_there(presentation: &Presentation<'_>, findings: &mut Findings) {
    each_fragment(presentation, findings, |one| one.decode_time.is_some(), ("no tfdt", "tfdt"));
}

/// Whole segments: a chunk behind a segment's first need not begin with `styp`.
pub(super) fn styp(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for (number, item) in &rendition.items {
            let Some(Ok(media)) = &item.media else { continue };
            let known = media.styp.is_some_and(|brand| {
                matches!(&brand, b"msdh" | b"msix" | b"cmfs" | b"cmff" | b"cmfl" | b"cmfc")
            });
            let found = media.styp.map(|brand| String::from_utf8_lossy(&brand).into_owned());
            let at = format!("{} segment {number}", rendition.name);
            findings.expect(known, at, format!("{found:?}"), "styp of a segment");
        }
    }
}

/// Neighbouring fragments: within each file, and from each segment to the next of its run.
fn neighbours<'p>(
    presentation: &'p Presentation<'_>,
) -> impl Iterator<Item = (String, (u32, &'p Fragment), (u32, &'p Fragment))> {
    presentation.renditions.iter().flat_map(|rendition| {
        rendition.runs().into_iter().flat_map(move |run| {
            let all: Vec<_> = run
                .iter()
                .flat_map(|(segment, media)| {
                    media.fragments.iter().map(|one| (segment.number, media.timescale, one))
                })
                .collect();
            let pairs: Vec<_> = all
                .windows(2)
                .map(|pair| {
                    let at = format!("{} segment {}", rendition.name, pair[1].0);
                    (at, (pair[0].1, pair[0].2), (pair[1].1, pair[1].2))
                })
                .collect();
            pairs
        })
    })
}

pub(super) fn sequence(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, (_, before), (_, after)) in neighbours(presentation) {
        let (found, expected) = (after.sequence, before.sequence);
        findings.expect(found > expected, at, format!("mfhd {found}"), format!("more than {expected}"));
    }
}

pub(super) fn continuity(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (at, (scale, before), (next_scale, after)) in neighbours(presentation) {
        // What has no tfdt is for the rule about that.
        let (Some(_), Some(found)) = (before.decode_time, after.decode_time) else { continue };
        let end = before.end;
        // An initialization section may change between segments, and its timescale with it.
        let right = u128::from(found) * u128::from(scale) == u128::from(end) * u128::from(next_scale);
        findings.expect(right, at, format!("tfdt {found} /{next_scale}"), format!("{end} /{scale}"));
    }
}

pub(super) fn extinf(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for run in rendition.runs() {
            // Sums over any part of the run are differences of these.
            let (mut sum, mut least, mut most) = (0.0f64, 0.0f64, 0.0f64);
            for (segment, media) in run {
                let frame = media.samples.iter().map(|one| one.duration).max().unwrap_or(0);
                let frame = f64::from(frame) / f64::from(media.timescale);
                let error = segment.duration - media.seconds();
                sum += error;
                (least, most) = (least.min(sum), most.max(sum));
                let right = error.abs() <= frame && most - least <= frame;
                findings.expect(
                    right,
                    format!("{} segment {}", rendition.name, segment.number),
                    format!("EXTINF {} s, {:+.6} s over the run", segment.duration, most - least),
                    format!("{:.6} s of media, within {frame:.6} s", media.seconds()),
                );
                if !right {
                    // Told once; what follows is judged by itself.
                    (sum, least, most) = (0.0, 0.0, 0.0);
                }
            }
        }
    }
}
