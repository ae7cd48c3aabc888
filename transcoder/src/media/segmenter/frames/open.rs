//! The part that is open, and what becomes of it when it is closed.

use ff::frame;
use ffmpeg_next as ff;

use crate::media::package::assemble;
use crate::media::{Effort, MediaTime, VideoSpan};

/// A part whose video is complete.
pub(crate) struct Closed {
    pub(crate) place: assemble::SegmentPart,
    /// Whether it ends its segment.
    pub(crate) last: bool,
    pub(crate) independent: bool,
    pub(crate) span: VideoSpan,
    pub(crate) frames: u32,
    pub(crate) repeated: u32,
    pub(crate) effort: Effort,
}

/// Collects the pictures of a part.
pub(super) struct Open {
    pub(crate) place: assemble::SegmentPart,
    pub(crate) independent: bool,
    /// Of the pictures of the part.
    pub(crate) times: Vec<MediaTime>,
    pub(crate) repeated: u32,
    pub(crate) effort: Effort,
    /// Pictures in the parts of the segment before.
    pub(crate) before: u64,
}

impl Open {
    /// Whether the next picture is one that renditions at half the frame rate leave out.
    pub(super) fn is_odd(&self) -> bool {
        (self.before + self.times.len() as u64) % 2 == 1
    }

    /// The part, ended at `end`; `None` if no picture of it is shown before.
    pub(crate) fn closed(&self, end: MediaTime, last: bool) -> Option<Closed> {
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
pub(crate) fn shape(picture: &frame::Video) -> (ff::format::Pixel, u32, u32) {
    (picture.format(), picture.width(), picture.height())
}
