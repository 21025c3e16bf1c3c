//! Placeholder.
#![allow(unused_variables, reason = "skeleton")]
use super::*;
/// Lane.
pub struct CpuLane {}
impl CpuLane {
    /// Opens.
    ///
    /// # Errors
    /// Threads.
    pub fn open(threads: usize) -> Result<Self, LaneError> {
        todo!()
    }
}
impl Lane for CpuLane {
    fn info(&self) -> &LaneInfo {
        todo!()
    }
    fn upload(&mut self, tensor: &TensorView<'_>) -> Result<WeightId, LaneError> {
        todo!()
    }
    fn weight_bytes(&self, weight: WeightId) -> usize {
        todo!()
    }
    fn free_weights(&mut self, weights: &[WeightId]) {
        todo!()
    }
    fn alloc(&mut self, rows: usize, width: usize) -> Result<BufId, LaneError> {
        todo!()
    }
    fn free_bufs(&mut self, bufs: &[BufId]) {
        todo!()
    }
    fn read(&self, buf: BufId, rows: usize) -> &[f32] {
        todo!()
    }
    fn write(&mut self, buf: BufId, values: &[f32]) {
        todo!()
    }
    fn rope_table(&mut self, table: &RopeTable) -> Result<RopeId, LaneError> {
        todo!()
    }
    fn free_rope(&mut self, table: RopeId) {
        todo!()
    }
    fn kv_open(&mut self, shape: KvShape) -> Result<KvId, LaneError> {
        todo!()
    }
    fn kv_close(&mut self, kv: KvId) {
        todo!()
    }
    fn kv_key_norm(&self, kv: KvId, layer: usize, page: u32, offset: usize) -> f32 {
        todo!()
    }
    fn embed(&mut self, op: Embed<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn rms_norm(&mut self, op: RmsNorm) -> Result<(), LaneError> {
        todo!()
    }
    fn project(&mut self, op: Project<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn logits(&mut self, op: Logits<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn rope(&mut self, op: Rope<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn kv_append(&mut self, op: KvAppend<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn attend(&mut self, op: Attend<'_>) -> Result<(), LaneError> {
        todo!()
    }
    fn gate_mul(&mut self, op: GateMul) -> Result<(), LaneError> {
        todo!()
    }
}
