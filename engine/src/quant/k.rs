//! GGUF K-quants, super-blocks of 256 weights: Q4_K, Q5_K, Q6_K. Only Q6_K is written, for synthetic models.
//!
//! ```text
//! Q4_K 144 bytes   d f16 | dmin f16 | scales[12] | nibbles[128]
//! Q5_K 176 bytes   d f16 | dmin f16 | scales[12] | fifth bits[32] | nibbles[128]
//!   sub-block s (0..8) has 32 weights: weight = d * scale_s * q - dmin * min_s
//!   weight m of sub-block s: nibble s % 2 (low first) of byte 32 * (s / 2) + m; fifth bit: bit s of byte m
//!   scales, 6 bits each:  s < 4   scale = b[s] & 63                            min = b[s+4] & 63
//!                         s >= 4  scale = b[s+4] & 15 | b[s-4] >> 6 << 4       min = b[s+4] >> 4 | b[s] >> 6 << 4
//! Q6_K 210 bytes   low nibbles[128] | high bit pairs[64] | scales i8[16] | d f16
//!   weight c = 128 h + 32 g + m: low nibble in byte 64 h + 32 (g % 2) + m, half g / 2 (low first);
//!   high pair in bits 2 g, 2 g + 1 of byte 32 h + m; weight = d * scales[c / 16] * (q - 32)
//! ```

use half::f16;

use super::f16_at;

/// Weights of a super-block.
pub const BLOCK_COLS: usize = 256;
/// Bytes of a Q4_K super-block.
pub const Q4_K_BYTES: usize = 144;
/// Bytes of a Q5_K super-block.
pub const Q5_K_BYTES: usize = 176;
/// Bytes of a Q6_K super-block.
pub const Q6_K_BYTES: usize = 210;

/// Scale and minimum of sub-block `s`, from the twelve bytes `b`.
fn scale_and_min(b: &[u8], s: usize) -> (f32, f32) {
    let (scale, min) = if s < 4 {
        (b[s] & 63, b[s + 4] & 63)
    } else {
        (b[s + 4] & 15 | (b[s - 4] >> 6) << 4, b[s + 4] >> 4 | (b[s] >> 6) << 4)
    };
    (f32::from(scale), f32::from(min))
}

/// Unpacks Q4_K.
pub fn unpack_q4_k(packed: &[u8], out: &mut [f32]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(Q4_K_BYTES)) {
        unpack_with_mins(block, None, &block[16..], cols);
    }
}

/// Unpacks Q5_K.
pub fn unpack_q5_k(packed: &[u8], out: &mut [f32]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(Q5_K_BYTES)) {
        unpack_with_mins(block, Some(&block[16..48]), &block[48..], cols);
    }
}

fn unpack_with_mins(block: &[u8], fifth: Option<&[u8]>, nibbles: &[u8], out: &mut [f32]) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    for (s, cols) in out.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_and_min(&block[4..16], s);
        let (d, min) = (d * scale, dmin * min);
        for (m, v) in cols.iter_mut().enumerate() {
            let low = (nibbles[32 * (s / 2) + m] >> (4 * (s % 2))) & 15;
            let high = fifth.map_or(0, |bits| (bits[m] >> s) & 1);
            *v = d * f32::from(low | high << 4) - min;
        }
    }
}

/// Unpacks Q6_K.
pub fn unpack_q6_k(packed: &[u8], out: &mut [f32]) {
    for (cols, block) in out.chunks_exact_mut(BLOCK_COLS).zip(packed.chunks_exact(Q6_K_BYTES)) {
        let (low, rest) = block.split_at(128);
        let (high, rest) = rest.split_at(64);
        let d = f16_at(rest, 16);
        for (c, v) in cols.iter_mut().enumerate() {
            let (h, g, m) = (c / 128, c % 128 / 32, c % 32);
            let nibble = (low[64 * h + 32 * (g % 2) + m] >> (4 * (g / 2))) & 15;
            let pair = (high[32 * h + m] >> (2 * g)) & 3;
            let scale = f32::from(rest[c / 16] as i8);
            *v = d * scale * (f32::from(nibble | pair << 4) - 32.0);
        }
    }
}

/// Appends Q6_K super-blocks: each sixteen weights scaled by their largest magnitude, these scales by the largest of them.
///
/// # Panics
/// The number of values is not a multiple of 256.
pub fn pack_q6_k(values: &[f32], out: &mut Vec<u8>) {
    assert!(values.len().is_multiple_of(BLOCK_COLS), "whole super-blocks of {BLOCK_COLS} weights");
    for block in values.chunks_exact(BLOCK_COLS) {
        let largest = |part: &[f32]| part.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let d = f16::from_f32(largest(block) / 31.0 / 127.0);
        let step = d.to_f32();
        let scales: [u8; 16] = std::array::from_fn(|s| match step {
            0.0 => 0,
            _ => (largest(&block[16 * s..16 * (s + 1)]) / 31.0 / step).ceil().min(127.0) as u8,
        });
        let mut codes = [0u8; 192];
        for (c, v) in block.iter().enumerate() {
            let (h, g, m) = (c / 128, c % 128 / 32, c % 32);
            let scale = step * f32::from(scales[c / 16]);
            let code = if scale == 0.0 { 32 } else { ((v / scale).round() + 32.0).clamp(0.0, 63.0) as u8 };
            codes[64 * h + 32 * (g % 2) + m] |= (code & 15) << (4 * (g / 2));
            codes[128 + 32 * h + m] |= (code >> 4) << (2 * g);
        }
        out.extend_from_slice(&codes);
        out.extend_from_slice(&scales);
        out.extend_from_slice(&d.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_q6_k_comes_back_within_half_a_step() {
        let values: Vec<f32> =
            (0..768).map(|i| ((i * 37 % 256) as f32 - 128.0) * 0.01 * (1 + i / 256) as f32).collect();
        let (mut packed, mut found) = (Vec::new(), vec![0.0; 768]);
        pack_q6_k(&values, &mut packed);
        assert_eq!(packed.len(), 3 * Q6_K_BYTES);
        unpack_q6_k(&packed, &mut found);
        for (part, found) in values.chunks(16).zip(found.chunks(16)) {
            let largest = part.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            for (v, f) in part.iter().zip(found) {
                assert!((v - f).abs() <= largest / 31.0 * 0.6 + 0.02, "{v} came back as {f}");
            }
        }
        packed.clear();
        pack_q6_k(&[0.0; 256], &mut packed);
        unpack_q6_k(&packed, &mut found[..256]);
        assert!(found[..256].iter().all(|v| *v == 0.0));
    }
}
