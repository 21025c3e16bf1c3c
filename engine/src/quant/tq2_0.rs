//! GGUF TQ2_0 (type 35), 2.0625 bits a weight.
//!
//! ```text
//! block of 256 columns = 66 bytes
//! bytes  0..64   qs: column h*128 + n*32 + m (h 0..2, n 0..4, m 0..32) is in bits 2n, 2n+1 of byte h*32 + m
//! bytes 64..66   d, f16                     weight = d * (code - 1); code 3 is unused and read as 0
//! ```

use half::f16;

use super::{check_trits, code_trit, f16_at, has_code_three};

/// Columns of a block.
pub const BLOCK_COLS: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 66;
const SCALE_AT: usize = 64;

fn code(packed: &[u8], col: usize) -> u8 {
    let block = &packed[col / BLOCK_COLS * BLOCK_BYTES..];
    let (h, n, m) = (col % BLOCK_COLS / 128, col % 128 / 32, col % 32);
    (block[h * 32 + m] >> (2 * n)) & 3
}

/// Trit of one column of a row, by the formula of the layout.
pub fn trit(packed: &[u8], col: usize) -> i8 {
    code_trit(code(packed, col))
}

/// Appends one block.
///
/// # Panics
/// A value is not -1, 0 or +1.
pub fn pack_block(trits: &[i8; BLOCK_COLS], d: f16, out: &mut Vec<u8>) {
    check_trits(trits);
    for half in trits.chunks_exact(128) {
        for m in 0..32 {
            out.push((0..4).fold(0, |byte, n| byte | ((half[n * 32 + m] + 1) as u8) << (2 * n)));
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
    assert!(rest.is_empty(), "TQ2_0 rows are multiples of 256 columns");
    for block in blocks {
        pack_block(block, d, out);
    }
}

/// Unpacks a row; `out.len()` is its number of columns.
pub fn unpack(packed: &[u8], out: &mut [i8]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(BLOCK_BYTES)) {
        for (half, bytes) in cols.chunks_exact_mut(128).zip(block.chunks_exact(32)) {
            for (n, part) in half.chunks_exact_mut(32).enumerate() {
                for (t, &byte) in part.iter_mut().zip(bytes) {
                    *t = code_trit((byte >> (2 * n)) & 3);
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

/// Column of the first unused code, if any.
pub fn first_unused_code(packed: &[u8], cols: usize) -> Option<usize> {
    let any = packed.chunks_exact(BLOCK_BYTES).any(|block| has_code_three(&block[..SCALE_AT]));
    any.then(|| (0..cols).find(|&col| code(packed, col) == 3))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{random_activations, random_trits};

    #[test]
    fn codes_two_zero_one_two_make_byte_92() {
        let mut trits = [0; 256];
        for (n, t) in [1, -1, 0, 1].into_iter().enumerate() {
            trits[n * 32] = t;
        }
        let mut packed = Vec::new();
        pack_block(&trits, f16::ONE, &mut packed);
        assert_eq!(packed[0], 0x92);
        assert_eq!(packed[SCALE_AT..], [0x00, 0x3C]);
    }

    #[test]
    fn unused_code_reads_as_zero_and_is_found() {
        let mut packed = Vec::new();
        pack_block(&[1; 256], f16::ONE, &mut packed);
        assert_eq!(first_unused_code(&packed, 256), None);
        packed[33] |= 0b11 << 4;
        assert_eq!(first_unused_code(&packed, 256), Some(128 + 64 + 1));
        let mut out = [9; 256];
        unpack(&packed, &mut out);
        assert_eq!(out[193], 0);
        assert_eq!(trit(&packed, 193), 0);
    }

    #[test]
    fn random_rows_survive_a_round_trip() {
        for cols in [256, 512, 2560] {
            let trits = random_trits(cols as u64, cols);
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, f16::from_f32(-1.5), &mut packed);
            assert_eq!(packed.len(), cols / 256 * BLOCK_BYTES);
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            assert!((0..cols).all(|col| trit(&packed, col) == trits[col]), "cols {cols}");
            let mut d = Vec::new();
            scales(&packed, &mut d);
            assert_eq!(d, vec![-1.5; cols / 256]);
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
