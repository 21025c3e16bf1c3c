//! Attention over the paged cache. Neighbouring rows of a sequence and the query heads of a KV head form a block that shares the
//! loads of keys and values. The positions of a row are cut into chunks of [`CHUNK_PAGES`] pages, each chunk gives a partial
//! softmax, and partial results are merged in order: the cut depends on the position only, so a row's result is the same
//! whether its chunks run on one thread or on several, alone or in a batch.

#![expect(unsafe_code, reason = "threads write disjoint heads of the output and their own scratch")]

use onebit_kernels::cpu::Isa;
use onebit_kernels::cpu::attention::{Chunk, chunk, out_stride, page_elements};
use onebit_kernels::cpu::panel::Memory;

use super::kv::{Arena, Part};
use super::threads::{Disjoint, Pool};
use crate::lane::{PAGE_POSITIONS, Row};

/// Pages in a chunk.
const CHUNK_PAGES: usize = 8;
const CHUNK_POSITIONS: usize = CHUNK_PAGES * PAGE_POSITIONS;
/// Queries of a block, where rows allow it: scores of a chunk fill a tenth of a second-level cache.
const BLOCK_QUERIES: usize = 48;
/// Floats of a cache line.
const LINE_FLOATS: usize = 16;
/// Most queries of a block.
const MAX_QUERIES: usize = 256;

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
    threads: Memory,
    partials: Memory,
    blocks: Vec<Block>,
}

/// Rows of the batch that share a sequence, positions ascending.
type Block = std::ops::Range<usize>;

/// Where the parts of a result lie: for each query the sum of the values, then the maxima, then the sums of the weights.
#[derive(Clone, Copy)]
struct Shape {
    queries: usize,
    head_dim: usize,
}

impl Shape {
    /// Whole cache lines, as all parts of the scratch are, so that no vector of them lies in two.
    fn result(self) -> usize {
        (self.queries * (out_stride(self.head_dim) + 2)).next_multiple_of(LINE_FLOATS)
    }

    /// Scaled queries, scores, a page, one partial and one merged result.
    fn scratch(self) -> usize {
        let scores = self.queries * CHUNK_POSITIONS;
        let queries = (self.queries * self.head_dim).next_multiple_of(LINE_FLOATS);
        let page = page_elements(self.head_dim).next_multiple_of(LINE_FLOATS);
        queries + scores + page + 2 * self.result()
    }

    /// Sums of values, maxima, sums of weights.
    fn split(self, result: &mut [f32]) -> (&mut [f32], &mut [f32], &mut [f32]) {
        let (values, rest) = result.split_at_mut(self.queries * out_stride(self.head_dim));
        let (max, sum) = rest.split_at_mut(self.queries);
        (values, max, &mut sum[..self.queries])
    }
}

fn chunks_of(row: &Row<'_>) -> usize {
    row.position as usize / CHUNK_POSITIONS + 1
}

/// Cuts the rows into blocks of at most `rows_per_block`.
fn cut(rows: &[Row<'_>], rows_per_block: usize, blocks: &mut Vec<Block>) {
    blocks.clear();
    for (i, row) in rows.iter().enumerate() {
        if let Some(block) = blocks.last_mut() {
            let last = &rows[i - 1];
            let same = std::ptr::eq(last.pages, row.pages) && last.position < row.position;
            if same && block.len() < rows_per_block {
                block.end = i + 1;
                continue;
            }
        }
        blocks.push(i..i + 1);
    }
}

impl Attention<'_> {
    /// Writes `out` `[rows, n_heads * head_dim]`.
    pub(super) fn run(&self, pool: &Pool, scratch: &mut Scratch, out: &mut [f32]) {
        assert!(self.group <= MAX_QUERIES, "query heads that share a KV head");
        let heads = self.arena.shape().n_kv_heads;
        let head_dim = self.arena.shape().head_dim;
        assert!(
            out.len() >= self.rows.len() * heads * self.group * head_dim,
            "query heads fill their buffer"
        );
        cut(self.rows, (BLOCK_QUERIES / self.group).max(1), &mut scratch.blocks);
        let blocks = &scratch.blocks[..];
        let items = blocks.len() * heads;
        let most_rows = blocks.iter().map(Block::len).max().unwrap_or(0);
        let most = Shape { queries: most_rows * self.group, head_dim };
        let most_chunks = self.rows.iter().map(chunks_of).max().unwrap_or(0);
        let threads = Disjoint::new(scratch.threads.floats(pool.threads() * most.scratch()));
        let out = Disjoint::new(out);
        if most_chunks <= 1 || items >= 4 * pool.threads() {
            // The last blocks see the most positions: first, so that threads end together.
            pool.run(items, 1, |thread, range| {
                // SAFETY: a thread has its own scratch.
                let scratch = unsafe { threads.part(thread, most.scratch()) };
                for item in range {
                    let item = items - 1 - item;
                    self.item(&blocks[item / heads], item % heads, scratch, &out);
                }
            });
            return;
        }
        let partials = Disjoint::new(scratch.partials.floats(items * most_chunks * most.result()));
        pool.run(items * most_chunks, 1, |thread, range| {
            // SAFETY: a thread has its own scratch.
            let scratch = unsafe { threads.part(thread, most.scratch()) };
            for unit in range {
                let (item, index) = (unit / most_chunks, unit % most_chunks);
                // SAFETY: each unit is given out once.
                let partial = unsafe { partials.part(unit, most.result()) };
                self.partial(&blocks[item / heads], item % heads, index, scratch, partial);
            }
        });
        // SAFETY: the threads are done; this is the only user of the scratch.
        let merged = unsafe { threads.part(0, most.scratch()) };
        for item in 0..items {
            let block = &blocks[item / heads];
            let shape = self.shape(block);
            start(shape, merged);
            for index in 0..most_chunks {
                // SAFETY: as above.
                let partial = unsafe { partials.part(item * most_chunks + index, most.result()) };
                self.merge(block, index, merged, partial);
            }
            self.finish(block, item % heads, merged, &out);
        }
    }

    fn shape(&self, block: &Block) -> Shape {
        Shape { queries: block.len() * self.group, head_dim: self.arena.shape().head_dim }
    }

    /// The rows of a block that see chunk `index`: its last ones.
    fn rows_in(&self, block: &Block, index: usize) -> Block {
        let unseen = block.clone().take_while(|&row| chunks_of(&self.rows[row]) <= index).count();
        block.start + unseen..block.end
    }

    /// One block and one KV head: all chunks, one after the other.
    fn item(&self, block: &Block, kv_head: usize, scratch: &mut [f32], out: &Disjoint<'_, f32>) {
        let shape = self.shape(block);
        let (merged, scratch) = scratch.split_at_mut(shape.result());
        let (partial, scratch) = scratch.split_at_mut(shape.result());
        start(shape, merged);
        for index in 0..chunks_of(&self.rows[block.end - 1]) {
            self.partial(block, kv_head, index, scratch, partial);
            self.merge(block, index, merged, partial);
        }
        self.finish(block, kv_head, merged, out);
    }

    /// One chunk of the rows of a block that see it.
    fn partial(&self, block: &Block, kv_head: usize, index: usize, scratch: &mut [f32], result: &mut [f32]) {
        let rows = self.rows_in(block, index);
        let Some(last) = rows.clone().next_back().map(|row| &self.rows[row]) else { return };
        let shape = self.shape(&rows);
        let first_page = index * CHUNK_PAGES;
        let first_position = first_page * PAGE_POSITIONS;
        let seen = |row: usize| (self.rows[row].position as usize + 1 - first_position).min(CHUNK_POSITIONS);
        let n_pages = seen(rows.end - 1).div_ceil(PAGE_POSITIONS);
        let (mut keys, mut values) = ([0; CHUNK_PAGES], [0; CHUNK_PAGES]);
        for (i, &page) in last.pages[first_page..first_page + n_pages].iter().enumerate() {
            keys[i] = self.arena.head_at(self.layer, Part::Keys, page, kv_head);
            values[i] = self.arena.head_at(self.layer, Part::Values, page, kv_head);
        }
        let width = self.group * shape.head_dim;
        let (q, rest) = scratch.split_at_mut((shape.queries * shape.head_dim).next_multiple_of(LINE_FLOATS));
        let (scores, rest) = rest.split_at_mut(shape.queries * CHUNK_POSITIONS);
        let scale = 1.0 / (shape.head_dim as f32).sqrt();
        let mut positions = [0; MAX_QUERIES];
        for (i, row) in rows.clone().enumerate() {
            let at = (row * self.arena.shape().n_kv_heads + kv_head) * width;
            for (scaled, &q) in q[i * width..(i + 1) * width].iter_mut().zip(&self.q[at..at + width]) {
                *scaled = q * scale;
            }
            positions[i * self.group..(i + 1) * self.group].fill(seen(row));
        }
        let (out, max, sum) = shape.split(result);
        chunk(
            self.isa,
            &mut Chunk {
                arena: &self.arena.bytes,
                keys: &keys[..n_pages],
                values: &values[..n_pages],
                int8: self.arena.int8(),
                head_dim: shape.head_dim,
                positions: &positions[..shape.queries],
                q,
                scores,
                page: &mut rest[..page_elements(shape.head_dim)],
                out,
                max,
                sum,
            },
        );
    }

    /// Adds the partial softmax of chunk `index` to `merged`, both rescaled to the larger maximum.
    fn merge(&self, block: &Block, index: usize, merged: &mut [f32], partial: &mut [f32]) {
        let rows = self.rows_in(block, index);
        let first = (rows.start - block.start) * self.group;
        let stride = out_stride(self.arena.shape().head_dim);
        let (values, max, sum) = self.shape(block).split(merged);
        let (new_values, new_max, new_sum) = self.shape(&rows).split(partial);
        let (values, max, sum) = (&mut values[first * stride..], &mut max[first..], &mut sum[first..]);
        for (query, (values, new_values)) in
            values.chunks_exact_mut(stride).zip(new_values.chunks_exact(stride)).enumerate()
        {
            let larger = max[query].max(new_max[query]);
            let (old, new) = ((max[query] - larger).exp(), (new_max[query] - larger).exp());
            max[query] = larger;
            sum[query] = sum[query] * old + new_sum[query] * new;
            for (value, new_value) in values.iter_mut().zip(new_values) {
                *value = *value * old + new_value * new;
            }
        }
    }

    fn finish(&self, block: &Block, kv_head: usize, merged: &mut [f32], out: &Disjoint<'_, f32>) {
        let shape = self.shape(block);
        let (values, _, sum) = shape.split(merged);
        let width = self.group * shape.head_dim;
        for (i, row) in block.clone().enumerate() {
            // SAFETY: each row and KV head belongs to one item, and an item to one thread.
            let out = unsafe { out.part(row * self.arena.shape().n_kv_heads + kv_head, width) };
            for (head, out) in out.chunks_exact_mut(shape.head_dim).enumerate() {
                let query = i * self.group + head;
                let inverse = 1.0 / sum[query];
                for (out, value) in out.iter_mut().zip(&values[query * out_stride(shape.head_dim)..]) {
                    *out = value * inverse;
                }
            }
        }
    }
}

fn start(shape: Shape, merged: &mut [f32]) {
    let (values, max, sum) = shape.split(merged);
    values.fill(0.0);
    max.fill(f32::NEG_INFINITY);
    sum.fill(0.0);
}
