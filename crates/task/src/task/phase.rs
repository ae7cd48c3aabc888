//! What a task is at.

use std::time::Duration;

use super::asking::Asking;
use super::broken::Recalling;
use super::leaving::Leaving;
use super::running::Running;

/// What a task is at.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Until there is another order.
    Idle,
    /// Until then, whatever is ordered: orders come with every heartbeat.
    Pausing(Duration),
    /// The gateway was asked for media.
    Asking(Asking),
    /// What was read of a run that broke off is looked for.
    Recalling(Recalling),
    /// The engine works on a run.
    Running(Box<Running>),
    /// Nothing more is written; the task says goodbye.
    Leaving(Leaving),
    /// The task is over.
    Over,
}

/// How work on a source ended, if the task stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worked {
    /// Ask again at once.
    Again,
    /// Wait for another order; this session has no more media.
    Done,
    /// The source could not be read; try again in a moment.
    Later,
}
