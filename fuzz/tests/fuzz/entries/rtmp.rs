//! RTMP: handshake, chunk stream, AMF, and whole sessions.
//!
//! Each takes any bytes and panics when a promise of the crate does not hold.

use bytes::BytesMut;
use headwater_rtmp::amf::{self, AmfError};
use headwater_rtmp::chunk::{ChunkError, ChunkReader, MessageLimits, Skips};
use headwater_rtmp::codec::Inspector;
use headwater_rtmp::handshake::Handshake;
use headwater_rtmp::message::Message;
use headwater_rtmp::{Event, Phase, ServerSession, SessionConfig};

/// Bytes a server may say per byte it hears, beside its answers to handshake and connect. The worst is `_error` for
/// an unknown command of one letter.
const MAX_OUTPUT_PER_INPUT: usize = 16;

/// Handshake bytes in two pieces are handled as in one.
pub(crate) fn handshake(data: &[u8]) {
    let whole = run_handshake(&[data]);
    let at = data.first().map_or(0, |&byte| usize::from(byte) * 13 % (data.len() + 1));
    let (first, second) = data.split_at(at);
    assert_eq!(run_handshake(&[first, second]), whole);
}

fn run_handshake(pieces: &[&[u8]]) -> (bool, bool, Vec<u8>, usize) {
    let mut handshake = Handshake::new([0x77; 1528]);
    let mut out = BytesMut::new();
    let mut left = 0;
    for piece in pieces {
        let mut input = *piece;
        if handshake.receive(&mut input, &mut out).is_err() {
            return (false, true, out.to_vec(), 0);
        }
        left += input.len();
    }
    (handshake.is_done(), false, out.to_vec(), left)
}

/// A chunk stream gives the same messages however it is split, and holds no more than came.
pub(crate) fn chunks(data: &[u8]) {
    let Some((&piece, data)) = data.split_first() else { return };
    let whole = run_chunks(data, data.len().max(1));
    assert_eq!(run_chunks(data, usize::from(piece % 32) + 1), whole);
}

fn run_chunks(data: &[u8], piece: usize) -> (Vec<Message>, Option<ChunkError>) {
    let (buffered, skips) = (1 << 17, Skips::Foreign);
    let limits = MessageLimits { media: 1 << 16, data: 1 << 12, command: 1 << 12, buffered, skips };
    let mut reader = ChunkReader::new(limits);
    let mut messages = Vec::new();
    for mut input in data.chunks(piece) {
        loop {
            match reader.read(&mut input) {
                Ok(Some(message)) => {
                    if message.type_id == 1 && message.payload.len() >= 2 {
                        let size = u32::from(message.payload[0]) << 8 | u32::from(message.payload[1]);
                        reader.set_chunk_size(size).ok();
                    }
                    messages.push(message);
                }
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(reader.buffered() <= data.len());
    }
    (messages, None)
}

/// What decodes can be encoded, and decodes again to the same.
pub(crate) fn amf(data: &[u8]) {
    for decoded in [amf::decode(data), amf::decode_amf3(data)] {
        let Ok(values) = decoded else { continue };
        let encoded = amf::encode(&values);
        match amf::decode(&encoded) {
            Ok(again) => assert_eq!(amf::encode(&again), encoded),
            // Replacement characters are longer than what they replace.
            Err(error) => assert_eq!(error, AmfError::StringBytes),
        }
    }
}

/// A session survives anything at any point, and says little.
pub(crate) fn session(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let mut session = ServerSession::new(SessionConfig::new([0x77; 1528]));
    let mut inspector = Inspector::new();
    let mut hello = vec![3];
    hello.resize(1 + 2 * 1536, 0);
    if how & 1 != 0 {
        hello.extend_from_slice(PUBLISH);
    }
    session.receive(&hello).expect("a plain client");
    drain(&mut session, &mut inspector, how);
    let mut heard = 0;
    let mut said = 0;
    for piece in data.chunks(usize::from(how >> 3) * 64 + 7) {
        if session.receive(piece).is_err() {
            assert_eq!(session.phase(), Phase::Closed);
        }
        heard += piece.len();
        said += drain(&mut session, &mut inspector, how);
    }
    assert!(said <= MAX_OUTPUT_PER_INPUT * heard + 4_096, "{said} bytes said for {heard} heard");
}

/// Connect to `live` and publish `k` on message stream 1, as chunks.
const PUBLISH: &[u8] = b"\x03\0\0\0\0\0\x23\x14\0\0\0\0\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09\
    \x03\0\0\0\0\0\x18\x14\x01\0\0\0\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x01k";

fn drain(session: &mut ServerSession, inspector: &mut Inspector, how: u8) -> usize {
    while let Some(event) = session.poll_event() {
        match event {
            Event::PublishRequested(request) if how & 2 == 0 => {
                session.accept_publish(request.id);
            }
            Event::Media(media) => {
                assert!(!media.payload.is_empty());
                inspector.inspect(media.kind, &media.payload).ok();
            }
            _ => {}
        }
    }
    if how & 4 != 0 {
        session.request_reconnect(None, "");
    }
    std::iter::from_fn(|| session.poll_output()).map(|bytes| bytes.len()).sum()
}
