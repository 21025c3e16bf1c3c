//! Ternary matrices: how their codes lie ([`Packing`]), products of a few rows of activations, which are bound by reading the
//! weights, products of [`many`] rows, which are bound by reading tables, and [`expand`], with which panels begin.
//!
//! Instructions in the inner loops of AVX-512 for one token, for each 64 bytes of weights (`objdump -d`; two bits as two streams, the
//! others as eight, so that table loads count an eighth), and GB/s of one Zen 4 core that reads 32 to 34 (kernels alone, two bits as one
//! stream, the others as eight, matrices of 2560 by 2560):
//!
//! | packing | instructions for 64 bytes | weights there | a weight | in cache | from memory |
//! |---|---|---|---|---|---|
//! | two bits | 1 load, 4 and, 4 dot products, 2 broadcasts, 1.5 of the loop: 12.5 | 256 | 0.049 | 49 | 32 |
//! | sparse | 1.4 loads, 1 prefetch, 3.2 permutations, 3.2 additions, 3 shifts, 0.5 of the loop: 12.3 | 409.6 | 0.030 | 41 | 29 |
//! | triples | the same | 303.4 | 0.041 | 42 | 30 |
//!
//! 64 bytes take 7 cycles to arrive from memory, and the loops 4 to 6 of work. What stands between two calls costs more than both:
//! a chain of loads there waits behind misses of weights at every step, so a call takes long runs of rows.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

mod expand;
mod lookup;
pub mod many;
mod packing;
mod tables;
mod two_bits;

#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(super) use expand::expand_two_bits;
pub use expand::{EXPAND_COLS, Panel, expand};
pub use packing::Packing;
pub use tables::{Scaling, Tables, tables};

use super::simd::Simd;
use super::{GROUP_ROWS, Isa, Outputs, Units, dispatch};
use packing::SEGMENT_COLS;

/// Columns in a 64-byte block of two-bit codes.
pub const BLOCK_COLS: usize = 16;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;
/// Columns that share an activation scale in [`scaled`].
pub const X_SCALE_COLS: usize = 64;
/// Columns that share a weight scale in [`scaled`].
pub const SCALE_COLS: usize = 256;
/// Columns of the widest matrix. With one sum for a plane of two-bit codes, which counts up to 64 times, a quarter of the columns may add 128 * 127 each: 2^19
/// columns stay below 2^31.
pub const MAX_COLS: usize = 1 << 19;

/// Ternary weights as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// All bundles of rows, in the order of `packing`.
    pub codes: &'a [u8],
    /// The order.
    pub packing: Packing,
    /// Columns over sixteen, rounded up.
    pub k_blocks: usize,
}

impl Matrix<'_> {
    /// Checks that the matrix has `bundles` bundles.
    pub(super) fn check(&self, bundles: usize) {
        assert!(self.k_blocks * BLOCK_COLS <= MAX_COLS, "at most {MAX_COLS} columns");
        let bytes = self.packing.bundle_bytes(self.k_blocks).checked_mul(bundles);
        assert!(bytes.is_some_and(|bytes| bytes <= self.codes.len()), "{bundles} bundles lie in the matrix");
    }
}

/// Some bundles of rows of a matrix against a few rows of activations.
#[derive(Debug)]
pub struct Few<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// Groups of sixteen rows in the matrix.
    pub groups: usize,
    /// Bundles of [`Packing::rows`] rows to compute; the eight, four or two of a unit are read as streams.
    pub units: Units,
    /// Scale of each row, padded to whole groups; for [`scaled`] empty for 1.
    pub row_scales: &'a [f32],
    /// For [`scaled`]: f32 `[groups, k_blocks / 16 rounded up, 16 rows]`, or empty for 1.
    pub block_scales: &'a [f32],
    /// Activations `[tokens, stride]`, zero beyond the real columns, each at least -127. Only read for two bits.
    pub x: &'a [i8],
    /// Elements between rows of `x`, at least `k_blocks * 16`.
    pub stride: usize,
    /// Tables of the rows of `x`, `table_stride` bytes apart. Only read for five-bit codes.
    pub tables: &'a [u8],
    /// At least [`Packing::table_bytes`].
    pub table_stride: usize,
    /// Scale of each row of activations, for [`scaled`] of each 64 columns.
    pub x_scales: &'a [f32],
    /// Sums of what a scale belongs to.
    pub x_sums: &'a [i32],
    /// Rows of activations.
    pub tokens: usize,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

impl Few<'_> {
    fn segments(&self) -> usize {
        (self.matrix.k_blocks * BLOCK_COLS).div_ceil(SEGMENT_COLS)
    }

    fn check(&self, scaling: Scaling) {
        self.units.check();
        self.matrix.check(self.units.parts);
        let table_bytes = self.matrix.packing.table_bytes(self.matrix.k_blocks, scaling);
        if self.matrix.packing == Packing::TwoBits {
            let cols = self.matrix.k_blocks * BLOCK_COLS;
            assert!(self.stride >= cols && self.x.len() >= self.tokens * self.stride, "rows of activations");
            assert!(self.units.parts <= self.groups, "groups of the matrix");
        } else {
            assert!(self.table_stride >= table_bytes, "tables of a row");
            assert!(self.tables.len() >= self.tokens * self.table_stride, "tables of the activations");
        }
        let scales = match scaling {
            Scaling::Row => 1,
            Scaling::Blocks => (self.matrix.k_blocks * BLOCK_COLS).div_ceil(X_SCALE_COLS),
        };
        assert!(self.x_scales.len() >= self.tokens * scales, "scales of the activations");
        assert!(self.x_sums.len() >= self.tokens * scales, "sums of the activations");
        let rows = self.groups * GROUP_ROWS;
        let row_scales_may_lack = scaling == Scaling::Blocks && self.row_scales.is_empty();
        assert!(row_scales_may_lack || self.row_scales.len() >= rows, "scales of the rows");
        let blocks = self.segments();
        assert!(
            self.block_scales.is_empty() || self.block_scales.len() >= rows * blocks,
            "scales of the blocks"
        );
        self.out.check(self.tokens);
    }

    /// Activation scale times the weight scales of a block of 256 columns of a group.
    ///
    /// # Safety
    /// The instruction set is present and the job was checked; groups beyond the matrix get any factor.
    #[inline(always)]
    unsafe fn factor<S: Simd>(&self, x_scale: S::F, group: usize, block: usize) -> S::F {
        if self.block_scales.is_empty() || group >= self.groups {
            return x_scale;
        }
        let at = (group * self.segments() + block) * GROUP_ROWS;
        // SAFETY: `check` has seen the scales of all groups.
        unsafe { S::fmul(x_scale, S::fload(self.block_scales.as_ptr().add(at))) }
    }

    /// Multiplies with the row scales, if any, and writes the results of a group.
    ///
    /// # Safety
    /// As [`Few::factor`].
    #[inline(always)]
    unsafe fn store_scaled<S: Simd>(&self, token: usize, group: usize, mut y: S::F) {
        if group >= self.groups {
            return;
        }
        // SAFETY: `check` has seen the scales of all groups and the outputs of the token.
        unsafe {
            if !self.row_scales.is_empty() {
                y = S::fmul(y, S::fload(self.row_scales.as_ptr().add(group * GROUP_ROWS)));
            }
            self.out.store::<S>(token, group, y);
        }
    }
}

/// W1.58A8: `(sum of trit * x) * (x_scale * row_scale)`, the sum exact.
///
/// # Panics
/// When a slice is too short for its description.
pub fn exact(isa: Isa, few: &mut Few<'_>) {
    few.check(Scaling::Row);
    match few.matrix.packing {
        Packing::TwoBits => dispatch!(isa, two_bits_exact, few, &mut Few<'_>),
        _ => words!(isa, lookup_exact, few, &mut Few<'_>),
    }
}

/// Activation scales for each 64 columns and weight scales for each row or each 256 columns: integers within 64 columns, floats
/// across, in an order that depends on the columns only.
///
/// # Panics
/// When a slice is too short for its description.
pub fn scaled(isa: Isa, few: &mut Few<'_>) {
    few.check(Scaling::Blocks);
    match few.matrix.packing {
        Packing::TwoBits => dispatch!(isa, two_bits_scaled, few, &mut Few<'_>),
        _ => words!(isa, lookup_scaled, few, &mut Few<'_>),
    }
}

use lookup::{exact as lookup_exact, scaled as lookup_scaled};
use two_bits::{exact as two_bits_exact, scaled as two_bits_scaled};

/// As [`dispatch`] for kernels over [`super::simd::Words`]: AVX-512 with VBMI2, or plain Rust, which is correct and slow. Lanes
/// ask [`Isa::has_lookups`] before they choose a packing.
macro_rules! words {
    ($isa:expr, $kernel:ident, $arg:expr, $ty:ty) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi2,avx2,fma,f16c")]
        unsafe fn avx512(arg: $ty) {
            // SAFETY: the caller promises the features and checked arguments.
            unsafe { $kernel::<$crate::cpu::avx512::Avx512>(arg) }
        }
        let arg = $arg;
        match $isa.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this kind is only made after detecting its features, and VBMI2 was detected just now; the
            // arguments were checked above.
            $crate::cpu::Kind::Amx | $crate::cpu::Kind::Avx512 if $isa.has_lookups() => unsafe { avx512(arg) },
            // SAFETY: the arguments were checked above; plain Rust needs no features.
            _ => unsafe { $kernel::<$crate::cpu::portable::Portable>(arg) },
        }
    }};
}
use words;
