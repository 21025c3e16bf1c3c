//! Weights that arrive in parts, with other work of the lane in between, are those that arrive whole, to the bit.

use onebit_engine::lane::cpu::CpuLane;
use onebit_engine::lane::{Activation, Embed, Form, Lane, LaneError, Output, Project, WeightId};
use onebit_engine::model::{TensorType, TensorView};

use crate::tensors::{BLOCKS, BlockScales, DENSE, TERNARY, random};
use crate::{bits, cpu_lanes, reference};

const ROWS: usize = 150;
const COLS: usize = 512;

/// All rows of a weight as values.
fn values(lane: &mut dyn Lane, table: WeightId, rows: usize, cols: usize) -> Vec<f32> {
    let out = lane.alloc(rows, cols).unwrap();
    let tokens: Vec<u32> = (0..rows as u32).collect();
    lane.embed(Embed { table, tokens: &tokens, out }).unwrap();
    let values = lane.read(out, rows).to_vec();
    lane.free_bufs(&[out]);
    values
}

/// Uploads a few rows at a time; `between` is called after each part. Also returns whether the rows left ever rose.
fn in_parts(
    lane: &mut CpuLane,
    tensor: &TensorView<'_>,
    form: Form,
    rows: usize,
    mut between: impl FnMut(&mut CpuLane),
) -> (WeightId, bool) {
    let weight = lane.begin_upload(tensor, form).unwrap();
    let (mut left, mut rose) = (tensor.rows, false);
    while left > 0 {
        let now = lane.upload_rows(weight, tensor, rows).unwrap();
        rose |= now > left;
        left = now;
        between(lane);
    }
    (weight, rose)
}

fn product(lane: &mut CpuLane, weight: WeightId, x: &[f32]) -> Vec<f32> {
    let (input, out) = (lane.alloc(1, COLS).unwrap(), lane.alloc(1, ROWS).unwrap());
    lane.write(input, x);
    let output = Output { weight, out, scale: 1.0, accumulate: false };
    let op = Project { x: input, activation: Activation::Float, outputs: &[output], rows: 1 };
    lane.project(op).unwrap();
    let y = lane.read(out, 1).to_vec();
    lane.free_bufs(&[input, out]);
    y
}

#[test]
fn weights_in_parts_are_whole_ones_to_the_bit_and_disturb_no_other() {
    for ty in TERNARY.into_iter().chain(DENSE).chain(BLOCKS) {
        for blocks in [BlockScales::Same, BlockScales::Differing] {
            let tensor = random(ty, ROWS, COLS, blocks, 11);
            let other = random(TensorType::Q8_0, ROWS, COLS, BlockScales::Same, 12);
            let x: Vec<f32> = (0..COLS).map(|i| (i as f32 * 0.37).sin()).collect();
            for (name, mut lane) in cpu_lanes(&[1, 2]) {
                let beside = lane.upload(&other.view()).unwrap();
                let expected_beside = product(&mut lane, beside, &x);
                let whole = lane.upload(&tensor.view()).unwrap();
                let expected = values(&mut lane, whole, ROWS, COLS);
                let expected_product = product(&mut lane, whole, &x);
                for rows in [1, 33, ROWS] {
                    let at = format!("{} in parts of {rows} on {name}", tensor.view().name);
                    let (weight, _) = in_parts(&mut lane, &tensor.view(), Form::Stored, rows, |lane| {
                        assert_eq!(
                            bits(&product(lane, beside, &x)),
                            bits(&expected_beside),
                            "{at}: the other"
                        );
                    });
                    assert!(bits(&values(&mut lane, weight, ROWS, COLS)) == bits(&expected), "{at}");
                    assert!(bits(&product(&mut lane, weight, &x)) == bits(&expected_product), "{at}");
                    assert_eq!(lane.weight_bytes(weight), lane.weight_bytes(whole), "{at}");
                    lane.free_weights(&[weight]);
                }
            }
        }
    }
}

#[test]
fn floats_that_need_more_bits_in_the_middle_are_packed_again() {
    // Of rows of ones, one late value is no f16, or neither f16 nor bf16.
    for (odd, bytes) in [(1.0f32, 2), (1e-10, 4), (f32::from_bits(0x2f80_0000), 2), (f32::NAN, 4)] {
        let mut all = vec![1.0f32; ROWS * COLS];
        all[140 * COLS + 7] = odd;
        let data: Vec<u8> = all.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor =
            TensorView { name: "t", ty: TensorType::F32, rows: ROWS, cols: COLS, data: &data, scales: &[] };
        for (name, mut lane) in cpu_lanes(&[2]) {
            let (weight, rose) = in_parts(&mut lane, &tensor, Form::Stored, 16, |_| {});
            assert_eq!(rose, odd != 1.0, "{odd} on {name}");
            assert!(bits(&values(&mut lane, weight, ROWS, COLS)) == bits(&all), "{odd} on {name}");
            assert_eq!(
                lane.weight_bytes(weight),
                ROWS.next_multiple_of(16) * COLS * bytes,
                "{odd} on {name}"
            );
        }
    }
}

#[test]
fn four_bits_are_the_same_on_every_lane() {
    for ty in [TensorType::F16, TensorType::Q8_0, TensorType::Q6K, TensorType::Tq2_0] {
        let tensor = random(ty, ROWS, COLS, BlockScales::Differing, 5);
        let mut scalar = reference();
        let weight = scalar.begin_upload(&tensor.view(), Form::FourBit).unwrap();
        assert_eq!(scalar.upload_rows(weight, &tensor.view(), ROWS).unwrap(), 0);
        let expected = values(&mut scalar, weight, ROWS, COLS);
        for (name, mut lane) in cpu_lanes(&[2]) {
            let (weight, _) = in_parts(&mut lane, &tensor.view(), Form::FourBit, 50, |_| {});
            // Equal numbers: the sign of a zero is not kept.
            assert!(values(&mut lane, weight, ROWS, COLS) == expected, "{ty:?} on {name}");
        }
    }
}

#[test]
fn a_code_that_no_format_uses_is_found_wherever_it_stands() {
    for (ty, bad) in [
        (TensorType::Tq2_0, 0xff),
        (TensorType::I2S, 0xff),
        (TensorType::Halo, 0xff),
        (TensorType::Tq1Halo, 0xff),
    ] {
        let tensor = random(ty, ROWS, COLS, BlockScales::Same, 3);
        let view = tensor.view();
        let row_bytes = ty.row_bytes(COLS).unwrap();
        for row in [0, 31, 32, 149] {
            let mut data = view.data.to_vec();
            data[row * row_bytes + 3] = bad;
            let broken = TensorView { data: &data, ..view };
            let mut scalar = reference();
            assert!(matches!(scalar.upload(&broken), Err(LaneError::UnusedCode { .. })), "{ty:?}, row {row}");
            for (name, mut lane) in cpu_lanes(&[2]) {
                let found = lane.upload(&broken);
                assert!(matches!(found, Err(LaneError::UnusedCode { .. })), "{ty:?}, row {row} on {name}");
            }
        }
    }
}
