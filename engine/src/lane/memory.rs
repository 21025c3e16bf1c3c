//! Memory that lanes ask for: zeroed, and an error instead of an abort when there is not enough.

use super::LaneError;

/// `len` zeros (`T` is a plain number, `T::default()` its zero). Large blocks come from the system already zeroed, so their
/// pages cost nothing until they are touched.
///
/// # Errors
/// [`LaneError::OutOfMemory`] naming `what`.
pub(crate) fn zeroed<T: Zero>(len: usize, what: &str) -> Result<Vec<T>, LaneError> {
    // `vec![0; len]` is what reaches calloc, but it aborts when refused; so the same size is asked for without touching it first.
    let mut probe: Vec<T> = Vec::new();
    probe.try_reserve_exact(len).map_err(|_| LaneError::OutOfMemory {
        what: what.to_owned(),
        bytes: len.saturating_mul(size_of::<T>()),
    })?;
    drop(probe);
    Ok(T::zeros(len))
}

/// A copy of `bytes`.
///
/// # Errors
/// [`LaneError::OutOfMemory`] naming `what`.
pub(crate) fn copied(bytes: &[u8], what: &str) -> Result<Vec<u8>, LaneError> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| LaneError::OutOfMemory { what: what.to_owned(), bytes: bytes.len() })?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Numbers whose `vec![0; n]` is a zeroed allocation.
pub(crate) trait Zero: Sized {
    fn zeros(len: usize) -> Vec<Self>;
}

macro_rules! zero {
    ($($ty:ty),*) => {$(impl Zero for $ty {
        fn zeros(len: usize) -> Vec<Self> {
            vec![0 as $ty; len]
        }
    })*};
}
zero!(i8, u8, u16, f32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_sizes_are_errors() {
        let err = zeroed::<f32>(usize::MAX / 8, "a buffer").unwrap_err();
        assert!(matches!(err, LaneError::OutOfMemory { ref what, .. } if what == "a buffer"), "{err}");
        assert_eq!(zeroed::<i8>(3, "a buffer").unwrap(), [0, 0, 0]);
    }
}
