//! Where kernels for many tokens put their results: a row-major matrix of which each thread writes columns of its own.

#![expect(unsafe_code, reason = "threads write disjoint columns of one buffer")]

use std::marker::PhantomData;

use super::GROUP_ROWS;
use super::simd::Simd;

/// `[tokens, width]` outputs and what becomes of a result: `out = y * scale`, or `out += y * scale`, in two roundings.
#[derive(Debug)]
pub struct Outputs<'a> {
    start: *mut f32,
    len: usize,
    width: usize,
    scale: f32,
    accumulate: bool,
    borrow: PhantomData<&'a mut [f32]>,
}

impl Outputs<'_> {
    /// Outputs of `width` columns in the `len` elements from `start` on.
    ///
    /// # Safety
    /// The elements live as long as the result, and while a kernel runs nothing else touches the columns of the groups that it
    /// was given.
    pub unsafe fn new(start: *mut f32, len: usize, width: usize, scale: f32, accumulate: bool) -> Self {
        Self { start, len, width, scale, accumulate, borrow: PhantomData }
    }

    /// Checks that tokens below `tokens` have a row; groups beyond the width are cut.
    pub(super) fn check(&self, tokens: usize) {
        assert!(self.len / self.width.max(1) >= tokens, "an output row for each token");
    }

    /// Where [`Outputs::store`] writes.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn at(&self, token: usize, group: usize) -> *const f32 {
        self.start.wrapping_add(token * self.width + group * GROUP_ROWS)
    }

    /// Writes the real columns of `group`.
    ///
    /// # Safety
    /// The instruction set is present and `token` was checked.
    #[inline(always)]
    pub(super) unsafe fn store<S: Simd>(&self, token: usize, group: usize, y: S::F) {
        let first = group * GROUP_ROWS;
        // SAFETY: `check` has seen the token's row, and columns are cut at the width.
        unsafe {
            let y = S::fmul(y, S::fsplat(self.scale));
            let to = self.start.add(token * self.width + first);
            if first + GROUP_ROWS <= self.width {
                let y = if self.accumulate { S::fadd(S::fload(to), y) } else { y };
                S::fstore(to, y);
                return;
            }
            let mut lanes = [0.0f32; GROUP_ROWS];
            S::fstore(lanes.as_mut_ptr(), y);
            for (i, y) in lanes.into_iter().enumerate().take(self.width.saturating_sub(first)) {
                let to = to.add(i);
                *to = if self.accumulate { *to + y } else { y };
            }
        }
    }
}
