//! Block formats, one file each: layout drawn in the header, pack, unpack, reference dot.
//! Knows bytes and numbers only: no files, no lanes. The functions here choose the format of a [`TensorView`], whose byte
//! counts were checked when its file was opened.

pub mod floats;
pub mod halo;
pub mod i2_s;
pub mod k;
pub mod legacy;
pub mod sherry;
pub mod tq1_0;
pub mod tq1_halo;
pub mod tq2_0;

#[cfg(test)]
pub(crate) mod tests;

use half::f16;

use crate::model::{TensorType, TensorView};

/// Bytes of one row; for I2_S its codes.
fn row_data<'a>(t: &TensorView<'a>, row: usize) -> &'a [u8] {
    assert!(row < t.rows, "{}: row {row} of {}", t.name, t.rows);
    let bytes = t.ty.row_bytes(t.cols).expect("the row length was checked when the file was opened");
    &t.data[row * bytes..(row + 1) * bytes]
}

/// Little-endian half at a byte offset, as f32.
fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Trit of a 2-bit code: 0, 1, 2 are -1, 0, +1 and the unused 3 is 0. Arithmetic, not a table, so that loops become vectors.
#[inline]
const fn code_trit(code: u8) -> i8 {
    code as i8 - 1 - 2 * (code & (code >> 1)) as i8
}

/// Whether any 2-bit code is 3, that is, has both bits set. Every .h1b and GGUF format with such codes leaves 3 unused.
pub(crate) fn has_code_three(codes: &[u8]) -> bool {
    // No early exit inside a chunk, so that it compiles to vector instructions.
    codes.chunks(4096).any(|chunk| chunk.iter().fold(0, |both, byte| both | (byte & (byte >> 1))) & 0x55 != 0)
}

/// Packing anything but trits is a bug of the caller.
fn check_trits(trits: &[i8]) {
    assert!(trits.iter().all(|t| (-1..=1).contains(t)), "trits are -1, 0 or +1");
}

/// See [`TensorView::dequantize_row`].
///
/// # Panics
/// `row >= rows` or `out.len() != cols`.
pub fn dequantize_row(t: &TensorView<'_>, row: usize, out: &mut [f32]) {
    assert_eq!(out.len(), t.cols, "{}: output length", t.name);
    if t.ty.is_ternary() {
        return dequantize_ternary(t, row, out);
    }
    let packed = row_data(t, row);
    match t.ty {
        TensorType::F32 => floats::unpack_f32(packed, out),
        TensorType::F16 => floats::unpack_f16(packed, out),
        TensorType::Bf16 => floats::unpack_bf16(packed, out),
        TensorType::Q8_0 => legacy::unpack_q8_0(packed, out),
        TensorType::Q4_0 => legacy::unpack_q4_0(packed, out),
        TensorType::Q4_1 => legacy::unpack_q4_1(packed, out),
        TensorType::Q5_0 => legacy::unpack_q5_0(packed, out),
        TensorType::Q5_1 => legacy::unpack_q5_1(packed, out),
        TensorType::Q4K => k::unpack_q4_k(packed, out),
        TensorType::Q5K => k::unpack_q5_k(packed, out),
        TensorType::Q6K => k::unpack_q6_k(packed, out),
        TensorType::Tq1_0
        | TensorType::Tq2_0
        | TensorType::I2S
        | TensorType::Halo
        | TensorType::Tq1Halo
        | TensorType::Sherry => unreachable!("ternary types are handled above"),
    }
}

fn dequantize_ternary(t: &TensorView<'_>, row: usize, out: &mut [f32]) {
    let mut trits = vec![0; t.cols];
    unpack_trits(t, row, &mut trits);
    let mut scales = Vec::new();
    ternary_scales(t, row, &mut scales);
    let block = scale_block(t);
    for ((values, trits), d) in out.chunks_mut(block).zip(trits.chunks(block)).zip(scales) {
        for (v, &t) in values.iter_mut().zip(trits) {
            *v = d * f32::from(t);
        }
    }
}

/// See [`TensorView::unpack_trits`].
///
/// # Panics
/// The tensor is not ternary, `row >= rows` or `out.len() != cols`.
pub fn unpack_trits(t: &TensorView<'_>, row: usize, out: &mut [i8]) {
    assert_eq!(out.len(), t.cols, "{}: output length", t.name);
    let packed = row_data(t, row);
    match t.ty {
        TensorType::Tq1_0 => tq1_0::unpack(packed, out),
        TensorType::Tq2_0 => tq2_0::unpack(packed, out),
        TensorType::I2S => i2_s::unpack(packed, out),
        TensorType::Halo => halo::unpack(packed, out),
        TensorType::Tq1Halo => tq1_halo::unpack(packed, out),
        TensorType::Sherry => sherry::unpack(packed, out),
        other => panic!("{}: {} is not ternary", t.name, other.name()),
    }
}

/// See [`TensorView::scale_block`].
pub fn scale_block(t: &TensorView<'_>) -> usize {
    match t.ty {
        TensorType::Tq1_0 => tq1_0::BLOCK_COLS,
        TensorType::Tq2_0 => tq2_0::BLOCK_COLS,
        _ => t.cols,
    }
}

/// See [`TensorView::ternary_scales`].
///
/// # Panics
/// The tensor is not ternary or `row >= rows`.
pub fn ternary_scales(t: &TensorView<'_>, row: usize, out: &mut Vec<f32>) {
    out.clear();
    let packed = row_data(t, row);
    match t.ty {
        TensorType::Tq1_0 => tq1_0::scales(packed, out),
        TensorType::Tq2_0 => tq2_0::scales(packed, out),
        TensorType::I2S => out.push(i2_s::scale(t.data)),
        TensorType::Halo | TensorType::Tq1Halo | TensorType::Sherry => {
            let bytes = &t.scales[4 * row..4 * row + 4];
            out.push(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        }
        other => panic!("{}: {} is not ternary", t.name, other.name()),
    }
}

/// Reference dot products of a ternary row with int8 activations, `x.len() == cols`: one exact integer per `scale_block` columns,
/// without scales. Written from the formula of each layout, apart from `unpack_trits`.
///
/// # Panics
/// The tensor is not ternary, `row >= rows` or `x.len() != cols`.
pub fn dot_i8(t: &TensorView<'_>, row: usize, x: &[i8]) -> Vec<i64> {
    assert_eq!(x.len(), t.cols, "{}: input length", t.name);
    let packed = row_data(t, row);
    let by_block = |bytes: usize, dot: fn(&[u8], &[i8]) -> i32| {
        packed.chunks_exact(bytes).zip(x.chunks(scale_block(t))).map(|(b, x)| i64::from(dot(b, x))).collect()
    };
    match t.ty {
        TensorType::Tq1_0 => by_block(tq1_0::BLOCK_BYTES, tq1_0::dot_block),
        TensorType::Tq2_0 => by_block(tq2_0::BLOCK_BYTES, tq2_0::dot_block),
        TensorType::I2S => vec![i2_s::dot(packed, x)],
        TensorType::Halo => vec![halo::dot(packed, x)],
        TensorType::Tq1Halo => vec![tq1_halo::dot(packed, x)],
        TensorType::Sherry => vec![sherry::dot(packed, x)],
        other => panic!("{}: {} is not ternary", t.name, other.name()),
    }
}

/// Reference dot product of any row with f32 activations, products and sum in f64.
///
/// # Panics
/// `row >= rows` or `x.len() != cols`.
pub fn dot_f64(t: &TensorView<'_>, row: usize, x: &[f32]) -> f64 {
    assert_eq!(x.len(), t.cols, "{}: input length", t.name);
    let mut weights = vec![0.0; t.cols];
    dequantize_row(t, row, &mut weights);
    weights.iter().zip(x).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum()
}
