//! The sixteen lanes as two registers of 256 bits. Byte dot products are `vpdpbusd` with AVX-VNNI; with AVX2 alone they are
//! `vpmaddubsw`, whose 16-bit pairs cannot saturate with the code ranges that the trait allows.

#![expect(unsafe_code, reason = "instructions that need detected features")]

use super::simd::{HIGH_DIGITS, LOW_DIGITS, Simd};
use std::arch::x86_64::*;

/// 256-bit registers, with AVX-VNNI or without.
pub(crate) struct Ymm<const VNNI: bool>;

pub(crate) type Avx2 = Ymm<false>;
pub(crate) type AvxVnni = Ymm<true>;

type F = [__m256; 2];
type I = [__m256i; 2];

/// Methods whose only obligations are those stated by the trait: features present, pointers valid.
macro_rules! methods {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty { $body:expr })*) => {$(
        #[inline(always)]
        unsafe fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: the caller promises AVX2, FMA, F16C and valid pointers, as the trait demands.
            unsafe { $body }
        }
    )*};
}

/// Adds the four byte products of each 32-bit lane.
#[inline(always)]
unsafe fn dot<const VNNI: bool>(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    // SAFETY: registers only; the caller promises AVX2, and AVX-VNNI where it says so.
    unsafe {
        if VNNI {
            return _mm256_dpbusd_avx_epi32(sum, unsigned, signed);
        }
        let pairs = _mm256_maddubs_epi16(unsigned, signed);
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

/// Codes as they are with AVX-VNNI; else `|w|` times `x` with the sign of `w`, where 128 * 127 * 2 still fits 16 bits.
#[inline(always)]
unsafe fn dot_signed<const VNNI: bool>(sum: __m256i, codes: __m256i, x: __m256i) -> __m256i {
    // SAFETY: as in `dot`.
    unsafe {
        if VNNI {
            return dot::<VNNI>(sum, codes, x);
        }
        let w = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
        dot::<VNNI>(sum, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
    }
}

/// Sixteen columns of eight rows; without AVX-VNNI four planes of 16-bit pairs (at most 4 * 508) before one widening.
#[inline(always)]
unsafe fn trits<const VNNI: bool>(sum: __m256i, codes: __m256i, x: [__m256i; 4]) -> __m256i {
    // SAFETY: as in `dot`.
    unsafe {
        let mask = _mm256_set1_epi8(3);
        if VNNI {
            let sum = dot::<VNNI>(sum, _mm256_and_si256(codes, mask), x[0]);
            let sum = dot::<VNNI>(sum, _mm256_and_si256(_mm256_srli_epi16::<2>(codes), mask), x[1]);
            let sum = dot::<VNNI>(sum, _mm256_and_si256(_mm256_srli_epi16::<4>(codes), mask), x[2]);
            return dot::<VNNI>(sum, _mm256_and_si256(_mm256_srli_epi16::<6>(codes), mask), x[3]);
        }
        let p0 = _mm256_maddubs_epi16(_mm256_and_si256(codes, mask), x[0]);
        let p1 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<2>(codes), mask), x[1]);
        let p2 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<4>(codes), mask), x[2]);
        let p3 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<6>(codes), mask), x[3]);
        let pairs = _mm256_add_epi16(_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3));
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

/// See [`Simd::split_planes`].
#[inline(always)]
unsafe fn split_planes(x: __m256i) -> (__m256i, __m256i) {
    // SAFETY: registers only; the caller promises AVX2.
    unsafe {
        let high = _mm256_srai_epi32::<8>(_mm256_add_epi32(x, _mm256_set1_epi32(128)));
        let low = _mm256_sub_epi32(x, _mm256_slli_epi32::<8>(high));
        (high, _mm256_max_epi32(low, _mm256_set1_epi32(-127)))
    }
}

/// See [`Simd::base_three`].
#[inline(always)]
unsafe fn base_three(x: __m256i) -> __m256i {
    // SAFETY: sixteen bytes are read from sixteen bytes; the caller promises AVX2.
    unsafe {
        let digits = |of: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(of.as_ptr().cast()));
        let mask = _mm256_set1_epi8(15);
        let low = _mm256_shuffle_epi8(digits(&LOW_DIGITS), _mm256_and_si256(x, mask));
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(x), mask);
        _mm256_add_epi8(low, _mm256_shuffle_epi8(digits(&HIGH_DIGITS), high))
    }
}

/// Pairs of the 32-bit lanes of both.
#[inline(always)]
unsafe fn pair_lanes(a: __m256i, b: __m256i) -> I {
    // SAFETY: registers only; the caller promises AVX2.
    unsafe {
        let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
        [_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high)]
    }
}

/// See [`Simd::widen`].
#[inline(always)]
unsafe fn widen(codes: __m256i, offset: i16) -> (__m256i, __m256i) {
    // SAFETY: registers only; the caller promises AVX2.
    unsafe {
        let offset = _mm256_set1_epi16(offset);
        let even = _mm256_and_si256(codes, _mm256_set1_epi16(255));
        (_mm256_sub_epi16(even, offset), _mm256_sub_epi16(_mm256_srli_epi16::<8>(codes), offset))
    }
}

impl<const VNNI: bool> Simd for Ymm<VNNI> {
    type F = F;
    type I = I;
    type B = I;
    type Trits = I;

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = if VNNI { 128 } else { 0 };

    #[inline(always)]
    unsafe fn high_nibble_sum(sum: I) -> I {
        sum
    }
    #[inline(always)]
    unsafe fn trits_sum(sum: I) -> I {
        sum
    }

    methods! {
        fn fzero() -> F { [_mm256_setzero_ps(); 2] }
        fn fsplat(x: f32) -> F { [_mm256_set1_ps(x); 2] }
        fn fload(from: *const f32) -> F { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
        fn fstore(to: *mut f32, x: F) -> () {{
            _mm256_storeu_ps(to, x[0]);
            _mm256_storeu_ps(to.add(8), x[1]);
        }}
        fn fadd(a: F, b: F) -> F { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        fn fsub(a: F, b: F) -> F { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
        fn fmul(a: F, b: F) -> F { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        fn fdiv(a: F, b: F) -> F { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
        fn fma(a: F, b: F, c: F) -> F { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
        fn fmax(a: F, b: F) -> F { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
        fn fmin(a: F, b: F) -> F { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
        fn fabs(a: F) -> F {{
            let mask = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MAX));
            [_mm256_and_ps(a[0], mask), _mm256_and_ps(a[1], mask)]
        }}
        fn f16_load(from: *const u8) -> F {
            [_mm256_cvtph_ps(_mm_loadu_si128(from.cast())), _mm256_cvtph_ps(_mm_loadu_si128(from.add(16).cast()))]
        }
        fn f16_store(to: *mut u8, x: F) -> () {{
            _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT }>(x[0]));
            _mm_storeu_si128(to.add(16).cast(), _mm256_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT }>(x[1]));
        }}
        fn bf16_load(from: *const u8) -> F {{
            let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.add(16).cast()));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high))]
        }}
        fn i8_load(from: *const u8) -> F {{
            let low = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()));
            let high = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.add(8).cast()));
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }}
        fn u8_load(from: *const u8) -> F {{
            let low = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            let high = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.add(8).cast()));
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }}

        fn isplat(x: i32) -> I { [_mm256_set1_epi32(x); 2] }
        fn iadd(a: I, b: I) -> I { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
        fn isub(a: I, b: I) -> I { [_mm256_sub_epi32(a[0], b[0]), _mm256_sub_epi32(a[1], b[1])] }
        fn isar2(x: I) -> I { [_mm256_srai_epi32::<2>(x[0]), _mm256_srai_epi32::<2>(x[1])] }
        fn iload(from: *const i32) -> I { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
        fn itof(x: I) -> F { [_mm256_cvtepi32_ps(x[0]), _mm256_cvtepi32_ps(x[1])] }
        fn round(x: F) -> I {{
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            [
                _mm256_cvttps_epi32(_mm256_round_ps::<NEAREST>(x[0])),
                _mm256_cvttps_epi32(_mm256_round_ps::<NEAREST>(x[1])),
            ]
        }}
        fn pow2(n: I) -> F {{
            let bias = _mm256_set1_epi32(127);
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n[0], bias))),
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n[1], bias))),
            ]
        }}
        fn magnitude_bits(x: F) -> I {{
            let x = Self::fabs(x);
            [_mm256_castps_si256(x[0]), _mm256_castps_si256(x[1])]
        }}
        fn imax(a: I, b: I) -> I { [_mm256_max_epi32(a[0], b[0]), _mm256_max_epi32(a[1], b[1])] }
        fn imax_lanes(x: I) -> i32 {{
            let x = _mm256_max_epi32(x[0], x[1]);
            let x = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
            let x = _mm_max_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
            _mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32::<0b10_11_00_01>(x)))
        }}
        fn isum_lanes(x: I) -> i32 {{
            let x = _mm256_add_epi32(x[0], x[1]);
            let x = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
            let x = _mm_add_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
            _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32::<0b10_11_00_01>(x)))
        }}
        fn join_planes(high: I, low: I) -> I {
            [
                _mm256_add_epi32(_mm256_slli_epi32::<8>(high[0]), low[0]),
                _mm256_add_epi32(_mm256_slli_epi32::<8>(high[1]), low[1]),
            ]
        }
        fn split_planes(x: I) -> (I, I) {{
            let (first, second) = (split_planes(x[0]), split_planes(x[1]));
            ([first.0, second.0], [first.1, second.1])
        }}
        fn store_words(to: *mut i16, x: I) -> () {{
            let first = _mm256_shuffle_epi32::<0b11_01_10_00>(x[0]);
            let second = _mm256_shuffle_epi32::<0b11_01_10_00>(x[1]);
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(first, second));
            _mm256_storeu_si256(to.cast(), words)
        }}
        fn store_low_bytes(to: *mut i8, x: I) -> () {{
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(x[0], x[1]));
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes)
        }}

        fn widen(codes: I, offset: i16) -> [I; 2] {{
            let (first, second) = (widen(codes[0], offset), widen(codes[1], offset));
            [[first.0, second.0], [first.1, second.1]]
        }}
        fn dot2(sum: I, w: I, x: I) -> I {
            [
                _mm256_add_epi32(sum[0], _mm256_madd_epi16(w[0], x[0])),
                _mm256_add_epi32(sum[1], _mm256_madd_epi16(w[1], x[1])),
            ]
        }
        fn bload(from: *const u8) -> I { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
        fn bstore(to: *mut u8, x: I) -> () {{
            _mm256_storeu_si256(to.cast(), x[0]);
            _mm256_storeu_si256(to.add(32).cast(), x[1]);
        }}
        fn splat4(from: *const i8) -> I { [_mm256_set1_epi32(from.cast::<i32>().read_unaligned()); 2] }
        fn bsplat(x: u8) -> I { [_mm256_set1_epi8(x.cast_signed()); 2] }
        fn band(a: I, b: I) -> I { [_mm256_and_si256(a[0], b[0]), _mm256_and_si256(a[1], b[1])] }
        fn bor(a: I, b: I) -> I { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
        fn bshr(a: I, n: i32) -> I {{
            let n = _mm_cvtsi32_si128(n);
            [_mm256_srl_epi16(a[0], n), _mm256_srl_epi16(a[1], n)]
        }}
        fn bshl(a: I, n: i32) -> I {{
            let n = _mm_cvtsi32_si128(n);
            [_mm256_sll_epi16(a[0], n), _mm256_sll_epi16(a[1], n)]
        }}

        fn high_nibbles(packed: I) -> I {{
            let mask = _mm256_set1_epi8(15);
            packed.map(|packed| _mm256_and_si256(_mm256_srli_epi16::<4>(packed), mask))
        }}

        fn dot4(sum: I, codes: I, x: I) -> I { [dot::<VNNI>(sum[0], codes[0], x[0]), dot::<VNNI>(sum[1], codes[1], x[1])] }
        fn dot4_signed(sum: I, codes: I, x: I) -> I {
            [dot_signed::<VNNI>(sum[0], codes[0], x[0]), dot_signed::<VNNI>(sum[1], codes[1], x[1])]
        }

        fn trits_zero() -> I { [_mm256_setzero_si256(); 2] }
        fn trits(sum: I, codes: I, x: [I; 4]) -> I {{
            let low = [x[0][0], x[1][0], x[2][0], x[3][0]];
            let high = [x[0][1], x[1][1], x[2][1], x[3][1]];
            [trits::<VNNI>(sum[0], codes[0], low), trits::<VNNI>(sum[1], codes[1], high)]
        }}
        fn istore(to: *mut i32, x: I) -> () {{
            _mm256_storeu_si256(to.cast(), x[0]);
            _mm256_storeu_si256(to.add(8).cast(), x[1]);
        }}
        fn add_words(a: I, b: I) -> I { [_mm256_add_epi16(a[0], b[0]), _mm256_add_epi16(a[1], b[1])] }
        fn sub_words(a: I, b: I) -> I { [_mm256_sub_epi16(a[0], b[0]), _mm256_sub_epi16(a[1], b[1])] }
        fn base_three(x: I) -> I { x.map(|x| base_three(x)) }
        fn pair_lanes(a: I, b: I, n: u32) -> [I; 2] {{
            let n = _mm_cvtsi32_si128(n.cast_signed());
            [pair_lanes(a[0], _mm256_srl_epi32(b[0], n)), pair_lanes(a[1], _mm256_srl_epi32(b[1], n))]
        }}
        fn words_of_bytes(from: *const i8) -> I {
            [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(16).cast())),
            ]
        }
        fn split_words(x: I) -> [I; 2] {
            [x.map(|x| _mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(x))), x.map(|x| _mm256_srai_epi32::<16>(x))]
        }
        fn prefetch(at: *const u8) -> () { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        fn prefetch_far(at: *const u8) -> () { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}
