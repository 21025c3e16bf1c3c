//! Block formats, one file each: layout drawn in the header, pack, unpack, reference dot.
//! Knows bytes and numbers only: no files, no lanes.

use crate::model::TensorView;

/// See [`TensorView::dequantize_row`].
pub fn dequantize_row(t: &TensorView<'_>, row: usize, out: &mut [f32]) {
    let _ = (t, row, out);
    todo!()
}

/// See [`TensorView::unpack_trits`].
pub fn unpack_trits(t: &TensorView<'_>, row: usize, out: &mut [i8]) {
    let _ = (t, row, out);
    todo!()
}

/// See [`TensorView::scale_block`].
pub fn scale_block(t: &TensorView<'_>) -> usize {
    let _ = t;
    todo!()
}

/// See [`TensorView::ternary_scales`].
pub fn ternary_scales(t: &TensorView<'_>, row: usize, out: &mut Vec<f32>) {
    let _ = (t, row, out);
    todo!()
}
