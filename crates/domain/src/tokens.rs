//! Tokens that prove themselves: an expiry and a keyed hash, checked without asking anybody.
//!
//! A *lease claim* proves that a lease was granted: an HMAC over stream, broadcast and lease, which a task is started with
//! and shows with each heartbeat. It does not expire; whether the lease still holds is for the stream's life to say.
//!
//! A *source token* lets one lease's task read one session from its gateway, and says whether it may commit what it has
//! read: `<expiry>.<w or r>.<lease>.<signature>`. It is an HMAC-SHA256 (RFC 2104) over a text that begins with what it is
//! for. As it names the lease, the gateway knows whom another one has replaced, without asking.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::hooks::Secret;
use crate::ids::{BroadcastId, Lease, SessionId, StreamId};
use crate::time::Timestamp;

/// What a source token allows to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRight {
    /// Whose task reads.
    pub lease: Lease,
    /// Whether the lease holds, so that its task writes what it reads; a standby rehearses.
    pub writes: bool,
}

impl SourceRight {
    fn letter(&self) -> &'static str {
        if self.writes { "w" } else { "r" }
    }
}

/// The deployment's secret that tokens are made with.
#[derive(Clone, Debug)]
pub struct SigningKey(Secret);

impl SigningKey {
    /// Wraps the secret.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// A token that opens `session` at its gateway, as far as `right` goes, until `expires`.
    pub fn source_token(&self, session: &SessionId, right: &SourceRight, expires: Timestamp) -> Secret {
        let expiry = expires.unix_seconds();
        let SourceRight { lease, .. } = right;
        let signature = self.sign(&source_text(session, right, expiry));
        Secret::new(format!("{expiry}.{}.{lease}.{signature}", right.letter()))
    }

    /// What `token` allows with `session` at `now`, if it opens it.
    pub fn opens_source(&self, token: &str, session: &SessionId, now: Timestamp) -> Option<SourceRight> {
        let (expiry, rest) = token.split_once('.')?;
        let (letter, rest) = rest.split_once('.')?;
        let (lease, signature) = rest.rsplit_once('.')?;
        let (expiry, lease) = (expiry.parse::<u64>().ok()?, lease.parse().ok()?);
        let right = SourceRight { lease, writes: letter == "w" };
        let proof = self.sign(&source_text(session, &right, expiry));
        let is_right = bool::from(proof.as_bytes().ct_eq(signature.as_bytes()))
            && letter == right.letter()
            && now.unix_seconds() < expiry;
        is_right.then_some(right)
    }

    /// The claim of a lease.
    pub fn lease_claim(&self, stream: &StreamId, broadcast: &BroadcastId, lease: &Lease) -> Secret {
        Secret::new(self.sign(&claim_text(stream, broadcast, lease)))
    }

    /// Whether `claim` is that of this lease, for this broadcast of this stream.
    pub fn proves_lease(
        &self,
        claim: &Secret,
        stream: &StreamId,
        broadcast: &BroadcastId,
        lease: &Lease,
    ) -> bool {
        let right = self.sign(&claim_text(stream, broadcast, lease));
        bool::from(right.as_bytes().ct_eq(claim.expose().as_bytes()))
    }

    /// A fingerprint of a process's fencing token, fit to be stored.
    pub fn fencing_token_fingerprint(&self, fencing_token: &Secret) -> String {
        self.sign(&format!("fencing_token|{}", fencing_token.expose()))
    }

    fn sign(&self, text: &str) -> String {
        keyed_hash(self.0.expose().as_bytes(), text.as_bytes())
    }
}

fn source_text(session: &SessionId, right: &SourceRight, expiry: u64) -> String {
    format!("source|{session}|{expiry}|{}|{}", right.letter(), right.lease)
}

fn claim_text(stream: &StreamId, broadcast: &BroadcastId, lease: &Lease) -> String {
    format!("lease|{stream}|{broadcast}|{lease}")
}

/// HMAC-SHA256 in lowercase hex.
pub(crate) fn keyed_hash(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    #[test]
    fn a_source_token_opens_its_session_until_it_expires_and_nothing_else() {
        let key = SigningKey::new(Secret::new("k"));
        let (mine, other) = (SessionId::from_random(1), SessionId::from_random(2));
        let writer = SourceRight { lease: samples::lease(7), writes: true };
        let token = key.source_token(&mine, &writer, Timestamp(10_000));
        assert_eq!(key.opens_source(token.expose(), &mine, Timestamp(9_999)), Some(writer));
        assert_eq!(key.opens_source(token.expose(), &mine, Timestamp(10_000)), None);
        assert_eq!(key.opens_source(token.expose(), &other, Timestamp(0)), None);
        let changed = [("10.", "99."), (".7.", ".8."), (".w.", ".r."), (".w.", ".x."), (".w.", "..")];
        for (from, to) in changed {
            let forged = token.expose().replacen(from, to, 1);
            assert_ne!(forged, token.expose());
            assert_eq!(key.opens_source(&forged, &mine, Timestamp(0)), None, "{forged}");
        }
        assert_eq!(SigningKey::new(Secret::new("x")).opens_source(token.expose(), &mine, Timestamp(0)), None);
        for bad in ["", ".", "10", "10.", "x.y", "10.w.7.us-east-1.x", "10.w..", "10.w.7.us-east-1.00000007."]
        {
            assert_eq!(key.opens_source(bad, &mine, Timestamp(0)), None, "{bad}");
        }
    }

    #[test]
    fn a_rehearsal_s_token_never_turns_into_a_writer_s() {
        let key = SigningKey::new(Secret::new("k"));
        let session = SessionId::from_random(1);
        let standby = SourceRight { lease: samples::lease(2), writes: false };
        let token = key.source_token(&session, &standby, Timestamp(10_000));
        assert_eq!(key.opens_source(token.expose(), &session, Timestamp(0)), Some(standby));
        let forged = token.expose().replacen(".r.", ".w.", 1);
        assert_eq!(key.opens_source(&forged, &session, Timestamp(0)), None);
    }

    #[test]
    fn a_claim_proves_its_own_lease_and_nothing_else() {
        let key = SigningKey::new(Secret::new("k"));
        let (stream, broadcast, lease) = (samples::stream_id(), samples::broadcast(), samples::lease(1));
        let claim = key.lease_claim(&stream, &broadcast, &lease);
        assert!(key.proves_lease(&claim, &stream, &broadcast, &lease));
        let other_region = Lease { region: samples::region_b(), ..lease.clone() };
        let other_nonce = Lease { nonce: crate::ids::Nonce::from_random(99), ..lease.clone() };
        for lease in [&samples::lease(2), &other_region, &other_nonce] {
            assert!(!key.proves_lease(&claim, &stream, &broadcast, lease), "{lease}");
        }
        let later = BroadcastId::new(&stream, broadcast.unix_ms() + 1, 1);
        assert!(!key.proves_lease(&claim, &stream, &later, &lease));
        assert!(
            !key.proves_lease(&claim, &StreamId::from_random(9), &broadcast, &lease),
            "of its own stream alone"
        );
        for bad in ["", "x", &claim.expose()[1..], &claim.expose().to_uppercase()] {
            assert!(!key.proves_lease(&Secret::new(bad), &stream, &broadcast, &lease), "{bad}");
        }
        let other = SigningKey::new(Secret::new("x"));
        assert!(!other.proves_lease(&claim, &stream, &broadcast, &lease));
        // What is signed for one purpose proves nothing for another.
        assert!(!key.proves_lease(
            &Secret::new(key.fencing_token_fingerprint(&claim)),
            &stream,
            &broadcast,
            &lease
        ));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", SigningKey::new(Secret::new("hunter2")));
        assert!(!shown.contains("hunter2"));
    }
}
