//! The KV cache and attention over it.

use onebit_engine::lane::{Attend, KvAppend, KvDtype, KvId, KvShape, Lane, PAGE_POSITIONS, Row};

use crate::{Random, bits, buffer, cpu_lanes, nmse, reference, tolerance};

struct Sequence {
    shape: KvShape,
    n_heads: usize,
    /// Pages in an order of their own.
    pages: Vec<u32>,
    length: usize,
    k: Vec<f32>,
    v: Vec<f32>,
    q: Vec<f32>,
}

fn sequence(
    dtype: KvDtype,
    head_dim: usize,
    n_kv_heads: usize,
    group: usize,
    length: usize,
    seed: u64,
) -> Sequence {
    let n_pages = length.div_ceil(PAGE_POSITIONS) + 1;
    let shape = KvShape { n_layers: 2, n_kv_heads, head_dim, n_pages, dtype };
    let mut random = Random(seed);
    let n_heads = n_kv_heads * group;
    Sequence {
        shape,
        n_heads,
        pages: (0..n_pages as u32).rev().collect(),
        length,
        k: random.activations(length * n_kv_heads * head_dim),
        v: random.activations(length * n_kv_heads * head_dim),
        q: random.activations(length * n_heads * head_dim),
    }
}

impl Sequence {
    fn store(&self, lane: &mut dyn Lane) -> KvId {
        let kv = lane.kv_open(self.shape).unwrap();
        let width = self.shape.n_kv_heads * self.shape.head_dim;
        let (k, v) = (buffer(lane, width, &self.k), buffer(lane, width, &self.v));
        let rows: Vec<Row<'_>> =
            (0..self.length).map(|p| Row { pages: &self.pages, position: p as u32 }).collect();
        lane.kv_append(KvAppend { kv, layer: 1, k, v, rows: &rows }).unwrap();
        kv
    }

    fn attend(&self, lane: &mut dyn Lane, kv: KvId, positions: &[usize]) -> Vec<f32> {
        let width = self.n_heads * self.shape.head_dim;
        let q: Vec<f32> =
            positions.iter().flat_map(|p| &self.q[p * width..(p + 1) * width]).copied().collect();
        let q = buffer(lane, width, &q);
        let out = lane.alloc(positions.len(), width).unwrap();
        let rows: Vec<Row<'_>> =
            positions.iter().map(|&p| Row { pages: &self.pages, position: p as u32 }).collect();
        lane.attend(Attend { kv, layer: 1, q, out, n_heads: self.n_heads, rows: &rows }).unwrap();
        let result = lane.read(out, positions.len()).to_vec();
        lane.free_bufs(&[q, out]);
        result
    }
}

#[test]
fn attention_is_close_and_rows_are_independent() {
    let mut worst = 0.0f64;
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        for (seed, (head_dim, n_kv_heads, group, length)) in [
            (64, 2, 2, 70),
            (64, 3, 3, 5),
            (128, 1, 4, 129),
            (8, 1, 1, 66),
            (20, 2, 5, 40),
            (80, 1, 1, 33),
            (16, 1, 2, 1100),
        ]
        .into_iter()
        .enumerate()
        {
            let sequence = sequence(dtype, head_dim, n_kv_heads, group, length, seed as u64);
            let positions: Vec<usize> =
                if length > 200 { vec![0, 511, 512, 1023, 1024, length - 1] } else { (0..length).collect() };
            let mut scalar = reference();
            let kv = sequence.store(&mut scalar);
            let expected = sequence.attend(&mut scalar, kv, &positions);
            let width = sequence.n_heads * head_dim;
            for (name, mut lane) in cpu_lanes(&[1, 3]) {
                let kv = sequence.store(&mut lane);
                let found = sequence.attend(&mut lane, kv, &positions);
                let error = nmse(&found, &expected);
                worst = worst.max(error);
                assert!(error <= tolerance::ATTENTION, "{dtype:?} {head_dim} on {name}: NMSE {error:e}");
                for (i, &position) in positions.iter().enumerate().rev().step_by(3) {
                    let alone = sequence.attend(&mut lane, kv, &[position]);
                    assert_eq!(
                        bits(&alone),
                        bits(&found[i * width..(i + 1) * width]),
                        "{dtype:?} head_dim {head_dim} position {position} on {name}"
                    );
                }
                for position in 0..length {
                    let page = sequence.pages[position / PAGE_POSITIONS];
                    let norm = lane.kv_key_norm(kv, 1, page, position % PAGE_POSITIONS);
                    let exact = scalar.kv_key_norm(KvId(0), 1, page, position % PAGE_POSITIONS);
                    assert!((norm - exact).abs() <= 1e-5 * exact, "{norm} for {exact} on {name}");
                }
            }
        }
    }
    println!("attention: {worst:e}");
}

#[test]
fn rows_of_two_sequences_mixed_in_a_batch_have_the_bits_they_have_alone() {
    let n_kv_heads = 2;
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        for (head_dim, group) in [(64, 3), (128, 4), (24, 1)] {
            let long = sequence(dtype, head_dim, n_kv_heads, group, 560, 7);
            let shape = KvShape { n_pages: 2 * long.shape.n_pages, ..long.shape };
            let other_pages: Vec<u32> =
                long.pages.iter().map(|page| page + long.pages.len() as u32).collect();
            // A prompt across the border of two chunks, a token of the other sequence, the start of a prompt, two tokens.
            let mixed: Vec<(bool, usize)> = (490..540)
                .map(|p| (false, p))
                .chain([(true, 333)])
                .chain((0..20).map(|p| (true, p)))
                .chain([(false, 559), (true, 559)])
                .collect();
            let (kv_width, width) = (n_kv_heads * head_dim, n_kv_heads * group * head_dim);
            for (name, mut lane) in cpu_lanes(&[1, 3]) {
                let kv = lane.kv_open(shape).unwrap();
                for (pages, shift) in [(&long.pages, 0.0), (&other_pages, 0.125)] {
                    let shifted: Vec<f32> = long.k.iter().map(|x| x + shift).collect();
                    let (k, v) =
                        (buffer(&mut lane, kv_width, &shifted), buffer(&mut lane, kv_width, &long.v));
                    let rows: Vec<Row<'_>> = (0..560).map(|p| Row { pages, position: p }).collect();
                    lane.kv_append(KvAppend { kv, layer: 1, k, v, rows: &rows }).unwrap();
                }
                let mut attend = |rows: &[(bool, usize)]| {
                    let q: Vec<f32> =
                        rows.iter().flat_map(|(_, p)| &long.q[p * width..(p + 1) * width]).copied().collect();
                    let q = buffer(&mut lane, width, &q);
                    let out = lane.alloc(rows.len(), width).unwrap();
                    let rows: Vec<Row<'_>> = rows
                        .iter()
                        .map(|&(other, p)| Row {
                            pages: if other { &other_pages } else { &long.pages },
                            position: p as u32,
                        })
                        .collect();
                    let n_heads = long.n_heads;
                    lane.attend(Attend { kv, layer: 1, q, out, n_heads, rows: &rows }).unwrap();
                    let result = bits(lane.read(out, rows.len()));
                    lane.free_bufs(&[q, out]);
                    result
                };
                let together = attend(&mixed);
                for (row, together) in mixed.iter().zip(together.chunks(width)) {
                    assert_eq!(attend(&[*row]), together, "{dtype:?} head_dim {head_dim} {row:?} on {name}");
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_attention_over_a_long_context() {
    for dtype in [KvDtype::F16, KvDtype::Int8] {
        let sequence = sequence(dtype, 32, 1, 3, 1700, 5);
        let mut results = Vec::new();
        for (_, mut lane) in cpu_lanes(&[1, 2, 3]) {
            let kv = sequence.store(&mut lane);
            results.push((lane.info().name, bits(&sequence.attend(&mut lane, kv, &[1699]))));
        }
        for pair in results.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            assert_eq!(pair[0], pair[1]);
        }
    }
}

#[test]
fn garbage_behind_a_row_does_not_reach_it() {
    for (name, mut lane) in cpu_lanes(&[1]) {
        for dtype in [KvDtype::F16, KvDtype::Int8] {
            let clean = sequence(dtype, 16, 1, 4, 40, 5);
            let kv = clean.store(&mut lane);
            let expected = clean.attend(&mut lane, kv, &[20]);
            let mut dirty = sequence(dtype, 16, 1, 4, 40, 5);
            for x in dirty.k[21 * 16..].iter_mut().chain(&mut dirty.v[21 * 16..]) {
                *x = f32::NAN;
            }
            let kv = dirty.store(&mut lane);
            assert_eq!(bits(&dirty.attend(&mut lane, kv, &[20])), bits(&expected), "{name} {dtype:?}");
            let seen = dirty.attend(&mut lane, kv, &[20, 30]);
            assert_eq!(bits(&seen[..64]), bits(&expected), "{name} {dtype:?}");
            assert!(seen[64..].iter().all(|x| x.is_nan()), "{name} {dtype:?}");
        }
    }
}
