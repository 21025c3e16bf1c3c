//! What tests of the loops share: a model of the registers, which runs them on every machine, and repeatable numbers.

#![expect(unsafe_code, reason = "the model follows the pointers that the registers are given")]

use super::tiles::Tiles;

/// The registers as arrays: rows of 64 bytes, and the arithmetic of the processor's manual.
pub(super) struct Model {
    sums: [[i32; 256]; 4],
    a: [[u8; 1024]; 2],
    b: [[u8; 1024]; 2],
}

impl Model {
    pub(super) fn new() -> Self {
        // Values that a forgotten load or clearing would show.
        Self { sums: [[12345; 256]; 4], a: [[77; 1024]; 2], b: [[99; 1024]; 2] }
    }
}

impl Tiles for Model {
    unsafe fn zero<const C: usize>(&mut self) {
        self.sums[C].fill(0);
    }
    unsafe fn load_a<const A: usize>(&mut self, from: *const i8, stride: usize) {
        for (row, to) in self.a[A].chunks_exact_mut(64).enumerate() {
            // SAFETY: the caller promises sixteen readable rows.
            to.copy_from_slice(unsafe { std::slice::from_raw_parts(from.add(row * stride).cast(), 64) });
        }
    }
    unsafe fn load_b<const B: usize>(&mut self, from: *const u8) {
        // SAFETY: the caller promises sixteen readable lines.
        self.b[B].copy_from_slice(unsafe { std::slice::from_raw_parts(from, 1024) });
    }
    unsafe fn dot<const A: usize, const B: usize>(&mut self) {
        // C.row[m].dword[n] += A.row[m].byte[4 k + i] (signed) * B.row[k].byte[4 n + i] (unsigned)
        for m in 0..16 {
            for k in 0..16 {
                for n in 0..16 {
                    for i in 0..4 {
                        let a = i32::from(self.a[A][64 * m + 4 * k + i].cast_signed());
                        self.sums[2 * A + B][16 * m + n] += a * i32::from(self.b[B][64 * k + 4 * n + i]);
                    }
                }
            }
        }
    }
    unsafe fn store<const C: usize>(&mut self, to: *mut i32) {
        // SAFETY: the caller promises room for 256 sums.
        unsafe { std::slice::from_raw_parts_mut(to, 256) }.copy_from_slice(&self.sums[C]);
    }
    unsafe fn load<const C: usize>(&mut self, from: *const i32) {
        // SAFETY: the caller promises 256 sums.
        self.sums[C].copy_from_slice(unsafe { std::slice::from_raw_parts(from, 256) });
    }
    fn ask_to_read(&mut self, _: *const u8) {}
    fn ask_to_write(&mut self, _: *const u8) {}
}

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}
