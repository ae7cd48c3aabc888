//! The rules, and judging by them. A rule is a name, where it is from, what it says, and a function that looks. Rules are
//! independent: what one cannot read it leaves to the rule about being readable.

mod alignment;
mod bitrate;
mod cmaf;
mod delivery;
mod low_latency;
mod media;
mod multivariant;
mod parts;
mod reload;
mod text;
mod video;

use crate::presentation::Presentation;
use crate::recording::Recording;
use crate::report::{Findings, Report};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// Where it is from: items of Apple's HLS authoring specification, sections of RFC 8216bis (draft 16 or later),
    /// clauses of ISO standards.
    pub spec: &'static str,
    /// What it says.
    pub text: &'static str,
    look: fn(&Presentation<'_>, &mut Findings),
}

const fn rule(
    id: &'static str,
    spec: &'static str,
    text: &'static str,
    look: fn(&Presentation<'_>, &mut Findings),
) -> Rule {
    Rule { id, spec, text, look }
}

/// All rules, in the order of the report.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    rule("multivariant-syntax", "8216bis 4.1, 4.4.6", "the multivariant playlist is well-formed", text::multivariant),
    rule("media-syntax", "8216bis 4.1-4.4.5, 8", "media playlists are well-formed", text::media),
    rule("codecs", "Apple 9.1; 8216bis 4.4.6.2", "CODECS is there and equal to the bitstream's (avcC, SPS, esds)", multivariant::codecs),
    rule("resolution", "Apple 9.2; 8216bis 4.4.6.2", "RESOLUTION is there for video and equal to SPS and tkhd", multivariant::resolution),
    rule("frame-rate", "Apple 9.15; 8216bis 4.4.6.2", "FRAME-RATE is there for video and what is measured", multivariant::frame_rate),
    rule("independent-segments", "Apple 9.11, 9.12", "EXT-X-INDEPENDENT-SEGMENTS is there", multivariant::independent_segments),
    rule("audio-declared", "Apple 8.9", "sound of its own beside video is declared by EXT-X-MEDIA", multivariant::audio_declared),
    rule("cellular-variant", "Apple 9.21", "one variant's BANDWIDTH is at most 192 kbit/s", multivariant::cellular),
    rule("bandwidth", "Apple 9.13; 8216bis 4.4.6.2", "BANDWIDTH is at least the measured peak of video and sound", bitrate::peak),
    rule("bandwidth-vod", "Apple 1.27", "BANDWIDTH of a recording is within 10 % of the measured peak", bitrate::peak_of_vod),
    rule("average-bandwidth", "Apple 9.14, 1.26, 1.28", "AVERAGE-BANDWIDTH is there; measured: live less than 10 % above it, of a recording within 10 %", bitrate::average),
    rule("segment-length", "Apple 7.7; 8216bis 4.4.3.1", "EXTINF, rounded, is at most TARGETDURATION", media::segment_length),
    rule("same-target-duration", "Apple 8.2", "all renditions have one target duration", media::same_target),
    rule("program-date-time", "Apple 8.4; 8216bis 4.4.4.6", "live playlists have EXT-X-PROGRAM-DATE-TIME, also after each discontinuity", media::date_there),
    rule("program-date-time-step", "8216bis 4.4.4.6", "EXT-X-PROGRAM-DATE-TIME goes on by the durations", media::date_step),
    rule("program-date-time-aligned", "8216bis 6.2.4", "renditions map media time to the same wall clock", alignment::dates),
    rule("live-window", "Apple 8.11; 8216bis 6.2.2", "a live window that slides has at least six segments", media::window),
    rule("map", "Apple 8.20; 8216bis 4.4.4.5", "every segment has an EXT-X-MAP, and it can be had", media::map),
    rule("playlist-type", "Apple 8.6; 8216bis 4.4.3.5", "a recording says VOD and has ended", media::playlist_type),
    rule("same-range", "Apple 8.3, 8.7", "what has ended is equally long in all renditions", alignment::range),
    rule("endlist", "8216bis 4.4.3.4", "EXT-X-ENDLIST is the last, and nothing changes after it", reload::endlist),
    rule("media-sequence", "8216bis 4.4.3.2, 6.2.2", "over reloads the window never moves back", reload::media_sequence),
    rule("published-unchanged", "8216bis 6.2.1, 6.2.2", "over reloads nothing published changes, returns or takes another number", reload::unchanged),
    rule("target-unchanged", "8216bis 4.4.3.1", "over reloads the target durations stay", reload::target),
    rule("discontinuity-sequence", "Apple 8.17; 8216bis 4.4.3.3", "EXT-X-DISCONTINUITY-SEQUENCE is always there in live playlists", media::discontinuity_sequence),
    rule("discontinuity-count", "8216bis 6.2.2", "over reloads each segment keeps its discontinuity sequence number", reload::discontinuity_count),
    rule("discontinuities-aligned", "Apple 8.15; 8216bis 6.2.4", "discontinuities are at the same segments in all renditions", alignment::discontinuities),
    rule("boundaries-aligned", "Apple 8.22; 8216bis 6.2.4", "segments begin together: video by PTS, sound within one frame", alignment::boundaries),
    rule("segments-available", "8216bis 6.2.1, 4.4.4.7", "what is listed can be had, unless EXT-X-GAP says that it was lost", delivery::available),
    rule("no-redirects", "Apple 8.18", "nothing is redirected", delivery::redirects),
    rule("gzip", "Apple 10.1", "playlists come with gzip", delivery::gzip),
    rule("mime-types", "Apple 10.4", "Content-Type is what is recommended", delivery::mime_types),
    rule("cors", "Fetch 3.2 (browsers)", "players of any origin may read it", delivery::cors),
    rule("mp4", "8216bis 3.1.2; 14496-12", "initialization sections, segments and parts are whole and readable", cmaf::readable),
    rule("one-track", "Apple 2.17; 23000-19 7.3", "each file has one track, the one of its initialization section", cmaf::one_track),
    rule("default-base-moof", "23000-19 7.5; 14496-12 8.8.7", "tfhd has default-base-is-moof", cmaf::default_base),
    rule("tfdt", "23000-19 7.5; 14496-12 8.8.12", "every fragment has tfdt", cmaf::tfdt_there),
    rule("styp", "23000-19 7.3.3; 14496-12 8.16.2", "segments begin with styp", cmaf::styp),
    rule("mfhd", "14496-12 8.8.5", "fragment numbers rise", cmaf::sequence),
    rule("tfdt-continuity", "Apple 7.1, 7.3", "each fragment begins where the one before ends, unless there is a discontinuity", cmaf::continuity),
    rule("extinf", "Apple 8.1", "EXTINF is the media's duration, within one frame over any run", cmaf::extinf),
    rule("idr-first", "Apple 7.4", "video segments begin with an IDR picture", video::idr_first),
    rule("idr-interval", "Apple 1.13", "there is an IDR picture about every two seconds", video::idr_interval),
    rule("no-leading-pictures", "8216bis 4.4.2.1", "nothing of a video segment is shown before its first picture", video::leading),
    rule("sync-samples", "14496-12 8.8.3.1", "IDR pictures are the sync samples", video::sync),
    rule("h264-profile", "Apple 1.3, 1.10", "H.264 is avc1, at most High at level 5.2", video::profile),
    rule("parameter-sets", "14496-15 5.3.3, 5.4.2", "parameter sets in samples are those of the sample entry", video::parameter_sets),
    rule("low-latency-everywhere", "8216bis App. B", "if one rendition of a live stream has parts, all have", low_latency::everywhere),
    rule("server-control", "Apple 14.1; 8216bis 4.4.3.8, App. B", "low latency: CAN-BLOCK-RELOAD=YES, and a given HOLD-BACK is at least three target durations", low_latency::server_control),
    rule("part-hold-back", "Apple 14.3; 8216bis 4.4.3.8", "PART-HOLD-BACK is at least three part targets", low_latency::hold_back),
    rule("part-target", "8216bis 4.4.4.9", "parts are at most PART-TARGET, and at least 85 % of it where that is required", parts::target),
    rule("part-duration", "8216bis 4.4.4.9", "a part's DURATION is its media's, within one frame", parts::duration),
    rule("parts-available", "8216bis 6.2.1, 4.4.4.9", "parts that are listed can be had", parts::available),
    rule("parts-make-segment", "8216bis 3.2", "the parts of a segment have its samples and times, and its bytes if one writer made them", parts::make_segment),
    rule("parts-independent", "8216bis 4.4.4.9", "INDEPENDENT=YES is on video parts that begin with an IDR picture, and on each segment's first", parts::independent),
    rule("blocking-reload", "Apple 14.1; 8216bis 6.2.5.2", "a reload that asks for the next part gets it", low_latency::blocking),
    rule("far-ahead", "8216bis 6.2.5.2", "a reload for the far future is answered with 400", low_latency::far_ahead),
    rule("part-alone", "8216bis 6.2.5.2", "_HLS_part without _HLS_msn is answered with 400", low_latency::part_alone),
    rule("delta-offered", "Apple 14.4; 8216bis 4.4.3.8", "windows over two minutes offer delta updates, from six target durations on", low_latency::delta_offered),
    rule("delta-update", "8216bis 6.2.5.1", "a delta update is the full playlist without what it skips", low_latency::delta),
    rule("rendition-reports", "8216bis 4.4.5.4, App. B", "each other rendition is reported, as it is", low_latency::reports),
    rule("preload-hint", "8216bis 4.4.5.3", "the hinted part can be asked for at once, and becomes the next part", low_latency::hint),
];

/// Holds a recording against all rules.
pub fn judge(recording: &Recording) -> Report {
    let presentation = Presentation::of(recording);
    let results = RULES.iter().map(|rule| {
        let mut findings = Findings::default();
        (rule.look)(&presentation, &mut findings);
        findings.into_result([rule.id, rule.spec, rule.text])
    });
    Report { results: results.collect() }
}
