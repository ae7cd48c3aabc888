//! What the task waits for outside of itself: answers of hooks, gateway, buckets and table. One of each kind at a time, but
//! uploads.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use headwater_domain::hooks::{Source, TranscoderHeartbeat};
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::timeline::Entry;
use headwater_task::{Input, Upload};
use tokio::task::{JoinError, JoinSet};

use super::source::{Opened, SourceClient, SourceError};
use super::upload::Uploader;

/// A call under way, if there is one.
pub(super) struct Call<T>(Option<BoxFuture<'static, T>>);

impl<T> Default for Call<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Call<T> {
    /// In place of the one under way.
    pub(super) fn start(&mut self, call: impl Future<Output = T> + Send + 'static) {
        self.0 = Some(Box::pin(call));
    }

    /// Its answer is not waited for any more.
    pub(super) fn drop(&mut self) {
        self.0 = None;
    }

    /// The answer, once; for ever if there is no call.
    pub(super) async fn answer(&mut self) -> T {
        let answer = match &mut self.0 {
            Some(call) => call.await,
            None => std::future::pending().await,
        };
        self.0 = None;
        answer
    }
}

/// All calls under way.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) heartbeat: Call<Input>,
    pub(super) opening: Call<Result<Opened, SourceError>>,
    pub(super) commit: Call<Input>,
    pub(super) confirm: Call<Input>,
    pub(super) drain: Call<Input>,
    /// On their own, so that they go on while others are waited for. They are bounded in time.
    uploads: JoinSet<Input>,
}

impl Calls {
    pub(super) fn upload<M: PutMedia + 'static>(&mut self, uploader: Uploader<M>, upload: Upload) {
        self.uploads.spawn(store(uploader, upload));
    }

    /// The next upload that is over.
    pub(super) async fn uploaded(uploads: &mut JoinSet<Input>) -> Result<Input, JoinError> {
        match uploads.join_next().await {
            Some(stored) => stored,
            None => std::future::pending().await,
        }
    }

    /// The next answer but that of a gateway that is asked for media.
    pub(super) async fn next(&mut self) -> Result<Answer, JoinError> {
        tokio::select! {
            input = self.heartbeat.answer() => Ok(Answer::Input(input)),
            opened = self.opening.answer() => Ok(Answer::Opened(opened)),
            input = self.commit.answer() => Ok(Answer::Input(input)),
            input = self.confirm.answer() => Ok(Answer::Input(input)),
            input = self.drain.answer() => Ok(Answer::Input(input)),
            input = Self::uploaded(&mut self.uploads) => Ok(Answer::Input(input?)),
        }
    }
}

/// What a call was answered with.
pub(super) enum Answer {
    Input(Input),
    Opened(Result<Opened, SourceError>),
}

/// Tells the control plane how the task fares.
pub(super) async fn heartbeat<H: Hooks>(hooks: Arc<H>, heartbeat: TranscoderHeartbeat) -> Input {
    match hooks.transcoder_heartbeat(&heartbeat).await {
        Ok(order) => Input::Ordered(order),
        Err(error) => {
            tracing::warn!(error = error.told(), "a heartbeat was not taken");
            Input::Unanswered
        }
    }
}

/// Stores all objects side by side.
async fn store<M: PutMedia + 'static>(uploader: Uploader<M>, upload: Upload) -> Input {
    let Upload { id, number, part, objects } = upload;
    let stored = join_all(objects.into_iter().map(|object| uploader.store(object))).await;
    let lost = stored.into_iter().find_map(Result::err);
    if let Some(error) = &lost {
        let (number, error) = (number.0, error.told());
        match part {
            // Who plays parts waits for the whole segment, which has a copy.
            Some(part) => tracing::warn!(number, part, error, "a part was not stored; its segment follows"),
            None => tracing::error!(number, error, "a segment was not stored; it becomes a gap"),
        }
    }
    Input::Stored { upload: id, is_lost: lost.is_some() }
}

/// Puts an entry into the timeline.
pub(super) async fn commit<T: WriteTimeline>(timeline: Arc<T>, entry: Entry) -> Input {
    let answer = timeline.commit(&entry).await;
    match &answer {
        Ok(outcome) => {
            let age_ms = entry.committed_at.since(entry.until()).as_millis();
            tracing::info!(
                ?outcome,
                number = entry.number.0,
                parts = entry.parts.len(),
                open = entry.open,
                gap = entry.gap,
                discontinuity = entry.discontinuity,
                age_ms,
                "entry committed"
            );
        }
        Err(error) => {
            tracing::warn!(number = entry.number.0, error = error.told(), "an entry is not committed yet");
        }
    }
    Input::Committed(answer.map_err(|error| error.kind))
}

/// Tells the gateway up to where its media is safe.
pub(super) async fn confirm(client: SourceClient, source: Source, cursor: u64) -> Input {
    match client.committed(&source, cursor).await {
        Ok(problem) => Input::Confirmed { problem },
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the gateway was not told what is committed");
            Input::Unconfirmed
        }
    }
}
