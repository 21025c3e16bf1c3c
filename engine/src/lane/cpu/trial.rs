//! Which of two ways to multiply many rows with ternary weights this machine does faster: looking sums up or multiplying. Both give the
//! same bits, and no property of a processor says it: cores that multiply bytes as fast as each other read small tables at very
//! different speeds. So both do the same small job once, which takes a few milliseconds.

#![expect(unsafe_code, reason = "outputs of a single thread")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use onebit_kernels::cpu::panel::{self, Memory, PAD_COLS, PANEL_GROUPS};
use onebit_kernels::cpu::ternary::many::{BLOCK_TOKENS, Columns, Many, Part, WIDEN_COLS, columns, many};
use onebit_kernels::cpu::ternary::{BLOCK_COLS, Matrix, Packing, Panel, expand};
use onebit_kernels::cpu::{GROUP_ROWS, Isa, Outputs};

/// Rows, columns and tokens of the job: as high as the slabs of a large matrix and half as wide, since with few columns the results
/// weigh more than they do in a model.
const ROWS: usize = 2560;
const COLS: usize = 1280;
const TOKENS: usize = 2 * BLOCK_TOKENS;
/// The fastest of so many runs is compared.
const RUNS: usize = 4;

/// Whether looking up is faster. Without an instruction for byte dot products it always is, and with matrix tiles never.
pub(super) fn looks_up(isa: Isa) -> bool {
    static KNOWN: Mutex<Vec<(Isa, bool)>> = Mutex::new(Vec::new());
    if isa.has_tiles() {
        return false;
    }
    if !isa.has_byte_dots() {
        return true;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, faster)) = known.iter().find(|(of, _)| *of == isa) {
        return *faster;
    }
    let mut job = Job::new();
    let (mut looking_up, mut multiplying) = (Duration::MAX, Duration::MAX);
    // In turns, so that what else the machine does meets both.
    for _ in 0..RUNS {
        looking_up = looking_up.min(job.time(|job| job.look_up(isa)));
        multiplying = multiplying.min(job.time(|job| job.multiply(isa)));
    }
    let faster = looking_up < multiplying;
    known.push((isa, faster));
    faster
}

/// The same product for both.
struct Job {
    codes: Vec<u8>,
    x: Vec<i8>,
    turned: Vec<i8>,
    row_scales: Vec<f32>,
    x_scales: Vec<f32>,
    x_sums: Vec<i32>,
    out: Vec<f32>,
    memory: Memory,
}

impl Job {
    fn new() -> Self {
        let k_blocks = COLS / BLOCK_COLS;
        Self {
            // Every pattern of two-bit codes below 3, in turn.
            codes: (0..ROWS / GROUP_ROWS * Packing::TwoBits.bundle_bytes(k_blocks))
                .map(|i| (0..4).fold(0, |byte, digit| byte << 2 | (i / 3usize.pow(digit) % 3) as u8))
                .collect(),
            x: (0..TOKENS * COLS + PAD_COLS).map(|i| (i * 37 % 41) as i8 - 20).collect(),
            turned: vec![0; TOKENS * COLS],
            row_scales: vec![1.0; ROWS],
            x_scales: vec![1.0; TOKENS],
            x_sums: vec![0; TOKENS],
            out: vec![0.0; TOKENS * ROWS],
            memory: Memory::default(),
        }
    }

    fn time(&mut self, run: impl FnOnce(&mut Self)) -> Duration {
        let start = Instant::now();
        run(self);
        start.elapsed()
    }

    fn matrix(codes: &[u8]) -> Matrix<'_> {
        Matrix { codes, packing: Packing::TwoBits, k_blocks: COLS / BLOCK_COLS }
    }

    fn look_up(&mut self, isa: Isa) {
        let mut widen = [false; TOKENS / BLOCK_TOKENS * (COLS / WIDEN_COLS)];
        let blocks =
            self.turned.chunks_exact_mut(COLS * BLOCK_TOKENS).zip(widen.chunks_exact_mut(COLS / WIDEN_COLS));
        for (block, (out, widen)) in blocks.enumerate() {
            let x = &self.x[block * BLOCK_TOKENS * COLS..];
            columns(isa, &mut Columns { x, stride: COLS, tokens: BLOCK_TOKENS, out, widen });
        }
        // SAFETY: one thread, and `out` is used for nothing else meanwhile.
        let out = unsafe { Outputs::new(self.out.as_mut_ptr(), self.out.len(), ROWS, 1.0, false) };
        let part = Part {
            matrix: Self::matrix(&self.codes),
            first_group: 0,
            groups: ROWS / GROUP_ROWS,
            row_scales: &self.row_scales,
            out: &out,
        };
        let product = &mut Many {
            parts: &[part],
            columns: &self.turned,
            widen: &widen,
            first_token: 0,
            tokens: TOKENS,
            x_scales: &self.x_scales,
            memory: &mut self.memory,
        };
        many(isa, product);
    }

    fn multiply(&mut self, isa: Isa) {
        let group_bytes = panel::padded(COLS) * GROUP_ROWS;
        // SAFETY: as above.
        let out = unsafe { Outputs::new(self.out.as_mut_ptr(), self.out.len(), ROWS, 1.0, false) };
        let codes = self.memory.bytes(PANEL_GROUPS * group_bytes);
        for first_group in (0..ROWS / GROUP_ROWS).step_by(PANEL_GROUPS) {
            for (i, out) in codes.chunks_exact_mut(group_bytes).enumerate() {
                let (matrix, group) = (Self::matrix(&self.codes), first_group + i);
                expand(isa, &mut Panel { matrix, group, columns: 0..COLS, out });
            }
            let product = &mut panel::Exact {
                panel: codes,
                cols: COLS,
                first_group,
                groups: PANEL_GROUPS,
                row_scales: &self.row_scales,
                x: &self.x,
                stride: COLS,
                x_scales: &self.x_scales,
                x_sums: &self.x_sums,
                tokens: TOKENS,
                out: &out,
            };
            panel::exact(isa, product);
        }
    }
}

const _: () = assert!(COLS.is_multiple_of(WIDEN_COLS), "whole parts of columns");
const _: () = assert!(ROWS.is_multiple_of(GROUP_ROWS * PANEL_GROUPS), "whole panels");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_products() {
        let mut job = Job::new();
        for (sum, x) in job.x_sums.iter_mut().zip(job.x.chunks(COLS)) {
            *sum = x.iter().map(|&x| i32::from(x)).sum();
        }
        for isa in Isa::available().filter(|isa| !isa.has_tiles()) {
            job.look_up(isa);
            let looked_up = std::mem::replace(&mut job.out, vec![0.0; TOKENS * ROWS]);
            job.multiply(isa);
            assert!(looked_up.iter().any(|&y| y != 0.0) && looked_up == job.out, "{}", isa.name());
        }
    }

    #[test]
    fn the_answer_for_an_instruction_set_stays() {
        for isa in Isa::available() {
            assert_eq!(looks_up(isa), looks_up(isa), "{}", isa.name());
        }
    }
}
