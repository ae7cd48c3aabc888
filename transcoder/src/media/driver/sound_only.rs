//! Cuts sound without pictures.

use std::collections::VecDeque;

use crate::media::package::assemble::SegmentPart;
use crate::media::segmenter::cut::{Boundary, Cutter, PartCutter};
use crate::media::segmenter::frames::Closed;
use crate::media::settings::EngineSettings;
use crate::media::{GridFrame, StartPoint, VideoSpan};

/// Cuts the grid itself: each audio frame stands for a picture.
pub(super) struct SoundOnly {
    cutter: Cutter,
    parts: Option<PartCutter>,
    scanned: GridFrame,
    next_number: u64,
    /// Place and start of the open part.
    open: Option<(SegmentPart, GridFrame)>,
}

impl SoundOnly {
    pub(super) fn new(settings: &EngineSettings, start: &StartPoint) -> Self {
        Self {
            cutter: Cutter::new(settings.segment_duration),
            parts: settings.part_duration.map(|duration| PartCutter::new(duration, start.parts.clone())),
            scanned: start.audio_from,
            next_number: start.next_segment,
            open: None,
        }
    }

    /// The frame up to which boundaries were looked for.
    pub(super) fn scanned(&self) -> GridFrame {
        self.scanned
    }

    /// It begins here.
    pub(super) fn begin(&mut self, at: GridFrame) {
        self.scanned = at;
    }

    /// Ends the open part.
    pub(super) fn close(&mut self, end: GridFrame, last: bool) -> Option<Closed> {
        let (place, start) = self.open.take().filter(|(_, start)| end > *start)?;
        self.open = (!last).then_some(((place.0, place.1 + 1), end));
        Some(Closed {
            place,
            last,
            independent: true,
            span: VideoSpan { start: start.time(), end: end.time() },
            frames: 0,
            repeated: 0,
            effort: Default::default(),
        })
    }

    /// Finds the boundaries up to `end`.
    pub(super) fn cut(&mut self, end: GridFrame, closed: &mut VecDeque<Closed>) {
        while self.scanned <= end {
            closed.extend(self.scan());
        }
    }

    /// The part that ends before the next frame, if one does.
    fn scan(&mut self) -> Option<Closed> {
        let at = self.scanned;
        self.scanned = at.next();
        match self.cutter.place(at.time()) {
            Boundary::Within => {
                let step = at.next().time().minus(at.time());
                self.parts.as_mut()?.cuts(at.time(), step)?;
                self.close(at, false)
            }
            Boundary::Opens | Boundary::Cuts => {
                let closed = self.close(at, true);
                self.open = Some(((self.next_number, 0), at));
                self.next_number += 1;
                if let Some(parts) = &mut self.parts {
                    parts.open(at.time());
                }
                closed
            }
        }
    }
}
