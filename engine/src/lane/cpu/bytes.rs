//! Memory for weights, activations and the KV cache: zeroed pages from the system, committed when first touched. Weights share slabs, so that
//! also small matrices lie in huge pages: a token walks through all of them, and with pages of 4 KB address translation halves
//! the speed of reading (18 against 33 GB/s on one EPYC core).

#![expect(unsafe_code, reason = "owners of disjoint parts of one mapping")]

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use memmap2::{MmapMut, MmapRaw};

use crate::lane::LaneError;

/// Size of a slab. Memory is only committed where it is used.
const SLAB_BYTES: usize = 64 << 20;
/// Parts begin on cache lines.
const ALIGNMENT: usize = 64;

/// Hands out parts of slabs. A slab goes back to the system when its last part is dropped.
#[derive(Default)]
pub(super) struct Slabs {
    current: Option<(Arc<MmapRaw>, usize)>,
}

impl Slabs {
    /// `len` zeroed bytes for `what`.
    ///
    /// # Errors
    /// [`LaneError::OutOfMemory`] naming `what`.
    pub(super) fn take(&mut self, len: usize, what: &str) -> Result<Bytes, LaneError> {
        if len > SLAB_BYTES / 2 {
            return Ok(Bytes { slab: Arc::new(huge(len, what)?), start: 0, len });
        }
        let (slab, start) = match self.current.take() {
            Some((slab, start)) if start + len <= SLAB_BYTES => (slab, start),
            _ => (Arc::new(huge(SLAB_BYTES, what)?), 0),
        };
        self.current = Some((Arc::clone(&slab), (start + len).next_multiple_of(ALIGNMENT)));
        Ok(Bytes { slab, start, len })
    }
}

fn map(len: usize, what: &str) -> Result<MmapMut, LaneError> {
    MmapMut::map_anon(len.max(1)).map_err(|_| LaneError::OutOfMemory { what: what.to_owned(), bytes: len })
}

/// A mapping in huge pages where the system grants them.
fn huge(len: usize, what: &str) -> Result<MmapRaw, LaneError> {
    let map = map(len, what)?;
    #[cfg(target_os = "linux")]
    // A wish: a kernel without huge pages refuses it and nothing but speed changes.
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map.into())
}

/// A zeroed part of a mapping with one owner.
pub(super) struct Bytes {
    slab: Arc<MmapRaw>,
    start: usize,
    len: usize,
}

impl Bytes {
    /// A mapping of its own, committed huge page by huge page as it is touched.
    ///
    /// # Errors
    /// [`LaneError::OutOfMemory`] naming `what`.
    pub(super) fn lazy(len: usize, what: &str) -> Result<Self, LaneError> {
        Ok(Self { slab: Arc::new(huge(len, what)?), start: 0, len })
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the part lies in the mapping, which `self` keeps alive; parts never overlap and are never handed out twice,
        // so whoever may write it holds `&mut self`.
        unsafe { std::slice::from_raw_parts(self.slab.as_ptr().add(self.start), self.len) }
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, with `&mut self` held by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.slab.as_mut_ptr().add(self.start), self.len) }
    }
}

/// Zeroed floats in a mapping of their own, so that vectors of them lie in one cache line each.
pub(super) struct Floats(Bytes);

impl Floats {
    /// `len` floats for `what`.
    ///
    /// # Errors
    /// [`LaneError::OutOfMemory`] naming `what`.
    pub(super) fn zeroed(len: usize, what: &str) -> Result<Self, LaneError> {
        let bytes = len.saturating_mul(size_of::<f32>());
        Ok(Self(Bytes::lazy(bytes, what)?))
    }
}

impl Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        let bytes = &self.0[..];
        // SAFETY: a mapping begins on a page and has whole floats, which may have any bits; borrowed as long as the result.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<f32>()) }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        let bytes = &mut self.0[..];
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<f32>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_slab_are_zeroed_aligned_and_disjoint() {
        let mut slabs = Slabs::default();
        let sizes = [1, 64, 1000, SLAB_BYTES / 2, SLAB_BYTES / 2, SLAB_BYTES, 0, 7];
        let mut parts: Vec<Bytes> = sizes.iter().map(|&len| slabs.take(len, "test").unwrap()).collect();
        for (i, part) in parts.iter_mut().enumerate() {
            assert_eq!(part.len(), sizes[i]);
            assert_eq!(part.as_ptr() as usize % ALIGNMENT, 0);
            if let [first, .., last] = &mut part[..] {
                assert_eq!((*first, *last), (0, 0));
                (*first, *last) = (i as u8 + 1, i as u8 + 1);
            }
        }
        drop(slabs);
        for (i, part) in parts.iter().enumerate().filter(|(_, part)| part.len() > 1) {
            assert_eq!((part[0], part[part.len() - 1]), (i as u8 + 1, i as u8 + 1));
        }
    }

    #[test]
    fn floats_are_zeroed_and_aligned_to_cache_lines() {
        let mut floats = Floats::zeroed(1000, "test").unwrap();
        assert_eq!((floats.len(), floats.as_ptr() as usize % ALIGNMENT), (1000, 0));
        assert!(floats.iter().all(|x| x.to_bits() == 0));
        floats.fill(2.5);
        assert_eq!(floats.iter().sum::<f32>(), 2500.0);
        assert!(Floats::zeroed(0, "test").unwrap().is_empty());
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(matches!(Floats::zeroed(usize::MAX / 2, "x"), Err(LaneError::OutOfMemory { .. })));
        assert!(matches!(Slabs::default().take(usize::MAX / 4, "x"), Err(LaneError::OutOfMemory { .. })));
    }
}
