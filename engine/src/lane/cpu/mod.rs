//! The CPU lane: weights repacked for vector units, a pool of threads, and the instruction set chosen when the lane is opened.
//! It owns layouts, scheduling and memory; the inner loops are `onebit_kernels::cpu`. It knows no model family.
//!
//! Ternary weights with float activations (llama graphs) round the activations to int8 per 64 columns (llama.cpp: per 256, twice
//! the error), the Q formats per 32 columns; both lie within the error class that [`super::Activation::Float`] allows.

pub mod ceiling;

mod attend;
mod bytes;
mod columns;
mod cores;
mod kv;
mod project;
mod rotary;
mod rounded;
mod screen;
mod tables;
mod threads;
mod trial;
mod weights;

use std::collections::HashMap;

pub use onebit_kernels::cpu::Isa;
use onebit_kernels::cpu::{GROUP_ROWS, rows};

use super::slots::Slots;
use super::{
    Activation, Attend, BufId, Embed, Form, Gate, GateMul, HeadWork, KvAppend, KvId, KvShape, Lane,
    LaneError, LaneInfo, Logits, Output, Project, RmsNorm, Rope, RopeId, RopeTable, Wanted, WeightId,
};
use crate::model::TensorView;
use project::{Inputs, MAX_MATRICES, Matrix};
use screen::Screen;
use threads::{Disjoint, Pool};
use weights::{Packer, Weight};

/// Rows from which element operations use all threads.
const PARALLEL_ROWS: usize = 8;

/// An activation buffer.
struct Buffer {
    width: usize,
    values: bytes::Floats,
}

/// See the module documentation.
pub struct CpuLane {
    info: LaneInfo,
    isa: Isa,
    pool: Pool,
    slabs: bytes::Slabs,
    weights: Slots<Weight>,
    /// Coarse copies of heads, which lie among the weights, and what bounds their error.
    screens: HashMap<WeightId, (WeightId, Screen)>,
    buffers: Slots<Buffer>,
    ropes: Slots<rotary::Rotary>,
    arenas: Slots<kv::Arena>,
    inputs: Inputs,
    /// Rows gathered for the LM head.
    gathered: Vec<f32>,
    attention: attend::Scratch,
}

impl CpuLane {
    /// Opens the lane with the fastest instruction set and `threads` threads, 0 for one per physical core.
    ///
    /// # Errors
    /// Threads could not be started.
    pub fn open(threads: usize) -> Result<Self, LaneError> {
        Self::open_with(threads, Isa::detect())
    }

    /// Opens the lane with a chosen instruction set.
    ///
    /// # Errors
    /// Threads could not be started.
    pub fn open_with(threads: usize, isa: Isa) -> Result<Self, LaneError> {
        let threads = if threads == 0 { cores::physical_cores() } else { threads };
        let pool = Pool::new(threads)?;
        let (name, notice) = match isa.name() {
            "avx512-amx" => ("cpu-avx512-amx", None),
            "avx512-vnni" => ("cpu-avx512-vnni", Isa::amx_refused().then(|| AMX_REFUSED_NOTICE.to_owned())),
            "avx-vnni" => ("cpu-avx-vnni", None),
            "avx2" => ("cpu-avx2", None),
            _ => ("cpu-portable", Some(PORTABLE_NOTICE.to_owned())),
        };
        Ok(Self {
            info: LaneInfo { name, threads, notice },
            isa,
            pool,
            slabs: bytes::Slabs::default(),
            weights: Slots::new("weight"),
            screens: HashMap::new(),
            buffers: Slots::new("buffer"),
            ropes: Slots::new("rotary table"),
            arenas: Slots::new("KV arena"),
            inputs: Inputs::new(trial::looks_up(isa)),
            gathered: Vec::new(),
            attention: attend::Scratch::default(),
        })
    }

    /// Threads worth waking for `rows` rows of an element operation.
    fn grain(rows: usize) -> usize {
        if rows < PARALLEL_ROWS { rows } else { 2 }
    }

    /// Multiplies `x` with up to [`MAX_MATRICES`] matrices. `x` is none of the outputs.
    #[expect(unsafe_code, reason = "several output buffers are written at once")]
    fn multiply(&mut self, x: &Input, rows: usize, activation: Activation, outputs: &[Output]) {
        let mut matrices = [const { None }; MAX_MATRICES];
        for (i, (slot, output)) in matrices.iter_mut().zip(outputs).enumerate() {
            let weight = self.weights.get(output.weight.0);
            let distinct = outputs[..i].iter().all(|other| other.out != output.out);
            assert!(
                distinct && *x != Input::Buffer(output.out),
                "{}: the output is also used elsewhere",
                weight.name
            );
            let out = self.buffers.get_mut(output.out.0);
            assert_eq!(out.width, weight.rows, "{}: output width", weight.name);
            // SAFETY: the buffers live in `self`, which this call borrows; they are distinct from each other and from the
            // input, as just checked, and nothing else touches them before `multiply` returns.
            let out = unsafe { Disjoint::detached(&mut out.values[..rows * weight.rows]) };
            *slot = Some(Matrix { weight, out, scale: output.scale, accumulate: output.accumulate });
        }
        let x = match x {
            Input::Buffer(id) => {
                let buffer = self.buffers.get(id.0);
                &buffer.values[..rows * buffer.width]
            }
            Input::Gathered => &self.gathered[..],
        };
        project::multiply(self.isa, &self.pool, &mut self.inputs, x, rows, activation, &matrices);
    }
}

impl CpuLane {
    /// Logits of the gathered rows, exact where [`Wanted::Largest`] asks for it and coarse elsewhere.
    fn screened_logits(&mut self, op: &Logits<'_>) -> HeadWork {
        let coarse = self.screens[&op.weight].0;
        self.multiply(&Input::Gathered, op.rows.len(), Activation::Float, &[head_output(coarse, op.out)]);
        let screen = &self.screens[&op.weight].1;
        let head = self.weights.get(op.weight.0);
        let group_bytes = (head.bytes() / head.groups()) as u64;
        let mut work = HeadWork {
            bytes: (self.weights.get(coarse.0).bytes() + screen.bytes()) as u64,
            ..HeadWork::default()
        };
        let out = &mut self.buffers.get_mut(op.out.0).values;
        let rows = self.gathered.chunks_exact(head.cols).zip(out.chunks_exact_mut(head.rows));
        for (row, (x, logits)) in rows.enumerate() {
            let Wanted::Largest(count) = op.wanted(row) else { unreachable!("no row wants all") };
            let found = screen.groups(logits, self.inputs.head_activations(row, x), count);
            let groups = found.unwrap_or_else(|| {
                work.fell_back += 1;
                project::far_apart(head.groups())
            });
            project::multiply_groups(self.isa, &self.pool, &self.inputs, x, head, &groups, logits);
            work.screened += 1;
            work.rescored += (groups.len() * GROUP_ROWS).min(head.rows) as u64;
            work.bytes += groups.len() as u64 * group_bytes;
        }
        work
    }
}

fn head_output(weight: WeightId, out: BufId) -> Output {
    Output { weight, out, scale: 1.0, accumulate: false }
}

/// What a product reads.
#[derive(Debug, PartialEq, Eq)]
enum Input {
    Buffer(BufId),
    Gathered,
}

const AMX_REFUSED_NOTICE: &str = "this processor has matrix tiles (AMX), but the system does not let programs use them: prompts are read slower";
const PORTABLE_NOTICE: &str =
    "this processor has no AVX2 (with FMA and F16C): the portable path runs, many times slower";

impl Lane for CpuLane {
    fn info(&self) -> &LaneInfo {
        &self.info
    }

    fn begin_upload(&mut self, tensor: &TensorView<'_>, form: Form) -> Result<WeightId, LaneError> {
        Ok(WeightId(self.weights.insert(Weight::begin(tensor, form, self.isa, &mut self.slabs)?)))
    }

    fn upload_rows(
        &mut self,
        weight: WeightId,
        tensor: &TensorView<'_>,
        rows: usize,
    ) -> Result<usize, LaneError> {
        let mut packer = Packer { pool: &self.pool, slabs: &mut self.slabs };
        self.weights.get_mut(weight.0).pack(tensor, rows, &mut packer)
    }

    fn weight_bytes(&self, weight: WeightId) -> usize {
        self.weights.get(weight.0).bytes()
    }

    fn begin_screen(&mut self, weight: WeightId) -> Result<usize, LaneError> {
        let Some((screen, coarse)) = Screen::begin(self.weights.get(weight.0), &mut self.slabs)? else {
            return Ok(0);
        };
        let bytes = coarse.bytes() + screen.bytes();
        let coarse = WeightId(self.weights.insert(coarse));
        if let Some((old, _)) = self.screens.insert(weight, (coarse, screen)) {
            self.weights.remove(old.0);
        }
        Ok(bytes)
    }

    fn screen_rows(&mut self, weight: WeightId, rows: usize) -> Result<usize, LaneError> {
        let (coarse, screen) = self.screens.get_mut(&weight).expect("a screen was begun");
        let (head, coarse) = self.weights.pair_mut(weight.0, coarse.0);
        Ok(screen.pack(head, coarse, rows, &self.pool))
    }

    fn free_weights(&mut self, weights: &[WeightId]) {
        for weight in weights {
            self.weights.remove(weight.0);
            if let Some((coarse, _)) = self.screens.remove(weight) {
                self.weights.remove(coarse.0);
            }
        }
    }

    fn alloc(&mut self, rows: usize, width: usize) -> Result<BufId, LaneError> {
        let values = bytes::Floats::zeroed(rows.saturating_mul(width), "activation buffer")?;
        Ok(BufId(self.buffers.insert(Buffer { width, values })))
    }

    fn free_bufs(&mut self, bufs: &[BufId]) {
        for buf in bufs {
            self.buffers.remove(buf.0);
        }
    }

    fn read(&self, buf: BufId, rows: usize) -> &[f32] {
        let buffer = self.buffers.get(buf.0);
        &buffer.values[..rows * buffer.width]
    }

    fn write(&mut self, buf: BufId, values: &[f32]) {
        self.buffers.get_mut(buf.0).values[..values.len()].copy_from_slice(values);
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<RopeId, LaneError> {
        Ok(RopeId(self.ropes.insert(rotary::Rotary::new(table)?)))
    }

    fn free_rope(&mut self, table: RopeId) {
        self.ropes.remove(table.0);
    }

    fn kv_open(&mut self, shape: KvShape) -> Result<KvId, LaneError> {
        Ok(KvId(self.arenas.insert(kv::Arena::new(shape)?)))
    }

    fn kv_close(&mut self, kv: KvId) {
        self.arenas.remove(kv.0);
    }

    fn kv_key_norm(&self, kv: KvId, layer: usize, page: u32, offset: usize) -> f32 {
        self.arenas.get(kv.0).key_norm(layer, page, offset)
    }

    fn embed(&mut self, op: Embed<'_>) -> Result<(), LaneError> {
        let table = self.weights.get(op.table.0);
        let out = self.buffers.get_mut(op.out.0);
        assert_eq!(out.width, table.cols, "{}: output width", table.name);
        let rows = op.tokens.len();
        self.pool.run_chunks(
            &mut out.values[..rows * table.cols],
            table.cols,
            Self::grain(rows),
            |_, row, out| {
                table.read_row(op.tokens[row] as usize, out);
            },
        );
        Ok(())
    }

    fn rms_norm(&mut self, op: RmsNorm) -> Result<(), LaneError> {
        let weight = self.weights.get(op.weight.0).vector();
        let (isa, eps, rows) = (self.isa, op.eps, op.rows);
        let norm = |row: &mut [f32]| {
            assert!(row.len().is_multiple_of(weight.len()), "groups of a norm fill its row");
            for x in row.chunks_exact_mut(weight.len()) {
                rows::rms_norm(isa, &mut rows::Norm { x, weight, eps });
            }
        };
        if op.x == op.out {
            let out = self.buffers.get_mut(op.out.0);
            let width = out.width;
            self.pool
                .run_chunks(&mut out.values[..rows * width], width, Self::grain(rows), |_, _, out| norm(out));
        } else {
            let (x, out) = self.buffers.pair_mut(op.x.0, op.out.0);
            let (width, x) = (out.width, &x.values);
            self.pool.run_chunks(&mut out.values[..rows * width], width, Self::grain(rows), |_, row, out| {
                out.copy_from_slice(&x[row * width..(row + 1) * width]);
                norm(out);
            });
        }
        Ok(())
    }

    fn project(&mut self, op: Project<'_>) -> Result<(), LaneError> {
        for outputs in op.outputs.chunks(MAX_MATRICES) {
            self.multiply(&Input::Buffer(op.x), op.rows, op.activation, outputs);
        }
        Ok(())
    }

    fn logits(&mut self, op: Logits<'_>) -> Result<HeadWork, LaneError> {
        let x = self.buffers.get(op.x.0);
        self.gathered.clear();
        for &row in op.rows {
            self.gathered.extend_from_slice(&x.values[row * x.width..(row + 1) * x.width]);
        }
        // One row that wants everything makes the whole pass necessary, and that serves the others too.
        let needs_all = (0..op.rows.len()).any(|row| op.wanted(row) == Wanted::All);
        if !needs_all && self.screens.contains_key(&op.weight) {
            return Ok(self.screened_logits(&op));
        }
        self.multiply(&Input::Gathered, op.rows.len(), Activation::Float, &[head_output(op.weight, op.out)]);
        Ok(HeadWork { bytes: self.weights.get(op.weight.0).bytes() as u64, ..HeadWork::default() })
    }

    fn rope(&mut self, op: Rope<'_>) -> Result<(), LaneError> {
        let table = self.ropes.get(op.table.0);
        let x = self.buffers.get_mut(op.x.0);
        assert_eq!(x.width, op.n_heads * op.head_dim, "heads fill their buffer");
        let (isa, width, rows) = (self.isa, x.width, op.rows.len());
        self.pool.run_chunks(&mut x.values[..rows * width], width, Self::grain(rows), |_, row, x| {
            table.rotate(isa, op.rows[row].position as usize, op.head_dim, x);
        });
        Ok(())
    }

    fn kv_append(&mut self, op: KvAppend<'_>) -> Result<(), LaneError> {
        let arena = self.arenas.get_mut(op.kv.0);
        let (k, v) = (self.buffers.get(op.k.0), self.buffers.get(op.v.0));
        arena.append(self.isa, &self.pool, op.layer, op.rows, &k.values, &v.values);
        Ok(())
    }

    fn attend(&mut self, op: Attend<'_>) -> Result<(), LaneError> {
        let arena = self.arenas.get(op.kv.0);
        let (q, out) = self.buffers.pair_mut(op.q.0, op.out.0);
        let group = op.n_heads / arena.shape().n_kv_heads;
        assert_eq!(out.width, op.n_heads * arena.shape().head_dim, "query heads fill their buffer");
        let attention =
            attend::Attention { isa: self.isa, arena, layer: op.layer, q: &q.values, rows: op.rows, group };
        attention.run(&self.pool, &mut self.attention, &mut out.values);
        Ok(())
    }

    fn gate_mul(&mut self, op: GateMul) -> Result<(), LaneError> {
        let silu = op.function == Gate::Silu;
        let (isa, rows) = (self.isa, op.rows);
        if op.gate != op.out {
            let (gate, out) = self.buffers.pair_mut(op.gate.0, op.out.0);
            let n = rows * out.width;
            out.values[..n].copy_from_slice(&gate.values[..n]);
        }
        let (out, up) = self.buffers.pair_mut(op.out.0, op.up.0);
        let (width, up) = (out.width, &up.values);
        self.pool.run_chunks(&mut out.values[..rows * width], width, Self::grain(rows), |_, row, gate| {
            let up = &up[row * width..(row + 1) * width];
            rows::gate_mul(isa, &mut rows::Gated { gate, up, silu });
        });
        Ok(())
    }
}
