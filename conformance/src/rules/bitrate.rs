//! Rules that weigh what is sent against what is announced.

use crate::playlist::Variant;
use crate::presentation::{Presentation, Rendition};
use crate::report::Findings;

/// How far a recording's figures may be from what is measured (Apple 1.26, 1.27), and a live average below it (1.28).
const TOLERANCE: f64 = 0.1;
/// A live average is about an hour; with fewer segments than this it is not judged.
const MIN_SEGMENTS: usize = 6;

/// The largest bit rate of contiguous segments that together last 0.5 to 1.5 target durations: what RFC 8216bis §4.4.6.2
/// calls the peak segment bit rate.
fn peak_of(rendition: &Rendition<'_>) -> Option<f64> {
    let target = rendition.newest()?.target_duration? as f64;
    let mut peak = None::<f64>;
    for run in rendition.runs() {
        for first in 0..run.len() {
            let (mut bits, mut seconds) = (0.0, 0.0);
            for (_, media) in &run[first..] {
                bits += media.bytes as f64 * 8.0;
                seconds += media.seconds();
                if seconds > 1.5 * target {
                    break;
                }
                if seconds >= 0.5 * target {
                    peak = Some(peak.unwrap_or(0.0).max(bits / seconds));
                }
            }
        }
    }
    peak
}

fn average_of(rendition: &Rendition<'_>) -> Option<f64> {
    let (bits, seconds) = rendition.media().fold((0.0, 0.0), |(bits, seconds), (_, media)| {
        (bits + media.bytes as f64 * 8.0, seconds + media.seconds())
    });
    (seconds > 0.0).then(|| bits / seconds)
}

/// The largest sum over any playable combination of renditions.
fn combined(
    presentation: &Presentation<'_>,
    variant: &Variant,
    measure: fn(&Rendition<'_>) -> Option<f64>,
) -> Option<f64> {
    let main = measure(presentation.rendition(&variant.url)?)?;
    let sound = presentation.sound_of(variant);
    let loudest = sound.iter().filter_map(|one| measure(one)).fold(0.0, f64::max);
    (sound.is_empty() || loudest > 0.0).then_some(main + loudest)
}

fn at(variant: &Variant) -> String {
    format!("variant {}", variant.url.path())
}

fn live(presentation: &Presentation<'_>, variant: &Variant) -> bool {
    presentation.rendition(&variant.url).is_some_and(|one| one.is_live(presentation.recording))
}

pub(super) fn peak(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in &presentation.multivariant.variants {
        let measured = combined(presentation, variant, peak_of);
        let (Some(declared), Some(measured)) = (variant.bandwidth, measured) else { continue };
        findings.expect(
            declared as f64 >= measured.floor(),
            at(variant),
            declared,
            format!(">= {measured:.0}"),
        );
    }
}

pub(super) fn peak_of_vod(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in presentation.multivariant.variants.iter().filter(|one| !live(presentation, one)) {
        let measured = combined(presentation, variant, peak_of);
        let (Some(declared), Some(measured)) = (variant.bandwidth, measured) else { continue };
        let right = declared as f64 <= measured * (1.0 + TOLERANCE);
        findings.expect(right, at(variant), declared, format!("about {measured:.0}"));
    }
}

pub(super) fn average(presentation: &Presentation<'_>, findings: &mut Findings) {
    for variant in &presentation.multivariant.variants {
        let Some(declared) = variant.average_bandwidth else {
            findings.wrong(at(variant), "no AVERAGE-BANDWIDTH", "AVERAGE-BANDWIDTH");
            continue;
        };
        let Some(measured) = combined(presentation, variant, average_of) else { continue };
        let declared = declared as f64;
        if !live(presentation, variant) {
            let right = (measured - declared).abs() <= declared * TOLERANCE;
            findings.expect(right, at(variant), declared, format!("about {measured:.0}"));
        } else if presentation.rendition(&variant.url).is_some_and(|one| one.media().count() >= MIN_SEGMENTS)
        {
            let right = measured <= declared * (1.0 + TOLERANCE);
            findings.expect(right, at(variant), declared, format!("{measured:.0} or little less"));
        } else {
            findings.right();
        }
    }
}
