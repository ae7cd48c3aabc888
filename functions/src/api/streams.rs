//! Streams: create, list, show, change, delete, stop.

use headwater_domain::StreamId;
use headwater_domain::control::decide::{self, Lapse};
use headwater_domain::key::{KeyRecord, StreamKey};
use headwater_domain::ports::{FaultKind, ListingPosition, PortError, Write};
use headwater_domain::stream::{
    ColdStart, Latency, Passthrough, PublishPolicy, Rung, StreamDocument, StreamSettings, check_name,
};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::idempotency::Origin;
use super::object::{Object, Whole, present, word};
use super::{ApiFunction, ApiTable, input, not_found, view};
use crate::commit::write_control_record;
use crate::reply::{Problem, json};

/// Lost races for one document before we give up.
const MAX_RACES: usize = 5;
/// Queries for one page of a listing, of which each fills the places that the one before has left empty.
const MAX_READS_OF_A_PAGE: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateStream {
    name: String,
    #[serde(default)]
    settings: Object<SettingsChange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default)]
    settings: Object<SettingsChange>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    #[serde(default, deserialize_with = "present")]
    ladder: Option<Option<Vec<Object<RungChange>>>>,
    #[serde(default, deserialize_with = "word")]
    latency: Option<Latency>,
    #[serde(default, deserialize_with = "word")]
    passthrough: Option<Passthrough>,
    #[serde(default, deserialize_with = "present")]
    record: Option<bool>,
    #[serde(default, deserialize_with = "word")]
    cold_start: Option<ColdStart>,
    #[serde(default, deserialize_with = "word")]
    publish_policy: Option<PublishPolicy>,
    #[serde(default, deserialize_with = "present")]
    reconnect_window_seconds: Option<Whole>,
    #[serde(default, deserialize_with = "present")]
    dvr_window_seconds: Option<Whole>,
    #[serde(default, deserialize_with = "present")]
    listed: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    mirror: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungChange {
    height: Whole,
    kbps: Whole,
}

impl SettingsChange {
    fn apply(self, to: &mut StreamSettings) {
        fn set<T>(to: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *to = value;
            }
        }
        let rung = |Object(rung): Object<RungChange>| Rung { height: rung.height.0, kbps: rung.kbps.0 };
        let ladder = |rungs: Vec<Object<RungChange>>| rungs.into_iter().map(rung).collect();
        set(&mut to.ladder, self.ladder.map(|rungs| rungs.map(ladder)));
        set(&mut to.latency, self.latency);
        set(&mut to.passthrough, self.passthrough);
        set(&mut to.record, self.record);
        set(&mut to.cold_start, self.cold_start);
        set(&mut to.publish_policy, self.publish_policy);
        set(&mut to.reconnect_window_seconds, self.reconnect_window_seconds.map(|Whole(seconds)| seconds));
        set(&mut to.dvr_window_seconds, self.dvr_window_seconds.map(|Whole(seconds)| seconds));
        set(&mut to.listed, self.listed);
        set(&mut to.mirror, self.mirror);
    }
}

impl<T: ApiTable> ApiFunction<T> {
    pub(super) async fn create_stream(&self, request: &Request) -> Result<Response<Body>, Problem> {
        let CreateStream { name, settings: Object(asked) } = input::body(request)?;
        check_name(&name)?;
        let mut settings = StreamSettings::default();
        asked.apply(&mut settings);
        settings.check()?;
        let mut origin = Origin::of(request, "streams", &self.table, &self.pepper, &self.context).await?;
        let made = self.made_before(&mut origin).await?;
        let document = StreamDocument {
            id: origin.stream_id(),
            region: self.context.region.clone(),
            version: 1,
            name,
            created_at: origin.at,
            updated_at: origin.at,
            deleted_at: None,
            settings,
        };
        let key = StreamKey::from_random(document.id.clone(), origin.key_id(), origin.key_secret());
        // In this order a request that dies in the middle leaves nothing that can be seen, and its repetition goes on.
        // `Lost`: the repeated request's stream was changed since; what is there now is shown.
        if made.is_none() {
            self.table.put_stream(&document).await?;
        }
        let record = self.first_key(&key, &origin).await?;
        // A stream that was deleted since must not come back into the listing.
        let document = self.find(&document.id).await?;
        self.table.list_stream(&document).await?;
        let mut view = self.show(&document).await?;
        view.insert("stream_key".into(), view::key(&record, Some(&key)));
        tracing::info!(stream = %document.id, "stream created");
        Ok(json(StatusCode::CREATED, &view))
    }

    /// What an earlier request with this key has made, by this region's knowledge.
    async fn made_before(&self, origin: &mut Origin) -> Result<Option<StreamDocument>, Problem> {
        while origin.is_repeatable() {
            let made = self.table.stream(&origin.stream_id()).await?;
            match made {
                Some(made) if !origin.is_of_this_request(made.created_at, self.context.now()) => {
                    origin.next_use()?;
                }
                made => return Ok(made),
            }
        }
        Ok(None)
    }

    /// The key that a stream is created with. The other region may have stored it by its own clock.
    async fn first_key(&self, key: &StreamKey, origin: &Origin) -> Result<KeyRecord, Problem> {
        if origin.is_repeatable()
            && let Some(made) = self.table.key(key.stream(), key.id()).await?.keys.pop()
        {
            return Ok(made);
        }
        let record = KeyRecord {
            id: key.id().clone(),
            stream: key.stream().clone(),
            hash: key.hash(&self.pepper),
            label: None,
            created_at: origin.at,
            expires_at: None,
        };
        self.table.add_key(&record).await?;
        Ok(record)
    }

    async fn show(&self, document: &StreamDocument) -> Result<serde_json::Map<String, Value>, Problem> {
        let replicated = self.table.replicated_state(&document.id).await?;
        Ok(view::stream(document, &replicated, &self.public_urls, self.context.now()))
    }

    pub(super) async fn list_streams(&self, request: &Request) -> Result<Response<Body>, Problem> {
        let (limit, after) = input::page(request, input::DEFAULT_PAGE, parse_position)?;
        let (mut streams, mut place, mut more) = (Vec::with_capacity(limit), after, true);
        // Places without a stream to show do not count: a page is full if there is enough behind it.
        for _ in 0..MAX_READS_OF_A_PAGE {
            let page = self.table.streams(place.as_ref(), limit - streams.len()).await?;
            for found in &page.items {
                if let Some(document) = self.listed_at(found).await? {
                    streams.push(self.show(&document).await?);
                }
            }
            (place, more) = (page.items.last().cloned().or(place), page.more);
            if !more || streams.len() == limit {
                break;
            }
        }
        let next = place.as_ref().filter(|_| more).map(show_position);
        Ok(json(StatusCode::OK, &json!({ "streams": streams, "next": next })))
    }

    /// The stream that a place in the listing stands for, if any does.
    async fn listed_at(&self, place: &ListingPosition) -> Result<Option<StreamDocument>, Problem> {
        let Some(document) = self.table.stream(&place.id).await? else { return Ok(None) };
        if document.deleted_at.is_some() {
            // Deleted by the other region, or listed by one that had not heard of it.
            let left = StreamDocument { created_at: place.created_at, ..document };
            self.table.unlist_stream(&left).await?;
            return Ok(None);
        }
        // One request that both regions took has put it in two places, by two clocks: that of the document that holds counts.
        Ok(Some(document).filter(|document| document.created_at == place.created_at))
    }

    pub(super) async fn get_stream(&self, id: &StreamId) -> Result<Response<Body>, Problem> {
        let document = self.find(id).await?;
        Ok(json(StatusCode::OK, &self.show(&document).await?))
    }

    pub(super) async fn patch_stream(
        &self,
        id: &StreamId,
        request: &Request,
    ) -> Result<Response<Body>, Problem> {
        for _ in 0..MAX_RACES {
            let Patch { name, settings: Object(settings) } = input::body(request)?;
            let mut next = self.find(id).await?.successor(&self.context.region, self.context.now());
            if let Some(name) = name {
                check_name(&name)?;
                next.name = name;
            }
            settings.apply(&mut next.settings);
            next.settings.check()?;
            if self.table.put_stream(&next).await? == Write::Stored {
                return Ok(json(StatusCode::OK, &self.show(&next).await?));
            }
        }
        Err(raced("change a stream"))
    }

    pub(super) async fn delete_stream(&self, id: &StreamId) -> Result<Response<Body>, Problem> {
        for _ in 0..MAX_RACES {
            let Some(there) = self.table.stream(id).await? else { return Err(not_found(id)) };
            if there.deleted_at.is_some() {
                // An earlier try may have died in the middle.
                self.clear_away(&there).await?;
                return Err(not_found(id));
            }
            let mut next = there.successor(&self.context.region, self.context.now());
            next.deleted_at = Some(next.updated_at);
            if self.table.put_stream(&next).await? == Write::Stored {
                self.clear_away(&next).await?;
                tracing::info!(stream = %id, "stream deleted");
                return Ok(empty());
            }
        }
        Err(raced("delete a stream"))
    }

    /// What a deleted stream leaves behind: its running broadcast and its place in the listing.
    async fn clear_away(&self, deleted: &StreamDocument) -> Result<(), Problem> {
        let reason = Lapse::StreamDeleted;
        let ended = write_control_record(&self.table, &deleted.id, &self.context, |replicated, own| {
            let now = self.context.now();
            Some((decide::kick(replicated, own, |_| true, reason.reason(), true, now)?, ()))
        });
        ended.await?;
        Ok(self.table.unlist_stream(deleted).await?)
    }

    pub(super) async fn stop_stream(&self, id: &StreamId) -> Result<Response<Body>, Problem> {
        self.find(id).await?;
        if self.end_broadcast(id).await? {
            return Ok(json(StatusCode::ACCEPTED, &json!({ "stopped": true })));
        }
        let detail = "the stream is not live, so there is nothing to stop; if the other region has accepted an encoder \
                      that this region has not heard of yet, that one is closed as soon as the regions have found together";
        Err(Problem::new(StatusCode::CONFLICT, "not-live", "Not live", detail))
    }

    /// Ends the running broadcast; whether there is one. Its encoder is sent away with its next heartbeat. Where there is another
    /// region, the order is written down in any case: that one may know of more.
    async fn end_broadcast(&self, id: &StreamId) -> Result<bool, Problem> {
        let stopped = write_control_record(&self.table, id, &self.context, |replicated, own| {
            let reason = "the stream was stopped by its owner";
            let (record, was_open) = decide::stop(replicated, own, reason, self.context.now());
            (was_open || self.context.peer.is_some()).then_some((record, was_open))
        });
        Ok(stopped.await? == Some(true))
    }
}

fn raced(action: &'static str) -> Problem {
    PortError { kind: FaultKind::Throttled, action, source: "lost every race for it".into() }.into()
}

pub(super) fn empty() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn show_position(place: &ListingPosition) -> String {
    format!("{}-{}", place.created_at.0, place.id)
}

fn parse_position(text: &str) -> Option<ListingPosition> {
    let (created_at, id) = text.split_once('-')?;
    let created_at = input::time(created_at)?;
    Some(ListingPosition { created_at, id: id.parse().ok()? })
}
