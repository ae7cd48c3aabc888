//! The other side: what an encoder says, as bytes. For tests and for measuring; it hears nothing and decides nothing, so
//! the caller waits for the server's answers.
//!
//! The dialogue is that of OBS: a plain handshake, `connect`, `createStream`, `publish`, Set Chunk Size, media.

use bytes::{Bytes, BytesMut};

use crate::amf::{self, Properties, Value};
use crate::chunk::{INITIAL_CHUNK_SIZE, write_message};
use crate::handshake::PACKET_LEN;
use crate::message::{MediaKind, Message, type_id};

/// Bytes of S0, S1 and S2, which the server answers [`hello`] with.
pub const SERVER_HELLO_LEN: usize = 1 + 2 * PACKET_LEN;

/// Chunk streams and message streams, as encoders number them.
const CONTROL: u8 = 2;
const COMMAND: u8 = 3;
const AUDIO: u8 = 4;
const VIDEO: u8 = 6;
const CONNECTION: u32 = 0;
const STREAM: u32 = 1;

/// C0 and C1 of a plain handshake.
#[must_use]
pub fn hello() -> Bytes {
    let mut hello = vec![0; 1 + PACKET_LEN];
    hello[0] = 3;
    hello.into()
}

/// C2, which repeats S1.
#[must_use]
pub fn answer(server: &[u8; SERVER_HELLO_LEN]) -> &[u8] {
    &server[1..=PACKET_LEN]
}

/// One publisher: how large its chunks are.
#[derive(Debug, Clone)]
pub struct Publisher {
    chunk_size: u32,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { chunk_size: INITIAL_CHUNK_SIZE }
    }
}

impl Publisher {
    /// Asks to publish `key` at `tc_url` (`rtmp://host/live`), without waiting for the answers in between. Properties of
    /// the connect command in `more` replace the usual ones.
    #[must_use]
    pub fn ask(&self, tc_url: &str, key: &str, more: Properties) -> Bytes {
        let mut properties =
            vec![("app".to_owned(), Value::from("live")), ("tcUrl".to_owned(), Value::from(tc_url))];
        properties.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        properties.extend(more);
        let connect = [Value::from("connect"), Value::Number(1.0), Value::Object(properties)];
        let create = [Value::from("createStream"), Value::Number(2.0), Value::Null];
        let publish =
            [Value::from("publish"), Value::Number(3.0), Value::Null, Value::from(key), Value::from("live")];
        let mut out = BytesMut::new();
        self.command(&mut out, CONNECTION, &connect);
        self.command(&mut out, CONNECTION, &create);
        self.command(&mut out, STREAM, &publish);
        out.freeze()
    }

    /// Announces another chunk size, and uses it from then on.
    pub fn set_chunk_size(&mut self, size: u32) -> Bytes {
        let mut out = BytesMut::new();
        let payload = Bytes::copy_from_slice(&size.to_be_bytes());
        self.message(&mut out, CONTROL, type_id::SET_CHUNK_SIZE, CONNECTION, 0, payload);
        self.chunk_size = size;
        out.freeze()
    }

    /// An audio or video message.
    #[must_use]
    pub fn media(&self, kind: MediaKind, timestamp: u32, body: Bytes) -> Bytes {
        self.message_of(kind.type_id(), timestamp, body)
    }

    /// A message of any type on the published stream, such as `onMetaData`.
    #[must_use]
    pub fn message_of(&self, type_id: u8, timestamp: u32, body: Bytes) -> Bytes {
        let chunk_stream = match type_id {
            type_id::AUDIO => AUDIO,
            type_id::VIDEO => VIDEO,
            _ => COMMAND,
        };
        let mut out = BytesMut::new();
        self.message(&mut out, chunk_stream, type_id, STREAM, timestamp, body);
        out.freeze()
    }

    /// Ends the stream.
    #[must_use]
    pub fn leave(&self) -> Bytes {
        let mut out = BytesMut::new();
        let delete = [Value::from("deleteStream"), Value::Number(4.0), Value::Null, Value::Number(1.0)];
        self.command(&mut out, CONNECTION, &delete);
        out.freeze()
    }

    fn command(&self, out: &mut BytesMut, stream_id: u32, values: &[Value]) {
        self.message(out, COMMAND, type_id::COMMAND_AMF0, stream_id, 0, amf::encode(values));
    }

    fn message(
        &self,
        out: &mut BytesMut,
        chunk_stream: u8,
        type_id: u8,
        stream_id: u32,
        timestamp: u32,
        payload: Bytes,
    ) {
        write_message(
            out,
            chunk_stream,
            self.chunk_size,
            &Message { type_id, stream_id, timestamp, payload },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Phase, ServerSession, SessionConfig};

    #[test]
    fn a_server_session_takes_it_from_the_handshake_to_the_end() {
        let mut session = ServerSession::new(SessionConfig::new([7; 1528]));
        session.receive(&hello()).unwrap();
        let heard: [u8; SERVER_HELLO_LEN] = session.poll_output().unwrap()[..].try_into().unwrap();
        session.receive(answer(&heard)).unwrap();
        let mut publisher = Publisher::default();
        session.receive(&publisher.ask("rtmp://host/live", "key", vec![])).unwrap();
        let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
        let [Event::Connected(_), Event::PublishRequested(request)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(request.key.reveal(), "key");
        assert!(session.accept_publish(request.id));
        let body = Bytes::from(vec![9; 10_000]);
        session.receive(&publisher.set_chunk_size(4_096)).unwrap();
        session.receive(&publisher.media(MediaKind::Video, 40, body.clone())).unwrap();
        session.receive(&publisher.leave()).unwrap();
        let Some(Event::Media(media)) = session.poll_event() else { panic!("no media") };
        assert_eq!((media.kind, media.timestamp, media.payload), (MediaKind::Video, 40, body));
        assert!(matches!(session.poll_event(), Some(Event::Unpublished { .. })));
        assert_eq!(session.phase(), Phase::Idle);
    }
}
