//! Norms, rotations and gates.

use onebit_engine::lane::{Gate, GateMul, Lane, RmsNorm, Rope, RopeTable, Row};
use onebit_engine::model::{RopePairing, TensorType, TensorView};

use crate::{Random, bits, buffer, cpu_lanes, nmse, reference, tolerance};

fn norm(lane: &mut dyn Lane, x: &[f32], width: usize, group: usize, in_place: bool) -> Vec<f32> {
    let weights: Vec<u8> = Random(1).activations(group).iter().flat_map(|x| x.to_le_bytes()).collect();
    let view =
        TensorView { name: "norm", ty: TensorType::F32, rows: 1, cols: group, data: &weights, scales: &[] };
    let weight = lane.upload(&view).unwrap();
    let rows = x.len() / width;
    let x = buffer(lane, width, x);
    let out = if in_place { x } else { lane.alloc(rows, width).unwrap() };
    lane.rms_norm(RmsNorm { x, weight, eps: 1e-5, out, rows }).unwrap();
    lane.read(out, rows).to_vec()
}

#[test]
fn norms_are_close_and_rows_independent() {
    let mut worst = 0.0f64;
    for (width, group) in (1..=67).map(|n| (n, n)).chain([(512, 512), (6912, 6912), (512, 64), (66, 33)]) {
        let x = Random(width as u64).activations(11 * width);
        let expected = norm(&mut reference(), &x, width, group, false);
        for (name, mut lane) in cpu_lanes(&[1, 3]) {
            let found = norm(&mut lane, &x, width, group, false);
            let error = nmse(&found, &expected);
            worst = worst.max(error);
            assert!(error <= tolerance::NORM, "width {width} on {name}: NMSE {error:e}");
            assert_eq!(
                bits(&norm(&mut lane, &x, width, group, true)),
                bits(&found),
                "in place, {width} on {name}"
            );
            let alone = norm(&mut lane, &x[..width], width, group, false);
            assert_eq!(bits(&alone), bits(&found[..width]), "alone, {width} on {name}");
        }
    }
    println!("norm: {worst:e}");
}

#[test]
fn norm_of_nan_is_nan() {
    for (name, mut lane) in cpu_lanes(&[1]) {
        let mut x = Random(3).activations(3 * 40);
        x[45] = f32::NAN;
        let y = norm(&mut lane, &x, 40, 40, false);
        assert!(y[40..80].iter().all(|y| y.is_nan()), "{name}");
        assert!(y[..40].iter().chain(&y[80..]).all(|y| y.is_finite()), "{name}");
    }
}

fn rope(
    lane: &mut dyn Lane,
    table: &RopeTable,
    x: &[f32],
    head_dim: usize,
    heads: usize,
    positions: &[u32],
) -> Vec<f32> {
    let table = lane.rope_table(table).unwrap();
    let x = buffer(lane, head_dim * heads, x);
    let rows: Vec<Row<'_>> = positions.iter().map(|&position| Row { pages: &[], position }).collect();
    lane.rope(Rope { x, table, n_heads: heads, head_dim, rows: &rows }).unwrap();
    lane.read(x, rows.len()).to_vec()
}

#[test]
fn rotations_are_close_and_rows_independent() {
    let mut worst = 0.0f64;
    for pairing in [RopePairing::Interleaved, RopePairing::SplitHalf] {
        for (head_dim, dims) in [(2, 2), (8, 8), (10, 6), (64, 64), (80, 32), (128, 128)] {
            let inv_freq = (0..dims / 2).map(|i| 500_000f64.powf(-2.0 * i as f64 / dims as f64)).collect();
            let table = RopeTable { inv_freq, magnitude: 1.2, pairing, positions: 4096 };
            let positions: Vec<u32> = (0..19).map(|i| i * 215 + 1).chain([0, 4095]).collect();
            let width = 3 * head_dim;
            let x = Random(dims as u64).activations(positions.len() * width);
            let expected = rope(&mut reference(), &table, &x, head_dim, 3, &positions);
            for (name, mut lane) in cpu_lanes(&[1, 3]) {
                let found = rope(&mut lane, &table, &x, head_dim, 3, &positions);
                let error = nmse(&found, &expected);
                worst = worst.max(error);
                assert!(error <= tolerance::ROPE, "{pairing:?} {head_dim} on {name}: NMSE {error:e}");
                let alone = rope(&mut lane, &table, &x[..width], head_dim, 3, &positions[..1]);
                assert_eq!(bits(&alone), bits(&found[..width]), "{pairing:?} {head_dim} on {name}");
            }
        }
    }
    println!("rope: {worst:e}");
}

fn gate(
    lane: &mut dyn Lane,
    gate: &[f32],
    up: &[f32],
    width: usize,
    function: Gate,
    in_place: bool,
) -> Vec<f32> {
    let rows = gate.len() / width;
    let (gate, up) = (buffer(lane, width, gate), buffer(lane, width, up));
    let out = if in_place { gate } else { lane.alloc(rows, width).unwrap() };
    lane.gate_mul(GateMul { gate, up, out, function, rows }).unwrap();
    lane.read(out, rows).to_vec()
}

#[test]
fn gates_are_close_element_by_element() {
    let mut worst = 0.0f64;
    for function in [Gate::Silu, Gate::SquaredRelu] {
        for width in (1..=35).chain([576, 1536]) {
            let mut gates = Random(width as u64).activations(9 * width);
            gates.iter_mut().step_by(13).for_each(|g| *g *= 20.0);
            let ups = Random(99).activations(9 * width);
            let expected = gate(&mut reference(), &gates, &ups, width, function, false);
            for (name, mut lane) in cpu_lanes(&[1, 3]) {
                let found = gate(&mut lane, &gates, &ups, width, function, false);
                for (&f, &e) in found.iter().zip(&expected) {
                    // Below 1e-30 a gate is closed, whatever its last digits.
                    let error = f64::from((f - e).abs()) / f64::from(e.abs()).max(1e-30);
                    worst = worst.max(error);
                    assert!(error <= tolerance::GATE, "{function:?} {width} on {name}: {f} for {e}");
                }
                assert_eq!(
                    bits(&gate(&mut lane, &gates, &ups, width, function, true)),
                    bits(&found),
                    "{name}"
                );
                let alone = gate(&mut lane, &gates[..width], &ups[..width], width, function, false);
                assert_eq!(bits(&alone), bits(&found[..width]), "{function:?} {width} on {name}");
            }
        }
    }
    println!("gate: {worst:e}");
}

#[test]
fn gate_of_nan_is_nan_and_of_large_values_is_the_limit() {
    for (name, mut lane) in cpu_lanes(&[1]) {
        for width in [5, 16] {
            let mut gates = vec![0.0; width];
            gates[..4].copy_from_slice(&[f32::NAN, 1e30, -1e30, -200.0]);
            let y = gate(&mut lane, &gates, &vec![1.0; width], width, Gate::Silu, false);
            assert!(y[0].is_nan(), "{name}");
            assert_eq!((y[1], y[4]), (1e30, 0.0), "{name}");
            assert!(y[3].abs() < 1e-30, "{name}: {}", y[3]);
            let y = gate(&mut lane, &gates, &vec![1.0; width], width, Gate::SquaredRelu, false);
            assert!(y[0].is_nan() && y[1].is_infinite() && y[2] == 0.0 && y[3] == 0.0, "{name}: {y:?}");
        }
    }
}
