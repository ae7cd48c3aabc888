//! A holder that hands over: it ends its open segment at the next boundary, commits all, says so, and writes nothing from
//! then on. One thing alone lets it go on: that its standby is withdrawn for good. Silence never does.

use headwater_domain::Lease;
use headwater_domain::heartbeat::Quiesced;
use headwater_domain::hooks::{HandoverOrder, TranscoderOrder};

use super::broken::Origin;
use super::io::{Exit, Output, Report};
use super::{Phase, Task};
use crate::time::Now;

impl Task {
    /// Takes what an order says of handing over; gives back what else it says, if that is to be obeyed.
    pub(super) fn hear_handover(&mut self, now: Now, order: TranscoderOrder) -> Option<TranscoderOrder> {
        if let TranscoderOrder::Transcode { handover: Some(handover), .. } = &order {
            self.note_handover(handover);
        }
        let is_held = matches!(self.phase, Phase::Quiesced);
        match order {
            // Not said to a task that was not started as a standby.
            TranscoderOrder::Rehearse { .. } | TranscoderOrder::Hold => None,
            // Its standby goes on although it has not said that it is done: as if it was lost.
            TranscoderOrder::HandedOver if !is_held => Some(TranscoderOrder::Fenced),
            TranscoderOrder::HandedOver => {
                self.report(Report::HandedOver);
                self.drain(Exit::Over);
                None
            }
            order @ TranscoderOrder::Stop { .. } if !is_held => {
                // It has not said that it is done, so nobody goes on in its place: it finishes what there is.
                self.hands_over_to = None;
                Some(order)
            }
            order if !is_held => Some(order),
            TranscoderOrder::Transcode { .. } => {
                self.hear(now, order);
                self.go_on_or_hold(now);
                None
            }
            // Whoever says so may not know who goes on.
            TranscoderOrder::Wait => None,
            TranscoderOrder::Stop { reason } => {
                self.report(Report::ToldToStop { reason });
                self.drain(Exit::Over);
                None
            }
            TranscoderOrder::Fenced => {
                self.exit(Exit::Fenced);
                None
            }
        }
    }

    fn note_handover(&mut self, handover: &HandoverOrder) {
        match handover {
            HandoverOrder::HandOver { to } => {
                if self.hands_over_to.as_ref() != Some(to) {
                    self.report(Report::HandingOver { to: to.clone() });
                }
                self.hands_over_to = Some(to.clone());
            }
            HandoverOrder::GoOn { withdrawn } => {
                self.hands_over_to.take_if(|to| *to <= *withdrawn);
            }
        }
    }

    /// Held, it has heard what becomes of its standby, or of another one.
    fn go_on_or_hold(&mut self, now: Now) {
        match self.hands_over_to.clone() {
            Some(to) => self.tell_held(to),
            None => {
                self.health.held(None);
                self.report(Report::GoesOn);
                self.phase = Phase::Idle;
                self.decide(now);
            }
        }
    }

    /// Begins to hand over as far as it can be done now: a run is ended at its next boundary.
    pub(super) fn hand_over(&mut self, now: Now) {
        if self.hands_over_to.is_none() {
            return;
        }
        let may_hold = self.may_hold();
        match &mut self.phase {
            Phase::Running(running) => {
                let is_link = matches!(running.origin, Origin::Link);
                if is_link && !std::mem::replace(&mut running.ends_segment, true) {
                    self.outputs.push_back(Output::EndSegment);
                }
            }
            Phase::Asking(_) if may_hold => {
                self.outputs.push_back(Output::Close);
                self.decide(now);
            }
            Phase::Idle | Phase::Pausing(_) if may_hold => self.decide(now),
            _ => {}
        }
    }

    /// Whether all that was written is a whole segment, or more: a successor goes on behind those. What was read and is
    /// written nowhere is finished first: its gateway may be gone.
    pub(super) fn may_hold(&self) -> bool {
        self.hands_over_to.is_some()
            && self.broken.is_none()
            && !self.writer.is_open()
            && self.health.segment().is_some()
    }

    /// Writes nothing more until it is told.
    pub(super) fn hold(&mut self) {
        let Some(to) = self.hands_over_to.clone() else { return };
        self.phase = Phase::Quiesced;
        self.tell_held(to);
        if let Some(segment) = self.health.segment() {
            self.report(Report::Quiesced { segment });
        }
    }

    fn tell_held(&mut self, standby: Lease) {
        let held = self.health.segment().map(|segment| Quiesced { standby, segment });
        self.health.held(held);
    }
}
