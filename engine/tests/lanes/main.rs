//! Every operation of the CPU lane against `lane::reference`, for every instruction set that this machine has: integers to the bit, floats
//! within the tolerances of [`tolerance`]; and for every operation, the same bits for a row alone on one thread as in a
//! batch on three.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod attention;
mod elements;
mod head;
mod matrices;
mod parts;
mod tensors;

use onebit_engine::lane::cpu::{CpuLane, Isa};
use onebit_engine::lane::reference::ReferenceLane;
use onebit_engine::lane::{BufId, Lane};

/// What the lanes may differ by, in one place. NMSE is `sum (a - b)^2 / sum b^2` with b from the reference lane.
/// Measured: the worst of all shapes, seeds and instruction sets of these tests (`cargo test --test lanes -- --nocapture`).
mod tolerance {
    /// Dense products: f32 sums against f64. Measured 3.0e-12.
    pub const DENSE: f64 = 1e-11;
    /// Q formats: activations in two int8 planes. Measured 2.1e-9.
    pub const PLANES: f64 = 1e-8;
    /// Ternary weights with float activations: int8 rounding of activations that have outliers of ten
    /// deviations. Measured 1.9e-4.
    pub const ROUNDED: f64 = 5e-4;
    /// Ternary rows with differing block scales, W1.58A8: exact integers, f32 sums of blocks. Measured 5.4e-14.
    pub const BLOCK_SCALES: f64 = 1e-12;
    /// Norms. Measured 8.7e-15.
    pub const NORM: f64 = 1e-13;
    /// Rotations: tables in f32. Measured 4.9e-15.
    pub const ROPE: f64 = 1e-13;
    /// Gates, relative error of each element. Measured 8.8e-7.
    pub const GATE: f64 = 1e-6;
    /// Attention over the same rounded cache. Measured 1.3e-13.
    pub const ATTENTION: f64 = 1e-12;
}

/// Repeatable numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between -1 and 1.
    pub fn unit(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Roughly normal, with a large value now and then, as activations have.
    pub fn activations(&mut self, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| {
                let x = (0..6).map(|_| self.unit()).sum::<f32>() * 0.7;
                if self.draw().is_multiple_of(97) { x * 6.0 } else { x }
            })
            .collect()
    }
}

/// All CPU lanes to compare: instruction sets times thread counts.
pub fn cpu_lanes(threads: &[usize]) -> Vec<(String, CpuLane)> {
    let mut lanes = Vec::new();
    for isa in Isa::available() {
        for &threads in threads {
            lanes.push((format!("{} x {threads}", isa.name()), CpuLane::open_with(threads, isa).unwrap()));
        }
    }
    lanes
}

/// The lane that the others are compared with.
pub fn reference() -> ReferenceLane {
    ReferenceLane::new()
}

/// A buffer of a lane with these values.
pub fn buffer(lane: &mut dyn Lane, width: usize, values: &[f32]) -> BufId {
    let id = lane.alloc(values.len().div_ceil(width), width).unwrap();
    lane.write(id, values);
    id
}

/// Normalised mean square error; NaN in both at the same place counts as equal.
pub fn nmse(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let (mut error, mut power) = (0.0, 0.0);
    for (&f, &e) in found.iter().zip(expected) {
        if f.is_nan() && e.is_nan() {
            continue;
        }
        error += (f64::from(f) - f64::from(e)).powi(2);
        power += f64::from(e).powi(2);
    }
    if error == 0.0 { 0.0 } else { error / power }
}

/// Bit patterns, so that equality means equality.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn portable_lane_says_that_this_is_slow() {
    let lane = CpuLane::open_with(1, Isa::portable()).unwrap();
    assert_eq!(lane.info().name, "cpu-portable");
    assert!(lane.info().notice.as_ref().unwrap().contains("AVX2"));
}

#[test]
fn zero_threads_means_the_physical_cores() {
    let lane = CpuLane::open(0).unwrap();
    assert!((1..=std::thread::available_parallelism().unwrap().get()).contains(&lane.info().threads));
}
