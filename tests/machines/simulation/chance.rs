//! Chance that a seed determines: splitmix64.

/// Draws numbers, the same ones for the same seed.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x6b65_7977_6172_6421)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`; 0 if that is empty.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("an index")
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn per_mille(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.index(among.len())]
    }

    /// Which of these weights is hit.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut hit = self.below(weights.iter().sum());
        for (at, weight) in weights.iter().enumerate() {
            if hit < *weight {
                return at;
            }
            hit -= weight;
        }
        0
    }

    /// A time to wait that is `mean` on average, mostly less and sometimes much more.
    pub fn about(&mut self, mean: u64) -> u64 {
        match self.below(10) {
            0 => self.between(mean, mean * 4),
            1..=5 => self.between(0, mean),
            _ => self.between(mean / 2, mean + mean / 2),
        }
    }

    pub fn uuid(&mut self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}
