//! Everything that is left to chance, from one seed. Must not know what is decided with it.

use std::cell::Cell;

/// A stream of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number of `from..to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.bits() % (to - from).max(1)
    }

    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.bits() % 100 < percent
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.bits() % of.len() as u64).unwrap()]
    }
}

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// The random numbers of the world that runs in this thread: for what is drawn while it runs.
pub fn seed(seed: u64) {
    STATE.set(Rng::new(seed).bits());
}

fn with<T>(act: impl FnOnce(&mut Rng) -> T) -> T {
    let mut rng = Rng(STATE.get());
    let drawn = act(&mut rng);
    STATE.set(rng.0);
    drawn
}

pub fn between(from: u64, to: u64) -> u64 {
    with(|rng| rng.between(from, to))
}

pub fn chance(percent: u64) -> bool {
    percent > 0 && with(|rng| rng.chance(percent))
}

/// For the functions' own random numbers.
pub fn random() -> u128 {
    with(|rng| (u128::from(rng.bits()) << 64) | u128::from(rng.bits()))
}
