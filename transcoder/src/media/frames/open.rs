//! The part that is open, and what becomes of it when it is closed.

use ff::frame;
use ffmpeg_next as ff;

use super::super::assemble;
use super::super::{Effort, MediaTime, VideoSpan};

/// A part whose video is complete.
pub(in super::super) struct Closed {
    pub(in super::super) place: assemble::SegmentPart,
    /// Whether it ends its segment.
    pub(in super::super) last: bool,
    pub(in super::super) independent: bool,
    pub(in super::super) span: VideoSpan,
    pub(in super::super) frames: u32,
    pub(in super::super) repeated: u32,
    pub(in super::super) effort: Effort,
}

/// Collects the pictures of a part.
pub(super) struct Open {
    pub(super) place: assemble::SegmentPart,
    pub(super) independent: bool,
    /// Of the pictures of the part.
    pub(super) times: Vec<MediaTime>,
    pub(super) repeated: u32,
    pub(super) effort: Effort,
    /// Pictures in the parts of the segment before.
    pub(super) before: u64,
}

impl Open {
    /// Whether the next picture is one that renditions at half the frame rate leave out.
    pub(super) fn is_odd(&self) -> bool {
        (self.before + self.times.len() as u64) % 2 == 1
    }

    /// The part, ended at `end`; `None` if no picture of it is shown before.
    pub(super) fn closed(&self, end: MediaTime, last: bool) -> Option<Closed> {
        let frames = self.times.iter().filter(|&&at| at < end).count();
        let start = *self.times.first().filter(|_| frames > 0)?;
        Some(Closed {
            place: self.place,
            last,
            independent: self.independent,
            span: VideoSpan { start, end },
            frames: frames as u32,
            repeated: self.repeated,
            effort: self.effort,
        })
    }
}

/// What must stay as it is for pictures to go on under one encoder.
pub(super) fn shape(picture: &frame::Video) -> (ff::format::Pixel, u32, u32) {
    (picture.format(), picture.width(), picture.height())
}
