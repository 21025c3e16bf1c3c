//! Activations as int8 or 16 bits, rounded once for all matrices of a projection. Buffers grow to the largest batch and stay.

#![expect(unsafe_code, reason = "threads write disjoint rows")]

use onebit_kernels::cpu::panel::{Memory, PAD_COLS};
use onebit_kernels::cpu::rounding::{self as planes, To};
use onebit_kernels::cpu::ternary::{BLOCK_COLS, X_SCALE_COLS};
use onebit_kernels::cpu::tiled::{self, TILE_BYTES, TILE_COLS, TILE_TOKENS};
use onebit_kernels::cpu::{Isa, rows};

use super::threads::{Disjoint, Pool};

/// Rows below which rounding is not worth waking threads.
const PARALLEL_ROWS: usize = 8;
/// Least `max |x|` that a row of W1.58A8 is scaled by.
const LEAST_ABSMAX: f32 = 1e-5;
/// Planes of [`Rounding::By32`].
const PLANES: usize = 2;

/// How many columns share a scale, and how many a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// `lane::activation::quantize_row`: a scale and a sum for the row.
    Row,
    /// The same rounding and scale, but the scale and sums written for each 64 columns.
    RowBy64,
    /// A scale and a sum for each 64 columns: ternary weights with float activations.
    By64,
    /// `onebit_kernels::cpu::rounding`: 16 bits, a scale for each 32 columns and a sum for each 16, so that the answers are those of
    /// unrounded activations where int8 would flip near ties: the Q formats.
    By32,
}

/// Rounded rows.
pub(super) struct Rounded {
    rounding: Rounding,
    /// `[rows, stride]`, zero beyond the columns; `[rows, 2, stride]` planes of a few rows in [`Rounding::By32`].
    pub(super) q: Vec<i8>,
    /// Many rows of [`Rounding::Row`] in the order of `tiled`, where the instruction set has tiles.
    tiles: Memory,
    tiles_bytes: usize,
    /// `[rows, stride]` words of many rows in [`Rounding::By32`].
    pub(super) words: Vec<i16>,
    /// Columns rounded up to the kernels' blocks.
    pub(super) stride: usize,
    /// `[rows, scales_per_row]`.
    pub(super) scales: Vec<f32>,
    /// Scales of a row.
    pub(super) scales_per_row: usize,
    /// `[rows, sums_per_row]`.
    pub(super) sums: Vec<i32>,
    /// Sums of a row.
    pub(super) sums_per_row: usize,
    /// Sum times scale of each block, `[rows, scales_per_row]`, beside the words.
    pub(super) block_sums: Vec<f32>,
}

impl Rounded {
    pub(super) fn new(rounding: Rounding) -> Self {
        Self {
            rounding,
            q: Vec::new(),
            tiles: Memory::default(),
            tiles_bytes: 0,
            words: Vec::new(),
            stride: 0,
            scales: Vec::new(),
            scales_per_row: 0,
            sums: Vec::new(),
            sums_per_row: 0,
            block_sums: Vec::new(),
        }
    }

    /// A bound of the L2 norm of what [`Rounding::By32`] took from row `r`: an element is at most one and a half steps off, and a
    /// little for the rounding of its quotient.
    pub(super) fn lost_norm(&self, r: usize) -> f64 {
        let scales = &self.scales[r * self.scales_per_row..(r + 1) * self.scales_per_row];
        let squares: f64 = scales.iter().map(|&scale| f64::from(scale) * f64::from(scale)).sum();
        1.51 * (planes::SCALE_COLS as f64 * squares).sqrt()
    }

    /// The rows as tiles, after they were filled as many.
    pub(super) fn tiles(&self) -> &[i8] {
        self.tiles.written_i8(self.tiles_bytes)
    }

    /// Rounds `rows` rows of `x`; row r is `row(r)`. `many`: for products with panels, which take words or tiles.
    pub(super) fn fill<'x>(
        &mut self,
        isa: Isa,
        pool: &Pool,
        rows: usize,
        cols: usize,
        many: bool,
        row: impl Fn(usize) -> &'x [f32] + Sync,
    ) {
        let rounding = self.rounding;
        self.stride = cols.next_multiple_of(BLOCK_COLS);
        (self.scales_per_row, self.sums_per_row) = match rounding {
            Rounding::Row => (1, 1),
            Rounding::RowBy64 | Rounding::By64 => (cols.div_ceil(X_SCALE_COLS), cols.div_ceil(X_SCALE_COLS)),
            Rounding::By32 => (cols / planes::SCALE_COLS, cols / planes::SUM_COLS),
        };
        if many && rounding == Rounding::By32 {
            self.fill_words(isa, pool, rows, cols, row);
            return;
        }
        if many && rounding == Rounding::Row && isa.has_tiles() {
            self.fill_tiles(isa, pool, rows, cols, row);
            return;
        }
        let row_q = if rounding == Rounding::By32 { PLANES * self.stride } else { self.stride };
        let (n_scales, n_sums) = (self.scales_per_row, self.sums_per_row);
        // Panels are read to their padding.
        grow(&mut self.q, rows * row_q + PAD_COLS);
        grow(&mut self.scales, rows * n_scales);
        grow(&mut self.sums, rows * n_sums);
        let q = Disjoint::new(&mut self.q);
        let scales = Disjoint::new(&mut self.scales);
        let sums = Disjoint::new(&mut self.sums);
        pool.run(rows, grain(rows), |_, range| {
            for r in range {
                // SAFETY: each row is given out once, and rows do not overlap.
                let (q, scales, sums) =
                    unsafe { (q.part(r, row_q), scales.part(r, n_scales), sums.part(r, n_sums)) };
                if rounding == Rounding::By32 {
                    let (high, low) = q.split_at_mut(row_q / PLANES);
                    let to = To::Planes { high, low, sums };
                    planes::round(isa, &mut planes::Row { x: row(r), to, scales });
                } else {
                    round_row(isa, rounding, row(r), q, scales, sums);
                }
            }
        });
    }

    /// [`Rounding::Row`] as tiles; a thread rounds the sixteen rows of a tile.
    fn fill_tiles<'x>(
        &mut self,
        isa: Isa,
        pool: &Pool,
        rows: usize,
        cols: usize,
        row: impl Fn(usize) -> &'x [f32] + Sync,
    ) {
        let row_bytes = tiled::row_bytes(cols);
        self.tiles_bytes = tiled::tiles_bytes(rows, cols);
        grow(&mut self.scales, rows.next_multiple_of(TILE_TOKENS));
        grow(&mut self.sums, rows.next_multiple_of(TILE_TOKENS));
        let tiles = Disjoint::new(self.tiles.bytes_i8(self.tiles_bytes));
        let scales = Disjoint::new(&mut self.scales);
        let sums = Disjoint::new(&mut self.sums);
        pool.run(rows.div_ceil(TILE_TOKENS), 1, |_, range| {
            for tile in range {
                // SAFETY: the rows of a tile are given out once.
                let (q, scales, sums) = unsafe {
                    (
                        tiles.part(tile, row_bytes),
                        scales.part(tile, TILE_TOKENS),
                        sums.part(tile, TILE_TOKENS),
                    )
                };
                for r in 0..TILE_TOKENS.min(rows - tile * TILE_TOKENS) {
                    let q = &mut q[r * TILE_COLS..];
                    (scales[r], sums[r]) = round_to_tiles(isa, row(tile * TILE_TOKENS + r), q);
                }
            }
        });
    }

    /// [`Rounding::By32`] as words.
    fn fill_words<'x>(
        &mut self,
        isa: Isa,
        pool: &Pool,
        rows: usize,
        cols: usize,
        row: impl Fn(usize) -> &'x [f32] + Sync,
    ) {
        let blocks = self.scales_per_row;
        grow(&mut self.words, rows * cols);
        grow(&mut self.scales, rows * blocks);
        grow(&mut self.block_sums, rows * blocks);
        let words = Disjoint::new(&mut self.words);
        let scales = Disjoint::new(&mut self.scales);
        let sums = Disjoint::new(&mut self.block_sums);
        pool.run(rows, grain(rows), |_, range| {
            for r in range {
                // SAFETY: each row is given out once, and rows do not overlap.
                let (words, scales, sums) =
                    unsafe { (words.part(r, cols), scales.part(r, blocks), sums.part(r, blocks)) };
                let to = To::Words { words, sums };
                planes::round(isa, &mut planes::Row { x: row(r), to, scales });
            }
        });
    }
}

/// Rows worth a hand-over between threads.
fn grain(rows: usize) -> usize {
    if rows < PARALLEL_ROWS { rows } else { 4 }
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

/// Rounds one row to int8.
fn round_row(isa: Isa, rounding: Rounding, x: &[f32], q: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    // The floor of whole rows belongs to the definition of W1.58A8; the other only avoids dividing by zero.
    let (block, least, sum_block) = match rounding {
        Rounding::Row => (x.len(), LEAST_ABSMAX, x.len()),
        Rounding::RowBy64 => (x.len(), LEAST_ABSMAX, X_SCALE_COLS),
        Rounding::By64 => (X_SCALE_COLS, 1e-30, X_SCALE_COLS),
        Rounding::By32 => unreachable!("rounded to words or planes"),
    };
    let (columns, padding) = q.split_at_mut(x.len());
    for ((x, q), scale) in x.chunks(block).zip(columns.chunks_mut(block)).zip(scales.iter_mut()) {
        *scale = round_block(isa, x, q, least);
    }
    padding.fill(0);
    if rounding == Rounding::RowBy64 {
        let scale = scales[0];
        scales.fill(scale);
    }
    for (q, sum) in columns.chunks(sum_block).zip(sums) {
        *sum = q.iter().map(|&q| i32::from(q)).sum();
    }
}

/// Rounds one row to its place in tiles; its scale and sum.
fn round_to_tiles(isa: Isa, x: &[f32], q: &mut [i8]) -> (f32, i32) {
    let Some(absmax) = rows::finite_absmax(isa, x) else {
        q.chunks_mut(TILE_BYTES).for_each(|tile| tile[..TILE_COLS].fill(0));
        return (f32::NAN, 0);
    };
    let absmax = absmax.max(LEAST_ABSMAX);
    (absmax / 127.0, rows::round_to_pieces(isa, x, 127.0 / absmax, q, TILE_BYTES))
}

/// The same bits as `lane::activation::quantize_row` when `least` is 1e-5, by vectors.
fn round_block(isa: Isa, x: &[f32], q: &mut [i8], least: f32) -> f32 {
    let Some(absmax) = rows::finite_absmax(isa, x) else {
        q.fill(0);
        return f32::NAN;
    };
    let absmax = absmax.max(least);
    rows::round_to_i8(isa, x, 127.0 / absmax, q);
    absmax / 127.0
}
