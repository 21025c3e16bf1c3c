//! Halo, 2 bits a weight: .h1b versions 1 and 2.
//!
//! ```text
//! byte b of a row    bits 0-1   2-3     4-5     6-7
//! column             4b         4b+1    4b+2    4b+3
//! code               0 = -1     1 = 0   2 = +1  3 unused, read as 0
//! ```
//! A row takes `ceil(cols / 4)` bytes; spare codes of its last byte are written as zero trits. The f32 scale of each row lies in a
//! separate array behind the packed rows.

use super::{check_trits, code_trit, has_code_three};

/// Bytes of a packed row.
pub fn row_bytes(cols: usize) -> usize {
    cols.div_ceil(4)
}

/// Trit of one column, by the formula of the layout.
pub fn trit(packed: &[u8], col: usize) -> i8 {
    code_trit((packed[col / 4] >> (2 * (col % 4))) & 3)
}

/// Appends a packed row.
///
/// # Panics
/// A value is not -1, 0 or +1.
pub fn pack(trits: &[i8], out: &mut Vec<u8>) {
    check_trits(trits);
    for group in trits.chunks(4) {
        let mut byte = 0b01_01_01_01u8;
        for (i, &t) in group.iter().enumerate() {
            byte = (byte & !(3 << (2 * i))) | (((t + 1) as u8) << (2 * i));
        }
        out.push(byte);
    }
}

/// The four trits of every byte.
static TRITS: [[i8; 4]; 256] = {
    let mut table = [[0; 4]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut i = 0;
        while i < 4 {
            table[byte][i] = code_trit((byte >> (2 * i)) as u8 & 3);
            i += 1;
        }
        byte += 1;
    }
    table
};

/// Unpacks a row; `out.len()` is its number of columns.
pub fn unpack(packed: &[u8], out: &mut [i8]) {
    let (groups, rest) = out.as_chunks_mut::<4>();
    for (group, &byte) in groups.iter_mut().zip(packed) {
        *group = TRITS[usize::from(byte)];
    }
    if let Some(&byte) = packed.get(groups.len()) {
        rest.copy_from_slice(&TRITS[usize::from(byte)][..rest.len()]);
    }
}

/// Reference dot product with int8 activations: `sum_k trit[k] * x[k]`, exact.
pub fn dot(packed: &[u8], x: &[i8]) -> i64 {
    x.iter().enumerate().map(|(col, &v)| i64::from(trit(packed, col)) * i64::from(v)).sum()
}

/// Column of the first unused code, if any.
pub fn first_unused_code(packed: &[u8], cols: usize) -> Option<usize> {
    has_code_three(packed).then(|| (0..cols).find(|&col| (packed[col / 4] >> (2 * (col % 4))) & 3 == 3))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{random_activations, random_trits};

    #[test]
    fn eight_columns_pack_to_a4_61() {
        let trits = [-1, 0, 1, 1, 0, -1, 1, 0];
        let mut packed = Vec::new();
        pack(&trits, &mut packed);
        assert_eq!(packed, [0xA4, 0x61]);
        let mut back = [9; 8];
        unpack(&packed, &mut back);
        assert_eq!(back, trits);
    }

    #[test]
    fn unused_code_reads_as_zero_and_is_found() {
        let packed = [0b11_10_01_00];
        let mut out = [9; 4];
        unpack(&packed, &mut out);
        assert_eq!(out, [-1, 0, 1, 0]);
        assert_eq!(first_unused_code(&packed, 4), Some(3));
        assert_eq!(first_unused_code(&packed, 3), None);
    }

    #[test]
    fn random_rows_of_every_tail_survive_a_round_trip() {
        for cols in 1..70 {
            let trits = random_trits(cols as u64, cols);
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, &mut packed);
            assert_eq!(packed.len(), row_bytes(cols));
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            let expected: i64 = trits.iter().zip(&x).map(|(&t, &v)| i64::from(t) * i64::from(v)).sum();
            assert_eq!(dot(&packed, &x), expected, "cols {cols}");
        }
    }
}
