//! Products of many tokens: the weights of [`PANEL_GROUPS`] groups are expanded once into a *panel* of whole bytes, which stays in
//! the second-level cache while all tokens are multiplied with it, a register tile of tokens at a time.
//!
//! Order of a panel of codes: groups; a group is `padded(cols) / 4` lines of 64 bytes, byte `4 r + t` of line j belongs to row r,
//! column `4 j + t`, zero beyond the columns. Panels of words (two bytes a weight) are drawn in `blocks::panel`.
//!
//! The order of all float operations of a result is that of the kernels for few tokens, so a row has the same bits in both.

#![expect(unsafe_code, reason = "lines of memory are lent as bytes")]

mod codes;

pub use codes::{Exact, Scaled, exact, scaled};

/// Most groups of a panel: they share the loads of activations from far caches.
pub const PANEL_GROUPS: usize = 4;
/// Panels of codes are padded to a multiple of these columns, and rows of activations are read as far.
pub const PAD_COLS: usize = 64;
/// Bytes of a line.
pub const LINE_BYTES: usize = 64;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE_BYTES]);

/// Columns of a panel for `cols` columns.
pub fn padded(cols: usize) -> usize {
    cols.next_multiple_of(PAD_COLS)
}

/// Memory of a thread for its panel, aligned to cache lines; grows to the largest need and stays.
#[derive(Debug, Default)]
pub struct Memory {
    lines: Vec<Line>,
}

impl Memory {
    /// The first `len` bytes as they were last written.
    ///
    /// # Panics
    /// When so many were never asked for.
    pub fn written(&self, len: usize) -> &[u8] {
        assert!(len.div_ceil(LINE_BYTES) <= self.lines.len(), "bytes that were written");
        // SAFETY: lines are plain bytes without padding, borrowed as long as the result.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<u8>(), len) }
    }

    /// The first `len` bytes, with unspecified values.
    pub fn bytes(&mut self, len: usize) -> &mut [u8] {
        let lines = len.div_ceil(LINE_BYTES);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0; LINE_BYTES]));
        }
        // SAFETY: lines are plain bytes without padding, borrowed as long as the result.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<u8>(), len) }
    }

    /// As [`Memory::written`], for signed bytes.
    pub fn written_i8(&self, len: usize) -> &[i8] {
        let bytes = self.written(len);
        // SAFETY: signed bytes are laid out as bytes, borrowed as long as the result.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// As [`Memory::bytes`], for signed bytes.
    pub fn bytes_i8(&mut self, len: usize) -> &mut [i8] {
        let bytes = self.bytes(len);
        // SAFETY: as in `written_i8`.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    /// As [`Memory::bytes`], for floats.
    pub fn floats(&mut self, len: usize) -> &mut [f32] {
        let bytes = self.bytes(len * size_of::<f32>());
        // SAFETY: lines are aligned for floats, which may have any bits, borrowed as long as the result.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), len) }
    }
}
