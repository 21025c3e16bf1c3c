use super::*;

/// Repeatable trits -1..=1 (splitmix64), one zero in four where the packing wants it.
fn trit(packing: Packing, row: usize, col: usize) -> i8 {
    let draw = |seed: usize| {
        let z = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
    };
    let random = draw(row * 5003 + col);
    if packing != Packing::Sparse {
        return (random % 3) as i8 - 1;
    }
    let zero = draw(row * 7001 + col / 4) % 4;
    if zero == (col % 4) as u64 { 0 } else { (random % 2) as i8 * 2 - 1 }
}

#[test]
fn a_panel_holds_every_code_in_its_place() {
    for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
        for k_blocks in [1, 3, 16, 17, 33, 48] {
            let cols = k_blocks * BLOCK_COLS;
            let bundle_bytes = packing.bundle_bytes(k_blocks);
            let mut codes = vec![0u8; 64 / packing.rows() * bundle_bytes];
            for row in 0..64 {
                let trits: Vec<i8> = (0..cols).map(|col| trit(packing, row, col)).collect();
                let bundle = &mut codes[row / packing.rows() * bundle_bytes..][..bundle_bytes];
                packing.write_row(bundle, row % packing.rows(), &trits);
            }
            let matrix = Matrix { codes: &codes, packing, k_blocks };
            for isa in Isa::available() {
                for start in (0..cols).step_by(EXPAND_COLS) {
                    for group in 0..4 {
                        let mut out = vec![9; (cols - start) * GROUP_ROWS];
                        expand(isa, &mut Panel { matrix, group, columns: start..cols, out: &mut out });
                        for (i, &found) in out.iter().enumerate() {
                            let (row, col) = (16 * group + i / 4 % 16, start + i / 64 * 4 + i % 4);
                            let expected = (trit(packing, row, col) + 1).cast_unsigned();
                            assert_eq!(found, expected, "{packing:?}, row {row}, column {col} of {cols}");
                        }
                    }
                }
            }
        }
    }
}
