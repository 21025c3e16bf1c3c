//! Products of many tokens with ternary weights by looking sums up, see `onebit_kernels::cpu::ternary::many`. A unit is a slab of
//! rows, which may span matrices, against a few blocks of tokens: it makes the tables of its blocks itself, in its first-level
//! cache, so slabs are as high as the second-level cache and the number of threads allow.

#![expect(unsafe_code, reason = "threads write disjoint columns of the outputs")]

use onebit_kernels::cpu::panel::Memory;
use onebit_kernels::cpu::ternary::many::{BLOCK_TOKENS, Many, Part, many};

use super::super::rounded::Rounding;
use super::super::weights::{Layout, Scales, Ternary};
use super::{Inputs, Matrix, Product, ternary_rounding};
use crate::lane::Activation;

/// Most groups of a slab, and most blocks of a unit: the sums and codes of both fill a second-level cache of 1 MB.
const SLAB_GROUPS: usize = 160;
const UNIT_BLOCKS: usize = 4;
/// Units that a thread should have at least, so that none waits long for another.
const THREAD_UNITS: usize = 2;

impl Inputs {
    /// Whether a matrix is looked up for `tokens` rows of activations: one scale a row, few empty places in the blocks, and a machine
    /// that looks up faster than it multiplies.
    fn looks_up(&self, tokens: usize, weights: &Ternary, activation: Activation) -> bool {
        let places = tokens.next_multiple_of(BLOCK_TOKENS);
        self.looks_up && ternary_rounding(weights, activation) == Rounding::Row && 4 * places <= 5 * tokens
    }
}

/// How rows and tokens are cut into units.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Plan {
    /// Groups of all matrices that are looked up, one after the other.
    groups: usize,
    /// Groups are cut into so many slabs of nearly the same height.
    slabs: usize,
    /// Blocks of a unit.
    blocks: usize,
    /// Units that share a slab.
    spans: usize,
}

/// How the matrices among `matrices` that are looked up are cut.
pub(super) fn plan(
    inputs: &Inputs,
    threads: usize,
    tokens: usize,
    activation: Activation,
    matrices: &[Option<Matrix<'_>>],
) -> Plan {
    let groups = matrices.iter().flatten().filter_map(|matrix| match &matrix.weight.layout {
        Layout::Ternary(weights) => {
            inputs.looks_up(tokens, weights, activation).then(|| matrix.weight.groups())
        }
        _ => None,
    });
    Plan::new(groups.sum(), tokens, threads)
}

impl Plan {
    /// High slabs come first, since every slab makes its own tables; then many blocks a unit, which share the codes.
    fn new(groups: usize, tokens: usize, threads: usize) -> Self {
        if groups == 0 {
            return Self::default();
        }
        let (all_blocks, wanted) = (tokens.div_ceil(BLOCK_TOKENS), THREAD_UNITS * threads);
        let slabs = groups.div_ceil(SLAB_GROUPS);
        let blocks = (slabs * all_blocks / wanted).clamp(1, UNIT_BLOCKS);
        let spans = all_blocks.div_ceil(blocks);
        Self { groups, slabs: slabs.max(wanted.div_ceil(spans)).min(groups), blocks, spans }
    }

    pub(super) fn units(&self) -> usize {
        self.slabs * self.spans
    }
}

impl Product<'_> {
    /// The weights of a matrix that is looked up.
    pub(super) fn looked_up<'a>(&self, matrix: &Matrix<'a>) -> Option<&'a Ternary> {
        match &matrix.weight.layout {
            Layout::Ternary(weights) => {
                self.inputs.looks_up(self.tokens, weights, self.activation).then_some(weights)
            }
            _ => None,
        }
    }

    /// A slab of the rows of `matrices` against a span of tokens.
    pub(super) fn many_unit(
        &self,
        matrices: &[Option<Matrix<'_>>],
        plan: Plan,
        unit: usize,
        memory: &mut Memory,
    ) {
        // Units that follow each other share the codes of a slab in the last-level cache.
        let (slab, span) = (unit / plan.spans, unit % plan.spans);
        let slab = plan.groups * slab / plan.slabs..plan.groups * (slab + 1) / plan.slabs;
        // SAFETY: each group of a matrix belongs to one slab, each token to one span, and a pair of them to one thread.
        let outputs: Vec<_> = matrices.iter().flatten().map(|matrix| unsafe { matrix.outputs() }).collect();
        let mut parts = Vec::with_capacity(outputs.len());
        let mut first = 0;
        for (matrix, out) in matrices.iter().flatten().zip(&outputs) {
            let Some(weights) = self.looked_up(matrix) else { continue };
            let Scales::Rows(row_scales) = &weights.scales else {
                unreachable!("weights with scales of blocks are not looked up")
            };
            let here = slab.start.max(first)..slab.end.min(first + matrix.weight.groups());
            if !here.is_empty() {
                parts.push(Part {
                    matrix: weights.matrix(),
                    first_group: here.start - first,
                    groups: here.len(),
                    row_scales,
                    out,
                });
            }
            first += matrix.weight.groups();
        }
        let block = span * plan.blocks;
        let (columns, widen) = self.inputs.columns.from(block);
        let first_token = block * BLOCK_TOKENS;
        let tokens = (plan.blocks * BLOCK_TOKENS).min(self.tokens - first_token);
        let x_scales = &self.inputs.get(Rounding::Row).scales;
        many(self.isa, &mut Many { parts: &parts, columns, widen, first_token, tokens, x_scales, memory });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_and_block_belongs_to_one_unit_and_threads_have_work() {
        for groups in [1, 3, 40, 160, 161, 864] {
            for tokens in [32, 256, 260, 512] {
                for threads in [1, 2, 3, 16, 64] {
                    let plan = Plan::new(groups, tokens, threads);
                    let edges: Vec<usize> = (0..=plan.slabs).map(|i| plan.groups * i / plan.slabs).collect();
                    assert!(edges.windows(2).all(|edge| edge[0] < edge[1]) && edges[plan.slabs] == groups);
                    let blocks = tokens.div_ceil(BLOCK_TOKENS);
                    assert!((plan.spans - 1) * plan.blocks < blocks && blocks <= plan.spans * plan.blocks);
                    let wanted = (THREAD_UNITS * threads).min(groups * blocks);
                    assert!(
                        plan.units() >= wanted,
                        "{groups} groups, {tokens} tokens: {plan:?} for {threads}"
                    );
                }
            }
        }
    }
}
