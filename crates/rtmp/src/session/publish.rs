//! `publish` and the ways it ends.

use super::command::Command;
use super::error::{Refusal, SessionError};
use super::event::{Event, PublishId, PublishMode, PublishRequest, RejectCode, UnpublishReason};
use super::output::Level;
use super::server::ServerSession;
use super::state::{PendingEvents, Publication, Queued, State};
use super::target;
use crate::amf::Value;

/// Publish requests of one connection, one after the other. Each makes the owner ask somebody.
const MAX_PUBLISH_REQUESTS: u32 = 16;

impl ServerSession {
    pub(super) fn publish(&mut self, command: &Command) -> Result<(), SessionError> {
        // `publish(false)` is how ActionScript stops (RTMP §7.2.2.6 takes a name only).
        if command.argument(0) == Some(&Value::Boolean(false)) {
            if self.is_said_to_publication(command) {
                self.unpublish(UnpublishReason::CloseStream);
            }
            return Ok(());
        }
        let Some(client) = &self.client else {
            return Err(SessionError::OutOfOrder { command: "publish" });
        };
        if self.state.publication().is_some() {
            if self.may_answer() {
                let reason = "this connection publishes already, use one connection per stream";
                self.out.status(command.stream_id, Level::Error, RejectCode::BadName.as_str(), reason);
            }
            return Ok(());
        }
        if self.publish_requests == MAX_PUBLISH_REQUESTS {
            return Err(SessionError::TooManyPublishRequests(MAX_PUBLISH_REQUESTS));
        }
        let (key, query) = match target::parse(&client.app, &client.tc_url, command.text(0)) {
            Ok(target) => target,
            Err(refusal) => return Err(self.refuse_publish(command, refusal)),
        };
        self.publish_requests += 1;
        let id = PublishId(self.publish_requests);
        let mode = match command.text(1) {
            "" | "live" => PublishMode::Live,
            "record" => PublishMode::Record,
            "append" => PublishMode::Append,
            _ => PublishMode::Other,
        };
        let publication = Publication { id, stream_id: command.stream_id };
        (self.has_sent_media, self.foreign) = (false, 0);
        self.state = State::Pending(publication, PendingEvents::default());
        self.reader.set_limits(self.config.limits.while_pending());
        let request = PublishRequest { id, app: "live", key, query, mode };
        self.events.push_back(Queued::Event(Event::PublishRequested(request)));
        Ok(())
    }

    fn refuse_publish(&mut self, command: &Command, refusal: Refusal) -> SessionError {
        let reason = refusal.to_string();
        self.out.status(command.stream_id, Level::Error, RejectCode::BadName.as_str(), &reason);
        refusal.into()
    }

    /// Whether a deleteStream command means the stream that is being published. A missing number means the only one.
    pub(super) fn names_publication(&self, command: &Command) -> bool {
        let named = command.argument(0).and_then(Value::as_number);
        self.state
            .publication()
            .is_some_and(|publication| named.is_none_or(|id| id == f64::from(publication.stream_id)))
    }

    /// Whether a command is said on the message stream that is being published, or on none. An encoder that has created
    /// another one may close that.
    pub(super) fn is_said_to_publication(&self, command: &Command) -> bool {
        let own = self.state.publication().map(|publication| publication.stream_id);
        command.stream_id == 0 || own == Some(command.stream_id)
    }

    pub(super) fn unpublish(&mut self, reason: UnpublishReason) {
        let Some(publication) = self.state.publication() else { return };
        self.state = State::Idle;
        self.events.push_back(Queued::Event(Event::Unpublished { id: publication.id, reason }));
        self.out.status(publication.stream_id, Level::Status, "NetStream.Unpublish.Success", "stopped");
    }
}
