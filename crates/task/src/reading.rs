//! Which session a task reads next: each to its end, in the order in which the encoder opened them.
//!
//! Usually there is one, and another when the encoder has come back. A task that took long to start finds several.
//! Knows orders, not how media is read or how long it is waited for.

use std::collections::VecDeque;

use headwater_domain::SessionId;
use headwater_domain::hooks::Source;

/// Begun sessions that are remembered: more than an order that comes late can name.
const MAX_BEGUN: usize = 16;

/// The sources that a task was ordered to read, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Oldest first; the first may be under way.
    queue: VecDeque<Source>,
    /// So that an order of before does not have a session read twice.
    begun: VecDeque<SessionId>,
    /// Those of them that were not read to their ends.
    left: VecDeque<SessionId>,
}

impl Reading {
    /// What the newest order says: `source`, and those `earlier` first. The one that is under way stays the first.
    pub(crate) fn order(&mut self, earlier: &[Source], source: &Source) {
        // What was left behind for another that does not hold any more is taken up again.
        if let Some(at) = self.left.iter().position(|left| *left == source.session) {
            self.left.remove(at);
            self.begun.retain(|begun| *begun != source.session);
        }
        let ordered = || earlier.iter().chain([source]);
        let under_way = self.queue.pop_front().filter(|first| self.has_begun(&first.session));
        // Tokens expire: the newest is the one to have.
        let renewed = under_way.map(|first| {
            let newest = ordered().find(|source| source.session == first.session);
            newest.cloned().unwrap_or(first)
        });
        // Behind the newest there is nothing that could come in order.
        let is_news = |one: &&Source| !self.has_begun(&source.session) && !self.has_begun(&one.session);
        let news = ordered().filter(is_news).cloned();
        self.queue = renewed.into_iter().chain(news).collect();
    }

    /// What is to be read now.
    pub(crate) fn next(&self) -> Option<&Source> {
        self.queue.front()
    }

    /// Whether another session waits for the end of this one.
    pub(crate) fn is_replaced(&self) -> bool {
        self.queue.len() > 1
    }

    fn has_begun(&self, session: &SessionId) -> bool {
        self.begun.contains(session)
    }

    /// `session` is asked for; whether that is the first time.
    pub(crate) fn begin(&mut self, session: &SessionId) -> bool {
        if self.has_begun(session) {
            return false;
        }
        remember(&mut self.begun, session);
        true
    }

    /// `session` was read to its end, or has nothing that can be read.
    pub(crate) fn finish(&mut self, session: &SessionId) {
        self.begin(session);
        self.queue.retain(|source| source.session != *session);
    }

    /// `session` is given up for those that wait.
    pub(crate) fn leave(&mut self, session: &SessionId) {
        self.finish(session);
        remember(&mut self.left, session);
    }
}

fn remember(sessions: &mut VecDeque<SessionId>, session: &SessionId) {
    if sessions.len() == MAX_BEGUN {
        sessions.pop_front();
    }
    sessions.push_back(session.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_domain::hooks::Secret;

    fn id(number: u128) -> SessionId {
        SessionId::from_random(number)
    }

    fn source(number: u128, token: &str) -> Source {
        Source { session: id(number), url: format!("http://gateway/{number}"), token: Secret::new(token) }
    }

    fn order(reading: &mut Reading, sessions: &[u128], token: &str) {
        let mut sources: Vec<_> = sessions.iter().map(|number| source(*number, token)).collect();
        let newest = sources.pop().unwrap();
        reading.order(&sources, &newest);
    }

    /// Reads on until there is nothing more.
    fn read(reading: &mut Reading) -> Vec<SessionId> {
        let mut read = Vec::new();
        while let Some(session) = reading.next().map(|next| next.session.clone()) {
            reading.begin(&session);
            reading.finish(&session);
            read.push(session);
        }
        read
    }

    #[test]
    fn earlier_sessions_are_read_first() {
        let mut reading = Reading::default();
        order(&mut reading, &[1, 2, 3], "a");
        assert!(reading.is_replaced());
        assert_eq!(read(&mut reading), [id(1), id(2), id(3)]);
        order(&mut reading, &[1, 2, 3], "b");
        assert_eq!(reading.next(), None, "an order that was on its way has nothing read again");
        order(&mut reading, &[4], "c");
        assert_eq!(read(&mut reading), [id(4)]);
    }

    #[test]
    fn what_is_under_way_is_read_to_its_end_with_the_newest_token() {
        let mut reading = Reading::default();
        order(&mut reading, &[1], "a");
        reading.begin(&id(1));
        order(&mut reading, &[1, 2], "b");
        assert_eq!(reading.next(), Some(&source(1, "b")));
        order(&mut reading, &[2], "c");
        assert_eq!(reading.next(), Some(&source(1, "b")), "whoever has begun it is not told of it any more");
        assert!(reading.is_replaced());
        reading.finish(&id(1));
        assert_eq!(reading.next(), Some(&source(2, "c")));
        assert!(!reading.is_replaced());
    }

    #[test]
    fn an_order_of_before_puts_nothing_behind_the_newest() {
        let mut reading = Reading::default();
        order(&mut reading, &[2], "a");
        reading.begin(&id(2));
        order(&mut reading, &[1, 2], "b");
        assert!(!reading.is_replaced());
        assert_eq!(read(&mut reading), [id(2)]);
    }

    #[test]
    fn an_abandoned_session_can_be_resumed() {
        let mut reading = Reading::default();
        order(&mut reading, &[1, 2], "a");
        reading.begin(&id(1));
        reading.leave(&id(1));
        order(&mut reading, &[1, 2], "b");
        assert_eq!(reading.next(), Some(&source(2, "b")), "not for its own sake");
        reading.begin(&id(2));
        order(&mut reading, &[1], "c");
        assert!(reading.is_replaced());
        reading.finish(&id(2));
        assert_eq!(read(&mut reading), [id(1)]);
    }

    #[test]
    fn a_session_that_was_not_begun_can_be_withdrawn() {
        let mut reading = Reading::default();
        order(&mut reading, &[1], "a");
        order(&mut reading, &[2], "b");
        assert_eq!(read(&mut reading), [id(2)]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut reading = Reading::default();
        for number in 0..100 {
            order(&mut reading, &[number], "a");
            read(&mut reading);
        }
        assert_eq!(reading.begun.len(), MAX_BEGUN);
    }
}
