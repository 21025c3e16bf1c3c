//! Random data for the tests of the formats.

/// splitmix64, so that every failure can be repeated from its seed.
pub(crate) struct SplitMix(pub u64);

impl SplitMix {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly from -1..1.
    pub(crate) fn real(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

pub(crate) fn random_trits(seed: u64, n: usize) -> Vec<i8> {
    let mut rng = SplitMix(seed);
    (0..n).map(|_| (rng.draw() % 3) as i8 - 1).collect()
}

pub(crate) fn random_activations(seed: u64, n: usize) -> Vec<i8> {
    let mut rng = SplitMix(seed ^ 0xACE);
    (0..n).map(|_| (rng.draw() % 255) as i8 as i16 as i8).map(|v| v.max(-127)).collect()
}
