//! The metadata of a GGUF: keys in file order, looked up with a type.

use std::collections::HashMap;

use super::value::{self, Array, Value};
use crate::model::cursor::Cursor;
use crate::model::error::{LoadError, Source, shortened};

/// Smallest entry: key length, a key of one byte, type, a value of one byte.
const LEAST_ENTRY_BYTES: usize = 8 + 1 + 4 + 1;

/// All key/value pairs of a file.
pub(super) struct Metadata<'a> {
    source: Source<'a>,
    entries: Vec<(&'a str, Value<'a>)>,
    by_key: HashMap<&'a str, usize>,
}

impl<'a> Metadata<'a> {
    /// Reads `count` entries.
    pub(super) fn read(cursor: &mut Cursor<'a>, count: u64) -> Result<Self, LoadError> {
        let source = cursor.source();
        let count = cursor.check_count(count, LEAST_ENTRY_BYTES, format_args!("metadata count"))?;
        let mut entries = Vec::with_capacity(count);
        let mut by_key = HashMap::with_capacity(count);
        for i in 0..count {
            let key = cursor.string(format_args!("key {i}"))?;
            if key.is_empty() || key.chars().any(char::is_control) {
                let found = format!("`{}`", shortened(key, 80));
                return Err(source.invalid(format_args!("key {i}"), "a name", found));
            }
            let name = shortened(key, 80);
            let ty = cursor.u32(format_args!("{name}: value type"))?;
            let value = value::read(cursor, ty, &name)?;
            if by_key.insert(key, i).is_some() {
                return Err(source.invalid(name, "every key once", "the key a second time"));
            }
            entries.push((key, value));
        }
        Ok(Self { source, entries, by_key })
    }

    pub(super) fn source(&self) -> Source<'a> {
        self.source
    }

    pub(super) fn entries(&self) -> &[(&'a str, Value<'a>)] {
        &self.entries
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.by_key.get(key).map(|&i| &self.entries[i].1)
    }

    /// A non-negative integer.
    pub(super) fn uint(&self, key: &str) -> Result<Option<u64>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Uint(v)) => Ok(Some(*v)),
            Some(Value::Int(v)) if *v >= 0 => Ok(Some(v.unsigned_abs())),
            Some(Value::Array(array)) => Err(self.source.unsupported(
                key,
                format_args!("one value per layer (an array of {})", array.len()),
                "use a model whose layers all have one shape",
            )),
            Some(other) => Err(self.source.invalid(key, "a non-negative integer", other.describe())),
        }
    }

    /// A number, integers included.
    pub(super) fn float(&self, key: &str) -> Result<Option<f32>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::F32(v)) => Ok(Some(*v)),
            Some(Value::F64(v)) => Ok(Some(*v as f32)),
            Some(Value::Uint(v)) => Ok(Some(*v as f32)),
            Some(Value::Int(v)) => Ok(Some(*v as f32)),
            Some(other) => Err(self.source.invalid(key, "a number", other.describe())),
        }
    }

    /// A bool.
    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(v)) => Ok(Some(*v)),
            Some(other) => Err(self.source.invalid(key, "a bool", other.describe())),
        }
    }

    /// A text.
    pub(super) fn str(&self, key: &str) -> Result<Option<&'a str>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Str(v)) => Ok(Some(v)),
            Some(other) => Err(self.source.invalid(key, "a text", other.describe())),
        }
    }

    /// An array.
    pub(super) fn array(&self, key: &str) -> Result<Option<&Array<'a>>, LoadError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(v)) => Ok(Some(v)),
            Some(other) => Err(self.source.invalid(key, "an array", other.describe())),
        }
    }
}
