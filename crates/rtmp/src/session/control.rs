//! Messages by type, and the protocol control messages among them (RTMP §5.4, §7.1).

use super::error::SessionError;
use super::event::Ignored;
use super::server::ServerSession;
use super::state::State;
use crate::message::{MediaKind, Message, type_id, user_control};

impl ServerSession {
    pub(super) fn handle(&mut self, message: Message) -> Result<(), SessionError> {
        match self.handle_any(message) {
            // Nothing of the stream depends on it.
            Err(SessionError::ShortControl(id))
                if id != type_id::SET_CHUNK_SIZE && matches!(self.state, State::Publishing(_)) =>
            {
                self.ignore(Ignored::ShortControl(id));
                Ok(())
            }
            handled => handled,
        }
    }

    fn handle_any(&mut self, message: Message) -> Result<(), SessionError> {
        match message.type_id {
            type_id::SET_CHUNK_SIZE => Ok(self.reader.set_chunk_size(field(&message)?)?),
            type_id::ABORT => {
                self.reader.abort(field(&message)?);
                Ok(())
            }
            // The client's progress in reading our few hundred bytes.
            type_id::ACKNOWLEDGEMENT => Ok(()),
            type_id::USER_CONTROL => self.handle_user_control(&message),
            type_id::WINDOW_ACK_SIZE => {
                self.acks.set_window(field(&message)?);
                Ok(())
            }
            type_id::SET_PEER_BANDWIDTH => {
                // We never have more outstanding than a reply, so no limit bites; the answer is owed (RTMP §5.4.5).
                let size = field(&message)?;
                if size != 0 && size != self.config.server_window_ack {
                    self.config.server_window_ack = size;
                    self.out.window_ack_size(size);
                }
                Ok(())
            }
            type_id::AGGREGATE => self.handle_aggregate(message),
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => self.handle_command(&message),
            type_id::DATA_AMF0 | type_id::DATA_AMF3 => self.handle_data(&message),
            type_id::SHARED_OBJECT_AMF0 | type_id::SHARED_OBJECT_AMF3 | type_id::GO_AWAY => {
                self.ignore(Ignored::MessageType(message.type_id));
                Ok(())
            }
            other => match MediaKind::from_type_id(other) {
                Some(kind) => self.handle_media(kind, message),
                None => self.handle_foreign(other),
            },
        }
    }

    fn handle_user_control(&mut self, message: &Message) -> Result<(), SessionError> {
        let event = message.payload.first_chunk().ok_or(SessionError::ShortControl(type_id::USER_CONTROL))?;
        if u16::from_be_bytes(*event) == user_control::PING_REQUEST {
            let stamp = message.payload[2..]
                .first_chunk()
                .ok_or(SessionError::ShortControl(type_id::USER_CONTROL))?;
            if !self.out.is_waiting() {
                self.out.user_control(user_control::PING_RESPONSE, u32::from_be_bytes(*stamp));
            }
        }
        Ok(())
    }
}

/// The one 32-bit field control messages start with.
fn field(message: &Message) -> Result<u32, SessionError> {
    let field = message.payload.first_chunk().ok_or(SessionError::ShortControl(message.type_id))?;
    Ok(u32::from_be_bytes(*field))
}
