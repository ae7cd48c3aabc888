//! Asks two places one question: the preferred one first, the other one as soon as that has failed or is slow; the first
//! good answer wins. Must not know what is asked.
//!
//! A place that hangs is remembered, so that it costs its slowness once and not with every question; one caller at a time
//! finds out whether it answers again.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, sleep_until};

/// A place that has not answered for so long is slow: the other one is asked too. More than an answer takes that starts cold
/// or waits for ECS (`deadlines` holds it to that), and little enough that a session without rights is closed within 5 s.
pub(crate) const HEDGE_AFTER: Duration = Duration::from_secs(2);
/// For both places together; an encoder waits for two such questions.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// For how long a place is asked last that was slow once; each further time doubles it.
const AVOID_FOR: Duration = Duration::from_secs(5);
/// At most for so long.
const AVOID_AT_MOST: Duration = Duration::from_secs(60);

/// Two places; the first one is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Own,
    Peer,
}

impl Endpoint {
    fn other(self) -> Self {
        match self {
            Self::Own => Self::Peer,
            Self::Peer => Self::Own,
        }
    }
}

/// What is remembered of one place.
#[derive(Debug, Clone, Copy, Default)]
struct Slowness {
    strikes: u32,
    avoid_until: Option<Instant>,
}

/// Which places have been slow lately.
#[derive(Debug, Default)]
pub(super) struct Memory([Mutex<Slowness>; 2]);

impl Memory {
    fn of(&self, endpoint: Endpoint) -> MutexGuard<'_, Slowness> {
        self.0[endpoint as usize].lock()
    }

    /// Whom to ask first.
    fn first(&self) -> Endpoint {
        let now = Instant::now();
        let mut own = self.of(Endpoint::Own);
        match own.avoid_until {
            None => Endpoint::Own,
            Some(until) if now < until => {
                // With both of them slow the nearer one is as good.
                let peer_is_slow = self.of(Endpoint::Peer).avoid_until.is_some_and(|until| now < until);
                if peer_is_slow { Endpoint::Own } else { Endpoint::Peer }
            }
            Some(_) => {
                // This caller finds out; the others go on asking the peer meanwhile.
                own.avoid_until = Some(now + HEDGE_AFTER);
                Endpoint::Own
            }
        }
    }

    fn was_slow(&self, endpoint: Endpoint) {
        let mut there = self.of(endpoint);
        let avoid_for = AVOID_FOR.saturating_mul(1 << there.strikes.min(8)).min(AVOID_AT_MOST);
        there.strikes = there.strikes.saturating_add(1);
        there.avoid_until = Some(Instant::now() + avoid_for);
    }

    /// A place that has answered, or is another one now, is not slow.
    pub(super) fn forget(&self, endpoint: Endpoint) {
        *self.of(endpoint) = Slowness::default();
    }
}

/// What came of a question.
#[derive(Debug)]
pub(super) enum Asked<A, E, F> {
    /// An answer; and a question that is still under way at the other place, if the answer does not settle it.
    Answered(A, Option<F>),
    /// Both have failed, or the only one.
    Failed(E),
    /// Nobody has answered in time.
    Silence,
}

struct Question<F> {
    endpoint: Endpoint,
    since: Instant,
    answer: std::pin::Pin<Box<F>>,
}

/// Asks. `settles` says of an answer whether the other place's could not change it: one that does not settle and comes
/// from the place that was asked second is held back, for what the first one may still say.
pub(super) async fn ask<A, E, F: Future<Output = Result<A, E>>>(
    memory: &Memory,
    has_peer: bool,
    ask: impl Fn(Endpoint) -> F,
    settles: impl Fn(&A) -> bool,
    mut failed: impl FnMut(Endpoint, Option<&E>),
) -> Asked<A, E, std::pin::Pin<Box<F>>> {
    let began = Instant::now();
    let first = if has_peer { memory.first() } else { Endpoint::Own };
    let question = |endpoint| Question { endpoint, since: Instant::now(), answer: Box::pin(ask(endpoint)) };
    let mut open = vec![question(first)];
    let mut second = has_peer.then(|| first.other());
    let mut held = None;
    let mut error = None;
    loop {
        if open.is_empty() {
            match second.take() {
                Some(endpoint) => open.push(question(endpoint)),
                None => break,
            }
        }
        let hedge = sleep_until(began + HEDGE_AFTER);
        tokio::select! {
            (index, answer) = any(&mut open) => {
                let Question { endpoint, .. } = open.swap_remove(index);
                match answer {
                    Ok(answer) => {
                        memory.forget(endpoint);
                        slow(memory, &open, &mut failed);
                        let is_settled = settles(&answer);
                        if is_settled || endpoint == first || open.is_empty() {
                            let pending = open.pop().filter(|_| !is_settled);
                            return Asked::Answered(answer, pending.map(|question| question.answer));
                        }
                        held = Some(answer);
                    }
                    Err(why) => {
                        failed(endpoint, Some(&why));
                        error = Some(why);
                        open.extend(second.take().map(question));
                    }
                }
            }
            () = hedge, if second.is_some() => open.extend(second.take().map(question)),
            () = sleep(ANSWER_WITHIN.saturating_sub(began.elapsed())) => {
                slow(memory, &open, &mut failed);
                return match held {
                    Some(answer) => Asked::Answered(answer, open.pop().map(|question| question.answer)),
                    None => Asked::Silence,
                };
            }
        }
    }
    match (held, error) {
        (Some(answer), _) => Asked::Answered(answer, None),
        (None, Some(error)) => Asked::Failed(error),
        (None, None) => Asked::Silence,
    }
}

/// Notes which questions have been open for too long.
fn slow<E, F>(memory: &Memory, open: &[Question<F>], failed: &mut impl FnMut(Endpoint, Option<&E>)) {
    for question in open.iter().filter(|question| question.since.elapsed() >= HEDGE_AFTER) {
        memory.was_slow(question.endpoint);
        failed(question.endpoint, None);
    }
}

/// The first answer to any of the questions, and whose.
async fn any<F: Future>(open: &mut [Question<F>]) -> (usize, F::Output) {
    std::future::poll_fn(|context| {
        for (index, question) in open.iter_mut().enumerate() {
            if let std::task::Poll::Ready(answer) = question.answer.as_mut().poll(context) {
                return std::task::Poll::Ready((index, answer));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
