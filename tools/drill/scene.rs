//! What is broken, in plain words, and what is promised about it.

use std::time::Duration;

use clap::ValueEnum;

use crate::promises::Promises;

/// How long a service stays away.
pub(crate) const OUTAGE: Duration = Duration::from_secs(8);

/// One thing that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// The transcoder is killed.
    KillTranscoder,
    /// The transcoder hangs, and wakes up after it was replaced.
    FreezeTranscoder,
    /// Region A's API is away for a while.
    StopApi,
    /// Region A's table is away for a while.
    StopDynamodb,
    /// Region A's bucket is away for a while.
    StopS3,
    /// Region A's bucket takes connections and answers nothing for a while.
    FreezeS3,
    /// Region A's table answers a byte at a time for a while.
    DripDynamodb,
    /// The encoder's connection breaks.
    DropEncoder,
    /// The gateway is killed.
    KillGateway,
    /// All of region A is lost, and comes back.
    LoseRegion,
}

impl Scene {
    /// What a person is told when it happens.
    pub(crate) fn story(self) -> &'static str {
        match self {
            Self::KillTranscoder => "The transcoder of the stream is killed (SIGKILL).",
            Self::FreezeTranscoder => {
                "The transcoder hangs (SIGSTOP). The sweep has to find it: each 5 s here, each minute on AWS."
            }
            Self::StopApi => "Region A's API refuses connections for 8 s.",
            Self::StopDynamodb => "Region A's table refuses connections for 8 s.",
            Self::StopS3 => "Region A's bucket refuses connections for 8 s.",
            Self::FreezeS3 => "Region A's bucket hangs for 8 s: it takes connections and answers nothing.",
            Self::DripDynamodb => "Region A's table drips for 8 s: an answer comes a byte each 200 ms.",
            Self::DropEncoder => "The encoder's connection breaks.",
            Self::KillGateway => "The gateway is killed (SIGKILL); ECS starts another one 2 s later.",
            Self::LoseRegion => "All of region A is gone at once: services, gateway, transcoder.",
        }
    }

    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::KillTranscoder => "transcoder killed",
            Self::FreezeTranscoder => "transcoder frozen",
            Self::StopApi => "API of A away 8 s",
            Self::StopDynamodb => "table of A away 8 s",
            Self::StopS3 => "bucket of A away 8 s",
            Self::FreezeS3 => "bucket of A hangs 8 s",
            Self::DripDynamodb => "table of A drips 8 s",
            Self::DropEncoder => "encoder cut off",
            Self::KillGateway => "gateway killed",
            Self::LoseRegion => "region A lost",
        }
    }

    /// What must hold, whatever else happens. Waits are generous: the machine may be busy.
    pub(crate) fn promises(self) -> Promises {
        let seconds = Duration::from_secs;
        let unnoticed = Promises::unnoticed(seconds(12));
        match self {
            Self::KillTranscoder | Self::StopS3 | Self::FreezeS3 => unnoticed,
            Self::StopApi => Promises { crossings: 2, ..unnoticed },
            // 15 s without a heartbeat, a sweep, a start.
            Self::FreezeTranscoder => Promises { longest_wait: seconds(35), ..unnoticed },
            Self::StopDynamodb | Self::DripDynamodb => {
                Promises { crossings: 2, longest_wait: OUTAGE + seconds(14), ..unnoticed }
            }
            Self::DropEncoder => Promises { cuts: 1, discontinuities: 1, ..unnoticed },
            Self::KillGateway => {
                Promises { cuts: 1, discontinuities: 1, longest_wait: seconds(25), ..unnoticed }
            }
            Self::LoseRegion => Promises {
                cuts: 1,
                discontinuities: 2,
                gaps: true,
                crossings: 2,
                longest_wait: seconds(30),
                // The budget of a region that is lost; here the start of the task is included.
                back_within: Some(seconds(10)),
            },
        }
    }
}
