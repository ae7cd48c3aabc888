//! Sources of which nothing can be made, and what their encoders are told.

use headwater_domain::SessionId;
use headwater_domain::heartbeat::GivenUp;

use crate::engine::RunFailed;

/// Why nothing came of the runs of a session, in case nothing comes of the others either.
#[derive(Debug, Clone, Default)]
pub(super) struct Barren {
    why: Option<(SessionId, GivenUp)>,
    /// The last session of which something was made.
    fruitful: Option<SessionId>,
}

impl Barren {
    pub(super) fn note(&mut self, session: &SessionId, failed: &RunFailed) {
        self.why = Some((session.clone(), given_up(failed)));
    }

    pub(super) fn bore(&mut self, session: &SessionId) {
        self.fruitful = Some(session.clone());
    }

    /// Why nothing was made of a session that is over, if a run of it was barren and none was not.
    pub(super) fn take(&mut self, session: &SessionId) -> Option<GivenUp> {
        let (of, why) = self.why.take()?;
        (of == *session && self.fruitful.as_ref() != Some(session)).then_some(why)
    }
}

/// What is told of a source of which nothing can be made.
pub(super) fn given_up(failed: &RunFailed) -> GivenUp {
    let retry = !failed.is_lasting;
    let advice = if retry { "connect again" } else { "change the encoder's settings" };
    GivenUp { reason: format!("{}; {advice}", failed.reason), retry, is_source: failed.is_source }
}
