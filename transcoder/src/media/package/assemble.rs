//! Puts the renditions of a part together and the parts in order. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::media::{Part, RenditionSegment};

/// A part's place: segment number, index in the segment.
pub(crate) type SegmentPart = (u64, u32);

/// By the index of each rendition of pictures, what it is called.
pub(crate) type Names = Arc<[Vec<String>]>;

/// What arrives, in any order between renditions.
pub(crate) enum Piece {
    /// Everything about a part but its renditions (an empty list), and how many to wait for.
    Head { part: Part, renditions: usize, names: Names },
    /// One rendition of a part; audio has the greatest index.
    Rendition { place: SegmentPart, index: usize, segment: RenditionSegment },
}

#[derive(Default)]
struct WaitingPart {
    head: Option<(Part, usize, Names)>,
    renditions: BTreeMap<usize, RenditionSegment>,
}

/// Holds what is incomplete: bounded, since all threads work on the same few parts.
#[derive(Default)]
pub(crate) struct Assembler {
    waiting: BTreeMap<SegmentPart, WaitingPart>,
}

impl Assembler {
    pub(crate) fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Head { part, renditions, names } => {
                let place = (part.number, part.index);
                self.waiting.entry(place).or_default().head = Some((part, renditions, names));
            }
            Piece::Rendition { place, index, segment } => {
                self.waiting.entry(place).or_default().renditions.insert(index, segment);
            }
        }
    }

    /// The next part, if it is whole.
    pub(crate) fn pop(&mut self) -> Option<Part> {
        let entry = self.waiting.first_entry()?;
        let whole = entry.get().head.as_ref().is_some_and(|(_, n, _)| entry.get().renditions.len() == *n);
        if !whole {
            return None;
        }
        let WaitingPart { head, renditions } = entry.remove();
        let (mut part, _, names) = head?;
        part.renditions =
            renditions.into_iter().flat_map(|(index, one)| called(one, names.get(index))).collect();
        Some(part)
    }
}

/// A rendition under each of its names; sound has its own.
fn called(one: RenditionSegment, names: Option<&Vec<String>>) -> Vec<RenditionSegment> {
    let Some(names) = names else { return vec![one] };
    names.iter().map(|name| RenditionSegment { name: name.clone(), ..one.clone() }).collect()
}
