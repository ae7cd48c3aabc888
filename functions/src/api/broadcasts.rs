//! The history of a stream's broadcasts.

use headwater_domain::{BroadcastId, StreamId};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::json;

use super::{ApiFunction, ApiTable, input, view};
use crate::reply::{Problem, json};

impl<T: ApiTable> ApiFunction<T> {
    pub(super) async fn list_broadcasts(
        &self,
        stream: &StreamId,
        request: &Request,
    ) -> Result<Response<Body>, Problem> {
        let (limit, after) =
            input::page(request, |tail| format!("{stream}-{tail}").parse::<BroadcastId>().ok())?;
        let document = self.find(stream).await?;
        let situation = self.table.situation(stream).await?;
        let page = self.table.broadcasts(stream, after.as_ref(), limit).await?;
        let (now, region) = (self.context.now(), &self.context.region);
        let show = |record| view::broadcast(record, &document, &situation, region, &self.places, now);
        let broadcasts: Vec<_> = page.items.iter().map(show).collect();
        // The stream is in the path already, so a cursor cannot name another one.
        let next = page.items.last().filter(|_| page.more).map(|record| record.id.tail());
        Ok(json(StatusCode::OK, &json!({ "broadcasts": broadcasts, "next": next })))
    }
}
