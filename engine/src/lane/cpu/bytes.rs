//! Memory for weights and the KV cache: zeroed pages from the system, aligned, committed when first touched.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::lane::LaneError;

/// From this size on the system is asked for huge pages, which saves address translations in long streams.
const HUGE_BYTES: usize = 4 << 20;

/// Page-aligned zeroed bytes.
pub(super) struct Bytes {
    map: MmapMut,
    len: usize,
}

impl Bytes {
    /// Memory that will be filled at once.
    ///
    /// # Errors
    /// [`LaneError::OutOfMemory`] naming `what`.
    pub(super) fn zeroed(len: usize, what: &str) -> Result<Self, LaneError> {
        let bytes = Self::lazy(len, what)?;
        #[cfg(target_os = "linux")]
        if len >= HUGE_BYTES {
            // A wish: a kernel without huge pages refuses it and nothing but speed changes.
            let _ = bytes.map.advise(memmap2::Advice::HugePage);
        }
        Ok(bytes)
    }

    /// Memory that is committed page by page as it is touched.
    ///
    /// # Errors
    /// [`LaneError::OutOfMemory`] naming `what`.
    pub(super) fn lazy(len: usize, what: &str) -> Result<Self, LaneError> {
        let map = MmapMut::map_anon(len.max(1))
            .map_err(|_| LaneError::OutOfMemory { what: what.to_owned(), bytes: len })?;
        Ok(Self { map, len })
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[..self.len]
    }
}
