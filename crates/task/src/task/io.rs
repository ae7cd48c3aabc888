//! What happens to a task, and what it wants to be done.

use std::time::Duration;

use headwater_domain::heartbeat::{GivenUp, Health};
use headwater_domain::hooks::{Source, TranscoderOrder};
use headwater_domain::ports::{Commit, FaultKind};
use headwater_domain::stream::TranscodeSettings;
use headwater_domain::timeline::Entry;
use headwater_domain::{Lease, SegmentNumber, SessionId};

use crate::commits::{Upload, UploadId};
use crate::engine::{Made, Passthrough, RunEnded, RunFailed, StartPoint};
use crate::health::About;
use crate::source::{Opened, RunHead, Unreadable};

/// Something has happened.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives for as long as it takes to hand it in")]
pub enum Input {
    /// [`Output::Heartbeat`] was answered with this.
    Ordered(TranscoderOrder),
    /// It was not answered.
    Unanswered,
    /// Something is wrong that the task cannot see for itself, or no longer.
    Noted(About, Option<String>),
    /// So many objects wait for their mirror copies.
    Mirroring(u64),
    /// The process is asked to leave (SIGTERM).
    Leave {
        /// It is killed after so long.
        within: Duration,
    },
    /// The answer to [`Output::Open`].
    Opened(Result<Opened, Unreadable>),
    /// The answer to [`Output::Recall`]: the cursor of the first message that is to be read again, if any is.
    Recalled(Option<u64>),
    /// The engine has made this of the run. Not before [`Task::has_room`](super::Task::has_room).
    Made(Made),
    /// Everything that the gateway has sent is read, and the engine waits for more.
    Starved,
    /// It waits no longer.
    Fed,
    /// The run has ended: nothing more is made of it.
    Ended(Result<RunEnded, RunFailed>),
    /// The objects of [`Output::Upload`] are stored, but for what could not be.
    Stored {
        /// Which upload.
        upload: UploadId,
        /// Whether something could not be stored.
        is_lost: bool,
    },
    /// The answer to [`Output::Commit`].
    Committed(Result<Commit, FaultKind>),
    /// The gateway was told by [`Output::Confirm`].
    Confirmed {
        /// What of the session cannot be used, as the gateway says now.
        problem: Option<String>,
    },
    /// The gateway could not be told.
    Unconfirmed,
    /// [`Output::Drain`] is done, as far as it could be.
    Drained,
    /// [`Task::deadline`](super::Task::deadline) is reached.
    Timeout,
}

/// Something is to be done.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one lives for as long as it takes to do it")]
pub enum Output {
    /// Tell the control plane that the task lives, and how it fares.
    Heartbeat(Health),
    /// Ask the gateway for the media of `source` after the cursor `after`; if `live`, only from the newest key frame on.
    Open {
        /// Where it is.
        source: Source,
        /// What was read before.
        after: u64,
        /// Whether what lies before the live edge is passed over.
        live: bool,
    },
    /// The request is not waited for any more.
    Close,
    /// Say what was read of the run that broke off last and is not written.
    Recall,
    /// What was read of the last run is not asked for any more.
    Forget,
    /// Have the engine work on a run.
    Start(Box<Run>),
    /// What was read of the run up to this cursor need not be recalled: it is on its way into the timeline.
    Written(u64),
    /// Store these objects side by side.
    Upload(Upload),
    /// Put this entry into the timeline.
    Commit(Entry),
    /// Tell the gateway that the media of `source` is safe up to the cursor `cursor`.
    Confirm {
        /// Where the gateway is, with the newest token.
        source: Source,
        /// Up to where its media is committed.
        cursor: u64,
    },
    /// The engine is to hand out the open segment as a short one, and end.
    Finish,
    /// The engine is to end behind the open segment, at its boundary.
    EndSegment,
    /// Drop everything at once: another lease has taken over.
    Abort,
    /// Something that people are to know.
    Report(Report),
    /// Wait for the mirror copies that are under way, within limits.
    Drain,
    /// The task is over. Nothing follows.
    Exit(Result<Exit, TimelineLost>),
}

/// One run for the engine.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose media it is.
    pub source: Source,
    /// How it is transcoded.
    pub settings: TranscodeSettings,
    /// What the gateway said of it.
    pub head: RunHead,
    /// Where its bytes come from.
    pub feed: Feed,
    /// Up to this cursor the session is in the timeline.
    pub after: u64,
    /// Where on the timeline it starts.
    pub start: StartPoint,
    /// Which of its packets may be a rendition.
    pub copy: Passthrough,
    /// Names under which pictures go on.
    pub names: Vec<String>,
}

/// Where a run's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The gateway's answer to the last [`Output::Open`].
    Link,
    /// What was read before: see [`Output::Recall`]. Nobody else has it, so it is finished whatever is ordered.
    Replay,
    /// The gateway's answer to the last [`Output::Open`], into nothing: it is read by others, too, and never recalled.
    Rehearsal,
}

/// What people are to know, beside what heartbeats tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Told to stop: what the gateway has is finished.
    ToldToStop {
        /// What the control plane says of it.
        reason: String,
    },
    /// Another lease has taken over.
    Fenced,
    /// It has made a good segment in real time.
    Ready,
    /// Nothing can be made of what it is to rehearse.
    CannotRehearse {
        /// Why.
        why: String,
    },
    /// It was a standby, and goes on now.
    Promoted,
    /// It ends its open segment, so that a standby can go on.
    HandingOver {
        /// Which.
        to: Lease,
    },
    /// Nothing follows this segment until it is told who goes on.
    Quiesced {
        /// Its last.
        segment: SegmentNumber,
    },
    /// Its standby is withdrawn: it goes on.
    GoesOn,
    /// Its standby goes on.
    HandedOver,
    /// The source answers.
    SourceFound {
        /// The session that is read.
        session: SessionId,
        /// Messages that the gateway no longer has.
        lost: u64,
    },
    /// The session has ended, and was read to its end.
    SourceEnded {
        /// The session.
        session: SessionId,
    },
    /// The source cannot be read now.
    SourceLost {
        /// The session that is read.
        session: SessionId,
    },
    /// The source is left, for another one waits.
    LeftBehind {
        /// The session that is read.
        session: SessionId,
    },
    /// Its gateway is gone; what was read of it is finished.
    Finishing {
        /// The session that is read.
        session: SessionId,
    },
    /// The source's packets are not copied but encoded.
    NotCopied {
        /// What of the source does not allow it.
        why: &'static str,
    },
    /// What was read of a run whose gateway is gone came to nothing.
    NotFinished {
        /// What the engine says of it.
        why: String,
    },
    /// The source is of no use, though it may still come.
    GaveUp {
        /// The session that is read.
        session: SessionId,
        /// What its encoder is told.
        why: GivenUp,
    },
}

/// How a task left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was told that the broadcast is over, or that another goes on.
    Over,
    /// It was asked to leave (SIGTERM) and has finished what it had.
    Left,
    /// Another lease has taken over.
    Fenced,
}

/// The timeline cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineLost;
