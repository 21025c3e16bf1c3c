//! GGUF blocks of 32 weights: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1.
//!
//! ```text
//! Q8_0  34 bytes   d f16 | q i8[32]                                weight = d * q
//! Q4_0  18 bytes   d f16 | nibbles[16]                             weight = d * (q - 8)
//! Q4_1  20 bytes   d f16 | m f16 | nibbles[16]                     weight = d * q + m
//! Q5_0  22 bytes   d f16 | fifth bits u32 | nibbles[16]            weight = d * (q - 16)
//! Q5_1  24 bytes   d f16 | m f16 | fifth bits u32 | nibbles[16]    weight = d * q + m
//! ```
//! Weight j (0..16) is in the low nibble of byte j, weight 16 + j in its high nibble; fifth bit j of the u32 belongs to weight j.
//! Packing rounds as the reference quantiser of these formats does, byte for byte.

use half::f16;

use super::f16_at;

/// Weights of a block.
pub const BLOCK_COLS: usize = 32;

/// One of the five layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
}

impl Layout {
    fn has_minimum(self) -> bool {
        matches!(self, Layout::Q4_1 | Layout::Q5_1)
    }

    fn has_fifth_bit(self) -> bool {
        matches!(self, Layout::Q5_0 | Layout::Q5_1)
    }

    fn levels(self) -> f32 {
        if self.has_fifth_bit() { 32.0 } else { 16.0 }
    }

    /// Offset of the fifth bits, and of the nibbles when there are none.
    fn codes_at(self) -> usize {
        if self.has_minimum() { 4 } else { 2 }
    }

    fn block_bytes(self) -> usize {
        self.codes_at() + if self.has_fifth_bit() { 20 } else { 16 }
    }
}

/// Unpacks Q8_0.
pub fn unpack_q8_0(packed: &[u8], out: &mut [f32]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(34)) {
        let d = f16_at(block, 0);
        for (v, &q) in cols.iter_mut().zip(&block[2..]) {
            *v = d * f32::from(q as i8);
        }
    }
}

/// Unpacks Q4_0.
pub fn unpack_q4_0(packed: &[u8], out: &mut [f32]) {
    unpack(Layout::Q4_0, packed, out);
}

/// Unpacks Q4_1.
pub fn unpack_q4_1(packed: &[u8], out: &mut [f32]) {
    unpack(Layout::Q4_1, packed, out);
}

/// Unpacks Q5_0.
pub fn unpack_q5_0(packed: &[u8], out: &mut [f32]) {
    unpack(Layout::Q5_0, packed, out);
}

/// Unpacks Q5_1.
pub fn unpack_q5_1(packed: &[u8], out: &mut [f32]) {
    unpack(Layout::Q5_1, packed, out);
}

fn unpack(layout: Layout, packed: &[u8], out: &mut [f32]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(layout.block_bytes())) {
        let d = f16_at(block, 0);
        let (offset, minimum) =
            if layout.has_minimum() { (0.0, f16_at(block, 2)) } else { (layout.levels() / 2.0, 0.0) };
        let codes = &block[layout.codes_at()..];
        let (fifth, nibbles) = if layout.has_fifth_bit() {
            (u32::from_le_bytes([codes[0], codes[1], codes[2], codes[3]]), &codes[4..])
        } else {
            (0, codes)
        };
        for (j, v) in cols.iter_mut().enumerate() {
            let nibble = if j < 16 { nibbles[j] & 15 } else { nibbles[j - 16] >> 4 };
            let q = u32::from(nibble) | ((fifth >> j) & 1) << 4;
            *v = d * (q as f32 - offset) + minimum;
        }
    }
}

/// Appends Q8_0 blocks: `d = absmax / 127`, codes rounded half away from zero.
///
/// # Panics
/// The number of values is not a multiple of 32.
pub fn pack_q8_0(values: &[f32], out: &mut Vec<u8>) {
    for block in blocks(values) {
        let d = block.iter().fold(0.0f32, |max, v| max.max(v.abs())) / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        out.extend_from_slice(&f16::from_f32(d).to_le_bytes());
        out.extend(block.iter().map(|v| (v * inverse).round() as i8 as u8));
    }
}

/// Appends Q4_0 blocks.
///
/// # Panics
/// The number of values is not a multiple of 32.
pub fn pack_q4_0(values: &[f32], out: &mut Vec<u8>) {
    pack(Layout::Q4_0, values, out);
}

/// Appends Q4_1 blocks.
///
/// # Panics
/// The number of values is not a multiple of 32.
pub fn pack_q4_1(values: &[f32], out: &mut Vec<u8>) {
    pack(Layout::Q4_1, values, out);
}

/// Appends Q5_0 blocks.
///
/// # Panics
/// The number of values is not a multiple of 32.
pub fn pack_q5_0(values: &[f32], out: &mut Vec<u8>) {
    pack(Layout::Q5_0, values, out);
}

/// Appends Q5_1 blocks.
///
/// # Panics
/// The number of values is not a multiple of 32.
pub fn pack_q5_1(values: &[f32], out: &mut Vec<u8>) {
    pack(Layout::Q5_1, values, out);
}

fn blocks(values: &[f32]) -> &[[f32; BLOCK_COLS]] {
    let (blocks, rest) = values.as_chunks();
    assert!(rest.is_empty(), "rows are multiples of 32 columns");
    blocks
}

fn pack(layout: Layout, values: &[f32], out: &mut Vec<u8>) {
    for block in blocks(values) {
        let (d, base, shift) = if layout.has_minimum() {
            let min = block.iter().copied().fold(f32::INFINITY, f32::min);
            let max = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            ((max - min) / (layout.levels() - 1.0), min, 0.5)
        } else {
            // The value of largest magnitude, with its sign, takes the most negative code.
            let peak = block.iter().fold(0.0f32, |peak, &v| if v.abs() > peak.abs() { v } else { peak });
            (peak / -(layout.levels() / 2.0), 0.0, layout.levels() / 2.0 + 0.5)
        };
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        let code = |v: f32| (((v - base) * inverse + shift) as u8).min(layout.levels() as u8 - 1);
        out.extend_from_slice(&f16::from_f32(d).to_le_bytes());
        if layout.has_minimum() {
            out.extend_from_slice(&f16::from_f32(base).to_le_bytes());
        }
        if layout.has_fifth_bit() {
            let fifth = (0..32).fold(0u32, |bits, j| bits | u32::from(code(block[j]) >> 4) << j);
            out.extend_from_slice(&fifth.to_le_bytes());
        }
        out.extend((0..16).map(|j| code(block[j]) & 15 | (code(block[j + 16]) & 15) << 4));
    }
}
