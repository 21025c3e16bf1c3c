//! KV bytes of the reference lane and attention over them.
//! Element order: `[page][layer][K, V][offset in page][kv head][element]`; int8 scales the same without the last axis.

use half::f16;

use crate::lane::activation::{f16_from_f32, quantize_kv_head};
use crate::lane::memory::zeroed;
use crate::lane::{KvDtype, KvShape, LaneError, PAGE_POSITIONS, Row};

/// K or V.
#[derive(Clone, Copy)]
enum Part {
    Key,
    Value,
}

enum Storage {
    /// Bits of f16.
    F16(Vec<u16>),
    /// Values, and bits of the f16 scales.
    Int8(Vec<i8>, Vec<u16>),
}

/// One KV arena.
pub(super) struct Arena {
    shape: KvShape,
    storage: Storage,
}

impl Arena {
    pub(super) fn new(shape: KvShape) -> Result<Self, LaneError> {
        let heads = [shape.n_pages, shape.n_layers, 2, PAGE_POSITIONS, shape.n_kv_heads]
            .into_iter()
            .fold(1, usize::saturating_mul);
        let elements = heads.saturating_mul(shape.head_dim);
        let storage = match shape.dtype {
            KvDtype::F16 => Storage::F16(zeroed(elements, "KV cache")?),
            KvDtype::Int8 => Storage::Int8(zeroed(elements, "KV cache")?, zeroed(heads, "KV cache scales")?),
        };
        Ok(Arena { shape, storage })
    }

    pub(super) fn shape(&self) -> KvShape {
        self.shape
    }

    /// Index of a head among all heads of the arena.
    fn head(&self, layer: usize, part: Part, page: u32, offset: usize, kv_head: usize) -> usize {
        let s = &self.shape;
        assert!((page as usize) < s.n_pages && layer < s.n_layers && offset < PAGE_POSITIONS);
        let plane = (page as usize * s.n_layers + layer) * 2 + part as usize;
        (plane * PAGE_POSITIONS + offset) * s.n_kv_heads + kv_head
    }

    fn store_head(&mut self, head: usize, x: &[f32]) {
        let span = head * x.len()..(head + 1) * x.len();
        match &mut self.storage {
            Storage::F16(values) => {
                for (value, &x) in values[span].iter_mut().zip(x) {
                    *value = f16_from_f32(x).to_bits();
                }
            }
            Storage::Int8(values, scales) => {
                scales[head] = quantize_kv_head(x, &mut values[span]).to_bits();
            }
        }
    }

    fn load_head(&self, head: usize, out: &mut [f64]) {
        let span = head * out.len()..(head + 1) * out.len();
        match &self.storage {
            Storage::F16(values) => {
                for (out, &bits) in out.iter_mut().zip(&values[span]) {
                    *out = f16::from_bits(bits).to_f64();
                }
            }
            Storage::Int8(values, scales) => {
                let scale = f16::from_bits(scales[head]).to_f64();
                for (out, &value) in out.iter_mut().zip(&values[span]) {
                    *out = f64::from(value) * scale;
                }
            }
        }
    }

    /// Stores `k` and `v` `[n_kv_heads * head_dim]` at the row's position.
    pub(super) fn store(&mut self, layer: usize, at: &Row<'_>, k: &[f32], v: &[f32]) {
        let (page, offset) = locate(at.pages, at.position as usize);
        for (part, x) in [(Part::Key, k), (Part::Value, v)] {
            assert_eq!(x.len(), self.shape.n_kv_heads * self.shape.head_dim, "KV heads fill their buffer");
            for (kv_head, x) in x.chunks(self.shape.head_dim).enumerate() {
                self.store_head(self.head(layer, part, page, offset, kv_head), x);
            }
        }
    }

    /// `out = softmax(q . k / sqrt(head_dim)) v` over positions `0..=at.position`.
    pub(super) fn attend(&self, layer: usize, at: &Row<'_>, kv_head: usize, q: &[f32], out: &mut [f32]) {
        let n_positions = at.position as usize + 1;
        let mut cached = vec![0.0f64; self.shape.head_dim];
        let mut weights = Vec::with_capacity(n_positions);
        for position in 0..n_positions {
            let (page, offset) = locate(at.pages, position);
            self.load_head(self.head(layer, Part::Key, page, offset, kv_head), &mut cached);
            let dot: f64 = q.iter().zip(&cached).map(|(&q, k)| f64::from(q) * k).sum();
            weights.push(dot / (self.shape.head_dim as f64).sqrt());
        }
        let max = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for weight in &mut weights {
            *weight = (*weight - max).exp();
        }
        let total: f64 = weights.iter().sum();
        let mut sum = vec![0.0f64; self.shape.head_dim];
        for (position, weight) in weights.iter().enumerate() {
            let (page, offset) = locate(at.pages, position);
            self.load_head(self.head(layer, Part::Value, page, offset, kv_head), &mut cached);
            for (sum, v) in sum.iter_mut().zip(&cached) {
                *sum += weight * v;
            }
        }
        for (out, sum) in out.iter_mut().zip(&sum) {
            *out = (sum / total) as f32;
        }
    }

    pub(super) fn key_norm(&self, layer: usize, page: u32, offset: usize) -> f32 {
        let mut cached = vec![0.0f64; self.shape.head_dim];
        let mut squares = 0.0;
        for kv_head in 0..self.shape.n_kv_heads {
            self.load_head(self.head(layer, Part::Key, page, offset, kv_head), &mut cached);
            squares += cached.iter().map(|k| k * k).sum::<f64>();
        }
        squares.sqrt() as f32
    }
}

/// Page and offset of a position.
fn locate(pages: &[u32], position: usize) -> (u32, usize) {
    (pages[position / PAGE_POSITIONS], position % PAGE_POSITIONS)
}
