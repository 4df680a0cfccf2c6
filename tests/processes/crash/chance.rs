//! Chance that a seed fixes.

/// A sequence of numbers (SplitMix64).
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The sequence of this seed for this purpose.
    pub fn of(seed: u64, purpose: u64) -> Self {
        let mut chance = Self { state: seed };
        chance.state = chance.number() ^ purpose;
        chance
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to 1, without 1.
    pub fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.number() >> 32).unwrap_or_default()) / 4_294_967_296.0
    }
}
