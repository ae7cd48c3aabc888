//! Parts, and the segments they make: a segment is its parts one behind the other, to the byte. Pure.

use crate::media::{AudioSpan, Part, RenditionSegment, Segment, VideoSpan};

/// Joins parts to segments.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    parts: Vec<Part>,
}

impl Joiner {
    /// Takes the next part; answers the segment that it ends.
    pub(crate) fn push(&mut self, part: Part) -> Option<Segment> {
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
