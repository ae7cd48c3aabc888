//! Puts the renditions of a part together and the parts in order. Pure.

use std::collections::BTreeMap;

use super::part::Part;
use super::segment::RenditionSegment;

/// A part's place: segment number, index in the segment.
pub(super) type Place = (u64, u32);

/// What arrives, in any order between renditions.
pub(super) enum Piece {
    /// Everything about a part but its renditions (an empty list), and how many to wait for.
    Head { part: Part, renditions: usize },
    /// One rendition of a part; audio has the greatest index.
    Rendition { place: Place, index: usize, segment: RenditionSegment },
}

#[derive(Default)]
struct Waiting {
    head: Option<(Part, usize)>,
    renditions: BTreeMap<usize, RenditionSegment>,
}

/// Holds what is incomplete: bounded, since all threads work on the same few parts.
#[derive(Default)]
pub(super) struct Assembler {
    waiting: BTreeMap<Place, Waiting>,
}

impl Assembler {
    pub(super) fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Head { part, renditions } => {
                let place = (part.number, part.index);
                self.waiting.entry(place).or_default().head = Some((part, renditions));
            }
            Piece::Rendition { place, index, segment } => {
                self.waiting.entry(place).or_default().renditions.insert(index, segment);
            }
        }
    }

    /// The next part, if it is whole.
    pub(super) fn pop(&mut self) -> Option<Part> {
        let entry = self.waiting.first_entry()?;
        let whole = entry.get().head.as_ref().is_some_and(|(_, n)| entry.get().renditions.len() == *n);
        if !whole {
            return None;
        }
        let Waiting { head, renditions } = entry.remove();
        let (mut part, _) = head?;
        part.renditions = renditions.into_values().collect();
        Some(part)
    }
}
