//! One suite per port. The fake and the real adapter both pass it: that is what makes the fake worth testing with.
//!
//! Each suite makes its own ids from `seed`, so that suites can share one table and run at once.

use crate::control::{ControlRecord, End, SessionRecord};
use crate::heartbeat::{Health, Heartbeat, StandbyHealth};
use crate::hooks::{Gateway, Secret};
use crate::ids::{BroadcastId, KeyId, SessionId, StreamId};
use crate::key::{KeyRecord, Pepper, StreamKey};
use crate::ports::*;
use crate::stream::{StreamDocument, StreamSettings};
use crate::testing::samples;
use crate::time::Timestamp;

fn document(seed: u128, version: u64) -> StreamDocument {
    StreamDocument {
        id: StreamId::from_random(seed),
        version,
        name: format!("stream {seed}"),
        ..samples::stream()
    }
}

/// [`ReadStreams`] and [`WriteStreams`].
pub async fn streams<S: ReadStreams + WriteStreams>(store: &S, seed: u128) {
    let first = document(seed, 1);
    assert_eq!(store.stream(&first.id).await.expect("reads"), None);
    assert_eq!(store.put_stream(&first).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_stream(&first).await.expect("writes"), Write::Stored, "the same again is as good");
    let rival = StreamDocument { name: "rival".into(), ..first.clone() };
    assert_eq!(store.put_stream(&rival).await.expect("writes"), Write::Lost);
    let second = document(seed, 2);
    assert_eq!(store.put_stream(&second).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_stream(&first).await.expect("writes"), Write::Lost);
    assert_eq!(store.stream(&first.id).await.expect("reads"), Some(second.clone()));
    let peer = StreamDocument { region: samples::region_b(), version: 3, ..second.clone() };
    assert_eq!(store.put_stream(&peer).await.expect("writes"), Write::Stored);
    assert_eq!(store.stream(&first.id).await.expect("reads"), Some(peer), "the other region's word counts");

    let mut listed = Vec::new();
    for offset in 0..5u64 {
        let created_at = Timestamp(9_000_000_000_000 + (seed as u64) * 10 + offset);
        let document = StreamDocument { created_at, ..document(seed + 1_000 + u128::from(offset), 1) };
        store.list_stream(&document).await.expect("lists");
        listed.push(document);
    }
    listed.reverse();
    let top =
        ListingPosition { created_at: Timestamp(listed[0].created_at.0 + 1), id: StreamId::from_random(0) };
    let page = store.streams(Some(&top), 2).await.expect("pages");
    let ids =
        |page: &Page<ListingPosition>| page.items.iter().map(|place| place.id.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&page), page.more), (vec![listed[0].id.clone(), listed[1].id.clone()], true));
    let page = store.streams(page.items.last(), 2).await.expect("pages");
    assert_eq!(ids(&page), vec![listed[2].id.clone(), listed[3].id.clone()]);
    store.unlist_stream(&listed[4]).await.expect("unlists");
    store.unlist_stream(&listed[4]).await.expect("unlisting twice is no error");
    let rest = store.streams(page.items.last(), 2).await.expect("pages");
    assert!(!ids(&rest).contains(&listed[4].id));
}

/// [`ReadKeys`] and [`WriteKeys`].
pub async fn keys<S: ReadKeys + WriteKeys>(store: &S, seed: u128) {
    let (stream, pepper) = (StreamId::from_random(seed), Pepper::new(Secret::new("pepper")));
    let key = StreamKey::from_random(stream.clone(), KeyId::from_random(seed), seed);
    let record = KeyRecord {
        id: key.id().clone(),
        stream: stream.clone(),
        hash: key.hash(&pepper),
        label: Some("OBS at home".into()),
        created_at: Timestamp(1),
        expires_at: Some(Timestamp(2)),
    };
    assert!(store.key_ring(&stream).await.expect("reads").keys.is_empty());
    store.add_key(&record).await.expect("adds");
    store.add_key(&record).await.expect("adding the same again is as good");
    assert_eq!(store.key_ring(&stream).await.expect("reads").keys, vec![record.clone()]);
    let other = KeyRecord { id: KeyId::from_random(seed + 1), ..record.clone() };
    store.add_key(&other).await.expect("adds");
    store.revoke_key(&stream, &other.id, &samples::region_a(), Timestamp(4)).await.expect("revokes");
    let one = store.key(&stream, &record.id).await.expect("reads");
    assert_eq!((one.keys, one.revoked), (vec![record.clone()], vec![]), "one key, and nothing of the other");
    let one = store.key(&stream, &other.id).await.expect("reads");
    assert_eq!((one.keys, one.revoked), (vec![other.clone()], vec![(other.id.clone(), Timestamp(4))]));
    let none = store.key(&stream, &KeyId::from_random(seed + 2)).await.expect("reads");
    assert_eq!(none, Default::default());
    for region in [samples::region_a(), samples::region_b()] {
        store.revoke_key(&stream, &record.id, &region, Timestamp(5)).await.expect("revokes");
        store
            .revoke_key(&stream, &record.id, &region, Timestamp(6))
            .await
            .expect("revoking twice is no error");
    }
    let ring = store.key_ring(&stream).await.expect("reads");
    let of_it = |(key, _): &&(KeyId, Timestamp)| *key == record.id;
    assert!(ring.is_revoked(&record.id));
    assert!(ring.revoked.iter().filter(of_it).all(|(_, at)| *at == Timestamp(5)));
}

fn record(stream: &StreamId, version: u64, order: u64) -> ControlRecord {
    let mut record = ControlRecord::empty(stream.clone(), samples::region_a());
    record.version = version;
    record.session = Some(SessionRecord {
        id: SessionId::from_random(order.into()),
        order,
        broadcast: BroadcastId::new(stream, 1, 1),
        started_at: Timestamp(1),
        gateway: Gateway { region: samples::region_a(), source: "http://10.0.0.1:8936".into() },
        key: KeyId::from_random(1),
        key_expires_at: None,
        accepted_at: Timestamp(2),
        settings: StreamSettings::default(),
        earlier: Vec::new(),
    });
    record
}

/// [`ReadControl`], [`WriteControl`] and [`WriteHeartbeats`].
pub async fn live<S: ReadControl + WriteControl + WriteHeartbeats>(store: &S, seed: u128) {
    let stream = StreamId::from_random(seed);
    assert_eq!(store.replicated_state(&stream).await.expect("reads"), Default::default());
    assert_eq!(
        store.put_control_record(&record(&stream, 2, 1)).await.expect("writes"),
        Write::Lost,
        "versions begin at 1"
    );
    assert_eq!(store.put_control_record(&record(&stream, 1, 1)).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_control_record(&record(&stream, 1, 1)).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_control_record(&record(&stream, 1, 9)).await.expect("writes"), Write::Lost);
    assert_eq!(store.put_control_record(&record(&stream, 3, 3)).await.expect("writes"), Write::Lost);
    assert_eq!(store.put_control_record(&record(&stream, 2, 2)).await.expect("writes"), Write::Stored);
    let heartbeat = |lease, fencing_token: &str, at| Heartbeat {
        stream: stream.clone(),
        region: samples::region_a(),
        broadcast: BroadcastId::new(&stream, 1, 1),
        lease: samples::lease(lease),
        fencing_token: fencing_token.into(),
        at: Timestamp(at),
        health: Health::starting(),
        before: Vec::new(),
        heard_since: None,
    };
    assert_eq!(store.put_heartbeat(&heartbeat(2, "one", 1)).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_heartbeat(&heartbeat(2, "one", 2)).await.expect("writes"), Write::Stored);
    assert_eq!(
        store.put_heartbeat(&heartbeat(2, "two", 3)).await.expect("writes"),
        Write::Lost,
        "one process per lease"
    );
    assert_eq!(
        store.put_heartbeat(&heartbeat(1, "one", 4)).await.expect("writes"),
        Write::Lost,
        "no lower lease"
    );
    assert_eq!(store.put_heartbeat(&heartbeat(10, "two", 5)).await.expect("writes"), Write::Stored);
    let replicated = store.replicated_state(&stream).await.expect("reads");
    assert_eq!(replicated.records, vec![record(&stream, 2, 2)]);
    assert_eq!(replicated.heartbeats, vec![heartbeat(10, "two", 5)]);
    let of_standby = |lease, fencing_token, at| {
        let health = Health { standby: Some(StandbyHealth { ready: false }), ..Health::starting() };
        Heartbeat { health, ..heartbeat(lease, fencing_token, at) }
    };
    assert_eq!(store.put_heartbeat(&of_standby(11, "three", 6)).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_heartbeat(&heartbeat(10, "two", 7)).await.expect("writes"), Write::Stored);
    assert_eq!(
        store.put_heartbeat(&of_standby(11, "four", 8)).await.expect("writes"),
        Write::Lost,
        "one process per standby"
    );
    assert_eq!(store.put_heartbeat(&of_standby(10, "three", 9)).await.expect("writes"), Write::Lost);
    let mut heartbeats = store.replicated_state(&stream).await.expect("reads").heartbeats;
    heartbeats.sort_by_key(|heartbeat| heartbeat.at);
    assert_eq!(heartbeats, [of_standby(11, "three", 6), heartbeat(10, "two", 7)], "beside each other");
    // Once it is promoted.
    assert_eq!(store.put_heartbeat(&heartbeat(11, "three", 10)).await.expect("writes"), Write::Stored);
    assert_eq!(store.put_heartbeat(&heartbeat(10, "two", 11)).await.expect("writes"), Write::Lost);
    let region = samples::region_b();
    store.mark_active(&stream, &region).await.expect("marks");
    store.mark_active(&stream, &region).await.expect("marking twice is no error");
    assert!(store.active(&region).await.expect("reads").contains(&stream));
    store.clear_active(&stream, &region).await.expect("clears");
    assert!(!store.active(&region).await.expect("reads").contains(&stream));
}

/// [`ReadBroadcasts`] and [`WriteBroadcasts`].
pub async fn broadcasts<S: ReadBroadcasts + WriteBroadcasts>(store: &S, seed: u128) {
    let stream = StreamId::from_random(seed);
    let ids: Vec<_> = (0..3).map(|at| BroadcastId::new(&stream, 1_000 + at, seed)).collect();
    for id in &ids {
        store.record_start(id, &samples::region_a(), Timestamp(7)).await.expect("records");
        store.record_start(id, &samples::region_a(), Timestamp(8)).await.expect("the first start holds");
    }
    let end = End { broadcast: ids[1].clone(), at: Timestamp(9), reason: "over".into(), failed: true };
    store.record_end(&end, &samples::region_b()).await.expect("records");
    let page = store.broadcasts(&stream, None, 2).await.expect("reads");
    let record = |id: &BroadcastId, end| BroadcastRecord { id: id.clone(), started_at: Timestamp(7), end };
    assert_eq!(page.items, vec![record(&ids[2], None), record(&ids[1], Some(end.clone()))]);
    assert!(page.more);
    let page = store.broadcasts(&stream, Some(&ids[1]), 2).await.expect("reads");
    assert_eq!((page.items, page.more), (vec![record(&ids[0], None)], false));
    // Whose opening nobody could record is there, too, and hides nothing that is behind it.
    let unrecorded = BroadcastId::new(&stream, 5_000, seed);
    let end = End { broadcast: unrecorded.clone(), ..end.clone() };
    store.record_end(&end, &samples::region_a()).await.expect("records");
    let page = store.broadcasts(&stream, None, 1).await.expect("reads");
    let first = BroadcastRecord { id: unrecorded.clone(), started_at: Timestamp(5_000), end: Some(end) };
    assert_eq!((page.items, page.more), (vec![first], true));
    let page = store.broadcasts(&stream, Some(&unrecorded), 1).await.expect("reads");
    assert_eq!((page.items, page.more), (vec![record(&ids[2], None)], true));
}

/// [`ReadTimeline`] and [`WriteTimeline`].
pub async fn timeline<S: ReadTimeline + WriteTimeline>(store: &S, seed: u128) {
    let broadcast = BroadcastId::new(&StreamId::from_random(seed), 1, 1);
    let entry = |lease, number| crate::timeline::Entry {
        broadcast: broadcast.clone(),
        ..samples::entry(lease, number)
    };
    for number in [0, 1, 2, 9, 10, 11] {
        assert_eq!(store.commit(&entry(1, number)).await.expect("commits"), Commit::Committed);
    }
    assert_eq!(
        store.commit(&entry(1, 2)).await.expect("commits"),
        Commit::Committed,
        "the same again is as good"
    );
    let other = crate::timeline::Entry { gap: true, ..entry(1, 2) };
    assert_eq!(store.commit(&other).await.expect("commits"), Commit::Fenced);
    assert_eq!(store.commit(&entry(2, 2)).await.expect("commits"), Commit::Committed, "leases never collide");
    assert_eq!(store.all(&broadcast).await.expect("reads").len(), 7);
    let newest = store.newest(&broadcast, 3).await.expect("reads");
    let mut numbers: Vec<_> = newest.iter().map(|entry| (entry.lease.number.0, entry.number.0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [(1, 9), (1, 10), (1, 11)], "by number, whoever wrote it");

    let oldest = store.oldest(&broadcast, 3).await.expect("reads");
    let mut numbers: Vec<_> = oldest.iter().map(|entry| (entry.lease.number.0, entry.number.0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [(1, 0), (1, 1), (1, 2)]);

    // A segment in parts is one item that grows until it is closed, and never shrinks.
    let part =
        crate::timeline::EntryPart { video: None, audio: None, independent: true, gap: false, lease: None };
    let open =
        |parts| crate::timeline::Entry { open: true, parts: vec![part.clone(); parts], ..entry(3, 20) };
    for parts in [1, 2, 2, 4] {
        assert_eq!(store.commit(&open(parts)).await.expect("commits"), Commit::Committed, "{parts} parts");
    }
    assert_eq!(store.commit(&open(3)).await.expect("commits"), Commit::Fenced);
    assert_eq!(store.commit(&entry(3, 20)).await.expect("commits"), Commit::Committed);
    assert_eq!(store.commit(&open(5)).await.expect("commits"), Commit::Fenced, "closed is closed");
    assert_eq!(store.newest(&broadcast, 1).await.expect("reads"), [entry(3, 20)]);
    long_window(store, seed).await;
}

/// A window is read whole, also if it is more than DynamoDB gives at once (a megabyte).
async fn long_window<S: ReadTimeline + WriteTimeline>(store: &S, seed: u128) {
    let broadcast = BroadcastId::new(&StreamId::from_random(seed), 2, 2);
    for number in 0..30 {
        let mut entry = crate::timeline::Entry { broadcast: broadcast.clone(), ..samples::entry(1, number) };
        entry.renditions[0].codecs = noise(number, 6_000);
        store.commit(&entry).await.expect("commits");
    }
    assert_eq!(store.newest(&broadcast, 100).await.expect("reads").len(), 30);
    let newest = store.newest(&broadcast, 28).await.expect("reads");
    assert_eq!(newest.iter().map(|entry| entry.number.0).min(), Some(2));
    assert_eq!(newest.len(), 28);
}

/// Text of so many words that packing does not make much smaller.
fn noise(seed: u64, words: usize) -> String {
    let mut state = seed + 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    };
    (0..words).map(|_| word()).collect()
}

/// [`RememberRequests`].
pub async fn requests<S: RememberRequests>(store: &S, seed: u128) {
    let key = format!("key-{seed}");
    let request =
        |text: &str| Remembered { region: samples::region_a(), request: text.into(), at: Timestamp(1) };
    let peers = Remembered { region: samples::region_b(), ..request("d") };
    let now = Timestamp(1_700_000_000_000);
    assert_eq!(store.remember(&key, &request("a"), now).await.expect("remembers"), [request("a")]);
    assert_eq!(store.remember(&key, &request("b"), now).await.expect("remembers"), [request("a")]);
    let mut both = store.remember(&key, &peers, now + REMEMBERED_FOR / 2).await.expect("remembers");
    both.sort_by(|a, b| a.region.cmp(&b.region));
    let mut expected = [request("a"), peers.clone()];
    expected.sort_by(|a, b| a.region.cmp(&b.region));
    assert_eq!(both, expected, "what both regions were asked");
    let next_day = Timestamp((now + REMEMBERED_FOR).0 + 1_000);
    let mut left = store.remember(&key, &request("c"), next_day).await.expect("remembers");
    left.retain(|request| *request != peers);
    assert_eq!(left, [request("c")], "for a day");
}

/// [`ReadParts`], over what [`PutMedia`] has stored.
pub async fn parts<S: PutMedia + ReadParts>(store: &S, seed: u128) {
    let broadcast = BroadcastId::new(&StreamId::from_random(seed), 1, 1);
    let path = |part| {
        let (lease, number) = (samples::lease(1), crate::ids::SegmentNumber(0));
        crate::paths::part_path(&broadcast, &lease, "720p", number, part)
    };
    let read = |part| path(part).parse().expect("the path of a part");
    assert_eq!(store.part(&read(0)).await.expect("missing is no error"), None);
    for part in 0..2 {
        let body = bytes::Bytes::from(vec![part as u8; 1_000]);
        store.put_media(Bucket::Own, &path(part), "video/mp4", body).await.expect("stores");
    }
    let there = store.part(&read(1)).await.expect("reads");
    assert_eq!(there, Some(bytes::Bytes::from(vec![1; 1_000])));
    assert_eq!(store.part(&read(2)).await.expect("missing is no error"), None);
}
