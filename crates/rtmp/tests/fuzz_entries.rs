//! The fuzz targets' entries as ordinary tests: over the corpus, and over captures changed by a seeded generator.
//! Found inputs belong into `fuzz/corpus`.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../fuzz/entries.rs"]
mod entries;
mod support;

use std::fs;
use std::path::Path;

use headwater_rtmp::{Event, ServerSession, SessionConfig};
use support::replay::CAPTURES;

/// SplitMix64: small, seeded, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn over_corpus(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        entry(&fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{target} has a corpus");
}

/// Runs `entry` over pieces of captures with bytes changed, removed and repeated.
fn over_mutations(entry: fn(&[u8]), rounds: u64, from: usize) {
    for seed in 0..rounds {
        let mut random = Random(seed);
        let capture = CAPTURES[random.below(CAPTURES.len())].1;
        let length = 1 + random.below(6_000);
        let start = from + if random.below(2) == 0 { 0 } else { random.below(capture.len() - from - length) };
        let mut bytes = vec![random.next() as u8];
        bytes.extend_from_slice(&capture[start..start + length]);
        for _ in 0..random.below(12) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => drop(bytes.remove(at)),
                _ => {
                    let end = at + random.below(bytes.len() - at);
                    let piece = bytes[at..end].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        entry(&bytes);
    }
}

#[test]
fn handshake() {
    over_corpus("handshake", entries::handshake);
    over_mutations(entries::handshake, 2_000, 0);
}

#[test]
fn chunks() {
    over_corpus("chunks", entries::chunks);
    over_mutations(entries::chunks, 20_000, 3_073);
}

#[test]
fn amf() {
    over_corpus("amf", entries::amf);
    over_mutations(|bytes| entries::amf(&bytes[bytes.len().min(13)..]), 20_000, 3_073);
}

#[test]
fn session() {
    over_corpus("session", entries::session);
    over_mutations(entries::session, 20_000, 3_073);
}

/// Whole captures with a few bytes changed behind the publish command, so that media parsing is reached.
#[test]
fn captures_with_changed_bytes() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut bytes = CAPTURES[seed as usize % CAPTURES.len()].1.to_vec();
        for _ in 0..=random.below(8) {
            let at = 3_600 + random.below(bytes.len() - 3_600);
            bytes[at] = random.next() as u8;
        }
        let mut session = ServerSession::new(SessionConfig::new([1; 1528]));
        for piece in bytes.chunks(4_000) {
            session.receive(piece).ok();
            while let Some(event) = session.poll_event() {
                if let Event::PublishRequested(request) = event {
                    session.accept_publish(request.id);
                }
            }
        }
    }
}
