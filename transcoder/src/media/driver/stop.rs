//! Why the driver's work ends, and what is to become of the open segment then.

use crate::media::MediaTime;
use crate::media::error::MediaError;
use crate::media::segment::EndReason;
use crate::media::video::copy::Unfit;

/// How the open segment is closed.
pub(super) enum Closing {
    /// After the last picture; sound that goes on is kept if `tail`.
    Natural { tail: bool },
    /// At this instant, the first picture of what follows.
    At(MediaTime),
    /// Where a successor continues without losing or repeating anything.
    Exact,
    /// Not at all.
    Never,
}

/// Whether what decoders hold is still wanted.
#[derive(PartialEq, Eq)]
pub(super) enum Drain {
    Yes,
    No,
}

/// Why the loop ended, and how to close.
pub(super) struct Stop(pub(super) EndReason, pub(super) Closing, pub(super) Drain);

/// Whether the work goes on.
pub(super) type Flow = Result<Option<Stop>, MediaError>;

impl Stop {
    /// The source's packets are no rendition: nothing of the open segment is handed out, it is made anew without them.
    pub(super) fn unfit(Unfit(why): Unfit) -> Self {
        Self(EndReason::NotCopyable { why }, Closing::Never, Drain::No)
    }

    /// Nobody takes what is made any more.
    pub(super) fn gone() -> Self {
        Self(EndReason::Aborted, Closing::Never, Drain::No)
    }
}
