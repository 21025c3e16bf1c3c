//! One transformer block: its tensors, and its forward pass as the story told in [`Graph`]. Buffers are the model's; every
//! result goes through them.

use super::ResidentError;
use super::graph::Graph;
use super::weights::{Tensors, Weight};
use crate::lane::{
    Activation, Attend, BufId, GateMul, KvAppend, KvId, Lane, LaneError, Output, Project, RmsNorm, Rope,
    RopeId, Row,
};
use crate::model::Config;
use crate::telemetry::{Phase, Telemetry};

/// Activation buffers of a model; the last word of each line is the width of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    /// Residual stream: hidden.
    pub(super) residual: BufId,
    /// Input of projections: hidden.
    pub(super) normed: BufId,
    /// Queries: n_heads * head_dim.
    pub(super) q: BufId,
    /// Keys: n_kv_heads * head_dim.
    pub(super) k: BufId,
    /// Values: n_kv_heads * head_dim.
    pub(super) v: BufId,
    /// Output of attention: n_heads * head_dim.
    pub(super) attended: BufId,
    /// Gate, then the gated product: ffn.
    pub(super) gate: BufId,
    /// Up: ffn.
    pub(super) up: BufId,
}

/// What all blocks of a step share.
pub(super) struct Step<'a> {
    pub(super) lane: &'a mut dyn Lane,
    pub(super) telemetry: &'a Telemetry,
    pub(super) config: &'a Config,
    pub(super) graph: Graph,
    pub(super) buffers: Buffers,
    pub(super) rope: RopeId,
    pub(super) kv: KvId,
    pub(super) rows: &'a [Row<'a>],
    /// KV bytes that attention of one layer reads for these rows.
    pub(super) kv_read_bytes: u64,
}

impl Step<'_> {
    /// RMSNorm of a buffer, over groups of the weight's length.
    pub(super) fn norm(&mut self, weight: Weight, x: BufId, out: BufId) -> Result<(), LaneError> {
        let op = RmsNorm { x, weight: weight.id, eps: self.config.norm_eps, out, rows: self.rows.len() };
        self.telemetry.time(Phase::Norm, weight.bytes, || self.lane.rms_norm(op))
    }

    fn project(&mut self, phase: Phase, linears: &Linears, x: BufId) -> Result<(), LaneError> {
        let rows = self.rows.len();
        self.telemetry.time(phase, linears.bytes, || {
            linears.groups.iter().try_for_each(|(activation, outputs)| {
                self.lane.project(Project { x, activation: *activation, outputs, rows })
            })
        })
    }
}

/// Matrices that share one input, grouped by how they see it (a block may mix ternary and dense weights).
struct Linears {
    groups: Vec<(Activation, Vec<Output>)>,
    bytes: u64,
}

/// One matrix of [`Linears`]: name within the block, rows, output buffer.
type Linear<'n> = (&'n str, usize, BufId);

/// One block's weights.
pub(super) struct Layer {
    attn_norm: Weight,
    qkv: Linears,
    head_norms: Option<(Weight, Weight)>,
    attn_sub_norm: Option<Weight>,
    o: Linears,
    ffn_norm: Weight,
    gate_up: Linears,
    ffn_sub_norm: Option<Weight>,
    down: Linears,
}

/// Finds the tensors of one block.
struct Block<'t, 'f, 'l> {
    tensors: &'t mut Tensors<'f, 'l>,
    prefix: String,
    graph: Graph,
}

impl Block<'_, '_, '_> {
    fn norm(&mut self, name: &str, len: usize) -> Result<Weight, ResidentError> {
        self.tensors.vector(&format!("{}{name}.weight", self.prefix), len)
    }

    fn norm_if(&mut self, wanted: bool, name: &str, len: usize) -> Result<Option<Weight>, ResidentError> {
        wanted.then(|| self.norm(name, len)).transpose()
    }

    fn linears(
        &mut self,
        cols: usize,
        accumulate: bool,
        linears: &[Linear<'_>],
    ) -> Result<Linears, ResidentError> {
        let mut result = Linears { groups: Vec::new(), bytes: 0 };
        for &(name, rows, out) in linears {
            let weight = self.tensors.matrix(&format!("{}{name}.weight", self.prefix), rows, cols)?;
            let scale = if self.graph.linear_scales {
                let scale = self.tensors.positive_values(&format!("{}{name}.scale", self.prefix), 1)?;
                scale.map_or(1.0, |scale| scale[0])
            } else {
                1.0
            };
            let activation = if weight.ternary { self.graph.ternary_activation } else { Activation::Float };
            let output = Output { weight: weight.id, out, scale, accumulate };
            match result.groups.iter_mut().find(|(of, _)| *of == activation) {
                Some((_, outputs)) => outputs.push(output),
                None => result.groups.push((activation, vec![output])),
            }
            result.bytes += weight.bytes;
        }
        Ok(result)
    }
}

impl Layer {
    /// Finds and checks the tensors of block `index`.
    pub(super) fn load(
        tensors: &mut Tensors<'_, '_>,
        config: &Config,
        graph: Graph,
        index: usize,
        to: &Buffers,
    ) -> Result<Self, ResidentError> {
        let q_width = config.n_heads * config.head_dim;
        let kv_width = config.n_kv_heads * config.head_dim;
        let (hidden, ffn) = (config.hidden, config.ffn);
        let mut block = Block { tensors, prefix: format!("blk.{index}."), graph };
        let qkv = [("attn_q", q_width, to.q), ("attn_k", kv_width, to.k), ("attn_v", kv_width, to.v)];
        let gate_up = [("ffn_gate", ffn, to.gate), ("ffn_up", ffn, to.up)];
        Ok(Layer {
            attn_norm: block.norm("attn_norm", hidden)?,
            qkv: block.linears(hidden, false, &qkv)?,
            head_norms: match graph.head_norms {
                true => Some((
                    block.norm("attn_q_norm", config.head_dim)?,
                    block.norm("attn_k_norm", config.head_dim)?,
                )),
                false => None,
            },
            attn_sub_norm: block.norm_if(graph.sub_norms, "attn_sub_norm", q_width)?,
            o: block.linears(q_width, true, &[("attn_output", hidden, to.residual)])?,
            ffn_norm: block.norm("ffn_norm", hidden)?,
            gate_up: block.linears(hidden, false, &gate_up)?,
            ffn_sub_norm: block.norm_if(graph.sub_norms, "ffn_sub_norm", ffn)?,
            down: block.linears(ffn, true, &[("ffn_down", hidden, to.residual)])?,
        })
    }

    /// Bytes of one pass over the block's weights.
    pub(super) fn bytes(&self) -> u64 {
        let head_norms = self.head_norms.map_or(0, |(q, k)| q.bytes + k.bytes);
        let norms = [Some(self.attn_norm), self.attn_sub_norm, Some(self.ffn_norm), self.ffn_sub_norm];
        let norms: u64 = norms.iter().flatten().map(|norm| norm.bytes).sum();
        let linears = [&self.qkv, &self.o, &self.gate_up, &self.down];
        head_norms + norms + linears.iter().map(|linears| linears.bytes).sum::<u64>()
    }

    /// Attention, then feed-forward, each added to the residual stream.
    pub(super) fn forward(&self, index: usize, step: &mut Step<'_>) -> Result<(), LaneError> {
        self.attention(index, step)?;
        self.feed_forward(step)
    }

    fn attention(&self, layer: usize, step: &mut Step<'_>) -> Result<(), LaneError> {
        let Buffers { residual, normed, q, k, v, attended, .. } = step.buffers;
        step.norm(self.attn_norm, residual, normed)?;
        step.project(Phase::Qkv, &self.qkv, normed)?;
        if let Some((q_norm, k_norm)) = self.head_norms {
            step.norm(q_norm, q, q)?;
            step.norm(k_norm, k, k)?;
        }
        let (rows, kv, table) = (step.rows, step.kv, step.rope);
        let Config { n_heads, n_kv_heads, head_dim, .. } = *step.config;
        step.telemetry.time(Phase::Attention, step.kv_read_bytes, || {
            step.lane.rope(Rope { x: q, table, n_heads, head_dim, rows })?;
            step.lane.rope(Rope { x: k, table, n_heads: n_kv_heads, head_dim, rows })?;
            step.lane.kv_append(KvAppend { kv, layer, k, v, rows })?;
            step.lane.attend(Attend { kv, layer, q, out: attended, n_heads, rows })
        })?;
        if let Some(norm) = self.attn_sub_norm {
            step.norm(norm, attended, attended)?;
        }
        step.project(Phase::O, &self.o, attended)
    }

    fn feed_forward(&self, step: &mut Step<'_>) -> Result<(), LaneError> {
        let Buffers { residual, normed, gate, up, .. } = step.buffers;
        step.norm(self.ffn_norm, residual, normed)?;
        step.project(Phase::GateUp, &self.gate_up, normed)?;
        let op = GateMul { gate, up, out: gate, function: step.graph.gate, rows: step.rows.len() };
        step.telemetry.time(Phase::GateUp, 0, || step.lane.gate_mul(op))?;
        if let Some(norm) = self.ffn_sub_norm {
            step.norm(norm, gate, gate)?;
        }
        step.project(Phase::Down, &self.down, gate)
    }
}
