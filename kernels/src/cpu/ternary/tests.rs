//! Every packing and instruction set against plain loops over trits: integers to the bit, and floats in the stated order.

use super::*;

/// Repeatable numbers (splitmix64).
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn scale(&mut self) -> f32 {
        0.5 + (self.draw() % 1000) as f32 / 1000.0
    }
}

/// A matrix, its activations and scales.
pub(super) struct Case {
    pub(super) packing: Packing,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) tokens: usize,
    trits: Vec<Vec<i8>>,
    pub(super) codes: Vec<u8>,
    pub(super) x: Vec<i8>,
    pub(super) row_scales: Vec<f32>,
    block_scales: Vec<f32>,
}

impl Case {
    pub(super) fn new(packing: Packing, rows: usize, cols: usize, tokens: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let trits: Vec<Vec<i8>> = (0..rows).map(|_| row(packing, cols, &mut random)).collect();
        let k_blocks = cols.div_ceil(BLOCK_COLS);
        let bundle_bytes = packing.bundle_bytes(k_blocks);
        let mut codes = vec![0; rows.div_ceil(packing.rows()) * bundle_bytes];
        for (i, trits) in trits.iter().enumerate() {
            let bundle = &mut codes[i / packing.rows() * bundle_bytes..][..bundle_bytes];
            packing.write_row(bundle, i % packing.rows(), trits);
        }
        // Largest magnitudes now and then in whole rows, where sums are nearest to overflowing.
        let extreme = random.draw().is_multiple_of(3);
        let mut x = vec![0i8; tokens * k_blocks * BLOCK_COLS];
        for x in x.chunks_mut(k_blocks * BLOCK_COLS) {
            for x in &mut x[..cols] {
                let value = (random.draw() % 255) as i16 - 127;
                *x = if extreme { 127 * if value < 0 { -1 } else { 1 } } else { value as i8 };
            }
        }
        let groups = rows.div_ceil(GROUP_ROWS);
        let row_scales = (0..groups * GROUP_ROWS).map(|_| random.scale()).collect();
        let n_blocks = cols.div_ceil(SCALE_COLS);
        let block_scales = (0..groups * n_blocks * GROUP_ROWS).map(|_| random.scale()).collect();
        Self { packing, rows, cols, tokens, trits, codes, x, row_scales, block_scales }
    }

    pub(super) fn k_blocks(&self) -> usize {
        self.cols.div_ceil(BLOCK_COLS)
    }

    pub(super) fn stride(&self) -> usize {
        self.k_blocks() * BLOCK_COLS
    }

    /// Integer sum of columns `span` of a row of weights and a row of activations.
    fn sum(&self, row: usize, token: usize, span: std::ops::Range<usize>) -> i32 {
        let x = &self.x[token * self.stride()..];
        span.map(|col| i32::from(self.trits[row][col]) * i32::from(x[col])).sum()
    }

    /// Sums of `x` by blocks of `cols` columns.
    fn x_sums(&self, cols: usize) -> Vec<i32> {
        let rows = self.x.chunks(self.stride());
        rows.flat_map(|x| x.chunks(cols).map(|x| x.iter().map(|&x| i32::from(x)).sum())).collect()
    }

    /// Results with units of `streams` bundles, `calls` units and `tokens` rows a call.
    fn run(
        &self,
        isa: Isa,
        (scaling, blocks): (Scaling, bool),
        streams: usize,
        calls: usize,
        tokens: usize,
    ) -> Vec<f32> {
        let n = if scaling == Scaling::Row { 1 } else { self.cols.div_ceil(X_SCALE_COLS) };
        let x_scales: Vec<f32> = (0..self.tokens * n).map(|i| 0.25 + i as f32 / 64.0).collect();
        let x_sums = self.x_sums(if scaling == Scaling::Row { self.stride() } else { X_SCALE_COLS });
        let table_stride = self.packing.table_bytes(self.k_blocks(), scaling);
        let mut all_tables = vec![0; self.tokens * table_stride];
        if table_stride > 0 {
            for (x, out) in self.x.chunks(self.stride()).zip(all_tables.chunks_mut(table_stride)) {
                tables(isa, &mut Tables { packing: self.packing, scaling, x, out });
            }
        }
        let mut out = vec![f32::NAN; self.tokens * self.rows];
        let all = Units::of(self.rows.div_ceil(self.packing.rows()), streams);
        for first in (0..self.tokens).step_by(tokens) {
            let tokens = tokens.min(self.tokens - first);
            for unit in all.range.clone().step_by(calls) {
                let to = &mut out[first * self.rows..(first + tokens) * self.rows];
                // SAFETY: one thread, and `out` lives on.
                let to = unsafe { Outputs::new(to.as_mut_ptr(), to.len(), self.rows, 1.0, false) };
                let few = &mut Few {
                    matrix: Matrix { codes: &self.codes, packing: self.packing, k_blocks: self.k_blocks() },
                    groups: self.rows.div_ceil(GROUP_ROWS),
                    units: Units { range: unit..all.range.end.min(unit + calls), ..all.clone() },
                    row_scales: if blocks { &[] } else { &self.row_scales },
                    block_scales: if blocks { &self.block_scales } else { &[] },
                    x: &self.x[first * self.stride()..],
                    stride: self.stride(),
                    tables: &all_tables[first * table_stride..],
                    table_stride,
                    x_scales: &x_scales[first * n..],
                    x_sums: &x_sums[first * n..],
                    tokens,
                    out: &to,
                };
                if scaling == Scaling::Row { exact(isa, few) } else { scaled(isa, few) }
            }
        }
        out
    }

    /// The same by plain loops; `fused` where the instruction set multiplies and adds in one rounding.
    pub(super) fn expected(&self, scaling: Scaling, blocks: bool, fused: bool) -> Vec<f32> {
        let mut out = Vec::new();
        for token in 0..self.tokens {
            for row in 0..self.rows {
                out.push(if scaling == Scaling::Row {
                    let scale = 0.25 + token as f32 / 64.0;
                    self.sum(row, token, 0..self.cols) as f32 * (scale * self.row_scales[row])
                } else {
                    self.expected_scaled(token, row, blocks, fused)
                });
            }
        }
        out
    }

    fn expected_scaled(&self, token: usize, row: usize, blocks: bool, fused: bool) -> f32 {
        let n = self.cols.div_ceil(X_SCALE_COLS);
        let n_blocks = self.cols.div_ceil(SCALE_COLS);
        let mut total = 0.0f32;
        for i in 0..n {
            let end = self.cols.min((i + 1) * X_SCALE_COLS);
            let dot = self.sum(row, token, i * X_SCALE_COLS..end) as f32;
            let mut factor = 0.25 + (token * n + i) as f32 / 64.0;
            if blocks {
                let block = row / GROUP_ROWS * n_blocks + i * X_SCALE_COLS / SCALE_COLS;
                factor *= self.block_scales[block * GROUP_ROWS + row % GROUP_ROWS];
            }
            total = if fused { dot.mul_add(factor, total) } else { dot * factor + total };
        }
        if blocks { total } else { total * self.row_scales[row] }
    }
}

fn row(packing: Packing, cols: usize, random: &mut Random) -> Vec<i8> {
    // Rows of one sign now and then, where sums are nearest to overflowing.
    let extreme = random.draw().is_multiple_of(4);
    let mut trits: Vec<i8> =
        (0..cols).map(|_| if extreme { 1 } else { (random.draw() % 3) as i8 - 1 }).collect();
    if packing == Packing::Sparse {
        for four in trits.chunks_mut(4) {
            let zero = (random.draw() % 4) as usize;
            for (i, trit) in four.iter_mut().enumerate() {
                *trit = if i == zero { 0 } else { *trit | 1 };
            }
        }
    }
    trits
}

fn check(packing: Packing, rows: usize, cols: usize, tokens: usize) {
    let case = Case::new(packing, rows, cols, tokens, (rows * 7919 + cols * 31 + tokens) as u64);
    for isa in Isa::available() {
        let words_are_portable = packing != Packing::TwoBits && !isa.has_lookups();
        let fused = isa != Isa::portable() && !words_are_portable;
        for (scaling, blocks) in [(Scaling::Row, false), (Scaling::Blocks, false), (Scaling::Blocks, true)] {
            let expected = case.expected(scaling, blocks, fused);
            for (streams, calls, together) in
                [(4, 1, 8), (2, 3, 1), (1, 2, 3), (4, 5, 1), (9, 1, 1), (1, 7, 1), (8, 2, 1)]
            {
                let found = case.run(isa, (scaling, blocks), streams, calls, together);
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    assert_eq!(
                        found.to_bits(),
                        expected.to_bits(),
                        "{packing:?} on {}: [{rows}, {cols}], {scaling:?}, block scales {blocks}, {calls} units of \
                         {streams} streams and {together} tokens: row {} of token {} is {found}, not {expected}",
                        isa.name(),
                        i % rows,
                        i / rows
                    );
                }
            }
        }
    }
}

#[test]
fn products_of_all_widths_are_those_of_plain_loops() {
    for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
        for cols in (1..70).chain([96, 128, 192, 255, 256, 260, 320, 500, 512, 576, 700, 768, 1024]) {
            if packing == Packing::Sparse && cols % 4 != 0 {
                continue;
            }
            check(packing, 1 + cols % 33, cols, 1 + cols % 4);
        }
    }
}

#[test]
fn products_of_all_numbers_of_rows_and_tokens_are_those_of_plain_loops() {
    for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
        for rows in (1..=17).chain([31, 32, 33, 48, 64, 100, 130, 160, 224, 300]) {
            check(packing, rows, 320, 1 + rows % 8);
        }
        for tokens in 1..=8 {
            check(packing, 70, 512, tokens);
        }
    }
}
