//! The Q formats of GGUF, regrouped with their own codes and scales: nothing is rounded again.
//! The layouts of the file are drawn in `engine::quant::legacy` and `engine::quant::k`.

use std::ops::Range;

use half::f16;
use onebit_kernels::cpu::GROUP_ROWS;
use onebit_kernels::cpu::blocks::{Format, Place, STEP_COLS};

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use super::pack_groups;
use crate::lane::LaneError;
use crate::model::{TensorType, TensorView};
use crate::quant::legacy;

/// Block-quantised weights, layout of `onebit_kernels::cpu::blocks`.
pub(in crate::lane::cpu) struct Blocks {
    pub(in crate::lane::cpu) weights: Bytes,
    pub(in crate::lane::cpu) format: Format,
    /// Steps of 32 columns in a group.
    pub(in crate::lane::cpu) steps: usize,
}

/// The codes of 32 columns, four in a word: packing them is shifts of whole words.
type Codes = [u32; STEP_COLS / 4];

/// 32 columns of one row as the file has them: codes, and the bytes that scale them.
struct Step {
    /// Four codes a word, a byte each.
    codes: Codes,
    /// f16; in the K formats one byte, for Q6_K one for each half.
    scale: [u8; 2],
    /// f16; in Q4_K and Q5_K one byte.
    minimum: [u8; 2],
    /// f16 of the super-block: scale, minimum.
    supers: [[u8; 2]; 2],
}

impl Blocks {
    /// Memory for a tensor in the layout of `ty`, which is the tensor's own format, or Q4_0 to be rounded to.
    pub(in crate::lane::cpu) fn begin(
        tensor: &TensorView<'_>,
        ty: TensorType,
        slabs: &mut Slabs,
    ) -> Result<Self, LaneError> {
        let format = format_of(ty).expect("other types have a layout of their own");
        let (block_cols, block_bytes) = file_block(format);
        let bytes = tensor.cols / block_cols * block_bytes * tensor.rows;
        let has_size = tensor.ty != ty || tensor.data.len() == bytes;
        if !tensor.cols.is_multiple_of(block_cols) || !has_size {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!("rows of a multiple of {block_cols} columns, {bytes} bytes"),
                found: format!("{} columns, {} bytes", tensor.cols, tensor.data.len()),
            });
        }
        let steps = tensor.cols / STEP_COLS;
        let groups = tensor.rows.div_ceil(GROUP_ROWS);
        let weights = slabs.take(groups * format.group_bytes(steps), tensor.name)?;
        Ok(Self { weights, format, steps })
    }

    /// Packs rows of a tensor; they begin at a group.
    pub(super) fn pack(&mut self, tensor: &TensorView<'_>, rows: Range<usize>, pool: &Pool) {
        let (block_cols, block_bytes) = file_block(self.format);
        let row_bytes = tensor.cols / block_cols * block_bytes;
        let is_stored = format_of(tensor.ty) == Some(self.format);
        self.pack_with(rows, pool, |row, packed| {
            packed.clear();
            if is_stored {
                packed.extend_from_slice(&tensor.data[row * row_bytes..(row + 1) * row_bytes]);
            } else {
                let mut values = vec![0.0; tensor.cols];
                tensor.dequantize_row(row, &mut values);
                legacy::pack_q4_0(&values, packed);
            }
        });
    }

    /// Packs rows that `read` gives in the format of files, replacing what its buffer held.
    pub(in crate::lane::cpu) fn pack_with(
        &mut self,
        rows: Range<usize>,
        pool: &Pool,
        read: impl Fn(usize, &mut Vec<u8>) + Sync,
    ) {
        let (format, steps) = (self.format, self.steps);
        let group_bytes = format.group_bytes(steps);
        pack_groups(rows.clone(), pool, &mut self.weights, group_bytes, |group, bytes| {
            let mut data = Vec::new();
            let first = group * GROUP_ROWS;
            for (r, row) in (first..rows.end.min(first + GROUP_ROWS)).enumerate() {
                read(row, &mut data);
                pack_row(format, bytes, r, &data);
            }
        });
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let format = self.format;
        let (group, r) = (row / GROUP_ROWS, row % GROUP_ROWS);
        let group_bytes = format.group_bytes(self.steps);
        let group = &self.weights[group * group_bytes..(group + 1) * group_bytes];
        for (step, out) in out.chunks_exact_mut(STEP_COLS).enumerate() {
            let place = format.place(step);
            let (codes, scales, supers) =
                (&group[place.codes..], &group[place.scales..], &group[place.supers..]);
            for (col, out) in out.iter_mut().enumerate() {
                let code = f32::from(code_at(format, codes, r, col));
                *out = match format {
                    Format::Q8_0 => half(scales, r) * (code - 128.0),
                    Format::Q4_0 => half(scales, r) * (code - 8.0),
                    Format::Q5_0 => half(scales, r) * (code - 16.0),
                    Format::Q4_1 | Format::Q5_1 => half(scales, r) * code + half(&scales[32..], r),
                    Format::Q4K | Format::Q5K => {
                        let scale = half(supers, r) * f32::from(scales[r]);
                        scale * code - half(&supers[32..], r) * f32::from(scales[16 + r])
                    }
                    Format::Q6K => {
                        let scale = f32::from(scales[col / 16 * 16 + r].cast_signed());
                        half(supers, r) * scale * (code - 32.0)
                    }
                };
            }
        }
    }
}

fn format_of(ty: TensorType) -> Option<Format> {
    Some(match ty {
        TensorType::Q8_0 => Format::Q8_0,
        TensorType::Q4_0 => Format::Q4_0,
        TensorType::Q4_1 => Format::Q4_1,
        TensorType::Q5_0 => Format::Q5_0,
        TensorType::Q5_1 => Format::Q5_1,
        TensorType::Q4K => Format::Q4K,
        TensorType::Q5K => Format::Q5K,
        TensorType::Q6K => Format::Q6K,
        _ => return None,
    })
}

/// Columns and bytes of a block in the file.
fn file_block(format: Format) -> (usize, usize) {
    match format {
        Format::Q8_0 => (32, 34),
        Format::Q4_0 => (32, 18),
        Format::Q4_1 => (32, 20),
        Format::Q5_0 => (32, 22),
        Format::Q5_1 => (32, 24),
        Format::Q4K => (256, 144),
        Format::Q5K => (256, 176),
        Format::Q6K => (256, 210),
    }
}

fn two(bytes: &[u8], at: usize) -> [u8; 2] {
    [bytes[at], bytes[at + 1]]
}

/// The `r`-th f16.
fn half(bytes: &[u8], r: usize) -> f32 {
    f16::from_le_bytes(two(bytes, 2 * r)).to_f32()
}

/// Packs one row of a file into place `r` of a group.
fn pack_row(format: Format, group: &mut [u8], r: usize, data: &[u8]) {
    let (block_cols, block_bytes) = file_block(format);
    for (block, data) in data.chunks_exact(block_bytes).enumerate() {
        for sub in 0..block_cols / STEP_COLS {
            let found = read_step(format, data, sub);
            let place = format.place(block * (block_cols / STEP_COLS) + sub);
            write_codes(format, &mut group[place.codes..], r, &found.codes);
            write_scales(format, group, place, r, &found);
        }
    }
}

/// The `i`-th four bytes.
fn word(bytes: &[u8], i: usize) -> u32 {
    u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
}

/// Reads 32 columns of a block of the file; `sub` is their place in a super-block.
fn read_step(format: Format, block: &[u8], sub: usize) -> Step {
    let none = [[0; 2]; 2];
    let legacy = |minimum: bool, fifth: bool| {
        let mut at = if minimum { 4 } else { 2 };
        let mut bits = 0;
        if fifth {
            bits = word(&block[at..], 0);
            at += 4;
        }
        let nibbles = &block[at..at + 16];
        let codes = std::array::from_fn(|i| {
            let low = word(nibbles, i % 4) >> (i / 4 * 4) & 0x0f0f_0f0f;
            low | spread(bits >> (4 * i) & 15) << 4
        });
        let minimum = if minimum { two(block, 2) } else { [0; 2] };
        Step { codes, scale: two(block, 0), minimum, supers: none }
    };
    match format {
        Format::Q8_0 => Step {
            codes: std::array::from_fn(|i| word(&block[2..34], i) ^ 0x8080_8080),
            scale: two(block, 0),
            minimum: [0; 2],
            supers: none,
        },
        Format::Q4_0 => legacy(false, false),
        Format::Q4_1 => legacy(true, false),
        Format::Q5_0 => legacy(false, true),
        Format::Q5_1 => legacy(true, true),
        Format::Q4K => read_k(block, None, &block[16..], sub),
        Format::Q5K => read_k(block, Some(&block[16..48]), &block[48..], sub),
        Format::Q6K => read_q6_k(block, sub),
    }
}

/// Four bits as the lowest bits of four bytes. The products of the bits do not meet.
fn spread(bits: u32) -> u32 {
    (bits * 0x0020_4081) & 0x0101_0101
}

fn read_k(block: &[u8], fifth: Option<&[u8]>, nibbles: &[u8], sub: usize) -> Step {
    let b = &block[4..16];
    let (scale, minimum) = if sub < 4 {
        (b[sub] & 63, b[sub + 4] & 63)
    } else {
        (b[sub + 4] & 15 | (b[sub - 4] >> 6) << 4, b[sub + 4] >> 4 | (b[sub] >> 6) << 4)
    };
    let nibbles = &nibbles[32 * (sub / 2)..][..32];
    let codes = std::array::from_fn(|i| {
        let low = word(nibbles, i) >> (4 * (sub % 2)) & 0x0f0f_0f0f;
        low | fifth.map_or(0, |bits| word(bits, i) >> sub & 0x0101_0101) << 4
    });
    Step { codes, scale: [scale, 0], minimum: [minimum, 0], supers: [two(block, 0), two(block, 2)] }
}

fn read_q6_k(block: &[u8], sub: usize) -> Step {
    let (h, g) = (sub / 4, sub % 4);
    let (low, high) = (&block[64 * h + 32 * (g % 2)..][..32], &block[128 + 32 * h..][..32]);
    let codes = std::array::from_fn(|i| {
        let nibbles = word(low, i) >> (4 * (g / 2)) & 0x0f0f_0f0f;
        nibbles | (word(high, i) >> (2 * g) & 0x0303_0303) << 4
    });
    Step { codes, scale: two(block, 192 + 2 * sub), minimum: [0; 2], supers: [two(block, 208), [0; 2]] }
}

/// Places the codes of row `r`.
fn write_codes(format: Format, step: &mut [u8], r: usize, codes: &Codes) {
    let mut write = |at: usize, word: u32| {
        step[at + 4 * r..at + 4 * r + 4].copy_from_slice(&word.to_le_bytes());
    };
    if format == Format::Q8_0 {
        for (i, &word) in codes.iter().enumerate() {
            write(64 * i, word);
        }
        return;
    }
    for i in 0..4 {
        write(64 * i, codes[i] & 0x0f0f_0f0f | (codes[i + 4] & 0x0f0f_0f0f) << 4);
    }
    match format {
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => {
            write(256, (0..8).fold(0, |bits, i| bits | (codes[i] >> 4 & 0x0101_0101) << i));
        }
        Format::Q6K => {
            for half in 0..2 {
                let bits = |i: usize| (codes[4 * half + i] >> 4 & 0x0303_0303) << (2 * i);
                write(256 + 64 * half, (0..4).fold(0, |all, i| all | bits(i)));
            }
        }
        _ => {}
    }
}

/// The code of row `r`, column `c` of a step.
fn code_at(format: Format, step: &[u8], r: usize, c: usize) -> u8 {
    let byte = 4 * r + c % 4;
    if format == Format::Q8_0 {
        return step[64 * (c / 4) + byte];
    }
    let nibble = (step[64 * (c % 16 / 4) + byte] >> (c / 16 * 4)) & 15;
    match format {
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => nibble | ((step[256 + byte] >> (c / 4)) & 1) << 4,
        Format::Q6K => nibble | ((step[256 + 64 * (c / 16) + byte] >> (c % 16 / 4 * 2)) & 3) << 4,
        _ => nibble,
    }
}

/// Places the scales of row `r` of a step of a group.
fn write_scales(format: Format, group: &mut [u8], place: Place, r: usize, found: &Step) {
    let Place { scales: at, supers, .. } = place;
    match format {
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => put(group, at, r, found.scale),
        Format::Q4_1 | Format::Q5_1 => {
            put(group, at, r, found.scale);
            put(group, at + 32, r, found.minimum);
        }
        Format::Q4K | Format::Q5K => {
            group[at + r] = found.scale[0];
            group[at + 16 + r] = found.minimum[0];
            put(group, supers, r, found.supers[0]);
            put(group, supers + 32, r, found.supers[1]);
        }
        Format::Q6K => {
            group[at + r] = found.scale[0];
            group[at + 16 + r] = found.scale[1];
            put(group, supers, r, found.supers[0]);
        }
    }
}

/// Writes the `r`-th f16 behind `at`.
fn put(bytes: &mut [u8], at: usize, r: usize, value: [u8; 2]) {
    bytes[at + 2 * r..at + 2 * r + 2].copy_from_slice(&value);
}
