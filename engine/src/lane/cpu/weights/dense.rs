//! f32, f16 and bf16 matrices. An f32 matrix whose every value is exactly an f16 (or else a bf16) is kept in two bytes a value: the
//! embedding of a .h1b file is such a matrix, and its head reads half the bytes with the same result.

use std::sync::atomic::{AtomicBool, Ordering};

use half::{bf16, f16};
use onebit_kernels::cpu::GROUP_ROWS;
use onebit_kernels::cpu::dense::Element;

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use super::{pack_groups, rows_of};
use crate::lane::LaneError;
use crate::model::{TensorType, TensorView};

/// Floats, layout of `onebit_kernels::cpu::dense`.
pub(in crate::lane::cpu) struct Dense {
    pub(in crate::lane::cpu) weights: Bytes,
    pub(in crate::lane::cpu) element: Element,
    cols: usize,
}

impl Dense {
    pub(super) fn new(tensor: &TensorView<'_>, pool: &Pool, slabs: &mut Slabs) -> Result<Self, LaneError> {
        let element = match tensor.ty {
            TensorType::F16 => Element::F16,
            TensorType::Bf16 => Element::Bf16,
            _ => narrowest(tensor, pool),
        };
        let group_bytes = tensor.cols * GROUP_ROWS * element.bytes();
        let mut weights = slabs.take(tensor.rows.div_ceil(GROUP_ROWS) * group_bytes, tensor.name)?;
        pack_groups(tensor, pool, &mut weights, group_bytes, |group, bytes| match (tensor.ty, element) {
            (TensorType::F32, Element::F16) => {
                pack::<4, 2>(tensor, group, bytes, |x| f16::from_f32(f32::from_le_bytes(x)).to_le_bytes());
            }
            (TensorType::F32, Element::Bf16) => {
                pack::<4, 2>(tensor, group, bytes, |x| bf16::from_f32(f32::from_le_bytes(x)).to_le_bytes());
            }
            (TensorType::F32, Element::F32) => pack::<4, 4>(tensor, group, bytes, |x| x),
            _ => pack::<2, 2>(tensor, group, bytes, |x| x),
        });
        Ok(Self { weights, element, cols: tensor.cols })
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let first = row / GROUP_ROWS * self.cols * GROUP_ROWS + row % GROUP_ROWS;
        let bytes = self.element.bytes();
        for (col, out) in out.iter_mut().enumerate() {
            let at = (first + col * GROUP_ROWS) * bytes;
            let b = &self.weights[at..at + bytes];
            *out = match self.element {
                Element::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
                Element::F16 => f16::from_le_bytes([b[0], b[1]]).to_f32(),
                Element::Bf16 => bf16::from_le_bytes([b[0], b[1]]).to_f32(),
            };
        }
    }
}

/// Transposes the rows of a group.
fn pack<const FROM: usize, const TO: usize>(
    tensor: &TensorView<'_>,
    group: usize,
    bytes: &mut [u8],
    convert: impl Fn([u8; FROM]) -> [u8; TO],
) {
    let (out, _) = bytes.as_chunks_mut::<TO>();
    for (r, row) in rows_of(tensor, group) {
        let (values, _) =
            tensor.data[row * tensor.cols * FROM..(row + 1) * tensor.cols * FROM].as_chunks::<FROM>();
        for (out, value) in out[r..].iter_mut().step_by(GROUP_ROWS).zip(values) {
            *out = convert(*value);
        }
    }
}

/// The smallest element that holds every value of an f32 tensor exactly.
fn narrowest(tensor: &TensorView<'_>, pool: &Pool) -> Element {
    let (f16_exact, bf16_exact) = (AtomicBool::new(true), AtomicBool::new(true));
    let (values, _) = tensor.data.as_chunks::<4>();
    let chunk = 1 << 16;
    pool.run(values.len().div_ceil(chunk), 1, |_, range| {
        for part in values.chunks(chunk).skip(range.start).take(range.len()) {
            if f16_exact.load(Ordering::Relaxed) && !all(part, |x| f16::from_f32(x).to_f32()) {
                f16_exact.store(false, Ordering::Relaxed);
            }
            if bf16_exact.load(Ordering::Relaxed) && !all(part, |x| bf16::from_f32(x).to_f32()) {
                bf16_exact.store(false, Ordering::Relaxed);
            }
        }
    });
    match (f16_exact.into_inner(), bf16_exact.into_inner()) {
        (true, _) => Element::F16,
        (_, true) => Element::Bf16,
        _ => Element::F32,
    }
}

/// Whether rounding changes no value; the sign of zero counts, NaN is never kept.
fn all(values: &[[u8; 4]], rounded: impl Fn(f32) -> f32) -> bool {
    values.iter().map(|b| f32::from_le_bytes(*b)).all(|x| rounded(x).to_bits() == x.to_bits() && !x.is_nan())
}
