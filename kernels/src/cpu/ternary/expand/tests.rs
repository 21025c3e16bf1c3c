use super::*;
use crate::cpu::ternary::Packing;

/// Repeatable codes 0..=2 (splitmix64).
fn code(seed: usize) -> u8 {
    let mut z = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z >> 33) % 3) as u8
}

#[test]
fn a_panel_of_two_bit_codes_holds_every_code_in_its_place() {
    for k_blocks in [1, 3, 16, 17, 33, 48] {
        let cols = k_blocks * BLOCK_COLS;
        let at = |row: usize, col: usize| code(row * 1009 + col);
        let mut codes = vec![0u8; 2 * k_blocks * BLOCK_BYTES];
        for row in 0..32 {
            for col in 0..cols {
                let byte = (row / 16 * k_blocks + col / 16) * BLOCK_BYTES + 4 * (row % 16) + col % 4;
                codes[byte] |= at(row, col) << (col % 16 / 4 * 2);
            }
        }
        let matrix = Matrix { codes: &codes, packing: Packing::TwoBits, k_blocks };
        for isa in Isa::available() {
            for start in (0..cols).step_by(EXPAND_COLS) {
                for group in 0..2 {
                    let mut out = vec![9; (cols - start) * GROUP_ROWS];
                    expand(isa, &mut Panel { matrix, group, columns: start..cols, out: &mut out });
                    for (i, &found) in out.iter().enumerate() {
                        let (row, col) = (i / 4 % 16, start + i / 64 * 4 + i % 4);
                        assert_eq!(found, at(16 * group + row, col), "row {row} column {col} of {cols}");
                    }
                }
            }
        }
    }
}
