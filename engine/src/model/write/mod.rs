//! Writers of model files, for converters, tests and synthetic models. They stream: no tensor is held whole unless the caller
//! does. They know formats, not where weights come from, except [`Synthetic`], which makes them up from a seed.

mod gguf;
mod h1b;
mod synthetic;

use std::io::{self, Write};

pub use super::h1b::{H1bHeader, H1bPart};
pub use gguf::{GgufValue, GgufWriter};
pub use h1b::{write_h1b, write_htok};
pub use synthetic::Synthetic;

fn invalid_input(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Counts what is written for one tensor.
struct Counted<'a, W> {
    out: &'a mut W,
    bytes: usize,
}

impl<W> Counted<'_, W> {
    fn check(&self, name: &str, expected: usize) -> io::Result<()> {
        if self.bytes == expected {
            return Ok(());
        }
        Err(invalid_input(format!("{name}: expected {expected} bytes, found {}", self.bytes)))
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buf)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
