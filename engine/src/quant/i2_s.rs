//! GGUF I2_S (type 36 of Microsoft's fork), 2 bits a weight and one scale for the whole tensor.
//!
//! ```text
//! tensor of n weights = n/4 code bytes, then 32 tail bytes: f32 scale, 28 bytes of padding
//! block of 128 weights = 32 bytes: weight j is in bits 6-2*(j/32), 7-2*(j/32) of byte j % 32
//! code 0 = -1, 1 = 0, 2 = +1, 3 unused, read as 0
//! ```
//! The type id does not say which interleave a file has: ARM builds write blocks of 64, some x86 builds groups of 4 rows. Only the
//! 128-weight layout, that of the published files, is supported; the three have the same sizes and the same codes, so a file in
//! another layout is caught by its text (`onebit verify`), not by its bytes.

use super::{check_trits, code_trit, has_code_three};

/// Weights of a block; a row is a whole number of blocks.
pub const BLOCK_COLS: usize = 128;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 32;
/// Bytes behind the codes: the scale and its padding.
pub const TAIL_BYTES: usize = 32;

/// Trit of one weight of the tensor or row, by the formula of the layout.
pub fn trit(codes: &[u8], index: usize) -> i8 {
    let j = index % BLOCK_COLS;
    let byte = codes[index / BLOCK_COLS * BLOCK_BYTES + j % 32];
    code_trit((byte >> (6 - 2 * (j / 32))) & 3)
}

/// Appends the codes of a row, or of a whole tensor.
///
/// # Panics
/// The number of weights is not a multiple of 128, or a value is not -1, 0 or +1.
pub fn pack(trits: &[i8], out: &mut Vec<u8>) {
    check_trits(trits);
    let (blocks, rest) = trits.as_chunks::<BLOCK_COLS>();
    assert!(rest.is_empty(), "I2_S rows are multiples of 128 columns");
    for block in blocks {
        for m in 0..32 {
            out.push((0..4).fold(0, |byte, n| byte | ((block[n * 32 + m] + 1) as u8) << (6 - 2 * n)));
        }
    }
}

/// Appends the tail of a tensor.
pub fn pack_tail(scale: f32, out: &mut Vec<u8>) {
    out.extend_from_slice(&scale.to_le_bytes());
    out.extend_from_slice(&[0; TAIL_BYTES - 4]);
}

/// Unpacks codes; `out.len()` is the number of weights.
pub fn unpack(codes: &[u8], out: &mut [i8]) {
    for (cols, bytes) in out.chunks_exact_mut(BLOCK_COLS).zip(codes.chunks_exact(BLOCK_BYTES)) {
        for (n, part) in cols.chunks_exact_mut(32).enumerate() {
            for (t, &byte) in part.iter_mut().zip(bytes) {
                *t = code_trit((byte >> (6 - 2 * n)) & 3);
            }
        }
    }
}

/// Scale of a tensor, from its bytes (codes and tail).
pub fn scale(tensor: &[u8]) -> f32 {
    let tail = &tensor[tensor.len() - TAIL_BYTES..];
    f32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]])
}

/// Reference dot product with int8 activations: `sum_k trit[k] * x[k]`, exact.
pub fn dot(codes: &[u8], x: &[i8]) -> i64 {
    x.iter().enumerate().map(|(col, &v)| i64::from(trit(codes, col)) * i64::from(v)).sum()
}

/// Weight index of the first unused code, if any.
pub fn first_unused_code(codes: &[u8]) -> Option<usize> {
    if !has_code_three(codes) {
        return None;
    }
    let at = codes.iter().position(|&byte| byte & (byte >> 1) & 0x55 != 0)?;
    let n = (0..4).find(|n| (codes[at] >> (6 - 2 * n)) & 3 == 3)?;
    Some(at / BLOCK_BYTES * BLOCK_COLS + n * 32 + at % BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{random_activations, random_trits};

    #[test]
    fn known_block_starts_with_86() {
        let mut trits = [0; 128];
        (trits[0], trits[32], trits[64], trits[96]) = (1, -1, 0, 1);
        let mut packed = Vec::new();
        pack(&trits, &mut packed);
        assert_eq!(packed[0], 0x86);
    }

    #[test]
    fn scale_is_the_first_float_of_the_tail() {
        let mut tensor = Vec::new();
        pack(&[1; 256], &mut tensor);
        pack_tail(0.625, &mut tensor);
        assert_eq!(tensor.len(), 256 / 4 + TAIL_BYTES);
        assert_eq!(scale(&tensor), 0.625);
    }

    #[test]
    fn unused_code_reads_as_zero_and_is_found() {
        let mut packed = Vec::new();
        pack(&random_trits(3, 256), &mut packed);
        assert_eq!(first_unused_code(&packed), None);
        packed[35] |= 0b11 << 2;
        assert_eq!(first_unused_code(&packed), Some(128 + 64 + 3));
        let mut out = [9; 256];
        unpack(&packed, &mut out);
        assert_eq!(out[195], 0);
    }

    #[test]
    fn random_rows_survive_a_round_trip() {
        for cols in [128, 256, 2560, 6912] {
            let trits = random_trits(cols as u64, cols);
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, &mut packed);
            assert_eq!(packed.len(), cols / 4);
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            assert!((0..cols).all(|col| trit(&packed, col) == trits[col]), "cols {cols}");
            let expected: i64 = trits.iter().zip(&x).map(|(&t, &v)| i64::from(t) * i64::from(v)).sum();
            assert_eq!(dot(&packed, &x), expected, "cols {cols}");
        }
    }
}
