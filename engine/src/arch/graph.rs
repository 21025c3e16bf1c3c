//! What distinguishes one model family's transformer block from another: the whole difference, as data. `layer` runs the
//! block, `weights` finds its tensors; neither asks for a family's name.

use crate::lane::{Activation, Gate};
use crate::model::Family;

/// One family's block. Every block is
///
/// ```text
/// n = norm(x)            q, k, v = Wq n, Wk n, Wv n          q, k = rope(head_norm(q)), rope(head_norm(k))
/// x += Wo sub_norm(attention(q, k, v))
/// n = norm(x)            x += Wdown sub_norm(gate(Wgate n) * Wup n)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Graph {
    /// RMSNorm per head on q and k before the rotation.
    pub(super) head_norms: bool,
    /// RMSNorm of the attention output before `attn_output`, and of the gated product before `ffn_down`.
    pub(super) sub_norms: bool,
    /// Nonlinearity of the gate.
    pub(super) gate: Gate,
    /// How ternary weights see their input. Dense weights always see f32.
    pub(super) ternary_activation: Activation,
    /// Whether a linear may have a `.scale` tensor of one element that multiplies its output.
    pub(super) linear_scales: bool,
    /// Whether the file may have an LM head of its own; otherwise the embedding always is the head.
    pub(super) own_head: bool,
    /// Whether the file may have `rope_freqs.weight`, divisors of the rotary frequencies.
    pub(super) rope_factors: bool,
}

impl Graph {
    /// The block of a family.
    pub(super) const fn of(family: Family) -> Self {
        /// Plain Llama; also TriLM and Falcon-E.
        const LLAMA: Graph = Graph {
            head_norms: false,
            sub_norms: false,
            gate: Gate::Silu,
            ternary_activation: Activation::Float,
            linear_scales: false,
            own_head: true,
            rope_factors: true,
        };
        match family {
            Family::Llama => LLAMA,
            Family::Qwen3 => Graph { head_norms: true, rope_factors: false, ..LLAMA },
            Family::BitNet => Graph {
                sub_norms: true,
                ternary_activation: Activation::Int8PerRow,
                linear_scales: true,
                own_head: false,
                rope_factors: false,
                ..LLAMA
            },
            Family::BitNetB158 => Graph {
                sub_norms: true,
                gate: Gate::SquaredRelu,
                ternary_activation: Activation::Int8PerRow,
                rope_factors: false,
                ..LLAMA
            },
        }
    }
}
