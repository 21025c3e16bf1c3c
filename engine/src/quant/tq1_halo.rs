//! TQ1 halo, base 3, 1.6 bits a weight: .h1b version 4. Plain digits: not the multiplied form of [`super::tq1_0`].
//!
//! ```text
//! byte b of a row = d0 + 3 d1 + 9 d2 + 27 d3 + 81 d4        d = trit + 1, d0 = column 5b .. d4 = column 5b+4
//! ```
//! A row is padded with zero trits to a multiple of 20 columns (4 bytes); a byte of padding is 121. Bytes 243..=255 are invalid
//! and read as five zero trits. The f32 scale of each row lies in a separate array behind the packed rows.

use super::check_trits;

const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
/// Smallest invalid byte.
const BYTE_END: u8 = 243;

/// Bytes of a packed row.
pub fn row_bytes(cols: usize) -> usize {
    4 * cols.div_ceil(20)
}

/// Trit of one column, by the formula of the layout.
pub fn trit(packed: &[u8], col: usize) -> i8 {
    let byte = packed[col / 5];
    if byte >= BYTE_END {
        return 0;
    }
    (byte / POWERS[col % 5] % 3) as i8 - 1
}

/// Appends a packed row, padding included.
///
/// # Panics
/// A value is not -1, 0 or +1.
pub fn pack(trits: &[i8], out: &mut Vec<u8>) {
    check_trits(trits);
    let end = out.len() + row_bytes(trits.len());
    for group in trits.chunks(5) {
        let digit = |i: usize| (group.get(i).copied().unwrap_or(0) + 1) as u8;
        out.push((0..5).map(|i| digit(i) * POWERS[i]).sum());
    }
    out.resize(end, 121);
}

/// The five trits of every byte.
static TRITS: [[i8; 5]; 256] = {
    let mut table = [[0; 5]; 256];
    let mut byte = 0;
    while byte < BYTE_END as usize {
        let mut i = 0;
        while i < 5 {
            table[byte][i] = (byte / POWERS[i] as usize % 3) as i8 - 1;
            i += 1;
        }
        byte += 1;
    }
    table
};

/// Unpacks a row; `out.len()` is its number of columns, padding left out.
pub fn unpack(packed: &[u8], out: &mut [i8]) {
    let (groups, rest) = out.as_chunks_mut::<5>();
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

/// Column of the first byte that is not five digits, if any.
pub fn first_invalid_byte(packed: &[u8]) -> Option<usize> {
    // The greatest of a chunk comes from vector instructions.
    let any = packed.chunks(4096).any(|chunk| chunk.iter().fold(0, |max, &byte| max.max(byte)) >= BYTE_END);
    any.then(|| packed.iter().position(|&byte| byte >= BYTE_END).map(|i| 5 * i))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{random_activations, random_trits};

    fn first_byte(trits: &[i8]) -> u8 {
        let mut packed = Vec::new();
        pack(trits, &mut packed);
        packed[0]
    }

    #[test]
    fn known_groups_have_known_bytes() {
        assert_eq!(first_byte(&[1, -1, 0, 1, -1]), 65);
        assert_eq!(first_byte(&[0; 5]), 121);
        assert_eq!(first_byte(&[1; 5]), 242);
        assert_eq!(first_byte(&[-1; 5]), 0);
    }

    #[test]
    fn all_243_bytes_survive_a_round_trip_and_the_rest_read_as_zeros() {
        for byte in 0..=255u8 {
            let mut trits = [9; 5];
            unpack(&[byte], &mut trits);
            if byte < 243 {
                assert_eq!(first_byte(&trits), byte);
                assert_eq!(first_invalid_byte(&[byte]), None);
            } else {
                assert_eq!(trits, [0; 5]);
                assert_eq!(first_invalid_byte(&[121, byte]), Some(5));
            }
            for (col, &t) in trits.iter().enumerate() {
                assert_eq!(trit(&[byte], col), t);
            }
        }
    }

    #[test]
    fn rows_are_padded_to_twenty_columns() {
        assert_eq!((row_bytes(2560), row_bytes(6912), row_bytes(1), row_bytes(20)), (512, 1384, 4, 4));
        for cols in 1..70 {
            let trits = random_trits(cols as u64, cols);
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, &mut packed);
            assert_eq!(packed.len(), row_bytes(cols));
            assert!((cols..packed.len() * 5).all(|col| trit(&packed, col) == 0), "cols {cols}");
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            let expected: i64 = trits.iter().zip(&x).map(|(&t, &v)| i64::from(t) * i64::from(v)).sum();
            assert_eq!(dot(&packed, &x), expected, "cols {cols}");
        }
    }
}
