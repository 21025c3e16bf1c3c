//! How codes and scales of each format become vectors: the layout is drawn in the parent module.

#![expect(unsafe_code, reason = "raw loads in the inner loops; callers have checked every slice")]

use super::super::simd::Simd;
use super::Format;

/// Codes and scales of one format.
pub(super) trait Unpack {
    const FORMAT: Format;
    /// Subtracted from every code, by way of the activation sums.
    const OFFSET: i32 = 0;
    /// Whether the codes are eight bits wide and stand for `code - 128`.
    const SIGNED: bool = false;
    /// Whether a minimum is added.
    const MINIMUM: bool = false;
    /// Whether the codes are nibbles and nothing else, so that `line` may leave the upper ones where they lie.
    const NIBBLES: bool = false;
    /// Whether each sixteen columns have a scale of their own.
    const HALVES: bool = false;

    unsafe fn codes<S: Simd>(from: *const u8) -> [S::B; 8];
    /// Codes of columns `4 j ..` and `16 + 4 j ..` for one token; sums of the second are brought in order by `second_half`.
    unsafe fn line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2];
    /// The sum that products with the second codes of `line` stand for.
    unsafe fn second_half<S: Simd>(sum: S::I) -> S::I;
    /// Scales of both halves of the step, then the minimum.
    unsafe fn scales<S: Simd>(scales: *const u8, supers: *const u8) -> (S::F, S::F, S::F);
}

#[inline(always)]
unsafe fn nibbles<S: Simd>(from: *const u8) -> [S::B; 8] {
    // SAFETY: the caller promises 256 readable bytes and the instruction set.
    unsafe {
        let mask = S::bsplat(15);
        let mut codes = [mask; 8];
        for j in 0..4 {
            let packed = S::bload(from.add(64 * j));
            codes[j] = S::band(packed, mask);
            codes[j + 4] = S::band(S::bshr(packed, 4), mask);
        }
        codes
    }
}

#[inline(always)]
unsafe fn nibbles_line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2] {
    // SAFETY: the caller promises 256 readable bytes and the instruction set.
    unsafe {
        let packed = S::bload(from.add(64 * j));
        [S::band(packed, S::bsplat(15)), S::high_nibbles(packed)]
    }
}

#[inline(always)]
unsafe fn fifth_bits<S: Simd>(from: *const u8) -> [S::B; 8] {
    // SAFETY: the caller promises 320 readable bytes and the instruction set.
    unsafe {
        let mut codes = nibbles::<S>(from);
        let bits = S::bload(from.add(256));
        let mask = S::bsplat(16);
        for j in 0..4 {
            codes[j] = S::bor(codes[j], S::band(S::bshl(bits, 4 - j as i32), mask));
            codes[j + 4] = S::bor(codes[j + 4], S::band(S::bshr(bits, j as i32), mask));
        }
        codes
    }
}

#[inline(always)]
unsafe fn fifth_bits_line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2] {
    // SAFETY: the caller promises 320 readable bytes and the instruction set.
    unsafe {
        let packed = S::bload(from.add(64 * j));
        let bits = S::bload(from.add(256));
        let (nibble, fifth) = (S::bsplat(15), S::bsplat(16));
        let low = S::band(S::bshl(bits, 4 - j as i32), fifth);
        let high = S::band(S::bshr(bits, j as i32), fifth);
        [S::bor(S::band(packed, nibble), low), S::bor(S::band(S::bshr(packed, 4), nibble), high)]
    }
}

#[inline(always)]
unsafe fn upper_pairs<S: Simd>(from: *const u8) -> [S::B; 8] {
    // SAFETY: the caller promises 384 readable bytes and the instruction set.
    unsafe {
        let mut codes = nibbles::<S>(from);
        let mask = S::bsplat(0x30);
        for half in 0..2 {
            let bits = S::bload(from.add(256 + 64 * half));
            let at = 4 * half;
            codes[at] = S::bor(codes[at], S::band(S::bshl(bits, 4), mask));
            codes[at + 1] = S::bor(codes[at + 1], S::band(S::bshl(bits, 2), mask));
            codes[at + 2] = S::bor(codes[at + 2], S::band(bits, mask));
            codes[at + 3] = S::bor(codes[at + 3], S::band(S::bshr(bits, 2), mask));
        }
        codes
    }
}

#[inline(always)]
unsafe fn upper_pairs_line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2] {
    // SAFETY: the caller promises 384 readable bytes and the instruction set.
    unsafe {
        let packed = S::bload(from.add(64 * j));
        let (nibble, pair) = (S::bsplat(15), S::bsplat(0x30));
        let upper = [S::bload(from.add(256)), S::bload(from.add(320))].map(|bits| {
            let bits = if j < 2 { S::bshl(bits, 4 - 2 * j as i32) } else { S::bshr(bits, 2 * j as i32 - 4) };
            S::band(bits, pair)
        });
        [S::bor(S::band(packed, nibble), upper[0]), S::bor(S::band(S::bshr(packed, 4), nibble), upper[1])]
    }
}

#[inline(always)]
unsafe fn bytes<S: Simd>(from: *const u8) -> [S::B; 8] {
    // SAFETY: the caller promises 512 readable bytes and the instruction set.
    unsafe {
        let mut codes = [S::bsplat(0); 8];
        for j in 0..8 {
            codes[j] = S::bload(from.add(64 * j));
        }
        codes
    }
}

#[inline(always)]
unsafe fn bytes_line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2] {
    // SAFETY: the caller promises 512 readable bytes and the instruction set.
    unsafe { [S::bload(from.add(64 * j)), S::bload(from.add(64 * (j + 4)))] }
}

#[inline(always)]
unsafe fn one_scale<S: Simd>(scales: *const u8, _supers: *const u8) -> (S::F, S::F, S::F) {
    // SAFETY: the caller promises 32 readable bytes and the instruction set.
    unsafe {
        let d = S::f16_load(scales);
        (d, d, S::fzero())
    }
}

#[inline(always)]
unsafe fn scale_and_minimum<S: Simd>(scales: *const u8, _supers: *const u8) -> (S::F, S::F, S::F) {
    // SAFETY: the caller promises 64 readable bytes and the instruction set.
    unsafe {
        let d = S::f16_load(scales);
        (d, d, S::f16_load(scales.add(32)))
    }
}

#[inline(always)]
unsafe fn super_scale_and_minimum<S: Simd>(scales: *const u8, supers: *const u8) -> (S::F, S::F, S::F) {
    // SAFETY: the caller promises 32 readable scale bytes, 64 readable super-scale bytes and the instruction set.
    unsafe {
        let d = S::fmul(S::f16_load(supers), S::u8_load(scales));
        let m = S::fmul(S::f16_load(supers.add(32)), S::u8_load(scales.add(16)));
        (d, d, S::fsub(S::fzero(), m))
    }
}

#[inline(always)]
unsafe fn super_scale_of_halves<S: Simd>(scales: *const u8, supers: *const u8) -> (S::F, S::F, S::F) {
    // SAFETY: the caller promises 32 readable scale bytes, 32 readable super-scale bytes and the instruction set.
    unsafe {
        let d = S::f16_load(supers);
        (S::fmul(d, S::i8_load(scales)), S::fmul(d, S::i8_load(scales.add(16))), S::fzero())
    }
}

macro_rules! format {
    ($name:ident, $codes:ident, $line:ident, $scales:ident $(, $constant:ident: $ty:ty = $value:expr)*) => {
        pub(super) struct $name;
        impl Unpack for $name {
            const FORMAT: Format = Format::$name;
            $(const $constant: $ty = $value;)*
            #[inline(always)]
            unsafe fn codes<S: Simd>(from: *const u8) -> [S::B; 8] {
                // SAFETY: the caller promises `code_bytes` readable bytes and the instruction set.
                unsafe { $codes::<S>(from) }
            }
            #[inline(always)]
            unsafe fn line<S: Simd>(from: *const u8, j: usize) -> [S::B; 2] {
                // SAFETY: the caller promises `code_bytes` readable bytes and the instruction set.
                unsafe { $line::<S>(from, j) }
            }
            #[inline(always)]
            unsafe fn second_half<S: Simd>(sum: S::I) -> S::I {
                // SAFETY: registers only; the caller promises the instruction set.
                unsafe { if Self::NIBBLES { S::high_nibble_sum(sum) } else { sum } }
            }
            #[inline(always)]
            unsafe fn scales<S: Simd>(scales: *const u8, supers: *const u8) -> (S::F, S::F, S::F) {
                // SAFETY: the caller promises `scale_bytes` and `super_bytes` readable bytes and the instruction set.
                unsafe { $scales::<S>(scales, supers) }
            }
        }
    };
}

format!(Q8_0, bytes, bytes_line, one_scale, SIGNED: bool = true);
format!(Q4_0, nibbles, nibbles_line, one_scale, NIBBLES: bool = true, OFFSET: i32 = 8);
format!(Q4_1, nibbles, nibbles_line, scale_and_minimum, NIBBLES: bool = true, MINIMUM: bool = true);
format!(Q5_0, fifth_bits, fifth_bits_line, one_scale, OFFSET: i32 = 16);
format!(Q5_1, fifth_bits, fifth_bits_line, scale_and_minimum, MINIMUM: bool = true);
format!(Q4K, nibbles, nibbles_line, super_scale_and_minimum, NIBBLES: bool = true, MINIMUM: bool = true);
format!(Q5K, fifth_bits, fifth_bits_line, super_scale_and_minimum, MINIMUM: bool = true);
format!(Q6K, upper_pairs, upper_pairs_line, super_scale_of_halves, OFFSET: i32 = 32, HALVES: bool = true);

/// Runs `$body` with `$unpack` naming the format's type.
macro_rules! with_format {
    ($format:expr, $unpack:ident => $body:expr) => {
        match $format {
            $crate::cpu::blocks::Format::Q8_0 => {
                type $unpack = $crate::cpu::blocks::unpack::Q8_0;
                $body
            }
            $crate::cpu::blocks::Format::Q4_0 => {
                type $unpack = $crate::cpu::blocks::unpack::Q4_0;
                $body
            }
            $crate::cpu::blocks::Format::Q4_1 => {
                type $unpack = $crate::cpu::blocks::unpack::Q4_1;
                $body
            }
            $crate::cpu::blocks::Format::Q5_0 => {
                type $unpack = $crate::cpu::blocks::unpack::Q5_0;
                $body
            }
            $crate::cpu::blocks::Format::Q5_1 => {
                type $unpack = $crate::cpu::blocks::unpack::Q5_1;
                $body
            }
            $crate::cpu::blocks::Format::Q4K => {
                type $unpack = $crate::cpu::blocks::unpack::Q4K;
                $body
            }
            $crate::cpu::blocks::Format::Q5K => {
                type $unpack = $crate::cpu::blocks::unpack::Q5K;
                $body
            }
            $crate::cpu::blocks::Format::Q6K => {
                type $unpack = $crate::cpu::blocks::unpack::Q6K;
                $body
            }
        }
    };
}
pub(super) use with_format;
