//! What the newest order wants: to read a source, to wait, to finish, to go.

use headwater_domain::SessionId;
use headwater_domain::hooks::{Source, TranscoderOrder};
use headwater_domain::stream::TranscodeSettings;
use headwater_domain::timeline::ResumePoint;

use super::io::{Exit, Report};
use super::{DRAIN, Task};
use crate::time::Now;

/// The newest order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ordered {
    /// To read this session.
    Read(SessionId),
    Wait,
    Stop,
    Fenced,
}

/// What orders say of sources in general.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) settings: TranscodeSettings,
    pub(super) resume: Option<ResumePoint>,
}

/// What is to be done by the newest order.
#[derive(Debug)]
pub(super) enum Wanted {
    Read(Box<(Source, Terms)>),
    Nothing,
    Exit(Exit),
}

impl Task {
    /// Takes an order. What it says of the source is remembered: tokens expire.
    pub(super) fn hear(&mut self, now: Now, order: TranscoderOrder) {
        self.ordered = Some(match order {
            TranscoderOrder::Stop { reason } => {
                if self.drain_until.is_none() {
                    // For the first time: from now on what is there is finished.
                    self.drain_until = Some(now.monotonic + DRAIN);
                    self.report(Report::ToldToStop { reason });
                }
                Ordered::Stop
            }
            TranscoderOrder::Fenced | TranscoderOrder::HandedOver => Ordered::Fenced,
            TranscoderOrder::Wait | TranscoderOrder::Rehearse { .. } | TranscoderOrder::Hold => {
                self.drain_until = None;
                Ordered::Wait
            }
            TranscoderOrder::Transcode { source, earlier, settings, resume, resume_after, .. } => {
                self.drain_until = None;
                if let Some(resume_after) = resume_after {
                    self.writer.resume_after(resume_after);
                }
                self.reading.order(&earlier, &source);
                self.terms = Some(Terms { settings: *settings, resume: resume.map(|resume| *resume) });
                Ordered::Read(source.session)
            }
        });
    }

    pub(super) fn wanted(&mut self, now: Now) -> Wanted {
        let rest = match &self.ordered {
            None => None,
            Some(Ordered::Read(_)) => self.rest(),
            Some(Ordered::Wait) => {
                self.health.waits();
                // The publisher is gone; what it sent before may not all be read.
                self.rest()
            }
            Some(Ordered::Stop) => match self.rest() {
                Some(rest) if self.drain_until.is_some_and(|until| now.monotonic < until) => Some(rest),
                _ => return Wanted::Exit(Exit::Over),
            },
            Some(Ordered::Fenced) => return Wanted::Exit(Exit::Fenced),
        };
        rest.map_or(Wanted::Nothing, |rest| Wanted::Read(Box::new(rest)))
    }

    /// The source that was not read to its end.
    fn rest(&self) -> Option<(Source, Terms)> {
        Some((self.reading.next()?.clone(), self.terms.clone()?))
    }

    /// Whether the newest order leaves `session` to be read.
    pub(super) fn goes_on(&self, session: &SessionId) -> bool {
        match &self.ordered {
            Some(Ordered::Read(_)) => self.reading.next().is_some_and(|next| next.session == *session),
            Some(Ordered::Wait | Ordered::Stop) => true,
            Some(Ordered::Fenced) | None => false,
        }
    }

    /// Whether the newest order names `session`.
    pub(super) fn is_ordered(&self, session: &SessionId) -> bool {
        matches!(&self.ordered, Some(Ordered::Read(newest)) if newest == session)
    }
}
