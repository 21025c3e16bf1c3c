//! Typed metadata values of a GGUF, borrowed from its bytes. Arrays are walked and checked once and keep their bytes, so a large
//! vocabulary is not copied here.

use std::fmt;

use crate::model::cursor::Cursor;
use crate::model::error::{LoadError, shortened};

/// Arrays inside arrays deeper than this are refused.
const MAX_NESTING: usize = 4;

/// A metadata value.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Uint(u64),
    Int(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Str(&'a str),
    Array(Array<'a>),
}

/// An array whose elements were checked when it was read.
#[derive(Clone)]
pub(super) struct Array<'a> {
    element: u32,
    count: usize,
    elements: Cursor<'a>,
}

/// Reads a value of type `ty`.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, ty: u32, key: &str) -> Result<Value<'a>, LoadError> {
    read_nested(cursor, ty, key, 0)
}

fn read_nested<'a>(
    cursor: &mut Cursor<'a>,
    ty: u32,
    key: &str,
    nesting: usize,
) -> Result<Value<'a>, LoadError> {
    let field = format_args!("{key}");
    Ok(match ty {
        0 => Value::Uint(cursor.u8(field)?.into()),
        1 => Value::Int(cursor.i8(field)?.into()),
        2 => Value::Uint(cursor.u16(field)?.into()),
        3 => Value::Int(cursor.i16(field)?.into()),
        4 => Value::Uint(cursor.u32(field)?.into()),
        5 => Value::Int(cursor.i32(field)?.into()),
        6 => Value::F32(cursor.f32(field)?),
        7 => match cursor.u8(field)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => return Err(cursor.source().invalid(field, "a bool, 0 or 1", other)),
        },
        8 => Value::Str(cursor.string(field)?),
        9 => Value::Array(read_array(cursor, key, nesting)?),
        10 => Value::Uint(cursor.u64(field)?),
        11 => Value::Int(cursor.i64(field)?),
        12 => Value::F64(cursor.f64(field)?),
        other => return Err(unknown_type(cursor, key, other)),
    })
}

fn read_array<'a>(cursor: &mut Cursor<'a>, key: &str, nesting: usize) -> Result<Array<'a>, LoadError> {
    if nesting >= MAX_NESTING {
        return Err(cursor.source().invalid(
            key,
            format_args!("at most {MAX_NESTING} nested arrays"),
            "more",
        ));
    }
    let element = cursor.u32(format_args!("{key}: element type"))?;
    let least_bytes = match element {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        9 => 12,
        other => return Err(unknown_type(cursor, key, other)),
    };
    let count = cursor.count(least_bytes, format_args!("{key}: array length"))?;
    let elements = cursor.clone();
    match element {
        8 => {
            for i in 0..count {
                cursor.string(format_args!("{key}[{i}]"))?;
            }
        }
        9 => {
            for _ in 0..count {
                read_array(cursor, key, nesting + 1)?;
            }
        }
        _ => {
            // `count` checked that the product fits what is left.
            cursor.take(count * least_bytes, format_args!("{key}"))?;
        }
    }
    Ok(Array { element, count, elements })
}

fn unknown_type(cursor: &Cursor<'_>, key: &str, ty: u32) -> LoadError {
    let expected = "a value type from 0 (u8) to 12 (f64)";
    cursor.source().invalid(key, expected, format_args!("{ty} before offset {}", cursor.at()))
}

impl<'a> Array<'a> {
    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Elements in order. Errors do not occur for an array that was read; they are passed on all the same.
    pub(super) fn iter(&self, key: &'a str) -> impl Iterator<Item = Result<Value<'a>, LoadError>> + 'a {
        let mut cursor = self.elements.clone();
        let element = self.element;
        (0..self.count).map(move |_| read(&mut cursor, element, key))
    }
}

impl Value<'_> {
    /// What the value is, for errors about a wrong type.
    pub(super) fn describe(&self) -> String {
        match self {
            Value::Uint(_) | Value::Int(_) => format!("the integer {self}"),
            Value::F32(_) | Value::F64(_) => format!("the number {self}"),
            Value::Bool(_) => format!("the bool {self}"),
            Value::Str(_) => format!("the text `{self}`"),
            Value::Array(array) => format!("an array of {}", array.count),
        }
    }
}

/// One line; long texts and arrays are shortened.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Uint(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::F32(v) => write!(f, "{v}"),
            Value::F64(v) => write!(f, "{v}"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Str(v) => f.write_str(&shortened(v, 200)),
            Value::Array(array) => {
                const SHOWN: usize = 6;
                f.write_str("[")?;
                for (i, element) in array.iter("").take(SHOWN).flatten().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    match element {
                        Value::Array(inner) => write!(f, "{comma}[{}]", inner.count)?,
                        Value::Str(text) => write!(f, "{comma}{}", shortened(text, 24))?,
                        other => write!(f, "{comma}{other}")?,
                    }
                }
                match array.count.saturating_sub(SHOWN) {
                    0 => f.write_str("]"),
                    more => write!(f, ", … {more} more]"),
                }
            }
        }
    }
}
