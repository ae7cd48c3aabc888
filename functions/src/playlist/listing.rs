//! Listed streams that are live: what the player page shows.

use futures::stream::{self, StreamExt};
use headwater_domain::StreamId;
use headwater_domain::control::State;
use headwater_domain::paths::EdgePath;
use headwater_domain::ports::{PortResult, ReadControl, ReadStreams, ReadTimeline};
use serde::Serialize;

use super::PlaylistFunction;
use super::output::Reply;
use crate::date::date;
use crate::reply::Problem;

/// Streams in one listing; the page is a showcase, not a directory.
const MAX_LISTED: usize = 50;
/// Active streams that are looked at for it, listed or not: each costs a read. The edge keeps the answer, so that is a read a
/// second and stream at most.
const MAX_LOOKED_AT: usize = 1_000;
/// Reads under way at once.
const READS_AT_ONCE: usize = 16;

#[derive(Serialize)]
struct Listing {
    streams: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    id: StreamId,
    name: String,
    state: State,
    started_at: String,
    playback_url: String,
}

impl<T: ReadControl + ReadTimeline + ReadStreams, P> PlaylistFunction<T, P> {
    pub(super) async fn listing(&self) -> Result<Reply, Problem> {
        let mut active = Vec::new();
        for region in self.context.regions() {
            active.extend(self.table.active(region).await?);
        }
        active.sort();
        active.dedup();
        active.truncate(MAX_LOOKED_AT);
        // First who is listed and live, then how many.
        let listed = stream::iter(active).map(|id| self.listed(id)).buffered(READS_AT_ONCE);
        let listed = listed.filter_map(|found| std::future::ready(found.transpose())).take(MAX_LISTED);
        let streams = listed.collect::<Vec<_>>().await.into_iter().collect::<PortResult<_>>()?;
        let body = serde_json::to_string(&Listing { streams }).expect("a listing is maps with text keys");
        Ok(Reply::json(body))
    }

    async fn listed(&self, id: StreamId) -> PortResult<Option<Listed>> {
        let Some(document) = self.table.stream(&id).await? else { return Ok(None) };
        if document.deleted_at.is_some() || !document.settings.listed {
            return Ok(None);
        }
        let replicated = self.table.replicated_state(&id).await?;
        let state = replicated.state(self.context.now()).filter(|state| state.is_open());
        Ok(state.zip(replicated.session()).map(|(state, session)| Listed {
            playback_url: EdgePath::Live(id.clone()).to_string(),
            name: document.name,
            state,
            started_at: date(session.started_at),
            id,
        }))
    }
}
