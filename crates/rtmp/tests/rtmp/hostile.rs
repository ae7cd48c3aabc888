//! What a hostile peer may try, each with its bound.

use crate::support::client::Client;
use headwater_rtmp::amf::{AmfError, Value};
use headwater_rtmp::chunk::ChunkError;
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ErrorKind, Event, Phase, SessionConfig, SessionError};

/// A type 0 header that announces a message and brings nothing of it.
fn announce(chunk_stream: u8, length: u32, type_id: u8) -> Vec<u8> {
    let [_, a, b, c] = length.to_be_bytes();
    vec![chunk_stream, 0, 0, 0, a, b, c, type_id, 1, 0, 0, 0]
}

fn limit_of(error: &SessionError) -> u32 {
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    match error {
        SessionError::Chunk(ChunkError::MessageTooLong { limit, .. }) => *limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_are_bounded_by_what_the_peer_has_shown() {
    let limit = |client: &mut Client, type_id: u8| {
        limit_of(&client.session.receive(&announce(9, 0xFF_FFFF, type_id)).unwrap_err())
    };
    for id in [type_id::VIDEO, type_id::DATA_AMF0, type_id::COMMAND_AMF0, type_id::SET_CHUNK_SIZE, 77] {
        assert_eq!(limit(&mut Client::fresh(), id), 64 << 10);
        assert_eq!(limit(&mut Client::connected(), id), 64 << 10);
    }
    assert_eq!(limit(&mut Client::pending().0, type_id::VIDEO), 2 << 20);
    assert_eq!(limit(&mut Client::publishing(), type_id::VIDEO), 8 << 20);
    assert_eq!(limit(&mut Client::publishing(), type_id::AGGREGATE), 8 << 20);
    assert_eq!(limit(&mut Client::publishing(), type_id::USER_CONTROL), 64 << 10);
}

#[test]
fn incomplete_messages_together_are_bounded() {
    let mut client = Client::fresh();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &59_999u32.to_be_bytes()).unwrap();
    let mut result = Ok(());
    let mut sent = 0;
    for chunk_stream in 4..60 {
        // All but the last byte of 60,000, in one chunk.
        let chunk = [announce(chunk_stream, 60_000, 9), vec![0; 59_999]].concat();
        result = client.session.receive(&chunk);
        if result.is_err() {
            break;
        }
        sent += 59_999;
    }
    assert_eq!(result, Err(SessionError::Chunk(ChunkError::TooMuchBuffered { limit: 128 << 10 })));
    assert!(sent <= 128 << 10);
}

#[test]
fn commands_before_publishing_are_bounded() {
    let mut client = Client::connected();
    let mut count = 1;
    let error = loop {
        match client.command("createStream", 2.0, &[Value::Null]) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((count, error), (64, SessionError::TooManyCommands(64)));
    let created = client.hear().iter().filter(|said| said.is_command("_result")).count();
    assert_eq!(created, 8, "message streams are bounded before that");
}

#[test]
fn publish_requests_are_bounded() {
    let mut client = Client::publishing();
    let mut requests = 1;
    let error = loop {
        client.command_on(1, "closeStream", 0.0, &[Value::Null]).unwrap();
        match client.command_on(1, "publish", 0.0, &[Value::Null, "key".into()]) {
            Ok(()) => requests += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((requests, error), (16, SessionError::TooManyPublishRequests(16)));
}

#[test]
fn answers_to_unknown_commands_are_bounded() {
    let mut client = Client::publishing();
    for _ in 0..1_000 {
        client.command("x", 1.0, &[]).unwrap();
    }
    assert_eq!((client.hear().len(), client.events().len()), (64, 64));
}

#[test]
fn media_before_the_answer_is_bounded() {
    let (mut client, _) = Client::pending();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &0x10_0000u32.to_be_bytes()).unwrap();
    client.writer.chunk_size = 0x10_0000;
    let mut sent = 0;
    let mut asked_to_stop_at = None;
    let error = loop {
        match client.send(type_id::VIDEO, 1, 0, &[0x27; 100_000]) {
            Ok(()) => sent += 100_000,
            Err(error) => break error,
        }
        if !client.session.wants_input() {
            asked_to_stop_at.get_or_insert(sent);
        }
    };
    assert_eq!(error, SessionError::TooMuchPending(4 << 20));
    assert!(asked_to_stop_at.unwrap() <= (2 << 20) + 100_000);
    assert!(sent <= 4 << 20);
    assert_eq!(client.session.phase(), Phase::Closed);
}

#[test]
fn tiny_messages_before_the_answer_are_charged_for_their_bookkeeping() {
    let (mut client, _) = Client::pending();
    client.send(type_id::VIDEO, 1, 0, b"\x27").unwrap();
    // One byte of header and one of payload each.
    let error = client.session.receive(&[0xC3, 0x27].repeat(200_000)).unwrap_err();
    assert_eq!(error, SessionError::TooMuchPending(4 << 20));
}

#[test]
fn empty_media_messages_cost_nothing() {
    let mut client = Client::publishing();
    client.send(type_id::VIDEO, 1, 0, b"").unwrap();
    client.session.receive(&[0xC3; 100_000]).unwrap();
    assert_eq!(client.events(), []);
}

#[test]
fn deep_commands_are_refused() {
    let mut client = Client::connected();
    let body = [&b"\x02\x00\x01x\x00\0\0\0\0\0\0\0\0"[..], &b"\x0a\x00\x00\x00\x01".repeat(10_000)].concat();
    let error = client.send(type_id::COMMAND_AMF0, 0, 0, &body).unwrap_err();
    assert_eq!(error, SessionError::Command(AmfError::Depth));
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn control_messages_cut_short_are_errors() {
    for (id, body) in [
        (type_id::SET_CHUNK_SIZE, &[0, 0, 1][..]),
        (type_id::ABORT, &[]),
        (type_id::WINDOW_ACK_SIZE, &[1]),
        (type_id::SET_PEER_BANDWIDTH, &[0, 0]),
        (type_id::USER_CONTROL, &[0]),
        (type_id::USER_CONTROL, &[0, 6, 1]),
    ] {
        let mut client = Client::connected();
        assert_eq!(client.send(id, 0, 0, body), Err(SessionError::ShortControl(id)));
    }
    let mut client = Client::connected();
    let zero = client.send(type_id::SET_CHUNK_SIZE, 0, 0, &[0; 4]);
    assert_eq!(zero, Err(SessionError::Chunk(ChunkError::ChunkSize(0))));
}

#[test]
fn windows_and_bandwidths_of_zero_and_one_are_harmless() {
    let mut client = Client::publishing();
    for size in [0u32, 1, u32::MAX] {
        client.send(type_id::WINDOW_ACK_SIZE, 0, 0, &size.to_be_bytes()).unwrap();
        client.send(type_id::SET_PEER_BANDWIDTH, 0, 0, &[&size.to_be_bytes()[..], &[9]].concat()).unwrap();
        client.send(type_id::ACKNOWLEDGEMENT, 0, 0, &size.to_be_bytes()).unwrap();
        client.send(type_id::VIDEO, 1, 0, b"\x27x").unwrap();
    }
    assert_eq!(client.events().len(), 3);
}

#[test]
fn commands_out_of_order_are_errors() {
    let early = Client::fresh().command_on(1, "publish", 0.0, &[Value::Null, "key".into()]);
    assert!(matches!(early, Err(SessionError::OutOfOrder { .. })));
    let twice = Client::connected().connect(vec![]);
    assert!(matches!(twice, Err(SessionError::OutOfOrder { .. })));
    let nameless = Client::connected().send(type_id::COMMAND_AMF0, 0, 0, &[5, 5]);
    assert_eq!(nameless, Err(SessionError::UnnamedCommand));
    let empty = Client::connected().send(type_id::COMMAND_AMF3, 0, 0, &[]);
    assert_eq!(empty, Err(SessionError::UnnamedCommand));
}

#[test]
fn media_nobody_asked_for_is_dropped() {
    for mut client in [Client::fresh(), Client::connected()] {
        client.send(type_id::VIDEO, 1, 0, b"\x17x").unwrap();
        client.send(type_id::DATA_AMF0, 1, 0, b"\x02\x00\x0aonMetaData").unwrap();
        assert_eq!(client.events(), []);
    }
}

#[test]
fn events_before_an_error_are_delivered() {
    let mut client = Client::publishing();
    let mut bytes = announce(6, 2, type_id::VIDEO);
    bytes.extend(b"\x27x");
    bytes.extend(announce(6, 0xFF_FFFF, type_id::VIDEO));
    assert!(client.session.receive(&bytes).is_err());
    assert!(matches!(client.events()[..], [Event::Media(_)]));
    assert_eq!(client.session.receive(b"more"), Ok(()));
    assert!(!client.session.wants_input());
}

/// Work per byte does not grow with the message: a message of 16 MB in chunks of 128 bytes is copied at most twice.
#[test]
fn the_longest_message_in_the_smallest_chunks_is_linear() {
    let mut config = SessionConfig::new([0; 1528]);
    config.limits.message_bytes = 0xFF_FFFF;
    config.limits.buffered_bytes = 32 << 20;
    config.limits.pending_bytes = 64 << 20;
    let mut client = Client::new(config);
    client.connect(vec![]).unwrap();
    client.command_on(1, "publish", 0.0, &[Value::Null, "key".into()]).unwrap();
    client.events().into_iter().for_each(|event| {
        if let Event::PublishRequested(request) = event {
            client.session.accept_publish(request.id);
        }
    });
    for length in [0x10_0000usize, 0xFF_FFFF] {
        let before = client.session.stats();
        client.send(type_id::VIDEO, 1, 0, &vec![0x27; length]).unwrap();
        assert!(matches!(&client.events()[..], [Event::Media(media)] if media.payload.len() == length));
        let after = client.session.stats();
        let copied = after.reader.bytes_copied - before.reader.bytes_copied;
        assert!(copied <= 2 * length as u64, "{copied} bytes copied for {length}");
        let allocated = after.reader.bytes_allocated - before.reader.bytes_allocated;
        assert!(allocated <= 2 * length as u64 + 1, "{allocated} bytes allocated for {length}");
        assert_eq!(after.reader.chunks - before.reader.chunks, length.div_ceil(128) as u64);
    }
}

/// A message is announced long on every chunk stream and hardly sent: memory follows what was sent.
#[test]
fn announced_lengths_claim_no_memory() {
    let mut client = Client::publishing();
    for chunk_stream in 4..60 {
        let chunk = [announce(chunk_stream, 8 << 20, type_id::VIDEO), vec![0; 128]].concat();
        client.session.receive(&chunk).unwrap();
    }
    let allocated = client.session.stats().reader.bytes_allocated;
    assert!(allocated < 60 * (16 << 10), "{allocated} bytes allocated for 56 chunks of 128");
    // A stranger may hold 128 KiB in all, and his chunk streams together claim no more.
    let mut client = Client::fresh();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &1u32.to_be_bytes()).unwrap();
    for chunk_stream in 4..64 {
        client
            .session
            .receive(&[announce(chunk_stream, 64 << 10, type_id::VIDEO), vec![0]].concat())
            .unwrap();
    }
    let allocated = client.session.stats().reader.bytes_allocated;
    assert!(allocated <= 128 << 10, "{allocated} bytes allocated for 60 bytes");
}
