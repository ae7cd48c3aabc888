//! The single table: the only place that spells keys.
//!
//! | pattern | key | operation | condition | caller |
//! |---|---|---|---|---|
//! | a stream | `STREAM#<stream>` / `DOC#<region>` | Query, PutItem | stored version lower | api, hooks, playlist |
//! | all streams, newest first | `STREAMS` / `<created>#<stream>` | Query, PutItem, DeleteItem | – | api |
//! | a stream's keys | `KEYS#<stream>` / `KEY#<key>`, `KEY#<key>#REVOKED#<region>` | Query, PutItem | not there yet | api, hooks |
//! | what is live | `CONTROL#<stream>` / `RECORD#<region>`, `HEARTBEAT#<region>`, `HEARTBEAT#<region>#STANDBY` | Query, PutItem | version; lease and fencing token | hooks, lifecycle, api, playlist |
//! | streams to reconcile | `ACTIVE#<region>` / `<stream>` | Query, PutItem, DeleteItem | – | hooks, lifecycle, playlist |
//! | history | `BROADCASTS#<stream>` / `<broadcast>#<region>#START`, `…#END` | Query, PutItem | not there yet | hooks, lifecycle, api |
//! | a timeline | `TIMELINE#<broadcast>` / `<number>#<lease, sortable>` | Query, PutItem | not there, or less far | playlist, hooks; transcoder writes |
//! | repeated requests | `REQUEST#<fingerprint>` / `<region>` | PutItem, Query | not there or expired | api |
//!
//! Every item has `PK`, `SK`, its document as JSON in `doc` (gzip of it for entries of timelines); some have `v` (version or order, for conditions) and `ttl`
//! (unix seconds; expiry is lazy, so readers of requests filter it, and entries say themselves that they are not recorded). There is no Scan and no transaction anywhere.
//! Invariant: an item whose key names a region is written by that region's control plane only; timeline entries are
//! written by their lease's task only.

use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::{BroadcastId, KeyId, Lease, Region, SegmentNumber, StreamId, Timestamp};

/// Partition key attribute.
pub const PK: &str = "PK";
/// Sort key attribute.
pub const SK: &str = "SK";
/// The item's document: JSON, or gzip of it.
pub const DOC: &str = "doc";
/// Version or order, for conditions.
pub const VERSION: &str = "v";
/// Which process claimed the lease, for the condition on heartbeats.
pub const FENCING_TOKEN: &str = "fencing_token";
/// Unix seconds after which the item is no more.
pub const TTL: &str = "ttl";
/// First characters of every timeline partition: what the transcoder's role is limited to (`dynamodb:LeadingKeys`).
pub const TIMELINE_PREFIX: &str = "TIMELINE#";

/// An item's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// A stream as one region wrote it.
    Stream(&'a StreamId, &'a Region),
    /// A stream in the listing of all.
    Listing(Timestamp, &'a StreamId),
    /// A stream key.
    StreamKey(&'a StreamId, &'a KeyId),
    /// A region's revocation of a stream key.
    Revocation(&'a StreamId, &'a KeyId, &'a Region),
    /// A region's control record.
    ControlRecord(&'a StreamId, &'a Region),
    /// A region's latest heartbeat.
    Heartbeat(&'a StreamId, &'a Region),
    /// A region's latest heartbeat of a standby: both write at the same time, and neither may replace the other.
    StandbyHeartbeat(&'a StreamId, &'a Region),
    /// A stream that a region holds for active.
    Active(&'a Region, &'a StreamId),
    /// The beginning of a broadcast.
    BroadcastStart(&'a BroadcastId, &'a Region),
    /// The end of a broadcast.
    BroadcastEnd(&'a BroadcastId, &'a Region),
    /// A timeline entry.
    Entry(&'a BroadcastId, &'a Lease, SegmentNumber),
    /// A request that a region remembers.
    Request(&'a str, &'a Region),
}

impl<'a> Key<'a> {
    /// Where a heartbeat is kept.
    pub fn of_heartbeat(heartbeat: &'a Heartbeat) -> Self {
        let (stream, region) = (&heartbeat.stream, &heartbeat.region);
        match heartbeat.is_of_a_standby() {
            true => Self::StandbyHeartbeat(stream, region),
            false => Self::Heartbeat(stream, region),
        }
    }

    /// Partition and sort key.
    pub fn encode(&self) -> (String, String) {
        match self {
            Self::Stream(stream, region) => (stream_partition(stream), format!("DOC#{region}")),
            Self::Listing(created_at, stream) => (LISTING.into(), listing_sort_key(*created_at, stream)),
            Self::StreamKey(stream, key) => (keys_partition(stream), stream_key_sort_key(key)),
            Self::Revocation(stream, key, region) => {
                (keys_partition(stream), format!("{}#REVOKED#{region}", stream_key_sort_key(key)))
            }
            Self::ControlRecord(stream, region) => (control_partition(stream), format!("{RECORD}{region}")),
            Self::Heartbeat(stream, region) => (control_partition(stream), format!("{HEARTBEAT}{region}")),
            Self::StandbyHeartbeat(stream, region) => {
                (control_partition(stream), format!("{HEARTBEAT}{region}#STANDBY"))
            }
            Self::Active(region, stream) => (active_partition(region), stream.to_string()),
            Self::BroadcastStart(broadcast, region) => {
                (broadcasts_partition(&broadcast.stream()), format!("{broadcast}#{region}#START"))
            }
            Self::BroadcastEnd(broadcast, region) => {
                (broadcasts_partition(&broadcast.stream()), format!("{broadcast}#{region}#END"))
            }
            Self::Entry(broadcast, lease, number) => {
                (timeline_partition(broadcast), format!("{:012}#{}", number.0, lease_order(lease)))
            }
            Self::Request(fingerprint, region) => (request_partition(fingerprint), region.to_string()),
        }
    }
}

/// Partition of the listing of all streams.
pub const LISTING: &str = "STREAMS";
/// Sort key prefix of control records.
pub const RECORD: &str = "RECORD#";
/// Sort key prefix of heartbeats, those of standbys too.
pub const HEARTBEAT: &str = "HEARTBEAT#";

/// Partition of one stream's documents.
pub fn stream_partition(stream: &StreamId) -> String {
    format!("STREAM#{stream}")
}

/// Partition of one stream's keys.
pub fn keys_partition(stream: &StreamId) -> String {
    format!("KEYS#{stream}")
}

/// Sort key of a stream key; those of its revocations begin with it. All ids have one length, so no other key's do.
pub fn stream_key_sort_key(key: &KeyId) -> String {
    format!("KEY#{key}")
}

/// Partition of what is live of one stream.
pub fn control_partition(stream: &StreamId) -> String {
    format!("CONTROL#{stream}")
}

/// Partition of the streams that a region holds for active.
pub fn active_partition(region: &Region) -> String {
    format!("ACTIVE#{region}")
}

/// Partition of one stream's broadcasts.
pub fn broadcasts_partition(stream: &StreamId) -> String {
    format!("BROADCASTS#{stream}")
}

/// Partition of one broadcast's timeline.
pub fn timeline_partition(broadcast: &BroadcastId) -> String {
    format!("{TIMELINE_PREFIX}{broadcast}")
}

/// Partition of the requests with one fingerprint.
pub fn request_partition(fingerprint: &str) -> String {
    format!("REQUEST#{fingerprint}")
}

/// A stream's sort key in the listing.
pub fn listing_sort_key(created_at: Timestamp, stream: &StreamId) -> String {
    format!("{:015}#{stream}", created_at.0)
}

/// A lease as text that sorts as leases do. `#` sorts before every character of a region's name.
pub fn lease_order(lease: &Lease) -> String {
    format!("{:010}#{}#{}", lease.number.0, lease.region, lease.nonce)
}

/// A lease of a broadcast as text that sorts by broadcast, then lease.
pub fn heartbeat_order(broadcast: &BroadcastId, lease: &Lease) -> String {
    format!("{broadcast}#{}", lease_order(lease))
}

#[cfg(test)]
mod tests {
    use headwater_domain::ids::{LeaseNumber, Nonce};

    use super::*;

    #[test]
    fn leases_sort_in_the_table_as_in_the_domain() {
        let mut leases = Vec::new();
        for number in [1, 2, 10, 100_000] {
            for region in ["us-east-1", "us-east-10", "eu-west-1"] {
                for nonce in [1, 2] {
                    leases.push(Lease {
                        number: LeaseNumber(number),
                        region: region.parse().unwrap(),
                        nonce: Nonce::from_random(nonce),
                    });
                }
            }
        }
        let mut by_text = leases.clone();
        leases.sort();
        by_text.sort_by_key(lease_order);
        assert_eq!(leases, by_text);
    }

    #[test]
    fn no_two_keys_are_one_item() {
        let stream = StreamId::from_random(1);
        let broadcast = BroadcastId::new(&stream, 1, 1);
        let (a, b): (Region, Region) = ("us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap());
        let key = KeyId::from_random(1);
        let lease = |region: &Region| Lease {
            number: LeaseNumber(1),
            region: region.clone(),
            nonce: Nonce::from_random(1),
        };
        let (lease_a, lease_b) = (lease(&a), lease(&b));
        let mut keys = vec![
            Key::Stream(&stream, &a),
            Key::Stream(&stream, &b),
            Key::Listing(Timestamp(1), &stream),
            Key::StreamKey(&stream, &key),
            Key::Revocation(&stream, &key, &a),
            Key::Revocation(&stream, &key, &b),
            Key::ControlRecord(&stream, &a),
            Key::ControlRecord(&stream, &b),
            Key::Heartbeat(&stream, &a),
            Key::StandbyHeartbeat(&stream, &a),
            Key::StandbyHeartbeat(&stream, &b),
            Key::Active(&a, &stream),
            Key::BroadcastStart(&broadcast, &a),
            Key::BroadcastEnd(&broadcast, &a),
            Key::Entry(&broadcast, &lease_a, SegmentNumber(1)),
            Key::Entry(&broadcast, &lease_b, SegmentNumber(1)),
            Key::Entry(&broadcast, &lease_b, SegmentNumber(2)),
            Key::Request("x", &a),
            Key::Request("x", &b),
        ]
        .into_iter()
        .map(|key| key.encode())
        .collect::<Vec<_>>();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
