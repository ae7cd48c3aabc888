//! What entries are made of: spans, content types, fingerprints of what the engine hands out.

use headwater_domain::Timestamp;
use headwater_domain::time::{MediaTime, Span};
use sha2::{Digest, Sha256};

use crate::engine::{
    AUDIO, AudioSpan, MediaTime as Ticks, Part, RenditionKind, RenditionSegment, Segment, VideoSpan,
};
use crate::source::RunHead;

/// What an entry is begun with: a part or a whole segment.
pub(super) struct Shape<'a> {
    pub(super) number: u64,
    pub(super) start: Ticks,
    pub(super) offset: Ticks,
    pub(super) renditions: &'a [RenditionSegment],
}

impl<'a> Shape<'a> {
    pub(super) fn of_part(part: &'a Part) -> Self {
        Self {
            number: part.number,
            start: begin(part.video, part.audio),
            offset: part.offset,
            renditions: &part.renditions,
        }
    }

    pub(super) fn of_segment(segment: &'a Segment) -> Self {
        let start = begin(segment.video, segment.audio);
        Self { number: segment.number, start, offset: segment.offset, renditions: &segment.renditions }
    }
}

pub(super) fn begin(video: Option<VideoSpan>, audio: Option<AudioSpan>) -> Ticks {
    video.map(|span| span.start).or(audio.map(|span| span.from.time())).unwrap_or_default()
}

pub(super) fn spans(video_span: Option<VideoSpan>, audio: Option<AudioSpan>) -> (Option<Span>, Option<Span>) {
    let sound = |span: AudioSpan| Span {
        start: MediaTime::audio(span.start_sample()),
        duration: MediaTime::audio(span.samples()),
    };
    let pictures = |span: VideoSpan| Span { start: video(span.start), duration: video(span.duration()) };
    (video_span.map(pictures), audio.map(sound))
}

/// Two stretches one behind the other.
pub(super) fn joined(before: Option<Span>, after: Option<Span>) -> Option<Span> {
    let (Some(before), Some(after)) = (before, after) else { return after.or(before) };
    let ticks = before.duration.ticks + after.duration.ticks;
    Some(Span { start: before.start, duration: MediaTime { ticks, ..before.duration } })
}

pub(super) fn span_end(span: &Span) -> Ticks {
    let end = span.end();
    Ticks::from_ticks(i64::try_from(end.ticks * 90_000 / u64::from(end.timescale.max(1))).unwrap_or(i64::MAX))
}

pub(super) fn is_audio(rendition: &str) -> bool {
    rendition == AUDIO
}

pub(super) fn content_type(kind: &RenditionKind) -> &'static str {
    match kind {
        RenditionKind::Video { .. } => "video/mp4",
        RenditionKind::Audio { .. } => "audio/mp4",
    }
}

/// Wall clock of a point of a run.
pub(super) fn wall_time(head: RunHead, offset_ticks: i64, ticks: i64) -> Timestamp {
    let ms = (ticks - offset_ticks) / 90;
    Timestamp(head.started_ms.saturating_add_signed(ms))
}

/// Whether a player must set up its decoders anew: a rendition is encoded otherwise than before, or none of its kind is left
/// (RFC 8216 section 4.3.2.3). One that is left out for a while, or comes back, changes nothing for the others. If
/// nothing is known to be stored, nothing can be said.
pub(super) fn differs(inits: &[(String, String, String)], renditions: &[RenditionSegment]) -> bool {
    [true, false].into_iter().any(|audio| {
        let mut before = inits.iter().filter(|(name, ..)| is_audio(name) == audio).peekable();
        let now: Vec<_> = renditions.iter().filter(|one| is_audio(&one.name) == audio).collect();
        if before.peek().is_none() || now.is_empty() {
            return !inits.is_empty() && (before.peek().is_some() || !now.is_empty());
        }
        let same = |(name, _, hash): &(String, String, String)| {
            Some(now.iter().find(|one| one.name == *name)?).map(|one| fingerprint(&one.init) == *hash)
        };
        let kept: Vec<bool> = before.filter_map(same).collect();
        kept.is_empty() || kept.contains(&false)
    })
}

/// 64 bits of SHA-256: tells our own initialization sections apart.
pub(super) fn fingerprint(init: &[u8]) -> String {
    Sha256::digest(init).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn ticks(time: MediaTime) -> Ticks {
    Ticks::from_ticks(i64::try_from(time.ticks).unwrap_or(i64::MAX))
}

pub(super) fn video(time: Ticks) -> MediaTime {
    MediaTime::video(u64::try_from(time.ticks()).unwrap_or(0))
}
