//! Matrix products: which rounding of the input each matrix needs, how output rows are shared among threads, and how sums become
//! f32 outputs. A unit of work is a few groups of sixteen output rows that lie far apart and are read as streams; ternary rows come
//! in bundles, see [`few`]. From [`PANEL_TOKENS`] on a unit is the neighbours that share a panel of expanded weights. A thread takes
//! neighbouring units, so that its streams go on.

#![expect(unsafe_code, reason = "threads write disjoint columns of the outputs")]

mod few;
mod many;
mod panels;

use std::ops::Range;

use onebit_kernels::cpu::ternary::{BLOCK_COLS, Packing};
use onebit_kernels::cpu::{Isa, MAX_GROUPS, Outputs, Units, blocks, dense, panel, tiled};

use super::columns::Columns;
use super::rounded::{Rounded, Rounding};
use super::screen::Activations;
use super::tables::Tables;
use super::threads::{Disjoint, Pool};
use super::weights::{Blocks, Layout, Scales, Ternary, Weight};
use crate::lane::Activation;
use crate::lane::activation::store_output;

/// Rows of floats that the groups of a unit meet in turn, so that they stay in the second-level cache.
const CHUNK_ROWS: usize = 48;
/// Tokens from which expanding the weights pays.
const PANEL_TOKENS: usize = 9;
/// Units that a thread should have at least, so that none waits long for another.
const THREAD_UNITS: usize = 4;
/// Weight bytes that a thread takes at a time: a pause between two of them, in which the memory is asked for nothing, costs as much
/// as reading some kilobytes.
const GRAIN_BYTES: usize = 256 << 10;
/// Groups of the Q formats that are read side by side.
const BLOCK_STREAMS: usize = 4;
/// Matrices of one parallel pass.
pub(super) const MAX_MATRICES: usize = 8;

/// One matrix of a product.
pub(super) struct Matrix<'a> {
    pub(super) weight: &'a Weight,
    /// `[rows, weight.rows]`, distinct from the input and the other outputs.
    pub(super) out: Disjoint<'a, f32>,
    pub(super) scale: f32,
    pub(super) accumulate: bool,
}

/// The input in the forms that matrices may need.
pub(super) struct Inputs {
    looks_up: bool,
    row: Rounded,
    row_by_64: Rounded,
    by_64: Rounded,
    by_32: Rounded,
    /// Of the rounded input, for each combination of packing and rounding that was needed.
    tables: Vec<(Packing, Rounding, Tables)>,
    /// Of the rows that [`Rounding::Row`] rounded, for [`many`].
    columns: Columns,
    /// Of each thread.
    panels: Vec<panel::Memory>,
}

impl Inputs {
    /// `looks_up`: whether ternary products of many rows are looked up where they can be.
    pub(super) fn new(looks_up: bool) -> Self {
        Self {
            looks_up,
            row: Rounded::new(Rounding::Row),
            row_by_64: Rounded::new(Rounding::RowBy64),
            by_64: Rounded::new(Rounding::By64),
            by_32: Rounded::new(Rounding::By32),
            tables: Vec::new(),
            columns: Columns::default(),
            panels: Vec::new(),
        }
    }

    fn get(&self, rounding: Rounding) -> &Rounded {
        match rounding {
            Rounding::Row => &self.row,
            Rounding::RowBy64 => &self.row_by_64,
            Rounding::By64 => &self.by_64,
            Rounding::By32 => &self.by_32,
        }
    }

    /// Turns the rows that [`Rounding::Row`] rounded.
    fn turn(&mut self, isa: Isa, pool: &Pool, rows: usize) {
        self.columns.fill(isa, pool, &self.row, rows);
    }

    /// The norms of a row that was just multiplied with a matrix of blocks, and of what rounding took from it.
    pub(super) fn head_activations(&self, row: usize, x: &[f32]) -> Activations {
        let norm = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        Activations { norm, rounding: self.by_32.lost_norm(row), cols: x.len() }
    }

    fn get_mut(&mut self, rounding: Rounding) -> &mut Rounded {
        match rounding {
            Rounding::Row => &mut self.row,
            Rounding::RowBy64 => &mut self.row_by_64,
            Rounding::By64 => &mut self.by_64,
            Rounding::By32 => &mut self.by_32,
        }
    }
}

/// How a matrix wants its input, `None` for f32.
fn rounding(weight: &Weight, activation: Activation) -> Option<Rounding> {
    match (&weight.layout, activation) {
        (Layout::Ternary(weights), _) => Some(ternary_rounding(weights, activation)),
        (_, Activation::Int8PerRow) => panic!("{}: only ternary weights take int8 activations", weight.name),
        (Layout::Blocks(_), Activation::Float) => Some(Rounding::By32),
        (Layout::Dense(_) | Layout::Vector(_), Activation::Float) => None,
    }
}

fn ternary_rounding(weights: &Ternary, activation: Activation) -> Rounding {
    match (activation, &weights.scales) {
        (Activation::Int8PerRow, Scales::Rows(_)) => Rounding::Row,
        (Activation::Int8PerRow, Scales::Blocks(_)) => Rounding::RowBy64,
        (Activation::Float, _) => Rounding::By64,
    }
}

/// Everything the threads share.
struct Product<'a> {
    isa: Isa,
    threads: usize,
    /// `[tokens, cols]`.
    x: &'a [f32],
    tokens: usize,
    cols: usize,
    activation: Activation,
    inputs: &'a Inputs,
}

/// Multiplies `x` `[tokens, cols]` with up to [`MAX_MATRICES`] matrices.
pub(super) fn multiply(
    isa: Isa,
    pool: &Pool,
    inputs: &mut Inputs,
    x: &[f32],
    tokens: usize,
    activation: Activation,
    matrices: &[Option<Matrix<'_>>],
) {
    let Some(cols) = matrices.iter().flatten().next().map(|matrix| matrix.weight.cols) else { return };
    assert_eq!(x.len(), tokens * cols, "input rows of {cols} columns");
    for kind in [Rounding::Row, Rounding::RowBy64, Rounding::By64, Rounding::By32] {
        if matrices.iter().flatten().any(|matrix| rounding(matrix.weight, activation) == Some(kind)) {
            inputs
                .get_mut(kind)
                .fill(isa, pool, tokens, cols, tokens >= PANEL_TOKENS, |r| &x[r * cols..(r + 1) * cols]);
        }
    }
    if tokens < PANEL_TOKENS {
        few::fill_tables(isa, pool, inputs, tokens, activation, matrices);
    }
    let threads = pool.threads();
    let plan = many::plan(inputs, threads, tokens, activation, matrices);
    if plan.units() > 0 {
        inputs.turn(isa, pool, tokens);
    }
    let mut panels = std::mem::take(&mut inputs.panels);
    panels.resize_with(threads, panel::Memory::default);
    let memories = Disjoint::new(&mut panels);
    let product = Product { isa, threads, x, tokens, cols, activation, inputs };
    let others = || matrices.iter().flatten().filter(|matrix| product.looked_up(matrix).is_none());
    let units = plan.units() + others().map(|matrix| product.units(matrix.weight)).sum::<usize>();
    let bytes: usize = matrices.iter().flatten().map(|matrix| matrix.weight.bytes()).sum();
    let grain = (GRAIN_BYTES * units).checked_div(bytes * tokens).unwrap_or(1).max(1);
    pool.run(units, grain, |thread, range| {
        // SAFETY: a thread has its own memory.
        let memory = &mut unsafe { memories.part(thread, 1) }[0];
        let planned = plan.units();
        for unit in range.start..range.end.min(planned) {
            product.many_unit(matrices, plan, unit, memory);
        }
        let mut first = planned;
        for matrix in others() {
            assert_eq!(matrix.weight.cols, cols, "{}: input width", matrix.weight.name);
            let n = product.units(matrix.weight);
            let own = range.start.clamp(first, first + n) - first..range.end.clamp(first, first + n) - first;
            if product.uses_panels(matrix.weight) {
                own.for_each(|unit| product.panel_unit(matrix, unit, memory));
            } else if !own.is_empty() {
                product.run(matrix, own);
            }
            first += n;
        }
    });
    inputs.panels = panels;
}

/// Multiplies one row `x` with chosen groups of a matrix of floats and leaves the rest of `out` (one value a matrix row) as it is.
/// A value is the same bits as in [`multiply`].
pub(super) fn multiply_groups(
    isa: Isa,
    pool: &Pool,
    inputs: &Inputs,
    x: &[f32],
    weight: &Weight,
    groups: &[usize],
    out: &mut [f32],
) {
    assert!(rounding(weight, Activation::Float).is_none(), "{}: only matrices of floats", weight.name);
    let product = Product {
        isa,
        threads: pool.threads(),
        x,
        tokens: 1,
        cols: weight.cols,
        activation: Activation::Float,
        inputs,
    };
    let matrix = Matrix { weight, out: Disjoint::new(out), scale: 1.0, accumulate: false };
    pool.run(groups.len().div_ceil(MAX_GROUPS), 1, |_, range| {
        for groups in groups.chunks(MAX_GROUPS).skip(range.start).take(range.len()) {
            product.dense(&matrix, groups, 0, 1);
        }
    });
}

/// All groups of a matrix, four far-apart ones after another, as [`multiply`] reads them for one row.
pub(super) fn far_apart(groups: usize) -> Vec<usize> {
    let units = groups.div_ceil(MAX_GROUPS);
    let streams = |unit: usize| (0..MAX_GROUPS).map(move |stream| unit + stream * units);
    (0..units).flat_map(streams).filter(|&group| group < groups).collect()
}

impl Product<'_> {
    fn uses_panels(&self, weight: &Weight) -> bool {
        self.tokens >= PANEL_TOKENS && matches!(weight.layout, Layout::Ternary(_) | Layout::Blocks(_))
    }

    /// Whether the panels are expanded for matrix tiles.
    fn uses_tiles(&self, weight: &Weight) -> bool {
        let by_rows = rounding(weight, self.activation) == Some(Rounding::Row);
        self.uses_panels(weight) && by_rows && self.isa.has_tiles()
    }

    fn units(&self, weight: &Weight) -> usize {
        match &weight.layout {
            Layout::Ternary(weights) if !self.uses_panels(weight) => {
                let bundles = few::bundles(weight, weights);
                bundles.div_ceil(self.streams(bundles, weights.matrix().packing))
            }
            _ => weight.groups().div_ceil(self.unit_groups(weight)),
        }
    }

    /// Groups of a unit: those of a panel, or those that are read as streams.
    fn unit_groups(&self, weight: &Weight) -> usize {
        match weight.layout {
            Layout::Ternary(_) if self.uses_panels(weight) => {
                let many = weight.groups() >= THREAD_UNITS * self.threads * tiled::MOST_GROUPS;
                let long = self.uses_tiles(weight) && self.cols > tiled::LONG_COLS;
                if many && long { tiled::MOST_GROUPS } else { panel::PANEL_GROUPS }
            }
            Layout::Blocks(_) if self.uses_panels(weight) => blocks::panel::PANEL_GROUPS,
            Layout::Blocks(_) => BLOCK_STREAMS,
            _ => MAX_GROUPS,
        }
    }

    /// Neighbouring units without panels.
    fn run(&self, matrix: &Matrix<'_>, range: Range<usize>) {
        match &matrix.weight.layout {
            Layout::Ternary(weights) => self.ternary(matrix, weights, range),
            Layout::Blocks(weights) => self.by_32(matrix, weights, range),
            Layout::Dense(_) => {
                for unit in range {
                    self.dense_unit(matrix, unit);
                }
            }
            Layout::Vector(values) => self.vector(matrix, values),
        }
    }

    fn by_32(&self, matrix: &Matrix<'_>, weights: &Blocks, range: Range<usize>) {
        let x = self.inputs.get(Rounding::By32);
        // SAFETY: each group of a matrix belongs to one unit, and a unit to one thread.
        let out = unsafe { matrix.outputs() };
        blocks::dots(
            self.isa,
            &mut blocks::Dots {
                weights: &weights.weights,
                format: weights.format,
                steps: weights.steps,
                units: Units { range, ..Units::of(matrix.weight.groups(), self.unit_groups(matrix.weight)) },
                x: &x.q,
                x_scales: &x.scales,
                x_sums: &x.sums,
                tokens: self.tokens,
                out: &out,
            },
        );
    }

    fn dense_unit(&self, matrix: &Matrix<'_>, unit: usize) {
        let (groups, units) = (matrix.weight.groups(), self.units(matrix.weight));
        let mut chosen = [0; MAX_GROUPS];
        let mut n = 0;
        for stream in 0..MAX_GROUPS {
            let group = if self.tokens == 1 { unit + stream * units } else { unit * MAX_GROUPS + stream };
            if group < groups {
                chosen[n] = group;
                n += 1;
            }
        }
        for token in (0..self.tokens).step_by(CHUNK_ROWS) {
            self.dense(matrix, &chosen[..n], token, CHUNK_ROWS.min(self.tokens - token));
        }
    }

    /// `tokens` rows from `token` on against some groups.
    fn dense(&self, matrix: &Matrix<'_>, groups: &[usize], token: usize, tokens: usize) {
        let Layout::Dense(weights) = &matrix.weight.layout else { unreachable!("a matrix of floats") };
        // SAFETY: each group of a matrix belongs to one unit, and a unit to one thread.
        let out = unsafe { matrix.outputs_from(token) };
        dense::dots(
            self.isa,
            &mut dense::Dots {
                weights: &weights.weights,
                element: weights.element,
                cols: self.cols,
                groups,
                x: &self.x[token * self.cols..(token + tokens) * self.cols],
                stride: self.cols,
                tokens,
                out: &out,
            },
        );
    }

    /// A matrix of one row.
    fn vector(&self, matrix: &Matrix<'_>, values: &[f32]) {
        for (token, x) in self.x.chunks_exact(self.cols).enumerate() {
            let y = values.iter().zip(x).fold(0.0, |sum, (w, x)| sum + w * x);
            // SAFETY: a matrix of one row is one unit, and a unit belongs to one thread.
            let out = unsafe { matrix.out.part(token, 1) };
            store_output(&mut out[0], y, matrix.scale, matrix.accumulate);
        }
    }
}

impl Matrix<'_> {
    /// The output as kernels write it.
    ///
    /// # Safety
    /// While the result is in use, no other thread uses the columns of the same groups.
    unsafe fn outputs(&self) -> Outputs<'_> {
        // SAFETY: the caller's promise.
        unsafe { self.outputs_from(0) }
    }

    /// The output without its first `token` rows.
    ///
    /// # Safety
    /// As [`Matrix::outputs`].
    unsafe fn outputs_from(&self, token: usize) -> Outputs<'_> {
        let (width, len) = (self.weight.rows, self.out.len());
        let skipped = token * width;
        assert!(skipped <= len, "rows of the output");
        // SAFETY: the elements are those of `out` behind the skipped ones, and it lives as long; the rest is the caller's promise.
        unsafe {
            let start = self.out.as_mut_ptr().add(skipped);
            Outputs::new(start, len - skipped, width, self.scale, self.accumulate)
        }
    }
}

const _: () = assert!(BLOCK_COLS == 16, "the stride of rounded rows is a whole number of ternary blocks");
