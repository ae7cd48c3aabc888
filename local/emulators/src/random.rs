//! Random identifiers in the shapes AWS gives them. Must not be used for secrets.

/// 32 lowercase hexadecimal digits.
pub(crate) fn hex32() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let bits = (rand::random::<u128>() & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Throws that are the same for the same seed, in every release (SplitMix64).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Whether something happens that happens to this share (0 to 1) of throws.
    pub(crate) fn hits(&mut self, share: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper 53 bits are as many as a double holds.
        ((mixed >> 11) as f64) < share * (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_share_is_kept_and_the_seed_repeats() {
        let throws = |seed, share| {
            let mut rng = Rng::new(seed);
            (0..10_000).map(|_| rng.hits(share)).collect::<Vec<_>>()
        };
        let hits = throws(1, 0.3).into_iter().filter(|hit| *hit).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert_eq!(throws(5, 0.5), throws(5, 0.5));
        assert_ne!(throws(5, 0.5), throws(6, 0.5));
        assert!(throws(3, 1.0).into_iter().all(|hit| hit) && !throws(3, 0.0).into_iter().any(|hit| hit));
    }
}
