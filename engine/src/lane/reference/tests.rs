//! Each operation against values worked out by hand, and the properties that every lane must have.

use super::*;
use crate::lane::{Activation, KvDtype, Output, PAGE_POSITIONS, Row};
use crate::quant::tests::{SplitMix, random_trits};
use crate::quant::{halo, tq2_0};

fn reals(seed: u64, n: usize) -> Vec<f32> {
    let mut random = SplitMix(seed);
    (0..n).map(|_| random.real()).collect()
}

fn dense(lane: &mut ReferenceLane, rows: usize, cols: usize, values: &[f32]) -> WeightId {
    assert_eq!(values.len(), rows * cols);
    let data: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensor = TensorView { name: "dense", ty: TensorType::F32, rows, cols, data: &data, scales: &[] };
    lane.upload(&tensor).unwrap()
}

/// One scale a row.
fn ternary(lane: &mut ReferenceLane, cols: usize, trits: &[i8], scales: &[f32]) -> WeightId {
    let mut data = Vec::new();
    for row in trits.chunks(cols) {
        halo::pack(row, &mut data);
    }
    let scales_data: Vec<u8> = scales.iter().flat_map(|x| x.to_le_bytes()).collect();
    let (ty, rows) = (TensorType::Halo, scales.len());
    let tensor = TensorView { name: "ternary", ty, rows, cols, data: &data, scales: &scales_data };
    lane.upload(&tensor).unwrap()
}

fn buffer(lane: &mut ReferenceLane, width: usize, values: &[f32]) -> BufId {
    let buf = lane.alloc(values.len() / width, width).unwrap();
    lane.write(buf, values);
    buf
}

fn output(weight: WeightId, out: BufId) -> Output {
    Output { weight, out, scale: 1.0, accumulate: false }
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance, "{found:?} is not {expected:?}");
    }
}

#[test]
fn embed_gathers_the_rows_of_the_tokens() {
    let mut lane = ReferenceLane::new();
    let table = dense(&mut lane, 3, 2, &[0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
    let out = lane.alloc(3, 2).unwrap();
    lane.embed(Embed { table, tokens: &[2, 0, 2], out }).unwrap();
    assert_eq!(lane.read(out, 3), [20.0, 21.0, 0.0, 1.0, 20.0, 21.0]);
}

#[test]
fn rms_norm_divides_by_the_root_of_the_mean_square() {
    let mut lane = ReferenceLane::new();
    // Mean squares 12.5 and 1 + 3 (the epsilon): factors 1 / sqrt(12.5) and 1 / 2.
    let x = buffer(&mut lane, 2, &[3.0, 4.0]);
    let weight = dense(&mut lane, 1, 2, &[1.0, 2.0]);
    lane.rms_norm(RmsNorm { x, weight, eps: 0.0, out: x, rows: 1 }).unwrap();
    assert_near(lane.read(x, 1), &[0.848_528_1, 2.262_741_7], 1e-6);
    let x = buffer(&mut lane, 2, &[1.0, -1.0]);
    lane.rms_norm(RmsNorm { x, weight, eps: 3.0, out: x, rows: 1 }).unwrap();
    assert_eq!(lane.read(x, 1), [0.5, -1.0]);
}

#[test]
fn rms_norm_with_a_short_weight_norms_each_head() {
    let mut lane = ReferenceLane::new();
    let x = buffer(&mut lane, 4, &[2.0, 2.0, 0.0, 8.0, 1.0, 1.0, -3.0, 3.0]);
    let weight = dense(&mut lane, 1, 2, &[1.0, 1.0]);
    lane.rms_norm(RmsNorm { x, weight, eps: 0.0, out: x, rows: 1 }).unwrap();
    let root = std::f32::consts::SQRT_2;
    // The second row is not in use and stays.
    assert_near(lane.read(x, 2), &[1.0, 1.0, 0.0, root, 1.0, 1.0, -3.0, 3.0], 1e-6);
}

#[test]
fn dense_projections_share_an_input_scale_and_accumulate() {
    let mut lane = ReferenceLane::new();
    let x = buffer(&mut lane, 2, &[1.0, 2.0, 3.0, 4.0]);
    let a = dense(&mut lane, 3, 2, &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let b = dense(&mut lane, 1, 2, &[0.5, -1.0]);
    let out_a = lane.alloc(2, 3).unwrap();
    let out_b = buffer(&mut lane, 1, &[100.0, 200.0]);
    let outputs = [output(a, out_a), Output { weight: b, out: out_b, scale: 2.0, accumulate: true }];
    lane.project(Project { x, activation: Activation::Float, outputs: &outputs, rows: 2 }).unwrap();
    assert_eq!(lane.read(out_a, 2), [1.0, 2.0, 3.0, 3.0, 4.0, 7.0]);
    assert_eq!(lane.read(out_b, 2), [97.0, 195.0]);
}

#[test]
fn ternary_projection_of_int8_rows_is_the_integer_dot_product() {
    let mut lane = ReferenceLane::new();
    // Largest magnitude 127: the activations are their own int8 values, 2.5 goes to 2 and 3.5 to 4.
    let x = buffer(&mut lane, 4, &[127.0, 2.5, 3.5, -10.0]);
    let weight = ternary(&mut lane, 4, &[1, -1, 1, 0, -1, 1, 0, -1], &[0.5, 3.0]);
    let out = lane.alloc(1, 2).unwrap();
    let outputs = [output(weight, out)];
    lane.project(Project { x, activation: Activation::Int8PerRow, outputs: &outputs, rows: 1 }).unwrap();
    assert_eq!(lane.read(out, 1), [(127.0 - 2.0 + 4.0) * 0.5, (-127.0 + 2.0 + 10.0) * 3.0]);
}

#[test]
fn ternary_projection_of_floats_does_not_round_them() {
    let mut lane = ReferenceLane::new();
    let x = buffer(&mut lane, 4, &[127.0, 2.5, 3.5, -10.0]);
    let weight = ternary(&mut lane, 4, &[1, -1, 1, 0, -1, 1, 0, -1], &[0.5, 3.0]);
    let out = lane.alloc(1, 2).unwrap();
    let outputs = [output(weight, out)];
    lane.project(Project { x, activation: Activation::Float, outputs: &outputs, rows: 1 }).unwrap();
    assert_eq!(lane.read(out, 1), [128.0 * 0.5, -114.5 * 3.0]);
}

#[test]
fn blocks_with_different_scales_are_summed_apart() {
    let mut lane = ReferenceLane::new();
    let mut trits = vec![0i8; 512];
    (trits[0], trits[255], trits[256], trits[511]) = (1, -1, 1, 1);
    let mut data = Vec::new();
    tq2_0::pack(&trits[..256], half::f16::from_f32(0.5), &mut data);
    tq2_0::pack(&trits[256..], half::f16::from_f32(4.0), &mut data);
    let ty = TensorType::Tq2_0;
    let tensor = TensorView { name: "blocks", ty, rows: 1, cols: 512, data: &data, scales: &[] };
    let weight = lane.upload(&tensor).unwrap();
    let mut values = vec![0.0; 512];
    (values[0], values[255], values[256], values[511]) = (127.0, 27.0, 2.0, 1.0);
    let x = buffer(&mut lane, 512, &values);
    let out = lane.alloc(1, 1).unwrap();
    for activation in [Activation::Int8PerRow, Activation::Float] {
        let outputs = [output(weight, out)];
        lane.project(Project { x, activation, outputs: &outputs, rows: 1 }).unwrap();
        assert_eq!(lane.read(out, 1), [100.0 * 0.5 + 3.0 * 4.0], "{activation:?}");
    }
}

#[test]
fn non_finite_activations_make_every_output_of_their_row_nan() {
    let mut lane = ReferenceLane::new();
    let x = buffer(&mut lane, 4, &[1.0, f32::NAN, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let weight = ternary(&mut lane, 4, &[1, 0, 0, 0, 0, 1, 0, 0], &[1.0, 1.0]);
    let out = lane.alloc(2, 2).unwrap();
    let outputs = [output(weight, out)];
    lane.project(Project { x, activation: Activation::Int8PerRow, outputs: &outputs, rows: 2 }).unwrap();
    let out = lane.read(out, 2);
    assert!(out[0].is_nan() && out[1].is_nan(), "{out:?}");
    assert_near(&out[2..], &[1.0, 1.0], 1e-6);
}

#[test]
fn logits_are_those_of_the_chosen_rows() {
    let mut lane = ReferenceLane::new();
    let x = buffer(&mut lane, 1, &[1.0, 2.0, 3.0]);
    let weight = dense(&mut lane, 2, 1, &[10.0, -1.0]);
    let out = lane.alloc(2, 2).unwrap();
    lane.logits(Logits { x, rows: &[0, 2], wanted: &[], weight, out }).unwrap();
    assert_eq!(lane.read(out, 2), [10.0, -1.0, 30.0, -3.0]);
}

fn rope(lane: &mut ReferenceLane, inv_freq: &[f64], pairing: RopePairing) -> RopeId {
    let table = RopeTable { inv_freq: inv_freq.to_vec(), magnitude: 1.0, pairing, positions: 1024 };
    lane.rope_table(&table).unwrap()
}

fn rotated(
    lane: &mut ReferenceLane,
    table: RopeId,
    head_dim: usize,
    values: &[f32],
    position: u32,
) -> Vec<f32> {
    let x = buffer(lane, values.len(), values);
    let rows = [Row { pages: &[], position }];
    lane.rope(Rope { x, table, n_heads: values.len() / head_dim, head_dim, rows: &rows }).unwrap();
    lane.read(x, 1).to_vec()
}

#[test]
fn rope_at_position_zero_is_identity() {
    let mut lane = ReferenceLane::new();
    let values = reals(1, 24);
    for pairing in [RopePairing::Interleaved, RopePairing::SplitHalf] {
        let table = rope(&mut lane, &[1.0, 0.3, 0.1], pairing);
        assert_eq!(rotated(&mut lane, table, 8, &values, 0), values);
    }
}

#[test]
fn rope_turns_the_pairs_of_its_pairing_and_leaves_the_rest() {
    let mut lane = ReferenceLane::new();
    let quarter = std::f64::consts::FRAC_PI_2;
    let values = [1.0, 2.0, 3.0, 4.0, 5.0];
    // A quarter turn takes (x, y) to (-y, x); the second pair does not turn, the fifth element has no pair.
    let table = rope(&mut lane, &[quarter, 0.0], RopePairing::Interleaved);
    assert_near(&rotated(&mut lane, table, 5, &values, 1), &[-2.0, 1.0, 3.0, 4.0, 5.0], 1e-6);
    let table = rope(&mut lane, &[quarter, 0.0], RopePairing::SplitHalf);
    assert_near(&rotated(&mut lane, table, 5, &values, 1), &[-3.0, 2.0, 1.0, 4.0, 5.0], 1e-6);
}

#[test]
fn rope_scores_depend_on_the_distance_only() {
    let mut lane = ReferenceLane::new();
    let table = rope(&mut lane, &[1.0, 0.1, 0.01, 0.001], RopePairing::SplitHalf);
    let (q, k) = (reals(2, 8), reals(3, 8));
    let mut score = |q_at, k_at| -> f32 {
        let q = rotated(&mut lane, table, 8, &q, q_at);
        let k = rotated(&mut lane, table, 8, &k, k_at);
        q.iter().zip(&k).map(|(q, k)| q * k).sum()
    };
    let near = score(7, 4);
    assert!((near - score(1003, 1000)).abs() < 1e-5);
    assert!((near - score(7, 5)).abs() > 1e-3, "another distance gives another score");
}

#[test]
fn rope_magnitude_multiplies_the_rotated_part() {
    let mut lane = ReferenceLane::new();
    let pairing = RopePairing::Interleaved;
    let table = RopeTable { inv_freq: vec![1.0], magnitude: 3.0, pairing, positions: 8 };
    let table = lane.rope_table(&table).unwrap();
    assert_eq!(rotated(&mut lane, table, 3, &[1.0, 2.0, 5.0], 0), [3.0, 6.0, 5.0]);
}

/// An arena of one layer and buffers for one row, to append and attend row by row.
struct Cache {
    lane: ReferenceLane,
    kv: KvId,
    shape: KvShape,
}

impl Cache {
    fn new(n_kv_heads: usize, head_dim: usize, dtype: KvDtype) -> Self {
        let mut lane = ReferenceLane::new();
        let shape = KvShape { n_layers: 2, n_kv_heads, head_dim, n_pages: 4, dtype };
        let kv = lane.kv_open(shape).unwrap();
        Cache { lane, kv, shape }
    }

    fn append(&mut self, pages: &[u32], position: u32, k: &[f32], v: &[f32]) {
        let (k, v) = (buffer(&mut self.lane, k.len(), k), buffer(&mut self.lane, v.len(), v));
        let rows = [Row { pages, position }];
        self.lane.kv_append(KvAppend { kv: self.kv, layer: 1, k, v, rows: &rows }).unwrap();
    }

    fn attend(&mut self, pages: &[u32], position: u32, q: &[f32]) -> Vec<f32> {
        let n_heads = q.len() / self.shape.head_dim;
        let q = buffer(&mut self.lane, q.len(), q);
        let rows = [Row { pages, position }];
        self.lane.attend(Attend { kv: self.kv, layer: 1, q, out: q, n_heads, rows: &rows }).unwrap();
        self.lane.read(q, 1).to_vec()
    }
}

#[test]
fn attention_over_one_position_is_its_value() {
    let mut cache = Cache::new(1, 2, KvDtype::F16);
    cache.append(&[3], 0, &[0.5, -8.0], &[0.25, -7.0]);
    assert_eq!(cache.attend(&[3], 0, &[100.0, 3.0]), [0.25, -7.0]);
}

#[test]
fn attention_weighs_values_by_the_softmax_of_scaled_scores() {
    let mut cache = Cache::new(1, 4, KvDtype::F16);
    cache.append(&[0], 0, &[0.0; 4], &[1.0, 0.0, 0.0, 4.0]);
    cache.append(&[0], 1, &[1.0, 0.0, 0.0, 0.0], &[0.0, 1.0, 0.0, 8.0]);
    // Scores 0 and 2 ln 3 / sqrt(4) = ln 3: weights 1/4 and 3/4.
    let q = [2.0 * 3.0f32.ln(), 0.0, 0.0, 0.0];
    assert_near(&cache.attend(&[0], 1, &q), &[0.25, 0.75, 0.0, 7.0], 1e-6);
}

#[test]
fn attention_is_causal_and_keeps_to_its_pages() {
    let mut cache = Cache::new(1, 1, KvDtype::F16);
    let n = PAGE_POSITIONS as u32 + 6;
    for position in 0..n {
        cache.append(&[2, 0], position, &[0.0], &[position as f32]);
        cache.append(&[1, 3], position, &[0.0], &[1000.0]);
    }
    // Equal keys: the mean of the values up to the position, across the page boundary, and none of the other sequence.
    for position in [0, 1, 63, 64, n - 1] {
        assert_near(&cache.attend(&[2, 0], position, &[1.0]), &[position as f32 / 2.0], 1e-4);
        assert_near(&cache.attend(&[1, 3], position, &[1.0]), &[1000.0], 1e-3);
    }
}

#[test]
fn query_heads_share_kv_heads_in_groups() {
    let mut cache = Cache::new(2, 1, KvDtype::F16);
    cache.append(&[0], 0, &[1.0, 1.0], &[10.0, 20.0]);
    assert_eq!(cache.attend(&[0], 0, &[1.0; 6]), [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]);
}

#[test]
fn huge_scores_do_not_overflow_the_softmax() {
    let mut cache = Cache::new(1, 1, KvDtype::F16);
    cache.append(&[0], 0, &[60000.0], &[1.0]);
    cache.append(&[0], 1, &[-60000.0], &[2.0]);
    assert_eq!(cache.attend(&[0], 1, &[1e30]), [1.0]);
    assert_eq!(cache.attend(&[0], 1, &[-1e30]), [2.0]);
}

#[test]
fn int8_cache_is_close_to_the_f16_cache() {
    let mut outs = Vec::new();
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        let mut random = SplitMix(4);
        let mut fill = |n| -> Vec<f32> { (0..n).map(|_| random.real()).collect() };
        let mut cache = Cache::new(2, 16, dtype);
        for position in 0..70 {
            cache.append(&[0, 1], position, &fill(32), &fill(32));
        }
        outs.push(cache.attend(&[0, 1], 69, &fill(64)));
    }
    assert_ne!(outs[0], outs[1]);
    assert_near(&outs[0], &outs[1], 0.01);
}

#[test]
fn key_norm_is_over_all_heads_of_the_position() {
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        let mut cache = Cache::new(2, 2, dtype);
        cache.append(&[3], 5, &[3.0, 0.0, 0.0, -4.0], &[9.0; 4]);
        assert!((cache.lane.kv_key_norm(cache.kv, 1, 3, 5) - 5.0).abs() < 2e-3, "{dtype:?}");
        assert_eq!(cache.lane.kv_key_norm(cache.kv, 0, 3, 5), 0.0);
    }
}

#[test]
fn gates_follow_their_formulas_and_pass_nan_on() {
    let mut lane = ReferenceLane::new();
    let up = buffer(&mut lane, 4, &[2.0; 4]);
    let gate = buffer(&mut lane, 4, &[3.0, -3.0, 0.0, f32::NAN]);
    let out = lane.alloc(1, 4).unwrap();
    lane.gate_mul(GateMul { gate, up, out, function: Gate::SquaredRelu, rows: 1 }).unwrap();
    assert_eq!(lane.read(out, 1)[..3], [18.0, 0.0, 0.0]);
    assert!(lane.read(out, 1)[3].is_nan());
    lane.gate_mul(GateMul { gate, up, out: gate, function: Gate::Silu, rows: 1 }).unwrap();
    assert_near(&lane.read(gate, 1)[..3], &[5.715_445, -0.284_555, 0.0], 1e-5);
    assert!(lane.read(gate, 1)[3].is_nan());
}

#[test]
fn a_row_does_not_depend_on_the_rows_beside_it() {
    let seed = 5;
    let (cols, rows, m) = (512, 5, 7);
    let mut lane = ReferenceLane::new();
    let trits = random_trits(seed, cols * m);
    let scales = reals(6, m);
    let ternary = ternary(&mut lane, cols, &trits, &scales);
    let values = reals(7, cols * m);
    let dense = dense(&mut lane, m, cols, &values);
    let x = reals(seed, cols * rows);
    for (weight, activation) in
        [(ternary, Activation::Int8PerRow), (ternary, Activation::Float), (dense, Activation::Float)]
    {
        let mut run = |values: &[f32]| {
            let rows = values.len() / cols;
            let (x, out) = (buffer(&mut lane, cols, values), lane.alloc(rows, m).unwrap());
            lane.project(Project { x, activation, outputs: &[output(weight, out)], rows }).unwrap();
            lane.read(out, rows).to_vec()
        };
        let together = run(&x);
        let apart: Vec<f32> = x.chunks(cols).flat_map(&mut run).collect();
        assert_eq!(together, apart, "seed {seed}, {activation:?}");
    }
}

#[test]
fn freed_things_make_room_and_weights_count_their_bytes() {
    let mut lane = ReferenceLane::new();
    let a = dense(&mut lane, 2, 3, &[0.0; 6]);
    let b = ternary(&mut lane, 8, &[0; 16], &[1.0; 2]);
    assert_eq!((lane.weight_bytes(a), lane.weight_bytes(b)), (24, 2 * 2 + 2 * 4));
    lane.free_weights(&[a]);
    assert_eq!(dense(&mut lane, 1, 1, &[0.0]), a);
    assert_eq!(lane.weight_bytes(b), 12);
}

#[test]
#[should_panic(expected = "buffer 0 is not alive")]
fn a_freed_buffer_cannot_be_read() {
    let mut lane = ReferenceLane::new();
    let buf = lane.alloc(1, 1).unwrap();
    lane.free_bufs(&[buf]);
    lane.read(buf, 1);
}

#[test]
fn an_arena_beyond_memory_is_an_error() {
    let mut lane = ReferenceLane::new();
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        let shape =
            KvShape { n_layers: 1 << 20, n_kv_heads: 1 << 20, head_dim: 256, n_pages: 1 << 20, dtype };
        assert!(matches!(lane.kv_open(shape), Err(LaneError::OutOfMemory { .. })), "{dtype:?}");
    }
}
