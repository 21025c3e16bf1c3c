//! The loops of `tiled::exact`. 32 tokens and two groups share four tiles of sums, for which two tiles of activations and two of
//! weights are loaded for each 64 columns: from the second-level cache, which delivers nearly as fast as the unit multiplies.
//!
//! Everything else is done between the products, where it costs little: the first pass over a panel of weights expands it a few
//! steps ahead, later passes ask for the codes that come next, and each pass stores the results of the one before, whose
//! cache lines it had asked for. Long rows of activations do not stay in that cache: each pass asks for a part of the next.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

use super::super::simd::Simd;
use super::super::ternary::{self, BLOCK_BYTES, BLOCK_COLS, EXPAND_COLS, Packing};
use super::super::tiled::{LONG_COLS, Product, TILE_BYTES, TILE_COLS, TILE_TOKENS};
use super::super::{GROUP_ROWS, Isa};
use super::tiles::Tiles;

/// Steps of 64 columns of a panel, at most: a group of 40 steps is 40 KB, a small part of a second-level cache of 2 MB.
const MOST_STEPS: usize = LONG_COLS / TILE_COLS;
/// Steps that five-bit codes are expanded at a time, and that expansion is ahead of the products.
const SEGMENT_STEPS: usize = EXPAND_COLS / TILE_COLS;
/// Blocks of two-bit codes in a step.
const STEP_BLOCKS: usize = TILE_COLS / BLOCK_COLS;
/// Sums of a tile.
const TILE_SUMS: usize = TILE_TOKENS * GROUP_ROWS;
/// Sums of a pass: two tiles of tokens times two groups.
const PASS_SUMS: usize = 4 * TILE_SUMS;
const LINE_BYTES: usize = 64;

const _: () = assert!(TILE_BYTES == TILE_COLS * GROUP_ROWS, "tiles of both operands");

/// What all passes share.
struct Work<'a> {
    isa: Isa,
    d: &'a Product<'a>,
    /// Steps of the matrix.
    steps: usize,
    /// Steps between groups of the panel.
    panel_steps: usize,
    /// `[groups, panel_steps]` tiles of weights.
    panel: *mut u8,
    /// Sums of passes.
    sums: *mut i32,
}

/// Columns that are in the panel at the same time.
#[derive(Clone, Copy)]
struct Block {
    /// First step.
    first: usize,
    steps: usize,
    /// Whether no columns come after it.
    last: bool,
}

/// Up to 32 tokens and two groups.
#[derive(Clone, Copy)]
struct Pass {
    token: usize,
    /// Real tokens.
    tokens: usize,
    /// First group in the panel.
    group: usize,
    groups: usize,
    /// Where its sums lie.
    slot: usize,
}

/// Codes to ask for: `streams` runs of `lines`.
struct Ahead {
    at: *const u8,
    /// Of the run that `at` lies in.
    lines_left: usize,
    lines: usize,
    /// Bytes from the end of a run to the next.
    gap: usize,
    left: usize,
    /// Lines for each step.
    quota: usize,
}

/// See `tiled::exact`.
///
/// # Safety
/// The product was checked, tiles are configured, the instruction set is present.
#[inline(always)]
pub(super) unsafe fn exact<T: Tiles, S: Simd>(tiles: &mut T, isa: Isa, d: &mut Product<'_>) {
    let steps = d.steps();
    if steps == 0 || d.tokens == 0 || d.groups == 0 {
        return;
    }
    let blocks = steps.div_ceil(MOST_STEPS);
    let panel_steps = steps.div_ceil(blocks).next_multiple_of(SEGMENT_STEPS);
    let panel_bytes = d.groups * panel_steps * TILE_BYTES;
    let group_pairs = d.groups.div_ceil(2);
    let passes = d.tokens.div_ceil(2 * TILE_TOKENS) * group_pairs;
    // Sums of one block of columns are stored while the next pass runs; with several blocks all wait for the last one.
    let slots = if steps <= panel_steps { 2 } else { passes };
    let memory = d.memory.bytes(panel_bytes + slots * PASS_SUMS * size_of::<i32>()).as_mut_ptr();
    // SAFETY: the memory has room for the panel and, behind it on a cache line, for the sums; the rest are the caller's promises.
    unsafe {
        let sums = memory.add(panel_bytes).cast();
        let work = Work { isa, d, steps, panel_steps, panel: memory, sums };
        let mut done = None;
        for first in (0..steps).step_by(panel_steps) {
            let block =
                Block { first, steps: panel_steps.min(steps - first), last: first + panel_steps >= steps };
            let mut ahead = work.ahead(block, passes);
            for n in 0..passes {
                let (pair, group) = (n / group_pairs, n % group_pairs * 2);
                let token = pair * 2 * TILE_TOKENS;
                let pass = Pass {
                    token,
                    tokens: (d.tokens - token).min(2 * TILE_TOKENS),
                    group,
                    groups: (d.groups - group).min(2),
                    slot: n % slots,
                };
                match (pass.tokens > TILE_TOKENS, pass.groups) {
                    (true, 2) => work.pass::<T, S, 2, 2>(tiles, block, pass, done, &mut ahead),
                    (true, _) => work.pass::<T, S, 2, 1>(tiles, block, pass, done, &mut ahead),
                    (false, 2) => work.pass::<T, S, 1, 2>(tiles, block, pass, done, &mut ahead),
                    (false, _) => work.pass::<T, S, 1, 1>(tiles, block, pass, done, &mut ahead),
                }
                done = block.last.then_some(pass);
            }
        }
        work.store_rows::<S>(done, 0);
    }
}

impl Work<'_> {
    /// One pass over a block of columns; meanwhile the results of `done` are stored.
    #[inline(always)]
    unsafe fn pass<T: Tiles, S: Simd, const M: usize, const G: usize>(
        &self,
        tiles: &mut T,
        block: Block,
        pass: Pass,
        done: Option<Pass>,
        ahead: &mut Ahead,
    ) {
        // SAFETY: the panel holds the groups of the pass, the activations its tokens in whole tiles, the sums its slot.
        unsafe {
            let group_bytes = self.panel_steps * TILE_BYTES;
            let panel = self.panel.add(pass.group * group_bytes);
            let row_bytes = self.steps * TILE_BYTES;
            let x = self.d.x.as_ptr().add(pass.token / TILE_TOKENS * row_bytes + block.first * TILE_BYTES);
            let sums = self.sums.add(pass.slot * PASS_SUMS);
            let next_x = (self.steps > self.panel_steps).then(|| self.next_activations(block, pass));
            let expands = pass.token == 0;
            if expands {
                for step in 0..SEGMENT_STEPS.min(block.steps) {
                    self.expand::<S>(block, pass, step);
                }
            }
            begin::<T, M, G>(tiles, (block.first > 0).then_some(sums));
            for step in 0..block.steps {
                let (x, panel) = (x.add(step * TILE_BYTES), panel.add(step * TILE_BYTES));
                tiles.load_b::<0>(panel);
                tiles.load_a::<0>(x, TILE_COLS);
                tiles.dot::<0, 0>();
                if G == 2 {
                    tiles.load_b::<1>(panel.add(group_bytes));
                    tiles.dot::<0, 1>();
                }
                if expands {
                    self.expand::<S>(block, pass, step + SEGMENT_STEPS);
                } else {
                    ahead.ask(tiles);
                }
                if let Some(next) = next_x {
                    self.ask_for_activations(tiles, next.wrapping_add(step * TILE_BYTES), pass.group / 2);
                }
                if let Some(done) = done.filter(|done| step < done.tokens) {
                    self.store_row::<S>(done, step);
                }
                if block.last && step < pass.tokens {
                    for group in pass.group..pass.group + G {
                        tiles.ask_to_write(
                            self.d.out.at(pass.token + step, self.d.first_group + group).cast(),
                        );
                    }
                }
                if M == 2 {
                    tiles.load_a::<1>(x.add(row_bytes), TILE_COLS);
                    tiles.dot::<1, 0>();
                    if G == 2 {
                        tiles.dot::<1, 1>();
                    }
                }
            }
            end::<T, M, G>(tiles, sums);
            self.store_rows::<S>(done, block.steps);
        }
    }

    /// The activations of the passes after those of the same tokens: of the next tokens, or of the first of the next block.
    fn next_activations(&self, block: Block, pass: Pass) -> *const i8 {
        let token = pass.token + 2 * TILE_TOKENS;
        let (token, first) = match token < self.d.tokens {
            true => (token, block.first),
            false => (0, if block.last { 0 } else { block.first + block.steps }),
        };
        self.d.x.as_ptr().wrapping_add((token / TILE_TOKENS * self.steps + first) * TILE_BYTES)
    }

    /// Asks for part `part` of a step of two tiles of activations, of as many parts as there are pairs of groups.
    #[inline(always)]
    fn ask_for_activations(&self, tiles: &mut impl Tiles, step: *const i8, part: usize) {
        let lines = (2 * TILE_TOKENS).div_ceil(self.d.groups.div_ceil(2));
        for line in part * lines..((part + 1) * lines).min(2 * TILE_TOKENS) {
            let tile = line / TILE_TOKENS * self.steps * TILE_BYTES;
            tiles.ask_to_read(step.wrapping_add(tile + line % TILE_TOKENS * LINE_BYTES).cast());
        }
    }

    /// Expands the groups of a pass at a step of a block, if the block has it. Five-bit codes come a segment at a time.
    #[inline(always)]
    unsafe fn expand<S: Simd>(&self, block: Block, pass: Pass, step: usize) {
        if step >= block.steps {
            return;
        }
        let matrix = self.d.matrix;
        let two_bits = matrix.packing == Packing::TwoBits;
        if !two_bits && !step.is_multiple_of(SEGMENT_STEPS) {
            return;
        }
        for group in pass.group..pass.group + pass.groups {
            // SAFETY: the panel holds `panel_steps` whole segments of the group, which is one of the matrix.
            unsafe {
                let out = self.panel.add((group * self.panel_steps + step) * TILE_BYTES);
                let group = self.d.first_group + group;
                let first_block = (block.first + step) * STEP_BLOCKS;
                if two_bits {
                    let codes =
                        matrix.codes.as_ptr().add((group * matrix.k_blocks + first_block) * BLOCK_BYTES);
                    let blocks = STEP_BLOCKS.min(matrix.k_blocks - first_block);
                    ternary::expand_two_bits::<S>(codes, blocks, out);
                    let used = blocks * BLOCK_COLS * GROUP_ROWS;
                    out.add(used).write_bytes(0, TILE_BYTES - used);
                } else {
                    let out = std::slice::from_raw_parts_mut(out, SEGMENT_STEPS * TILE_BYTES);
                    let first = first_block * BLOCK_COLS;
                    let columns = first..(first + EXPAND_COLS).min(matrix.k_blocks * BLOCK_COLS);
                    let (out, padding) = out.split_at_mut(columns.len() * GROUP_ROWS);
                    padding.fill(0);
                    ternary::expand(self.isa, &mut ternary::Panel { matrix, group, columns, out });
                }
            }
        }
    }

    /// The codes of the next block of columns, or of the groups that follow in memory.
    fn ahead(&self, block: Block, passes: usize) -> Ahead {
        let d = self.d;
        let bundle_bytes = d.matrix.packing.bundle_bytes(d.matrix.k_blocks);
        let bundle_groups = d.matrix.packing.rows() / GROUP_ROWS;
        let streams = d.groups.div_ceil(bundle_groups);
        let first_bundle = d.first_group / bundle_groups;
        let (at, steps) = if block.last {
            ((first_bundle + streams) * bundle_bytes, self.panel_steps)
        } else {
            let next = block.first + block.steps;
            (
                first_bundle * bundle_bytes + bundle_bytes * next / self.steps,
                self.panel_steps.min(self.steps - next),
            )
        };
        let bytes = (bundle_bytes * steps / self.steps).min(bundle_bytes);
        let lines = bytes.div_ceil(LINE_BYTES).max(1);
        let later_steps = (passes - passes.min(d.groups.div_ceil(2))) * block.steps;
        Ahead {
            at: d.matrix.codes.as_ptr().wrapping_add(at),
            lines_left: lines,
            lines,
            gap: bundle_bytes.saturating_sub(lines * LINE_BYTES),
            left: streams * lines,
            quota: (streams * lines).checked_div(later_steps).map_or(0, |lines| lines + 1),
        }
    }

    /// Stores the rows of a pass from `first` on.
    #[inline(always)]
    unsafe fn store_rows<S: Simd>(&self, done: Option<Pass>, first: usize) {
        if let Some(done) = done {
            for row in first..done.tokens {
                // SAFETY: the caller's promises.
                unsafe { self.store_row::<S>(done, row) };
            }
        }
    }

    /// Makes results of the sums of one token and stores them.
    #[inline(always)]
    unsafe fn store_row<S: Simd>(&self, done: Pass, row: usize) {
        let d = self.d;
        let token = done.token + row;
        // SAFETY: `Product::check` has seen the scales and outputs; the caller promises that the sums of the pass were written.
        unsafe {
            let sums = self.sums.add(done.slot * PASS_SUMS);
            let x_sum = S::isplat(-*d.x_sums.get_unchecked(token));
            let x_scale = S::fsplat(*d.x_scales.get_unchecked(token));
            for g in 0..done.groups {
                let tile = sums.add((row / TILE_TOKENS * 2 + g) * TILE_SUMS);
                let sum = S::iadd(S::iload(tile.add(row % TILE_TOKENS * GROUP_ROWS)), x_sum);
                let group = d.first_group + done.group + g;
                let scale = S::fload(d.row_scales.as_ptr().add(group * GROUP_ROWS));
                d.out.store::<S>(token, group, S::fmul(S::itof(sum), S::fmul(x_scale, scale)));
            }
        }
    }
}

impl Ahead {
    /// Asks for the lines of one step.
    #[inline(always)]
    fn ask(&mut self, tiles: &mut impl Tiles) {
        for _ in 0..self.quota.min(self.left) {
            tiles.ask_to_read(self.at);
            self.at = self.at.wrapping_add(LINE_BYTES);
            self.left -= 1;
            self.lines_left -= 1;
            if self.lines_left == 0 {
                self.lines_left = self.lines;
                self.at = self.at.wrapping_add(self.gap);
            }
        }
    }
}

/// Loads the sums of the columns before, or clears them.
#[inline(always)]
unsafe fn begin<T: Tiles, const M: usize, const G: usize>(tiles: &mut T, before: Option<*mut i32>) {
    // SAFETY: the caller promises configured tiles and the sums of a pass.
    unsafe {
        if let Some(sums) = before {
            tiles.load::<0>(sums);
            if G == 2 {
                tiles.load::<1>(sums.add(TILE_SUMS));
            }
            if M == 2 {
                tiles.load::<2>(sums.add(2 * TILE_SUMS));
                if G == 2 {
                    tiles.load::<3>(sums.add(3 * TILE_SUMS));
                }
            }
        } else {
            tiles.zero::<0>();
            tiles.zero::<1>();
            tiles.zero::<2>();
            tiles.zero::<3>();
        }
    }
}

#[inline(always)]
unsafe fn end<T: Tiles, const M: usize, const G: usize>(tiles: &mut T, sums: *mut i32) {
    // SAFETY: the caller promises configured tiles and room for the sums of a pass.
    unsafe {
        tiles.store::<0>(sums);
        if G == 2 {
            tiles.store::<1>(sums.add(TILE_SUMS));
        }
        if M == 2 {
            tiles.store::<2>(sums.add(2 * TILE_SUMS));
            if G == 2 {
                tiles.store::<3>(sums.add(3 * TILE_SUMS));
            }
        }
    }
}

#[cfg(test)]
mod tests;
