//! Inner loops for CPUs, each written once over [`simd::Simd`] (sixteen lanes) and compiled for AVX-512 VNNI, AVX-VNNI, AVX2 and plain
//! Rust. Entry points are safe: they take an [`Isa`], which exists only for instruction sets this machine has, and check
//! every slice before the loops run.
//!
//! All matrices share one order, *groups of sixteen rows*: a vector holds sixteen output rows, activations are broadcast, so no
//! kernel adds across lanes and the result of a row never depends on what else is computed beside it.

mod simd;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

pub mod attention;
pub mod blocks;
pub mod dense;
pub mod elements;
mod outputs;
pub mod panel;
pub mod peak;
pub mod reading;
pub mod rounding;
pub mod rows;
pub mod ternary;
pub mod tiled;
mod units;

pub use outputs::Outputs;
pub use units::Units;

/// Output rows that share a vector.
pub const GROUP_ROWS: usize = 16;
/// Groups that one call of a matrix kernel may take.
pub const MAX_GROUPS: usize = 4;

/// An instruction set that this machine is known to have. It can only be made by detection, which is what makes the kernels
/// safe to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

/// How a core reads weights best. Measured as shares of its read ceiling, kernels alone, two bits (2560 by 2560) and Q4_0:
///
/// | core | asking ahead | one stream | two | four |
/// |---|---|---|---|---|
/// | Zen 4 | no | 98, 97 % | 96, 94 % | 81, 98 % |
/// | Zen 4 | 512 bytes, Q4_0 | | 79 % | |
/// | Emerald Rapids | no | 51, 54 % | 69, 66 % | 78, 78 % |
/// | Emerald Rapids | 4608 bytes | 77, 80 % | 86, 88 % | 89, 84 % |
///
/// A Zen 4 core's places for misses are better left to its own prefetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Far-apart streams of two-bit weights for one token.
    pub streams: usize,
    /// How far ahead of its use a line of weights is asked for; 0 for never.
    pub ahead_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Everything of `Avx512`, and matrix tiles.
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Everything of `Avx2`, and byte dot products.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Isa {
    /// The fastest instruction set of this machine.
    pub fn detect() -> Self {
        Self::available().next().unwrap_or(Self::portable())
    }

    /// AVX-512 with VNNI, and AMX int8 where the system lets this process use it.
    pub fn amx() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if Self::avx512().is_some() && amx::granted() {
            return Some(Self(Kind::Amx));
        }
        None
    }

    /// Whether the processor has AMX int8 that the system does not let this process use.
    pub fn amx_refused() -> bool {
        #[cfg(target_arch = "x86_64")]
        return amx::present() && !amx::granted();
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether products of many tokens run on matrix tiles, see [`tiled`].
    pub fn has_tiles(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.0 == Kind::Amx;
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether one instruction multiplies and adds four bytes a lane.
    pub fn has_byte_dots(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Kind::Amx | Kind::Avx512 | Kind::AvxVnni);
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// AVX-512 F, BW, VL and VNNI.
    pub fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
        {
            return Some(Self(Kind::Avx512));
        }
        None
    }

    /// AVX2 as below, with AVX-VNNI.
    pub fn avx_vnni() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if Self::avx2().is_some() && is_x86_feature_detected!("avxvnni") {
            return Some(Self(Kind::AvxVnni));
        }
        None
    }

    /// AVX2 with FMA and F16C.
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            return Some(Self(Kind::Avx2));
        }
        None
    }

    /// Whether ternary weights in five-bit codes are fast: AVX-512 as above, with VBMI2.
    pub fn has_lookups(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if matches!(self.0, Kind::Amx | Kind::Avx512) {
            return is_x86_feature_detected!("avx512vbmi2");
        }
        false
    }

    /// How a core of this machine reads weights best.
    pub fn reading() -> Reading {
        // Asked once: the instruction leaves a virtual machine, which takes as long as a product.
        static READING: std::sync::OnceLock<Reading> = std::sync::OnceLock::new();
        *READING.get_or_init(|| {
            #[cfg(target_arch = "x86_64")]
            if std::arch::x86_64::__cpuid(0).ebx == u32::from_le_bytes(*b"Genu") {
                return Reading { streams: MAX_GROUPS, ahead_bytes: 4608 };
            }
            Reading { streams: 1, ahead_bytes: 0 }
        })
    }

    /// Plain Rust, on every machine.
    pub fn portable() -> Self {
        Self(Kind::Portable)
    }

    /// Everything this machine can run, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::amx(), Self::avx512(), Self::avx_vnni(), Self::avx2(), Some(Self::portable())]
            .into_iter()
            .flatten()
    }

    /// `avx512-amx`, `avx512-vnni`, `avx-vnni`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => "avx512-amx",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            Kind::Portable => "portable",
        }
    }
}

/// Compiles a generic kernel for every instruction set and picks one by `isa`. The caller has checked the arguments.
macro_rules! dispatch {
    ($isa:expr, $kernel:ident, $arg:expr, $ty:ty) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
        unsafe fn avx512(arg: $ty) {
            // SAFETY: the caller promises the features and checked arguments.
            unsafe { $kernel::<$crate::cpu::avx512::Avx512>(arg) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn avx2(arg: $ty) {
            // SAFETY: the caller promises the features and checked arguments.
            unsafe { $kernel::<$crate::cpu::avx2::Avx2>(arg) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        unsafe fn avx_vnni(arg: $ty) {
            // SAFETY: the caller promises the features and checked arguments.
            unsafe { $kernel::<$crate::cpu::avx2::AvxVnni>(arg) }
        }
        let arg = $arg;
        match $isa.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this kind is only made after detecting these features; the arguments were checked above.
            $crate::cpu::Kind::Amx | $crate::cpu::Kind::Avx512 => unsafe { avx512(arg) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::cpu::Kind::AvxVnni => unsafe { avx_vnni(arg) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::cpu::Kind::Avx2 => unsafe { avx2(arg) },
            // SAFETY: the arguments were checked above; plain Rust needs no features.
            $crate::cpu::Kind::Portable => unsafe { $kernel::<$crate::cpu::portable::Portable>(arg) },
        }
    }};
}
pub(crate) use dispatch;
