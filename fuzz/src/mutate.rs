//! Changes to inputs, of the kinds that parsers go wrong on: bits, lengths, repetitions, words of the format.

use fastrand::Rng;

/// Changes made to one input at most.
const MAX_CHANGES: usize = 8;
/// Values at the edges of what lengths and counts may be.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// A changed copy of one of `seeds`, with pieces of the others and of `words`, at most `max_len` bytes.
pub(crate) fn mutated(seeds: &[Vec<u8>], words: &[&[u8]], max_len: usize, random: &mut Rng) -> Vec<u8> {
    let mut input = pick(random, seeds).clone();
    for _ in 0..=random.usize(..MAX_CHANGES) {
        change(&mut input, seeds, words, random);
        input.truncate(max_len);
    }
    input
}

fn pick<'a, T>(random: &mut Rng, of: &'a [T]) -> &'a T {
    &of[random.usize(..of.len())]
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], random: &mut Rng) {
    let at = random.usize(..=input.len());
    match random.usize(..9) {
        0 if at < input.len() => input[at] = random.u8(..),
        1 if at < input.len() => input[at] ^= 1 << random.usize(..8),
        2 if at < input.len() => {
            let end = at + random.usize(..=(input.len() - at).min(64));
            input.drain(at..end);
        }
        3 => input.truncate(at),
        4 if at < input.len() => {
            let piece = input[at..at + random.usize(..=(input.len() - at).min(256))].to_vec();
            let times = 1 + random.usize(..8);
            let to = random.usize(..=input.len());
            input.splice(to..to, piece.repeat(times));
        }
        5 => {
            let width = *pick(random, &[1, 2, 3, 4, 8]);
            let edge = pick(random, &EDGES).to_be_bytes();
            let end = input.len().min(at + width);
            input.splice(at..end, edge[8 - width..].iter().copied());
        }
        6 if !words.is_empty() => {
            let word = *pick(random, words);
            let end = if random.usize(..2) == 0 { at } else { input.len().min(at + word.len()) };
            input.splice(at..end, word.iter().copied());
        }
        7 => {
            let other = pick(random, seeds);
            let from = random.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.insert(at, random.u8(..)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_all_are_short_enough() {
        let seeds = [b"FLV".to_vec(), Vec::new(), vec![7; 100]];
        let inputs = || {
            let mut random = Rng::with_seed(3);
            (0..5_000).map(|_| mutated(&seeds, &[b"word"], 150, &mut random)).collect::<Vec<_>>()
        };
        let made = inputs();
        assert_eq!(made, inputs());
        assert!(made.iter().all(|input| input.len() <= 150));
        let different: std::collections::HashSet<_> = made.iter().collect();
        assert!(different.len() > 3_000, "{}", different.len());
    }
}
