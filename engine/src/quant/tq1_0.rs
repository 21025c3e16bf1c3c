//! GGUF TQ1_0 (type 34), base 3, 1.6875 bits a weight. Multiplied digits: not the plain ones of [`super::tq1_halo`].
//!
//! ```text
//! block of 256 columns = 54 bytes
//! bytes  0..32   qs[m],    m 0..32   columns       n*32 + m, n 0..5     five digits
//! bytes 32..48   qs[32+m], m 0..16   columns 160 + n*16 + m, n 0..5     five digits
//! bytes 48..52   qh[m],    m 0..4    columns 240 + n*4  + m, n 0..4     four digits
//! bytes 52..54   d, f16              weight = d * trit
//!
//! v = 81 t0 + 27 t1 + 9 t2 + 3 t3 + t4    t = trit + 1, t0 is n = 0; with four digits t4 = 0
//! stored byte = ceil(256 v / 243)         digit n = (((byte * 3^n) mod 256) * 3) >> 8
//! ```

use half::f16;

use super::{check_trits, f16_at};

/// Columns of a block.
pub const BLOCK_COLS: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 54;
const SCALE_AT: usize = 52;
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// First byte, columns per digit, first column and digits of the three parts of a block.
const PARTS: [(usize, usize, usize, usize); 3] = [(0, 32, 0, 5), (32, 16, 160, 5), (48, 4, 240, 4)];

fn digit(byte: u8, n: usize) -> i8 {
    ((u16::from(byte.wrapping_mul(POWERS[n])) * 3) >> 8) as i8 - 1
}

/// Trit of one column of a row, by the formula of the layout.
pub fn trit(packed: &[u8], col: usize) -> i8 {
    let block = &packed[col / BLOCK_COLS * BLOCK_BYTES..];
    match col % BLOCK_COLS {
        c @ 0..160 => digit(block[c % 32], c / 32),
        c @ 160..240 => digit(block[32 + (c - 160) % 16], (c - 160) / 16),
        c => digit(block[48 + (c - 240) % 4], (c - 240) / 4),
    }
}

/// Appends one block.
///
/// # Panics
/// A value is not -1, 0 or +1.
pub fn pack_block(trits: &[i8; BLOCK_COLS], d: f16, out: &mut Vec<u8>) {
    check_trits(trits);
    for (_, width, first, digits) in PARTS {
        for m in 0..width {
            let v: u32 = (0..digits)
                .map(|n| (trits[first + n * width + m] + 1) as u32 * u32::from(POWERS[4 - n]))
                .sum();
            out.push((256 * v).div_ceil(243) as u8);
        }
    }
    out.extend_from_slice(&d.to_le_bytes());
}

/// Appends a row with one scale for all its blocks.
///
/// # Panics
/// The number of columns is not a multiple of 256, or a value is not -1, 0 or +1.
pub fn pack(trits: &[i8], d: f16, out: &mut Vec<u8>) {
    let (blocks, rest) = trits.as_chunks::<BLOCK_COLS>();
    assert!(rest.is_empty(), "TQ1_0 rows are multiples of 256 columns");
    for block in blocks {
        pack_block(block, d, out);
    }
}

/// Unpacks a row; `out.len()` is its number of columns.
pub fn unpack(packed: &[u8], out: &mut [i8]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(BLOCK_BYTES)) {
        for (at, width, first, digits) in PARTS {
            for n in 0..digits {
                let bytes = &block[at..at + width];
                let out = &mut cols[first + n * width..][..width];
                for (t, &byte) in out.iter_mut().zip(bytes) {
                    *t = digit(byte, n);
                }
            }
        }
    }
}

/// Appends the scale of each block of a row.
pub fn scales(packed: &[u8], out: &mut Vec<f32>) {
    out.extend(packed.chunks_exact(BLOCK_BYTES).map(|block| f16_at(block, SCALE_AT)));
}

/// Reference dot product of one block with int8 activations: `sum_k trit[k] * x[k]`, exact, without the scale.
pub fn dot_block(block: &[u8], x: &[i8]) -> i32 {
    x.iter().enumerate().map(|(col, &v)| i32::from(trit(block, col)) * i32::from(v)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{random_activations, random_trits};

    /// A block whose byte 0 holds the digits `t` (n = 0..5), other columns zero.
    fn byte_of(t: [i8; 5]) -> u8 {
        let mut trits = [0; 256];
        for (n, &digit) in t.iter().enumerate() {
            trits[n * 32] = digit - 1;
        }
        let mut packed = Vec::new();
        pack_block(&trits, f16::ONE, &mut packed);
        packed[0]
    }

    #[test]
    fn known_digits_have_known_bytes() {
        assert_eq!(byte_of([2, 0, 1, 2, 0]), 187);
        assert_eq!(byte_of([1; 5]), 128);
        assert_eq!(byte_of([2; 5]), 255);
        assert_eq!(byte_of([0; 5]), 0);
    }

    #[test]
    fn all_243_values_survive_a_round_trip() {
        for v in 0..243i32 {
            let digits: [i8; 5] = std::array::from_fn(|n| (v / 3i32.pow(4 - n as u32) % 3) as i8);
            let byte = byte_of(digits);
            for (n, &t) in digits.iter().enumerate() {
                assert_eq!(digit(byte, n), t - 1, "value {v}, digit {n}");
            }
        }
    }

    #[test]
    fn random_rows_survive_a_round_trip() {
        for cols in [256, 512, 2560] {
            let trits = random_trits(cols as u64, cols);
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, f16::from_f32(0.75), &mut packed);
            assert_eq!(packed.len(), cols / 256 * BLOCK_BYTES);
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            assert!((0..cols).all(|col| trit(&packed, col) == trits[col]), "cols {cols}");
            let mut d = Vec::new();
            scales(&packed, &mut d);
            assert_eq!(d, vec![0.75; cols / 256]);
            for (b, block) in packed.chunks_exact(BLOCK_BYTES).enumerate() {
                let span = b * 256..(b + 1) * 256;
                let expected: i32 = trits[span.clone()]
                    .iter()
                    .zip(&x[span.clone()])
                    .map(|(&t, &v)| i32::from(t) * i32::from(v))
                    .sum();
                assert_eq!(dot_block(block, &x[span]), expected, "cols {cols}, block {b}");
            }
        }
    }
}
