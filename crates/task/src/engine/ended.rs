//! How a run of the engine ended, as far as a task decides by it.

use super::time::MediaTime;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnded {
    /// Resume cursor: that of the last segment (the first of the input if there was none); after a clean end the last one
    /// consumed, after a jump or a change of parameters that of the packet behind it.
    pub cursor: u64,
    /// How the run was placed on the timeline, once known.
    pub offset: Option<MediaTime>,
    /// Why it ended.
    pub ending: Ending,
    /// Frames and packets that could not be decoded.
    pub decode_errors: u64,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The source ended cleanly; everything was handed out.
    Whole,
    /// The source ended cleanly, and nothing of it could be decoded. What follows it may be better.
    Barren(RunFailed),
    /// The source broke off: whole segments were handed out, the open one was not.
    BrokeOff,
    /// The task asked for it: the open segment was handed out short, or everything was dropped.
    Cancelled,
    /// Tracks, or the picture's size or format, changed; a new run goes on behind a discontinuity.
    Changed,
    /// The source's packets are not fit to be a rendition, or no longer: a new run goes on without copying them.
    NotCopyable {
        /// Why not, for people.
        why: &'static str,
    },
    /// Source time jumped; a new, aligned run goes on behind a discontinuity.
    TimestampJump,
}

/// A run came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFailed {
    /// Why, for people.
    pub reason: String,
    /// Whether it is the source's fault: the same bytes would fail again.
    pub is_source: bool,
    /// Whether the encoder's settings must change before it gets better.
    pub is_lasting: bool,
}

impl RunFailed {
    /// A run that ended where it began.
    pub(crate) fn no_media() -> Self {
        Self { reason: "the source holds no media".into(), is_source: true, is_lasting: false }
    }
}
