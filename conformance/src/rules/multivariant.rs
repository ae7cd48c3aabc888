//! Rules about what the multivariant playlist says of its variants.

use std::collections::BTreeSet;

use crate::h264::sps;
use crate::mp4::{Codec, Handler};
use crate::playlist::Variant;
use crate::presentation::{Presentation, Rendition};
use crate::report::Findings;

/// The largest BANDWIDTH of a variant for cellular networks, in bit/s.
const CELLULAR: u64 = 192_000;
/// How far FRAME-RATE may be from what is measured: times are rounded to ticks, a rate to three decimals.
const FRAME_RATE_TOLERANCE: f64 = 0.01;

fn at(variant: &Variant) -> String {
    format!("variant {}", variant.url.path())
}

/// Whether a variant has pictures, by its bitstream or else by what it says.
fn has_video(presentation: &Presentation<'_>, variant: &Variant) -> bool {
    presentation
        .rendition(&variant.url)
        .map_or(variant.resolution.is_some(), |one| one.kind == Handler::Video)
}

pub(super) fn codecs(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in &presentation.multivariant.variants {
        let main = presentation.rendition(&variant.url);
        let all = main.into_iter().chain(presentation.sound_of(variant));
        let tracks: Vec<_> = all.map(Rendition::newest_track).collect();
        let lower = |text: &String| text.to_ascii_lowercase();
        let Some(declared) = &variant.codecs else {
            findings.wrong(at(variant), "no CODECS", "CODECS");
            continue;
        };
        let declared: BTreeSet<_> = declared.iter().map(lower).collect();
        let Some(tracks) = tracks.into_iter().collect::<Option<Vec<_>>>() else { continue };
        let real: BTreeSet<_> = tracks.iter().map(|track| lower(&track.codec.name())).collect();
        let found = format!("{declared:?}");
        findings.expect(declared == real, at(variant), found, format!("{real:?} as in the bitstream"));
        for track in tracks {
            let Codec::Avc(avc) = &track.codec else { continue };
            let set = sps(&avc.sps).map(|set| (set.profile, set.constraints, set.level));
            let header = (avc.profile, avc.constraints, avc.level);
            findings.expect(
                set == Some(header),
                at(variant),
                format!("avcC {header:02x?}"),
                format!("as in its SPS, {set:02x?}"),
            );
        }
    }
}

pub(super) fn resolution(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in presentation.multivariant.variants.iter().filter(|one| has_video(presentation, one)) {
        let Some(declared) = variant.resolution else {
            findings.wrong(at(variant), "no RESOLUTION", "RESOLUTION");
            continue;
        };
        let Some(track) = presentation.rendition(&variant.url).and_then(Rendition::newest_track) else {
            continue;
        };
        findings.expect(
            track.size == declared,
            at(variant),
            format!("{declared:?}"),
            format!("tkhd {:?}", track.size),
        );
        if let Codec::Avc(avc) = &track.codec {
            let coded = sps(&avc.sps).map(|set| (set.width, set.height));
            findings.expect(
                coded == Some(declared),
                at(variant),
                format!("{declared:?}"),
                format!("SPS {coded:?}"),
            );
        }
    }
}

pub(super) fn frame_rate(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in presentation.multivariant.variants.iter().filter(|one| has_video(presentation, one)) {
        let Some(declared) = variant.frame_rate else {
            findings.wrong(at(variant), "no FRAME-RATE", "FRAME-RATE");
            continue;
        };
        let Some((average, usual)) = presentation.rendition(&variant.url).and_then(measured_rates) else {
            continue;
        };
        let near = |rate: f64| (rate - declared).abs() <= declared * FRAME_RATE_TOLERANCE;
        // Where frames are uneven, FRAME-RATE is the highest rate, not the average.
        let right = near(average) || (near(usual) && average <= declared);
        findings.expect(
            right,
            at(variant),
            declared,
            format!("{average:.3} (mostly {usual:.3}) as measured"),
        );
    }
}

/// Frames a second: on average, and by the median frame.
fn measured_rates(rendition: &Rendition<'_>) -> Option<(f64, f64)> {
    let (mut frames, mut seconds, mut each) = (0usize, 0.0, Vec::new());
    for (_, media) in rendition.media() {
        frames += media.samples.len();
        seconds += media.seconds();
        each.extend(media.samples.iter().map(|one| f64::from(one.duration) / f64::from(media.timescale)));
    }
    each.sort_by(f64::total_cmp);
    let median = *each.get(each.len() / 2)?;
    (seconds > 0.0 && median > 0.0).then(|| (frames as f64 / seconds, 1.0 / median))
}

pub(super) fn independent_segments(presentation: &Presentation<'_>, findings: &mut Findings) {
    let multivariant = &presentation.multivariant;
    if multivariant.variants.is_empty() {
        return;
    }
    let mut loads = presentation.videos().flat_map(|one| &one.loads).peekable();
    let everywhere = loads.peek().is_some() && loads.all(|load| load.playlist.independent_segments);
    findings.expect(
        multivariant.independent_segments || everywhere,
        "multivariant playlist",
        "no EXT-X-INDEPENDENT-SEGMENTS",
        "the tag here or in all video playlists",
    );
}

pub(super) fn audio_declared(presentation: &Presentation<'_>, findings: &mut Findings) {
    if presentation.videos().next().is_none() {
        return;
    }
    for rendition in presentation.renditions.iter().filter(|one| one.kind == Handler::Audio) {
        let declared = presentation
            .multivariant
            .alternatives
            .iter()
            .any(|one| one.kind == "AUDIO" && one.url.as_ref() == Some(&rendition.url));
        findings.expect(
            declared,
            &rendition.name,
            "no EXT-X-MEDIA",
            "EXT-X-MEDIA:TYPE=AUDIO with its address",
        );
    }
}

pub(super) fn cellular(presentation: &Presentation<'_>, findings: &mut Findings) {
    let smallest = presentation.multivariant.variants.iter().filter_map(|one| one.bandwidth).min();
    if let Some(smallest) = smallest {
        findings.expect(smallest <= CELLULAR, "smallest BANDWIDTH", smallest, format!("<= {CELLULAR}"));
    }
}
