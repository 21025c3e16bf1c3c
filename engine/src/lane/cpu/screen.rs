//! A coarse pass over the LM head that says which logits can be among the largest; only those are then computed as the whole
//! product would compute them, to the bit. The copy is Q8_0, half the bytes of a head in f16, and the rule is a bound, not a
//! guess. For row `r` with weights `w`, coarse weights `v`, activations `x` and rounded activations `y`:
//!
//! ```text
//! |w.x - v.y| = |(w - v).x + v.(x - y)| <= |w - v| |x| + |v| |x - y|        (Cauchy and Schwarz; L2 norms)
//! rounding of both float sums              <= (2 n + 64) 2^-24 |x| (|w| + |w - v|)
//! ```
//!
//! The second line holds for any order of at most `n` roundings a sum. A row whose coarse logit plus this bound stays below the k-th
//! largest of coarse logit minus bound is not among the k largest. At 4 or 6 bits the same bound keeps most rows of a real
//! vocabulary (measured on SmolLM2, `engine/docs/speed.md`), so the copy has 8.

use std::sync::{Mutex, PoisonError};

use half::f16;
use onebit_kernels::cpu::GROUP_ROWS;

use super::bytes::Slabs;
use super::threads::Pool;
use super::weights::{Layout, Weight};
use crate::lane::LaneError;
use crate::lane::memory::zeroed;
use crate::quant::legacy;

/// The share of a head's groups beyond which computing all of them is as fast.
const MOST_GROUPS: usize = 8;
/// Bytes of a block of Q8_0.
const BLOCK_BYTES: usize = 34;
/// Covers that norms and bounds are themselves rounded.
const SLACK: f64 = 1.0 + 1e-5;

/// What bounds the error of coarse logits.
pub(super) struct Screen {
    /// Rows of the head.
    rows: usize,
    /// `|w - v|` of each row.
    error_norms: Vec<f32>,
    /// `|w| + |w - v|` of each row, at least `|v|`.
    norms: Vec<f32>,
}

/// A row of activations as bounds see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activations {
    /// `|x|`.
    pub(super) norm: f64,
    /// `|x - y|`.
    pub(super) rounding: f64,
    /// Columns.
    pub(super) cols: usize,
}

impl Screen {
    /// Memory for the coarse copy of `head` and for the norms of what it loses. `None` for a head that is not wide floats in whole
    /// blocks: the others are near eight bits already.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn begin(head: &Weight, slabs: &mut Slabs) -> Result<Option<(Self, Weight)>, LaneError> {
        if !matches!(head.layout, Layout::Dense(_)) || !head.cols.is_multiple_of(legacy::BLOCK_COLS) {
            return Ok(None);
        }
        let error_norms = zeroed(head.rows, &head.name)?;
        let norms = zeroed(head.rows, &head.name)?;
        Ok(Some((Self { rows: head.rows, error_norms, norms }, Weight::begin_coarse(head, slabs)?)))
    }

    /// Copies about `rows` more rows of `head` into its copy and returns how many are left.
    pub(super) fn pack(&mut self, head: &Weight, coarse: &mut Weight, rows: usize, pool: &Pool) -> usize {
        let norms = Mutex::new((&mut self.error_norms, &mut self.norms));
        coarse.pack_coarse(rows, pool, |row, packed| {
            let (error, norm) = pack_row(head, row, packed);
            let mut norms = norms.lock().unwrap_or_else(PoisonError::into_inner);
            (norms.0[row], norms.1[row]) = (error, norm);
        })
    }

    /// Bytes of the norms.
    pub(super) fn bytes(&self) -> usize {
        8 * self.rows
    }

    /// `None` when the activations are not finite.
    fn bounds(&self, x: Activations) -> Option<Bounds<'_>> {
        let float_sums = (2 * x.cols + 64) as f64 * f64::from(f32::EPSILON) / 2.0;
        let norm = (x.norm * SLACK) as f32;
        let rounding = ((x.rounding + float_sums * x.norm) * SLACK) as f32;
        (norm.is_finite() && rounding.is_finite()).then_some(Bounds { screen: self, norm, rounding })
    }

    /// Groups of sixteen rows that hold all of the `count` largest exact logits and all equal to the least of them, given the
    /// coarse ones. `None` when that is too many to be worth it, or the numbers are not finite.
    pub(super) fn groups(&self, coarse: &[f32], x: Activations, count: usize) -> Option<Vec<usize>> {
        let bounds = self.bounds(x)?;
        if count == 0 {
            return None;
        }
        let least = kth_largest(count, (0..self.rows).map(|row| coarse[row] - bounds.of(row)))?;
        let mut groups = Vec::new();
        for (group, coarse) in coarse.chunks(GROUP_ROWS).enumerate() {
            let first = group * GROUP_ROWS;
            // What is NaN is not below, so that it is computed and seen.
            let is_below = |(i, &logit): (usize, &f32)| logit + bounds.of(first + i) < least;
            if !coarse.iter().enumerate().all(is_below) {
                groups.push(group);
            }
        }
        (groups.len() * MOST_GROUPS <= coarse.len().div_ceil(GROUP_ROWS)).then_some(groups)
    }
}

/// How far a coarse logit can lie from the exact one, for one row of activations.
struct Bounds<'s> {
    screen: &'s Screen,
    norm: f32,
    rounding: f32,
}

impl Bounds<'_> {
    fn of(&self, row: usize) -> f32 {
        self.screen.error_norms[row] * self.norm + self.screen.norms[row] * self.rounding
    }
}

/// Replaces `packed` by one row as Q8_0 and returns `|w - v|` and `|w| + |w - v|`, rounded up. The norms are those of the codes that
/// were chosen, so their rounding (to even, by a sum that vectors can do) is free.
fn pack_row(head: &Weight, row: usize, packed: &mut Vec<u8>) -> (f32, f32) {
    /// 1.5 * 2^23: adding it leaves no fraction.
    const WHOLE: f32 = 12_582_912.0;
    let mut exact = vec![0.0f32; head.cols];
    head.read_row(row, &mut exact);
    packed.resize(head.cols / legacy::BLOCK_COLS * BLOCK_BYTES, 0);
    // Eight sums each, which vectors can hold.
    let (mut errors, mut norms) = ([0.0f64; 8], [0.0f64; 8]);
    for (w, block) in exact.as_chunks::<{ legacy::BLOCK_COLS }>().0.iter().zip(packed.chunks_mut(BLOCK_BYTES))
    {
        let largest = w.iter().fold(0.0f32, |max, w| max.max(w.abs()));
        let step = f16::from_f32(largest / 127.0);
        block[..2].copy_from_slice(&step.to_le_bytes());
        let step = step.to_f32();
        let inverse = if step == 0.0 { 0.0 } else { 1.0 / step };
        let whole = w.map(|w| (w * inverse).clamp(-127.0, 127.0) + WHOLE - WHOLE);
        for (code, whole) in block[2..].iter_mut().zip(whole) {
            // It is whole and within a byte.
            *code = (whole as i32 as i8).cast_unsigned();
        }
        for (i, (w, whole)) in w.iter().zip(whole).enumerate() {
            let lost = f64::from(*w) - f64::from(step * whole);
            errors[i % 8] += lost * lost;
            norms[i % 8] += f64::from(*w) * f64::from(*w);
        }
    }
    let (error, norm) = (errors.iter().sum::<f64>(), norms.iter().sum::<f64>());
    let (error, norm) = (error.sqrt() * SLACK, norm.sqrt() * SLACK);
    // A part of a denormal is not lost to rounding.
    (error as f32 + f32::MIN_POSITIVE, (norm + error) as f32 + f32::MIN_POSITIVE)
}

/// The `k`-th largest number, NaN not counted; `None` when there are fewer.
fn kth_largest(k: usize, numbers: impl Iterator<Item = f32>) -> Option<f32> {
    if k == 1 {
        let best = numbers.fold(f32::NEG_INFINITY, f32::max);
        return (best > f32::NEG_INFINITY).then_some(best);
    }
    let descending = |a: &f32, b: &f32| b.total_cmp(a);
    let mut least = f32::NEG_INFINITY;
    let mut largest = Vec::with_capacity(4 * k);
    for number in numbers.filter(|number| !number.is_nan()) {
        if largest.len() >= k && number <= least {
            continue;
        }
        largest.push(number);
        if largest.len() == 4 * k {
            largest.select_nth_unstable_by(k - 1, descending);
            largest.truncate(k);
            least = largest[k - 1];
        }
    }
    if largest.len() < k {
        return None;
    }
    Some(*largest.select_nth_unstable_by(k - 1, descending).1)
}

#[cfg(test)]
mod tests;
