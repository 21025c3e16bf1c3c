//! The GGUF container, versions 2 and 3, little-endian: header, metadata, tensor table, data.
//!
//! ```text
//! "GGUF" | u32 version | u64 tensors | u64 keys | keys | tensor table | padding to general.alignment | data
//! ```
//! Everything is checked before use: counts against the bytes left, offsets and lengths against the file, names for
//! repetition, tensors for overlap. Knows the format, not the graphs; `config` and `vocabulary` turn keys into typed data.

mod config;
mod metadata;
mod types;
mod value;
mod vocabulary;

use std::collections::HashSet;

use super::cursor::Cursor;
use super::error::{LoadError, Source, shortened};
use super::file::{Contents, TensorEntry};
use super::tensor::TensorType;
use metadata::Metadata;

/// First bytes of a file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";
/// Smallest tensor record: name length, a name of one byte, dimension count, one dimension, type, offset.
const LEAST_TENSOR_BYTES: usize = 8 + 1 + 4 + 8 + 4 + 8;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 20;
const MAX_DIMS: u32 = 4;

/// Reads everything but the tensor data.
pub(super) fn read(source: Source<'_>, bytes: &[u8], default_name: &str) -> Result<Contents, LoadError> {
    let mut cursor = Cursor::new(source, bytes);
    let (version, n_tensors, n_keys) = read_header(&mut cursor)?;
    let metadata = Metadata::read(&mut cursor, n_keys)?;
    let alignment = alignment(&metadata)?;
    let records = read_records(&mut cursor, n_tensors)?;
    let data_start = cursor.at().checked_next_multiple_of(alignment).filter(|&start| start <= bytes.len());
    let Some(data_start) = data_start else {
        let found = format!("{} bytes; the file may be cut short", bytes.len());
        return Err(source.invalid("length of the file", format_args!("more than {}", cursor.at()), found));
    };
    let tensors = place_tensors(source, &records, data_start, alignment, bytes.len())?;
    let tokenizer = vocabulary::tokenizer_data(&metadata)?;
    let config = config::config(&metadata, &tensors, &tokenizer, default_name)?;
    vocabulary::check_ids(source, &tokenizer, config.vocab)?;
    let listing = metadata.entries().iter().map(|(key, value)| (shortened(key, 80), value.to_string()));
    Ok(Contents {
        container: format!("GGUF v{version}"),
        metadata: listing.collect(),
        config,
        tokenizer,
        tensors,
    })
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<(u32, u64, u64), LoadError> {
    let source = cursor.source();
    let magic = cursor.take(4, format_args!("magic"))?;
    if magic != MAGIC {
        return Err(source.invalid("magic", "`GGUF`", format_args!("{magic:02x?}")));
    }
    let version = cursor.u32(format_args!("version"))?;
    match version {
        2 | 3 => {}
        1 => {
            return Err(source.unsupported(
                "version",
                "GGUF v1",
                "convert the model again with current tools",
            ));
        }
        _ if version.swap_bytes() <= 0xFFFF => {
            let found = format!("a big-endian GGUF (v{})", version.swap_bytes());
            return Err(source.unsupported("version", found, "ask for the little-endian file of this model"));
        }
        _ => {
            let found = format!("GGUF v{version}");
            return Err(source.unsupported("version", found, "this engine reads v2 and v3"));
        }
    }
    Ok((version, cursor.u64(format_args!("tensor count"))?, cursor.u64(format_args!("metadata count"))?))
}

fn alignment(metadata: &Metadata<'_>) -> Result<usize, LoadError> {
    let key = "general.alignment";
    let alignment = metadata.uint(key)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        let expected = format!("a power of two, at most {MAX_ALIGNMENT}");
        return Err(metadata.source().invalid(key, expected, alignment));
    }
    Ok(alignment as usize)
}

/// One line of the tensor table.
struct Record<'a> {
    name: &'a str,
    ty: TensorType,
    rows: usize,
    cols: usize,
    offset: u64,
}

fn read_records<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<Vec<Record<'a>>, LoadError> {
    let source = cursor.source();
    let count = cursor.check_count(count, LEAST_TENSOR_BYTES, format_args!("tensor count"))?;
    let mut records = Vec::with_capacity(count);
    let mut names = HashSet::with_capacity(count);
    for i in 0..count {
        let record = read_record(cursor, i)?;
        if !names.insert(record.name) {
            return Err(source.invalid(
                shortened(record.name, 80),
                "every tensor once",
                "the name a second time",
            ));
        }
        records.push(record);
    }
    Ok(records)
}

fn read_record<'a>(cursor: &mut Cursor<'a>, i: usize) -> Result<Record<'a>, LoadError> {
    let source = cursor.source();
    let name = cursor.string(format_args!("name of tensor {i}"))?;
    if name.is_empty() || name.chars().any(char::is_control) {
        let found = format!("`{}`", shortened(name, 80));
        return Err(source.invalid(format_args!("name of tensor {i}"), "a name", found));
    }
    let shown = shortened(name, 80);
    let n_dims = cursor.u32(format_args!("{shown}: dimension count"))?;
    if !(1..=MAX_DIMS).contains(&n_dims) {
        let expected = format!("1 to {MAX_DIMS}");
        return Err(source.invalid(format_args!("{shown}: dimension count"), expected, n_dims));
    }
    let mut dims = [1u64; MAX_DIMS as usize];
    for (d, dim) in dims.iter_mut().take(n_dims as usize).enumerate() {
        *dim = cursor.u64(format_args!("{shown}: dimension {d}"))?;
        if *dim == 0 {
            return Err(source.invalid(format_args!("{shown}: dimension {d}"), "at least 1", 0));
        }
    }
    let id = cursor.u32(format_args!("{shown}: type"))?;
    let ty = types::tensor_type(source, &shown, id)?;
    if dims[2] != 1 || dims[3] != 1 {
        let found = format!("{n_dims} dimensions {:?}", &dims[..n_dims as usize]);
        return Err(source.unsupported(shown, found, "use a model without expert or convolution tensors"));
    }
    let [Ok(cols), Ok(rows)] = [dims[0], dims[1]].map(usize::try_from) else {
        return Err(source.invalid(shown, "dimensions that fit this machine", format_args!("{dims:?}")));
    };
    let offset = cursor.u64(format_args!("{shown}: offset"))?;
    Ok(Record { name, ty, rows, cols, offset })
}

/// Turns offsets into checked ranges of the file, in file order.
fn place_tensors(
    source: Source<'_>,
    records: &[Record<'_>],
    data_start: usize,
    alignment: usize,
    file_bytes: usize,
) -> Result<Vec<TensorEntry>, LoadError> {
    let mut tensors = Vec::with_capacity(records.len());
    for record in records {
        tensors.push(place_tensor(source, record, data_start, alignment, file_bytes)?);
    }
    let mut order: Vec<&TensorEntry> = tensors.iter().collect();
    order.sort_by_key(|t| t.data.start);
    for pair in order.windows(2) {
        let [tensor, next] = pair else { continue };
        if next.data.start < tensor.data.end {
            return Err(overlap(source, tensor, next));
        }
        let slack = next.data.start - tensor.data.end;
        if tensor.ty == TensorType::I2S && slack >= alignment {
            let found = format!("{}", next.data.start - tensor.data.start);
            let expected = format!("{} bytes (a quarter byte a weight and 32 of scale)", tensor.data.len());
            return Err(source.invalid(&tensor.name, expected, found));
        }
    }
    Ok(tensors)
}

fn place_tensor(
    source: Source<'_>,
    record: &Record<'_>,
    data_start: usize,
    alignment: usize,
    file_bytes: usize,
) -> Result<TensorEntry, LoadError> {
    let &Record { ty, rows, cols, offset, .. } = record;
    let name = shortened(record.name, 80);
    if !offset.is_multiple_of(alignment as u64) {
        return Err(source.invalid(
            format_args!("{name}: offset"),
            format_args!("a multiple of {alignment}"),
            offset,
        ));
    }
    let (block, _) = ty.block();
    if !cols.is_multiple_of(block) {
        let expected = format!("a multiple of {block} ({})", ty.name());
        return Err(source.invalid(format_args!("{name}: row length"), expected, cols));
    }
    let Some(length) = ty.data_bytes(rows, cols) else {
        let found = format!("[{rows}, {cols}]");
        return Err(source.invalid(name, "a size that fits this machine", found));
    };
    let start = usize::try_from(offset).ok().and_then(|offset| data_start.checked_add(offset));
    let range = start.and_then(|start| Some(start..start.checked_add(length)?));
    let Some(data) = range.filter(|range| range.end <= file_bytes) else {
        let found = format!("a file of {file_bytes} bytes; it may be cut short");
        let expected = format!("{length} bytes at offset {data_start} + {offset}");
        return Err(source.invalid(name, expected, found));
    };
    Ok(TensorEntry { name: record.name.to_owned(), ty, rows, cols, data, scales: 0..0 })
}

fn overlap(source: Source<'_>, tensor: &TensorEntry, next: &TensorEntry) -> LoadError {
    let hint = if tensor.ty == TensorType::I2S {
        "; an I2_S tensor takes a quarter byte a weight and 32 bytes of scale, so this may be another 2-bit type: \
         ask for a TQ2_0 file"
    } else {
        ""
    };
    let found = format!(
        "{} at {:?} and {} at {:?}{hint}",
        shortened(&tensor.name, 80),
        tensor.data,
        shortened(&next.name, 80),
        next.data
    );
    source.invalid("tensor table", "tensors that do not overlap", found)
}
