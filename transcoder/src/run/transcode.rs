//! One run: the engine works on it, the committer stores what it makes, and orders are watched meanwhile.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use headwater_domain::SessionId;
use headwater_domain::hooks::{Source, TranscoderOrder};
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::stream::{Passthrough, TranscodeSettings};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commit::{Committer, MAX_PENDING, Pending, Stopped};
use super::engine;
use super::source::{RunHead, reader};
use super::task::{Exit, LAST_WORDS, TaskError, Worked, Worker, reached};
use crate::media::{self, Cancel, EndReason, ErrorKind, Made, MediaError, RunEnd, RunInput};

/// Runs in a row that failed, or ended where they began, before the source counts as unusable.
const MAX_FAILURES: u32 = 5;

impl<H, T, M> Worker<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    /// Has the engine work on one run, commits what it makes.
    pub(super) async fn transcode(
        &mut self,
        source: &Source,
        settings: &TranscodeSettings,
        head: RunHead,
        body: Incoming,
    ) -> Result<Worked, TaskError> {
        let (queue, pending) = mpsc::channel::<Pending>(MAX_PENDING);
        let abort = CancellationToken::new();
        let (access, newest) = watch::channel(source.clone());
        let committer = Committer {
            timeline: self.task.ports.timeline.clone(),
            uploader: self.uploader.mirroring(settings.mirror && self.task.ports.has_mirror),
            vitals: self.vitals.clone(),
            lost_parts: BTreeSet::new(),
            source: newest,
        };
        let mut committing = tokio::spawn(committer.run(pending, abort.clone()));
        let cancel = Cancel::new();
        let mut engine = {
            let (mut author, session, cancel) = (self.author.clone(), source.session.clone(), cancel.clone());
            let copy = match settings.passthrough {
                Passthrough::Auto => author.may_copy(&session, head),
                Passthrough::AlwaysEncode => media::Passthrough::NONE,
            };
            let start = author.start(&session, head);
            let input = RunInput {
                reader: Box::new(reader(body)),
                first_cursor: head.first_cursor,
                pace: Some(Box::new(engine::WallPace::new(head))),
            };
            let engine_settings = engine::settings(settings, copy);
            tokio::task::spawn_blocking(move || {
                let sink = |made| {
                    let (entry, objects, effort) = match &made {
                        Made::Part(part) => {
                            let (entry, objects) = author.write_part(part, &session, head);
                            (entry, objects, part.effort)
                        }
                        Made::Segment(segment) => {
                            let (entry, objects) = author.write(segment, &session, head);
                            (entry, objects, segment.effort)
                        }
                    };
                    match queue.blocking_send(Pending { entry, objects, effort }) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    }
                };
                let ended = media::run(input, &engine_settings, start, sink, &cancel);
                (ended, author)
            })
        };
        let mut exit = None;
        let (mut finished, mut stopped) = (None, None);
        let mut replaced = None;
        let mut left_behind = false;
        // Both, for what the engine has made may still be on its way when the fence comes.
        let (ended, author, stopped) = loop {
            (finished, stopped) = match (finished, stopped) {
                (Some((ended, author)), Some(stopped)) => break (ended, author, stopped),
                unfinished => unfinished,
            };
            let deadline = self.drain_until.into_iter().chain(replaced).min();
            tokio::select! {
                made = &mut engine, if finished.is_none() => finished = Some(made?),
                outcome = &mut committing, if stopped.is_none() => {
                    stopped = Some(outcome?);
                    cancel.abort();
                }
                () = self.task.leave.cancelled(), if exit.is_none() => {
                    exit = Some(Exit::Left);
                    cancel.finish();
                }
                changed = self.orders.changed(), if exit != Some(Exit::Fenced) => match self.newest_order() {
                    Some(TranscoderOrder::Transcode { source: next, .. }) if changed.is_ok() => {
                        if next.session == source.session {
                            access.send_replace(next);
                            replaced = None;
                        } else {
                            // Orders come with every heartbeat: the time runs from the first that says so.
                            replaced = replaced.or_else(|| Some(Instant::now() + LAST_WORDS));
                        }
                    }
                    // The gateway closes the session: what it has of it is read to its end, within limits.
                    Some(TranscoderOrder::Stop { .. } | TranscoderOrder::Wait) if changed.is_ok() => {}
                    // Or nobody is there any more who could say so.
                    _ => {
                        exit = Some(Exit::Fenced);
                        abort.cancel();
                        cancel.abort();
                    }
                },
                () = reached(deadline), if finished.is_none() && exit.is_none() && !left_behind => {
                    tracing::warn!(session = %source.session, "the source does not end; left behind");
                    left_behind = true;
                    cancel.finish();
                }
            }
        };
        let before = self.author.after(&source.session);
        let made_media = author.position() != self.author.position();
        self.author = author;
        match stopped {
            Stopped::Failed => return Err(TaskError::Timeline),
            Stopped::Fenced => return Ok(Worked::Exit(Exit::Fenced)),
            Stopped::Drained => {}
        }
        if let Some(exit) = exit {
            return Ok(Worked::Exit(exit));
        }
        if made_media {
            self.failures = 0;
        }
        Ok(self.after_run(&source.session, head, before, ended))
    }

    /// What follows from how a run has ended; before it, the session had been read up to `before`.
    fn after_run(
        &mut self,
        session: &SessionId,
        head: RunHead,
        before: u64,
        ended: Result<RunEnd, MediaError>,
    ) -> Worked {
        let end = match ended {
            Ok(end) => end,
            Err(error) => return self.failed(session, &error),
        };
        let errors = end.stats.video_errors + end.stats.audio_errors;
        self.vitals.update(|health| health.decode_errors += errors);
        tracing::info!(reason = ?end.reason, stats = ?end.stats, "a run has ended");
        let mut over = end.position.cursor != head.first_cursor;
        let mut problem = None;
        match end.reason {
            EndReason::Abrupt(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the source broke off");
                return Worked::Later;
            }
            EndReason::Finished | EndReason::Aborted => return Worked::Again,
            EndReason::NotCopyable { why } => {
                tracing::info!(why, "the source is encoded anew");
                self.author.do_not_copy(session, head.run);
                return Worked::Again;
            }
            EndReason::TracksChanged | EndReason::ParametersChanged => self.author.break_here(true),
            EndReason::TimestampJump => self.author.break_here(false),
            EndReason::Ended => over = true,
            EndReason::Barren(error) => {
                (over, problem) = (true, Some(error));
            }
        }
        if over {
            self.author.ran_out(session, end.position.cursor);
        }
        if self.author.after(session) > before {
            return Worked::Again;
        }
        // The same would be asked for, and come, again.
        self.failed(session, &problem.unwrap_or(MediaError::NoMedia))
    }

    fn failed(&mut self, session: &SessionId, error: &MediaError) -> Worked {
        tracing::error!(error = error as &dyn std::error::Error, "the source cannot be transcoded");
        self.vitals.update(|health| health.problem = Some(error.to_string()));
        self.failures += 1;
        if error.kind() == ErrorKind::Source || self.failures >= MAX_FAILURES {
            // Asking for the same bytes again would bring the same; a new session may be better.
            self.finished = Some(session.clone());
            self.vitals.source_lost(session, Some(error.to_string()));
            return Worked::Done;
        }
        Worked::Later
    }
}
