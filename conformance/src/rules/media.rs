//! Rules about one media playlist by itself.

use crate::playlist::{PlaylistType, Segment};
use crate::presentation::{Load, Presentation, Rendition};
use crate::report::Findings;

/// Fewer segments are no live window (Apple 8.11).
const MIN_WINDOW: usize = 6;
/// How far a date may be from the one before plus the duration: a millisecond is written, and sound is cut up to one frame
/// of AAC (21 ms at 48 kHz) beside the picture whose date it carries.
const DATE_TOLERANCE: f64 = 0.05;

fn at(rendition: &Rendition<'_>, segment: &Segment) -> String {
    format!("{} segment {}", rendition.name, segment.number)
}

fn each_load<'p, 'a>(
    presentation: &'p Presentation<'a>,
) -> impl Iterator<Item = (&'p Rendition<'a>, &'p Load<'a>)> {
    presentation.renditions.iter().flat_map(|one| one.loads.iter().map(move |load| (one, load)))
}

pub(super) fn segment_length(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        let Some(target) = rendition.newest().and_then(|one| one.target_duration) else { continue };
        for item in rendition.items.values().filter(|one| one.segment.resource.is_some()) {
            let rounded = (item.segment.duration + 0.5).floor();
            let found = format!("{} s", item.segment.duration);
            findings.expect(
                rounded <= target as f64,
                at(rendition, &item.segment),
                found,
                format!("<= {target} s, rounded"),
            );
        }
    }
}

pub(super) fn same_target(presentation: &Presentation<'_>, findings: &mut Findings) {
    let target = |one: &Rendition<'_>| one.newest().and_then(|newest| newest.target_duration);
    let Some(first) = presentation.renditions.iter().find_map(target) else { return };
    for rendition in &presentation.renditions {
        if let Some(found) = target(rendition) {
            findings.expect(found == first, &rendition.name, found, first);
        }
    }
}

pub(super) fn date_there(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, load) in each_load(presentation).filter(|(one, _)| one.is_live(presentation.recording)) {
        let playlist = &load.playlist;
        let dated = playlist.all().any(|one| one.program_date_time.is_some());
        if playlist.all().next().is_some() {
            findings.expect(dated, &rendition.name, "no EXT-X-PROGRAM-DATE-TIME", "one at least");
        }
        // Beyond a discontinuity no date can be reckoned from the one before; of a gap nothing is shown.
        for segment in playlist.all().filter(|one| dated && one.discontinuity && !one.gap) {
            let found = segment.program_date_time.is_some();
            findings.expect(
                found,
                at(rendition, segment),
                "no date after a discontinuity",
                "EXT-X-PROGRAM-DATE-TIME",
            );
        }
    }
}

pub(super) fn date_step(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        let items: Vec<_> = rendition.items.values().map(|item| &item.segment).collect();
        for pair in items.windows(2) {
            let [before, after] = pair else { continue };
            let follows =
                before.number + 1 == after.number && !after.discontinuity && !before.gap && !after.gap;
            let (Some(from), Some(to)) = (before.program_date_time, after.program_date_time) else {
                continue;
            };
            if follows && before.resource.is_some() {
                let (found, expected) = (to - from, before.duration);
                let right = (found - expected).abs() <= DATE_TOLERANCE;
                findings.expect(
                    right,
                    at(rendition, after),
                    format!("{found:.3} s on"),
                    format!("{expected:.3} s"),
                );
            }
        }
    }
}

pub(super) fn window(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, load) in each_load(presentation).filter(|(one, _)| one.is_live(presentation.recording)) {
        // Nothing has left it yet: it may still be filling.
        if load.playlist.media_sequence > 0 {
            let count = load.playlist.segments.len();
            findings.expect(count >= MIN_WINDOW, &rendition.name, format!("{count} segments"), MIN_WINDOW);
        }
    }
}

pub(super) fn map(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for item in rendition.items.values().filter(|one| !one.segment.gap) {
            let segment = &item.segment;
            match &segment.map {
                None => findings.wrong(at(rendition, segment), "no EXT-X-MAP", "EXT-X-MAP"),
                // Not every segment of a long window is recorded, and then its map is not either.
                Some(_) if item.exchange.is_none() => {}
                Some(map) => {
                    findings.expect(
                        rendition.inits.contains_key(map),
                        at(rendition, segment),
                        "no such file",
                        map,
                    );
                }
            }
        }
    }
}

pub(super) fn playlist_type(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, load) in each_load(presentation) {
        let vod = load.playlist.playlist_type == Some(PlaylistType::Vod);
        if presentation.recording.vod {
            findings.expect(vod, &rendition.name, "no EXT-X-PLAYLIST-TYPE:VOD", "it, as this is a recording");
        }
        if vod {
            findings.expect(
                load.playlist.ended,
                &rendition.name,
                "VOD without EXT-X-ENDLIST",
                "EXT-X-ENDLIST",
            );
        }
    }
}

pub(super) fn discontinuity_sequence(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, load) in each_load(presentation).filter(|(one, _)| one.is_live(presentation.recording)) {
        let there = load.playlist.discontinuity_sequence.is_some();
        findings.expect(there, &rendition.name, "no EXT-X-DISCONTINUITY-SEQUENCE", "the tag, always");
    }
}
