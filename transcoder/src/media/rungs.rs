//! Starts the renditions' threads as a chain from large to small and joins them.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::assemble::Piece;
use super::error::MediaError;
use super::ladder::{self, Picture};
use super::settings::EngineSettings;
use super::stats::Counters;
use super::video::{Colour, Job, Rung, RungError, RungPlan};

/// Pictures that may wait before a rung: enough to ride over a key frame, at most 25 MiB of 1080p each.
const MAX_WAITING: usize = 8;

/// The threads of one run.
pub(super) struct Rungs<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    settings: &'env EngineSettings,
    counters: &'env Counters,
    out: SyncSender<Piece>,
    handles: Vec<ScopedJoinHandle<'scope, Result<(), RungError>>>,
}

impl<'scope, 'env> Rungs<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        settings: &'env EngineSettings,
        counters: &'env Counters,
        out: SyncSender<Piece>,
    ) -> Self {
        Self { scope, settings, counters, out, handles: Vec::new() }
    }

    /// How many renditions there are.
    pub(super) fn count(&self) -> usize {
        self.handles.len()
    }

    /// Starts a thread a rendition; returns where the source's pictures go.
    pub(super) fn start(
        &mut self,
        picture: Picture,
        frame_rate: f64,
        colour: Colour,
    ) -> Result<SyncSender<Job>, MediaError> {
        let ladder = ladder::plan(picture, &self.settings.ladder)?;
        let mut below = None;
        for (index, sized) in ladder.into_iter().enumerate().rev() {
            let (jobs, work) = sync_channel(MAX_WAITING);
            let plan = RungPlan {
                index,
                sized,
                frame_rate,
                colour,
                lookahead: self.settings.lookahead,
                segment_duration: self.settings.segment_duration,
            };
            let (out, counters, next) = (self.out.clone(), self.counters, below.take());
            let name = format!("rung-{}", plan.sized.rung.name);
            let handle = Builder::new()
                .name(name)
                .spawn_scoped(self.scope, move || Rung::new(plan, next, out, counters)?.work(work))
                .map_err(MediaError::Thread)?;
            self.handles.push(handle);
            below = Some(jobs);
        }
        below.ok_or(MediaError::NoRungs)
    }

    /// Waits for all; the first failure wins. Whoever holds the sender of `start` must have dropped it.
    pub(super) fn join(self) -> Result<(), MediaError> {
        let mut result = Ok(());
        for handle in self.handles {
            let ended = match handle.join() {
                Ok(Ok(()) | Err(RungError::Disconnected)) => Ok(()),
                Ok(Err(RungError::Media(error))) => Err(error),
                Err(_) => Err(MediaError::Panicked { thread: "rendition" }),
            };
            result = result.and(ended);
        }
        result
    }
}
