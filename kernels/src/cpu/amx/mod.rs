//! Products of many tokens on Intel's matrix tiles (AMX int8). Eight registers of sixteen rows of 64 bytes: one instruction adds
//! sixteen tokens times sixteen output rows times 64 columns to a tile of sums. A panel of codes is already in the order of
//! such a tile: sixteen lines are its sixteen rows.
//!
//! Loops are written over [`Tiles`], so that tests run them on a model of the registers where the hardware is missing. Integer
//! sums are exact and float sums keep the order of the other kernels, so the bits are the same.

#![expect(unsafe_code, reason = "calls of the tile operations")]

mod permission;
mod product;
mod tiles;

pub(super) use permission::{granted, present};

use super::avx512::Avx512;
use super::panel::{Exact, Scaled};
use tiles::{Configured, Hardware};

/// Tokens of a tile, below which the other kernels are used.
pub(super) const TILE_TOKENS: usize = 16;

/// As `panel::exact`, for at least [`TILE_TOKENS`] tokens.
///
/// # Safety
/// AMX int8 and AVX-512 VNNI are present and granted, and the slices were checked.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn exact(d: &Exact<'_>) {
    // SAFETY: the caller's promises.
    unsafe {
        let _configured = Configured::new();
        product::exact::<Hardware, Avx512>(&mut Hardware, d);
    }
}

/// As `panel::scaled`, for at least [`TILE_TOKENS`] tokens.
///
/// # Safety
/// As [`exact`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn scaled(d: &Scaled<'_>) {
    // SAFETY: the caller's promises.
    unsafe {
        let _configured = Configured::new();
        product::scaled::<Hardware, Avx512>(&mut Hardware, d);
    }
}

#[cfg(test)]
mod tests;
