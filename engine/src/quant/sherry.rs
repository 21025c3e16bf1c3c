//! Sherry, 3:4 sparse, 1.25 bits a weight: .h1b version 3. Every aligned group of 4 columns has exactly one zero.
//!
//! ```text
//! code of a group (5 bits) = zero_lane << 3 | signs         signs bit i: i-th non-zero lane in ascending order, 1 = +1, 0 = -1
//! group g of a row         = bits 5g .. 5g+4 of the row     LSB first across bytes: 8 groups = 32 columns = 5 bytes
//! ```
//! Columns come in multiples of 32. The f32 scale of each row lies in a separate array behind the packed rows.

/// Columns of the smallest whole number of bytes.
pub const BLOCK_COLS: usize = 32;
/// Bytes of [`BLOCK_COLS`] columns.
pub const BLOCK_BYTES: usize = 5;

/// A row that is not 3:4 sparse cannot be packed without changing it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "columns {col}..{}: Sherry needs exactly one zero in each group of 4 columns, found {found:?}; \
     use a format without sparsity, such as TQ1_0",
    col + 4
)]
pub struct NotThreeOfFour {
    /// First column of the group.
    pub col: usize,
    /// The group.
    pub found: Vec<i8>,
}

/// 5-bit code of one group of four trits, if exactly one is zero and the others are -1 or +1.
pub fn group_code(group: [i8; 4]) -> Option<u8> {
    let mut code = 0;
    let mut nonzero = 0;
    for (lane, &t) in group.iter().enumerate() {
        match t {
            0 => code |= (lane as u8) << 3,
            1 => {
                code |= 1 << nonzero;
                nonzero += 1;
            }
            -1 => nonzero += 1,
            _ => return None,
        }
    }
    (nonzero == 3).then_some(code)
}

/// The four trits of a 5-bit code.
pub fn group_trits(code: u8) -> [i8; 4] {
    let zero = usize::from(code >> 3) & 3;
    let mut group = [0; 4];
    let mut nonzero = 0;
    for (lane, t) in group.iter_mut().enumerate() {
        if lane != zero {
            *t = if (code >> nonzero) & 1 == 1 { 1 } else { -1 };
            nonzero += 1;
        }
    }
    group
}

/// Trit of one column, by the formula of the layout.
pub fn trit(packed: &[u8], col: usize) -> i8 {
    let code = (0..5).fold(0u8, |code, i| {
        let bit = 5 * (col / 4) + i;
        code | ((packed[bit / 8] >> (bit % 8)) & 1) << i
    });
    group_trits(code)[col % 4]
}

/// Appends a packed row.
///
/// # Errors
/// [`NotThreeOfFour`] names the first group that does not have exactly one zero; nothing is appended then.
///
/// # Panics
/// The number of columns is not a multiple of 32.
pub fn pack(trits: &[i8], out: &mut Vec<u8>) -> Result<(), NotThreeOfFour> {
    assert_eq!(trits.len() % BLOCK_COLS, 0, "Sherry rows are multiples of 32 columns");
    let start = out.len();
    for (block, cols) in trits.chunks_exact(BLOCK_COLS).enumerate() {
        let mut bits = 0u64;
        for (g, group) in cols.chunks_exact(4).enumerate() {
            let Some(code) = group_code([group[0], group[1], group[2], group[3]]) else {
                out.truncate(start);
                return Err(NotThreeOfFour { col: block * BLOCK_COLS + 4 * g, found: group.to_vec() });
            };
            bits |= u64::from(code) << (5 * g);
        }
        out.extend_from_slice(&bits.to_le_bytes()[..BLOCK_BYTES]);
    }
    Ok(())
}

/// Unpacks a row; `out.len()` is its number of columns.
pub fn unpack(packed: &[u8], out: &mut [i8]) {
    for (cols, block) in out.chunks_mut(BLOCK_COLS).zip(packed.chunks_exact(BLOCK_BYTES)) {
        let mut bytes = [0; 8];
        bytes[..BLOCK_BYTES].copy_from_slice(block);
        let mut bits = u64::from_le_bytes(bytes);
        for group in cols.chunks_mut(4) {
            let trits = group_trits((bits & 31) as u8);
            group.copy_from_slice(&trits[..group.len()]);
            bits >>= 5;
        }
    }
}

/// Reference dot product with int8 activations: `sum_k trit[k] * x[k]`, exact.
pub fn dot(packed: &[u8], x: &[i8]) -> i64 {
    x.iter().enumerate().map(|(col, &v)| i64::from(trit(packed, col)) * i64::from(v)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::{SplitMix, random_activations};

    #[test]
    fn group_with_zero_in_lane_one_is_thirteen() {
        assert_eq!(group_code([1, 0, -1, 1]), Some(13));
        assert_eq!(group_trits(13), [1, 0, -1, 1]);
    }

    #[test]
    fn eight_known_codes_fill_five_known_bytes() {
        let codes = [13, 7, 24, 19, 0, 31, 10, 21];
        let trits: Vec<i8> = codes.into_iter().flat_map(group_trits).collect();
        let mut packed = Vec::new();
        pack(&trits, &mut packed).expect("3:4 sparse");
        assert_eq!(packed, [0xED, 0xE0, 0x09, 0xBE, 0xAA]);
        let mut back = [9; 32];
        unpack(&packed, &mut back);
        assert_eq!(back[..], trits);
    }

    #[test]
    fn all_32_codes_survive_a_round_trip() {
        for code in 0..32 {
            assert_eq!(group_code(group_trits(code)), Some(code));
        }
    }

    #[test]
    fn rows_that_are_not_three_of_four_are_refused_by_column() {
        let mut trits: Vec<i8> = (0..64).map(|col| i8::from(col % 4 != 2)).collect();
        pack(&trits, &mut Vec::new()).expect("3:4 sparse");
        for (col, value) in [(38, 1), (36, 0)] {
            let kept = std::mem::replace(&mut trits[col], value);
            let mut out = vec![7];
            let err = pack(&trits, &mut out).expect_err("not 3:4");
            assert_eq!((err.col, out.as_slice()), (36, [7].as_slice()));
            assert!(err.to_string().contains("36..40"), "{err}");
            trits[col] = kept;
        }
    }

    #[test]
    fn random_rows_survive_a_round_trip() {
        let mut rng = SplitMix(5);
        for cols in [32, 64, 128, 160, 2560] {
            let trits: Vec<i8> = (0..cols / 4).flat_map(|_| group_trits((rng.draw() & 31) as u8)).collect();
            let x = random_activations(cols as u64, cols);
            let mut packed = Vec::new();
            pack(&trits, &mut packed).expect("3:4 sparse");
            assert_eq!(packed.len(), cols * 5 / 32);
            let mut back = vec![9; cols];
            unpack(&packed, &mut back);
            assert_eq!(back, trits, "cols {cols}");
            let expected: i64 = trits.iter().zip(&x).map(|(&t, &v)| i64::from(t) * i64::from(v)).sum();
            assert_eq!(dot(&packed, &x), expected, "cols {cols}");
        }
    }
}
