//! Attention over the paged cache. The positions of a row are cut into chunks of [`CHUNK_PAGES`] pages, each chunk gives a partial
//! softmax, and partial results are merged in order: the cut depends on the position only, so a row's result is the same
//! whether its chunks run on one thread or on several, alone or in a batch.

#![expect(unsafe_code, reason = "threads write disjoint heads of the output and their own scratch")]

use onebit_kernels::cpu::Isa;
use onebit_kernels::cpu::attention::{Chunk, chunk, out_stride};

use super::kv::{Arena, Part};
use super::threads::{Disjoint, Pool};
use crate::lane::{PAGE_POSITIONS, Row};

/// Pages in a chunk.
const CHUNK_PAGES: usize = 8;
const CHUNK_POSITIONS: usize = CHUNK_PAGES * PAGE_POSITIONS;

/// One attention operation; `group` query heads share a KV head.
pub(super) struct Attention<'a> {
    pub(super) isa: Isa,
    pub(super) arena: &'a Arena,
    pub(super) layer: usize,
    pub(super) q: &'a [f32],
    pub(super) rows: &'a [Row<'a>],
    pub(super) group: usize,
}

/// Buffers that grow to the largest need and stay.
#[derive(Default)]
pub(super) struct Scratch {
    threads: Vec<f32>,
    partials: Vec<f32>,
}

/// Where the parts of a result lie: sums of the values, then maxima, then sums of the weights.
#[derive(Clone, Copy)]
struct Shape {
    group: usize,
    head_dim: usize,
}

impl Shape {
    fn result(self) -> usize {
        self.group * (out_stride(self.head_dim) + 2)
    }

    /// Scaled queries, scores, one partial and one merged result.
    fn scratch(self) -> usize {
        self.group * (self.head_dim + CHUNK_POSITIONS) + 2 * self.result()
    }
}

fn chunks_of(row: &Row<'_>) -> usize {
    row.position as usize / CHUNK_POSITIONS + 1
}

impl Attention<'_> {
    /// Writes `out` `[rows, n_heads * head_dim]`.
    pub(super) fn run(&self, pool: &Pool, scratch: &mut Scratch, out: &mut [f32]) {
        let heads = self.arena.shape().n_kv_heads;
        let items = self.rows.len() * heads;
        let shape = Shape { group: self.group, head_dim: self.arena.shape().head_dim };
        let most_chunks = self.rows.iter().map(chunks_of).max().unwrap_or(0);
        grow(&mut scratch.threads, pool.threads() * shape.scratch());
        let threads = Disjoint::new(&mut scratch.threads);
        let width = self.group * shape.head_dim;
        assert!(out.len() >= items * width, "query heads fill their buffer");
        let out = Disjoint::new(out);
        if most_chunks <= 1 || items >= 4 * pool.threads() {
            pool.run(items, 1, |thread, range| {
                // SAFETY: a thread has its own scratch.
                let scratch = unsafe { threads.part(thread, shape.scratch()) };
                for item in range {
                    // SAFETY: each item is given out once.
                    self.item(shape, item, scratch, unsafe { out.part(item, width) });
                }
            });
            return;
        }
        grow(&mut scratch.partials, items * most_chunks * shape.result());
        let partials = Disjoint::new(&mut scratch.partials);
        pool.run(items * most_chunks, 1, |thread, range| {
            // SAFETY: a thread has its own scratch.
            let scratch = unsafe { threads.part(thread, shape.scratch()) };
            for unit in range {
                let (item, index) = (unit / most_chunks, unit % most_chunks);
                if index < chunks_of(&self.rows[item / heads]) {
                    // SAFETY: each unit is given out once.
                    self.partial(shape, item, index, scratch, unsafe { partials.part(unit, shape.result()) });
                }
            }
        });
        for item in 0..items {
            // SAFETY: the threads are done; this is the only user of its scratch, the partial results and the output.
            let (scratch, out) = unsafe { (threads.part(0, shape.result()), out.part(item, width)) };
            start(shape, scratch);
            for index in 0..chunks_of(&self.rows[item / heads]) {
                // SAFETY: as above.
                merge(shape, scratch, unsafe { partials.part(item * most_chunks + index, shape.result()) });
            }
            finish(shape, scratch, out);
        }
    }

    /// One row and one KV head: all chunks, one after the other.
    fn item(&self, shape: Shape, item: usize, scratch: &mut [f32], out: &mut [f32]) {
        let (scratch, results) = scratch.split_at_mut(shape.scratch() - 2 * shape.result());
        let (partial, merged) = results.split_at_mut(shape.result());
        start(shape, merged);
        for index in 0..chunks_of(&self.rows[item / self.arena.shape().n_kv_heads]) {
            self.partial(shape, item, index, scratch, partial);
            merge(shape, merged, partial);
        }
        finish(shape, merged, out);
    }

    /// One chunk of one row and one KV head.
    fn partial(&self, shape: Shape, item: usize, index: usize, scratch: &mut [f32], result: &mut [f32]) {
        let (row, kv_head) = (item / self.arena.shape().n_kv_heads, item % self.arena.shape().n_kv_heads);
        let at = &self.rows[row];
        let first_page = index * CHUNK_PAGES;
        let positions = (at.position as usize + 1 - first_page * PAGE_POSITIONS).min(CHUNK_POSITIONS);
        let n_pages = positions.div_ceil(PAGE_POSITIONS);
        let (mut keys, mut values) = ([0; CHUNK_PAGES], [0; CHUNK_PAGES]);
        for (i, &page) in at.pages[first_page..first_page + n_pages].iter().enumerate() {
            keys[i] = self.arena.head_at(self.layer, Part::Keys, page, kv_head);
            values[i] = self.arena.head_at(self.layer, Part::Values, page, kv_head);
        }
        let width = shape.group * shape.head_dim;
        let (q, rest) = scratch.split_at_mut(width);
        let scale = 1.0 / (shape.head_dim as f32).sqrt();
        for (scaled, &q) in q.iter_mut().zip(&self.q[item * width..(item + 1) * width]) {
            *scaled = q * scale;
        }
        let (out, rest_of_result) = result.split_at_mut(shape.group * out_stride(shape.head_dim));
        let (max, sum) = rest_of_result.split_at_mut(shape.group);
        // A group is a handful of heads; the array bounds it without an allocation.
        let mut each = [0; MAX_GROUP_HEADS];
        each[..shape.group].fill(positions);
        chunk(
            self.isa,
            &mut Chunk {
                arena: &self.arena.bytes,
                keys: &keys[..n_pages],
                values: &values[..n_pages],
                int8: self.arena.int8(),
                head_dim: shape.head_dim,
                positions: &each[..shape.group],
                q,
                scores: &mut rest[..shape.group * n_pages * PAGE_POSITIONS],
                out,
                max,
                sum,
            },
        );
    }
}

/// Query heads that may share a KV head.
const MAX_GROUP_HEADS: usize = 256;

fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}

fn start(shape: Shape, merged: &mut [f32]) {
    merged[..shape.result()].fill(0.0);
    let max_at = shape.group * out_stride(shape.head_dim);
    merged[max_at..max_at + shape.group].fill(f32::NEG_INFINITY);
}

/// Adds a partial softmax to `merged`, both rescaled to the larger maximum.
fn merge(shape: Shape, merged: &mut [f32], partial: &[f32]) {
    let stride = out_stride(shape.head_dim);
    let max_at = shape.group * stride;
    let sum_at = max_at + shape.group;
    for head in 0..shape.group {
        let max = merged[max_at + head].max(partial[max_at + head]);
        let (old, new) = ((merged[max_at + head] - max).exp(), (partial[max_at + head] - max).exp());
        merged[max_at + head] = max;
        merged[sum_at + head] = merged[sum_at + head] * old + partial[sum_at + head] * new;
        let span = head * stride..head * stride + shape.head_dim;
        for (merged, partial) in merged[span.clone()].iter_mut().zip(&partial[span]) {
            *merged = *merged * old + partial * new;
        }
    }
}

fn finish(shape: Shape, merged: &[f32], out: &mut [f32]) {
    let stride = out_stride(shape.head_dim);
    let sum_at = shape.group * (stride + 1);
    for (head, out) in out.chunks_exact_mut(shape.head_dim).enumerate() {
        let inverse = 1.0 / merged[sum_at + head];
        for (out, merged) in out.iter_mut().zip(&merged[head * stride..]) {
            *out = merged * inverse;
        }
    }
}
