//! The forward pass, written once, over a [`Lane`](crate::lane::Lane). `graph` says how families differ, `weights` finds their
//! tensors, `loading` uploads them part by part, `layer` runs a block, `rope` makes the frequencies, `resident` holds it all. This
//! module never asks which lane it runs on, and knows nothing of requests.

mod graph;
mod layer;
mod loading;
mod resident;
mod rope;
mod weights;

use crate::lane::{KvDtype, LaneError, Row, Wanted};
use crate::model::LoadError;

pub use loading::Loading;
pub use resident::Resident;

/// What a model is loaded with.
#[derive(Debug, Clone, Copy)]
pub struct ResidentOptions {
    /// KV storage.
    pub kv_dtype: KvDtype,
    /// KV pages over all sequences.
    pub kv_pages: usize,
    /// Most rows (tokens) in one forward call.
    pub max_rows: usize,
    /// Most rows that want logits in one forward call.
    pub max_logit_rows: usize,
    /// How the LM head is kept.
    pub head: Head,
}

/// How the LM head is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Head {
    /// As the file has it, and a large one in f32, f16 or bf16 beside a copy of half the size that says which logits can be
    /// among the largest. What [`Wanted`] promises is the same to the bit as with [`Head::Exact`].
    #[default]
    Screened,
    /// As the file has it.
    Exact,
    /// Rounded to 4.5 bits a weight (Q4_0) where the file has more. Fewer bytes, other logits.
    FourBit,
}

/// One step: `tokens.len() == rows.len()`. Rows of one sequence are in ascending position, and all positions before the first
/// are cached already. Rows of several sequences may be mixed; what a row computes does not depend on the others.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Ids, each below the vocabulary size (checked).
    pub tokens: &'a [u32],
    /// Where each token stands.
    pub rows: &'a [Row<'a>],
    /// Indices of rows that want logits, ascending.
    pub logit_rows: &'a [usize],
    /// What of each of these is wanted, beside `logit_rows`; those beyond its end want all.
    pub wanted: &'a [Wanted],
}

/// Why a model could not be made resident.
#[derive(Debug, thiserror::Error)]
pub enum ResidentError {
    /// The file.
    #[error(transparent)]
    File(#[from] LoadError),
    /// The lane.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The progress callback asked for it.
    #[error("loading was cancelled")]
    Cancelled,
}

#[cfg(test)]
mod tests;
