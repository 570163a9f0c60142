//! Chance by a seed: SplitMix64, so that a test is repeated by its number.

use std::sync::{Arc, Mutex};

use oyez_web::Random;

/// A source of numbers. When the test that holds it fails, it says its seed.
#[derive(Debug)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// The same seed, the same numbers.
    pub const fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Any number.
    pub const fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero up to and without `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.roll() % bound).unwrap()
    }

    /// What ids are drawn from.
    pub fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.roll()) << 64 | u128::from(self.roll())).to_be_bytes()
    }

    /// Another source, as good as independent.
    pub const fn split(&mut self) -> Self {
        Self::new(self.roll())
    }

    /// The chance that a bank takes as a parameter.
    pub fn random(self) -> Random {
        let dice = Arc::new(Mutex::new(self));
        Random::new(move || dice.lock().unwrap().bytes())
    }
}

impl Drop for Dice {
    #[expect(
        clippy::print_stderr,
        reason = "where a test that failed is read about"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the dice of this test had the seed {}", self.seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
        let three = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll(), dice.roll()]
        };
        assert_eq!(three(7), three(7));
        assert_ne!(three(7), three(8));
    }
}
