//! A run that broke off, and what is done with what was read of it.

use headwater_domain::SessionId;
use headwater_domain::hooks::Source;
use headwater_domain::stream::TranscodeSettings;

use super::io::Exit;
use crate::source::RunHead;

/// A run that broke off, of which something was read that is not written.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) source: Source,
    pub(super) settings: TranscodeSettings,
    pub(super) head: RunHead,
}

/// It is asked what was read of a run that broke off.
#[derive(Debug, Clone)]
pub(super) struct Recalling {
    pub(super) broken: Broken,
    pub(super) then: Then,
    /// Its packets were found not fit to be copied; it is encoded.
    pub(super) anew: bool,
}

/// What is done when the rest of a run is finished.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Again,
    /// The request for media that had failed counts.
    Unreadable(SessionId, bool),
    Exit(Exit),
}

/// Where a run's bytes come from, and what follows its end.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Link,
    /// Its gateway is gone: what was read of it; `anew` if its packets were found not fit to be copied.
    Replay {
        anew: bool,
        then: Then,
    },
}
