//! A client of a session in memory: sends commands and media, and reads what the server says.

use bytes::Bytes;
use headwater_rtmp::amf::{self, Value};
use headwater_rtmp::chunk::{ChunkReader, MessageLimits, Skips};
use headwater_rtmp::message::{Message, type_id};
use headwater_rtmp::{Event, PublishId, ServerSession, SessionConfig, SessionError};

use super::writer::Writer;

/// Something the server said.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Control(u8, Bytes),
    Command { name: String, transaction: f64, values: Vec<Value>, stream_id: u32 },
}

pub struct Client {
    pub session: ServerSession,
    pub writer: Writer,
    reader: ChunkReader,
    handshake_left: usize,
}

impl Client {
    /// A client that has done its handshake.
    pub fn new(config: SessionConfig) -> Self {
        let limit = 1 << 20;
        let buffered = 1 << 20;
        let limits =
            MessageLimits { media: limit, data: limit, command: limit, buffered, skips: Skips::Nothing };
        let mut client = Self {
            session: ServerSession::new(config),
            writer: Writer::new(),
            reader: ChunkReader::new(limits),
            handshake_left: 1 + 2 * 1536,
        };
        let mut hello = vec![3];
        hello.extend([0; 1536]);
        hello.extend([0; 1536]);
        client.session.receive(&hello).unwrap();
        client
    }

    pub fn fresh() -> Self {
        Self::new(SessionConfig::new([9; 1528]))
    }

    pub fn connected() -> Self {
        let mut client = Self::fresh();
        client.connect(vec![]).unwrap();
        client.hear();
        client.events();
        client
    }

    /// A client whose publish request waits.
    pub fn pending() -> (Self, PublishId) {
        let mut client = Self::connected();
        client.command_on(1, "publish", 0.0, &[Value::Null, "key".into(), "live".into()]).unwrap();
        let Some(Event::PublishRequested(request)) = client.session.poll_event() else {
            panic!("no publish request")
        };
        (client, request.id)
    }

    pub fn publishing() -> Self {
        let (mut client, id) = Self::pending();
        assert!(client.session.accept_publish(id));
        client.hear();
        client
    }

    pub fn connect(&mut self, more: Vec<(&str, Value)>) -> Result<(), SessionError> {
        let mut object = vec![
            ("app".to_owned(), "live".into()),
            ("tcUrl".to_owned(), "rtmp://host/live".into()),
            ("flashVer".to_owned(), "FMLE/3.0".into()),
        ];
        for (name, value) in more {
            object.retain(|(known, _)| known != name);
            object.push((name.to_owned(), value));
        }
        self.command("connect", 1.0, &[Value::Object(object)])
    }

    pub fn command(&mut self, name: &str, transaction: f64, values: &[Value]) -> Result<(), SessionError> {
        self.command_on(0, name, transaction, values)
    }

    pub fn command_on(
        &mut self,
        stream_id: u32,
        name: &str,
        transaction: f64,
        values: &[Value],
    ) -> Result<(), SessionError> {
        let body = amf::encode(&[&[Value::from(name), Value::Number(transaction)], values].concat());
        self.send(type_id::COMMAND_AMF0, stream_id, 0, &body)
    }

    pub fn send(&mut self, type_id: u8, stream_id: u32, time: u32, body: &[u8]) -> Result<(), SessionError> {
        let payload = Bytes::copy_from_slice(body);
        let message = Message { type_id, stream_id, timestamp: time, payload };
        let bytes = self.writer.bytes(3, &message, 0);
        self.session.receive(&bytes)
    }

    /// All the server has said since.
    pub fn hear(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(bytes) = self.session.poll_output() {
            let skipped = self.handshake_left.min(bytes.len());
            self.handshake_left -= skipped;
            let mut input = &bytes[skipped..];
            while let Some(message) = self.reader.read(&mut input).unwrap() {
                if message.type_id == type_id::SET_CHUNK_SIZE {
                    let size = u32::from_be_bytes(message.payload[..4].try_into().unwrap());
                    self.reader.set_chunk_size(size).unwrap();
                }
                said.push(understand(message));
            }
        }
        said
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

fn understand(message: Message) -> Said {
    if message.type_id != type_id::COMMAND_AMF0 {
        return Said::Control(message.type_id, message.payload);
    }
    let mut values = amf::decode(&message.payload).unwrap();
    let arguments = values.split_off(2);
    let [Value::String(name), Value::Number(transaction)] = &values[..] else { panic!("no command") };
    Said::Command {
        name: name.clone(),
        transaction: *transaction,
        values: arguments,
        stream_id: message.stream_id,
    }
}

impl Said {
    pub fn is_command(&self, wanted: &str) -> bool {
        matches!(self, Self::Command { name, .. } if name == wanted)
    }

    /// Code and description of a status or error.
    pub fn status(&self) -> Option<(&str, &str)> {
        let Self::Command { values, .. } = self else { return None };
        let info = values.get(1)?;
        Some((info.get("code")?.as_str()?, info.get("description")?.as_str()?))
    }
}
