//! The sixteen lanes as one AVX-512 register, with VNNI byte dot products.

#![expect(unsafe_code, reason = "instructions that need detected features")]

use super::simd::{HIGH_DIGITS, LOW_DIGITS, Simd, Words};
use std::arch::x86_64::*;

pub(crate) struct Avx512;

/// Methods whose only obligations are those stated by the trait: features present, pointers valid.
macro_rules! methods {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty { $body:expr })*) => {$(
        #[inline(always)]
        unsafe fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: the caller promises AVX-512 F/BW/VL/VNNI and valid pointers, as the trait demands.
            unsafe { $body }
        }
    )*};
}

/// `_mm512_dpwssd_epi32`, which the compiler would split into a multiplication and an addition to shorten a chain that is not
/// the bottleneck.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dpwssd(mut sum: __m512i, w: __m512i, x: __m512i) -> __m512i {
    // SAFETY: one instruction on registers, of a feature that this function requires.
    unsafe {
        std::arch::asm!("vpdpwssd {0}, {1}, {2}", inout(zmm_reg) sum, in(zmm_reg) w, in(zmm_reg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// See [`Simd::transpose`]: lanes of pairs of vectors, then of fours, then quarters of vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(x: [__m512; 16]) -> [__m512; 16] {
    let mut pairs = x;
    for i in (0..16).step_by(2) {
        pairs[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    let mut fours = x;
    for i in (0..16).step_by(4) {
        for half in 0..2 {
            let (a, b) = (_mm512_castps_pd(pairs[i + half]), _mm512_castps_pd(pairs[i + half + 2]));
            fours[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            fours[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    // Quarter q of vector 4 i + j holds lanes 4 i to 4 i + 3 of result 4 q + j.
    let mut all = x;
    for j in 0..4 {
        let even = [0, 8].map(|i| _mm512_shuffle_f32x4::<0x88>(fours[i + j], fours[i + j + 4]));
        let odd = [0, 8].map(|i| _mm512_shuffle_f32x4::<0xdd>(fours[i + j], fours[i + j + 4]));
        all[j] = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
        all[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
        all[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]);
        all[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]);
    }
    all
}

impl Simd for Avx512 {
    type F = __m512;
    type I = __m512i;
    type B = __m512i;
    // One sum per plane. Plane p is used where it lies in the byte, so its sum is too large by 4^p; that saves the shifts.
    type Trits = [__m512i; 4];

    const WIDE: bool = true;
    const SIGNED_BIAS: i32 = 128;

    methods! {
        fn fzero() -> __m512 { _mm512_setzero_ps() }
        fn fsplat(x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn fload(from: *const f32) -> __m512 { _mm512_loadu_ps(from) }
        fn fstore(to: *mut f32, x: __m512) -> () { _mm512_storeu_ps(to, x) }
        fn fadd(a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        fn fsub(a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        fn fmul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn fdiv(a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn fmax(a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        fn fmin(a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        fn fabs(a: __m512) -> __m512 { _mm512_abs_ps(a) }
        fn f16_load(from: *const u8) -> __m512 { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
        fn f16_store(to: *mut u8, x: __m512) -> () {
            _mm256_storeu_si256(to.cast(), _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x))
        }
        fn bf16_load(from: *const u8) -> __m512 {
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()))))
        }
        fn i8_load(from: *const u8) -> __m512 { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
        fn u8_load(from: *const u8) -> __m512 { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }

        fn isplat(x: i32) -> __m512i { _mm512_set1_epi32(x) }
        fn iadd(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        fn isub(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        fn isar2(x: __m512i) -> __m512i { _mm512_srai_epi32::<2>(x) }
        fn iload(from: *const i32) -> __m512i { _mm512_loadu_si512(from.cast()) }
        fn itof(x: __m512i) -> __m512 { _mm512_cvtepi32_ps(x) }
        fn round(x: __m512) -> __m512i {
            _mm512_cvt_roundps_epi32::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
        }
        fn pow2(n: __m512i) -> __m512 {
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(n, _mm512_set1_epi32(127))))
        }
        fn magnitude_bits(x: __m512) -> __m512i { _mm512_castps_si512(_mm512_abs_ps(x)) }
        fn imax(a: __m512i, b: __m512i) -> __m512i { _mm512_max_epi32(a, b) }
        fn imax_lanes(x: __m512i) -> i32 { _mm512_reduce_max_epi32(x) }
        fn isum_lanes(x: __m512i) -> i32 { _mm512_reduce_add_epi32(x) }
        fn join_planes(high: __m512i, low: __m512i) -> __m512i { _mm512_add_epi32(_mm512_slli_epi32::<8>(high), low) }
        fn split_planes(x: __m512i) -> (__m512i, __m512i) {{
            let high = _mm512_srai_epi32::<8>(_mm512_add_epi32(x, _mm512_set1_epi32(128)));
            let low = _mm512_sub_epi32(x, _mm512_slli_epi32::<8>(high));
            (high, _mm512_max_epi32(low, _mm512_set1_epi32(-127)))
        }}
        fn store_words(to: *mut i16, x: __m512i) -> () {
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(_mm512_shuffle_epi32::<0b11_01_10_00>(x)))
        }
        fn store_low_bytes(to: *mut i8, x: __m512i) -> () { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(x)) }

        fn widen(codes: __m512i, offset: i16) -> [__m512i; 2] {{
            let offset = _mm512_set1_epi16(offset);
            let even = _mm512_and_si512(codes, _mm512_set1_epi16(255));
            [_mm512_sub_epi16(even, offset), _mm512_sub_epi16(_mm512_srli_epi16::<8>(codes), offset)]
        }}
        fn dot2(sum: __m512i, w: __m512i, x: __m512i) -> __m512i { dpwssd(sum, w, x) }
        fn bload(from: *const u8) -> __m512i { _mm512_loadu_si512(from.cast()) }
        fn bstore(to: *mut u8, x: __m512i) -> () { _mm512_storeu_si512(to.cast(), x) }
        fn splat4(from: *const i8) -> __m512i { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
        fn bsplat(x: u8) -> __m512i { _mm512_set1_epi8(x.cast_signed()) }
        fn band(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        fn bor(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        fn bshr(a: __m512i, n: i32) -> __m512i { _mm512_srl_epi16(a, _mm_cvtsi32_si128(n)) }
        fn bshl(a: __m512i, n: i32) -> __m512i { _mm512_sll_epi16(a, _mm_cvtsi32_si128(n)) }

        // Sixteen times the nibble saves a shift of bytes, which costs less on the sums.
        fn high_nibbles(packed: __m512i) -> __m512i { _mm512_and_si512(packed, _mm512_set1_epi8(0xf0u8 as i8)) }
        fn high_nibble_sum(sum: __m512i) -> __m512i { _mm512_srai_epi32::<4>(sum) }

        fn dot4(sum: __m512i, codes: __m512i, x: __m512i) -> __m512i { _mm512_dpbusd_epi32(sum, codes, x) }
        fn dot4_signed(sum: __m512i, codes: __m512i, x: __m512i) -> __m512i { _mm512_dpbusd_epi32(sum, codes, x) }

        fn trits_zero() -> [__m512i; 4] { [_mm512_setzero_si512(); 4] }
        fn trits(sum: [__m512i; 4], codes: __m512i, x: [__m512i; 4]) -> [__m512i; 4] {
            [
                _mm512_dpbusd_epi32(sum[0], _mm512_and_si512(codes, _mm512_set1_epi8(0x03)), x[0]),
                _mm512_dpbusd_epi32(sum[1], _mm512_and_si512(codes, _mm512_set1_epi8(0x0c)), x[1]),
                _mm512_dpbusd_epi32(sum[2], _mm512_and_si512(codes, _mm512_set1_epi8(0x30)), x[2]),
                _mm512_dpbusd_epi32(sum[3], _mm512_and_si512(codes, _mm512_set1_epi8(0xc0u8 as i8)), x[3]),
            ]
        }
        fn trits_sum(sum: [__m512i; 4]) -> __m512i {
            _mm512_add_epi32(
                _mm512_add_epi32(sum[0], _mm512_srai_epi32::<2>(sum[1])),
                _mm512_add_epi32(_mm512_srai_epi32::<4>(sum[2]), _mm512_srai_epi32::<6>(sum[3])),
            )
        }

        fn istore(to: *mut i32, x: __m512i) -> () { _mm512_storeu_si512(to.cast(), x) }
        fn add_words(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi16(a, b) }
        fn sub_words(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi16(a, b) }
        fn base_three(x: __m512i) -> __m512i {{
            let digits = |of: &[u8; 16]| _mm512_broadcast_i32x4(_mm_loadu_si128(of.as_ptr().cast()));
            let mask = _mm512_set1_epi8(15);
            let low = _mm512_shuffle_epi8(digits(&LOW_DIGITS), _mm512_and_si512(x, mask));
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(x), mask);
            _mm512_add_epi8(low, _mm512_shuffle_epi8(digits(&HIGH_DIGITS), high))
        }}
        fn pair_lanes(a: __m512i, b: __m512i, n: u32) -> [__m512i; 2] {{
            let b = _mm512_srl_epi32(b, _mm_cvtsi32_si128(n.cast_signed()));
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            [_mm512_permutex2var_epi32(a, first, b), _mm512_permutex2var_epi32(a, second, b)]
        }}
        fn words_of_bytes(from: *const i8) -> __m512i { _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())) }
        fn split_words(x: __m512i) -> [__m512i; 2] {
            [_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(x)), _mm512_srai_epi32::<16>(x)]
        }
        fn transpose(x: [__m512; 16]) -> [__m512; 16] { transpose(x) }

        fn prefetch(at: *const u8) -> () { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        fn prefetch_far(at: *const u8) -> () { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

/// With VBMI2, which the kernels that use it ask for.
impl Words for Avx512 {
    type W = __m512i;

    methods! {
        fn wzero() -> __m512i { _mm512_setzero_si512() }
        fn wload(from: *const u8) -> __m512i { _mm512_loadu_si512(from.cast()) }
        fn wstore(to: *mut u8, x: __m512i) -> () { _mm512_storeu_si512(to.cast(), x) }
        fn wadd(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi16(a, b) }
        fn wpick(table: __m512i, index: __m512i) -> __m512i { _mm512_permutexvar_epi16(index, table) }
        fn wshr5(x: __m512i) -> __m512i { _mm512_srli_epi16::<5>(x) }
        fn wcarry(into: __m512i, from: __m512i) -> __m512i { _mm512_shldi_epi16::<1>(into, from) }
        fn wsplit(x: __m512i) -> [__m512i; 2] {
            [_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(x)), _mm512_srai_epi32::<16>(x)]
        }
        fn wjoin(low: __m512i, high: __m512i) -> __m512i { _mm512_packs_epi32(low, high) }
        fn bpick(table: [__m512i; 2], index: __m512i) -> __m512i {
            _mm512_permutex2var_epi32(table[0], index, table[1])
        }
        fn dshr(x: __m512i, n: u32) -> __m512i { _mm512_srl_epi32(x, _mm_cvtsi32_si128(n.cast_signed())) }
        fn dshl(x: __m512i, n: u32) -> __m512i { _mm512_sll_epi32(x, _mm_cvtsi32_si128(n.cast_signed())) }
    }
}
