//! Products of a few tokens with ternary weights, which are bound by reading them: a unit is some bundles of rows that lie far apart.
//! The formats and float operations are those of `onebit_kernels::cpu::ternary`.

#![expect(unsafe_code, reason = "threads write disjoint columns of the outputs")]

use std::ops::Range;

use onebit_kernels::cpu::ternary::{self, Packing, Scaling};
use onebit_kernels::cpu::{Isa, Units};

use super::super::rounded::Rounding;
use super::super::tables::Tables;
use super::super::threads::Pool;
use super::super::weights::{Layout, Scales, Ternary, Weight};
use super::{Inputs, Matrix, Product, THREAD_UNITS, ternary_rounding};
use crate::lane::Activation;

/// Bundles of a matrix.
pub(super) fn bundles(weight: &Weight, weights: &Ternary) -> usize {
    weight.rows.div_ceil(weights.matrix().packing.rows())
}

impl Inputs {
    /// Makes the tables that a product of a few rows needs.
    fn fill_tables(&mut self, isa: Isa, pool: &Pool, packing: Packing, rounding: Rounding, rows: usize) {
        let mut all = std::mem::take(&mut self.tables);
        let known = all.iter().position(|(p, r, _)| (*p, *r) == (packing, rounding));
        let at = known.unwrap_or_else(|| {
            let scaling = if rounding == Rounding::Row { Scaling::Row } else { Scaling::Blocks };
            all.push((packing, rounding, Tables::new(packing, scaling)));
            all.len() - 1
        });
        all[at].2.fill(isa, pool, self.get(rounding), rows);
        self.tables = all;
    }

    /// Tables of the input and the bytes between those of two rows; none for two bits.
    fn tables(&self, packing: Packing, rounding: Rounding) -> (&[u8], usize) {
        let known = self.tables.iter().find(|(p, r, _)| (*p, *r) == (packing, rounding));
        known.map_or((&[], 0), |(.., tables)| tables.get())
    }
}

/// Makes the tables of all packings among `matrices`, each once.
pub(super) fn fill_tables(
    isa: Isa,
    pool: &Pool,
    inputs: &mut Inputs,
    tokens: usize,
    activation: Activation,
    matrices: &[Option<Matrix<'_>>],
) {
    let needs = |matrix: &Matrix<'_>| match &matrix.weight.layout {
        Layout::Ternary(weights) if weights.matrix().packing != Packing::TwoBits => {
            Some((weights.matrix().packing, ternary_rounding(weights, activation)))
        }
        _ => None,
    };
    for (i, need) in matrices.iter().map(|matrix| matrix.as_ref().and_then(needs)).enumerate() {
        let earlier = matrices[..i].iter().flatten().any(|matrix| needs(matrix) == need);
        if let (Some((packing, rounding)), false) = (need, earlier) {
            inputs.fill_tables(isa, pool, packing, rounding, tokens);
        }
    }
}

impl Product<'_> {
    /// Bundles of a unit. Two bits: as many as the memory likes, and two where they share the loads of several tokens. With five-bit
    /// codes the tables are read once for all of them, so they are as many as leave each thread some units.
    pub(super) fn streams(&self, bundles: usize, packing: Packing) -> usize {
        if packing == Packing::TwoBits {
            let streams = Isa::reading().streams;
            return if self.tokens == 1 { streams } else { streams.max(2) };
        }
        [8, 4, 2].into_iter().find(|streams| bundles >= streams * THREAD_UNITS * self.threads).unwrap_or(1)
    }

    /// A few tokens against neighbouring units of ternary rows.
    pub(super) fn ternary(&self, matrix: &Matrix<'_>, weights: &Ternary, range: Range<usize>) {
        let codes = weights.matrix();
        let bundles = bundles(matrix.weight, weights);
        let streams = self.streams(bundles, codes.packing);
        let (row_scales, block_scales) = match &weights.scales {
            Scales::Rows(scales) => (&scales[..], &[][..]),
            Scales::Blocks(scales) => (&[][..], &scales[..]),
        };
        let rounding = ternary_rounding(weights, self.activation);
        let x = self.inputs.get(rounding);
        let (tables, table_stride) = self.inputs.tables(codes.packing, rounding);
        // SAFETY: each bundle of a matrix belongs to one unit, and a unit to one thread.
        let out = unsafe { matrix.outputs() };
        let few = &mut ternary::Few {
            matrix: codes,
            groups: matrix.weight.groups(),
            units: Units { range, ..Units::of(bundles, streams) },
            row_scales,
            block_scales,
            x: &x.q,
            stride: x.stride,
            tables,
            table_stride,
            x_scales: &x.scales,
            x_sums: &x.sums,
            tokens: self.tokens,
            out: &out,
        };
        if rounding == Rounding::Row { ternary::exact(self.isa, few) } else { ternary::scaled(self.isa, few) }
    }
}
