//! Stream keys: create, list, revoke.

use headwater_domain::control::decide::{self, Lapse};
use headwater_domain::key::{KeyRecord, KeyRing, StreamKey};
use headwater_domain::stream::{BadSetting, check_label};
use headwater_domain::{KeyId, StreamId, Timestamp};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;

use super::idempotency::Origin;
use super::{ApiFunction, ApiTable, input, streams, view};
use crate::commit::write_control_record;
use crate::date::parse_date;
use crate::reply::{Problem, json};

/// Keys that open one stream at a time.
const MAX_KEYS: usize = 50;
/// Keys of one stream that are kept, expired ones too: they stay listed, and are read, until they are revoked.
const MAX_KEPT_KEYS: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    label: Option<String>,
    /// RFC 3339.
    expires_at: Option<String>,
}

fn check_limits(ring: &KeyRing, now: Timestamp) -> Result<(), Problem> {
    let detail = if ring.valid(now) >= MAX_KEYS {
        format!("a stream has at most {MAX_KEYS} keys that open it; revoke one that is not used any more")
    } else if ring.active().len() >= MAX_KEPT_KEYS {
        format!("a stream keeps at most {MAX_KEPT_KEYS} keys; revoke those that have expired")
    } else {
        return Ok(());
    };
    Err(Problem::new(StatusCode::CONFLICT, "too-many-keys", "Too many keys", detail))
}

fn future(text: &str, now: Timestamp) -> Result<Timestamp, BadSetting> {
    parse_date(text).filter(|at| *at > now).ok_or_else(|| BadSetting {
        field: "expires_at",
        problem: "is a time in the future such as 2030-01-31T12:00:00Z".into(),
    })
}

fn parse_position(text: &str) -> Option<(Timestamp, KeyId)> {
    let (created_at, id) = text.split_once('-')?;
    Some((input::time(created_at)?, id.parse().ok()?))
}

impl<T: ApiTable> ApiFunction<T> {
    pub(super) async fn create_key(
        &self,
        stream: &StreamId,
        request: &Request,
    ) -> Result<Response<Body>, Problem> {
        let asked: CreateKey = input::body(request)?;
        asked.label.as_deref().map(check_label).transpose()?;
        let expires_at =
            asked.expires_at.as_deref().map(|text| future(text, self.context.now())).transpose()?;
        self.find(stream).await?;
        let scope = format!("keys of {stream}");
        let mut origin = Origin::of(request, &scope, &self.table, &self.pepper, &self.context).await?;
        let (ring, now) = (self.table.key_ring(stream).await?, self.context.now());
        let (key, made) = loop {
            let key = StreamKey::from_random(stream.clone(), origin.key_id(), origin.key_secret());
            let made = ring.keys.iter().find(|record| record.id == *key.id());
            match made.filter(|made| !origin.is_of_this_request(made.created_at, now)) {
                Some(_) => origin.next_use()?,
                None => break (key, made),
            }
        };
        if let Some(made) = made {
            return Ok(json(StatusCode::CREATED, &view::key(made, Some(&key))));
        }
        // The limit is for new keys: a repeated request gets the key that it made.
        check_limits(&ring, now)?;
        let record = KeyRecord {
            id: key.id().clone(),
            stream: stream.clone(),
            hash: key.hash(&self.pepper),
            label: asked.label,
            created_at: origin.at,
            expires_at,
        };
        self.table.add_key(&record).await?;
        Ok(json(StatusCode::CREATED, &view::key(&record, Some(&key))))
    }

    /// A page begins behind a place, not a key: one that is revoked meanwhile moves nothing.
    pub(super) async fn list_keys(
        &self,
        stream: &StreamId,
        request: &Request,
    ) -> Result<Response<Body>, Problem> {
        let (limit, after) = input::page(request, *input::PAGE.end(), parse_position)?;
        self.find(stream).await?;
        let ring = self.table.key_ring(stream).await?;
        let place = |record: &KeyRecord| (record.created_at, record.id.clone());
        let mut behind = ring.active();
        behind.retain(|record| after.as_ref().is_none_or(|after| place(record) > *after));
        let page = &behind[..limit.min(behind.len())];
        let next = page.last().filter(|_| behind.len() > page.len());
        let next = next.map(|record| format!("{}-{}", record.created_at.0, record.id));
        let keys: Vec<_> = page.iter().map(|record| view::key(record, None)).collect();
        Ok(json(StatusCode::OK, &json!({ "keys": keys, "next": next })))
    }

    pub(super) async fn revoke_key(&self, stream: &StreamId, id: &KeyId) -> Result<Response<Body>, Problem> {
        self.find(stream).await?;
        let mut ring = self.table.key_ring(stream).await?;
        if !ring.keys.iter().any(|record| record.id == *id) {
            return Err(Problem::not_found("stream key"));
        }
        self.table.revoke_key(stream, id, &self.context.region, self.context.now()).await?;
        // First the revocation, then the session: see `hooks::publish` and `hooks::revalidate` for the other halves of this.
        ring.revoked.push((id.clone(), self.context.now()));
        // With no key left nobody can go on with the broadcast.
        let end = !ring.opens(self.context.now());
        write_control_record(&self.table, stream, &self.context, |replicated, own| {
            let (reason, now) = (Lapse::KeyRevoked, self.context.now());
            Some((decide::kick(replicated, own, |used| used == id, reason.reason(), end, now)?, ()))
        })
        .await?;
        Ok(streams::empty())
    }
}
