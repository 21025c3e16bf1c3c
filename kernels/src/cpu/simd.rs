//! What a kernel needs of an instruction set: sixteen lanes of f32 or i32, sixty-four bytes, and four-way byte dot products.
//! Implementations hold no loops over data.

#![expect(unsafe_code, reason = "pointers and instructions that need detected features")]

/// Sixteen lanes. Every method is unsafe for two reasons only: the instruction set must be present, and pointers must be
/// readable or writable for the stated number of elements (no alignment is needed).
pub(crate) trait Simd {
    /// 16 f32.
    type F: Copy;
    /// 16 i32.
    type I: Copy;
    /// 64 bytes: lane `r`, byte `t` at `4 * r + t`.
    type B: Copy;
    /// Running integer dot products of a group against one row of activations, see [`Simd::trits`].
    type Trits: Copy;

    /// Whether there are 32 registers of the full sixteen lanes, which decides tile sizes.
    const WIDE: bool;
    /// What the caller of [`Simd::dot4_signed`] must subtract, times the sum of `x`.
    const SIGNED_BIAS: i32;

    unsafe fn fzero() -> Self::F;
    unsafe fn fsplat(x: f32) -> Self::F;
    /// 16 f32.
    unsafe fn fload(from: *const f32) -> Self::F;
    /// 16 f32.
    unsafe fn fstore(to: *mut f32, x: Self::F);
    unsafe fn fadd(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn fsub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn fmul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn fdiv(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `b` where either is NaN.
    unsafe fn fmax(a: Self::F, b: Self::F) -> Self::F;
    /// `b` where either is NaN.
    unsafe fn fmin(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn fabs(a: Self::F) -> Self::F;
    /// 16 IEEE halves.
    unsafe fn f16_load(from: *const u8) -> Self::F;
    /// 16 IEEE halves, half to even.
    unsafe fn f16_store(to: *mut u8, x: Self::F);
    /// 16 bfloat16.
    unsafe fn bf16_load(from: *const u8) -> Self::F;
    /// 16 i8.
    unsafe fn i8_load(from: *const u8) -> Self::F;
    /// 16 u8.
    unsafe fn u8_load(from: *const u8) -> Self::F;

    unsafe fn isplat(x: i32) -> Self::I;
    unsafe fn iadd(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn isub(a: Self::I, b: Self::I) -> Self::I;
    /// Arithmetic shift right by two.
    unsafe fn isar2(x: Self::I) -> Self::I;
    /// 16 i32.
    unsafe fn iload(from: *const i32) -> Self::I;
    /// 16 i32.
    unsafe fn istore(to: *mut i32, x: Self::I);
    unsafe fn itof(x: Self::I) -> Self::F;
    /// Nearest integer, ties to even; unspecified outside i32.
    unsafe fn round(x: Self::F) -> Self::I;
    /// `2^n` for n in -126..=127.
    unsafe fn pow2(n: Self::I) -> Self::F;
    /// Bit patterns without the sign: in the order of the magnitudes, infinities and NaN above every number.
    unsafe fn magnitude_bits(x: Self::F) -> Self::I;
    unsafe fn imax(a: Self::I, b: Self::I) -> Self::I;
    /// Largest lane.
    unsafe fn imax_lanes(x: Self::I) -> i32;
    /// Sum of the lanes, wrapping.
    unsafe fn isum_lanes(x: Self::I) -> i32;
    /// `256 * high + low`.
    unsafe fn join_planes(high: Self::I, low: Self::I) -> Self::I;
    /// `(high, low)` with `256 * high + low` equal to `x`, or to `x + 1` where `low` would be -128; for x in -32639..=32639 both
    /// lie within +-127.
    unsafe fn split_planes(x: Self::I) -> (Self::I, Self::I);
    /// The low 16 bits of each lane, the middle two of each four lanes swapped: the order of [`Simd::widen`].
    unsafe fn store_words(to: *mut i16, x: Self::I);
    /// The low byte of each lane, 16 bytes.
    unsafe fn store_low_bytes(to: *mut i8, x: Self::I);

    /// 64 bytes.
    unsafe fn bload(from: *const u8) -> Self::B;
    /// 64 bytes.
    unsafe fn bstore(to: *mut u8, x: Self::B);
    /// 4 bytes, repeated sixteen times.
    unsafe fn splat4(from: *const i8) -> Self::B;
    unsafe fn bsplat(x: u8) -> Self::B;
    unsafe fn band(a: Self::B, b: Self::B) -> Self::B;
    unsafe fn bor(a: Self::B, b: Self::B) -> Self::B;
    /// Shifts 16-bit pairs: bits that cross into a byte must be masked away.
    unsafe fn bshr(a: Self::B, n: i32) -> Self::B;
    /// Shifts 16-bit pairs: bits that cross into a byte must be masked away.
    unsafe fn bshl(a: Self::B, n: i32) -> Self::B;

    /// The upper nibble of each byte as codes for [`Simd::dot4`]; what it adds then is to be corrected by [`Simd::high_nibble_sum`].
    unsafe fn high_nibbles(packed: Self::B) -> Self::B;
    /// The sum of products with nibbles, from one with [`Simd::high_nibbles`].
    unsafe fn high_nibble_sum(sum: Self::I) -> Self::I;

    /// Adds to each lane the dot product of its four unsigned `codes` (at most 63) with its four signed `x` (at least -127).
    unsafe fn dot4(sum: Self::I, codes: Self::B, x: Self::B) -> Self::I;
    /// As [`Simd::dot4`] with codes up to 255: adds the dot product of `code - 128 + SIGNED_BIAS`.
    unsafe fn dot4_signed(sum: Self::I, codes: Self::B, x: Self::B) -> Self::I;

    /// 16-bit numbers `code - offset`: bytes 0 and 2 of each lane, then bytes 1 and 3.
    unsafe fn widen(codes: Self::B, offset: i16) -> [Self::B; 2];
    /// Adds to each lane the dot product of its two 16-bit `w` (at most 255 in magnitude) with its two 16-bit `x`.
    unsafe fn dot2(sum: Self::I, w: Self::B, x: Self::B) -> Self::I;

    unsafe fn trits_zero() -> Self::Trits;
    /// Sixteen columns of a group: plane p of `codes` (bits 2p, 2p+1) holds columns `4 p ..`, to be multiplied with `x[p]`.
    unsafe fn trits(sum: Self::Trits, codes: Self::B, x: [Self::B; 4]) -> Self::Trits;
    unsafe fn trits_sum(sum: Self::Trits) -> Self::I;

    /// Sums of the 32 words of 16 bits, wrapping.
    unsafe fn add_words(a: Self::B, b: Self::B) -> Self::B;
    /// Differences of the 32 words of 16 bits, wrapping.
    unsafe fn sub_words(a: Self::B, b: Self::B) -> Self::B;
    /// Bytes of four two-bit digits up to 2 as numbers in base 3; whatever the digits, a number is below 128.
    unsafe fn base_three(x: Self::B) -> Self::B;
    /// Pairs of 32-bit lanes, `(a[i], b[i] >> n)`: those of i below 8, then the others.
    unsafe fn pair_lanes(a: Self::B, b: Self::B, n: u32) -> [Self::B; 2];
    /// 32 i8 as words of 16 bits.
    unsafe fn words_of_bytes(from: *const i8) -> Self::B;
    /// Even words, then odd words, with their signs.
    unsafe fn split_words(x: Self::B) -> [Self::I; 2];

    /// Lane i of vector j becomes lane j of vector i.
    #[inline(always)]
    unsafe fn transpose(x: [Self::F; 16]) -> [Self::F; 16] {
        let (mut rows, mut columns) = ([[0.0f32; 16]; 16], [[0.0f32; 16]; 16]);
        for (row, x) in rows.iter_mut().zip(x) {
            // SAFETY: sixteen floats are stored to sixteen floats.
            unsafe { Self::fstore(row.as_mut_ptr(), x) };
        }
        for (i, row) in rows.iter().enumerate() {
            for (column, x) in columns.iter_mut().zip(row) {
                column[i] = *x;
            }
        }
        // SAFETY: sixteen floats are loaded from sixteen floats.
        columns.map(|column| unsafe { Self::fload(column.as_ptr()) })
    }

    /// Asks for the cache line at `at`, which need not be readable.
    unsafe fn prefetch(at: *const u8);
    /// As [`Simd::prefetch`], into the second-level cache.
    unsafe fn prefetch_far(at: *const u8);
}

/// Thirty-two words of 16 bits: what tables of partial sums need. Word `2 r + h` belongs to row `r` of group `h` of a pair.
pub(crate) trait Words: Simd {
    /// 32 words.
    type W: Copy;

    unsafe fn wzero() -> Self::W;
    /// 64 bytes.
    unsafe fn wload(from: *const u8) -> Self::W;
    /// 64 bytes.
    unsafe fn wstore(to: *mut u8, x: Self::W);
    /// Each sum fits 16 bits.
    unsafe fn wadd(a: Self::W, b: Self::W) -> Self::W;
    /// Word `index & 31` of the table, for each index.
    unsafe fn wpick(table: Self::W, index: Self::W) -> Self::W;
    /// Logical shift by five.
    unsafe fn wshr5(x: Self::W) -> Self::W;
    /// `into << 1` with the top bit of `from` below.
    unsafe fn wcarry(into: Self::W, from: Self::W) -> Self::W;
    /// Even words, then odd words, with their signs.
    unsafe fn wsplit(x: Self::W) -> [Self::I; 2];
    /// Words `8 l + i` from lane `4 l + i` of the first, words `8 l + 4 + i` from lane `4 l + i` of the second (l, i below 4).
    unsafe fn wjoin(low: Self::I, high: Self::I) -> Self::W;

    /// 32-bit lanes `index & 31` of a table of 32.
    unsafe fn bpick(table: [Self::B; 2], index: Self::B) -> Self::B;
    /// Logical shift of 32-bit lanes.
    unsafe fn dshr(x: Self::B, n: u32) -> Self::B;
    /// Shift of 32-bit lanes.
    unsafe fn dshl(x: Self::B, n: u32) -> Self::B;
}

/// Two digits of two bits as a number in base 3, for [`Simd::base_three`].
pub(crate) const LOW_DIGITS: [u8; 16] = digits(1);
/// The same times nine.
pub(crate) const HIGH_DIGITS: [u8; 16] = digits(9);

const fn digits(unit: u8) -> [u8; 16] {
    let mut numbers = [0; 16];
    let mut i = 0;
    while i < 16 {
        numbers[i] = unit * (i as u8 % 4 + 3 * (i as u8 / 4));
        i += 1;
    }
    numbers
}

/// Sum of the lanes in a fixed order.
#[inline(always)]
pub(crate) unsafe fn sum_lanes<S: Simd>(x: S::F) -> f32 {
    let mut lanes = [0.0f32; 16];
    // SAFETY: sixteen floats are stored to sixteen floats.
    unsafe { S::fstore(lanes.as_mut_ptr(), x) };
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// Largest lane; no lane may be NaN.
#[inline(always)]
pub(crate) unsafe fn max_lanes<S: Simd>(x: S::F) -> f32 {
    let mut lanes = [0.0f32; 16];
    // SAFETY: sixteen floats are stored to sixteen floats.
    unsafe { S::fstore(lanes.as_mut_ptr(), x) };
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = if lanes[i] > lanes[i + half] { lanes[i] } else { lanes[i + half] };
        }
    }
    lanes[0]
}

/// `e^x`, relative error below 3e-7; saturates near 1.2e-38 and 2.1e38; NaN stays NaN.
/// Range reduction by ln 2 in two parts, then the Taylor polynomial of degree 7 on `|r| <= ln 2 / 2`.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::F) -> S::F {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe {
        let x = S::fmin(S::fsplat(88.0), S::fmax(S::fsplat(-87.0), x));
        let n = S::round(S::fmul(x, S::fsplat(std::f32::consts::LOG2_E)));
        let whole = S::itof(n);
        let r = S::fma(whole, S::fsplat(-355.0 / 512.0), x);
        let r = S::fma(whole, S::fsplat(2.121_944_4e-4), r);
        let mut p = S::fsplat(1.0 / 5040.0);
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = S::fma(p, r, S::fsplat(c));
        }
        S::fmul(p, S::pow2(n))
    }
}
