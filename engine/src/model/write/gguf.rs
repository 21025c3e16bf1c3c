//! Writes GGUF v3 (or v2): declare keys and tensors, then stream the data in the declared order.

use std::io::{self, Write};

use super::{Counted, invalid_input};
use crate::model::TensorType;

const ALIGNMENT: usize = 32;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue {
    /// u32.
    U32(u32),
    /// u64.
    U64(u64),
    /// i32.
    I32(i32),
    /// f32.
    F32(f32),
    /// bool.
    Bool(bool),
    /// Text.
    Str(String),
    /// Array of texts.
    Strs(Vec<String>),
    /// Array of i32.
    I32s(Vec<i32>),
    /// Array of f32.
    F32s(Vec<f32>),
}

macro_rules! from {
    ($type:ty, $variant:ident) => {
        impl From<$type> for GgufValue {
            fn from(value: $type) -> Self {
                GgufValue::$variant(value.into())
            }
        }
    };
}
from!(u32, U32);
from!(u64, U64);
from!(i32, I32);
from!(f32, F32);
from!(bool, Bool);
from!(&str, Str);
from!(String, Str);
from!(Vec<String>, Strs);
from!(Vec<i32>, I32s);
from!(Vec<f32>, F32s);

impl GgufValue {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            GgufValue::U32(v) => put(out, 4, &v.to_le_bytes()),
            GgufValue::I32(v) => put(out, 5, &v.to_le_bytes()),
            GgufValue::F32(v) => put(out, 6, &v.to_le_bytes()),
            GgufValue::Bool(v) => put(out, 7, &[u8::from(*v)]),
            GgufValue::Str(v) => {
                put(out, 8, &[]);
                put_str(out, v);
            }
            GgufValue::U64(v) => put(out, 10, &v.to_le_bytes()),
            GgufValue::Strs(v) => {
                put_array(out, 8, v.len());
                v.iter().for_each(|text| put_str(out, text));
            }
            GgufValue::I32s(v) => {
                put_array(out, 5, v.len());
                out.extend(v.iter().flat_map(|v| v.to_le_bytes()));
            }
            GgufValue::F32s(v) => {
                put_array(out, 6, v.len());
                out.extend(v.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
    }
}

fn put(out: &mut Vec<u8>, ty: u32, bytes: &[u8]) {
    out.extend(ty.to_le_bytes());
    out.extend(bytes);
}

fn put_array(out: &mut Vec<u8>, element: u32, count: usize) {
    put(out, 9, &element.to_le_bytes());
    out.extend((count as u64).to_le_bytes());
}

fn put_str(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Keys and tensor declarations of a file to be written.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    keys: Vec<(String, GgufValue)>,
    tensors: Vec<Declared>,
}

#[derive(Debug, Clone)]
struct Declared {
    name: String,
    ty: TensorType,
    rows: usize,
    cols: usize,
    bytes: usize,
}

impl GgufWriter {
    /// A file of an architecture; its keys start with that name.
    pub fn new(arch: &str) -> Self {
        let mut writer = Self::default();
        writer.key("general.architecture", arch);
        writer
    }

    /// Adds a key.
    pub fn key(&mut self, key: impl Into<String>, value: impl Into<GgufValue>) -> &mut Self {
        self.keys.push((key.into(), value.into()));
        self
    }

    /// Whether a key was added already; a file may hold each key once.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| name == key)
    }

    /// Declares a matrix `[rows, cols]`, or a vector when `rows == 1`. Data is written later, in the same order.
    ///
    /// # Errors
    /// A type that GGUF does not have, or a row that is not a whole number of its blocks.
    pub fn tensor(
        &mut self,
        name: impl Into<String>,
        ty: TensorType,
        rows: usize,
        cols: usize,
    ) -> io::Result<&mut Self> {
        let name = name.into();
        if ty.gguf_id().is_none() {
            return Err(invalid_input(format!("{name}: GGUF has no type {}", ty.name())));
        }
        let Some(bytes) = ty.data_bytes(rows, cols).filter(|&bytes| bytes > 0) else {
            return Err(invalid_input(format!("{name}: [{rows}, {cols}] does not suit {}", ty.name())));
        };
        self.tensors.push(Declared { name, ty, rows, cols, bytes });
        Ok(self)
    }

    /// Header, keys and tensor table, padded to the alignment of the data.
    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            put_str(&mut out, key);
            value.write(&mut out);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            put_str(&mut out, &tensor.name);
            let dims = [tensor.cols as u64, tensor.rows as u64];
            let dims = if tensor.rows == 1 { &dims[..1] } else { &dims[..] };
            out.extend((dims.len() as u32).to_le_bytes());
            out.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
            out.extend(tensor.ty.gguf_id().expect("checked when declared").to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += tensor.bytes.next_multiple_of(ALIGNMENT) as u64;
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        out
    }

    /// Bytes the finished file will have.
    pub fn file_bytes(&self) -> u64 {
        let data: usize = self.tensors.iter().map(|t| t.bytes.next_multiple_of(ALIGNMENT)).sum();
        (self.header().len() + data) as u64
    }

    /// Writes everything: `fill` is called for each tensor in the declared order and writes its bytes.
    ///
    /// # Errors
    /// Those of `out` and `fill`, and a tensor with more or fewer bytes than declared.
    pub fn write<W: Write>(
        &self,
        mut out: W,
        mut fill: impl FnMut(&str, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<W> {
        out.write_all(&self.header())?;
        for tensor in &self.tensors {
            let mut counted = Counted { out: &mut out, bytes: 0 };
            fill(&tensor.name, &mut counted)?;
            counted.check(&tensor.name, tensor.bytes)?;
            let padding = tensor.bytes.next_multiple_of(ALIGNMENT) - tensor.bytes;
            out.write_all(&[0; ALIGNMENT][..padding])?;
        }
        out.flush()?;
        Ok(out)
    }
}
