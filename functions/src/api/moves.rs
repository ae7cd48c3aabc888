//! Moves a running stream to another task: of the image and size that are deployed now.

use headwater_domain::control::ReplicatedState;
use headwater_domain::control::decide::{self, Move};
use headwater_domain::{StreamId, Timestamp};
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use super::{ApiFunction, ApiTable, view};
use crate::commit::write_control_record;
use crate::reply::{Problem, json};

impl<T: ApiTable> ApiFunction<T> {
    /// Writes the order down, once; the region that transcodes the stream obeys with its task's next heartbeat. As long as it
    /// is under way, asking again changes nothing and tells how far it has come.
    pub(super) async fn move_stream(&self, id: &StreamId) -> Result<Response<Body>, Problem> {
        self.find(id).await?;
        let mut is_live = true;
        let ordered = write_control_record(&self.table, id, &self.context, |replicated, own| {
            match decide::order_move(replicated, own, self.context.now()) {
                Move::Ordered(record) => return Some((*record, ())),
                Move::UnderWay => is_live = true,
                Move::NotLive => is_live = false,
            }
            None
        });
        if ordered.await?.is_some() {
            tracing::info!(stream = %id, "the stream's owner moves it to another task");
        } else if !is_live {
            let detail = "nothing is transcoded of the stream now, so there is nothing to move; the next task that is \
                          started for it is of the present deployment anyway. Ask again once the stream is live";
            return Err(Problem::new(StatusCode::CONFLICT, "not-live", "Not live", detail));
        }
        let replicated = self.table.replicated_state(id).await?;
        Ok(json(StatusCode::ACCEPTED, &moving(&replicated, self.context.now())))
    }
}

fn moving(replicated: &ReplicatedState, now: Timestamp) -> Value {
    let lease = replicated.lease().map(|lease| lease.lease.to_string());
    json!({ "lease": lease, "standby": view::standby(replicated, now) })
}
