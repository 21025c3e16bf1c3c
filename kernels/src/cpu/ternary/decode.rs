//! Products of a few rows of activations: the weights are read once, as several far-apart streams, and bound by memory.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::GROUP_ROWS;
use super::super::simd::Simd;
use super::{BLOCK_BYTES, BLOCK_COLS, Dots};

/// One row of activations against `G` groups, which are read as `G` streams.
#[inline(always)]
pub(super) unsafe fn decode<S: Simd, const G: usize>(d: &mut Dots<'_>) {
    // SAFETY: as in `run_dots`.
    unsafe {
        let mut sums = [S::trits_zero(); G];
        let mut codes = [d.matrix.codes.as_ptr(); G];
        for g in 0..G {
            codes[g] = d.matrix.codes.as_ptr().add(d.groups[g] * d.matrix.k_blocks * BLOCK_BYTES);
        }
        let x = d.x.as_ptr();
        for block in 0..d.matrix.k_blocks {
            let x = x.add(block * BLOCK_COLS);
            let x = [S::splat4(x), S::splat4(x.add(4)), S::splat4(x.add(8)), S::splat4(x.add(12))];
            for g in 0..G {
                let from = codes[g].add(block * BLOCK_BYTES);
                S::prefetch(from.wrapping_add(512));
                sums[g] = S::trits(sums[g], S::bload(from), x);
            }
        }
        for g in 0..G {
            S::istore(d.out.as_mut_ptr().add(g * GROUP_ROWS), S::trits_sum(sums[g]));
        }
    }
}
