//! What the API shows of streams, keys and broadcasts.

use headwater_domain::control::decide::MOVED_BY_OWNER;
use headwater_domain::control::{ReplicatedState, State};
use headwater_domain::key::{KeyRecord, StreamKey};
use headwater_domain::paths::EdgePath;
use headwater_domain::ports::BroadcastRecord;
use headwater_domain::stream::StreamDocument;
use headwater_domain::{Region, Timestamp};
use serde_json::{Map, Value, json};

use super::PublicUrls;
use crate::date::date;

/// A stream; `offline` if nothing of it is live.
pub(super) fn stream(
    document: &StreamDocument,
    replicated: &ReplicatedState,
    public_urls: &PublicUrls,
    now: Timestamp,
) -> Map<String, Value> {
    let state = replicated.state(now);
    let status = match state {
        Some(state) if state.is_open() => json!(state),
        Some(State::Failed) => json!("failed"),
        _ => json!("offline"),
    };
    let view = json!({
        "id": document.id,
        "name": document.name,
        "status": status,
        "ingest": { "rtmp": public_urls.rtmp, "rtmps": public_urls.rtmps },
        "playback_url": public_urls.at_edge(&EdgePath::Live(document.id.clone())),
        "settings": document.settings,
        "created_at": date(document.created_at),
        "updated_at": date(document.updated_at),
        "broadcast": replicated.session().map(|session| current(replicated, session.started_at, state, now)),
    });
    match view {
        Value::Object(view) => view,
        _ => Map::new(),
    }
}

fn current(
    replicated: &ReplicatedState,
    started_at: Timestamp,
    state: Option<State>,
    now: Timestamp,
) -> Value {
    let health = replicated.heartbeat().map(|heartbeat| &heartbeat.health);
    json!({
        "id": replicated.broadcast(),
        "state": state,
        "started_at": date(started_at),
        "ended_at": replicated.ended_at(now).map(date),
        "reason": replicated.end().map(|end| &end.reason),
        "region": replicated.lease().map(|lease| &lease.lease.region),
        "lease": replicated.lease().map(|lease| lease.lease.to_string()),
        "media_until": health.and_then(|health| health.media_until).map(date),
        "decode_errors": health.map_or(0, |health| health.decode_errors),
        "mirror_lag": health.map_or(0, |health| health.mirror_lag),
        "fast_preset": health.is_some_and(|health| health.fast_preset),
        "renditions_dropped": health.map_or(0, |health| health.renditions_dropped),
        "problem": health.and_then(|health| health.problem.as_deref()),
        "standby": standby(replicated, now),
    })
}

/// The task that is to go on with a broadcast, or what came of the last one; `null` if nobody has asked for one.
pub(super) fn standby(replicated: &ReplicatedState, now: Timestamp) -> Value {
    if let Some(standby) = replicated.standby() {
        let state = match replicated.heartbeat_of(&standby.lease) {
            Some(_) if replicated.is_ready(standby, now) => "ready",
            Some(_) => "rehearsing",
            None => "starting",
        };
        return json!({ "state": state, "lease": standby.lease.to_string(), "reason": standby.reason });
    }
    match (replicated.withdrawn(), replicated.move_order()) {
        (Some(withdrawn), order) if order.is_none_or(|order| order.at <= withdrawn.at) => {
            let lease = withdrawn.lease.to_string();
            json!({ "state": "failed", "lease": lease, "reason": withdrawn.reason })
        }
        (_, Some(_)) => json!({ "state": "ordered", "lease": null, "reason": MOVED_BY_OWNER }),
        (_, None) => Value::Null,
    }
}

/// A stream key; its value only when it is made.
pub(super) fn key(record: &KeyRecord, value: Option<&StreamKey>) -> Value {
    let mut view = json!({
        "id": record.id,
        "label": record.label,
        "created_at": date(record.created_at),
        "expires_at": record.expires_at.map(date),
    });
    if let Some(value) = value {
        view["value"] = json!(value.reveal());
    }
    view
}

/// A broadcast of the history. `replicated` tells of the newest one, which may still run.
pub(super) fn broadcast(
    record: &BroadcastRecord,
    has_recording: bool,
    replicated: &ReplicatedState,
    region: &Region,
    public_urls: &PublicUrls,
    now: Timestamp,
) -> Value {
    let is_current = replicated.broadcast() == Some(&record.id);
    let state = match (&record.end, replicated.state(now)) {
        (Some(end), _) if end.failed => State::Failed,
        (None, Some(state)) if is_current => state,
        _ => State::Ended,
    };
    let ended_at =
        record.end.as_ref().map(|end| end.at).or_else(|| replicated.ended_at(now).filter(|_| is_current));
    let recording = public_urls.at_edge(&EdgePath::Recording(region.clone(), record.id.clone()));
    json!({
        "id": record.id,
        "state": state,
        "started_at": date(record.started_at),
        "ended_at": ended_at.map(date),
        "reason": record.end.as_ref().map(|end| &end.reason),
        "recording_url": (!state.is_open() && has_recording).then_some(recording),
    })
}
