//! Heartbeats: they tell how the task fares, and bring its orders.

use std::time::Duration;

use headwater_domain::heartbeat::Health;
use headwater_domain::hooks::TranscoderOrder;

use super::rehearsal::Standby;
use super::{Output, Phase, Task};
use crate::time::Now;

/// Why a task stops that nobody answers.
const ABANDONED: &str = "no heartbeat was answered for five minutes";

impl Task {
    /// When the next heartbeat is to be sent.
    pub(super) fn heartbeat_due(&self) -> Option<Duration> {
        self.sends_heartbeats().then(|| self.heartbeats.deadline()).flatten()
    }

    fn sends_heartbeats(&self) -> bool {
        match &self.phase {
            Phase::Leaving(leaving) => leaving.is_draining(),
            phase => !matches!(phase, Phase::Over),
        }
    }

    /// Sends a heartbeat if one is due.
    pub(super) fn send_heartbeat_if_due(&mut self, now: Now) {
        if self.sends_heartbeats() && self.heartbeats.is_due(now.monotonic, self.health.is_news()) {
            self.send_heartbeat(now);
        }
    }

    pub(super) fn send_heartbeat(&mut self, now: Now) {
        let standby = self.standby.as_ref();
        let is_hurried = matches!(self.phase, Phase::Quiesced) || standby.is_some_and(Standby::is_ready);
        let health = Health { standby: standby.map(Standby::health), ..self.health.tell(now) };
        self.heartbeats.sent(health.activity, is_hurried);
        self.outputs.push_back(Output::Heartbeat(health));
    }

    pub(super) fn answered(&mut self, now: Now, order: TranscoderOrder) {
        self.heartbeats.answered(now.monotonic);
        if matches!(self.phase, Phase::Leaving(_)) {
            return self.answered_leaving(now);
        }
        self.order(now, order);
    }

    pub(super) fn unanswered(&mut self, now: Now) {
        let is_abandoned = self.heartbeats.unanswered(now.monotonic);
        if matches!(self.phase, Phase::Leaving(_)) {
            return self.answered_leaving(now);
        }
        if is_abandoned {
            self.order(now, TranscoderOrder::Stop { reason: ABANDONED.into() });
        }
    }

    /// The same order again is none.
    fn order(&mut self, now: Now, order: TranscoderOrder) {
        if self.heard.as_ref() != Some(&order) {
            self.heard = Some(order.clone());
            let order = self.hear_standby(now, order).and_then(|order| self.hear_handover(now, order));
            if let Some(order) = order {
                self.hear(now, order);
                self.obey(now);
                self.hand_over(now);
            }
        }
    }
}
