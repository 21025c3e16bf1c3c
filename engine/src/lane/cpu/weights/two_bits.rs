//! Two bits of a file to two bits of the lane: a transposition of two-bit fields, without trits in between. A word of the lane holds
//! sixteen columns, column `4 p + t` in bits `2 p` of byte `t` (`onebit_kernels::cpu::ternary::packing`). The layouts of the files are
//! drawn in `engine::quant`; all of them use the lane's codes, so codes move as they are.

use crate::model::{TensorType, TensorView};
use crate::quant::{i2_s, tq2_0};

/// Replaces `words` by the codes of a row, sixteen columns a word. `false` for tensors that must be unpacked: other formats, and
/// rows that end inside a word.
pub(super) fn read_row(tensor: &TensorView<'_>, row: usize, words: &mut Vec<u32>) -> bool {
    let row_bytes = tensor.ty.row_bytes(tensor.cols).expect("checked when the file was opened");
    let packed = &tensor.data[row * row_bytes..(row + 1) * row_bytes];
    words.clear();
    match tensor.ty {
        TensorType::Tq2_0 => {
            for block in packed.chunks_exact(tq2_0::BLOCK_BYTES) {
                for half in block[..tq2_0::BLOCK_COLS / 4].as_chunks::<32>().0 {
                    words.extend(interleaved(half, |n| 2 * n));
                }
            }
        }
        TensorType::I2S => {
            for block in packed.as_chunks::<{ i2_s::BLOCK_BYTES }>().0 {
                words.extend(interleaved(block, |n| 6 - 2 * n));
            }
        }
        TensorType::Halo if tensor.cols.is_multiple_of(16) => {
            words.extend(packed.as_chunks::<4>().0.iter().map(|four| transposed(u32::from_le_bytes(*four))));
        }
        _ => return false,
    }
    true
}

/// The words of 128 columns that lie 32 apart: column `32 n + m` at bit `shift(n)` of byte `m`.
fn interleaved(bytes: &[u8; 32], shift: impl Fn(usize) -> usize) -> [u32; 8] {
    let (fours, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|word| {
        let field = |p: usize| u32::from_le_bytes(fours[4 * (word % 2) + p]) >> shift(word / 2) & 0x0303_0303;
        (0..4).fold(0, |all, p| all | field(p) << (2 * p))
    })
}

/// Swaps the places of byte and field: the two-bit fields of four bytes as a matrix, transposed.
fn transposed(x: u32) -> u32 {
    // Fields two apart, then fields one apart; each swap exchanges the bits of a mask with those higher by a distance.
    let swap = |x: u32, mask: u32, distance: u32| {
        let differ = (x >> distance ^ x) & mask;
        x ^ differ ^ differ << distance
    };
    swap(swap(x, 0x0000_f0f0, 12), 0x00cc_00cc, 6)
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;
    use crate::quant::halo;

    #[test]
    fn words_hold_the_columns_of_every_format_where_the_lane_looks_for_them() {
        let mut state = 5u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) % 3
        };
        let (rows, cols) = (3, 512);
        let trits: Vec<i8> = (0..rows * cols).map(|_| draw() as i8 - 1).collect();
        for ty in [TensorType::Tq2_0, TensorType::I2S, TensorType::Halo] {
            let mut data = Vec::new();
            for row in trits.chunks(cols) {
                match ty {
                    TensorType::Tq2_0 => tq2_0::pack(row, f16::ONE, &mut data),
                    TensorType::I2S => i2_s::pack(row, &mut data),
                    _ => halo::pack(row, &mut data),
                }
            }
            let tensor = TensorView { name: "t", ty, rows, cols, data: &data, scales: &[] };
            for row in 0..rows {
                let mut words = vec![7];
                assert!(read_row(&tensor, row, &mut words));
                assert_eq!(words.len(), cols / 16);
                for col in 0..cols {
                    let (p, t) = (col % 16 / 4, col % 4);
                    let code = words[col / 16] >> (8 * t + 2 * p) & 3;
                    assert_eq!(code as i8 - 1, trits[row * cols + col], "{ty:?}, row {row}, column {col}");
                }
            }
        }
    }

    #[test]
    fn rows_that_end_inside_a_word_are_left_to_the_unpacker() {
        let data = [0x55; 5];
        let tensor =
            TensorView { name: "t", ty: TensorType::Halo, rows: 1, cols: 20, data: &data, scales: &[] };
        assert!(!read_row(&tensor, 0, &mut Vec::new()));
    }
}
