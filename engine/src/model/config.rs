//! The numbers that define a graph, read and validated once.

/// Which forward pass a model uses (formats.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Plain Llama graph: TriLM, Falcon-E, SmolLM2.
    Llama,
    /// Llama graph with RMSNorm per head on q and k before RoPE: Bonsai.
    Qwen3,
    /// First BitNet family: SwiGLU with sub-norms (GGUF `bitnet`).
    BitNet,
    /// BitNet b1.58 2B-4T: squared-ReLU gate with sub-norms (GGUF `bitnet-b1.58`, `bitnet-25`, .h1b).
    BitNetB158,
}

/// Which elements of a head a rotation pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairing {
    /// (2i, 2i+1): llama-architecture GGUFs.
    Interleaved,
    /// (i, i + dims/2): bitnet and qwen3.
    SplitHalf,
}

/// Context extension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// None.
    None,
    /// Positions divided by `factor`.
    Linear {
        /// Divisor.
        factor: f32,
    },
    /// YaRN (arXiv 2309.00071).
    Yarn {
        /// Extension factor.
        factor: f32,
        /// Context the model was trained at.
        original_context: usize,
    },
}

/// Rotary embedding parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeConfig {
    /// Base of the frequencies.
    pub theta: f32,
    /// Rotated elements per head.
    pub dims: usize,
    /// Pairing.
    pub pairing: RopePairing,
    /// Context extension.
    pub scaling: RopeScaling,
}

/// Validated shape of a model. All counts are positive; `n_heads % n_kv_heads == 0`; `rope.dims` is even and at most `head_dim`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Graph.
    pub family: Family,
    /// `general.architecture` of the file, or `bitnet-b1.58` for .h1b.
    pub arch: String,
    /// `general.name`, or the file stem.
    pub name: String,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Residual width.
    pub hidden: usize,
    /// Feed-forward width.
    pub ffn: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements per head (`n_heads * head_dim` may differ from `hidden`).
    pub head_dim: usize,
    /// Vocabulary size.
    pub vocab: usize,
    /// Longest context the file allows, in tokens.
    pub context_length: usize,
    /// RMSNorm epsilon.
    pub norm_eps: f32,
    /// Rotary embedding.
    pub rope: RopeConfig,
    /// Whether logits come from the embedding (no `output.weight`).
    pub tied_head: bool,
}
