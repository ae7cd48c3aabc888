//! What a publisher may say beside its media without ending its broadcast, and what somebody is told who says nothing else.

use crate::support::client::{Client, Said};
use bytes::{BufMut, BytesMut};
use headwater_rtmp::amf::Value;
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ErrorKind, Event, Phase, Refusal, SessionConfig, SessionError};

const IDR: &[u8] = b"\x17\x01\0\0\0\0\0\0\x01\x65";

/// A publisher that has sent a picture.
fn healthy() -> Client {
    let mut client = Client::publishing();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &0x10_0000u32.to_be_bytes()).unwrap();
    client.writer.chunk_size = 0x10_0000;
    goes_on(&mut client, "");
    client
}

/// The next picture comes out, and nothing else that would end anything.
#[track_caller]
fn goes_on(client: &mut Client, after: &str) {
    client.send(type_id::VIDEO, 1, 40, IDR).unwrap();
    let events = client.events();
    let pictures = events.iter().filter(|event| matches!(event, Event::Media(_))).count();
    assert_eq!(pictures, 1, "{after}: {events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Unpublished { .. })), "{after}: {events:?}");
    assert_eq!(client.session.phase(), Phase::Publishing, "{after}");
}

/// What the server has said last, and why.
fn told(client: &mut Client) -> (String, String) {
    let said = client.hear();
    let (code, reason) = said.last().unwrap().status().unwrap();
    (code.to_owned(), reason.to_owned())
}

#[test]
fn messages_of_any_foreign_type_and_length_end_no_broadcast_and_are_not_kept() {
    let mut client = healthy();
    let mut allocated = client.session.stats().reader.bytes_allocated;
    for id in (0..=255).filter(|id| type_id::name(*id).is_none()) {
        for length in [0, 1, 70_000] {
            client.send(id, 1, 0, &vec![0x47; length]).unwrap();
        }
        let now = client.session.stats().reader.bytes_allocated;
        assert_eq!(now, allocated, "type {id} is not read, so it is not kept");
        goes_on(&mut client, &format!("type {id}"));
        allocated = client.session.stats().reader.bytes_allocated;
    }
    for id in [type_id::SHARED_OBJECT_AMF0, type_id::SHARED_OBJECT_AMF3, type_id::GO_AWAY] {
        client.send(id, 0, 0, b"so").unwrap();
        goes_on(&mut client, &format!("type {id}"));
    }
}

#[test]
fn data_and_commands_too_long_end_no_broadcast() {
    for id in [type_id::DATA_AMF0, type_id::DATA_AMF3, type_id::COMMAND_AMF0, type_id::COMMAND_AMF3] {
        let mut client = healthy();
        client.send(id, 1, 0, &vec![2; 2 << 20]).unwrap();
        goes_on(&mut client, &format!("type {id}"));
    }
}

#[test]
fn commands_beside_media_end_no_broadcast() {
    let key = || Value::from("key");
    for (stream, name, argument) in [
        (1, "play", key()),
        (2, "play", key()),
        (1, "play2", key()),
        (0, "connect", Value::Null),
        (2, "publish", key()),
        (2, "publish", Value::Boolean(false)),
        (2, "closeStream", Value::Null),
        (0, "deleteStream", Value::Number(7.0)),
        (0, "createStream", Value::Null),
        (1, "pause", Value::Boolean(true)),
        (1, "receiveVideo", Value::Boolean(false)),
        (1, "onStatus", Value::Null),
        (1, "", Value::Null),
    ] {
        let mut client = healthy();
        client.command_on(stream, name, 9.0, &[Value::Null, argument]).unwrap();
        goes_on(&mut client, name);
    }
    for (id, body) in [
        (type_id::COMMAND_AMF0, &b""[..]),
        (type_id::COMMAND_AMF0, b"\x05\x05"),
        (type_id::COMMAND_AMF0, b"\x99nonsense"),
        (type_id::COMMAND_AMF3, b"\x06"),
        (type_id::DATA_AMF0, b""),
        (type_id::DATA_AMF0, b"\x99"),
        (type_id::ABORT, b""),
        (type_id::ACKNOWLEDGEMENT, b"\0"),
        (type_id::USER_CONTROL, b"\0"),
        (type_id::USER_CONTROL, b"\0\x06\x01"),
        (type_id::WINDOW_ACK_SIZE, b"\0"),
        (type_id::SET_PEER_BANDWIDTH, b""),
        (type_id::AGGREGATE, b"\x09\0\0\xff"),
    ] {
        let mut client = healthy();
        client.send(id, 1, 0, body).unwrap();
        goes_on(&mut client, &format!("type {id}: {body:?}"));
    }
}

#[test]
fn playing_beside_publishing_is_answered_so_often() {
    let mut client = healthy();
    client.hear();
    for _ in 0..1_000 {
        client.command_on(1, "play", 0.0, &[Value::Null, "key".into()]).unwrap();
        client.command_on(2, "publish", 0.0, &[Value::Null, "key".into()]).unwrap();
        client.command("connect", 1.0, &[]).unwrap();
    }
    let said = client.hear();
    assert_eq!(said.len(), 64);
    assert_eq!(said[0].status().unwrap().0, "NetStream.Play.Failed");
    goes_on(&mut client, "a thousand times");
}

#[test]
fn who_sends_no_flv_is_told_how_to() {
    // What FFmpeg makes of MPEG-TS: types and lengths out of the middle of its packets.
    let mut long = Client::publishing();
    let header = [3, 0, 0, 0, 0x01, 0xff, 0, 255, 1, 0, 0, 0];
    assert_eq!(long.session.receive(&header), Err(SessionError::NotFlv(255)));
    let mut short = Client::publishing();
    let ended = (0..1_000).find_map(|_| short.send(0x47, 1, 0, &[0; 177]).err());
    assert_eq!(ended, Some(SessionError::NotFlv(0x47)));
    for mut client in [long, short] {
        let (code, reason) = told(&mut client);
        assert_eq!(code, "NetStream.Publish.Rejected");
        assert!(reason.contains("-f flv") && reason.contains("unknown type"), "{reason}");
        assert_eq!(client.session.phase(), Phase::Closed);
    }
}

#[test]
fn whoever_breaks_the_protocol_is_told_why() {
    let zero = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    for (mut client, code) in [
        (healthy(), "NetStream.Publish.Rejected"),
        (Client::pending().0, "NetStream.Publish.Rejected"),
        (Client::connected(), "NetConnection.Connect.Closed"),
    ] {
        client.hear();
        let error = client.session.receive(&zero).unwrap_err();
        assert_eq!(told(&mut client), (code.to_owned(), error.to_string()));
    }
    let mut client = healthy();
    let error = client.session.receive(&[9, 0, 0, 0, 0x90, 0, 0, 9, 1, 0, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "chunk stream: video message of 9437184 bytes, at most 8388608 allowed");
    // Strangers hear nothing.
    let mut client = Client::fresh();
    client.hear();
    client.session.receive(&zero).unwrap_err();
    assert_eq!(client.hear(), []);
}

#[test]
fn plain_rtmp_on_the_port_for_tls_is_told_where_to_go() {
    let mut config = SessionConfig::new([9; 1528]);
    config.wants_tls = true;
    let mut client = Client::new(config);
    let refused = client.connect(vec![]).unwrap_err();
    assert_eq!((&refused, refused.kind()), (&Refusal::WithoutTls.into(), ErrorKind::Refused));
    let (code, reason) = told(&mut client);
    assert_eq!(code, "NetConnection.Connect.Rejected");
    assert!(reason.contains("rtmps://"), "{reason}");
}

/// Half a million parts of one message are not half a million events: they become that one after the other.
#[test]
fn the_parts_of_an_aggregate_wait_in_its_own_memory() {
    let tag = b"\x08\0\0\x01\0\0\0\0\0\0\0\xaf\0\0\0\x0c";
    let count = (8 << 20) / tag.len() - 1;
    let body = tag.repeat(count);
    let mut client = healthy();
    client.send(type_id::AGGREGATE, 1, 0, &body).unwrap();
    let mut parts = 0;
    let mut places = std::collections::BTreeSet::new();
    while let Some(event) = client.session.poll_event() {
        let Event::Media(media) = event else { panic!("{event:?}") };
        places.insert(media.payload.as_ptr() as usize);
        parts += 1;
    }
    assert_eq!((parts, places.len()), (count, count));
    let within = places.last().unwrap() - places.first().unwrap();
    assert!(within < body.len(), "none of them was copied");
}

#[test]
fn an_aggregate_before_the_answer_counts_by_its_bytes() {
    let tag = b"\x08\0\0\x01\0\0\0\0\0\0\0\xaf\0\0\0\x0c";
    let (mut client, id) = Client::pending();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &0x10_0000u32.to_be_bytes()).unwrap();
    client.writer.chunk_size = 0x10_0000;
    client.send(type_id::AGGREGATE, 1, 0, &tag.repeat(60_000)).unwrap();
    assert!(client.session.wants_input(), "a megabyte, not eight of bookkeeping");
    assert!(client.session.accept_publish(id));
    assert_eq!(std::iter::from_fn(|| client.session.poll_event()).count(), 60_000);
}

/// Members of three bytes each take forty times as much when they are decoded.
#[test]
fn metadata_before_the_answer_counts_by_what_it_takes() {
    let mut body = BytesMut::from(&b"\x02\0\x0aonMetaData\x03"[..]);
    for _ in 0..4_000 {
        body.put_slice(b"\0\0\x05");
    }
    body.put_slice(b"\0\0\x09");
    let (mut client, _) = Client::pending();
    let sent = (1..).find(|_| client.send(type_id::DATA_AMF0, 1, 0, &body).is_err()).unwrap();
    let held = sent * 4_000 * size_of::<(String, Value)>();
    assert!(held <= (4 << 20) + (1 << 20), "{sent} times 4,000 values");
    assert!(sent > 4, "but one encoder's is taken");
}

/// Somebody who never reads: answers that repeat themselves are left out, and nothing grows.
#[test]
fn answers_that_are_not_taken_do_not_pile_up() {
    let mut client = healthy();
    client.hear();
    client.send(type_id::WINDOW_ACK_SIZE, 0, 0, &2u32.to_be_bytes()).unwrap();
    for _ in 0..10_000 {
        client.send(type_id::USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4]).unwrap();
        client.send(type_id::VIDEO, 1, 0, IDR).unwrap();
        while client.session.poll_event().is_some() {}
    }
    assert!(client.session.output_waiting() <= 4_200, "{}", client.session.output_waiting());
    client.hear();
    client.send(type_id::VIDEO, 1, 0, IDR).unwrap();
    let said = client.hear();
    let [Said::Control(type_id::ACKNOWLEDGEMENT, body)] = &said[..] else { panic!("{said:?}") };
    let sequence = u32::from_be_bytes(body[..].try_into().unwrap());
    assert_eq!(u64::from(sequence), client.session.stats().bytes_received, "the next one says it all");
}
