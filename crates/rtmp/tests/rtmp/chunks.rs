//! The chunk reader against a writer of our own: every header form, interleaving, chunk size, timestamp and split.

use crate::support::writer::{Repeat, Writer};
use bytes::{Bytes, BytesMut};
use headwater_rtmp::chunk::{
    ChunkError, ChunkReader, MAX_CHUNK_STREAMS, MessageLimits, Skips, write_message,
};
use headwater_rtmp::message::Message;
use proptest::prelude::*;

fn reader() -> ChunkReader {
    let limit = 0xFF_FFFF;
    let (buffered, skips) = (32 << 20, Skips::Nothing);
    ChunkReader::new(MessageLimits { media: limit, data: limit, command: limit, buffered, skips })
}

fn read_all(reader: &mut ChunkReader, mut input: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    assert!(input.is_empty());
    Ok(messages)
}

fn message(type_id: u8, timestamp: u32, payload: &[u8]) -> Message {
    Message { type_id, stream_id: 1, timestamp, payload: Bytes::copy_from_slice(payload) }
}

/// The example of RTMP §5.3.2.1: four audio messages, 32 bytes each, as the tables there print them.
#[test]
fn example_of_the_specification_audio() {
    let body = [0xAB; 32];
    let mut wire = vec![3, 0, 3, 232, 0, 0, 32, 8, 0x39, 0x30, 0, 0];
    wire.extend(body);
    wire.extend([0x83, 0, 0, 20]);
    wire.extend(body);
    for _ in 0..2 {
        wire.push(0xC3);
        wire.extend(body);
    }
    let messages = read_all(&mut reader(), &wire).unwrap();
    let times: Vec<u32> = messages.iter().map(|message| message.timestamp).collect();
    assert_eq!(times, [1000, 1020, 1040, 1060]);
    assert!(messages.iter().all(|message| message.stream_id == 12345 && message.payload[..] == body));
}

/// The example of RTMP §5.3.2.2: a video message of 307 bytes in three chunks.
#[test]
fn example_of_the_specification_video() {
    let body: Vec<u8> = (0..307u32).map(|n| n as u8).collect();
    let mut wire = vec![4, 0, 3, 232, 0, 1, 51, 9, 0x3A, 0x30, 0, 0];
    wire.extend(&body[..128]);
    wire.push(0xC4);
    wire.extend(&body[128..256]);
    wire.push(0xC4);
    wire.extend(&body[256..]);
    let messages = read_all(&mut reader(), &wire).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].timestamp, messages[0].stream_id), (1000, 12346));
    assert_eq!(messages[0].payload[..], body);
}

#[test]
fn after_a_type_0_header_a_type_3_message_adds_its_timestamp_again() {
    let wire = [&[3, 0, 0, 33, 0, 0, 1, 9, 1, 0, 0, 0, 0xAA][..], &[0xC3, 0xBB]].concat();
    let times: Vec<u32> = read_all(&mut reader(), &wire).unwrap().iter().map(|m| m.timestamp).collect();
    assert_eq!(times, [33, 66], "RTMP 5.3.1.2.4, as FFmpeg sends it");
}

#[test]
fn interleaved_messages_keep_their_bytes() {
    let mut writer = Writer::new();
    let video = message(9, 40, &[1; 400]);
    let audio = message(8, 42, &[2; 300]);
    let (a, b) = (writer.chunks(6, &video, 0), writer.chunks(4, &audio, 0));
    let wire = [&a[0], &b[0], &b[1], &a[1], &a[2], &b[2], &a[3]].map(Vec::as_slice).concat();
    assert_eq!(read_all(&mut reader(), &wire).unwrap(), [audio, video]);
}

#[test]
fn an_aborted_message_is_gone_and_its_memory_free() {
    let mut writer = Writer::new();
    let lost = writer.chunks(6, &message(9, 40, &[1; 400]), 0);
    let kept = message(9, 80, &[2; 10]);
    let mut reader = reader();
    assert_eq!(read_all(&mut reader, &lost[0]).unwrap(), []);
    assert_eq!(reader.buffered(), 128);
    reader.abort(6);
    reader.abort(7);
    assert_eq!(reader.buffered(), 0);
    assert_eq!(read_all(&mut reader, &writer.bytes(6, &kept, 0)).unwrap(), [kept]);
}

#[test]
fn a_payload_that_starts_like_the_timestamp_is_held_until_it_differs() {
    // Extended timestamp 01 02 03 04, not repeated; the second chunk's payload is 01 02 03 and then other messages.
    let mut writer = Writer::new();
    writer.repeat = Repeat::Nothing;
    let mut body = vec![9; 128];
    body.extend([1, 2, 3]);
    let first = message(9, 0x0102_0304, &body);
    let next = message(9, 0x0102_0305, &[7]);
    let wire = [writer.bytes(6, &first, 0), writer.bytes(6, &next, 0)].concat();
    for split in 0..wire.len() {
        let mut reader = reader();
        let mut messages = read_all(&mut reader, &wire[..split]).unwrap();
        messages.extend(read_all(&mut reader, &wire[split..]).unwrap());
        assert_eq!(messages, [first.clone(), next.clone()], "split at {split}");
    }
}

#[test]
fn a_small_timestamp_in_the_extended_field_is_repeated_too() {
    let wire = [
        &[3, 0xFF, 0xFF, 0xFF, 0, 0, 130, 9, 1, 0, 0, 0, 0, 0, 0, 9][..],
        &[7; 128],
        &[0xC3, 0, 0, 0, 9, 7, 7],
    ];
    assert_eq!(read_all(&mut reader(), &wire.concat()).unwrap(), [message(9, 9, &[7; 130])]);
}

#[test]
fn illegal_streams_end_with_a_reason() {
    let whole = message(9, 0, &[1; 200]);
    let mut writer = Writer::new();
    let inside = [&writer.chunks(3, &whole, 0)[0][..], &writer.bytes(3, &whole, 0)].concat();
    assert_eq!(read_all(&mut reader(), &inside), Err(ChunkError::HeaderInsideMessage(3)));
    assert_eq!(read_all(&mut reader(), &[0xC5]), Err(ChunkError::NoEarlierHeader(5)));
    assert_eq!(read_all(&mut reader(), &[0x85, 0, 0, 0]), Err(ChunkError::NoEarlierHeader(5)));
    for size in [0, 0x8000_0000, u32::MAX] {
        assert_eq!(reader().set_chunk_size(size), Err(ChunkError::ChunkSize(size)));
    }
    assert_eq!(reader().set_chunk_size(0x7FFF_FFFF), Ok(()));
}

#[test]
fn chunk_streams_are_bounded() {
    let mut writer = Writer::new();
    let mut reader = reader();
    for id in 0..MAX_CHUNK_STREAMS {
        let wire = writer.bytes(1_000 + u32::try_from(id).unwrap(), &message(9, 0, &[1]), 0);
        assert_eq!(read_all(&mut reader, &wire).unwrap().len(), 1);
    }
    let wire = writer.bytes(3, &message(9, 0, &[1]), 0);
    assert_eq!(read_all(&mut reader, &wire), Err(ChunkError::TooManyChunkStreams));
}

#[test]
fn our_own_writer_is_read_back() {
    for (timestamp, length, chunk_size) in
        [(0, 0, 128), (5, 128, 128), (0xFF_FFFF, 300, 128), (u32::MAX, 9, 1)]
    {
        let sent = message(20, timestamp, &vec![0x55; length]);
        let mut wire = BytesMut::new();
        write_message(&mut wire, 3, chunk_size, &sent);
        let mut reader = reader();
        reader.set_chunk_size(chunk_size).unwrap();
        assert_eq!(read_all(&mut reader, &wire).unwrap(), [sent]);
    }
}

/// One message as the properties below send it.
#[derive(Debug, Clone)]
struct Plan {
    chunk_stream: u32,
    type_id: u8,
    stream_id: u32,
    timestamp: u32,
    length: usize,
    header: u8,
}

fn plan() -> impl Strategy<Value = Plan> {
    let chunk_stream = prop_oneof![2u32..8, 62u32..67, 318u32..323, Just(65_599)];
    let timestamp = prop_oneof![
        0u32..2_000,
        0xFF_FFF0u32..0x100_0010,
        0xFFFF_FF00u32..=0xFFFF_FFFF,
        Just(0xFF_FFFF),
        any::<u32>().prop_map(|time| time & 0x7FFF_FFFF)
    ];
    let length = prop_oneof![Just(0usize), 1usize..5, 100usize..400, Just(128), Just(256)];
    (chunk_stream, prop_oneof![Just(8u8), Just(9)], 0u32..3, timestamp, length, 0u8..4).prop_map(
        |(chunk_stream, type_id, stream_id, timestamp, length, header)| Plan {
            chunk_stream,
            type_id,
            stream_id,
            timestamp,
            length,
            header,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the order of chunks of different streams, each stream's messages arrive whole and in order.
    #[test]
    fn every_legal_stream_is_read(
        plans in prop::collection::vec(plan(), 1..12),
        repeat in prop_oneof![Just(Repeat::Field), Just(Repeat::Absolute), Just(Repeat::Nothing)],
        chunk_size in prop_oneof![Just(1usize), Just(7), Just(128), Just(4_096)],
        order in prop::collection::vec(any::<prop::sample::Index>(), 64),
        pieces in prop::collection::vec(1usize..40, 1..20),
    ) {
        let mut writer = Writer::new();
        writer.repeat = repeat;
        writer.chunk_size = chunk_size;
        let mut lanes: Vec<(u32, Vec<Vec<u8>>, Vec<Message>)> = Vec::new();
        for plan in &plans {
            // Bytes that no timestamp above starts with, or a payload could pass for a repeated timestamp.
            let payload = Bytes::from(vec![0xE0 | plan.type_id; plan.length]);
            let message = Message {
                type_id: plan.type_id,
                stream_id: plan.stream_id,
                // Times of the first byte 0xE8 to 0xEF are left out for the same reason.
                timestamp: if plan.timestamp >> 28 == 0xE { 0 } else { plan.timestamp },
                payload,
            };
            // Nor may a delta of a sender that does not repeat it, so that one sends absolute times only.
            let header = if repeat == Repeat::Nothing { 0 } else { plan.header };
            let chunks = writer.chunks(plan.chunk_stream, &message, header);
            match lanes.iter_mut().find(|lane| lane.0 == plan.chunk_stream) {
                Some(lane) => { lane.1.extend(chunks); lane.2.push(message); }
                None => lanes.push((plan.chunk_stream, chunks, vec![message])),
            }
        }
        let mut wire = Vec::new();
        let mut turns = order.iter().cycle();
        let mut queues: Vec<_> = lanes.iter().map(|lane| lane.1.iter()).collect();
        while !queues.is_empty() {
            let turn = turns.next().unwrap().index(queues.len());
            match queues[turn].next() {
                Some(chunk) => wire.extend_from_slice(chunk),
                None => drop(queues.swap_remove(turn)),
            }
        }

        let mut whole = reader();
        whole.set_chunk_size(u32::try_from(chunk_size).unwrap()).unwrap();
        let messages = read_all(&mut whole, &wire).unwrap();
        for (_, _, sent) in &lanes {
            let mut rest = messages.iter();
            for message in sent {
                prop_assert!(rest.any(|read| read == message), "{message:?} is missing");
            }
        }
        prop_assert_eq!(messages.len(), plans.len());
        prop_assert_eq!(whole.buffered(), 0);

        let mut pieced = reader();
        pieced.set_chunk_size(u32::try_from(chunk_size).unwrap()).unwrap();
        let mut rest = &wire[..];
        let mut again = Vec::new();
        for &piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            again.extend(read_all(&mut pieced, now).unwrap());
            rest = later;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(again, messages);
    }

    /// Any bytes at all: an error or not, never a panic, never more memory than the bytes justify.
    #[test]
    fn garbage_is_survived(wire in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut reader = reader();
        let mut input = &wire[..];
        while let Ok(Some(_)) = reader.read(&mut input) {}
        prop_assert!(reader.buffered() <= wire.len());
    }
}
