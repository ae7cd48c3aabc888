//! The history of a stream's broadcasts.

use futures::stream::{self, StreamExt, TryStreamExt};
use headwater_domain::ports::PortResult;
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, StreamId};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::json;

use super::{ApiFunction, ApiTable, input, view};
use crate::reply::{Problem, json};

/// Entries at either end of a broadcast in which media is looked for: what could not be stored is a gap.
const LOOKED_AT: usize = 4;
/// Reads under way at once.
const READS_AT_ONCE: usize = 16;

impl<T: ApiTable> ApiFunction<T> {
    pub(super) async fn list_broadcasts(
        &self,
        stream: &StreamId,
        request: &Request,
    ) -> Result<Response<Body>, Problem> {
        let parse = |tail: &str| format!("{stream}-{tail}").parse::<BroadcastId>().ok();
        let (limit, after) = input::page(request, input::DEFAULT_PAGE, parse)?;
        self.find(stream).await?;
        let replicated = self.table.replicated_state(stream).await?;
        let page = self.table.broadcasts(stream, after.as_ref(), limit).await?;
        let (now, region) = (self.context.now(), &self.context.region);
        let ids: Vec<_> = page.items.iter().map(|record| record.id.clone()).collect();
        let looks = stream::iter(ids).map(|id| self.has_recording(id)).buffered(READS_AT_ONCE);
        let recorded: Vec<_> = looks.try_collect().await?;
        let show = |(record, has_recording)| {
            view::broadcast(record, has_recording, &replicated, region, &self.public_urls, now)
        };
        let broadcasts: Vec<_> = page.items.iter().zip(recorded).map(show).collect();
        // The stream is in the path already, so a cursor cannot name another one.
        let next = page.items.last().filter(|_| page.more).map(|record| record.id.tail());
        Ok(json(StatusCode::OK, &json!({ "broadcasts": broadcasts, "next": next })))
    }

    /// Whether there is anything to see of a broadcast when it is over, by one small read as a rule.
    async fn has_recording(&self, broadcast: BroadcastId) -> PortResult<bool> {
        let now = self.context.now();
        let is_there =
            |entries: Vec<Entry>| entries.iter().any(|entry| self.kept_for.has_recording(entry, now));
        let newest = self.table.newest(&broadcast, LOOKED_AT).await?;
        let is_all = newest.len() < LOOKED_AT;
        let found = is_there(newest);
        if found || is_all {
            return Ok(found);
        }
        Ok(is_there(self.table.oldest(&broadcast, LOOKED_AT).await?))
    }
}
