//! Lookups of many tokens against plain loops over trits, on every packing and instruction set, to the bit.

use super::super::tests::Case;
use super::super::{Packing, Scaling};
use super::*;
use crate::cpu::panel::Memory;

/// The activations of a case, a block after the other.
fn turned(case: &Case, isa: Isa) -> (Vec<i8>, Vec<bool>) {
    let (stride, blocks) = (case.stride(), case.tokens.div_ceil(BLOCK_TOKENS));
    let segments = stride.div_ceil(WIDEN_COLS);
    let mut turned = vec![99; blocks * stride * BLOCK_TOKENS];
    let mut widen = vec![true; blocks * segments];
    for block in 0..blocks {
        let first = block * BLOCK_TOKENS;
        columns(
            isa,
            &mut Columns {
                x: &case.x[first * stride..],
                stride,
                tokens: BLOCK_TOKENS.min(case.tokens - first),
                out: &mut turned[block * stride * BLOCK_TOKENS..][..stride * BLOCK_TOKENS],
                widen: &mut widen[block * segments..][..segments],
            },
        );
    }
    (turned, widen)
}

/// Results with `groups` groups of the case's rows as one part and the others as a second.
fn run(case: &Case, isa: Isa, groups: usize, memory: &mut Memory) -> Vec<f32> {
    let (columns, widen) = turned(case, isa);
    let x_scales: Vec<f32> = (0..case.tokens).map(|i| 0.25 + i as f32 / 64.0).collect();
    let mut out = vec![f32::NAN; case.tokens * case.rows];
    // SAFETY: one thread, and `out` lives on.
    let to = unsafe { Outputs::new(out.as_mut_ptr(), out.len(), case.rows, 1.0, false) };
    let matrix = Matrix { codes: &case.codes, packing: case.packing, k_blocks: case.k_blocks() };
    let all = case.rows.div_ceil(GROUP_ROWS);
    let part =
        |first_group, groups| Part { matrix, first_group, groups, row_scales: &case.row_scales, out: &to };
    let first = groups.min(all);
    let parts = [part(0, first), part(first, all - first)];
    many(
        isa,
        &mut Many {
            parts: &parts,
            columns: &columns,
            widen: &widen,
            first_token: 0,
            tokens: case.tokens,
            x_scales: &x_scales,
            memory,
        },
    );
    out
}

fn check(packing: Packing, rows: usize, cols: usize, tokens: usize) {
    let seed = (rows * 7919 + cols * 31 + tokens) as u64;
    let case = Case::new(packing, rows, cols, tokens, seed);
    let expected = case.expected(Scaling::Row, false, true);
    // Shared, so that a job finds what another left.
    let mut memory = Memory::default();
    for isa in Isa::available() {
        for groups in [1, 3, 64] {
            let found = run(&case, isa, groups, &mut memory);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(
                    found.to_bits(),
                    expected.to_bits(),
                    "{packing:?} on {}: [{rows}, {cols}], {tokens} tokens, seed {seed}: row {} of token {} is {found}, not {expected}",
                    isa.name(),
                    i % rows,
                    i / rows
                );
            }
        }
    }
}

#[test]
fn products_of_all_widths_are_those_of_plain_loops() {
    for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
        for cols in (1..70).chain([80, 96, 160, 255, 256, 257, 272, 320, 336, 500, 512, 576, 700, 1024, 2560])
        {
            if packing == Packing::Sparse && cols % 4 != 0 {
                continue;
            }
            check(packing, 1 + cols % 50, cols, 1 + cols % 35);
        }
    }
}

#[test]
fn products_of_all_numbers_of_rows_and_tokens_are_those_of_plain_loops() {
    for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
        for rows in [1, 15, 16, 17, 31, 32, 33, 48, 64, 100, 130] {
            check(packing, rows, 320, 1 + rows % 67);
        }
        for tokens in [1, 2, 16, 31, 32, 33, 63, 64, 65, 100] {
            check(packing, 70, 512, tokens);
        }
    }
}

#[test]
fn sums_are_widened_where_sixteen_bits_could_overflow_and_not_before() {
    let widths = |x: i8, cols: usize| {
        let x = vec![x; cols];
        let mut out = vec![0; cols * BLOCK_TOKENS];
        let mut widen = vec![true; cols.div_ceil(WIDEN_COLS)];
        let columns_of = &mut Columns { x: &x, stride: cols, tokens: 1, out: &mut out, widen: &mut widen };
        columns(Isa::portable(), columns_of);
        widen
    };
    assert_eq!(widths(127, 1024), [true, true, true, false]);
    assert_eq!(widths(-127, 512), [true, false]);
    assert_eq!(widths(63, 768), [false, true, false]);
    assert_eq!(widths(1, 2560), [false; 10]);
}

/// The largest sums there are: every trit has the sign of its activation.
#[test]
fn the_largest_sums_are_exact() {
    for (trit, x) in [(1i8, 127i8), (-1, 127), (1, -127), (-1, -127)] {
        let (rows, cols) = (16, 2560);
        let k_blocks = cols / BLOCK_COLS;
        let mut codes = vec![0; Packing::TwoBits.bundle_bytes(k_blocks)];
        for row in 0..rows {
            Packing::TwoBits.write_row(&mut codes, row, &vec![trit; cols]);
        }
        let x = vec![x; cols];
        for isa in Isa::available() {
            let mut turned = vec![0; cols * BLOCK_TOKENS];
            let mut widen = vec![false; cols.div_ceil(WIDEN_COLS)];
            columns(
                isa,
                &mut Columns { x: &x, stride: cols, tokens: 1, out: &mut turned, widen: &mut widen },
            );
            let mut out = vec![0.0; rows];
            // SAFETY: one thread, and `out` lives on.
            let to = unsafe { Outputs::new(out.as_mut_ptr(), out.len(), rows, 1.0, false) };
            let matrix = Matrix { codes: &codes, packing: Packing::TwoBits, k_blocks };
            let part = Part { matrix, first_group: 0, groups: 1, row_scales: &[1.0; 16], out: &to };
            let job = &mut Many {
                parts: &[part],
                columns: &turned,
                widen: &widen,
                first_token: 0,
                tokens: 1,
                x_scales: &[1.0],
                memory: &mut Memory::default(),
            };
            many(isa, job);
            let expected = f32::from(i16::from(trit) * i16::from(x[0])) * cols as f32;
            assert_eq!(out, [expected; 16], "{} trit {trit}", isa.name());
        }
    }
}
