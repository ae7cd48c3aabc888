//! One run under way: the engine works on it in threads of its own.

use std::ops::ControlFlow;

use headwater_domain::ClockReader;
use headwater_task::engine::{Ending, Made, RunEnded, RunFailed};
use headwater_task::{Input, Replay, Run};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use super::engine;
use super::observations::Observations;
use super::replay::SharedReplay;
use super::source::{ReadStall, reader};
use crate::media::{self, Cancel, EndReason, ErrorKind, MediaError, Problems, RunEnd, RunInput};

/// Pieces that the engine has made and nobody has taken yet: it waits, as it does for the task to have room.
const MAX_MADE: usize = 1;

/// Where a run's bytes come from.
pub(super) enum Media {
    /// The gateway; what was read is kept here, unless nobody will ask for it, and what is wrong with it noted there.
    Link(Incoming, Option<SharedReplay>, Observations),
    Replay(Replay),
}

/// A run that the engine works on.
pub(super) struct RunUnderWay {
    cancel: Cancel,
    engine: JoinHandle<Result<RunEnd, MediaError>>,
    /// What the engine makes, until it has ended.
    made: Option<mpsc::Receiver<Made>>,
    /// Whether the engine waits for the source; nobody waits for what is in memory.
    stall: Option<watch::Receiver<bool>>,
    has_ended: bool,
}

impl RunUnderWay {
    pub(super) fn start(run: Run, media: Media, problems: Problems, clock: ClockReader) -> Self {
        let first_cursor = run.head.first_cursor;
        let (input, stall) = match media {
            Media::Link(body, replay, observed) => {
                let stall = ReadStall::default();
                // Before the engine begins: what it tells at once is heard.
                let stalls = stall.watch();
                let reader = Box::new(reader(body, replay, stall, observed));
                let pace = Some(Box::new(engine::WallPace::new(run.head, clock)) as Box<dyn media::Pace>);
                (RunInput { reader, first_cursor, pace }, Some(stalls))
            }
            Media::Replay(rest) => (RunInput { reader: Box::new(rest), first_cursor, pace: None }, None),
        };
        let settings = engine::settings(&run.settings, run.copy, run.names, problems);
        let (make, made) = mpsc::channel(MAX_MADE);
        let cancel = Cancel::new();
        let asked = cancel.clone();
        let engine = tokio::task::spawn_blocking(move || {
            let sink = |piece| match make.blocking_send(piece) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            media::run(input, &settings, run.start, sink, &asked)
        });
        Self { cancel, engine, made: Some(made), stall, has_ended: false }
    }

    /// What happens next; nothing once the run is over. Without room nothing more that is made is taken.
    pub(super) async fn next(&mut self, has_room: bool) -> Result<Input, JoinError> {
        loop {
            tokio::select! {
                made = made(&mut self.made), if has_room => match made {
                    Some(made) => return Ok(Input::Made(made)),
                    None => self.made = None,
                },
                ended = &mut self.engine, if self.made.is_none() && !self.has_ended => {
                    self.has_ended = true;
                    return Ok(Input::Ended(told(ended?)));
                }
                is_stalled = stalled(&mut self.stall) => {
                    return Ok(if is_stalled { Input::Starved } else { Input::Fed });
                }
            }
        }
    }

    pub(super) fn end_segment(&mut self) {
        self.cancel.end_segment();
    }

    pub(super) fn finish(&mut self) {
        self.cancel.finish();
    }

    /// What the engine makes is taken by nobody any more, so that it does not wait.
    pub(super) fn abort(&mut self) {
        self.made = None;
        self.cancel.abort();
    }
}

async fn made(made: &mut Option<mpsc::Receiver<Made>>) -> Option<Made> {
    match made {
        Some(made) => made.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether the engine waits for the source, when that has changed.
async fn stalled(stall: &mut Option<watch::Receiver<bool>>) -> bool {
    if let Some(is_stalled) = stall
        && is_stalled.changed().await.is_ok()
    {
        return *is_stalled.borrow_and_update();
    }
    *stall = None;
    std::future::pending().await
}

/// How the run has ended, as far as it is decided by.
fn told(ended: Result<RunEnd, MediaError>) -> Result<RunEnded, RunFailed> {
    let end = match ended {
        Ok(end) => end,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the source cannot be transcoded");
            return Err(failed(&error));
        }
    };
    tracing::info!(reason = ?end.reason, stats = ?end.stats, "a run has ended");
    let ending = match end.reason {
        EndReason::Ended => Ending::Whole,
        EndReason::Barren(error) => Ending::Barren(failed(&error)),
        EndReason::Abrupt(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the source broke off");
            Ending::BrokeOff
        }
        EndReason::Finished | EndReason::Aborted => Ending::Cancelled,
        EndReason::TracksChanged | EndReason::ParametersChanged => Ending::Changed,
        EndReason::NotCopyable { why } => Ending::NotCopyable { why },
        EndReason::TimestampJump => Ending::TimestampJump,
    };
    let decode_errors = end.stats.video_errors + end.stats.audio_errors;
    Ok(RunEnded { cursor: end.position.cursor, offset: end.position.offset, ending, decode_errors })
}

fn failed(error: &MediaError) -> RunFailed {
    RunFailed {
        reason: error.to_string(),
        is_source: error.kind() == ErrorKind::Source,
        is_lasting: error.is_lasting(),
    }
}
