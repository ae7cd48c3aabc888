//! Commands (RTMP §7.2): reading them, `connect`, and the small ones encoders send around `publish`.

use super::caps::Capabilities;
use super::error::{Refusal, SessionError};
use super::event::{ConnectInfo, Event, Ignored, UnpublishReason};
use super::output::{Level, info};
use super::server::ServerSession;
use super::state::{Queued, State};
use super::target;
use crate::amf::{self, Value};
use crate::message::Message;

/// Commands of one connection outside publications. Encoders send 5 to 8; each may cost a reply.
const MAX_COMMANDS_BEFORE_PUBLISH: u32 = 64;
/// Unknown commands answered with `_error`; later ones are skipped in silence.
const MAX_UNKNOWN_ANSWERED: u32 = 64;
/// Message streams of one connection. Encoders create one.
const MAX_MESSAGE_STREAMS: u32 = 8;
/// Bytes kept of an unknown command's name, for a log.
const MAX_LOGGED_NAME: usize = 64;
/// Bytes kept of app, tcUrl and flashVer.
const MAX_CONNECT_TEXT: usize = 4_096;
/// What we claim to be. Some encoders look for the prefix.
const FMS_VERSION: &str = "FMS/3,0,1,123";
/// Flash Media Server's bit set of that version; nobody knows more about it.
const FMS_CAPABILITIES: f64 = 31.0;

/// A decoded command.
pub(super) struct Command {
    pub(super) name: String,
    pub(super) transaction: f64,
    pub(super) stream_id: u32,
    /// Command object, then arguments.
    values: Vec<Value>,
}

impl Command {
    fn decode(message: &Message) -> Result<Self, SessionError> {
        let body = &message.payload[..];
        // Type 17: a zero byte, then AMF0 that may switch to AMF3 by marker. Clients that send pure AMF3 start with
        // its string marker, and some send AMF0 without the zero byte.
        let values = match body.first() {
            Some(0) => amf::decode(&body[1..]),
            Some(0x06) => amf::decode_amf3(body),
            _ => amf::decode(body),
        };
        let mut values = values.map_err(SessionError::Command)?.into_iter();
        let (Some(Value::String(name)), Some(Value::Number(transaction))) = (values.next(), values.next())
        else {
            return Err(SessionError::UnnamedCommand);
        };
        Ok(Self { name, transaction, stream_id: message.stream_id, values: values.collect() })
    }

    /// The n-th argument behind the command object.
    pub(super) fn argument(&self, index: usize) -> Option<&Value> {
        self.values.get(index + 1)
    }

    pub(super) fn text(&self, index: usize) -> &str {
        self.argument(index).and_then(Value::as_str).unwrap_or_default()
    }
}

impl ServerSession {
    pub(super) fn handle_command(&mut self, message: &Message) -> Result<(), SessionError> {
        let publishes = matches!(self.state, State::Publishing(_));
        let command = match Command::decode(message) {
            // A command of a publisher is said beside its media. What makes no sense asks for nothing.
            Err(_) if publishes => {
                self.ignore(Ignored::BrokenCommand);
                return Ok(());
            }
            decoded => decoded?,
        };
        if !publishes {
            self.commands_before_publish += 1;
            if self.commands_before_publish > MAX_COMMANDS_BEFORE_PUBLISH {
                return Err(SessionError::TooManyCommands(MAX_COMMANDS_BEFORE_PUBLISH));
            }
        }
        if self.client.is_none() && command.name != "connect" {
            return Err(SessionError::OutOfOrder { command: "a command before connect" });
        }
        let transaction = command.transaction;
        match command.name.as_str() {
            "connect" => return self.connect(&command),
            "createStream" => self.create_stream(transaction),
            "publish" => return self.publish(&command),
            "play" | "play2" => return self.refuse_play(&command),
            "releaseStream" | "_checkbw" | "FCSubscribe" => {
                self.out.result(transaction, &[Value::Null, Value::Undefined]);
            }
            "getStreamLength" => self.out.result(transaction, &[Value::Null, Value::Number(0.0)]),
            "FCPublish" => {
                self.out.result(transaction, &[Value::Null, Value::Undefined]);
                // Flash Media Live Encoder waits for this before it publishes.
                self.notify("onFCPublish", "NetStream.Publish.Start", command.text(0));
            }
            "FCUnpublish" => {
                self.unpublish(UnpublishReason::FcUnpublish);
                self.out.result(transaction, &[Value::Null, Value::Undefined]);
                self.notify("onFCUnpublish", "NetStream.Unpublish.Success", command.text(0));
            }
            "deleteStream" => {
                if self.names_publication(&command) {
                    self.unpublish(UnpublishReason::DeleteStream);
                }
            }
            "closeStream" if self.is_said_to_publication(&command) => {
                self.unpublish(UnpublishReason::CloseStream);
            }
            "closeStream" => {}
            // Answers to calls, and statuses: the server makes no calls that need any.
            "_result" | "_error" | "onStatus" => {}
            _ => self.unknown(command),
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) -> Result<(), SessionError> {
        if self.client.is_some() {
            if !matches!(self.state, State::Publishing(_)) {
                return Err(SessionError::OutOfOrder { command: "a second connect" });
            }
            if self.may_answer() {
                let reason = "this connection is connected already";
                self.out.error(command.transaction, "NetConnection.Connect.Rejected", reason);
            }
            self.ignore(Ignored::BrokenCommand);
            return Ok(());
        }
        let object = command.values.first().unwrap_or(&Value::Null);
        let text = |name| object.get(name).and_then(Value::as_str).map(shortened).unwrap_or_default();
        let client = ConnectInfo {
            app: text("app"),
            tc_url: text("tcUrl"),
            flash_ver: text("flashVer"),
            capabilities: Capabilities::from_connect(object),
        };
        if self.config.wants_tls {
            let refusal = Refusal::WithoutTls;
            self.out.error(command.transaction, "NetConnection.Connect.Rejected", &refusal.to_string());
            return Err(refusal.into());
        }
        if let Err(refusal) = target::check_application(&client.app) {
            self.out.error(command.transaction, "NetConnection.Connect.InvalidApp", &refusal.to_string());
            return Err(refusal.into());
        }
        self.out.window_ack_size(self.config.server_window_ack);
        self.out.peer_bandwidth(self.config.server_window_ack);
        self.out.set_chunk_size(self.config.chunk_size_out);
        self.out.stream_begin(0);
        let server = Value::Object(vec![
            ("fmsVer".to_owned(), Value::from(FMS_VERSION)),
            ("capabilities".to_owned(), Value::Number(FMS_CAPABILITIES)),
        ]);
        let encoding = object.get("objectEncoding").and_then(Value::as_number);
        let encoding = if encoding == Some(3.0) { 3.0 } else { 0.0 };
        let mut more = vec![("objectEncoding".to_owned(), Value::Number(encoding))];
        more.extend(client.capabilities.answer(&self.config.video_four_ccs, &self.config.audio_four_ccs));
        let success = info(&Level::Status, "NetConnection.Connect.Success", "connected", more);
        self.out.result(command.transaction, &[server, success]);
        self.client = Some(client.clone());
        self.state = State::Idle;
        self.events.push_back(Queued::Event(Event::Connected(client)));
        Ok(())
    }

    fn create_stream(&mut self, transaction: f64) {
        if self.streams_created == MAX_MESSAGE_STREAMS {
            self.out.error(transaction, "NetConnection.Call.Failed", "too many streams on one connection");
            return;
        }
        self.streams_created += 1;
        self.out.result(transaction, &[Value::Null, Value::Number(self.streams_created.into())]);
    }

    /// A player is told to go; an encoder that listens to itself beside publishing is told and goes on.
    fn refuse_play(&mut self, command: &Command) -> Result<(), SessionError> {
        if self.may_answer() {
            let reason = Refusal::Play.to_string();
            self.out.status(command.stream_id, Level::Error, "NetStream.Play.Failed", &reason);
        }
        match self.state.publication() {
            Some(_) => Ok(()),
            None => Err(Refusal::Play.into()),
        }
    }

    /// Whether another answer is due to somebody who asks for what there is not.
    pub(super) fn may_answer(&mut self) -> bool {
        self.unknown_commands = self.unknown_commands.saturating_add(1);
        self.unknown_commands <= MAX_UNKNOWN_ANSWERED
    }

    fn notify(&mut self, name: &str, code: &str, description: &str) {
        let info = Value::Object(vec![
            ("code".to_owned(), Value::from(code)),
            ("description".to_owned(), Value::from(description)),
        ]);
        self.out.call(name, &[Value::Null, info]);
    }

    fn unknown(&mut self, command: Command) {
        if self.may_answer() {
            self.out.error(command.transaction, "NetConnection.Call.Failed", "no such method");
            let mut name = command.name;
            name.truncate(name.floor_char_boundary(MAX_LOGGED_NAME));
            self.ignore(Ignored::Command { name });
        }
    }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_CONNECT_TEXT)].to_owned()
}
