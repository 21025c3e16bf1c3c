//! Ternary matrices at 1.25, 1.69 or 2 bits a weight, with one scale a row where the file allows it, else one per 256 columns.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use onebit_kernels::cpu::ternary::{BLOCK_COLS, MAX_COLS, Matrix, Packing, SCALE_COLS};
use onebit_kernels::cpu::{GROUP_ROWS, Isa};

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use super::{rows_of, two_bits};
use crate::lane::LaneError;
use crate::lane::memory::zeroed;
use crate::model::{TensorType, TensorView};

/// A ternary matrix.
pub(in crate::lane::cpu) struct Ternary {
    codes: Bytes,
    packing: Packing,
    /// Blocks of 16 columns.
    k_blocks: usize,
    /// Scales.
    pub(in crate::lane::cpu) scales: Scales,
}

/// Scales of a ternary matrix.
pub(in crate::lane::cpu) enum Scales {
    /// One a row, rows padded to whole groups.
    Rows(Vec<f32>),
    /// `[groups, blocks of 256 columns, 16 rows]`.
    Blocks(Vec<f32>),
}

impl Ternary {
    pub(super) fn begin(tensor: &TensorView<'_>, isa: Isa, slabs: &mut Slabs) -> Result<Self, LaneError> {
        if tensor.cols > MAX_COLS {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!("at most {MAX_COLS} columns"),
                found: format!("{} columns", tensor.cols),
            });
        }
        let k_blocks = tensor.cols.div_ceil(BLOCK_COLS);
        let packing = packing(tensor.ty, isa, tensor.rows, k_blocks);
        let bundles = tensor.rows.div_ceil(packing.rows());
        let codes = slabs.take(bundles * packing.bundle_bytes(k_blocks), tensor.name)?;
        let groups = tensor.rows.div_ceil(GROUP_ROWS);
        // What files converted from a scale per tensor have; the first row with more turns to blocks.
        let scales = Scales::Rows(zeroed(groups * GROUP_ROWS, tensor.name)?);
        Ok(Self { codes, packing, k_blocks, scales })
    }

    /// Packs rows of a tensor and looks for unused codes while they are in the cache; the rows begin at a bundle.
    pub(super) fn pack(
        &mut self,
        tensor: &TensorView<'_>,
        rows: Range<usize>,
        pool: &Pool,
    ) -> Result<(), LaneError> {
        let (packing, together) = (self.packing, self.packing.rows());
        let bundle_bytes = packing.bundle_bytes(self.k_blocks);
        let (first, end) = (rows.start / together, rows.end.div_ceil(together));
        let bundles = &mut self.codes[first * bundle_bytes..end * bundle_bytes];
        let row_scales = match &mut self.scales {
            Scales::Rows(scales) => Some(Mutex::new(&mut scales[..])),
            Scales::Blocks(_) => None,
        };
        let (has_unused, differ) = (AtomicBool::new(false), AtomicBool::new(false));
        // A matrix without columns has no bytes.
        pool.run_chunks(bundles, bundle_bytes.max(1), 4, |_, bundle, bytes| {
            let start = (first + bundle) * together;
            let rows = start..rows.end.min(start + together);
            if tensor.has_unused_codes(rows.clone()) {
                has_unused.store(true, Ordering::Relaxed);
                return;
            }
            pack_rows(tensor, rows.clone(), packing, bytes);
            if let Some(row_scales) = &row_scales {
                let n_rows = rows.len();
                let found = one_a_row(tensor, rows);
                let mut scales = row_scales.lock().unwrap_or_else(PoisonError::into_inner);
                scales[start..start + found.len()].copy_from_slice(&found);
                differ.fetch_or(found.len() < n_rows, Ordering::Relaxed);
            }
        });
        if has_unused.into_inner() {
            return Err(LaneError::UnusedCode { tensor: tensor.name.to_owned() });
        }
        if differ.into_inner() {
            self.scales = Scales::blocks(tensor, pool)?;
        }
        Ok(())
    }

    /// The codes as the kernels take them.
    pub(in crate::lane::cpu) fn matrix(&self) -> Matrix<'_> {
        Matrix { codes: &self.codes, packing: self.packing, k_blocks: self.k_blocks }
    }

    pub(super) fn bytes(&self) -> usize {
        let (Scales::Rows(scales) | Scales::Blocks(scales)) = &self.scales;
        self.codes.len() + scales.len() * 4
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let (group, r) = (row / GROUP_ROWS, row % GROUP_ROWS);
        let n_scales = self.k_blocks.div_ceil(SCALE_COLS / BLOCK_COLS);
        let bundle_bytes = self.packing.bundle_bytes(self.k_blocks);
        let (bundle, place) = (row / self.packing.rows(), row % self.packing.rows());
        let mut trits = vec![0i8; out.len()];
        let bytes = &self.codes[bundle * bundle_bytes..(bundle + 1) * bundle_bytes];
        self.packing.read_row(bytes, place, &mut trits);
        for (col, (out, trit)) in out.iter_mut().zip(trits).enumerate() {
            let scale = match &self.scales {
                Scales::Rows(scales) => scales[row],
                Scales::Blocks(scales) => scales[(group * n_scales + col / SCALE_COLS) * GROUP_ROWS + r],
            };
            *out = scale * f32::from(trit);
        }
    }
}

/// Formats below two bits a weight keep most of that where the instruction set has lookups, unless padding to whole segments would
/// cost more than it saves.
fn packing(ty: TensorType, isa: Isa, rows: usize, k_blocks: usize) -> Packing {
    let compact = match ty {
        TensorType::Sherry => Packing::Sparse,
        TensorType::Tq1_0 | TensorType::Tq1Halo => Packing::Triples,
        _ => return Packing::TwoBits,
    };
    let bytes = |packing: Packing| rows.div_ceil(packing.rows()) * packing.bundle_bytes(k_blocks);
    if isa.has_lookups() && bytes(compact) < bytes(Packing::TwoBits) { compact } else { Packing::TwoBits }
}

/// Packs rows of a tensor into their bundle.
fn pack_rows(tensor: &TensorView<'_>, rows: Range<usize>, packing: Packing, bundle: &mut [u8]) {
    let mut words = Vec::new();
    let mut trits = Vec::new();
    for (place, row) in rows.enumerate() {
        if packing == Packing::TwoBits && two_bits::read_row(tensor, row, &mut words) {
            packing.write_two_bits(bundle, place, &words);
        } else {
            trits.resize(tensor.cols, 0);
            tensor.unpack_trits(row, &mut trits);
            packing.write_row(bundle, place, &trits);
        }
    }
}

/// The scales of rows, up to the first row whose blocks differ.
fn one_a_row(tensor: &TensorView<'_>, rows: Range<usize>) -> Vec<f32> {
    let mut scales = Vec::new();
    let one = |row| {
        tensor.ternary_scales(row, &mut scales);
        scales.iter().all(|scale| scale == &scales[0]).then_some(scales[0])
    };
    rows.map_while(one).collect()
}

impl Scales {
    /// One for each 256 columns.
    fn blocks(tensor: &TensorView<'_>, pool: &Pool) -> Result<Self, LaneError> {
        if tensor.scale_block() != SCALE_COLS {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!("finite scales, or one per {SCALE_COLS} columns"),
                found: format!("differing scales per {} columns", tensor.scale_block()),
            });
        }
        let group_scales = tensor.cols.div_ceil(SCALE_COLS) * GROUP_ROWS;
        let mut all = zeroed::<f32>(tensor.rows.div_ceil(GROUP_ROWS) * group_scales, tensor.name)?;
        pool.run_chunks(&mut all, group_scales, 4, |_, group, all| {
            let mut scales = Vec::new();
            for (r, row) in rows_of(tensor, group) {
                tensor.ternary_scales(row, &mut scales);
                for (block, &scale) in scales.iter().enumerate() {
                    all[block * GROUP_ROWS + r] = scale;
                }
            }
        });
        Ok(Self::Blocks(all))
    }
}
