//! The digests of Flash-like clients: HMAC-SHA256 with constants that every Flash Player and server carries.
//! They authenticate nobody; the sums exist so that such clients go on.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::PACKET_LEN;

const DIGEST_LEN: usize = 32;
const PLAYER_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// Follows either key where a digest is answered.
const KEY_TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E,
    0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

/// Where in C1 or S1 the digest lies: four bytes at a fixed place add up to its offset.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    DigestFirst,
    KeyFirst,
}

impl Scheme {
    fn digest_at(self, packet: &[u8; PACKET_LEN]) -> usize {
        let offset_at = match self {
            Self::DigestFirst => 8,
            Self::KeyFirst => 772,
        };
        let sum: usize = packet[offset_at..offset_at + 4].iter().map(|&byte| usize::from(byte)).sum();
        offset_at + 4 + sum % 728
    }
}

/// The client's digest and its scheme, if C1 carries a true one.
pub(super) fn of_client(c1: &[u8; PACKET_LEN]) -> Option<(Scheme, [u8; DIGEST_LEN])> {
    [Scheme::DigestFirst, Scheme::KeyFirst].into_iter().find_map(|scheme| {
        let at = scheme.digest_at(c1);
        let expected = digest_around(c1, at, PLAYER_KEY);
        (c1[at..at + DIGEST_LEN] == expected).then_some((scheme, expected))
    })
}

/// Puts the server's digest into S1.
pub(super) fn sign_s1(s1: &mut [u8; PACKET_LEN], scheme: Scheme) {
    let at = scheme.digest_at(s1);
    let digest = digest_around(s1, at, SERVER_KEY);
    s1[at..at + DIGEST_LEN].copy_from_slice(&digest);
}

/// Puts at S2's end the digest that answers the client's.
pub(super) fn sign_s2(s2: &mut [u8; PACKET_LEN], client_digest: &[u8; DIGEST_LEN]) {
    let key = hmac(&[SERVER_KEY, &KEY_TAIL].concat(), &[client_digest]);
    let (body, digest) = s2.split_at_mut(PACKET_LEN - DIGEST_LEN);
    digest.copy_from_slice(&hmac(&key, &[body]));
}

fn digest_around(packet: &[u8; PACKET_LEN], at: usize, key: &[u8]) -> [u8; DIGEST_LEN] {
    hmac(key, &[&packet[..at], &packet[at + DIGEST_LEN..]])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
