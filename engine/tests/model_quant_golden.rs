//! Packing and unpacking against the Python package `gguf`; `golden/quant.py` says how the files were made.

use onebit_engine::model::{TensorType, TensorView};
use onebit_engine::quant::{floats, legacy, tq1_0, tq2_0};

const COLS: usize = 256;
const ROWS: usize = 2;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("golden/quant/", $name, ".bin"))
    };
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / 4];
    floats::unpack_f32(bytes, &mut values);
    values
}

/// The last part of a file: packed rows and the values they stand for.
fn check_unpack(ty: TensorType, golden: &[u8]) -> &[u8] {
    let (rest, values) = golden.split_at(golden.len() - ROWS * COLS * 4);
    let data = &rest[rest.len() - ty.data_bytes(ROWS, COLS).expect("whole blocks")..];
    let tensor = TensorView { name: "golden", ty, rows: ROWS, cols: COLS, data, scales: &[] };
    for (row, expected) in floats_of(values).chunks(COLS).enumerate() {
        let mut found = vec![f32::NAN; COLS];
        tensor.dequantize_row(row, &mut found);
        assert_eq!(found, expected, "{} row {row}", ty.name());
    }
    data
}

fn check(ty: TensorType, golden: &[u8], pack: impl Fn(&[f32], &mut Vec<u8>)) {
    let data = check_unpack(ty, golden);
    let inputs = floats_of(&golden[..ROWS * COLS * 4]);
    let mut packed = Vec::new();
    for row in inputs.chunks(COLS) {
        pack(row, &mut packed);
    }
    assert_eq!(packed, data, "{} packed", ty.name());
}

#[test]
fn plain_floats_match() {
    check(TensorType::F16, golden!("f16"), floats::pack_f16);
    check(TensorType::Bf16, golden!("bf16"), floats::pack_bf16);
}

#[test]
fn blocks_of_32_match_byte_for_byte() {
    check(TensorType::Q8_0, golden!("q8_0"), legacy::pack_q8_0);
    check(TensorType::Q4_0, golden!("q4_0"), legacy::pack_q4_0);
    check(TensorType::Q4_1, golden!("q4_1"), legacy::pack_q4_1);
    check(TensorType::Q5_0, golden!("q5_0"), legacy::pack_q5_0);
    check(TensorType::Q5_1, golden!("q5_1"), legacy::pack_q5_1);
}

#[test]
fn ternary_blocks_match_byte_for_byte() {
    let trits = |row: &[f32]| row.iter().map(|&v| (v / 0.03125) as i8).collect::<Vec<_>>();
    let scale = half::f16::from_f32(0.03125);
    check(TensorType::Tq1_0, golden!("tq1_0"), |row, out| tq1_0::pack(&trits(row), scale, out));
    check(TensorType::Tq2_0, golden!("tq2_0"), |row, out| tq2_0::pack(&trits(row), scale, out));
}

#[test]
fn k_quants_match() {
    check_unpack(TensorType::Q4K, golden!("q4_k"));
    check_unpack(TensorType::Q5K, golden!("q5_k"));
    check_unpack(TensorType::Q6K, golden!("q6_k"));
}
