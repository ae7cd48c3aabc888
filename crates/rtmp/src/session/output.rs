//! What the server says: control messages, replies and statuses, as bytes to write.

use bytes::{BufMut, Bytes, BytesMut};

use crate::amf::{self, Properties, Value};
use crate::chunk::{INITIAL_CHUNK_SIZE, write_message};
use crate::message::{Message, type_id, user_control};

/// Chunk streams of what the server sends (RTMP §5.4 wants 2 for control).
const CONTROL: u8 = 2;
const COMMAND: u8 = 3;
const STATUS: u8 = 5;
/// Set Peer Bandwidth, limit type "dynamic" (RTMP §5.4.5).
const DYNAMIC: u8 = 2;

/// Bytes that may wait for a client that does not read, before acknowledgements and answers to pings are left out: the
/// next one says all that they would have said.
const MAX_WAITING: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Output {
    bytes: BytesMut,
    chunk_size: u32,
}

pub(super) enum Level {
    Status,
    Error,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), chunk_size: INITIAL_CHUNK_SIZE }
    }

    pub(super) fn raw(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.bytes.is_empty()).then(|| self.bytes.split().freeze())
    }

    pub(super) fn set_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, i32::MAX.cast_unsigned());
        self.control(type_id::SET_CHUNK_SIZE, &size.to_be_bytes());
        self.chunk_size = size;
    }

    pub(super) fn window_ack_size(&mut self, size: u32) {
        self.control(type_id::WINDOW_ACK_SIZE, &size.to_be_bytes());
    }

    pub(super) fn peer_bandwidth(&mut self, size: u32) {
        let [a, b, c, d] = size.to_be_bytes();
        self.control(type_id::SET_PEER_BANDWIDTH, &[a, b, c, d, DYNAMIC]);
    }

    /// Whether it is not taken away as fast as it comes.
    pub(super) fn is_waiting(&self) -> bool {
        self.bytes.len() > MAX_WAITING
    }

    pub(super) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn acknowledge(&mut self, sequence: u32) {
        self.control(type_id::ACKNOWLEDGEMENT, &sequence.to_be_bytes());
    }

    pub(super) fn go_away(&mut self) {
        self.control(type_id::GO_AWAY, &[]);
    }

    pub(super) fn user_control(&mut self, event: u16, argument: u32) {
        let mut body = BytesMut::with_capacity(6);
        body.put_u16(event);
        body.put_u32(argument);
        self.control(type_id::USER_CONTROL, &body);
    }

    pub(super) fn stream_begin(&mut self, stream_id: u32) {
        self.user_control(user_control::STREAM_BEGIN, stream_id);
    }

    /// `_result` of a call; transaction 0 asks for no answer (RTMP §7.2.1.2).
    pub(super) fn result(&mut self, transaction: f64, values: &[Value]) {
        if transaction != 0.0 {
            self.command(COMMAND, 0, "_result", transaction, values);
        }
    }

    pub(super) fn error(&mut self, transaction: f64, code: &str, description: &str) {
        if transaction != 0.0 {
            let info = info(&Level::Error, code, description, Properties::new());
            self.command(COMMAND, 0, "_error", transaction, &[Value::Null, info]);
        }
    }

    /// A command of the server's own that wants no answer.
    pub(super) fn call(&mut self, name: &str, values: &[Value]) {
        self.command(COMMAND, 0, name, 0.0, values);
    }

    pub(super) fn status(&mut self, stream_id: u32, level: Level, code: &str, description: &str) {
        self.status_with(stream_id, level, code, description, Properties::new());
    }

    pub(super) fn status_with(
        &mut self,
        stream_id: u32,
        level: Level,
        code: &str,
        description: &str,
        more: Properties,
    ) {
        let info = info(&level, code, description, more);
        self.command(STATUS, stream_id, "onStatus", 0.0, &[Value::Null, info]);
    }

    fn command(&mut self, chunk_stream: u8, stream_id: u32, name: &str, transaction: f64, values: &[Value]) {
        let mut body = BytesMut::new();
        amf::encode_value(&mut body, &Value::from(name));
        amf::encode_value(&mut body, &Value::Number(transaction));
        for value in values {
            amf::encode_value(&mut body, value);
        }
        self.message(chunk_stream, type_id::COMMAND_AMF0, stream_id, body.freeze());
    }

    fn control(&mut self, type_id: u8, body: &[u8]) {
        self.message(CONTROL, type_id, 0, Bytes::copy_from_slice(body));
    }

    fn message(&mut self, chunk_stream: u8, type_id: u8, stream_id: u32, payload: Bytes) {
        let message = Message { type_id, stream_id, timestamp: 0, payload };
        write_message(&mut self.bytes, chunk_stream, self.chunk_size, &message);
    }
}

pub(super) fn info(level: &Level, code: &str, description: &str, more: Properties) -> Value {
    let level = match level {
        Level::Status => "status",
        Level::Error => "error",
    };
    let mut properties = vec![
        ("level".to_owned(), Value::from(level)),
        ("code".to_owned(), Value::from(code)),
        ("description".to_owned(), Value::from(description)),
    ];
    properties.extend(more);
    Value::Object(properties)
}
