//! The exact arithmetic that every lane shares: how a row of activations becomes int8, how an integer dot product becomes
//! f32 again, and how K and V are rounded into the cache. Lanes may vectorise these, but must give the same bits.
//! Knows nothing of weights' packings, buffers or threads.

use half::f16;

/// Largest finite f16; K and V are clamped to it before they are stored, so that an overflow cannot become infinite.
pub const F16_MAX: f32 = 65504.0;

/// W1.58A8 rounding of one row: `q = round_half_even(x * (127 / absmax))` with `absmax = max(max|x|, 1e-5)`, all in f32; returns
/// `act_scale = absmax / 127`. `q.len() == x.len()`.
///
/// A row that holds NaN or an infinity gets zeros and the scale NaN, so that every output of it is NaN instead of a plausible
/// number.
pub fn quantize_row(x: &[f32], q: &mut [i8]) -> f32 {
    assert_eq!(x.len(), q.len(), "one int8 for each activation");
    let Some(absmax) = finite_absmax(x) else {
        q.fill(0);
        return f32::NAN;
    };
    let absmax = absmax.max(1e-5);
    let inverse = 127.0 / absmax;
    for (q, &x) in q.iter_mut().zip(x) {
        *q = (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
    }
    absmax / 127.0
}

/// What an exact integer dot product stands for: `int_dot as f32 * (act_scale * weight_scale)`, in f32 and in this order.
#[inline]
pub fn ternary_output(int_dot: i64, act_scale: f32, weight_scale: f32) -> f32 {
    int_dot as f32 * (act_scale * weight_scale)
}

/// How every element of a projection reaches its buffer: `y * scale`, added to `out` when `accumulate`; two f32 roundings, no
/// fused multiply-add.
#[inline]
pub fn store_output(out: &mut f32, y: f32, scale: f32, accumulate: bool) {
    let y = y * scale;
    *out = if accumulate { *out + y } else { y };
}

/// K or V as f16: clamped to +-[`F16_MAX`], then round to nearest even. NaN stays NaN.
#[inline]
pub fn f16_from_f32(x: f32) -> f16 {
    f16::from_f32(x.clamp(-F16_MAX, F16_MAX))
}

/// One head of K or V as int8: the scale `max(max|x| / 127, 1e-8)` is rounded to f16 first (to the smallest positive f16 where
/// that would be zero), then `q = round_half_even(x / scale)` clamped to +-127, so that reading uses the scale that
/// quantising used. A head with NaN or an infinity gets zeros and the scale NaN.
pub fn quantize_kv_head(x: &[f32], q: &mut [i8]) -> f16 {
    assert_eq!(x.len(), q.len(), "one int8 for each element");
    let Some(absmax) = finite_absmax(x) else {
        q.fill(0);
        return f16::NAN;
    };
    let scale = f16_from_f32((absmax / 127.0).max(1e-8)).max(f16::MIN_POSITIVE_SUBNORMAL);
    for (q, &x) in q.iter_mut().zip(x) {
        *q = (x / scale.to_f32()).round_ties_even().clamp(-127.0, 127.0) as i8;
    }
    scale
}

/// Largest magnitude of a row, or `None` if an element is NaN or infinite.
fn finite_absmax(x: &[f32]) -> Option<f32> {
    // `f32::max` drops NaN, so finiteness is asked separately.
    x.iter().all(|x| x.is_finite()).then(|| x.iter().fold(0.0f32, |max, x| max.max(x.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantised_row_rounds_ties_to_even_and_reaches_127() {
        // absmax 127 makes the factor exactly 1.
        let x = [0.5, 1.5, 2.5, -0.5, -1.5, 127.0, -127.0, 0.0];
        let mut q = [0i8; 8];
        assert_eq!(quantize_row(&x, &mut q), 1.0);
        assert_eq!(q, [0, 2, 2, 0, -2, 127, -127, 0]);
    }

    #[test]
    fn quantised_row_of_tiny_values_uses_the_least_absmax() {
        let mut q = [1i8; 3];
        let scale = quantize_row(&[0.0, 1e-6, -1e-9], &mut q);
        assert_eq!(scale, 1e-5 / 127.0);
        assert_eq!(q, [0, 13, 0]);
    }

    #[test]
    fn quantised_row_with_a_non_finite_value_gives_nan_outputs() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut q = [1i8; 3];
            let scale = quantize_row(&[1.0, bad, 2.0], &mut q);
            assert!(ternary_output(5, scale, 0.5).is_nan());
            assert!(quantize_kv_head(&[bad, 1.0, 2.0], &mut q).is_nan());
        }
    }

    #[test]
    fn int8_kv_scale_is_rounded_to_f16_before_quantising() {
        // 1/127 is no f16: quantising with the f32 scale gives 127, with the rounded one x / scale = 127.03 -> 127;
        // the reconstruction error is bounded by half a step of the *rounded* scale.
        let x = [1.0, -0.333, 0.1, 0.0];
        let mut q = [0i8; 4];
        let scale = quantize_kv_head(&x, &mut q).to_f32();
        assert_ne!(scale, 1.0 / 127.0);
        for (x, q) in x.iter().zip(q) {
            assert!((x - f32::from(q) * scale).abs() <= scale * 0.5 + 1e-4, "{x} became {q} x {scale}");
        }
    }

    #[test]
    fn int8_kv_of_zeros_and_of_huge_values_stays_finite() {
        let mut q = [1i8; 2];
        let scale = quantize_kv_head(&[0.0, 0.0], &mut q);
        assert_eq!(q, [0, 0]);
        assert!(scale > f16::ZERO);
        let scale = quantize_kv_head(&[3e38, -3e38], &mut q);
        assert_eq!((scale.to_f32(), q), (F16_MAX, [127, -127]));
    }

    #[test]
    fn f16_storage_clamps_instead_of_overflowing() {
        assert_eq!(f16_from_f32(1e9).to_f32(), F16_MAX);
        assert_eq!(f16_from_f32(-1e9).to_f32(), -F16_MAX);
        assert!(f16_from_f32(f32::NAN).is_nan());
    }

    #[test]
    fn output_is_scaled_then_added() {
        let mut out = 10.0;
        store_output(&mut out, 3.0, 2.0, true);
        assert_eq!(out, 16.0);
        store_output(&mut out, 3.0, 2.0, false);
        assert_eq!(out, 6.0);
    }
}
