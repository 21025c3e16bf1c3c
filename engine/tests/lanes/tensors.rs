//! Random tensors of every format, at unaligned addresses.

use half::{bf16, f16};
use onebit_engine::model::{TensorType, TensorView};
use onebit_engine::quant::{halo, i2_s, legacy, sherry, tq1_0, tq1_halo, tq2_0};

use crate::Random;

pub const TERNARY: [TensorType; 6] = [
    TensorType::Tq1_0,
    TensorType::Tq2_0,
    TensorType::I2S,
    TensorType::Halo,
    TensorType::Tq1Halo,
    TensorType::Sherry,
];

pub const DENSE: [TensorType; 3] = [TensorType::F32, TensorType::F16, TensorType::Bf16];

pub const BLOCKS: [TensorType; 8] = [
    TensorType::Q8_0,
    TensorType::Q4_0,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5_1,
    TensorType::Q4K,
    TensorType::Q5K,
    TensorType::Q6K,
];

/// Columns must be a multiple of this.
pub fn columns(ty: TensorType) -> usize {
    use TensorType::*;
    match ty {
        Tq1_0 | Tq2_0 | Q4K | Q5K | Q6K => 256,
        I2S => 128,
        Sherry | Q8_0 | Q4_0 | Q4_1 | Q5_0 | Q5_1 => 32,
        Halo | Tq1Halo | F32 | F16 | Bf16 => 1,
    }
}

/// A tensor that owns its bytes, one byte off any alignment.
pub struct Owned {
    name: String,
    ty: TensorType,
    rows: usize,
    cols: usize,
    data: Vec<u8>,
    scales: Vec<u8>,
}

impl Owned {
    pub fn view(&self) -> TensorView<'_> {
        TensorView {
            name: &self.name,
            ty: self.ty,
            rows: self.rows,
            cols: self.cols,
            data: &self.data[1..],
            scales: if self.scales.is_empty() { &[] } else { &self.scales[1..] },
        }
    }
}

/// Scales of a ternary tensor with a scale for each 256 columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BlockScales {
    Same,
    Differing,
}

pub fn random(ty: TensorType, rows: usize, cols: usize, blocks: BlockScales, seed: u64) -> Owned {
    let mut random = Random(seed);
    let mut data = vec![0];
    let mut scales = Vec::new();
    for _ in 0..rows {
        if ty.is_ternary() {
            ternary_row(ty, cols, blocks, &mut random, &mut data, &mut scales);
        } else {
            row(ty, cols, &mut random, &mut data);
        }
    }
    if ty == TensorType::I2S {
        i2_s::pack_tail(0.037, &mut data);
    }
    if !scales.is_empty() {
        scales.insert(0, 0);
    }
    Owned { name: format!("{ty:?} {rows}x{cols} seed {seed}"), ty, rows, cols, data, scales }
}

fn ternary_row(
    ty: TensorType,
    cols: usize,
    blocks: BlockScales,
    random: &mut Random,
    data: &mut Vec<u8>,
    scales: &mut Vec<u8>,
) {
    let mut trits: Vec<i8> = (0..cols).map(|_| (random.draw() % 3) as i8 - 1).collect();
    if ty == TensorType::Sherry {
        for group in trits.chunks_mut(4) {
            let zero = (random.draw() % 4) as usize;
            for (i, trit) in group.iter_mut().enumerate() {
                *trit = if i == zero { 0 } else { (random.draw() % 2) as i8 * 2 - 1 };
            }
        }
    }
    let mut scale = 0.01 + random.unit().abs() * 0.05;
    match ty {
        TensorType::Tq1_0 | TensorType::Tq2_0 => {
            for trits in trits.chunks(256) {
                if blocks == BlockScales::Differing {
                    scale = 0.01 + random.unit().abs() * 0.05;
                }
                if ty == TensorType::Tq1_0 {
                    tq1_0::pack(trits, f16::from_f32(scale), data);
                } else {
                    tq2_0::pack(trits, f16::from_f32(scale), data);
                }
            }
            return;
        }
        TensorType::I2S => return i2_s::pack(&trits, data),
        TensorType::Halo => halo::pack(&trits, data),
        TensorType::Tq1Halo => tq1_halo::pack(&trits, data),
        TensorType::Sherry => sherry::pack(&trits, data).unwrap(),
        other => unreachable!("{other:?}"),
    }
    scales.extend(scale.to_le_bytes());
}

fn row(ty: TensorType, cols: usize, random: &mut Random, data: &mut Vec<u8>) {
    let values: Vec<f32> = (0..cols).map(|_| random.unit() * 0.1).collect();
    match ty {
        TensorType::F32 => data.extend(values.iter().flat_map(|x| x.to_le_bytes())),
        TensorType::F16 => data.extend(values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes())),
        TensorType::Bf16 => data.extend(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes())),
        TensorType::Q8_0 => legacy::pack_q8_0(&values, data),
        TensorType::Q4_0 => legacy::pack_q4_0(&values, data),
        TensorType::Q4_1 => legacy::pack_q4_1(&values, data),
        TensorType::Q5_0 => legacy::pack_q5_0(&values, data),
        TensorType::Q5_1 => legacy::pack_q5_1(&values, data),
        // The engine does not write these: random codes, with plausible super-scales.
        TensorType::Q4K => k_blocks(cols, 144, &[0, 2], random, data),
        TensorType::Q5K => k_blocks(cols, 176, &[0, 2], random, data),
        TensorType::Q6K => k_blocks(cols, 210, &[208], random, data),
        other => unreachable!("{other:?}"),
    }
}

fn k_blocks(cols: usize, bytes: usize, halves: &[usize], random: &mut Random, data: &mut Vec<u8>) {
    for _ in 0..cols / 256 {
        let mut block: Vec<u8> = (0..bytes).map(|_| random.draw() as u8).collect();
        for &at in halves {
            let d = f16::from_f32(0.0005 + random.unit().abs() * 0.002);
            block[at..at + 2].copy_from_slice(&d.to_le_bytes());
        }
        data.extend(block);
    }
}
