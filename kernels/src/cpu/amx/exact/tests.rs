use super::super::model::{Model, Random};
use super::*;
use crate::cpu::Outputs;
use crate::cpu::panel::{self, Memory, PAD_COLS, padded};
use crate::cpu::portable::Portable;
use crate::cpu::ternary::Matrix;
use crate::cpu::tiled;

/// A matrix, activations in rows and in tiles, and scales.
struct Case {
    packing: Packing,
    codes: Vec<u8>,
    k_blocks: usize,
    first_group: usize,
    groups: usize,
    width: usize,
    tokens: usize,
    rows: Vec<i8>,
    tiles: Vec<i8>,
    row_scales: Vec<f32>,
    x_scales: Vec<f32>,
    x_sums: Vec<i32>,
}

impl Case {
    fn new(packing: Packing, cols: usize, groups: usize, tokens: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let k_blocks = cols.div_ceil(BLOCK_COLS);
        let stride = k_blocks * BLOCK_COLS;
        let first_group = 2 * (seed as usize % 2);
        let n_rows = (first_group + groups) * GROUP_ROWS;
        let bundle_bytes = packing.bundle_bytes(k_blocks);
        let mut codes = vec![0; n_rows.div_ceil(packing.rows()) * bundle_bytes];
        for row in 0..n_rows {
            let zeros: Vec<usize> = (0..cols / 4).map(|_| random.below(4) as usize).collect();
            let trits: Vec<i8> = (0..cols)
                .map(|col| match packing {
                    Packing::Sparse if zeros[col / 4] == col % 4 => 0,
                    Packing::Sparse => random.below(2) as i8 * 2 - 1,
                    _ => random.below(3) as i8 - 1,
                })
                .collect();
            let bundle = &mut codes[row / packing.rows() * bundle_bytes..][..bundle_bytes];
            packing.write_row(bundle, row % packing.rows(), &trits);
        }
        let mut rows = vec![0i8; tokens * stride + PAD_COLS];
        // Rows beyond the last token hold anything.
        let mut tiles = vec![-99i8; tiled::tiles_bytes(tokens, stride)];
        let steps = stride.div_ceil(TILE_COLS);
        let mut x_sums = Vec::new();
        for token in 0..tokens {
            let row = &mut rows[token * stride..][..stride];
            row[..cols].fill_with(|| (random.below(255) as i16 - 127) as i8);
            x_sums.push(row.iter().map(|&x| i32::from(x)).sum());
            for col in 0..steps * TILE_COLS {
                let tile = token / TILE_TOKENS * steps + col / TILE_COLS;
                let at = tile * TILE_BYTES + token % TILE_TOKENS * TILE_COLS + col % TILE_COLS;
                tiles[at] = row.get(col).copied().unwrap_or(0);
            }
        }
        let mut scales = |n: usize| (0..n).map(|_| random.below(1000) as f32 / 777.0).collect();
        Self {
            packing,
            codes,
            k_blocks,
            first_group,
            groups,
            width: n_rows - seed as usize % 16,
            tokens,
            row_scales: scales(n_rows),
            x_scales: scales(tokens),
            rows,
            tiles,
            x_sums,
        }
    }

    fn matrix(&self) -> Matrix<'_> {
        Matrix { codes: &self.codes, packing: self.packing, k_blocks: self.k_blocks }
    }

    /// Bits of all outputs after `job` has added to ones.
    fn outputs(&self, job: impl FnOnce(&Outputs<'_>)) -> Vec<u32> {
        let mut values = vec![1.0f32; self.tokens * self.width];
        // SAFETY: the values outlive the outputs and are not touched before `job` ends.
        let out = unsafe { Outputs::new(values.as_mut_ptr(), values.len(), self.width, 0.75, true) };
        job(&out);
        values.iter().map(|x| x.to_bits()).collect()
    }

    /// The panel kernel of plain Rust over the expanded groups.
    fn expected(&self) -> Vec<u32> {
        let cols = self.k_blocks * BLOCK_COLS;
        let mut panel = vec![0; padded(cols) * GROUP_ROWS];
        self.outputs(|out| {
            for group in self.first_group..self.first_group + self.groups {
                let (matrix, codes) = (self.matrix(), &mut panel[..cols * GROUP_ROWS]);
                ternary::expand(
                    Isa::portable(),
                    &mut ternary::Panel { matrix, group, columns: 0..cols, out: codes },
                );
                let job = &mut panel::Exact {
                    panel: &panel,
                    cols,
                    first_group: group,
                    groups: 1,
                    row_scales: &self.row_scales,
                    x: &self.rows,
                    stride: cols,
                    x_scales: &self.x_scales,
                    x_sums: &self.x_sums,
                    tokens: self.tokens,
                    out,
                };
                panel::exact(Isa::portable(), job);
            }
        })
    }

    fn product<'a>(&'a self, memory: &'a mut Memory, out: &'a Outputs<'a>) -> Product<'a> {
        Product {
            matrix: self.matrix(),
            first_group: self.first_group,
            groups: self.groups,
            row_scales: &self.row_scales,
            x: &self.tiles,
            x_scales: &self.x_scales,
            x_sums: &self.x_sums,
            tokens: self.tokens,
            memory,
            out,
        }
    }
}

/// Odd sizes of everything, and columns of one, two and three blocks.
fn cases() -> impl Iterator<Item = (Case, String)> {
    let sizes = [
        (4, 1, 1),
        (16, 2, 16),
        (48, 3, 17),
        (64, 4, 32),
        (80, 1, 33),
        (128, 2, 9),
        (256, 3, 48),
        (272, 4, 50),
        (576, 2, 64),
        (1000, 3, 31),
        (2560, 1, 20),
        (2576, 3, 34),
        (2880, 8, 33),
        (3072, 7, 17),
        (5200, 5, 40),
    ];
    let packings = [Packing::TwoBits, Packing::Sparse, Packing::Triples];
    sizes.into_iter().enumerate().flat_map(move |(seed, (cols, groups, tokens))| {
        packings.map(|packing| {
            let case = Case::new(packing, cols, groups, tokens, seed as u64);
            (case, format!("{packing:?}, {cols} columns, {groups} groups, {tokens} tokens, seed {seed}"))
        })
    })
}

#[test]
fn the_loops_on_a_model_of_the_registers_give_the_bits_of_the_plain_panel_kernel() {
    let mut memory = Memory::default();
    for (case, at) in cases() {
        // Nothing may depend on what an earlier product left in the memory.
        memory.bytes(1 << 20).fill(0xaa);
        let found = case.outputs(|out| {
            let mut product = case.product(&mut memory, out);
            product.check();
            // SAFETY: the product was checked; the model needs no instruction set.
            unsafe { exact::<Model, Portable>(&mut Model::new(), Isa::portable(), &mut product) };
        });
        assert_eq!(found, case.expected(), "{at}");
    }
}

#[test]
fn tiles_of_this_machine_give_the_bits_of_the_plain_panel_kernel() {
    let Some(isa) = Isa::amx() else {
        eprintln!("no AMX here: the loops are tested on a model of its registers only");
        return;
    };
    let mut memory = Memory::default();
    let large = Case::new(Packing::TwoBits, 6912, 8, 256, 99);
    for (case, at) in cases().chain([(large, "6912 columns, 256 tokens".to_owned())]) {
        memory.bytes(1 << 20).fill(0xaa);
        let found = case.outputs(|out| tiled::exact(isa, &mut case.product(&mut memory, out)));
        assert_eq!(found, case.expected(), "{at}");
    }
}
