//! The Q formats of GGUF, regrouped with their own codes and scales: nothing is rounded again.
//! The layouts of the file are drawn in `engine::quant::legacy` and `engine::quant::k`.

use half::f16;
use onebit_kernels::cpu::GROUP_ROWS;
use onebit_kernels::cpu::blocks::{Format, Place, STEP_COLS};

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use super::{pack_groups, rows_of};
use crate::lane::LaneError;
use crate::model::{TensorType, TensorView};

/// Block-quantised weights, layout of `onebit_kernels::cpu::blocks`.
pub(in crate::lane::cpu) struct Blocks {
    pub(in crate::lane::cpu) weights: Bytes,
    pub(in crate::lane::cpu) format: Format,
    /// Steps of 32 columns in a group.
    pub(in crate::lane::cpu) steps: usize,
}

/// Steps of a super-block of the K formats.
const SUPER_STEPS: usize = 8;

/// 32 columns of one row as the file has them: codes, and the bytes that scale them.
struct Step {
    codes: [u8; STEP_COLS],
    /// f16; in the K formats one byte, for Q6_K one for each half.
    scale: [u8; 2],
    /// f16; in Q4_K and Q5_K one byte.
    minimum: [u8; 2],
    /// f16 of the super-block: scale, minimum.
    supers: [[u8; 2]; 2],
}

impl Blocks {
    pub(super) fn new(tensor: &TensorView<'_>, pool: &Pool, slabs: &mut Slabs) -> Result<Self, LaneError> {
        let format = match tensor.ty {
            TensorType::Q8_0 => Format::Q8_0,
            TensorType::Q4_0 => Format::Q4_0,
            TensorType::Q4_1 => Format::Q4_1,
            TensorType::Q5_0 => Format::Q5_0,
            TensorType::Q5_1 => Format::Q5_1,
            TensorType::Q4K => Format::Q4K,
            TensorType::Q5K => Format::Q5K,
            TensorType::Q6K => Format::Q6K,
            other => unreachable!("{other:?} has a layout of its own"),
        };
        let (block_cols, block_bytes) = file_block(format);
        let row_bytes = tensor.cols / block_cols * block_bytes;
        if !tensor.cols.is_multiple_of(block_cols) || tensor.data.len() != tensor.rows * row_bytes {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!(
                    "rows of a multiple of {block_cols} columns, {} bytes",
                    tensor.rows * row_bytes
                ),
                found: format!("{} columns, {} bytes", tensor.cols, tensor.data.len()),
            });
        }
        let steps = tensor.cols / STEP_COLS;
        let group_bytes = format.group_bytes(steps);
        let mut weights = slabs.take(tensor.rows.div_ceil(GROUP_ROWS) * group_bytes, tensor.name)?;
        pack_groups(tensor, pool, &mut weights, group_bytes, |group, bytes| {
            for (r, row) in rows_of(tensor, group) {
                let data = &tensor.data[row * row_bytes..(row + 1) * row_bytes];
                for step in 0..steps {
                    let block = step * STEP_COLS / block_cols * block_bytes;
                    let found = read_step(format, &data[block..block + block_bytes], step % SUPER_STEPS);
                    let place = format.place(step);
                    write_codes(format, &mut bytes[place.codes..], r, &found.codes);
                    write_scales(format, bytes, place, r, &found);
                }
            }
        });
        Ok(Self { weights, format, steps })
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

/// Reads 32 columns of a block of the file; `sub` is their place in a super-block.
fn read_step(format: Format, block: &[u8], sub: usize) -> Step {
    let none = [[0; 2]; 2];
    let legacy = |minimum: bool, fifth: bool| {
        let mut at = if minimum { 4 } else { 2 };
        let mut bits = 0;
        if fifth {
            bits = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
            at += 4;
        }
        let codes = std::array::from_fn(|c| {
            (block[at + c % 16] >> (c / 16 * 4)) & 15 | (((bits >> c) & 1) as u8) << 4
        });
        let minimum = if minimum { two(block, 2) } else { [0; 2] };
        Step { codes, scale: two(block, 0), minimum, supers: none }
    };
    match format {
        Format::Q8_0 => Step {
            codes: std::array::from_fn(|c| block[2 + c] ^ 0x80),
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

fn read_k(block: &[u8], fifth: Option<&[u8]>, nibbles: &[u8], sub: usize) -> Step {
    let b = &block[4..16];
    let (scale, minimum) = if sub < 4 {
        (b[sub] & 63, b[sub + 4] & 63)
    } else {
        (b[sub + 4] & 15 | (b[sub - 4] >> 6) << 4, b[sub + 4] >> 4 | (b[sub] >> 6) << 4)
    };
    let codes = std::array::from_fn(|c| {
        let low = (nibbles[32 * (sub / 2) + c] >> (4 * (sub % 2))) & 15;
        low | fifth.map_or(0, |bits| (bits[c] >> sub) & 1) << 4
    });
    Step { codes, scale: [scale, 0], minimum: [minimum, 0], supers: [two(block, 0), two(block, 2)] }
}

fn read_q6_k(block: &[u8], sub: usize) -> Step {
    let (h, g) = (sub / 4, sub % 4);
    let codes = std::array::from_fn(|c| {
        let nibble = (block[64 * h + 32 * (g % 2) + c] >> (4 * (g / 2))) & 15;
        nibble | ((block[128 + 32 * h + c] >> (2 * g)) & 3) << 4
    });
    Step { codes, scale: two(block, 192 + 2 * sub), minimum: [0; 2], supers: [two(block, 208), [0; 2]] }
}

/// Places the codes of row `r`; the bytes were zero.
fn write_codes(format: Format, step: &mut [u8], r: usize, codes: &[u8; STEP_COLS]) {
    for (c, &code) in codes.iter().enumerate() {
        let byte = 4 * r + c % 4;
        if format == Format::Q8_0 {
            step[64 * (c / 4) + byte] = code;
            continue;
        }
        step[64 * (c % 16 / 4) + byte] |= (code & 15) << (c / 16 * 4);
        match format {
            Format::Q5_0 | Format::Q5_1 | Format::Q5K => step[256 + byte] |= (code >> 4) << (c / 4),
            Format::Q6K => step[256 + 64 * (c / 16) + byte] |= (code >> 4) << (c % 16 / 4 * 2),
            _ => {}
        }
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
