//! The read ceiling of this machine: what decode speeds are compared with.

use std::time::{Duration, Instant};

use onebit_kernels::cpu::{Isa, reading};

use super::bytes::Slabs;
use super::threads::Pool;
use crate::lane::LaneError;

/// What a thread reads between two looks at the clock.
const SAMPLE_BYTES: usize = 4 << 20;

/// Read bandwidth with a number of streams a thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadSpeed {
    /// Far-apart streams that each thread reads at the same time.
    pub streams: usize,
    /// Gigabytes (1e9 bytes) a second, all threads together, the ninetieth percentile of the samples.
    pub gb_per_sec: f64,
}

/// Reads a buffer much larger than the caches with 1, 2, 4 and 8 streams a thread. `threads` as for [`super::CpuLane::open`];
/// `bytes` is the size of the buffer (512 MB measures well) and `time` what each number of streams may take.
///
/// # Errors
/// The buffer or the threads could not be had.
pub fn measure(threads: usize, bytes: usize, time: Duration) -> Result<[ReadSpeed; 4], LaneError> {
    let threads = if threads == 0 { super::cores::physical_cores() } else { threads };
    let pool = Pool::new(threads)?;
    let mut buffer = Slabs::default().take(bytes, "read ceiling buffer")?;
    // Untouched pages would all be the same page of zeros.
    buffer.fill(1);
    let isa = Isa::detect();
    // A sample is short, so that some are not disturbed by other programs; a thread reads one part of it.
    let part = SAMPLE_BYTES.min(bytes.div_ceil(pool.threads())).max(1);
    Ok([1, 2, 4, 8].map(|streams| {
        let mut speeds = Vec::new();
        let start = Instant::now();
        while speeds.is_empty() || start.elapsed() < time {
            for sample in buffer.chunks(part * pool.threads()) {
                let pass = Instant::now();
                pool.run(sample.len().div_ceil(part), 1, |_, range| {
                    for bytes in sample.chunks(part).skip(range.start).take(range.len()) {
                        std::hint::black_box(reading::read(isa, bytes, streams));
                    }
                });
                speeds.push(sample.len() as f64 / pass.elapsed().as_secs_f64() / 1e9);
            }
        }
        speeds.sort_by(f64::total_cmp);
        ReadSpeed { streams, gb_per_sec: speeds[speeds.len() * 9 / 10] }
    }))
}

/// The best of [`measure`].
pub fn best(speeds: &[ReadSpeed]) -> f64 {
    speeds.iter().map(|speed| speed.gb_per_sec).fold(0.0, f64::max)
}
