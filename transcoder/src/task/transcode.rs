//! One run under way: the engine works on it in threads of its own, the committer stores what is written of it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use headwater_domain::hooks::Source;
use headwater_domain::ports::{PutMedia, WriteTimeline};
use headwater_task::engine::{Ending, Made, RunEnded, RunFailed};
use headwater_task::timeline::Written;
use headwater_task::{Input, Replay, Run, Stopped};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::commit::{Committer, MAX_PENDING};
use super::engine;
use super::health_reporter::HealthReporter;
use super::replay::SharedReplay;
use super::source::{ReadStall, reader};
use super::upload::Uploader;
use crate::media::{self, Cancel, EndReason, ErrorKind, MediaError, RunEnd, RunInput};

/// Pieces that the engine has made and nobody has written yet: it waits, as it does for the committer.
const MAX_MADE: usize = 1;

/// Where a run's bytes come from, and where what was read of it is kept.
pub(super) enum Media {
    Link(Incoming, SharedReplay),
    Replay(Replay, SharedReplay),
}

/// A run that the engine works on.
pub(super) struct RunUnderWay {
    replay: SharedReplay,
    cancel: Cancel,
    abort: CancellationToken,
    /// The source with its newest token.
    access: watch::Sender<Source>,
    engine: JoinHandle<Result<RunEnd, MediaError>>,
    /// What the engine makes, until it has ended.
    made: Option<mpsc::Receiver<Made>>,
    /// What is written waits for the committer.
    outbox: Option<Written>,
    queue: Option<mpsc::Sender<Written>>,
    committing: Option<JoinHandle<Stopped>>,
    /// Whether the engine waits for the source; nobody waits for what is in memory.
    stall: Option<watch::Receiver<bool>>,
    has_ended: bool,
}

impl RunUnderWay {
    pub(super) fn start<T, M>(
        run: Run,
        media: Media,
        timeline: Arc<T>,
        uploader: Uploader<M>,
        health_reporter: HealthReporter,
    ) -> Self
    where
        T: WriteTimeline + 'static,
        M: PutMedia + 'static,
    {
        let first_cursor = run.head.first_cursor;
        let (input, replay, stall) = match media {
            Media::Link(body, replay) => {
                let stall = ReadStall::default();
                let reader = Box::new(reader(body, replay.clone(), stall.clone(), health_reporter.clone()));
                let pace = Some(Box::new(engine::WallPace::new(run.head)) as Box<dyn media::Pace>);
                (RunInput { reader, first_cursor, pace }, replay, Some(stall))
            }
            Media::Replay(rest, replay) => {
                (RunInput { reader: Box::new(rest), first_cursor, pace: None }, replay, None)
            }
        };
        // Before the engine begins: what it tells at once is heard.
        let stalls = stall.as_ref().map(ReadStall::watch);
        let (queue, pending) = mpsc::channel(MAX_PENDING);
        let (abort, cancel) = (CancellationToken::new(), Cancel::new());
        let (access, newest) = watch::channel(run.source);
        let settings = engine::settings(&run.settings, run.copy, run.names, health_reporter.problems());
        let committer = Committer {
            timeline,
            uploader,
            health_reporter,
            lost_parts: BTreeSet::new(),
            stall: stall.clone(),
            source: newest,
        };
        let committing = tokio::spawn(committer.run(pending, abort.clone()));
        let (make, made) = mpsc::channel(MAX_MADE);
        let asked = cancel.clone();
        let engine = tokio::task::spawn_blocking(move || {
            let sink = |piece| match make.blocking_send(piece) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            media::run(input, &settings, run.start, sink, &asked)
        });
        Self {
            replay,
            cancel,
            abort,
            access,
            engine,
            made: Some(made),
            outbox: None,
            queue: Some(queue),
            committing: Some(committing),
            stall: stalls,
            has_ended: false,
        }
    }

    /// What happens next; nothing once the run is over.
    pub(super) async fn next(&mut self) -> Result<Input, JoinError> {
        loop {
            tokio::select! {
                made = made(&mut self.made), if self.outbox.is_none() => match made {
                    Some(made) => return Ok(Input::Made(made)),
                    // Everything that was written is handed over.
                    None => (self.made, self.queue) = (None, None),
                },
                permit = room(&self.queue), if self.outbox.is_some() => match (permit, self.outbox.take()) {
                    (Ok(permit), Some(written)) => drop(permit.send(written)),
                    // Nothing more is committed.
                    _ => (self.made, self.queue) = (None, None),
                },
                ended = &mut self.engine, if self.made.is_none() && !self.has_ended => {
                    self.has_ended = true;
                    return Ok(Input::Ended(told(ended?)));
                }
                stopped = stopped(&mut self.committing) => {
                    self.committing = None;
                    return Ok(Input::Stopped(stopped?));
                }
                is_stalled = stalled(&mut self.stall) => {
                    return Ok(if is_stalled { Input::Starved } else { Input::Fed });
                }
            }
        }
    }

    pub(super) fn write(&mut self, written: Written) {
        if !written.entry.open {
            self.replay.written(written.entry.source.cursor);
        }
        self.outbox = Some(written);
    }

    pub(super) fn renew(&mut self, source: Source) {
        self.access.send_replace(source);
    }

    pub(super) fn finish(&mut self) {
        self.cancel.finish();
    }

    pub(super) fn abort(&mut self) {
        self.abort.cancel();
        self.cancel.abort();
    }
}

async fn made(made: &mut Option<mpsc::Receiver<Made>>) -> Option<Made> {
    match made {
        Some(made) => made.recv().await,
        None => std::future::pending().await,
    }
}

async fn room(
    queue: &Option<mpsc::Sender<Written>>,
) -> Result<mpsc::OwnedPermit<Written>, mpsc::error::SendError<()>> {
    match queue {
        Some(queue) => queue.clone().reserve_owned().await,
        None => std::future::pending().await,
    }
}

async fn stopped(committing: &mut Option<JoinHandle<Stopped>>) -> Result<Stopped, JoinError> {
    match committing {
        Some(committing) => committing.await,
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
