//! The sixteen lanes in plain Rust: slow, and the same everywhere.

#![expect(unsafe_code, reason = "the trait's methods take raw pointers")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::simd::{Simd, Words};
use half::{bf16, f16};

pub(crate) struct Portable;

type F = [f32; 16];
type I = [i32; 16];
type B = [u8; 64];

#[inline(always)]
fn map(a: F, f: impl Fn(f32) -> f32) -> F {
    a.map(f)
}

#[inline(always)]
fn zip(a: F, b: F, f: impl Fn(f32, f32) -> f32) -> F {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
unsafe fn bytes<const N: usize>(from: *const u8) -> [u8; N] {
    // SAFETY: the caller promises N readable bytes; arrays of bytes need no alignment.
    unsafe { from.cast::<[u8; N]>().read_unaligned() }
}

impl Simd for Portable {
    type F = F;
    type I = I;
    type B = B;
    type Trits = I;

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = 0;

    #[inline(always)]
    unsafe fn fzero() -> F {
        [0.0; 16]
    }
    #[inline(always)]
    unsafe fn fsplat(x: f32) -> F {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn fload(from: *const f32) -> F {
        // SAFETY: the caller promises 16 readable floats.
        unsafe { from.cast::<F>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn fstore(to: *mut f32, x: F) {
        // SAFETY: the caller promises 16 writable floats.
        unsafe { to.cast::<F>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn fadd(a: F, b: F) -> F {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn fsub(a: F, b: F) -> F {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn fmul(a: F, b: F) -> F {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn fdiv(a: F, b: F) -> F {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: F, b: F, c: F) -> F {
        // Two roundings: `mul_add` is a library call on machines without the instruction.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn fmax(a: F, b: F) -> F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn fmin(a: F, b: F) -> F {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn fabs(a: F) -> F {
        map(a, f32::abs)
    }
    #[inline(always)]
    unsafe fn f16_load(from: *const u8) -> F {
        // SAFETY: the caller promises 16 readable halves.
        let b = unsafe { bytes::<32>(from) };
        std::array::from_fn(|i| f16::from_le_bytes([b[2 * i], b[2 * i + 1]]).to_f32())
    }
    #[inline(always)]
    unsafe fn f16_store(to: *mut u8, x: F) {
        let halves = x.map(|x| f16::from_f32(x).to_le_bytes());
        // SAFETY: the caller promises room for 16 halves.
        unsafe { to.cast::<[[u8; 2]; 16]>().write_unaligned(halves) }
    }
    #[inline(always)]
    unsafe fn bf16_load(from: *const u8) -> F {
        // SAFETY: the caller promises 16 readable bfloat16.
        let b = unsafe { bytes::<32>(from) };
        std::array::from_fn(|i| bf16::from_le_bytes([b[2 * i], b[2 * i + 1]]).to_f32())
    }
    #[inline(always)]
    unsafe fn i8_load(from: *const u8) -> F {
        // SAFETY: the caller promises 16 readable bytes.
        unsafe { bytes::<16>(from) }.map(|b| f32::from(b.cast_signed()))
    }
    #[inline(always)]
    unsafe fn u8_load(from: *const u8) -> F {
        // SAFETY: the caller promises 16 readable bytes.
        unsafe { bytes::<16>(from) }.map(f32::from)
    }

    #[inline(always)]
    unsafe fn isplat(x: i32) -> I {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn iadd(a: I, b: I) -> I {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    unsafe fn isub(a: I, b: I) -> I {
        std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    unsafe fn isar2(x: I) -> I {
        x.map(|x| x >> 2)
    }
    #[inline(always)]
    unsafe fn iload(from: *const i32) -> I {
        // SAFETY: the caller promises 16 readable integers.
        unsafe { from.cast::<I>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn itof(x: I) -> F {
        x.map(|x| x as f32)
    }
    #[inline(always)]
    unsafe fn round(x: F) -> I {
        x.map(|x| x.round_ties_even() as i32)
    }
    #[inline(always)]
    unsafe fn pow2(n: I) -> F {
        n.map(|n| f32::from_bits((n.wrapping_add(127) << 23).cast_unsigned()))
    }
    #[inline(always)]
    unsafe fn magnitude_bits(x: F) -> I {
        x.map(|x| x.abs().to_bits().cast_signed())
    }
    #[inline(always)]
    unsafe fn imax(a: I, b: I) -> I {
        std::array::from_fn(|i| a[i].max(b[i]))
    }
    #[inline(always)]
    unsafe fn imax_lanes(x: I) -> i32 {
        x.into_iter().fold(i32::MIN, i32::max)
    }
    #[inline(always)]
    unsafe fn isum_lanes(x: I) -> i32 {
        x.into_iter().fold(0, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn join_planes(high: I, low: I) -> I {
        std::array::from_fn(|i| 256 * high[i] + low[i])
    }
    #[inline(always)]
    unsafe fn split_planes(x: I) -> (I, I) {
        let high = x.map(|x| (x + 128) >> 8);
        (high, std::array::from_fn(|i| (x[i] - 256 * high[i]).max(-127)))
    }
    #[inline(always)]
    unsafe fn store_words(to: *mut i16, x: I) {
        let words: [i16; 16] = std::array::from_fn(|i| x[i - i % 4 + [0, 2, 1, 3][i % 4]] as i16);
        // SAFETY: the caller promises 16 writable words.
        unsafe { to.cast::<[i16; 16]>().write_unaligned(words) }
    }
    #[inline(always)]
    unsafe fn store_low_bytes(to: *mut i8, x: I) {
        // SAFETY: the caller promises 16 writable bytes.
        unsafe { to.cast::<[i8; 16]>().write_unaligned(x.map(|x| x as i8)) }
    }

    #[inline(always)]
    unsafe fn bstore(to: *mut u8, x: B) {
        // SAFETY: the caller promises 64 writable bytes.
        unsafe { to.cast::<B>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn widen(codes: B, offset: i16) -> [B; 2] {
        let word = |i: usize| (i16::from(codes[i]) - offset).to_le_bytes();
        std::array::from_fn(|odd| std::array::from_fn(|i| word(i - i % 4 + i % 4 / 2 * 2 + odd)[i % 2]))
    }
    #[inline(always)]
    unsafe fn dot2(mut sum: I, w: B, x: B) -> I {
        for (lane, sum) in sum.iter_mut().enumerate() {
            for t in [4 * lane, 4 * lane + 2] {
                let word = |b: &B| i32::from(i16::from_le_bytes([b[t], b[t + 1]]));
                *sum += word(&w) * word(&x);
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn bload(from: *const u8) -> B {
        // SAFETY: the caller promises 64 readable bytes.
        unsafe { bytes(from) }
    }
    #[inline(always)]
    unsafe fn splat4(from: *const i8) -> B {
        // SAFETY: the caller promises 4 readable bytes.
        let b = unsafe { bytes::<4>(from.cast()) };
        std::array::from_fn(|i| b[i % 4])
    }
    #[inline(always)]
    unsafe fn bsplat(x: u8) -> B {
        [x; 64]
    }
    #[inline(always)]
    unsafe fn band(a: B, b: B) -> B {
        std::array::from_fn(|i| a[i] & b[i])
    }
    #[inline(always)]
    unsafe fn bor(a: B, b: B) -> B {
        std::array::from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    unsafe fn bshr(a: B, n: i32) -> B {
        a.map(|b| b >> n)
    }
    #[inline(always)]
    unsafe fn bshl(a: B, n: i32) -> B {
        a.map(|b| b << n)
    }

    #[inline(always)]
    unsafe fn high_nibbles(packed: B) -> B {
        packed.map(|byte| byte >> 4)
    }
    #[inline(always)]
    unsafe fn high_nibble_sum(sum: I) -> I {
        sum
    }
    #[inline(always)]
    unsafe fn dot4(mut sum: I, codes: B, x: B) -> I {
        for lane in 0..16 {
            for t in 4 * lane..4 * lane + 4 {
                sum[lane] += i32::from(codes[t]) * i32::from(x[t].cast_signed());
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn dot4_signed(mut sum: I, codes: B, x: B) -> I {
        for lane in 0..16 {
            for t in 4 * lane..4 * lane + 4 {
                sum[lane] += (i32::from(codes[t]) - 128) * i32::from(x[t].cast_signed());
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn trits_zero() -> I {
        [0; 16]
    }
    #[inline(always)]
    unsafe fn trits(sum: I, codes: B, x: [B; 4]) -> I {
        let mut sum = sum;
        for (p, x) in x.into_iter().enumerate() {
            // SAFETY: plain Rust.
            sum = unsafe { Self::dot4(sum, codes.map(|c| (c >> (2 * p)) & 3), x) };
        }
        sum
    }
    #[inline(always)]
    unsafe fn trits_sum(sum: I) -> I {
        sum
    }

    #[inline(always)]
    unsafe fn istore(to: *mut i32, x: I) {
        // SAFETY: the caller promises 16 writable integers.
        unsafe { to.cast::<I>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn add_words(a: B, b: B) -> B {
        words(a, b, u16::wrapping_add)
    }
    #[inline(always)]
    unsafe fn sub_words(a: B, b: B) -> B {
        words(a, b, u16::wrapping_sub)
    }
    #[inline(always)]
    unsafe fn base_three(x: B) -> B {
        // Base 4 to base 3: a digit above the lowest counts one less.
        let pair = |digits: u8| digits - (digits >> 2);
        x.map(|x| pair(x & 15) + 9 * pair(x >> 4))
    }
    #[inline(always)]
    unsafe fn pair_lanes(a: B, b: B, n: u32) -> [B; 2] {
        let (a, b) = (lanes(a), lanes(b));
        [0, 8].map(|first| {
            bytes_of(std::array::from_fn(
                |i| if i % 2 == 0 { a[first + i / 2] } else { b[first + i / 2] >> n },
            ))
        })
    }
    #[inline(always)]
    unsafe fn words_of_bytes(from: *const i8) -> B {
        // SAFETY: the caller promises 32 readable bytes.
        let x = unsafe { bytes::<32>(from.cast()) };
        std::array::from_fn(|i| i16::from(x[i / 2].cast_signed()).to_le_bytes()[i % 2])
    }
    #[inline(always)]
    unsafe fn split_words(x: B) -> [I; 2] {
        [0, 2]
            .map(|h| std::array::from_fn(|i| i32::from(i16::from_le_bytes([x[4 * i + h], x[4 * i + h + 1]]))))
    }

    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {}
    #[inline(always)]
    unsafe fn prefetch_far(_at: *const u8) {}
}

/// Applies `f` to each word of 16 bits.
#[inline(always)]
fn words(a: B, b: B, f: impl Fn(u16, u16) -> u16) -> B {
    let word = |x: &B, i: usize| u16::from_le_bytes([x[2 * i], x[2 * i + 1]]);
    let words: [[u8; 2]; 32] = std::array::from_fn(|i| f(word(&a, i), word(&b, i)).to_le_bytes());
    std::array::from_fn(|i| words[i / 2][i % 2])
}

/// The 32-bit lanes of 64 bytes.
fn lanes(x: B) -> [u32; 16] {
    std::array::from_fn(|i| u32::from_le_bytes([x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]]))
}

fn bytes_of(lanes: [u32; 16]) -> B {
    std::array::from_fn(|i| lanes[i / 4].to_le_bytes()[i % 4])
}

impl Words for Portable {
    type W = [u16; 32];

    #[inline(always)]
    unsafe fn wzero() -> Self::W {
        [0; 32]
    }
    #[inline(always)]
    unsafe fn wload(from: *const u8) -> Self::W {
        // SAFETY: the caller promises 64 readable bytes.
        let b = unsafe { bytes::<64>(from) };
        std::array::from_fn(|i| u16::from_le_bytes([b[2 * i], b[2 * i + 1]]))
    }
    #[inline(always)]
    unsafe fn wstore(to: *mut u8, x: Self::W) {
        let b: B = std::array::from_fn(|i| x[i / 2].to_le_bytes()[i % 2]);
        // SAFETY: the caller promises 64 writable bytes.
        unsafe { to.cast::<B>().write_unaligned(b) }
    }
    #[inline(always)]
    unsafe fn wadd(a: Self::W, b: Self::W) -> Self::W {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    unsafe fn wpick(table: Self::W, index: Self::W) -> Self::W {
        index.map(|i| table[usize::from(i & 31)])
    }
    #[inline(always)]
    unsafe fn wshr5(x: Self::W) -> Self::W {
        x.map(|x| x >> 5)
    }
    #[inline(always)]
    unsafe fn wcarry(into: Self::W, from: Self::W) -> Self::W {
        std::array::from_fn(|i| into[i] << 1 | from[i] >> 15)
    }
    #[inline(always)]
    unsafe fn wsplit(x: Self::W) -> [I; 2] {
        [0, 1].map(|h| std::array::from_fn(|r| i32::from(x[2 * r + h].cast_signed())))
    }
    #[inline(always)]
    unsafe fn wjoin(low: I, high: I) -> Self::W {
        std::array::from_fn(|i| (if i % 8 < 4 { low } else { high })[i / 8 * 4 + i % 4] as u16)
    }
    #[inline(always)]
    unsafe fn bpick(table: [B; 2], index: B) -> B {
        let table = table.map(lanes);
        bytes_of(lanes(index).map(|i| table[(i >> 4 & 1) as usize][(i & 15) as usize]))
    }
    #[inline(always)]
    unsafe fn dshr(x: B, n: u32) -> B {
        bytes_of(lanes(x).map(|x| x >> n))
    }
    #[inline(always)]
    unsafe fn dshl(x: B, n: u32) -> B {
        bytes_of(lanes(x).map(|x| x << n))
    }
}
