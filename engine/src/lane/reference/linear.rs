//! Matrix products of the reference lane. Every weight row is unpacked once and multiplied with all rows of the batch.

use super::Weight;
use crate::lane::Activation;
use crate::lane::activation::{quantize_row, ternary_output};

/// Calls `store(row, m, W[m] . x[row])` for every row of `x` `[rows, cols]` and every row m of `weight`.
pub(super) fn multiply(
    weight: &Weight,
    x: &[f32],
    activation: Activation,
    store: impl FnMut(usize, usize, f32),
) {
    assert_eq!(x.len() % weight.cols, 0, "{}: input width", weight.name);
    match activation {
        Activation::Float => multiply_float(weight, x, store),
        Activation::Int8PerRow => {
            assert!(weight.ty.is_ternary(), "{}: only ternary weights take int8 activations", weight.name);
            multiply_int8(weight, x, store);
        }
    }
}

fn multiply_float(weight: &Weight, x: &[f32], mut store: impl FnMut(usize, usize, f32)) {
    let mut values = vec![0.0; weight.cols];
    for m in 0..weight.rows {
        weight.view().dequantize_row(m, &mut values);
        for (row, x) in x.chunks(weight.cols).enumerate() {
            let sum: f64 = values.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
            store(row, m, sum as f32);
        }
    }
}

/// Whether a weight has one scale or several is judged row by row: a row whose blocks all carry the same scale is exact.
fn multiply_int8(weight: &Weight, x: &[f32], mut store: impl FnMut(usize, usize, f32)) {
    let mut quantized = vec![0i8; x.len()];
    let act_scales: Vec<f32> = x
        .chunks(weight.cols)
        .zip(quantized.chunks_mut(weight.cols))
        .map(|(x, q)| quantize_row(x, q))
        .collect();
    let block = weight.view().scale_block();
    let mut trits = vec![0i8; weight.cols];
    let mut scales = Vec::new();
    for m in 0..weight.rows {
        weight.view().unpack_trits(m, &mut trits);
        scales.clear();
        weight.view().ternary_scales(m, &mut scales);
        let one_scale = scales.iter().all(|scale| scale == &scales[0]);
        for (row, (q, &act_scale)) in quantized.chunks(weight.cols).zip(&act_scales).enumerate() {
            let y = if one_scale {
                ternary_output(int_dot(&trits, q), act_scale, scales[0])
            } else {
                let blocks = trits.chunks(block).zip(q.chunks(block)).zip(&scales);
                let sum: f64 = blocks.map(|((t, q), &d)| int_dot(t, q) as f64 * f64::from(d)).sum();
                (sum * f64::from(act_scale)) as f32
            };
            store(row, m, y);
        }
    }
}

fn int_dot(trits: &[i8], q: &[i8]) -> i64 {
    // 2^16 products of at most 127 fit an i32.
    let chunks = trits.chunks(1 << 16).zip(q.chunks(1 << 16));
    chunks
        .map(|(t, q)| i64::from(t.iter().zip(q).map(|(&t, &q)| i32::from(t) * i32::from(q)).sum::<i32>()))
        .sum()
}
