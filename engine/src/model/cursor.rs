//! Little-endian reading of untrusted bytes: every read is checked against what is left and names its field on failure.
//! Knows no container.

use std::fmt::Arguments;

use super::error::{LoadError, Source, shortened};

/// A position in the bytes of one file.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    source: Source<'a>,
    bytes: &'a [u8],
    at: usize,
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        /// Reads one number.
        pub(super) fn $name(&mut self, field: Arguments<'_>) -> Result<$type, LoadError> {
            let bytes = self.take(size_of::<$type>(), field)?;
            Ok(<$type>::from_le_bytes(bytes.try_into().expect("take returns the length asked for")))
        }
    };
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: Source<'a>, bytes: &'a [u8]) -> Self {
        Self { source, bytes, at: 0 }
    }

    /// The file, for errors about values.
    pub(super) fn source(&self) -> Source<'a> {
        self.source
    }

    /// Offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Reads `n` bytes.
    pub(super) fn take(&mut self, n: usize, field: Arguments<'_>) -> Result<&'a [u8], LoadError> {
        if n > self.left() {
            return Err(self.cut_short(n as u64, field));
        }
        let start = self.at;
        self.at += n;
        Ok(&self.bytes[start..self.at])
    }

    number!(u8, u8);
    number!(i8, i8);
    number!(u16, u16);
    number!(i16, i16);
    number!(u32, u32);
    number!(i32, i32);
    number!(u64, u64);
    number!(i64, i64);
    number!(f32, f32);
    number!(f64, f64);

    /// Reads a count of items of at least `least_bytes` each, refusing one that the rest of the file cannot hold.
    pub(super) fn count(&mut self, least_bytes: usize, field: Arguments<'_>) -> Result<usize, LoadError> {
        let count = self.u64(field)?;
        self.check_count(count, least_bytes, field)
    }

    /// Refuses a count of items of at least `least_bytes` each that the rest of the file cannot hold.
    pub(super) fn check_count(
        &self,
        count: u64,
        least_bytes: usize,
        field: Arguments<'_>,
    ) -> Result<usize, LoadError> {
        let most = self.left() / least_bytes;
        usize::try_from(count).ok().filter(|&count| count <= most).ok_or_else(|| {
            let found = format!("{count}; the file may be cut short or damaged");
            self.source.invalid(
                field,
                format_args!("at most {most} in the {} bytes left", self.left()),
                found,
            )
        })
    }

    /// Reads a string: u64 length and UTF-8.
    pub(super) fn string(&mut self, field: Arguments<'_>) -> Result<&'a str, LoadError> {
        let length = self.u64(field)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|&n| n <= self.left())
            .ok_or_else(|| self.cut_short(length, field))?;
        let bytes = self.take(length, field)?;
        std::str::from_utf8(bytes).map_err(|err| {
            let found = format!(
                "invalid bytes after `{}`",
                shortened(&String::from_utf8_lossy(&bytes[..err.valid_up_to()]), 40)
            );
            self.source.invalid(field, "UTF-8 text", found)
        })
    }

    fn cut_short(&self, n: u64, field: Arguments<'_>) -> LoadError {
        let found =
            format!("{} bytes left at offset {}; the file may be cut short or damaged", self.left(), self.at);
        self.source.invalid(field, format_args!("{n} bytes"), found)
    }
}
