//! Names of things, parsed once. Whoever holds one of these holds a well-formed one.
//!
//! All ids are lowercase Crockford base32 (no `i l o u`), so they can be read aloud, and are safe in URLs, object keys
//! and DynamoDB keys as they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Crockford's alphabet: no letters that look like digits or like each other.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a stream id: 60 bits, unguessable enough for unlisted streams.
pub const STREAM_ID_LEN: usize = 12;
/// Characters of the time-ordered part of a broadcast id: 45 bits of milliseconds (until the year 3084), 20 random bits.
pub const BROADCAST_TAIL_LEN: usize = 13;
/// Characters of a session id (80 random bits).
pub const SESSION_ID_LEN: usize = 16;
/// Characters of a key id (40 random bits; unique within its stream).
pub const KEY_ID_LEN: usize = 8;
/// Characters of a lease's nonce (40 random bits).
pub const NONCE_LEN: usize = 8;
/// Longest region name we take; the longest of AWS has 14.
pub const MAX_REGION_LEN: usize = 24;

/// Why a text is not an id.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("not a {what}: expected {expected}")]
pub struct BadId {
    what: &'static str,
    expected: &'static str,
}

/// Takes random bits from `random` and writes them as `length` base32 characters.
pub(crate) fn encode_bits(mut bits: u128, length: usize) -> String {
    let mut text = vec![b'0'; length];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    text.into_iter().map(char::from).collect()
}

pub(crate) fn is_base32(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// A text newtype with its check, `FromStr`, `Display` and serde through the check.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(BadId { what: $what, expected: $expected }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The permanent thing a user creates.
    StreamId, "stream id", "12 characters of 0-9 a-z without i l o u", |text| is_base32(text, STREAM_ID_LEN)
}
text_id! {
    /// One live event of a stream. Begins with the stream's id and sorts by time.
    BroadcastId, "broadcast id", "a stream id, a hyphen, and 13 characters of 0-9 a-z without i l o u", |text| {
        text.split_once('-').is_some_and(|(stream, tail)| {
            is_base32(stream, STREAM_ID_LEN) && is_base32(tail, BROADCAST_TAIL_LEN)
        })
    }
}
text_id! {
    /// One accepted publisher connection; the gateway makes it.
    SessionId, "session id", "16 characters of 0-9 a-z without i l o u", |text| is_base32(text, SESSION_ID_LEN)
}
text_id! {
    /// Names a stream key without being one.
    KeyId, "key id", "8 characters of 0-9 a-z without i l o u", |text| is_base32(text, KEY_ID_LEN)
}
text_id! {
    /// Makes two leases with one number and region different.
    Nonce, "lease nonce", "8 characters of 0-9 a-z without i l o u", |text| is_base32(text, NONCE_LEN)
}
text_id! {
    /// An AWS region.
    Region, "region", "a region name such as us-east-1", |text| {
        (3..=MAX_REGION_LEN).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
}

impl StreamId {
    /// A new id from random bits (60 are used).
    pub fn from_random(bits: u128) -> Self {
        Self(encode_bits(bits, STREAM_ID_LEN))
    }
}

impl SessionId {
    /// A new id from random bits (80 are used).
    pub fn from_random(bits: u128) -> Self {
        Self(encode_bits(bits, SESSION_ID_LEN))
    }
}

impl KeyId {
    /// A new id from random bits (40 are used).
    pub fn from_random(bits: u128) -> Self {
        Self(encode_bits(bits, KEY_ID_LEN))
    }
}

impl Nonce {
    /// A new nonce from random bits (40 are used).
    pub fn from_random(bits: u128) -> Self {
        Self(encode_bits(bits, NONCE_LEN))
    }
}

impl BroadcastId {
    /// A new broadcast of `stream`, sorted by its start (`unix_ms`); 20 bits of `random` keep two regions apart.
    pub fn new(stream: &StreamId, unix_ms: u64, random: u128) -> Self {
        let tail = (u128::from(unix_ms) << 20) | (random & 0xf_ffff);
        Self(format!("{stream}-{}", encode_bits(tail, BROADCAST_TAIL_LEN)))
    }

    /// The stream that this is a broadcast of.
    pub fn stream(&self) -> StreamId {
        StreamId(self.0[..STREAM_ID_LEN].to_owned())
    }

    /// When it was opened, by the clock of who opened it.
    pub fn unix_ms(&self) -> u64 {
        let digits =
            self.tail().bytes().map(|byte| ALPHABET.iter().position(|one| *one == byte).unwrap_or(0));
        let bits = digits.fold(0u128, |bits, digit| bits << 5 | digit as u128);
        u64::try_from(bits >> 20).unwrap_or(u64::MAX)
    }

    /// What is behind the stream's id and the hyphen: its place among the stream's broadcasts.
    pub fn tail(&self) -> &str {
        &self.0[STREAM_ID_LEN + 1..]
    }
}

/// Counts the leases of one broadcast, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseNumber(pub u32);

/// Position of a segment in its broadcast: the media sequence number that players see. From 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentNumber(pub u64);

impl SegmentNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The right of one transcoder task to extend one broadcast's timeline.
///
/// Totally ordered by number, then region, then nonce (the derived order of the fields). Its text form
/// `<number>.<region>.<nonce>` stands in object paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lease {
    /// Counts up with each lease of the broadcast.
    pub number: LeaseNumber,
    /// Where the task runs and writes.
    pub region: Region,
    /// Keeps leases with one number and region apart.
    pub nonce: Nonce,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.number.0, self.region, self.nonce)
    }
}

impl FromStr for Lease {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        const BAD: BadId = BadId { what: "lease", expected: "<number>.<region>.<nonce>" };
        let mut parts = text.splitn(3, '.');
        let (number, region, nonce) = (parts.next(), parts.next(), parts.next());
        let number = number.and_then(|text| text.parse().ok()).ok_or(BAD)?;
        let region = region.and_then(|text| text.parse().ok()).ok_or(BAD)?;
        let nonce = nonce.and_then(|text| text.parse().ok()).ok_or(BAD)?;
        Ok(Self { number: LeaseNumber(number), region, nonce })
    }
}

impl TryFrom<String> for Lease {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<Lease> for String {
    fn from(lease: Lease) -> String {
        lease.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_read_back_what_they_print(bits: u128, ms in 0..(1u64 << 45), number: u32) {
            let stream = StreamId::from_random(bits);
            prop_assert_eq!(stream.to_string().parse::<StreamId>(), Ok(stream.clone()));
            let broadcast = BroadcastId::new(&stream, ms, bits);
            prop_assert_eq!(broadcast.as_str().parse::<BroadcastId>(), Ok(broadcast.clone()));
            prop_assert_eq!(broadcast.stream(), stream);
            prop_assert_eq!(broadcast.unix_ms(), ms);
            let lease = Lease {
                number: LeaseNumber(number),
                region: "eu-west-1".parse().unwrap(),
                nonce: Nonce::from_random(bits),
            };
            prop_assert_eq!(lease.to_string().parse::<Lease>(), Ok(lease));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,60}") {
            let _ = text.parse::<StreamId>();
            let _ = text.parse::<BroadcastId>();
            let _ = text.parse::<Lease>();
            let _ = text.parse::<Region>();
        }

        #[test]
        fn broadcasts_sort_by_their_start(a in 0..(1u64 << 44), b in 0..(1u64 << 44), x: u128, y: u128) {
            let stream = StreamId::from_random(7);
            let (first, second) = (BroadcastId::new(&stream, a, x), BroadcastId::new(&stream, b, y));
            if a < b { prop_assert!(first < second) }
        }
    }

    #[test]
    fn path_tricks_are_no_ids() {
        for text in ["", "../../../etc", "abc%2f", "ABCDEFGHJKMN", "iiiiiiiiiiii", "0123456789ab/"] {
            assert!(text.parse::<StreamId>().is_err(), "{text}");
        }
        assert!("1.us-east-1".parse::<Lease>().is_err());
        assert!("1.us/east.01234567".parse::<Lease>().is_err());
    }
}
