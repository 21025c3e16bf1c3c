//! The bytes of the KV cache: `[page][layer][K heads, V heads]`, each head of a page as drawn in `onebit_kernels::cpu::attention`.
//! A page is contiguous, so memory is committed as pages are first used.

#![expect(unsafe_code, reason = "threads write disjoint heads")]

use half::f16;
use onebit_kernels::cpu::attention::{SLACK_BYTES, head_bytes};
use onebit_kernels::cpu::{Isa, elements};

use super::bytes::Bytes;
use super::threads::{Disjoint, Pool};
use crate::lane::activation::quantize_kv_head;
use crate::lane::{KvDtype, KvShape, LaneError, PAGE_POSITIONS, Row};

/// Positions below which storing is not worth waking threads.
const PARALLEL_ROWS: usize = 16;
/// Longest head that is rounded on the stack.
const MAX_HEAD_DIM: usize = 1024;

/// Keys or values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Keys,
    Values,
}

/// Where things lie in the cache.
#[derive(Clone, Copy)]
struct Places {
    shape: KvShape,
    head_bytes: usize,
}

impl Places {
    fn int8(self) -> bool {
        self.shape.dtype == KvDtype::Int8
    }

    fn head_at(self, layer: usize, part: Part, page: u32, kv_head: usize) -> usize {
        let KvShape { n_layers, n_kv_heads, n_pages, .. } = self.shape;
        assert!((page as usize) < n_pages && layer < n_layers && kv_head < n_kv_heads, "KV page {page}");
        let plane = (page as usize * n_layers + layer) * 2 + usize::from(part == Part::Values);
        (plane * n_kv_heads + kv_head) * self.head_bytes
    }
}

/// One KV cache.
pub(super) struct Arena {
    places: Places,
    pub(super) bytes: Bytes,
}

impl Arena {
    pub(super) fn new(shape: KvShape) -> Result<Self, LaneError> {
        if shape.head_dim > MAX_HEAD_DIM {
            return Err(LaneError::Tensor {
                tensor: "KV cache".to_owned(),
                expected: format!("at most {MAX_HEAD_DIM} elements per head"),
                found: shape.head_dim.to_string(),
            });
        }
        let head_bytes = head_bytes(shape.head_dim, shape.dtype == KvDtype::Int8);
        let len = [shape.n_pages, shape.n_layers, 2 * shape.n_kv_heads, head_bytes]
            .into_iter()
            .try_fold(1usize, usize::checked_mul)
            .and_then(|len| len.checked_add(SLACK_BYTES))
            .ok_or_else(|| LaneError::OutOfMemory { what: "KV cache".to_owned(), bytes: usize::MAX })?;
        Ok(Self { places: Places { shape, head_bytes }, bytes: Bytes::lazy(len, "KV cache")? })
    }

    pub(super) fn shape(&self) -> KvShape {
        self.places.shape
    }

    pub(super) fn int8(&self) -> bool {
        self.places.int8()
    }

    /// Where the keys or values of a head begin.
    pub(super) fn head_at(&self, layer: usize, part: Part, page: u32, kv_head: usize) -> usize {
        self.places.head_at(layer, part, page, kv_head)
    }

    /// Stores K and V `[rows, n_kv_heads * head_dim]` at their positions.
    pub(super) fn append(
        &mut self,
        isa: Isa,
        pool: &Pool,
        layer: usize,
        rows: &[Row<'_>],
        k: &[f32],
        v: &[f32],
    ) {
        let places = self.places;
        let KvShape { n_kv_heads, head_dim, .. } = places.shape;
        let width = n_kv_heads * head_dim;
        assert!(
            k.len() >= rows.len() * width && v.len() >= rows.len() * width,
            "KV heads fill their buffers"
        );
        let bytes = Disjoint::new(&mut self.bytes[..]);
        let grain = if rows.len() < PARALLEL_ROWS { 2 * n_kv_heads } else { 1 };
        pool.run(2 * n_kv_heads, grain, |_, range| {
            for unit in range {
                let (head, (part, x)) = (unit / 2, [(Part::Keys, k), (Part::Values, v)][unit % 2]);
                for (r, row) in rows.iter().enumerate() {
                    let (index, offset) =
                        (row.position as usize / PAGE_POSITIONS, row.position as usize % PAGE_POSITIONS);
                    let start = places.head_at(layer, part, row.pages[index], head);
                    // SAFETY: the keys and the values of a head are stored by one thread each, and do not overlap.
                    let page = unsafe { bytes.slice(start..start + places.head_bytes) };
                    let x = &x[r * width + head * head_dim..][..head_dim];
                    store(isa, page, part, places.int8(), offset, x);
                }
            }
        });
    }

    /// L2 norm of the cached keys of a position over all heads.
    pub(super) fn key_norm(&self, layer: usize, page: u32, offset: usize) -> f32 {
        assert!(offset < PAGE_POSITIONS, "offset in a page");
        let mut squares = 0.0f64;
        let KvShape { n_kv_heads, head_dim, .. } = self.shape();
        for head in 0..n_kv_heads {
            let start = self.head_at(layer, Part::Keys, page, head);
            let bytes = &self.bytes[start..start + self.places.head_bytes];
            let half = |at: usize| f64::from(f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32());
            for d in 0..head_dim {
                let at = d * PAGE_POSITIONS + offset;
                let key = if self.int8() {
                    f64::from(bytes[at].cast_signed()) * half(head_dim * PAGE_POSITIONS + 2 * offset)
                } else {
                    half(2 * at)
                };
                squares += key * key;
            }
        }
        squares.sqrt() as f32
    }
}

/// Stores one head of one position: keys as a column, values as a row.
fn store(isa: Isa, page: &mut [u8], part: Part, int8: bool, offset: usize, x: &[f32]) {
    let (first, step) = match part {
        Part::Keys => (offset, PAGE_POSITIONS),
        Part::Values => (offset * x.len(), 1),
    };
    if int8 {
        let mut q = [0i8; MAX_HEAD_DIM];
        let q = &mut q[..x.len()];
        let scale = quantize_kv_head(x, q);
        for (i, q) in q.iter().enumerate() {
            page[first + i * step] = q.cast_unsigned();
        }
        let at = x.len() * PAGE_POSITIONS + 2 * offset;
        page[at..at + 2].copy_from_slice(&scale.to_le_bytes());
    } else {
        let mut halves = [0; 2 * MAX_HEAD_DIM];
        let halves = &mut halves[..2 * x.len()];
        elements::halves(isa, x, halves);
        if part == Part::Values {
            page[2 * first..2 * (first + x.len())].copy_from_slice(halves);
            return;
        }
        for (i, half) in halves.as_chunks::<2>().0.iter().enumerate() {
            let at = 2 * (first + i * step);
            page[at..at + 2].copy_from_slice(half);
        }
    }
}
