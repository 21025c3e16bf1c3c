//! Where arithmetic happens. A lane owns weights, activations (f32 buffers), KV bytes and scratch; the forward pass in
//! `arch` calls these operations and never asks which lane it is. A lane never names a model family.
//!
//! Rules for every lane:
//! * **Row invariance.** The result of a row (one token) never depends on which rows share the call, nor on the thread
//!   count: same build, lane and prompt give the same bits.
//! * **W1.58A8 is exact.** With [`Activation::Int8PerRow`] and a ternary weight with one scale a row, the integer dot product is exact
//!   (i32/i64), and lanes agree with `lane::reference` to the bit: `out = int_dot as f32 * (act_scale * weight_scale)`. What must be equal to
//!   the bit is written once, in [`activation`].
//! * **NaN stays visible.** A NaN or infinity in a row makes what depends on it NaN, never a plausible number.

pub mod activation;
pub mod cpu;
mod memory;
pub mod reference;
mod slots;

use crate::model::{RopePairing, TensorView};

/// Handle of an uploaded weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightId(pub u32);
/// Handle of an activation buffer: f32, `[rows, width]` row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BufId(pub u32);
/// Handle of a rotary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RopeId(pub u32);
/// Handle of a KV arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KvId(pub u32);

/// Positions per KV page.
pub const PAGE_POSITIONS: usize = 64;

/// What a lane says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneInfo {
    /// `reference`, `cpu-avx512-amx`, `cpu-avx512-vnni`, `cpu-avx2`, `cpu-portable`.
    pub name: &'static str,
    /// Worker threads, the engine thread included.
    pub threads: usize,
    /// Something the user should know, e.g. that this machine lacks AVX2. Shown, never hidden.
    pub notice: Option<String>,
}

/// How a projection sees its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// W1.58A8: one scale for the whole row, by [`activation::quantize_row`]. Part of the operation's definition. Only for ternary
    /// weights. A row of weights whose blocks carry different scales is an exact integer dot product a block, then a float sum.
    Int8PerRow,
    /// The f32 values. A lane may round them to int8 in blocks of at most 256 columns for block-quantised weights
    /// (error class NMSE 5e-4); the reference lane does not.
    Float,
}

/// Storage of cached K and V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvDtype {
    /// IEEE half.
    F16,
    /// int8 with one f16 scale per (position, head), by [`activation::quantize_kv_head`].
    Int8,
}

/// Shape of a KV arena: `n_pages` pages of [`PAGE_POSITIONS`] positions, every page for all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvShape {
    /// Layers.
    pub n_layers: usize,
    /// KV heads.
    pub n_kv_heads: usize,
    /// Elements per head.
    pub head_dim: usize,
    /// Pages.
    pub n_pages: usize,
    /// Storage.
    pub dtype: KvDtype,
}

impl KvShape {
    /// Bytes of one position over all layers, K and V, scales included.
    pub fn bytes_per_position(&self) -> usize {
        let per_head = match self.dtype {
            KvDtype::F16 => 2 * self.head_dim,
            KvDtype::Int8 => self.head_dim + 2,
        };
        2 * self.n_layers * self.n_kv_heads * per_head
    }

    /// Bytes of one page.
    pub fn page_bytes(&self) -> usize {
        self.bytes_per_position() * PAGE_POSITIONS
    }
}

/// One row of a batch: where its token stands. `pages[i]` holds positions `i * PAGE_POSITIONS ..` of its sequence.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Pages of the row's sequence, long enough for `position`.
    pub pages: &'a [u32],
    /// Position of this token in its sequence.
    pub position: u32,
}

/// `out[r] = table[tokens[r]]`, as f32.
#[derive(Debug, Clone, Copy)]
pub struct Embed<'a> {
    /// Matrix `[vocab, hidden]`.
    pub table: WeightId,
    /// One id a row, each below `vocab` (checked by the caller).
    pub tokens: &'a [u32],
    /// `[rows, hidden]`.
    pub out: BufId,
}

/// `out = x * rsqrt(mean(x^2) + eps) * weight`, over each group of `weight.len()` consecutive elements of a row.
/// With `weight.len() == width` that is the whole row; with `head_dim` it is Qwen3's norm per head. `out` may be `x`.
#[derive(Debug, Clone, Copy)]
pub struct RmsNorm {
    /// Input `[rows, width]`.
    pub x: BufId,
    /// Vector of the group's length.
    pub weight: WeightId,
    /// Added to the mean square.
    pub eps: f32,
    /// Output `[rows, width]`.
    pub out: BufId,
    /// Rows in use.
    pub rows: usize,
}

/// One matrix of a [`Project`]: `out[r][m] = scale * sum_k weight[m][k] * x[r][k]`, added to `out` when `accumulate`.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Matrix `[m, k]`.
    pub weight: WeightId,
    /// `[rows, m]`.
    pub out: BufId,
    /// Extra factor (`.scale` tensors of GGUF `bitnet`), else 1.
    pub scale: f32,
    /// Add to `out` instead of overwriting it (residual connections).
    pub accumulate: bool,
}

/// Several matrices applied to one input, quantised once.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    /// Input `[rows, k]`.
    pub x: BufId,
    /// How the input is seen.
    pub activation: Activation,
    /// Matrices.
    pub outputs: &'a [Output],
    /// Rows in use.
    pub rows: usize,
}

/// How an uploaded matrix is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With the values of the file.
    Stored,
    /// Rounded to Q4_0. For rows of whole blocks of 32 columns.
    FourBit,
}

/// Which logits of a row the caller will look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// The so many largest, and every other that equals the least of these. A lane may leave any value in place of another
    /// logit as long as it is finite and below all of them, so whoever looks at the largest only sees what [`Wanted::All`] shows.
    Largest(usize),
}

/// The LM head: as a [`Project`] with one matrix, over chosen rows of `x`, overwriting.
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a> {
    /// Input `[rows, hidden]`, already normed.
    pub x: BufId,
    /// Rows of `x` that want logits; output row i belongs to `rows[i]`.
    pub rows: &'a [usize],
    /// What of each row is wanted, beside `rows`; rows beyond its end want all.
    pub wanted: &'a [Wanted],
    /// Matrix `[vocab, hidden]`.
    pub weight: WeightId,
    /// `[rows.len(), vocab]`.
    pub out: BufId,
}

impl Logits<'_> {
    /// What is wanted of output row `i`.
    pub fn wanted(&self, i: usize) -> Wanted {
        self.wanted.get(i).copied().unwrap_or(Wanted::All)
    }
}

/// How a call of [`Lane::logits`] came to its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadWork {
    /// Weight bytes read.
    pub bytes: u64,
    /// Rows for which a coarse copy of the head decided which logits to compute.
    pub screened: u64,
    /// Logits computed for these rows after the coarse pass.
    pub rescored: u64,
    /// Rows for which the coarse pass decided too little, so that all logits were computed after it.
    pub fell_back: u64,
}

/// Rotates every head of `x` `[rows, n_heads * head_dim]` in place by the position of its row.
#[derive(Debug, Clone, Copy)]
pub struct Rope<'a> {
    /// Query or key buffer.
    pub x: BufId,
    /// Table made by [`Lane::rope_table`].
    pub table: RopeId,
    /// Heads in a row.
    pub n_heads: usize,
    /// Elements per head; those beyond the table's dims stay.
    pub head_dim: usize,
    /// Positions.
    pub rows: &'a [Row<'a>],
}

/// Rotary frequencies: `inv_freq[i]` for pair i (dims / 2 of them), made in f64 by `arch`, and the factor on cos and sin (YaRN).
#[derive(Debug, Clone)]
pub struct RopeTable {
    /// Radians per position.
    pub inv_freq: Vec<f64>,
    /// Multiplies cos and sin; 1 without YaRN.
    pub magnitude: f32,
    /// Pairing.
    pub pairing: RopePairing,
    /// Positions the table must cover.
    pub positions: usize,
}

/// Stores K and V of each row at its position.
#[derive(Debug, Clone, Copy)]
pub struct KvAppend<'a> {
    /// Arena.
    pub kv: KvId,
    /// Layer.
    pub layer: usize,
    /// `[rows, n_kv_heads * head_dim]`.
    pub k: BufId,
    /// `[rows, n_kv_heads * head_dim]`.
    pub v: BufId,
    /// Positions.
    pub rows: &'a [Row<'a>],
}

/// Causal attention of each row over positions `0..=position` of its own sequence:
/// `out_h = softmax(q_h . k / sqrt(head_dim)) v`, query head h using KV head `h / (n_heads / n_kv_heads)`.
#[derive(Debug, Clone, Copy)]
pub struct Attend<'a> {
    /// Arena.
    pub kv: KvId,
    /// Layer.
    pub layer: usize,
    /// `[rows, n_heads * head_dim]`.
    pub q: BufId,
    /// `[rows, n_heads * head_dim]`.
    pub out: BufId,
    /// Query heads.
    pub n_heads: usize,
    /// Positions.
    pub rows: &'a [Row<'a>],
}

/// Gate nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `g * sigmoid(g)`.
    Silu,
    /// `max(g, 0)^2`.
    SquaredRelu,
}

/// `out = f(gate) * up`, in f32. `out` may be `gate`.
#[derive(Debug, Clone, Copy)]
pub struct GateMul {
    /// `[rows, ffn]`.
    pub gate: BufId,
    /// `[rows, ffn]`.
    pub up: BufId,
    /// `[rows, ffn]`.
    pub out: BufId,
    /// Nonlinearity.
    pub function: Gate,
    /// Rows in use.
    pub rows: usize,
}

/// Why a lane could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaneError {
    /// Not enough memory.
    #[error("{what}: {bytes} bytes could not be allocated")]
    OutOfMemory {
        /// Purpose.
        what: String,
        /// Size.
        bytes: usize,
    },
    /// A tensor has a shape or type that this operation cannot use.
    #[error("{tensor}: expected {expected}, found {found}")]
    Tensor {
        /// Tensor.
        tensor: String,
        /// Expectation.
        expected: String,
        /// Reality.
        found: String,
    },
    /// The packed bytes of a tensor hold a code that its format does not use.
    #[error("{tensor}: it holds a code that its format does not use")]
    UnusedCode {
        /// Tensor.
        tensor: String,
    },
    /// The device stopped answering.
    #[error("{lane} stopped answering during {op}")]
    Lost {
        /// Lane.
        lane: &'static str,
        /// Operation.
        op: &'static str,
    },
}

/// See the module documentation. Lives on the engine thread.
pub trait Lane: Send {
    /// Name, threads, notices.
    fn info(&self) -> &LaneInfo;

    /// Begins to copy (and repack) a weight, vector or matrix: reserves its memory. The rows follow with [`Lane::upload_rows`];
    /// no operation may use the weight before the last of them. It can be freed at any time.
    ///
    /// # Errors
    /// Out of memory, or a type this lane cannot hold.
    fn begin_upload(&mut self, tensor: &TensorView<'_>, form: Form) -> Result<WeightId, LaneError>;
    /// Copies about `rows` more rows of the tensor that the weight was begun with, so that other work fits in between. Returns how
    /// many are left, which may rise when a lane finds in the middle that it must keep the weight in another way.
    ///
    /// # Errors
    /// [`LaneError::UnusedCode`], out of memory, or values this lane cannot hold. The weight is still to be freed.
    fn upload_rows(
        &mut self,
        weight: WeightId,
        tensor: &TensorView<'_>,
        rows: usize,
    ) -> Result<usize, LaneError>;
    /// Copies a whole weight as it is; the view may be dropped afterwards.
    ///
    /// # Errors
    /// As [`Lane::begin_upload`] and [`Lane::upload_rows`]; nothing stays behind.
    fn upload(&mut self, tensor: &TensorView<'_>) -> Result<WeightId, LaneError> {
        let weight = self.begin_upload(tensor, Form::Stored)?;
        loop {
            match self.upload_rows(weight, tensor, tensor.rows) {
                Ok(0) => return Ok(weight),
                Ok(_) => {}
                Err(error) => {
                    self.free_weights(&[weight]);
                    return Err(error);
                }
            }
        }
    }
    /// Bytes this weight costs per pass over it (what decode reads).
    fn weight_bytes(&self, weight: WeightId) -> usize;
    /// Begins a coarse copy of a matrix that [`Lane::logits`] will be called with, so that [`Wanted::Largest`] reads fewer bytes.
    /// Returns the bytes of the copy, which counts as a part of the weight and is freed with it; 0 where a lane has nothing to
    /// win, as here. The rows follow with [`Lane::screen_rows`], before the next call of [`Lane::logits`] with this weight.
    ///
    /// # Errors
    /// Out of memory.
    fn begin_screen(&mut self, weight: WeightId) -> Result<usize, LaneError> {
        let _ = weight;
        Ok(0)
    }
    /// Copies about `rows` more rows into a coarse copy. Returns how many are left.
    ///
    /// # Errors
    /// Out of memory.
    fn screen_rows(&mut self, weight: WeightId, rows: usize) -> Result<usize, LaneError> {
        let _ = (weight, rows);
        Ok(0)
    }
    /// Makes a whole coarse copy, see [`Lane::begin_screen`].
    ///
    /// # Errors
    /// Out of memory.
    fn add_screen(&mut self, weight: WeightId) -> Result<usize, LaneError> {
        let bytes = self.begin_screen(weight)?;
        while bytes > 0 && self.screen_rows(weight, usize::MAX)? > 0 {}
        Ok(bytes)
    }
    /// Frees weights; their ids are invalid afterwards.
    fn free_weights(&mut self, weights: &[WeightId]);

    /// Allocates an activation buffer of `rows * width` f32, zeroed.
    ///
    /// # Errors
    /// Out of memory.
    fn alloc(&mut self, rows: usize, width: usize) -> Result<BufId, LaneError>;
    /// Frees buffers.
    fn free_bufs(&mut self, bufs: &[BufId]);
    /// Host view of the first `rows` rows of a buffer.
    fn read(&self, buf: BufId, rows: usize) -> &[f32];
    /// Writes the first rows of a buffer (tests).
    fn write(&mut self, buf: BufId, values: &[f32]);

    /// Makes a rotary table.
    ///
    /// # Errors
    /// Out of memory.
    fn rope_table(&mut self, table: &RopeTable) -> Result<RopeId, LaneError>;
    /// Frees a rotary table.
    fn free_rope(&mut self, table: RopeId);

    /// Reserves a KV arena. Memory may be committed lazily, page by page.
    ///
    /// # Errors
    /// Out of memory.
    fn kv_open(&mut self, shape: KvShape) -> Result<KvId, LaneError>;
    /// Frees a KV arena.
    fn kv_close(&mut self, kv: KvId);
    /// L2 norm of the cached K vectors at `position` of `layer`, over all heads (for the heatmap).
    fn kv_key_norm(&self, kv: KvId, layer: usize, page: u32, offset: usize) -> f32;

    /// Embedding gather.
    ///
    /// # Errors
    /// Device loss.
    fn embed(&mut self, op: Embed<'_>) -> Result<(), LaneError>;
    /// RMSNorm.
    ///
    /// # Errors
    /// Device loss.
    fn rms_norm(&mut self, op: RmsNorm) -> Result<(), LaneError>;
    /// Linear layers.
    ///
    /// # Errors
    /// Device loss.
    fn project(&mut self, op: Project<'_>) -> Result<(), LaneError>;
    /// LM head.
    ///
    /// # Errors
    /// Device loss.
    fn logits(&mut self, op: Logits<'_>) -> Result<HeadWork, LaneError>;
    /// Rotary embedding.
    ///
    /// # Errors
    /// Device loss.
    fn rope(&mut self, op: Rope<'_>) -> Result<(), LaneError>;
    /// KV append.
    ///
    /// # Errors
    /// Device loss.
    fn kv_append(&mut self, op: KvAppend<'_>) -> Result<(), LaneError>;
    /// Attention.
    ///
    /// # Errors
    /// Device loss.
    fn attend(&mut self, op: Attend<'_>) -> Result<(), LaneError>;
    /// Gated product.
    ///
    /// # Errors
    /// Device loss.
    fn gate_mul(&mut self, op: GateMul) -> Result<(), LaneError>;
}

/// A lane by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LaneChoice {
    /// The fastest this machine has.
    #[default]
    Auto,
    /// `lane::cpu`.
    Cpu,
    /// `lane::reference`: slow, exact, for comparison.
    Reference,
}

/// Opens a lane with `threads` workers (0 = one per physical core).
///
/// # Errors
/// Threads could not be started.
pub fn open(choice: LaneChoice, threads: usize) -> Result<Box<dyn Lane>, LaneError> {
    Ok(match choice {
        LaneChoice::Auto | LaneChoice::Cpu => Box::new(cpu::CpuLane::open(threads)?),
        LaneChoice::Reference => Box::new(reference::ReferenceLane::new()),
    })
}
