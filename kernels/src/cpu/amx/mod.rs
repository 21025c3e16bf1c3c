//! Products of many tokens on Intel's matrix tiles (AMX int8). Eight registers of sixteen rows of 64 bytes: one instruction adds
//! sixteen tokens times sixteen output rows times 64 columns to a tile of sums. A panel of codes is already in the order of
//! such a tile: sixteen lines are its sixteen rows.
//!
//! Loops are written over [`Tiles`], so that tests run them on a model of the registers where the hardware is missing. Integer
//! sums are exact and float sums keep the order of the other kernels, so the bits are the same.

#![expect(unsafe_code, reason = "calls of the tile operations")]

mod exact;
mod permission;
mod scaled;
mod tiles;

pub(super) use permission::{granted, present};

use super::Isa;
use super::avx512::Avx512;
use super::panel::Scaled;
use super::tiled::{Product, TILE_TOKENS};
use tiles::{Configured, Hardware};

/// See `tiled::exact`.
pub(super) fn exact(isa: Isa, d: &mut Product<'_>) {
    assert!(isa.has_tiles(), "matrix tiles");
    d.check();
    // SAFETY: such an instruction set is only made where tiles are granted, and the arguments were just checked.
    unsafe { exact_loops(isa, d) }
}

/// # Safety
/// AMX int8 and AVX-512 VNNI are present and granted, and the slices were checked.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn exact_loops(isa: Isa, d: &mut Product<'_>) {
    // SAFETY: the caller's promises.
    unsafe {
        let _configured = Configured::new();
        exact::exact::<Hardware, Avx512>(&mut Hardware, isa, d);
    }
}

/// Tokens from which [`scaled`] is used.
pub(super) const LEAST_TOKENS: usize = TILE_TOKENS;

/// As `panel::scaled`, for at least [`LEAST_TOKENS`] tokens.
///
/// # Safety
/// AMX int8 and AVX-512 VNNI are present and granted, and the slices were checked.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn scaled(d: &Scaled<'_>) {
    // SAFETY: the caller's promises.
    unsafe {
        let _configured = Configured::new();
        scaled::scaled::<Hardware, Avx512>(&mut Hardware, d);
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
