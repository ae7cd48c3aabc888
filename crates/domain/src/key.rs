//! Stream keys: the secret that lets an encoder publish to one stream.
//!
//! A key's text is `<stream id>-<key id>-<secret>`, so that it names the one partition to look in. Only a keyed hash of
//! it is stored; the text is shown once, when it is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::hooks::Secret;
use crate::ids::{KeyId, StreamId, encode_bits, is_base32};
use crate::time::Timestamp;
use crate::tokens::keyed_hash;

/// Characters of a key's secret part: 128 random bits.
const SECRET_LEN: usize = 26;

/// A well-formed stream key. `Debug` hides it; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey {
    stream: StreamId,
    id: KeyId,
    secret: String,
}

/// The text is no stream key. It says nothing of the text: it may be a secret with a typing error.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("not a stream key: expected <stream id>-<key id>-<secret>")]
pub struct BadKey;

impl StreamKey {
    /// A new key of `stream` from 128 random bits.
    pub fn from_random(stream: StreamId, id: KeyId, secret: u128) -> Self {
        Self { stream, id, secret: encode_bits(secret, SECRET_LEN) }
    }

    /// The stream that it opens, if its secret is right.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Which of the stream's keys it is.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key as the user pastes it into an encoder.
    pub fn reveal(&self) -> Secret {
        Secret::new(format!("{}-{}-{}", self.stream, self.id, self.secret))
    }

    /// What is stored of it.
    pub fn hash(&self, pepper: &Pepper) -> KeyHash {
        KeyHash(keyed_hash(pepper.0.expose().as_bytes(), self.reveal().expose().as_bytes()))
    }
}

impl FromStr for StreamKey {
    type Err = BadKey;
    fn from_str(text: &str) -> Result<Self, BadKey> {
        let text = without_what_was_pasted_with_it(text)?;
        let mut parts = text.splitn(3, '-');
        let stream = parts.next().and_then(|part| part.parse().ok()).ok_or(BadKey)?;
        let id = parts.next().and_then(|part| part.parse().ok()).ok_or(BadKey)?;
        let secret = parts.next().filter(|part| is_base32(part, SECRET_LEN)).ok_or(BadKey)?;
        Ok(Self { stream, id, secret: secret.to_owned() })
    }
}

/// Longest text that is looked at; a key has 48 characters.
const MAX_TEXT: usize = 512;

/// People copy keys out of mails, chats and tables: with quotes and invisible characters around them, broken by a soft hyphen
/// or a zero-width space, with the dashes and capitals of a phone's keyboard. Nothing of that can be part of a key.
fn without_what_was_pasted_with_it(text: &str) -> Result<String, BadKey> {
    if text.len() > MAX_TEXT {
        return Err(BadKey);
    }
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' => key.push(c),
            'A'..='Z' => key.push(c.to_ascii_lowercase()),
            // Hyphens and dashes.
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => key.push('-'),
            // Quotes.
            '"' | '\'' | '`' | '<' | '>' | '\u{ab}' | '\u{bb}' | '\u{b4}' | '\u{2018}'..='\u{201f}' => {}
            '\u{2039}' | '\u{203a}' | '\u{300c}'..='\u{300f}' => {}
            // What cannot be seen: soft hyphen, zero-width characters, directions of text, byte order mark, variation selectors.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' => {}
            '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' => {}
            '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => {}
            c if c.is_whitespace() => {}
            _ => return Err(BadKey),
        }
    }
    Ok(key)
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKey({}-{}-****)", self.stream, self.id)
    }
}

/// The deployment's secret that keys are hashed with.
#[derive(Debug, Clone)]
pub struct Pepper(Secret);

impl Pepper {
    /// Wraps the secret.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Bits that only this deployment can derive from `seed`: for ids and keys that a repeated request must get again.
    pub fn derive(&self, purpose: &str, seed: &str) -> u128 {
        let hash = keyed_hash(self.0.expose().as_bytes(), format!("{purpose}|{seed}").as_bytes());
        u128::from_str_radix(&hash[..32], 16).expect("32 hex digits are 128 bits")
    }
}

/// A keyed hash of a stream key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(****)")
    }
}

/// What is stored of a key. Written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Which key.
    pub id: KeyId,
    /// Its stream.
    pub stream: StreamId,
    /// Proves the key.
    pub hash: KeyHash,
    /// The user's word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to open the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A stream's keys (or one of them) and which of them were revoked, from both regions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing {
    /// All keys, revoked ones too.
    pub keys: Vec<KeyRecord>,
    /// Revoked keys and when.
    pub revoked: Vec<(KeyId, Timestamp)>,
}

/// What a key is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStatus<'a> {
    /// It opens the stream.
    Valid(&'a KeyRecord),
    /// There is no such key.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl KeyRing {
    /// What it has of one key.
    #[must_use]
    pub fn only(mut self, key: &KeyId) -> Self {
        self.keys.retain(|record| record.id == *key);
        self.revoked.retain(|(revoked, _)| revoked == key);
        self
    }

    /// Judges `key` at `now`. Whether the secret is right is compared in constant time, and before all else: revoked
    /// and expired are told only to who holds the key.
    pub fn judge(&self, key: &StreamKey, pepper: &Pepper, now: Timestamp) -> KeyStatus<'_> {
        let hash = key.hash(pepper);
        let Some(record) = self.keys.iter().find(|record| {
            record.id == *key.id() && bool::from(record.hash.0.as_bytes().ct_eq(hash.0.as_bytes()))
        }) else {
            return KeyStatus::Unknown;
        };
        if self.is_revoked(&record.id) {
            KeyStatus::Revoked
        } else if record.expires_at.is_some_and(|at| at <= now) {
            KeyStatus::Expired
        } else {
            KeyStatus::Valid(record)
        }
    }

    /// Whether the key was revoked.
    pub fn is_revoked(&self, id: &KeyId) -> bool {
        self.revoked.iter().any(|(revoked, _)| revoked == id)
    }

    /// Whether any key opens the stream at `now`.
    pub fn opens(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|record| self.is_valid(record, now))
    }

    /// How many keys open the stream at `now`.
    pub fn valid(&self, now: Timestamp) -> usize {
        self.keys.iter().filter(|record| self.is_valid(record, now)).count()
    }

    fn is_valid(&self, record: &KeyRecord, now: Timestamp) -> bool {
        !self.is_revoked(&record.id) && record.expires_at.is_none_or(|at| now < at)
    }

    /// The keys that were not revoked, oldest first; expired ones, too.
    pub fn active(&self) -> Vec<&KeyRecord> {
        let mut keys: Vec<_> = self.keys.iter().filter(|record| !self.is_revoked(&record.id)).collect();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_depends_on_pepper_purpose_and_seed() {
        let pepper = |text: &str| Pepper::new(Secret::new(text));
        let one = pepper("a").derive("stream", "seed");
        assert_eq!(one, pepper("a").derive("stream", "seed"), "the same again");
        for other in [
            pepper("b").derive("stream", "seed"),
            pepper("a").derive("key", "seed"),
            pepper("a").derive("stream", "seeds"),
        ] {
            assert_ne!(one, other);
        }
    }

    fn key(secret: u128) -> StreamKey {
        StreamKey::from_random(StreamId::from_random(1), KeyId::from_random(2), secret)
    }

    fn record(key: &StreamKey, pepper: &Pepper, expires_at: Option<Timestamp>) -> KeyRecord {
        KeyRecord {
            id: key.id().clone(),
            stream: key.stream().clone(),
            hash: key.hash(pepper),
            label: None,
            created_at: Timestamp(0),
            expires_at,
        }
    }

    #[test]
    fn a_key_opens_until_it_expires_or_is_revoked() {
        let pepper = Pepper::new(Secret::new("pepper"));
        let mine = key(3);
        let mut ring = KeyRing { keys: vec![record(&mine, &pepper, Some(Timestamp(100)))], revoked: vec![] };
        assert!(matches!(ring.judge(&mine, &pepper, Timestamp(99)), KeyStatus::Valid(_)));
        let opens = |ring: &KeyRing, at| (ring.opens(Timestamp(at)), ring.valid(Timestamp(at)));
        assert_eq!((opens(&ring, 99), opens(&ring, 100)), ((true, 1), (false, 0)));
        assert_eq!(ring.judge(&mine, &pepper, Timestamp(100)), KeyStatus::Expired);
        assert_eq!(ring.judge(&key(4), &pepper, Timestamp(0)), KeyStatus::Unknown);
        assert_eq!(ring.judge(&mine, &Pepper::new(Secret::new("other")), Timestamp(0)), KeyStatus::Unknown);
        ring.revoked.push((mine.id().clone(), Timestamp(5)));
        assert_eq!(ring.judge(&mine, &pepper, Timestamp(0)), KeyStatus::Revoked);
        assert_eq!(ring.judge(&key(4), &pepper, Timestamp(0)), KeyStatus::Unknown);
        assert!(ring.active().is_empty() && !ring.opens(Timestamp(0)));
    }

    #[test]
    fn a_key_reads_back_and_does_not_show() {
        let mine = key(u128::MAX);
        let text = mine.reveal();
        assert_eq!(text.expose().parse::<StreamKey>(), Ok(mine.clone()));
        assert!(!format!("{mine:?} {:?}", mine.hash(&Pepper::new(Secret::new("p")))).contains(&mine.secret));
        let plain = text.expose();
        for pasted in [
            format!("\u{200b}{plain}\u{feff}"),
            format!("\u{a0}\"{plain}\"\u{2060}"),
            format!("\u{201e}{plain}\u{201c}\r\n"),
            format!("<{plain}>"),
            format!("{}\u{ad}{}", &plain[..20], &plain[20..]),
            plain.replace('-', "\u{2011}"),
            plain.to_ascii_uppercase(),
        ] {
            assert_eq!(pasted.parse::<StreamKey>(), Ok(mine.clone()), "{pasted:?}");
        }
        for other in [format!("{plain}!"), format!("{plain}/x"), format!("{plain}é"), " ".repeat(600) + plain]
        {
            assert_eq!(other.parse::<StreamKey>(), Err(BadKey), "{other:?}");
        }
        for bad in ["", "-", "a-b-c", "x", &text.expose()[..40], &format!("{}x", text.expose())] {
            assert_eq!(bad.parse::<StreamKey>(), Err(BadKey), "{bad}");
        }
    }
}
