//! How often a secret may be guessed: by one address, and at one key. Pure: time is handed in.
//!
//! Keys have 128 random bits, so nobody finds one; this is about what trying costs: a hook call and reads for each. An
//! attempt counts until it is known to be right, so that many at once are bounded as well. A key that was right here
//! before is never refused: whoever guesses cannot lock out the encoder beside them, nor the one whose key they guess at.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use thiserror::Error;

use crate::ids::{KeyId, StreamId};
use crate::key::StreamKey;
use crate::rate_limit::Window;
use crate::time::Timestamp;

/// Attempts from one address group in each [`WINDOW`] that are not known to be right. More than a gateway asks about at a
/// time, so that no number of encoders with right keys reaches it, however they come.
pub const MAX_ATTEMPTS_PER_ADDRESS: u32 = 100;
/// Attempts at one key in each [`WINDOW`], whoever makes them. One encoder tries some twenty times a minute.
pub const MAX_ATTEMPTS_PER_KEY: u32 = 100;
/// What they are counted over.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Subjects with attempts that are kept track of, some 100 bytes each: more than a gateway has connections.
const MAX_SUBJECTS: usize = 8_192;
/// Keys that are remembered as right, 16 bytes each: more than the streams of any deployment.
const MAX_TRUSTED: usize = 16_384;
/// Bits of an IPv6 address that name a household; it chooses the others as it likes (RFC 6177).
const V6_GROUP: u128 = !0 << 64;

/// Addresses that belong together: one of IPv4, or an IPv6 network of /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressGroup(IpAddr);

impl From<IpAddr> for AddressGroup {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & V6_GROUP).into(),
            v4 => v4,
        })
    }
}

/// Counts the attempts of each subject.
#[derive(Debug)]
pub struct AttemptCounter<S> {
    most: u32,
    length: Duration,
    windows: HashMap<S, Window>,
}

impl<S: Eq + Hash + Clone> AttemptCounter<S> {
    /// At most `most` attempts of each subject in `window`.
    pub fn new(most: u32, window: Duration) -> Self {
        Self { most, length: window, windows: HashMap::new() }
    }

    /// Counts an attempt; false if there have been too many.
    pub fn begin(&mut self, subject: &S, now: Timestamp) -> bool {
        let length = self.length;
        if self.windows.len() >= MAX_SUBJECTS && !self.windows.contains_key(subject) {
            self.windows.retain(|_, window| !window.is_over(length, now));
            self.forget_one();
        }
        let window = self.windows.entry(subject.clone()).or_insert(Window::beginning(now));
        window.take(self.most, length, now)
    }

    /// Whether `subject` has no attempt left in its window.
    pub fn is_used_up(&self, subject: &S) -> bool {
        self.windows.get(subject).is_some_and(|window| window.count() >= self.most)
    }

    /// The attempt was right: it does not count.
    pub fn take_back(&mut self, subject: &S) {
        if let Some(window) = self.windows.get_mut(subject) {
            window.give_back();
            if window.count() == 0 {
                self.windows.remove(subject);
            }
        }
    }

    /// Makes room: whoever tried least is the least loss.
    fn forget_one(&mut self) {
        if self.windows.len() < MAX_SUBJECTS {
            return;
        }
        let least =
            self.windows.iter().min_by_key(|(_, window)| window.count()).map(|(subject, _)| subject.clone());
        if let Some(least) = least {
            self.windows.remove(&least);
        }
    }
}

/// One attempt to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where it comes from, if that is known.
    pub address: Option<AddressGroup>,
    /// The key it names; `None` if what was sent is no stream key.
    pub key: Option<(StreamId, KeyId)>,
    /// A hash of all that was sent, keyed with something that only this process knows.
    pub fingerprint: u64,
}

impl Attempt {
    /// What `key` names.
    pub fn names(key: &StreamKey) -> (StreamId, KeyId) {
        (key.stream().clone(), key.id().clone())
    }
}

/// An attempt that is not looked at. The text goes to the person at the encoder.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// From one address.
    #[error("too many wrong stream keys from this address; try again in a minute")]
    Address,
    /// At one key.
    #[error("too many attempts with this stream key; try again in a minute")]
    Key,
}

/// Watches attempts with stream keys.
#[derive(Debug)]
pub struct KeyAttemptLimiter {
    by_address: AttemptCounter<AddressGroup>,
    by_key: AttemptCounter<(StreamId, KeyId)>,
    /// Fingerprints of keys that were right, the latest last.
    trusted: VecDeque<u64>,
}

impl Default for KeyAttemptLimiter {
    fn default() -> Self {
        Self {
            by_address: AttemptCounter::new(MAX_ATTEMPTS_PER_ADDRESS, WINDOW),
            by_key: AttemptCounter::new(MAX_ATTEMPTS_PER_KEY, WINDOW),
            trusted: VecDeque::new(),
        }
    }
}

impl KeyAttemptLimiter {
    /// Counts an attempt, if it may be made. Not followed by [`KeyAttemptLimiter::right`], it stays counted.
    ///
    /// # Errors
    /// When there have been too many.
    pub fn begin(&mut self, attempt: &Attempt, now: Timestamp) -> Result<(), TooMany> {
        if self.trusted.contains(&attempt.fingerprint) {
            return Ok(());
        }
        if attempt.address.is_some_and(|address| !self.by_address.begin(&address, now)) {
            return Err(TooMany::Address);
        }
        if attempt.key.as_ref().is_some_and(|key| !self.by_key.begin(key, now)) {
            return Err(TooMany::Key);
        }
        Ok(())
    }

    /// The key was right, whatever else became of the attempt.
    pub fn right(&mut self, attempt: &Attempt) {
        if self.trusted.contains(&attempt.fingerprint) {
            return;
        }
        if let Some(address) = &attempt.address {
            self.by_address.take_back(address);
        }
        if let Some(key) = &attempt.key {
            self.by_key.take_back(key);
        }
        if self.trusted.len() == MAX_TRUSTED {
            self.trusted.pop_front();
        }
        self.trusted.push_back(attempt.fingerprint);
    }

    /// The key is wrong, or not right any more.
    pub fn wrong(&mut self, attempt: &Attempt) {
        self.trusted.retain(|fingerprint| *fingerprint != attempt.fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(address: &str, key: u128, fingerprint: u64) -> Attempt {
        let address: IpAddr = address.parse().unwrap();
        let key = (StreamId::from_random(1), KeyId::from_random(key));
        Attempt { address: Some(address.into()), key: Some(key), fingerprint }
    }

    #[test]
    fn an_address_has_so_many_guesses_and_then_waits() {
        let mut guard = KeyAttemptLimiter::default();
        let mut key_attempts = |from: u64, at: u64| {
            (0..200)
                .filter(|n| {
                    let attempt = attempt("192.0.2.1", (from + n).into(), from + n);
                    guard.begin(&attempt, Timestamp(at)).is_ok()
                })
                .count()
        };
        assert_eq!(
            [key_attempts(0, 5_000), key_attempts(1_000, 64_999), key_attempts(2_000, 65_000)],
            [100, 0, 100]
        );
    }

    #[test]
    fn a_key_has_so_many_guesses_whoever_makes_them() {
        let mut guard = KeyAttemptLimiter::default();
        let tried = (0..200).filter(|n| {
            let address = format!("192.0.2.{n}");
            guard.begin(&attempt(&address, 7, *n), Timestamp(5_000)).is_ok()
        });
        assert_eq!(tried.count(), 100);
        let other = attempt("192.0.2.9", 8, 999);
        assert_eq!(guard.begin(&other, Timestamp(5_000)), Ok(()), "another key of the stream");
    }

    #[test]
    fn what_was_right_once_is_never_locked_out_and_never_counts() {
        let mut guard = KeyAttemptLimiter::default();
        let mine = attempt("192.0.2.1", 7, 1);
        guard.begin(&mine, Timestamp(0)).unwrap();
        guard.right(&mine);
        for wrong in 0..150 {
            guard.begin(&attempt("192.0.2.1", 7, 1_000 + wrong), Timestamp(0)).ok();
        }
        let fresh = attempt("192.0.2.1", 9, 2);
        assert_eq!(guard.begin(&fresh, Timestamp(0)), Err(TooMany::Address));
        for _ in 0..100 {
            assert_eq!(guard.begin(&mine, Timestamp(0)), Ok(()));
        }
        guard.wrong(&mine);
        assert_eq!(guard.begin(&mine, Timestamp(0)), Err(TooMany::Address), "it was revoked");
    }

    #[test]
    fn right_attempts_cost_nothing() {
        let mut guard = KeyAttemptLimiter::default();
        for n in 0..500 {
            let encoder = attempt("192.0.2.1", n.into(), n);
            guard.begin(&encoder, Timestamp(0)).unwrap();
            guard.right(&encoder);
        }
    }

    #[test]
    fn trust_is_bounded_and_the_oldest_goes_first() {
        let mut guard = KeyAttemptLimiter::default();
        let most = u64::try_from(MAX_TRUSTED).unwrap();
        for n in 0..=most {
            guard.right(&attempt("192.0.2.1", n.into(), n));
        }
        assert_eq!(guard.trusted.len(), MAX_TRUSTED);
        assert!(!guard.trusted.contains(&0) && guard.trusted.contains(&1) && guard.trusted.contains(&most));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let group = |text: &str| AddressGroup::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:1:2:3"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    }

    #[test]
    fn attempts_are_used_up_by_the_last_one_and_not_before() {
        let mut key_attempts = AttemptCounter::new(2, WINDOW);
        assert!(!key_attempts.is_used_up(&1), "nothing is known of it");
        key_attempts.begin(&1, Timestamp(0));
        assert!(!key_attempts.is_used_up(&1));
        key_attempts.begin(&1, Timestamp(0));
        assert!(key_attempts.is_used_up(&1) && !key_attempts.is_used_up(&2));
        key_attempts.take_back(&1);
        assert!(!key_attempts.is_used_up(&1));
    }

    #[test]
    fn subjects_are_bounded_and_the_busiest_stay() {
        let mut key_attempts = AttemptCounter::new(3, WINDOW);
        let busy = u32::MAX;
        for _ in 0..3 {
            assert!(key_attempts.begin(&busy, Timestamp(0)));
        }
        for other in 0..9_000 {
            assert!(key_attempts.begin(&other, Timestamp(1)));
        }
        assert!(key_attempts.windows.len() <= MAX_SUBJECTS);
        assert!(!key_attempts.begin(&busy, Timestamp(1)));
    }
}
