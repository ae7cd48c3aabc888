//! Puts the renditions of a segment together and the segments in order. Pure.

use std::collections::BTreeMap;

use super::segment::{RenditionSegment, Segment};

/// What arrives, in any order between renditions.
pub(super) enum Piece {
    /// Everything about a segment but its renditions (an empty list), and how many to wait for.
    Head { segment: Segment, renditions: usize },
    /// One rendition of a segment; audio has the greatest index.
    Rendition { number: u64, index: usize, segment: RenditionSegment },
}

#[derive(Default)]
struct Waiting {
    head: Option<(Segment, usize)>,
    renditions: BTreeMap<usize, RenditionSegment>,
}

/// Holds what is incomplete: bounded, since all threads work on the same few segments.
#[derive(Default)]
pub(super) struct Assembler {
    waiting: BTreeMap<u64, Waiting>,
}

impl Assembler {
    pub(super) fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Head { segment, renditions } => {
                let number = segment.number;
                self.waiting.entry(number).or_default().head = Some((segment, renditions));
            }
            Piece::Rendition { number, index, segment } => {
                self.waiting.entry(number).or_default().renditions.insert(index, segment);
            }
        }
    }

    /// The next segment, if it is whole.
    pub(super) fn pop(&mut self) -> Option<Segment> {
        let entry = self.waiting.first_entry()?;
        let whole = entry.get().head.as_ref().is_some_and(|(_, n)| entry.get().renditions.len() == *n);
        if !whole {
            return None;
        }
        let Waiting { head, renditions } = entry.remove();
        let (mut segment, _) = head?;
        segment.renditions = renditions.into_values().collect();
        Some(segment)
    }
}
