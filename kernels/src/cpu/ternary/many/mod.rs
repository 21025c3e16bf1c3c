//! Products of many tokens with ternary weights, by looking sums up instead of multiplying.
//!
//! Four trits and a token's four activations have 81 possible sums. A *table* holds them for [`BLOCK_TOKENS`] tokens, as 81 lines of 32
//! words of 16 bits, and stays in the first-level cache while every row of the weights adds one line of it: 128 products for one
//! load. A *pass* looks up five tables, made of 20 columns, for all rows of a job; what it adds to are 16-bit sums, which move
//! to 32 bits before the activations could overflow them ([`columns`] knows when). Integers are exact, and the floats those of the
//! other kernels, so the bits are the same.
//!
//! Loads bound it as multiplications bound panels. A pass takes about 7.5 cycles a row on Zen 4, which loads a vector a cycle: five lines,
//! the sum and half a load for the record, and a store. That is 85 products a cycle against 64 of a byte dot product. Lanes
//! measure which is faster: one Emerald Rapids core looks up 214 GMAC/s against 314 multiplied with AVX-512 (likely because
//! stores lie between the lookups), but 161 against 83 with AVX2.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

mod columns;
mod records;

#[cfg(test)]
mod tests;

pub use columns::{Columns, columns};

use super::super::panel::Memory;
use super::super::simd::Simd;
use super::super::{GROUP_ROWS, Isa, Outputs, dispatch};
use super::packing::SEGMENT_COLS;
use super::{BLOCK_COLS, Matrix};
use records::{CODE_BITS, MAX_PASSES, Next, Pass, Passes};

/// Tokens of a block: a line of a table has a word for each.
pub const BLOCK_TOKENS: usize = 32;
/// Columns after which sums may have to be widened.
pub const WIDEN_COLS: usize = SEGMENT_COLS;

/// Bytes of a line.
const LINE_BYTES: usize = 2 * BLOCK_TOKENS;
/// Lines of a table: the codes of four trits.
const TABLE_LINES: usize = 81;
/// Tables of a pass.
const PASS_TABLES: usize = 5;
/// A code has seven bits, so the last table is read up to 128 lines: no code that weights may hold leaves the tables.
const TABLES_BYTES: usize = ((PASS_TABLES - 1) * TABLE_LINES + 128) * LINE_BYTES;
/// Bytes of the wide sums of a row.
const WIDE_BYTES: usize = 2 * LINE_BYTES;

/// Some rows of a matrix and where their results go.
#[derive(Debug)]
pub struct Part<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// First group of sixteen rows.
    pub first_group: usize,
    /// Groups.
    pub groups: usize,
    /// Scale of each row of the matrix, padded to whole groups.
    pub row_scales: &'a [f32],
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// Rows of several matrices of one width against some blocks of tokens: W1.58A8, `(sum of trit * x) * (x_scale * row_scale)`, the sums
/// exact.
#[derive(Debug)]
pub struct Many<'a> {
    /// The weights; all have the same columns.
    pub parts: &'a [Part<'a>],
    /// Activations of the blocks as [`columns`] writes them, `[blocks, columns, BLOCK_TOKENS]`.
    pub columns: &'a [i8],
    /// `[blocks, columns / WIDEN_COLS rounded up]`, from [`columns`].
    pub widen: &'a [bool],
    /// Number of the first token in `x_scales` and in the outputs.
    pub first_token: usize,
    /// Tokens; the last block may have fewer than [`BLOCK_TOKENS`].
    pub tokens: usize,
    /// Scale of each token.
    pub x_scales: &'a [f32],
    /// Scratch of the thread.
    pub memory: &'a mut Memory,
}

impl Many<'_> {
    fn k_blocks(&self) -> usize {
        self.parts.first().map_or(0, |part| part.matrix.k_blocks)
    }

    fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.groups * GROUP_ROWS).sum()
    }

    fn blocks(&self) -> usize {
        self.tokens.div_ceil(BLOCK_TOKENS)
    }

    fn segments(&self) -> usize {
        (self.k_blocks() * BLOCK_COLS).div_ceil(SEGMENT_COLS)
    }

    fn check(&self) {
        let last_token = self.first_token + self.tokens;
        for part in self.parts {
            assert_eq!(part.matrix.k_blocks, self.k_blocks(), "matrices of one width");
            let last = part.first_group + part.groups;
            assert!(part.row_scales.len() >= last * GROUP_ROWS, "scales of the rows");
            if part.groups > 0 {
                part.matrix.check((last * GROUP_ROWS).div_ceil(part.matrix.packing.rows()));
            }
            part.out.check(last_token);
        }
        let block = self.k_blocks() * BLOCK_COLS * BLOCK_TOKENS;
        assert!(self.columns.len() >= self.blocks() * block, "columns of the blocks");
        assert!(self.widen.len() >= self.blocks() * self.segments(), "where sums are widened");
        assert!(self.x_scales.len() >= last_token, "scales of the activations");
    }
}

/// Multiplies all rows of the parts with all tokens.
///
/// # Panics
/// When a slice is too short for its description.
pub fn many(isa: Isa, many: &mut Many<'_>) {
    many.check();
    dispatch!(isa, run, &mut (isa, many), &mut (Isa, &mut Many<'_>));
}

/// The scratch of a job: where its parts lie.
#[derive(Clone, Copy)]
struct Scratch {
    tables: *mut u8,
    /// `[passes, rows]`.
    records: *mut u64,
    /// `[blocks, rows]` lines.
    sums: *mut u8,
    /// `[blocks, rows, 2, 16]`: even tokens, odd tokens.
    wide: *mut i32,
    rows: usize,
}

impl Scratch {
    fn new(memory: &mut Memory, rows: usize, blocks: usize) -> Self {
        let record_bytes = MAX_PASSES * rows * size_of::<u64>();
        let sum_bytes = blocks * rows * LINE_BYTES;
        let bytes = memory.bytes(TABLES_BYTES + record_bytes + sum_bytes + blocks * rows * WIDE_BYTES);
        let (tables, rest) = bytes.split_at_mut(TABLES_BYTES);
        let (records, rest) = rest.split_at_mut(record_bytes);
        let (sums, wide) = rest.split_at_mut(sum_bytes);
        Self {
            tables: tables.as_mut_ptr(),
            records: records.as_mut_ptr().cast(),
            sums: sums.as_mut_ptr(),
            wide: wide.as_mut_ptr().cast(),
            rows,
        }
    }
}

/// How far the sums of a block of tokens are.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Whether the 16-bit sums hold something.
    started: bool,
    /// Whether the 32-bit sums do.
    widened: bool,
}

#[inline(always)]
unsafe fn run<S: Simd>(job: &mut (Isa, &mut Many<'_>)) {
    let (isa, m) = job;
    const { assert!(GROUP_ROWS.is_multiple_of(8), "parts of the scratch stay aligned") };
    let (blocks, segments, k_blocks) = (m.blocks(), m.segments(), m.k_blocks());
    let scratch = Scratch::new(m.memory, m.rows(), blocks);
    let mut progress = vec![Progress::default(); blocks];
    for segment in 0..segments {
        let first = segment * SEGMENT_COLS / BLOCK_COLS;
        let n = (k_blocks - first).min(SEGMENT_COLS / BLOCK_COLS);
        // SAFETY: the scratch has room for the records of the parts, and `many` checked the rest; the caller promises the
        // instruction set.
        unsafe { records::write::<S>(*isa, m.parts, first, n, scratch.records) };
        for (block, progress) in progress.iter_mut().enumerate() {
            // SAFETY: as above; a block has all columns.
            unsafe {
                let columns = m.columns.as_ptr().add((block * k_blocks + first) * BLOCK_COLS * BLOCK_TOKENS);
                let next = Next { parts: m.parts, segment: segment + 1, share: block, shares: blocks };
                add_segment::<S>(columns, n, scratch, block, progress, &next);
                if m.widen[block * segments + segment] {
                    match progress.widened {
                        true => widen::<S, false>(scratch, block),
                        false => widen::<S, true>(scratch, block),
                    }
                    *progress = Progress { started: false, widened: true };
                }
            }
        }
    }
    for (block, progress) in progress.iter().enumerate() {
        let mut row = block * scratch.rows;
        for part in m.parts {
            for group in part.first_group..part.first_group + part.groups {
                // SAFETY: as above; behind the last segment nothing is widened, so there are 16-bit sums.
                unsafe {
                    if progress.widened {
                        store::<S, true>(m, part, group, block, row, scratch);
                    } else {
                        store::<S, false>(m, part, group, block, row, scratch);
                    }
                }
                row += GROUP_ROWS;
            }
        }
    }
}

/// Adds `n` blocks of sixteen columns to the sums of a block of tokens.
#[inline(always)]
unsafe fn add_segment<S: Simd>(
    columns: *const i8,
    n: usize,
    scratch: Scratch,
    block: usize,
    progress: &mut Progress,
    next: &Next<'_>,
) {
    // SAFETY: the caller promises the columns, the records of these blocks, and the instruction set.
    unsafe {
        for line in 0..n * BLOCK_COLS * BLOCK_TOKENS / LINE_BYTES {
            S::prefetch(columns.cast::<u8>().add(line * LINE_BYTES));
        }
        let passes = Passes::new(n);
        let passes = passes.all();
        for (i, pass) in passes.iter().enumerate() {
            next.prefetch::<S>(i, passes.len());
            make_tables::<S>(columns, pass, scratch.tables);
            let records = scratch.records.add(i * scratch.rows);
            let sums = scratch.sums.add(block * scratch.rows * LINE_BYTES);
            match (pass.has_fifth, progress.started) {
                (true, true) => add_pass::<S, 5, false>(records, scratch, sums),
                (true, false) => add_pass::<S, 5, true>(records, scratch, sums),
                (false, true) => add_pass::<S, 4, false>(records, scratch, sums),
                (false, false) => add_pass::<S, 4, true>(records, scratch, sums),
            }
            progress.started = true;
        }
    }
}

/// The inner loop: adds `N` lines to the sums of every row, or begins them.
#[inline(always)]
unsafe fn add_pass<S: Simd, const N: usize, const BEGIN: bool>(
    records: *const u64,
    scratch: Scratch,
    sums: *mut u8,
) {
    const LINE_SHIFT: usize = LINE_BYTES.ilog2() as usize;
    const MASK: u64 = ((1 << CODE_BITS) - 1) << LINE_SHIFT;
    // SAFETY: the caller promises records and sums of all rows; a masked code stays in the tables.
    unsafe {
        for row in 0..scratch.rows {
            let record = *records.add(row);
            let at = sums.add(row * LINE_BYTES);
            let mut sum = if BEGIN { S::bsplat(0) } else { S::bload(at) };
            for table in 0..N {
                // Code i lies 8 i bits high, a line number as high as a line is long.
                let shifted =
                    if table == 0 { record << LINE_SHIFT } else { record >> (8 * table - LINE_SHIFT) };
                let line = (shifted & MASK) as usize;
                let line = scratch.tables.add(table * TABLE_LINES * LINE_BYTES + line);
                sum = S::add_words(sum, S::bload(line));
            }
            S::bstore(at, sum);
        }
    }
}

/// Makes the tables of a pass.
#[inline(always)]
unsafe fn make_tables<S: Simd>(columns: *const i8, pass: &Pass, tables: *mut u8) {
    // SAFETY: the caller promises the columns of the segment and room for the tables.
    unsafe {
        for (table, first) in pass.first_columns().enumerate() {
            let column = |plane: usize| S::words_of_bytes(columns.add((first + 4 * plane) * BLOCK_TOKENS));
            let x = [column(0), column(1), column(2), column(3)];
            make_table::<S>(x, tables.add(table * TABLE_LINES * LINE_BYTES));
        }
    }
}

/// Line `c0 + 3 c1 + 9 c2 + 27 c3` is the sum of `(c - 1) * x`.
#[inline(always)]
unsafe fn make_table<S: Simd>(x: [S::B; 4], mut to: *mut u8) {
    // SAFETY: the caller promises room for a table and the instruction set.
    unsafe {
        let pairs = [S::add_words(x[0], x[1]), S::add_words(x[2], x[3])];
        let mut fourth = S::sub_words(S::bsplat(0), S::add_words(pairs[0], pairs[1]));
        for _ in 0..3 {
            let mut third = fourth;
            for _ in 0..3 {
                let mut second = third;
                for _ in 0..3 {
                    let mut first = second;
                    for _ in 0..3 {
                        S::bstore(to, first);
                        to = to.add(LINE_BYTES);
                        first = S::add_words(first, x[0]);
                    }
                    second = S::add_words(second, x[1]);
                }
                third = S::add_words(third, x[2]);
            }
            fourth = S::add_words(fourth, x[3]);
        }
    }
}

/// Moves the 16-bit sums of a block to its 32-bit sums, or begins those.
#[inline(always)]
unsafe fn widen<S: Simd, const BEGIN: bool>(scratch: Scratch, block: usize) {
    // SAFETY: the caller promises a block of the scratch and the instruction set.
    unsafe {
        for row in block * scratch.rows..(block + 1) * scratch.rows {
            let to = scratch.wide.add(row * BLOCK_TOKENS);
            let halves = S::split_words(S::bload(scratch.sums.add(row * LINE_BYTES)));
            for (half, sum) in halves.into_iter().enumerate() {
                let to = to.add(half * 16);
                S::istore(to, if BEGIN { sum } else { S::iadd(S::iload(to), sum) });
            }
        }
    }
}

/// The results of a group for a block of tokens, from the 16-bit sums that begin at `row` and the 32-bit sums, if there are some.
#[inline(always)]
unsafe fn store<S: Simd, const WIDENED: bool>(
    m: &Many<'_>,
    part: &Part<'_>,
    group: usize,
    block: usize,
    row: usize,
    scratch: Scratch,
) {
    // SAFETY: the caller promises a group of the part and its sums; `many` checked scales and outputs.
    unsafe {
        let narrow = scratch.sums.add(row * LINE_BYTES);
        let wide = scratch.wide.add(row * BLOCK_TOKENS);
        let mut halves = [[S::fzero(); GROUP_ROWS]; 2];
        let [even, odd] = &mut halves;
        for (r, (even, odd)) in even.iter_mut().zip(odd).enumerate() {
            let mut sums = S::split_words(S::bload(narrow.add(r * LINE_BYTES)));
            if WIDENED {
                let wide = wide.add(r * BLOCK_TOKENS);
                sums = [S::iadd(sums[0], S::iload(wide)), S::iadd(sums[1], S::iload(wide.add(16)))];
            }
            (*even, *odd) = (S::itof(sums[0]), S::itof(sums[1]));
        }
        let scale = S::fload(part.row_scales.as_ptr().add(group * GROUP_ROWS));
        for (half, sums) in halves.into_iter().enumerate() {
            for (i, sums) in S::transpose(sums).into_iter().enumerate() {
                let token = block * BLOCK_TOKENS + 2 * i + half;
                if token < m.tokens {
                    let token = m.first_token + token;
                    let x_scale = S::fsplat(*m.x_scales.get_unchecked(token));
                    part.out.store::<S>(token, group, S::fmul(sums, S::fmul(x_scale, scale)));
                }
            }
        }
    }
}
