//! Products of many tokens: a unit expands the weights of a few groups and multiplies them with all rows.

#![expect(unsafe_code, reason = "threads write disjoint columns of the outputs")]

use onebit_kernels::cpu::ternary::{self, BLOCK_COLS};
use onebit_kernels::cpu::{GROUP_ROWS, Outputs, blocks, panel, tiled};

use super::super::rounded::Rounding;
use super::super::weights::{Layout, Scales, Ternary};
use super::{Matrix, Product, ternary_rounding};

impl Product<'_> {
    /// All tokens against the groups of a panel.
    pub(super) fn panel_unit(&self, matrix: &Matrix<'_>, unit: usize, memory: &mut panel::Memory) {
        let most = self.unit_groups(matrix.weight);
        let first_group = unit * most;
        let groups = most.min(matrix.weight.groups() - first_group);
        // SAFETY: each group of a matrix belongs to one unit, and a unit to one thread.
        let out = unsafe { matrix.outputs() };
        match &matrix.weight.layout {
            Layout::Ternary(weights) => self.ternary_panel(weights, first_group, groups, memory, &out),
            Layout::Blocks(weights) => {
                let x = self.inputs.get(Rounding::By32);
                blocks::panel::multiply(
                    self.isa,
                    &mut blocks::panel::Product {
                        weights: &weights.weights,
                        format: weights.format,
                        steps: weights.steps,
                        first_group,
                        groups,
                        x: &x.words,
                        x_scales: &x.scales,
                        block_sums: &x.block_sums,
                        tokens: self.tokens,
                        memory,
                        out: &out,
                    },
                );
            }
            Layout::Dense(_) | Layout::Vector(_) => unreachable!("floats have no panels"),
        }
    }

    fn ternary_panel(
        &self,
        weights: &Ternary,
        first_group: usize,
        groups: usize,
        memory: &mut panel::Memory,
        out: &Outputs<'_>,
    ) {
        let matrix = weights.matrix();
        let (row_scales, block_scales) = match &weights.scales {
            Scales::Rows(scales) => (&scales[..], &[][..]),
            Scales::Blocks(scales) => (&[][..], &scales[..]),
        };
        let rounding = ternary_rounding(weights, self.activation);
        let x = self.inputs.get(rounding);
        if rounding == Rounding::Row && self.isa.has_tiles() {
            let (x, x_scales, x_sums) = (x.tiles(), &x.scales[..], &x.sums[..]);
            let tokens = self.tokens;
            let mut product = tiled::Product {
                matrix,
                first_group,
                groups,
                row_scales,
                x,
                x_scales,
                x_sums,
                tokens,
                memory,
                out,
            };
            tiled::exact(self.isa, &mut product);
            return;
        }
        let cols = matrix.k_blocks * BLOCK_COLS;
        let group_bytes = panel::padded(cols) * GROUP_ROWS;
        let codes = memory.bytes(groups * group_bytes);
        for (i, group) in codes.chunks_exact_mut(group_bytes).enumerate() {
            let (out, padding) = group.split_at_mut(cols * GROUP_ROWS);
            padding.fill(0);
            ternary::expand(
                self.isa,
                &mut ternary::Panel { matrix, group: first_group + i, columns: 0..cols, out },
            );
        }
        let (panel, tokens) = (&*codes, self.tokens);
        if rounding == Rounding::Row {
            panel::exact(
                self.isa,
                &mut panel::Exact {
                    panel,
                    cols,
                    first_group,
                    groups,
                    row_scales,
                    x: &x.q,
                    stride: x.stride,
                    x_scales: &x.scales,
                    x_sums: &x.sums,
                    tokens,
                    out,
                },
            );
        } else {
            panel::scaled(
                self.isa,
                &mut panel::Scaled {
                    panel,
                    cols,
                    first_group,
                    groups,
                    row_scales,
                    block_scales,
                    x: &x.q,
                    stride: x.stride,
                    x_scales: &x.scales,
                    x_sums: &x.sums,
                    tokens,
                    out,
                },
            );
        }
    }
}
