//! Speed of the CPU lane's kernels on this machine, without a model: `cargo run --release -p onebit-engine --example lane_speed --
//! [--threads N] [--tokens N] [--isa avx512-vnni|avx-vnni|avx2|portable] [--rows M] [--cols K] [--megabytes N] [FORMAT ...]`.
//!
//! Decode is bound by reading, so it is given in GB/s of weights and as a share of the read ceiling of the same run; prefill is
//! bound by arithmetic, so it is given in GMAC/s and as a share of what the byte dot instruction reaches in registers (the Q formats
//! multiply 16-bit activations, so half of that is their limit). Weights are used in turn and are together much larger than the
//! caches; every figure is the tenth percentile of the repetitions.

#![expect(clippy::print_stdout, reason = "a table for the person who runs it")]

use std::time::{Duration, Instant};

use half::f16;
use onebit_engine::lane::cpu::{CpuLane, Isa, ceiling};
use onebit_engine::lane::{
    Activation, Attend, KvAppend, KvDtype, KvShape, Lane, Output, PAGE_POSITIONS, Project, Row, WeightId,
};
use onebit_engine::model::{TensorType, TensorView};
use onebit_engine::quant::{halo, legacy, sherry, tq1_0, tq1_halo, tq2_0};
use onebit_kernels::cpu::peak;

/// There is one answer to a failure: say it and stop.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PREFILL_TOKENS: usize = 512;

struct Options {
    threads: usize,
    /// Rows of activations of the first four columns: one is decode, a few are several conversations at once.
    tokens: usize,
    isa: Isa,
    rows: usize,
    cols: usize,
    /// Weights in use, together larger than the caches unless arithmetic alone is to be measured.
    megabytes: usize,
    formats: Vec<String>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        threads: 0,
        tokens: 1,
        isa: Isa::detect(),
        rows: 2560,
        cols: 2560,
        megabytes: 192,
        formats: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--threads" => options.threads = value()?.parse()?,
            "--tokens" => options.tokens = value()?.parse()?,
            "--rows" => options.rows = value()?.parse()?,
            "--cols" => options.cols = value()?.parse()?,
            "--megabytes" => options.megabytes = value()?.parse()?,
            "--isa" => {
                let name = value()?;
                options.isa =
                    Isa::available().find(|isa| isa.name() == name).ok_or("this machine lacks it")?;
            }
            _ => options.formats.push(argument),
        }
    }
    Ok(options)
}

/// What all threads of this machine reach without a matrix product around it.
#[derive(Clone, Copy)]
struct Limits {
    /// GB/s of reading.
    read: f64,
    /// GMAC/s of bytes in registers.
    products: f64,
}

/// Of one thread.
fn products_per_sec(isa: Isa) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..20 {
        let start = Instant::now();
        let (products, witness) = peak::multiply(isa, 200_000);
        std::hint::black_box(witness);
        best = best.max(products as f64 / start.elapsed().as_secs_f64());
    }
    best
}

fn main() -> Result<()> {
    let options = options()?;
    let speeds = ceiling::measure(options.threads, 512 << 20, Duration::from_millis(700))?;
    for speed in speeds {
        println!("read, {} streams a thread: {:6.1} GB/s", speed.streams, speed.gb_per_sec);
    }
    let read = ceiling::best(&speeds);
    let mut lane = CpuLane::open_with(options.threads, options.isa)?;
    println!(
        "{} with {} threads, [{}, {}]",
        lane.info().name,
        lane.info().threads,
        options.rows,
        options.cols
    );
    let limits = Limits { read, products: products_per_sec(options.isa) * lane.info().threads as f64 / 1e9 };
    println!("byte products in registers: {:.0} GMAC/s", limits.products);
    println!("{:<22} {:>8} {:>8} {:>6} {:>6} {:>8} {:>6}", "", "us", "GB/s", "%", "bits", "GMAC/s", "%");
    let wanted =
        |name: &str| options.formats.is_empty() || options.formats.iter().any(|format| format == name);
    for (ty, activation) in [
        (TensorType::Halo, Activation::Int8PerRow),
        (TensorType::Tq1Halo, Activation::Int8PerRow),
        (TensorType::Sherry, Activation::Int8PerRow),
        (TensorType::Tq2_0, Activation::Float),
        (TensorType::Tq1_0, Activation::Float),
        (TensorType::Q4_0, Activation::Float),
        (TensorType::Q4_1, Activation::Float),
        (TensorType::Q8_0, Activation::Float),
        (TensorType::Q4K, Activation::Float),
        (TensorType::Q6K, Activation::Float),
        (TensorType::F16, Activation::Float),
        (TensorType::F32, Activation::Float),
    ] {
        if wanted(&format!("{ty:?}")) && options.cols.is_multiple_of(256) {
            product(&mut lane, &options, ty, activation, limits)?;
        }
    }
    if wanted("attention") {
        for dtype in [KvDtype::F16, KvDtype::Int8] {
            attention(&mut lane, dtype, limits)?;
        }
    }
    Ok(())
}

/// Seconds of a call: the tenth percentile of a second's repetitions, so that what other programs take falls out.
/// `call` gets the number of the repetition.
fn time(mut call: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    let (mut times, start) = (Vec::new(), Instant::now());
    while times.len() < 10 || start.elapsed() < Duration::from_millis(1500) {
        let call_start = Instant::now();
        call(times.len())?;
        times.push(call_start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 10])
}

/// One matrix of pseudo-random values in a format.
fn upload(lane: &mut CpuLane, options: &Options, ty: TensorType) -> Result<WeightId> {
    let mut seed = 7u64;
    let mut draw = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u32
    };
    let (rows, cols) = (options.rows, options.cols);
    let (mut data, mut scales) = (Vec::new(), Vec::new());
    let mut row = Vec::new();
    // A few rows are made, and repeated.
    for _ in 0..16.min(rows) {
        let values: Vec<f32> = (0..cols).map(|_| draw() as f32 / (1u32 << 31) as f32 - 0.49).collect();
        let trits: Vec<i8> = values.iter().map(|v| (v * 3.0) as i8).collect();
        match ty {
            TensorType::Halo => halo::pack(&trits, &mut row),
            TensorType::Tq1Halo => tq1_halo::pack(&trits, &mut row),
            TensorType::Sherry => {
                let sparse: Vec<i8> =
                    (0..cols / 4).flat_map(|_| sherry::group_trits((draw() % 32) as u8)).collect();
                sherry::pack(&sparse, &mut row)?;
            }
            TensorType::Tq1_0 => tq1_0::pack(&trits, f16::from_f32(0.1), &mut row),
            TensorType::Tq2_0 => tq2_0::pack(&trits, f16::from_f32(0.1), &mut row),
            TensorType::Q4_0 => legacy::pack_q4_0(&values, &mut row),
            TensorType::Q4_1 => legacy::pack_q4_1(&values, &mut row),
            TensorType::Q8_0 => legacy::pack_q8_0(&values, &mut row),
            TensorType::F16 => row.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes())),
            TensorType::F32 => row.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            TensorType::Q4K | TensorType::Q6K => {
                let bytes = cols / 256 * if ty == TensorType::Q4K { 144 } else { 210 };
                // The top bits of every f16 stay clear, so that no scale is infinite or NaN.
                row.extend((0..bytes).map(|_| draw() as u8 & 0x3b));
            }
            other => return Err(format!("{other:?} is not measured").into()),
        }
    }
    while data.len() < row.len() / 16.min(rows) * rows {
        data.extend_from_slice(&row);
    }
    data.truncate(row.len() / 16.min(rows) * rows);
    if matches!(ty, TensorType::Halo | TensorType::Tq1Halo | TensorType::Sherry) {
        scales = vec![0.05f32; rows].into_iter().flat_map(f32::to_le_bytes).collect();
    }
    let view = TensorView { name: "bench", ty, rows, cols, data: &data, scales: &scales };
    Ok(lane.upload(&view)?)
}

fn product(
    lane: &mut CpuLane,
    options: &Options,
    ty: TensorType,
    activation: Activation,
    limits: Limits,
) -> Result<()> {
    let first = upload(lane, options, ty)?;
    let bytes = lane.weight_bytes(first);
    let mut weights = vec![first];
    while weights.len() * bytes < options.megabytes << 20 {
        weights.push(upload(lane, options, ty)?);
    }
    let x = lane.alloc(PREFILL_TOKENS, options.cols)?;
    let values: Vec<f32> =
        (0..PREFILL_TOKENS * options.cols).map(|i| (i * 37 % 255) as f32 - 127.0).collect();
    lane.write(x, &values);
    let out = lane.alloc(PREFILL_TOKENS, options.rows)?;
    let mut run = |rows: usize| {
        time(|turn| {
            let output = Output { weight: weights[turn % weights.len()], out, scale: 1.0, accumulate: false };
            Ok(lane.project(Project { x, activation, outputs: &[output], rows })?)
        })
    };
    let (decode, prefill) = (run(options.tokens.clamp(1, PREFILL_TOKENS))?, run(PREFILL_TOKENS)?);
    let weights_in_matrix = (options.rows * options.cols) as f64;
    let gb_per_sec = bytes as f64 / decode / 1e9;
    let gmac_per_sec = weights_in_matrix * PREFILL_TOKENS as f64 / prefill / 1e9;
    println!(
        "{:<22} {:8.1} {:8.2} {:6.1} {:6.3} {:8.1} {:6.1}",
        format!("{ty:?} {activation:?}"),
        decode * 1e6,
        gb_per_sec,
        100.0 * gb_per_sec / limits.read,
        8.0 * bytes as f64 / weights_in_matrix,
        gmac_per_sec,
        100.0 * gmac_per_sec / limits.products
    );
    lane.free_weights(&weights);
    lane.free_bufs(&[x, out]);
    Ok(())
}

/// BitNet 2B-4T heads: one token at several depths, and a prefill chunk.
fn attention(lane: &mut CpuLane, dtype: KvDtype, limits: Limits) -> Result<()> {
    let (n_kv_heads, group, head_dim, positions) = (5, 4, 128, 4096);
    let n_heads = n_kv_heads * group;
    // Several layers, so that a pass does not stay in cache.
    let shape = KvShape { n_layers: 8, n_kv_heads, head_dim, n_pages: positions / PAGE_POSITIONS, dtype };
    let kv = lane.kv_open(shape)?;
    let pages: Vec<u32> = (0..shape.n_pages as u32).collect();
    let width = n_kv_heads * head_dim;
    let k = lane.alloc(positions, width)?;
    let values: Vec<f32> = (0..positions * width).map(|i| (i * 29 % 127) as f32 / 64.0 - 1.0).collect();
    lane.write(k, &values);
    let rows: Vec<Row<'_>> = (0..positions).map(|p| Row { pages: &pages, position: p as u32 }).collect();
    for layer in 0..shape.n_layers {
        lane.kv_append(KvAppend { kv, layer, k, v: k, rows: &rows })?;
    }
    let q = lane.alloc(512, n_heads * head_dim)?;
    lane.write(q, &values[..512 * n_heads * head_dim]);
    let out = lane.alloc(512, n_heads * head_dim)?;
    for depth in [64, 512, 2048, 4096] {
        let seconds = time(|turn| {
            let layer = turn % shape.n_layers;
            Ok(lane.attend(Attend { kv, layer, q, out, n_heads, rows: &rows[depth - 1..depth] })?)
        })?;
        let bytes = (shape.bytes_per_position() / shape.n_layers * depth) as f64;
        let gb_per_sec = bytes / seconds / 1e9;
        println!(
            "{:<22} {:8.1} {:8.2} {:6.1}",
            format!("attend {dtype:?} @{depth}"),
            seconds * 1e6,
            gb_per_sec,
            100.0 * gb_per_sec / limits.read
        );
    }
    for first in [0, positions - 512] {
        let seconds = time(|_| {
            Ok(lane.attend(Attend { kv, layer: 0, q, out, n_heads, rows: &rows[first..first + 512] })?)
        })?;
        let products = 512.0 * (2 * first + 513) as f64 * (n_heads * head_dim) as f64;
        println!(
            "{:<22} {:8.1} {:>30.1}",
            format!("attend {dtype:?} 512@{first}"),
            seconds * 1e6,
            products / seconds / 1e9
        );
    }
    lane.kv_close(kv);
    lane.free_bufs(&[k, q, out]);
    Ok(())
}
