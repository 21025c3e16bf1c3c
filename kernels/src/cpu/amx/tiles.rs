//! The tile registers: four of sums, two of activations, two of weights, all sixteen rows of 64 bytes.

#![expect(unsafe_code, reason = "instructions that the standard library has no stable name for")]

use std::arch::asm;

/// What the loops need of the registers. `C` is the number of a tile of sums: token tile times two plus group; `A` and `B` are 0 or 1.
pub(super) trait Tiles {
    /// Clears sums.
    unsafe fn zero<const C: usize>(&mut self);
    /// Sixteen rows of 64 int8 activations, `stride` bytes apart.
    unsafe fn load_a<const A: usize>(&mut self, from: *const i8, stride: usize);
    /// Sixteen lines of a panel: 64 columns of sixteen output rows.
    unsafe fn load_b<const B: usize>(&mut self, from: *const u8);
    /// Adds tile `A` times tile `B` to sums `2 A + B`: signed activations, unsigned codes.
    unsafe fn dot<const A: usize, const B: usize>(&mut self);
    /// `[16 tokens, 16 output rows]`.
    unsafe fn store<const C: usize>(&mut self, to: *mut i32);
    /// What [`Tiles::store`] has written.
    unsafe fn load<const C: usize>(&mut self, from: *const i32);
    /// Asks for the cache line at `at`, which need not be readable, into the second-level cache.
    fn ask_to_read(&mut self, at: *const u8);
    /// Asks for the cache line at `at`, which need not be writable, to write it.
    fn ask_to_write(&mut self, at: *const u8);
}

/// The shape of the eight tiles, loaded as long as this lives.
pub(super) struct Configured;

/// Palette 1: bytes of a row at 16, 18, ..., rows at 48, 49, ...
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configured {
    /// # Safety
    /// AMX is present and granted.
    pub(super) unsafe fn new() -> Self {
        let mut shape =
            Shape { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        shape.row_bytes[..8].fill(64);
        shape.rows[..8].fill(16);
        // SAFETY: the instruction reads 64 bytes of a valid shape; the caller promises AMX.
        unsafe { asm!("ldtilecfg [{0}]", in(reg) &raw const shape, options(nostack, preserves_flags)) };
        Self
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: only made where AMX is present and granted.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}

/// Registers tmm0..3 for sums, 4 and 5 for activations, 6 and 7 for weights.
pub(super) struct Hardware;

impl Tiles for Hardware {
    #[inline(always)]
    unsafe fn zero<const C: usize>(&mut self) {
        // SAFETY: the caller promises configured tiles.
        unsafe { asm!("tilezero tmm{c}", c = const C, options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    unsafe fn load_a<const A: usize>(&mut self, from: *const i8, stride: usize) {
        // SAFETY: the caller promises configured tiles and sixteen readable rows.
        unsafe {
            asm!("tileloadd tmm{a}, [{from} + {stride}*1]", a = const 4 + A, from = in(reg) from,
                stride = in(reg) stride, options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    unsafe fn load_b<const B: usize>(&mut self, from: *const u8) {
        // SAFETY: the caller promises configured tiles and sixteen readable lines.
        unsafe {
            asm!("tileloadd tmm{b}, [{from} + {stride}*1]", b = const 6 + B, from = in(reg) from,
                stride = in(reg) 64usize, options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    unsafe fn dot<const A: usize, const B: usize>(&mut self) {
        // SAFETY: the caller promises configured tiles.
        unsafe {
            asm!("tdpbsud tmm{c}, tmm{a}, tmm{b}", c = const 2 * A + B, a = const 4 + A, b = const 6 + B,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn store<const C: usize>(&mut self, to: *mut i32) {
        // SAFETY: the caller promises configured tiles and room for 256 sums.
        unsafe {
            asm!("tilestored [{to} + {stride}*1], tmm{c}", c = const C, to = in(reg) to, stride = in(reg) 64usize,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn load<const C: usize>(&mut self, from: *const i32) {
        // SAFETY: the caller promises configured tiles and 256 readable sums.
        unsafe {
            asm!("tileloadd tmm{c}, [{from} + {stride}*1]", c = const C, from = in(reg) from, stride = in(reg) 64usize,
                options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    fn ask_to_read(&mut self, at: *const u8) {
        // SAFETY: a prefetch does not fault.
        unsafe { asm!("prefetcht1 [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly)) };
    }

    #[inline(always)]
    fn ask_to_write(&mut self, at: *const u8) {
        // SAFETY: a prefetch does not fault; every processor with tiles has this one.
        unsafe { asm!("prefetchw [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly)) };
    }
}
