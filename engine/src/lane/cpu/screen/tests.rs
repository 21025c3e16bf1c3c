use super::super::{CpuLane, Isa};
use super::*;
use crate::lane::{Lane, Logits, Wanted};
use crate::model::{TensorType, TensorView};

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn unit(state: &mut u64) -> f32 {
    (splitmix64(state) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// The largest share of its bound that an error takes, over all rows of a head, for each of some activations.
fn worst_shares(isa: Isa, head: &[f32], cols: usize, xs: &[Vec<f32>]) -> Vec<f64> {
    let rows = head.len() / cols;
    let data: Vec<u8> = head.iter().flat_map(|w| w.to_le_bytes()).collect();
    let view = TensorView { name: "head", ty: TensorType::F32, rows, cols, data: &data, scales: &[] };
    let mut lane = CpuLane::open_with(1, isa).unwrap();
    let weight = lane.upload(&view).unwrap();
    lane.add_screen(weight).unwrap();
    let coarse_weight = lane.screens[&weight].0;
    let (x_buf, out) = (lane.alloc(1, cols).unwrap(), lane.alloc(1, rows).unwrap());
    let mut shares = Vec::new();
    for x in xs {
        lane.write(x_buf, x);
        let mut pass = |weight| {
            let op = Logits { x: x_buf, rows: &[0], wanted: &[Wanted::All], weight, out };
            lane.logits(op).unwrap();
            lane.read(out, 1).to_vec()
        };
        let exact = pass(weight);
        let coarse = pass(coarse_weight);
        let screen = &lane.screens[&weight].1;
        let bounds = screen.bounds(lane.inputs.head_activations(0, x)).unwrap();
        let share = |row: usize| f64::from((exact[row] - coarse[row]).abs()) / f64::from(bounds.of(row));
        shares.push((0..rows).map(share).fold(0.0, f64::max));
    }
    shares
}

#[test]
fn no_error_exceeds_its_bound() {
    let mut worst = 0.0f64;
    for isa in Isa::available() {
        for (seed, cols) in [32usize, 96, 576, 2560].into_iter().enumerate() {
            let mut state = seed as u64;
            let head: Vec<f32> = (0..200 * cols).map(|_| unit(&mut state) * 0.1).collect();
            let xs: Vec<Vec<f32>> = (0..40)
                .map(|i| {
                    let outlier = if i % 2 == 0 { 1.0 } else { 80.0 };
                    let draw = |state: &mut u64| {
                        let x = unit(state);
                        if splitmix64(state).is_multiple_of(61) { x * outlier } else { x }
                    };
                    (0..cols).map(|_| draw(&mut state)).collect()
                })
                .collect();
            for share in worst_shares(isa, &head, cols, &xs) {
                assert!(share <= 1.0, "{} columns, seed {seed}, {}: {share}", cols, isa.name());
                worst = worst.max(share);
            }
        }
    }
    println!("the worst error took {worst:.3} of its bound");
}

#[test]
fn activations_along_the_lost_part_of_a_row_reach_the_bound_and_do_not_pass_it() {
    let (rows, cols) = (64, 256);
    let mut state = 7;
    let head: Vec<f32> = (0..rows * cols).map(|_| unit(&mut state) * 0.1).collect();
    // As the screen packs: steps in f16, the nearest code of each weight.
    let lost = |row: &[f32]| -> Vec<f32> {
        let lost_of_block = |block: &[f32]| {
            let largest = block.iter().fold(0.0f32, |max, w| max.max(w.abs()));
            let step = f16::from_f32(largest / 127.0).to_f32();
            let lost = move |w: &f32| 1e4 * (w - step * (w / step).round().clamp(-127.0, 127.0));
            block.iter().map(lost).collect::<Vec<f32>>()
        };
        row.chunks(legacy::BLOCK_COLS).flat_map(lost_of_block).collect()
    };
    let xs: Vec<Vec<f32>> = head.chunks(cols).map(lost).collect();
    for isa in Isa::available() {
        for share in worst_shares(isa, &head, cols, &xs) {
            assert!((0.9..=1.0).contains(&share), "{}: {share}", isa.name());
        }
    }
}

#[test]
fn kth_largest_is_that_of_sorting() {
    let mut state = 3;
    for k in [1, 2, 3, 17, 40] {
        for n in [0, 1, 2, 16, 17, 200, 5000] {
            let numbers: Vec<f32> = (0..n)
                .map(|_| if splitmix64(&mut state).is_multiple_of(50) { f32::NAN } else { unit(&mut state) })
                .collect();
            let mut sorted: Vec<f32> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(kth_largest(k, numbers.into_iter()), sorted.get(k - 1).copied(), "{k} of {n}");
        }
    }
}
