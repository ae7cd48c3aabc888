//! Random identifiers in the shapes AWS gives them, and throws. Must not be used for secrets.

/// 32 lowercase hexadecimal digits.
pub(crate) fn hex32() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Whether something happens that happens to this share (0 to 1) of throws.
pub(crate) fn hits(rng: &mut fastrand::Rng, share: f64) -> bool {
    rng.f64() < share
}

#[cfg(test)]
mod tests {
    use super::hits;

    #[test]
    fn the_share_is_kept_and_the_seed_repeats() {
        let throws = |seed, share| {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..10_000).map(|_| hits(&mut rng, share)).collect::<Vec<_>>()
        };
        let count = throws(1, 0.3).into_iter().filter(|hit| *hit).count();
        assert!((2_800..3_200).contains(&count), "{count}");
        assert_eq!(throws(5, 0.5), throws(5, 0.5));
        assert_ne!(throws(5, 0.5), throws(6, 0.5));
        assert!(throws(3, 1.0).into_iter().all(|hit| hit) && !throws(3, 0.0).into_iter().any(|hit| hit));
    }
}
