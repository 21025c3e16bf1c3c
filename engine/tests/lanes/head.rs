//! The LM head through a coarse copy: whoever looks at the largest logits sees what the whole product shows, to the bit.

use half::f16;
use onebit_engine::lane::{HeadWork, Lane, Logits, Wanted, WeightId};
use onebit_engine::model::{TensorType, TensorView};

use crate::tensors::{BLOCKS, BlockScales, DENSE, TERNARY, columns, random};
use crate::{Random, bits, buffer, cpu_lanes};

/// Logits of all rows of `x`, `[rows, vocab]`.
fn logits(
    lane: &mut dyn Lane,
    weight: WeightId,
    vocab: usize,
    x: &[f32],
    hidden: usize,
    wanted: &[Wanted],
) -> (Vec<f32>, HeadWork) {
    let rows: Vec<usize> = (0..x.len() / hidden).collect();
    let x = buffer(lane, hidden, x);
    let out = lane.alloc(rows.len(), vocab).unwrap();
    let work = lane.logits(Logits { x, rows: &rows, wanted, weight, out }).unwrap();
    let found = lane.read(out, rows.len()).to_vec();
    lane.free_bufs(&[x, out]);
    (found, work)
}

/// Checks one row: the `count` largest and their ties are the same bits, everything else is finite and smaller.
fn check(found: &[f32], exact: &[f32], count: usize, at: &str) {
    let mut sorted = exact.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let least = sorted[count - 1];
    for (id, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        if exact >= least {
            assert_eq!(found.to_bits(), exact.to_bits(), "{at}: id {id} is among the {count} largest");
        } else {
            assert!(found.is_finite() && found < least, "{at}: id {id}: {found} stands for {exact}");
        }
    }
}

/// Half of them noise, half near a row of the head as hidden states of a real model are.
fn hidden_states(view: &TensorView<'_>, n: usize, random: &mut Random) -> Vec<f32> {
    let mut x = Vec::with_capacity(n * view.cols);
    for i in 0..n {
        let mut state = random.activations(view.cols);
        if i % 2 == 0 {
            let mut row = vec![0.0; view.cols];
            view.dequantize_row((random.draw() % view.rows as u64) as usize, &mut row);
            let pull = 40.0 * random.unit();
            state.iter_mut().zip(row).for_each(|(x, w)| *x += pull * w);
        }
        x.extend(state);
    }
    x
}

#[test]
fn largest_logits_are_those_of_the_whole_product() {
    let (mut screened, mut fell_back) = (0, 0);
    for ty in DENSE {
        for (seed, (vocab, hidden)) in [(2055, 64), (1000, 256), (1601, 544)].into_iter().enumerate() {
            let tensor = random(ty, vocab, hidden, BlockScales::Same, seed as u64);
            let x = hidden_states(&tensor.view(), 96, &mut Random(seed as u64 ^ 0x5eed));
            for (name, mut lane) in cpu_lanes(&[2]) {
                let weight = lane.upload(&tensor.view()).unwrap();
                assert!(lane.add_screen(weight).unwrap() > vocab * hidden, "{ty:?} gets a copy");
                let (exact, work) = logits(&mut lane, weight, vocab, &x, hidden, &[]);
                assert_eq!(work.screened, 0);
                for count in [1, 2, 40] {
                    let (found, work) =
                        logits(&mut lane, weight, vocab, &x, hidden, &[Wanted::Largest(count); 96]);
                    let at = format!("{} seed {seed} on {name}", tensor.view().name);
                    for (found, exact) in found.chunks(vocab).zip(exact.chunks(vocab)) {
                        check(found, exact, count, &at);
                    }
                    (screened, fell_back) = (screened + work.screened, fell_back + work.fell_back);
                }
                lane.free_weights(&[weight]);
            }
        }
    }
    println!("{fell_back} of {screened} rows fell back");
    // Of so small a vocabulary the forty largest often lie in more groups than are worth it.
    assert!(fell_back * 2 < screened, "the screen decides most rows: {fell_back} of {screened} fell back");
}

#[test]
fn ties_and_nearest_neighbours_of_the_largest_are_all_exact() {
    let (vocab, hidden) = (1200, 128);
    let mut random = Random(77);
    for round in 0..20 {
        let mut rows: Vec<Vec<f16>> =
            (0..vocab).map(|_| (0..hidden).map(|_| f16::from_f32(random.unit() * 0.05)).collect()).collect();
        let winner: Vec<f16> = (0..hidden).map(|_| f16::from_f32(random.unit())).collect();
        // The same row far apart, and others that differ in the last bit of one weight.
        for (i, id) in [3usize, 4, 500, 777, 1199].into_iter().enumerate() {
            rows[id].clone_from(&winner);
            if i > 2 {
                let at = (random.draw() % hidden as u64) as usize;
                rows[id][at] = f16::from_bits(winner[at].to_bits() ^ 1);
            }
        }
        let data: Vec<u8> = rows.iter().flatten().flat_map(|w| w.to_le_bytes()).collect();
        let view = TensorView {
            name: "ties",
            ty: TensorType::F16,
            rows: vocab,
            cols: hidden,
            data: &data,
            scales: &[],
        };
        let x: Vec<f32> = winner.iter().map(|w| w.to_f32() + 0.01 * random.unit()).collect();
        for (name, mut lane) in cpu_lanes(&[1]) {
            let weight = lane.upload(&view).unwrap();
            lane.add_screen(weight).unwrap();
            let (exact, _) = logits(&mut lane, weight, vocab, &x, hidden, &[]);
            let (found, work) = logits(&mut lane, weight, vocab, &x, hidden, &[Wanted::Largest(1)]);
            check(&found, &exact, 1, &format!("round {round} on {name}"));
            assert_eq!(work.fell_back, 0);
        }
    }
}

#[test]
fn a_head_without_a_clear_winner_is_computed_whole() {
    let (vocab, hidden) = (400, 64);
    let row: Vec<u8> = (0..hidden).flat_map(|i| f16::from_f32(i as f32 * 0.01).to_le_bytes()).collect();
    let data = row.repeat(vocab);
    let view =
        TensorView { name: "same", ty: TensorType::F16, rows: vocab, cols: hidden, data: &data, scales: &[] };
    let x = Random(5).activations(2 * hidden);
    for (name, mut lane) in cpu_lanes(&[1, 2]) {
        let weight = lane.upload(&view).unwrap();
        lane.add_screen(weight).unwrap();
        let (exact, _) = logits(&mut lane, weight, vocab, &x, hidden, &[]);
        let (found, work) = logits(&mut lane, weight, vocab, &x, hidden, &[Wanted::Largest(1); 2]);
        assert_eq!(bits(&found), bits(&exact), "{name}");
        assert_eq!((work.screened, work.fell_back, work.rescored), (2, 2, 2 * vocab as u64), "{name}");
    }
}

#[test]
fn numbers_that_are_not_finite_stay_visible_through_the_screen() {
    let (vocab, hidden) = (900, 64);
    let tensor = random(TensorType::F16, vocab, hidden, BlockScales::Same, 9);
    let mut x = Random(10).activations(2 * hidden);
    x[hidden + 5] = f32::NAN;
    let mut data = tensor.view().data.to_vec();
    data[(300 * hidden + 7) * 2..][..2].copy_from_slice(&f16::NAN.to_le_bytes());
    let broken = TensorView { data: &data, ..tensor.view() };
    for (name, mut lane) in cpu_lanes(&[1]) {
        for (view, row, ids) in [(tensor.view(), 1, 0..vocab), (broken, 0, 300..301)] {
            let weight = lane.upload(&view).unwrap();
            lane.add_screen(weight).unwrap();
            let (found, _) = logits(&mut lane, weight, vocab, &x, hidden, &[Wanted::Largest(3); 2]);
            let row = &found[row * vocab..(row + 1) * vocab];
            assert!(row[ids].iter().all(|logit| logit.is_nan()), "{name}");
        }
    }
}

#[test]
fn a_screened_row_is_the_same_bits_alone_and_in_any_company() {
    let (vocab, hidden) = (1500, 288);
    let tensor = random(TensorType::F16, vocab, hidden, BlockScales::Same, 21);
    let x = hidden_states(&tensor.view(), 9, &mut Random(22));
    for (_, mut alone) in cpu_lanes(&[1]) {
        let isa_name = alone.info().name;
        let weight = alone.upload(&tensor.view()).unwrap();
        alone.add_screen(weight).unwrap();
        let mut expected = Vec::new();
        for x in x.chunks(hidden) {
            expected.extend(logits(&mut alone, weight, vocab, x, hidden, &[Wanted::Largest(4)]).0);
        }
        for (name, mut lane) in cpu_lanes(&[3]) {
            if lane.info().name != isa_name {
                continue;
            }
            let weight = lane.upload(&tensor.view()).unwrap();
            lane.add_screen(weight).unwrap();
            let (found, _) = logits(&mut lane, weight, vocab, &x, hidden, &[Wanted::Largest(4); 9]);
            assert_eq!(bits(&found), bits(&expected), "{name}");
        }
    }
}

#[test]
fn a_row_that_wants_all_gets_all_beside_rows_that_do_not() {
    let (vocab, hidden) = (800, 64);
    let tensor = random(TensorType::F16, vocab, hidden, BlockScales::Same, 31);
    let x = Random(32).activations(2 * hidden);
    for (name, mut lane) in cpu_lanes(&[1]) {
        let weight = lane.upload(&tensor.view()).unwrap();
        lane.add_screen(weight).unwrap();
        let (exact, _) = logits(&mut lane, weight, vocab, &x, hidden, &[]);
        for wanted in [&[Wanted::Largest(1)][..], &[Wanted::Largest(1), Wanted::All]] {
            let (found, work) = logits(&mut lane, weight, vocab, &x, hidden, wanted);
            assert_eq!(bits(&found), bits(&exact), "{name}");
            assert_eq!(work.screened, 0);
        }
    }
}

#[test]
fn heads_near_eight_bits_get_no_copy() {
    for ty in TERNARY.into_iter().chain(BLOCKS) {
        let tensor = random(ty, 64, columns(ty).max(64), BlockScales::Same, 1);
        for (name, mut lane) in cpu_lanes(&[1]) {
            let weight = lane.upload(&tensor.view()).unwrap();
            assert_eq!(lane.add_screen(weight).unwrap(), 0, "{ty:?} on {name}");
        }
    }
}
