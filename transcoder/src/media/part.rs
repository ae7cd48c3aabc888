//! Parts, and the segments they make: a segment is its parts one behind the other, to the byte. Pure.

use super::governor::Effort;
use super::segment::{RenditionSegment, Segment};
use super::time::{AudioSpan, MediaTime, VideoSpan};

/// A stretch of a segment in all renditions: all of it, unless latency is low.
#[derive(Clone, Debug)]
pub struct Part {
    /// The segment it belongs to.
    pub number: u64,
    /// Its place there, from 0.
    pub index: u32,
    /// Whether it ends the segment.
    pub last: bool,
    /// Whether all its video begins with an IDR.
    pub independent: bool,
    /// What its video covers; `None` without video.
    pub video: Option<VideoSpan>,
    /// What its audio covers; `None` without audio.
    pub audio: Option<AudioSpan>,
    /// T = offset + 90 * FLV milliseconds, for the whole run.
    pub offset: MediaTime,
    /// Video by descending height, then audio. Only the data of a segment's first part begins with `styp`.
    pub renditions: Vec<RenditionSegment>,
    /// Pictures in it.
    pub frames: u32,
    /// Pictures in it that repeat their predecessor across a gap of the source.
    pub repeated: u32,
    /// Where to go on behind it; of use for the last part only.
    pub cursor: u64,
    /// How much work was done for the segment.
    pub effort: Effort,
}

/// What a run hands out.
#[derive(Clone, Debug)]
pub enum Made {
    /// A part, when latency is low.
    Part(Part),
    /// A segment, behind all of its parts.
    Segment(Segment),
}

/// Joins parts to segments.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    parts: Vec<Part>,
}

impl Joiner {
    /// Takes the next part; answers the segment that it ends.
    pub(super) fn push(&mut self, part: Part) -> Option<Segment> {
        let last = part.last;
        self.parts.push(part);
        last.then(|| join(std::mem::take(&mut self.parts))).flatten()
    }
}

fn join(parts: Vec<Part>) -> Option<Segment> {
    let (first, last) = (parts.first()?, parts.last()?);
    let video = first.video.zip(last.video).map(|(a, b)| VideoSpan { start: a.start, end: b.end });
    let audio = first.audio.zip(last.audio).map(|(a, b)| AudioSpan { from: a.from, to: b.to });
    let renditions = last.renditions.iter().enumerate().map(|(index, one)| {
        let of_parts = parts.iter().filter_map(|part| part.renditions.get(index));
        let data = if parts.len() == 1 {
            one.data.clone()
        } else {
            of_parts.map(|rendition| rendition.data.as_ref()).collect::<Vec<_>>().concat().into()
        };
        RenditionSegment { data, ..one.clone() }
    });
    Some(Segment {
        number: first.number,
        video,
        audio,
        offset: last.offset,
        cursor: last.cursor,
        renditions: renditions.collect(),
        frames: parts.iter().map(|part| part.frames).sum(),
        repeated: parts.iter().map(|part| part.repeated).sum(),
        effort: last.effort,
    })
}
