//! Writes a checked ladder down, in the order it is given: one String, allocated once.

use std::fmt::Write;

use super::{AudioGroup, Ladder, SessionData, Variant};
use crate::VERSION;

/// Upper bound of the lines that every playlist has once, in bytes.
const HEADER_BYTES: usize = 64;

/// Upper bound of a rendition's lines without its own texts, in bytes (all numbers at their longest).
const RENDITION_BYTES: usize = 256;

/// Length of a line of session data without its texts, in bytes.
const SESSION_DATA_BYTES: usize = 64;

pub(super) fn multivariant(ladder: &Ladder, session_data: &[SessionData]) -> String {
    let mut out = String::with_capacity(upper_bound(ladder, session_data));
    // Writing to a String cannot fail.
    let _ = write_playlist(&mut out, ladder, session_data);
    out
}

fn upper_bound(ladder: &Ladder, session_data: &[SessionData]) -> usize {
    let said = |one: &SessionData| one.id.as_str().len() + one.value.as_str().len() + SESSION_DATA_BYTES;
    let session_data: usize = session_data.iter().map(said).sum();
    let (group, audio_codecs, audio) = ladder.audio.as_ref().map_or((0, 0, 0), |audio| {
        let (group, codecs) = (audio.group_id.as_str().len(), audio.codecs.as_str().len());
        let texts = 2 * group + audio.name.as_str().len() + 2 * audio.uri.as_str().len() + codecs;
        (group, codecs, 2 * RENDITION_BYTES + texts)
    });
    let video: usize = ladder
        .video
        .iter()
        .map(|v| v.name.as_str().len() + v.uri.as_str().len() + v.codecs.as_str().len())
        .map(|texts| texts + group + audio_codecs + RENDITION_BYTES)
        .sum();
    HEADER_BYTES + session_data + audio + video
}

fn write_playlist(out: &mut String, ladder: &Ladder, session_data: &[SessionData]) -> std::fmt::Result {
    writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}")?;
    if ladder.independent_segments {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    for SessionData { id, value } in session_data {
        writeln!(out, "#EXT-X-SESSION-DATA:DATA-ID=\"{id}\",VALUE=\"{value}\",LANGUAGE=\"en\"")?;
    }
    let group = ladder.audio.as_ref().filter(|_| !ladder.video.is_empty());
    if let Some(audio) = group {
        write_group(out, audio)?;
    }
    for variant in &ladder.video {
        write_variant(out, variant, group)?;
    }
    if let Some(audio) = &ladder.audio {
        write_audio_only(out, audio, group.is_some())?;
    }
    Ok(())
}

fn write_group(out: &mut String, audio: &AudioGroup) -> std::fmt::Result {
    let default = if audio.default { "YES" } else { "NO" };
    writeln!(
        out,
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{}\",DEFAULT={default},AUTOSELECT=YES,CHANNELS=\"{}\",URI=\"{}\"",
        audio.group_id, audio.name, audio.channels, audio.uri
    )
}

/// A variant's numbers and codecs are those of everything a player loads for it, its audio rendition included
/// (RFC 8216bis section 4.4.6.2).
fn write_variant(out: &mut String, variant: &Variant, group: Option<&AudioGroup>) -> std::fmt::Result {
    let (peak, average) = group.map_or((0, 0), |audio| (audio.bandwidth, audio.average_bandwidth));
    write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}",
        variant.bandwidth.saturating_add(peak),
        variant.average_bandwidth.saturating_add(average),
        variant.codecs
    )?;
    if let Some(audio) = group {
        write!(out, ",{}", audio.codecs)?;
    }
    write!(out, "\",RESOLUTION={}x{},FRAME-RATE={}", variant.width, variant.height, variant.frame_rate)?;
    if let Some(audio) = group {
        write!(out, ",AUDIO=\"{}\"", audio.group_id)?;
    }
    // Not in the RFC, but what hls.js and others show as the quality's name; unknown attributes are ignored.
    writeln!(out, ",NAME=\"{}\"\n{}", variant.name, variant.uri)
}

/// The audio rendition as a variant of its own. Beside video it names its group as the others do: a player that
/// falls back to it then sees that it already plays that rendition.
fn write_audio_only(out: &mut String, audio: &AudioGroup, in_group: bool) -> std::fmt::Result {
    write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
        audio.bandwidth, audio.average_bandwidth, audio.codecs
    )?;
    if in_group {
        write!(out, ",AUDIO=\"{}\"", audio.group_id)?;
    }
    writeln!(out, "\n{}", audio.uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameRate;

    #[test]
    fn the_longest_possible_values_stay_within_the_preallocation() {
        let long = |count| "x".repeat(count);
        let variant = Variant {
            name: long(256).parse().unwrap(),
            uri: long(2_048).parse().unwrap(),
            bandwidth: u64::MAX,
            average_bandwidth: u64::MAX,
            codecs: long(256).parse().unwrap(),
            width: u32::MAX,
            height: u32::MAX,
            frame_rate: FrameRate::new(u32::MAX, 1).unwrap(),
        };
        let audio = AudioGroup {
            group_id: long(256).parse().unwrap(),
            name: long(256).parse().unwrap(),
            uri: long(2_048).parse().unwrap(),
            default: true,
            channels: u32::MAX,
            codecs: long(256).parse().unwrap(),
            bandwidth: u64::MAX,
            average_bandwidth: u64::MAX,
        };
        let said = SessionData { id: long(256).parse().unwrap(), value: long(256).parse().unwrap() };
        for count in [0, 1, 10] {
            for audio in [None, Some(audio.clone())] {
                let ladder =
                    Ladder { video: vec![variant.clone(); count], audio, independent_segments: true };
                let session_data = vec![said.clone(); count];
                let (text, bound) =
                    (multivariant(&ladder, &session_data), upper_bound(&ladder, &session_data));
                assert!(text.len() <= bound, "{} > {bound}", text.len());
            }
        }
    }
}
