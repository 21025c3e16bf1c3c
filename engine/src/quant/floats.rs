//! F32, F16 and BF16: plain little-endian arrays, two or four bytes a weight, possibly unaligned.

use half::{bf16, f16};

/// Reads little-endian f32.
pub fn unpack_f32(packed: &[u8], out: &mut [f32]) {
    for (v, bytes) in out.iter_mut().zip(packed.as_chunks::<4>().0) {
        *v = f32::from_le_bytes(*bytes);
    }
}

/// Reads little-endian IEEE half.
pub fn unpack_f16(packed: &[u8], out: &mut [f32]) {
    for (v, bytes) in out.iter_mut().zip(packed.as_chunks::<2>().0) {
        *v = f16::from_le_bytes(*bytes).to_f32();
    }
}

/// Reads little-endian bfloat16.
pub fn unpack_bf16(packed: &[u8], out: &mut [f32]) {
    for (v, bytes) in out.iter_mut().zip(packed.as_chunks::<2>().0) {
        *v = bf16::from_le_bytes(*bytes).to_f32();
    }
}

/// Appends little-endian f32.
pub fn pack_f32(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

/// Appends little-endian IEEE half, rounded to nearest even.
pub fn pack_f16(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()));
}

/// Appends little-endian bfloat16, rounded to nearest even.
pub fn pack_bf16(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()));
}
