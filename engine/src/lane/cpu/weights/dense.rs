//! f32, f16 and bf16 matrices. An f32 matrix whose every value is exactly an f16 (or else a bf16) is kept in two bytes a value: the
//! embedding of a .h1b file is such a matrix, and its head reads half the bytes with the same result.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use onebit_kernels::cpu::GROUP_ROWS;
use onebit_kernels::cpu::dense::Element;

use super::super::bytes::{Bytes, Slabs};
use super::{Packer, pack_groups, rows_of};
use crate::lane::LaneError;
use crate::model::{TensorType, TensorView};

/// Floats, layout of `onebit_kernels::cpu::dense`.
pub(in crate::lane::cpu) struct Dense {
    pub(in crate::lane::cpu) weights: Bytes,
    pub(in crate::lane::cpu) element: Element,
    cols: usize,
}

impl Dense {
    /// An f32 tensor is begun as f16, and goes on in a wider type when a value asks for it.
    pub(super) fn begin(tensor: &TensorView<'_>, slabs: &mut Slabs) -> Result<Self, LaneError> {
        let element = if tensor.ty == TensorType::Bf16 { Element::Bf16 } else { Element::F16 };
        let weights = slabs.take(bytes_as(element, tensor), tensor.name)?;
        Ok(Self { weights, element, cols: tensor.cols })
    }

    /// Packs rows of a tensor, which begin at a group; returns where to go on, which is the first row when the element was too narrow.
    pub(super) fn pack(
        &mut self,
        tensor: &TensorView<'_>,
        rows: Range<usize>,
        packer: &mut Packer<'_>,
    ) -> Result<usize, LaneError> {
        let group_bytes = self.cols * GROUP_ROWS * self.element.bytes();
        let (element, end) = (self.element, rows.end);
        let is_exact = AtomicBool::new(true);
        pack_groups(rows, packer.pool, &mut self.weights, group_bytes, |group, bytes| {
            let rounded = match (tensor.ty, element) {
                (TensorType::F32, Element::F16) => pack(tensor, group, bytes, to_f16),
                (TensorType::F32, Element::Bf16) => pack(tensor, group, bytes, to_bf16),
                (TensorType::F32, Element::F32) => pack(tensor, group, bytes, as_it_is::<4>),
                _ => pack(tensor, group, bytes, as_it_is::<2>),
            };
            if rounded {
                is_exact.store(false, Ordering::Relaxed);
            }
        });
        if is_exact.into_inner() {
            return Ok(end);
        }
        self.element = if element == Element::F16 { Element::Bf16 } else { Element::F32 };
        if self.element == Element::F32 {
            // The narrow copy goes first: both are large.
            self.weights = packer.slabs.take(0, tensor.name)?;
            self.weights = packer.slabs.take(bytes_as(Element::F32, tensor), tensor.name)?;
        }
        Ok(0)
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let first = row / GROUP_ROWS * self.cols * GROUP_ROWS + row % GROUP_ROWS;
        let bytes = self.element.bytes();
        let values = self.weights[first * bytes..].chunks(GROUP_ROWS * bytes);
        match self.element {
            Element::F32 => {
                for (out, b) in out.iter_mut().zip(values) {
                    *out = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Element::F16 => {
                // Converted in parts on the stack: a decoded token allocates nothing.
                let (mut halves, mut values) = ([f16::ZERO; 64], values);
                for out in out.chunks_mut(64) {
                    for (half, b) in halves.iter_mut().zip(values.by_ref().take(out.len())) {
                        *half = f16::from_le_bytes([b[0], b[1]]);
                    }
                    halves[..out.len()].convert_to_f32_slice(out);
                }
            }
            Element::Bf16 => {
                for (out, b) in out.iter_mut().zip(values) {
                    *out = bf16::from_le_bytes([b[0], b[1]]).to_f32();
                }
            }
        }
    }
}

fn bytes_as(element: Element, tensor: &TensorView<'_>) -> usize {
    tensor.rows.div_ceil(GROUP_ROWS) * tensor.cols * GROUP_ROWS * element.bytes()
}

/// Packs the rows of a group, each converted as a whole, since single conversions to f16 ask every time what the processor can do.
/// Returns whether a value was rounded.
fn pack<const TO: usize>(
    tensor: &TensorView<'_>,
    group: usize,
    bytes: &mut [u8],
    convert: impl Fn(&[u8], &mut Vec<[u8; TO]>) -> bool,
) -> bool {
    let row_bytes = tensor.data.len() / tensor.rows;
    let (out, _) = bytes.as_chunks_mut::<TO>();
    let (mut converted, mut rounded) = (Vec::with_capacity(tensor.cols), false);
    for (r, row) in rows_of(tensor, group) {
        converted.clear();
        rounded |= convert(&tensor.data[row * row_bytes..(row + 1) * row_bytes], &mut converted);
        for (out, value) in out[r..].iter_mut().step_by(GROUP_ROWS).zip(&converted) {
            *out = *value;
        }
    }
    rounded
}

fn as_it_is<const TO: usize>(row: &[u8], out: &mut Vec<[u8; TO]>) -> bool {
    out.extend_from_slice(row.as_chunks::<TO>().0);
    false
}

fn to_f16(row: &[u8], out: &mut Vec<[u8; 2]>) -> bool {
    let exact = floats(row);
    let mut near = vec![f16::ZERO; exact.len()];
    near.convert_from_f32_slice(&exact);
    let mut back = vec![0.0; exact.len()];
    near.convert_to_f32_slice(&mut back);
    out.extend(near.iter().map(|value| value.to_le_bytes()));
    differ(&exact, &back)
}

fn to_bf16(row: &[u8], out: &mut Vec<[u8; 2]>) -> bool {
    let exact = floats(row);
    let near: Vec<bf16> = exact.iter().map(|&x| bf16::from_f32(x)).collect();
    let back: Vec<f32> = near.iter().map(|x| x.to_f32()).collect();
    out.extend(near.iter().map(|value| value.to_le_bytes()));
    differ(&exact, &back)
}

fn floats(row: &[u8]) -> Vec<f32> {
    row.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// Whether any value is another one. The sign of zero counts, and NaN is never kept.
fn differ(exact: &[f32], near: &[f32]) -> bool {
    exact.iter().zip(near).fold(false, |any, (a, b)| any | (a.to_bits() != b.to_bits()) | a.is_nan())
}
