//! Whether the processor has int8 tiles, and whether the system lets this process use them: Linux keeps the tile registers away
//! from programs that have not asked, because their state makes a context switch dearer.

#![expect(unsafe_code, reason = "one system call, which the standard library has no name for")]

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::OnceLock;

const TILE: u32 = 1 << 24;
const INT8: u32 = 1 << 25;

/// Whether the processor has AMX int8.
pub(in super::super) fn present() -> bool {
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (TILE | INT8) == TILE | INT8
}

/// Whether this process may use it; asks the system once.
pub(in super::super) fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| present() && ask())
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`, for all threads of the process, those to come included.
#[cfg(target_os = "linux")]
fn ask() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XTILEDATA: u64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the call takes two numbers, touches no memory of this process, and clobbers what the convention says.
    unsafe {
        std::arch::asm!("syscall", inout("rax") result, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XTILEDATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn ask() -> bool {
    false
}
