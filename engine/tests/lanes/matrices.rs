//! Products, the LM head and the embedding, for every format.

use onebit_engine::lane::{Activation, BufId, Embed, Lane, Logits, Output, Project, WeightId};
use onebit_engine::model::TensorType;

use crate::tensors::{BLOCKS, BlockScales, DENSE, Owned, TERNARY, columns, random};
use crate::{Random, bits, buffer, cpu_lanes, nmse, reference, tolerance};

/// `(rows, cols)`: all tails where the format has them, and odd sizes of both.
fn shapes(ty: TensorType) -> Vec<(usize, usize)> {
    let unit = columns(ty);
    let mut shapes: Vec<(usize, usize)> =
        (1..=67).filter(|cols| cols % unit == 0).map(|cols| (1 + cols % 17, cols)).collect();
    shapes.extend((1..=17).map(|rows| (rows, unit.max(64))));
    shapes.extend([(33, 256), (130, 512), (64, 768)]);
    shapes.extend([(7, 576), (3, 6912)].into_iter().filter(|(_, cols)| cols % unit == 0));
    shapes
}

fn project(
    lane: &mut dyn Lane,
    weight: WeightId,
    m: usize,
    x: &[f32],
    rows: usize,
    activation: Activation,
) -> Vec<f32> {
    let x = buffer(lane, x.len() / rows, x);
    let out = lane.alloc(rows, m).unwrap();
    let output = Output { weight, out, scale: 1.0, accumulate: false };
    lane.project(Project { x, activation, outputs: &[output], rows }).unwrap();
    let y = lane.read(out, rows).to_vec();
    lane.free_bufs(&[x, out]);
    y
}

/// Every shape of a format, batches of 1, 3 and 14, against the reference. `worst` is `None` for equality to the bit.
fn compare(ty: TensorType, activation: Activation, blocks: BlockScales, allowed: Option<f64>) -> f64 {
    let mut worst = 0.0f64;
    let mut lanes = cpu_lanes(&[1, 3]);
    for (seed, (m, k)) in shapes(ty).into_iter().enumerate() {
        let tensor = random(ty, m, k, blocks, seed as u64);
        let x = Random(seed as u64 ^ 0xabc).activations(14 * k);
        let mut reference = reference();
        let weight = reference.upload(&tensor.view()).unwrap();
        let expected = project(&mut reference, weight, m, &x, 14, activation);
        for (name, lane) in &mut lanes {
            let weight = lane.upload(&tensor.view()).unwrap();
            let batch = project(lane, weight, m, &x, 14, activation);
            let at = format!("{} on {name}", tensor.view().name);
            match allowed {
                None => assert_eq!(bits(&batch), bits(&expected), "{at}"),
                Some(allowed) => {
                    let error = nmse(&batch, &expected);
                    worst = worst.max(error);
                    assert!(error <= allowed, "{at}: NMSE {error:e}");
                }
            }
            for rows in [1, 3] {
                let part = project(lane, weight, m, &x[..rows * k], rows, activation);
                assert_eq!(bits(&part), bits(&batch[..rows * m]), "{at}: {rows} rows alone");
            }
            lane.free_weights(&[weight]);
        }
    }
    worst
}

#[test]
fn ternary_products_of_int8_rows_are_equal_to_the_bit() {
    for ty in TERNARY {
        compare(ty, Activation::Int8PerRow, BlockScales::Same, None);
    }
}

#[test]
fn ternary_products_with_block_scales_are_close() {
    for ty in [TensorType::Tq1_0, TensorType::Tq2_0] {
        let worst =
            compare(ty, Activation::Int8PerRow, BlockScales::Differing, Some(tolerance::BLOCK_SCALES));
        println!("{ty:?} block scales, int8 rows: {worst:e}");
    }
}

#[test]
fn ternary_products_of_float_rows_are_close() {
    for ty in TERNARY {
        for blocks in [BlockScales::Same, BlockScales::Differing] {
            let worst = compare(ty, Activation::Float, blocks, Some(tolerance::ROUNDED));
            println!("{ty:?} float: {worst:e}");
        }
    }
}

#[test]
fn dense_products_are_close() {
    for ty in DENSE {
        let worst = compare(ty, Activation::Float, BlockScales::Same, Some(tolerance::DENSE));
        println!("{ty:?}: {worst:e}");
    }
}

#[test]
fn block_quantised_products_are_close() {
    for ty in BLOCKS {
        let worst = compare(ty, Activation::Float, BlockScales::Same, Some(tolerance::PLANES));
        println!("{ty:?}: {worst:e}");
    }
}

#[test]
fn large_batches_give_each_row_the_bits_it_has_alone() {
    for ty in TERNARY.into_iter().chain(DENSE).chain(BLOCKS) {
        let (m, k, rows) = (70, 256, 131);
        let tensor = random(ty, m, k, BlockScales::Differing, 5);
        let x = Random(6).activations(rows * k);
        let activations = if ty.is_ternary() {
            &[Activation::Int8PerRow, Activation::Float][..]
        } else {
            &[Activation::Float]
        };
        for (name, mut lane) in cpu_lanes(&[2]) {
            let weight = lane.upload(&tensor.view()).unwrap();
            for &activation in activations {
                let batch = project(&mut lane, weight, m, &x, rows, activation);
                for row in [0, 1, 47, 48, 95, 96, 130] {
                    let alone = project(&mut lane, weight, m, &x[row * k..(row + 1) * k], 1, activation);
                    assert_eq!(
                        bits(&alone),
                        bits(&batch[row * m..(row + 1) * m]),
                        "{ty:?} row {row} on {name}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_batch_size_gives_a_row_the_same_bits_and_int8_rows_those_of_the_reference() {
    let largest = 70;
    for (ty, activation, m, k) in [
        (TensorType::Halo, Activation::Int8PerRow, 75, 259),
        (TensorType::Tq2_0, Activation::Int8PerRow, 129, 512),
        (TensorType::Halo, Activation::Float, 50, 131),
        (TensorType::Tq2_0, Activation::Float, 33, 256),
        (TensorType::Q4_0, Activation::Float, 33, 96),
        (TensorType::Q4_1, Activation::Float, 50, 64),
        (TensorType::Q5_1, Activation::Float, 17, 160),
        (TensorType::Q8_0, Activation::Float, 49, 32),
        (TensorType::Q4K, Activation::Float, 31, 256),
        (TensorType::Q6K, Activation::Float, 70, 512),
    ] {
        let tensor = random(ty, m, k, BlockScales::Same, 21);
        let x = Random(22).activations(largest * k);
        let mut scalar = reference();
        let weight = scalar.upload(&tensor.view()).unwrap();
        let expected = project(&mut scalar, weight, m, &x, largest, activation);
        for (name, mut lane) in cpu_lanes(&[2]) {
            let weight = lane.upload(&tensor.view()).unwrap();
            let whole = project(&mut lane, weight, m, &x, largest, activation);
            if activation == Activation::Int8PerRow {
                assert_eq!(bits(&whole), bits(&expected), "{ty:?} on {name}");
            }
            for rows in 1..largest {
                let part = project(&mut lane, weight, m, &x[..rows * k], rows, activation);
                assert_eq!(
                    bits(&part),
                    bits(&whole[..rows * m]),
                    "{ty:?} {activation:?}: {rows} rows on {name}"
                );
            }
        }
    }
}

/// Outputs of `tensors` for `rows` rows of one input, as bits.
fn project_all(lane: &mut dyn Lane, tensors: &[Owned], x: &[f32], rows: usize) -> Vec<Vec<u32>> {
    let x = buffer(lane, x.len() / rows, x);
    let outputs: Vec<Output> = tensors
        .iter()
        .enumerate()
        .map(|(i, tensor)| {
            let weight = lane.upload(&tensor.view()).unwrap();
            let m = tensor.view().rows;
            let out = buffer(lane, m, &vec![0.25; rows * m]);
            Output { weight, out, scale: 1.0 + i as f32 * 0.3, accumulate: i == 1 }
        })
        .collect();
    lane.project(Project { x, activation: Activation::Int8PerRow, outputs: &outputs, rows }).unwrap();
    outputs.iter().map(|output| bits(lane.read(output.out, rows))).collect()
}

#[test]
fn several_outputs_share_an_input_with_scale_and_accumulation() {
    let k = 256;
    let tensors: Vec<Owned> =
        [(TensorType::Tq2_0, 48), (TensorType::I2S, 5), (TensorType::Tq1Halo, 75), (TensorType::Halo, 1100)]
            .into_iter()
            .map(|(ty, m)| random(ty, m, k, BlockScales::Same, 9))
            .collect();
    for rows in [3, 64, 100] {
        let values = Random(10).activations(rows * k);
        let expected = project_all(&mut reference(), &tensors, &values, rows);
        for (name, mut lane) in cpu_lanes(&[1, 3]) {
            assert_eq!(project_all(&mut lane, &tensors, &values, rows), expected, "{rows} rows on {name}");
        }
    }
}

#[test]
fn matrices_that_want_their_input_differently_share_a_projection() {
    let (k, rows) = (512, 64);
    let tensors = [(40, BlockScales::Same), (33, BlockScales::Differing), (50, BlockScales::Same)]
        .map(|(m, blocks)| random(TensorType::Tq2_0, m, k, blocks, 12));
    let values = Random(13).activations(rows * k);
    for (name, mut lane) in cpu_lanes(&[2]) {
        let together = project_all(&mut lane, &tensors, &values, rows);
        let weight = lane.upload(&tensors[0].view()).unwrap();
        let alone = project(&mut lane, weight, 40, &values, rows, Activation::Int8PerRow);
        assert_eq!(together[0], bits(&alone), "{name}");
        let row = project_all(&mut lane, &tensors, &values[..k], 1);
        for (together, row) in together.iter().zip(&row) {
            assert_eq!(together[..row.len()], row[..], "{name}");
        }
    }
}

#[test]
fn a_row_with_nan_or_infinity_becomes_nan_and_leaves_its_neighbours_alone() {
    for ty in TERNARY.into_iter().chain(DENSE).chain(BLOCKS) {
        let (m, k) = (20, 256);
        let tensor = random(ty, m, k, BlockScales::Differing, 3);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = Random(4).activations(3 * k);
            x[k + 77] = bad;
            let activation = if ty.is_ternary() { Activation::Int8PerRow } else { Activation::Float };
            for (name, mut lane) in cpu_lanes(&[1]) {
                let weight = lane.upload(&tensor.view()).unwrap();
                let y = project(&mut lane, weight, m, &x, 3, activation);
                assert!(y[..m].iter().chain(&y[2 * m..]).all(|y| y.is_finite()), "{ty:?} {bad} on {name}");
                assert!(y[m..2 * m].iter().all(|y| !y.is_finite()), "{ty:?} {bad} on {name}");
            }
        }
    }
}

#[test]
fn logits_of_chosen_rows_follow_their_order() {
    let (vocab, hidden) = (35, 64);
    let tensor = random(TensorType::Q8_0, vocab, hidden, BlockScales::Same, 1);
    let values = Random(2).activations(5 * hidden);
    for (name, mut lane) in cpu_lanes(&[1, 2]) {
        let weight = lane.upload(&tensor.view()).unwrap();
        let x = buffer(&mut lane, hidden, &values);
        let out: BufId = lane.alloc(2, vocab).unwrap();
        lane.logits(Logits { x, rows: &[4, 1], wanted: &[], weight, out }).unwrap();
        let found = lane.read(out, 2).to_vec();
        let all = project(&mut lane, weight, vocab, &values, 5, Activation::Float);
        assert_eq!(bits(&found[..vocab]), bits(&all[4 * vocab..]), "{name}");
        assert_eq!(bits(&found[vocab..]), bits(&all[vocab..2 * vocab]), "{name}");
    }
}

#[test]
fn embedding_rows_are_the_files_values() {
    for ty in TERNARY.into_iter().chain(DENSE).chain(BLOCKS) {
        for (vocab, hidden) in [(37, 256), (3, columns(ty) * 3)] {
            let tensor = random(ty, vocab, hidden, BlockScales::Differing, 8);
            let tokens: Vec<u32> = (0..20).map(|i| (i * 7 + 2) % vocab as u32).collect();
            for (name, mut lane) in cpu_lanes(&[1, 2]) {
                let table = lane.upload(&tensor.view()).unwrap();
                let out = lane.alloc(20, hidden).unwrap();
                lane.embed(Embed { table, tokens: &tokens, out }).unwrap();
                let mut expected = vec![0.0; hidden];
                for (row, &token) in lane.read(out, 20).chunks(hidden).zip(&tokens) {
                    tensor.view().dequantize_row(token as usize, &mut expected);
                    assert_eq!(row, expected, "{} token {token} on {name}", tensor.view().name);
                }
            }
        }
    }
}

#[test]
fn f32_weights_that_are_exact_halves_cost_half_the_bytes() {
    use half::{bf16, f16};
    let values: Vec<f32> = Random(11).activations(20 * 33);
    let store = |round: &dyn Fn(f32) -> f32| -> usize {
        let data: Vec<u8> = values.iter().flat_map(|x| round(*x).to_le_bytes()).collect();
        let mut lane = onebit_engine::lane::cpu::CpuLane::open(1).unwrap();
        let view = onebit_engine::model::TensorView {
            name: "values",
            ty: TensorType::F32,
            rows: 20,
            cols: 33,
            data: &data,
            scales: &[],
        };
        let weight = lane.upload(&view).unwrap();
        lane.weight_bytes(weight)
    };
    let two_groups = 32 * 33;
    assert_eq!(store(&|x| f16::from_f32(x).to_f32()), 2 * two_groups);
    assert_eq!(store(&|x| bf16::from_f32(x).to_f32() * 1e-20), 4 * two_groups);
    assert_eq!(store(&|x| bf16::from_f32(x * 1e-20).to_f32()), 2 * two_groups);
    assert_eq!(store(&|x| x), 4 * two_groups);
}
