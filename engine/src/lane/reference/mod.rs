//! The lane every other lane is tested against: scalar, single-threaded, sums in f64, no unsafe. It keeps weights packed as
//! they came and unpacks a row whenever it is needed. It never changes for speed.

mod kv;
mod linear;

use super::activation::store_output;
use super::memory::{copied, zeroed};
use super::slots::Slots;
use super::{
    Attend, BufId, Embed, Form, Gate, GateMul, HeadWork, KvAppend, KvId, KvShape, Lane, LaneError, LaneInfo,
    Logits, Project, RmsNorm, Rope, RopeId, RopeTable, WeightId,
};
use crate::model::{RopePairing, TensorType, TensorView};
use crate::quant::legacy;
use kv::Arena;

/// A weight with its own copy of the packed bytes.
struct Weight {
    name: String,
    ty: TensorType,
    rows: usize,
    cols: usize,
    data: Vec<u8>,
    scales: Vec<u8>,
}

impl Weight {
    fn view(&self) -> TensorView<'_> {
        TensorView {
            name: &self.name,
            ty: self.ty,
            rows: self.rows,
            cols: self.cols,
            data: &self.data,
            scales: &self.scales,
        }
    }

    fn row(&self, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.cols];
        self.view().dequantize_row(row, &mut values);
        values
    }
}

/// The rows of a tensor as Q4_0.
fn four_bit(tensor: &TensorView<'_>) -> Result<Vec<u8>, LaneError> {
    let bytes = TensorType::Q4_0.data_bytes(tensor.rows, tensor.cols).unwrap_or(usize::MAX);
    let mut data = Vec::new();
    data.try_reserve_exact(bytes)
        .map_err(|_| LaneError::OutOfMemory { what: format!("{} at 4 bits", tensor.name), bytes })?;
    let mut row = vec![0.0; tensor.cols];
    for index in 0..tensor.rows {
        tensor.dequantize_row(index, &mut row);
        legacy::pack_q4_0(&row, &mut data);
    }
    Ok(data)
}

/// `[rows, width]`.
struct Buffer {
    width: usize,
    values: Vec<f32>,
}

impl Buffer {
    fn rows(&self, rows: usize) -> &[f32] {
        &self.values[..rows * self.width]
    }

    fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.width..(row + 1) * self.width]
    }
}

/// See the module documentation.
pub struct ReferenceLane {
    info: LaneInfo,
    weights: Slots<Weight>,
    buffers: Slots<Buffer>,
    ropes: Slots<RopeTable>,
    arenas: Slots<Arena>,
}

impl Default for ReferenceLane {
    fn default() -> Self {
        Self::new()
    }
}

impl ReferenceLane {
    /// An empty lane.
    pub fn new() -> Self {
        ReferenceLane {
            info: LaneInfo { name: "reference", threads: 1, notice: None },
            weights: Slots::new("weight"),
            buffers: Slots::new("buffer"),
            ropes: Slots::new("rotary table"),
            arenas: Slots::new("KV arena"),
        }
    }

    /// Number of things alive, to show that everything was freed.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.weights.len() + self.buffers.len() + self.ropes.len() + self.arenas.len()
    }

    /// Copy of the rows in use, so that an operation may overwrite its own input.
    fn input(&self, buf: BufId, rows: usize) -> Vec<f32> {
        self.buffers.get(buf.0).rows(rows).to_vec()
    }

    /// `out[r] = W x[r]` for every output, over the rows that `x` holds.
    fn apply(&mut self, x: &[f32], activation: super::Activation, output: &super::Output) {
        let weight = self.weights.get(output.weight.0);
        let out = self.buffers.get_mut(output.out.0);
        assert_eq!(out.width, weight.rows, "{}: output width", weight.name);
        linear::multiply(weight, x, activation, |row, m, y| {
            store_output(&mut out.values[row * out.width + m], y, output.scale, output.accumulate);
        });
    }
}

impl Lane for ReferenceLane {
    fn info(&self) -> &LaneInfo {
        &self.info
    }

    fn begin_upload(&mut self, tensor: &TensorView<'_>, form: Form) -> Result<WeightId, LaneError> {
        let TensorView { ty, rows, cols, .. } = *tensor;
        let ty = if form == Form::FourBit { TensorType::Q4_0 } else { ty };
        // The bytes come with the first rows.
        let weight =
            Weight { name: tensor.name.to_owned(), ty, rows, cols, data: Vec::new(), scales: Vec::new() };
        Ok(WeightId(self.weights.insert(weight)))
    }

    fn upload_rows(
        &mut self,
        weight: WeightId,
        tensor: &TensorView<'_>,
        _rows: usize,
    ) -> Result<usize, LaneError> {
        if tensor.has_unused_codes(0..tensor.rows) {
            return Err(LaneError::UnusedCode { tensor: tensor.name.to_owned() });
        }
        let weight = self.weights.get_mut(weight.0);
        weight.data = match weight.ty == tensor.ty {
            true => copied(tensor.data, tensor.name)?,
            false => four_bit(tensor)?,
        };
        weight.scales = copied(tensor.scales, tensor.name)?;
        Ok(0)
    }

    fn weight_bytes(&self, weight: WeightId) -> usize {
        let weight = self.weights.get(weight.0);
        weight.data.len() + weight.scales.len()
    }

    fn free_weights(&mut self, weights: &[WeightId]) {
        for weight in weights {
            self.weights.remove(weight.0);
        }
    }

    fn alloc(&mut self, rows: usize, width: usize) -> Result<BufId, LaneError> {
        let values = zeroed(rows.saturating_mul(width), "activation buffer")?;
        Ok(BufId(self.buffers.insert(Buffer { width, values })))
    }

    fn free_bufs(&mut self, bufs: &[BufId]) {
        for buf in bufs {
            self.buffers.remove(buf.0);
        }
    }

    fn read(&self, buf: BufId, rows: usize) -> &[f32] {
        self.buffers.get(buf.0).rows(rows)
    }

    fn write(&mut self, buf: BufId, values: &[f32]) {
        self.buffers.get_mut(buf.0).values[..values.len()].copy_from_slice(values);
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<RopeId, LaneError> {
        Ok(RopeId(self.ropes.insert(table.clone())))
    }

    fn free_rope(&mut self, table: RopeId) {
        self.ropes.remove(table.0);
    }

    fn kv_open(&mut self, shape: KvShape) -> Result<KvId, LaneError> {
        Ok(KvId(self.arenas.insert(Arena::new(shape)?)))
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
        for (row, &token) in op.tokens.iter().enumerate() {
            table.view().dequantize_row(token as usize, out.row_mut(row));
        }
        Ok(())
    }

    fn rms_norm(&mut self, op: RmsNorm) -> Result<(), LaneError> {
        let x = self.input(op.x, op.rows);
        let weight = self.weights.get(op.weight.0).row(0);
        let out = self.buffers.get_mut(op.out.0);
        assert_eq!(out.width % weight.len(), 0, "groups of a norm fill its row");
        for (x, out) in x.chunks(weight.len()).zip(out.values.chunks_mut(weight.len())) {
            let squares: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let inverse = 1.0 / (squares / x.len() as f64 + f64::from(op.eps)).sqrt();
            for ((out, &x), &w) in out.iter_mut().zip(x).zip(&weight) {
                *out = (f64::from(x) * inverse * f64::from(w)) as f32;
            }
        }
        Ok(())
    }

    fn project(&mut self, op: Project<'_>) -> Result<(), LaneError> {
        let x = self.input(op.x, op.rows);
        for output in op.outputs {
            self.apply(&x, op.activation, output);
        }
        Ok(())
    }

    fn logits(&mut self, op: Logits<'_>) -> Result<HeadWork, LaneError> {
        let buffer = self.buffers.get(op.x.0);
        let x: Vec<f32> = op
            .rows
            .iter()
            .flat_map(|&row| &buffer.values[row * buffer.width..(row + 1) * buffer.width])
            .copied()
            .collect();
        let output = super::Output { weight: op.weight, out: op.out, scale: 1.0, accumulate: false };
        self.apply(&x, super::Activation::Float, &output);
        Ok(HeadWork { bytes: self.weight_bytes(op.weight) as u64, ..HeadWork::default() })
    }

    fn rope(&mut self, op: Rope<'_>) -> Result<(), LaneError> {
        let table = self.ropes.get(op.table.0);
        let buffer = self.buffers.get_mut(op.x.0);
        assert_eq!(buffer.width, op.n_heads * op.head_dim, "heads fill their buffer");
        let pairs = table.inv_freq.len();
        let magnitude = f64::from(table.magnitude);
        for (row, at) in op.rows.iter().enumerate() {
            for head in buffer.row_mut(row).chunks_mut(op.head_dim) {
                for (i, &inv_freq) in table.inv_freq.iter().enumerate() {
                    let (a, b) = match table.pairing {
                        RopePairing::Interleaved => (2 * i, 2 * i + 1),
                        RopePairing::SplitHalf => (i, i + pairs),
                    };
                    let (sin, cos) = (f64::from(at.position) * inv_freq).sin_cos();
                    let (x, y) = (f64::from(head[a]), f64::from(head[b]));
                    head[a] = (magnitude * (x * cos - y * sin)) as f32;
                    head[b] = (magnitude * (x * sin + y * cos)) as f32;
                }
            }
        }
        Ok(())
    }

    fn kv_append(&mut self, op: KvAppend<'_>) -> Result<(), LaneError> {
        let arena = self.arenas.get_mut(op.kv.0);
        let (k, v) = (self.buffers.get(op.k.0), self.buffers.get(op.v.0));
        for (row, at) in op.rows.iter().enumerate() {
            let values = row * k.width..(row + 1) * k.width;
            arena.store(op.layer, at, &k.values[values.clone()], &v.values[values]);
        }
        Ok(())
    }

    fn attend(&mut self, op: Attend<'_>) -> Result<(), LaneError> {
        let q = self.input(op.q, op.rows.len());
        let arena = self.arenas.get(op.kv.0);
        let out = self.buffers.get_mut(op.out.0);
        let head_dim = arena.shape().head_dim;
        assert_eq!(out.width, op.n_heads * head_dim, "query heads fill their buffer");
        let group = op.n_heads / arena.shape().n_kv_heads;
        for (row, at) in op.rows.iter().enumerate() {
            for head in 0..op.n_heads {
                let start = row * out.width + head * head_dim;
                let span = start..start + head_dim;
                arena.attend(op.layer, at, head / group, &q[span.clone()], &mut out.values[span]);
            }
        }
        Ok(())
    }

    fn gate_mul(&mut self, op: GateMul) -> Result<(), LaneError> {
        let gate = self.input(op.gate, op.rows);
        let up = self.input(op.up, op.rows);
        let out = self.buffers.get_mut(op.out.0);
        for ((out, &gate), &up) in out.values.iter_mut().zip(&gate).zip(&up) {
            let g = f64::from(gate);
            let f = match op.function {
                Gate::Silu => g / (1.0 + (-g).exp()),
                // Not `g.max(0.0)`: that would turn NaN into zero.
                Gate::SquaredRelu => {
                    if g < 0.0 {
                        0.0
                    } else {
                        g * g
                    }
                }
            };
            *out = (f * f64::from(up)) as f32;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
