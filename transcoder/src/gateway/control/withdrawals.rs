//! Publish requests that were given up without an answer: the control plane may grant them all the same. Heartbeats name them
//! until it says that it has taken one back, or until none can be granted any more.

use std::collections::VecDeque;
use std::time::Duration;

use headwater_domain::SessionId;
use headwater_domain::hooks::Withdrawn;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

/// A request is granted within ten seconds and a write of the table's, and what one region has granted is known in the other
/// within seconds; the rest is for hooks that are out of reach.
const KEPT_FOR: Duration = Duration::from_secs(120);
/// Kept at most: the encoders of two full gateways. Beyond that the oldest go, and their tasks find that there is nothing.
const MAX_KEPT: usize = 1_000;
/// Named in one heartbeat; each costs the hook a read.
pub const MAX_NAMED: usize = 50;

/// The publish requests that were given up without an answer.
#[derive(Debug, Default)]
pub struct Withdrawals(Mutex<VecDeque<(Withdrawn, Instant)>>);

impl Withdrawals {
    fn all(&self) -> MutexGuard<'_, VecDeque<(Withdrawn, Instant)>> {
        self.0.lock()
    }

    /// A request was given up.
    pub fn note(&self, withdrawn: Withdrawn) {
        let mut all = self.all();
        if all.len() == MAX_KEPT {
            all.pop_front();
        }
        all.push_back((withdrawn, Instant::now()));
    }

    /// Those to be named next; each gets its turn.
    pub fn next(&self) -> Vec<Withdrawn> {
        let mut all = self.all();
        all.retain(|(_, since)| since.elapsed() < KEPT_FOR);
        let named: Vec<_> = all.iter().take(MAX_NAMED).map(|(withdrawn, _)| withdrawn.clone()).collect();
        all.rotate_left(named.len());
        named
    }

    /// The control plane has taken them back.
    pub fn confirm(&self, sessions: &[SessionId]) {
        if !sessions.is_empty() {
            self.all().retain(|(withdrawn, _)| !sessions.contains(&withdrawn.session));
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_domain::StreamId;

    use super::*;

    fn withdrawn(number: u128) -> Withdrawn {
        Withdrawn { session: SessionId::from_random(number), stream: StreamId::from_random(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn each_withdrawal_is_named_in_its_turn_until_it_is_confirmed_or_old() {
        let withdrawals = Withdrawals::default();
        (0..120).for_each(|number| withdrawals.note(withdrawn(number)));
        let mut named: Vec<_> = (0..3).flat_map(|_| withdrawals.next()).map(|one| one.session).collect();
        assert_eq!(named.len(), 150);
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), 120, "nobody waits for others");
        withdrawals.confirm(&named[..119]);
        assert_eq!(withdrawals.next().len(), 1);
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(withdrawals.next(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn withdrawals_are_bounded_and_the_newest_stay() {
        let withdrawals = Withdrawals::default();
        let most = MAX_KEPT as u128;
        (0..most + 10).for_each(|number| withdrawals.note(withdrawn(number)));
        assert_eq!(withdrawals.all().len(), MAX_KEPT);
        assert_eq!(withdrawals.all()[0].0, withdrawn(10));
    }
}
