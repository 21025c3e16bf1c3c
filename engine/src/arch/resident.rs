//! A model in a lane: one forward call, and freeing what the lane holds.

use super::graph::Graph;
use super::layer::{Buffers, Layer, Step};
use super::weights::{Tensors, Weight};
use super::{Batch, Head, Loading, ResidentError, ResidentOptions, rope};
use crate::lane::{
    BufId, Embed, KvId, KvShape, Lane, LaneError, Logits, PAGE_POSITIONS, RopeId, Row, WeightId,
};
use crate::model::{Config, ModelFile, TensorType, inspect};
use crate::telemetry::{Phase, Telemetry};

/// A model resident in a lane: uploaded weights, activation buffers, KV arena. It must end with [`Resident::unload`] on the
/// same lane; dropping it leaks what the lane holds.
pub struct Resident {
    config: Config,
    options: ResidentOptions,
    model: Model,
    buffers: Buffers,
    logits: BufId,
    rope: RopeId,
    kv: KvId,
    held: Held,
}

/// Weights as a graph.
pub(super) struct Model {
    graph: Graph,
    embedding: Weight,
    layers: Vec<Layer>,
    output_norm: Weight,
    /// Its bytes are those of a pass for the largest logits.
    head: Weight,
    rope_divisors: Option<Vec<f32>>,
}

/// Everything a lane holds for one model.
#[derive(Default)]
pub(super) struct Held {
    pub(super) weights: Vec<WeightId>,
    weight_bytes: usize,
    buffers: Vec<BufId>,
    buffer_bytes: usize,
    ropes: Vec<RopeId>,
    arenas: Vec<KvId>,
}

impl Held {
    fn alloc(&mut self, lane: &mut dyn Lane, rows: usize, width: usize) -> Result<BufId, LaneError> {
        let buf = lane.alloc(rows, width)?;
        self.buffers.push(buf);
        self.buffer_bytes += rows * width * size_of::<f32>();
        Ok(buf)
    }

    pub(super) fn free(self, lane: &mut dyn Lane) {
        lane.free_weights(&self.weights);
        lane.free_bufs(&self.buffers);
        self.ropes.into_iter().for_each(|rope| lane.free_rope(rope));
        self.arenas.into_iter().for_each(|kv| lane.kv_close(kv));
    }
}

impl Buffers {
    /// Stands for the buffers while tensors are only checked.
    pub(super) const NONE: Buffers = {
        let none = BufId(u32::MAX);
        Buffers {
            residual: none,
            normed: none,
            q: none,
            k: none,
            v: none,
            attended: none,
            gate: none,
            up: none,
        }
    };

    fn alloc(lane: &mut dyn Lane, held: &mut Held, config: &Config, rows: usize) -> Result<Self, LaneError> {
        let q_width = config.n_heads * config.head_dim;
        let kv_width = config.n_kv_heads * config.head_dim;
        let mut alloc = |width| held.alloc(lane, rows, width);
        Ok(Buffers {
            residual: alloc(config.hidden)?,
            normed: alloc(config.hidden)?,
            q: alloc(q_width)?,
            k: alloc(kv_width)?,
            v: alloc(kv_width)?,
            attended: alloc(q_width)?,
            gate: alloc(config.ffn)?,
            up: alloc(config.ffn)?,
        })
    }
}

impl Model {
    /// One run over the tensors, see [`super::weights`].
    pub(super) fn load(
        tensors: &mut Tensors<'_, '_>,
        config: &Config,
        buffers: &Buffers,
        head: Head,
    ) -> Result<Self, ResidentError> {
        let graph = Graph::of(config.family);
        let embedding = tensors.matrix("token_embd.weight", config.vocab, config.hidden)?;
        let layers = (0..config.n_layers)
            .map(|index| Layer::load(tensors, config, graph, index, buffers))
            .collect::<Result<_, _>>()?;
        Ok(Model {
            graph,
            embedding,
            layers,
            output_norm: tensors.vector("output_norm.weight", config.hidden)?,
            head: match (graph.own_head && !config.tied_head, head) {
                (true, Head::FourBit) => {
                    tensors.four_bit_matrix("output.weight", config.vocab, config.hidden)?
                }
                (true, _) => tensors.matrix("output.weight", config.vocab, config.hidden)?,
                (false, Head::FourBit) => {
                    let head = tensors.four_bit_copy("token_embd.weight", config.vocab, config.hidden)?;
                    head.unwrap_or(embedding)
                }
                (false, _) => embedding,
            },
            rope_divisors: match graph.rope_factors {
                true => tensors.positive_values("rope_freqs.weight", config.rope.dims / 2)?,
                false => None,
            },
        })
    }
}

impl Resident {
    /// Loads `file` in one go, see [`Loading`]. `progress(bytes_done, bytes_total)` is called after each part; when it returns
    /// `false` the load ends with [`ResidentError::Cancelled`]. On error everything uploaded is freed.
    ///
    /// # Errors
    /// A missing, unused or misshapen tensor, a cut file, not enough memory, cancelled.
    pub fn load(
        file: &ModelFile,
        lane: &mut dyn Lane,
        options: ResidentOptions,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self, ResidentError> {
        let mut loading = Loading::begin(file, options)?;
        loop {
            let failure = match loading.part(file, lane) {
                Ok(false) => return loading.finish(file, lane),
                Ok(true) => {
                    let (done_bytes, total_bytes) = loading.progress();
                    (!progress(done_bytes, total_bytes)).then_some(ResidentError::Cancelled)
                }
                Err(error) => Some(error),
            };
            if let Some(failure) = failure {
                loading.cancel(lane);
                return Err(failure);
            }
        }
    }

    /// Builds the graph from uploaded weights and reserves everything else; `screen_bytes` are those of a coarse copy of the head.
    /// What is reserved is written down in `held`, which the caller frees after an error and else gives to [`Self::holding`].
    pub(super) fn build(
        file: &ModelFile,
        options: ResidentOptions,
        held: &mut Held,
        screen_bytes: usize,
        lane: &mut dyn Lane,
    ) -> Result<Self, ResidentError> {
        let config = file.config().clone();
        let buffers = Buffers::alloc(lane, held, &config, options.max_rows)?;
        let logits = held.alloc(lane, options.max_logit_rows, config.vocab)?;
        let mut tensors = Tensors::build(file, lane, &held.weights);
        let mut model = Model::load(&mut tensors, &config, &buffers, options.head)?;
        held.weight_bytes = held.weights.iter().map(|&weight| lane.weight_bytes(weight)).sum();
        if screen_bytes > 0 {
            held.weight_bytes += screen_bytes;
            model.head.bytes = screen_bytes as u64;
        }
        let table = rope::table(&config.rope, model.rope_divisors.as_deref(), positions(&config, &options));
        let rope = lane.rope_table(&table)?;
        held.ropes.push(rope);
        let kv = lane.kv_open(kv_shape(&config, &options))?;
        held.arenas.push(kv);
        Ok(Resident { config, options, model, buffers, logits, rope, kv, held: Held::default() })
    }

    /// The same with what it holds.
    pub(super) fn holding(self, held: Held) -> Self {
        Self { held, ..self }
    }

    /// Bytes of the second form in which a lane may keep the LM head of `file`, estimated without uploading anything.
    pub fn head_copy_bytes(file: &ModelFile, head: Head) -> u64 {
        match head {
            Head::Screened => inspect::head_copy_bytes(file),
            Head::Exact => 0,
            Head::FourBit => {
                TensorType::Q4_0.data_bytes(file.config().vocab, file.config().hidden).unwrap_or(0) as u64
            }
        }
    }

    /// Frees everything in the lane.
    pub fn unload(self, lane: &mut dyn Lane) {
        self.held.free(lane);
    }

    /// Runs one batch and returns logits `[logit_rows.len(), vocab]`.
    ///
    /// # Errors
    /// An id outside the vocabulary, device loss.
    ///
    /// # Panics
    /// When the batch is larger than the model was loaded for, or a row lacks pages for its position.
    pub fn forward<'l>(
        &mut self,
        lane: &'l mut dyn Lane,
        batch: &Batch<'_>,
        telemetry: &Telemetry,
    ) -> Result<&'l [f32], LaneError> {
        self.check(batch)?;
        let model = &self.model;
        let out = self.buffers.residual;
        lane.embed(Embed { table: model.embedding.id, tokens: batch.tokens, out })?;
        let mut step = Step {
            lane: &mut *lane,
            telemetry,
            config: &self.config,
            graph: model.graph,
            buffers: self.buffers,
            rope: self.rope,
            kv: self.kv,
            rows: batch.rows,
            kv_read_bytes: self.kv_read_bytes(batch.rows),
        };
        for (index, layer) in model.layers.iter().enumerate() {
            layer.forward(index, &mut step)?;
        }
        if !batch.logit_rows.is_empty() {
            step.norm(model.output_norm, self.buffers.residual, self.buffers.normed)?;
            let (x, weight) = (self.buffers.normed, model.head.id);
            let op = Logits { x, rows: batch.logit_rows, wanted: batch.wanted, weight, out: self.logits };
            let work = telemetry.time(Phase::LmHead, 0, || step.lane.logits(op))?;
            telemetry.add_head(&work);
        }
        Ok(lane.read(self.logits, batch.logit_rows.len()))
    }

    /// Asserts what the caller must guarantee; ids come from outside, so a bad one is an error.
    fn check(&self, batch: &Batch<'_>) -> Result<(), LaneError> {
        assert_eq!(batch.tokens.len(), batch.rows.len(), "one row for each token");
        assert!(batch.rows.len() <= self.options.max_rows, "batch larger than max_rows");
        assert!(batch.logit_rows.len() <= self.options.max_logit_rows, "more logits than max_logit_rows");
        assert!(batch.logit_rows.iter().all(|&row| row < batch.rows.len()), "logits of a row in the batch");
        for row in batch.rows {
            let position = row.position as usize;
            assert!(
                position < positions(&self.config, &self.options),
                "position {position} beyond the context"
            );
            assert!(position / PAGE_POSITIONS < row.pages.len(), "no page for position {position}");
        }
        match batch.tokens.iter().find(|&&token| token as usize >= self.config.vocab) {
            None => Ok(()),
            Some(token) => Err(LaneError::Tensor {
                tensor: "token_embd.weight".to_owned(),
                expected: format!("ids below {}", self.config.vocab),
                found: token.to_string(),
            }),
        }
    }

    /// KV bytes that attention of one layer reads.
    fn kv_read_bytes(&self, rows: &[Row<'_>]) -> u64 {
        let per_position = (self.kv_shape().bytes_per_position() / self.config.n_layers) as u64;
        rows.iter().map(|row| (u64::from(row.position) + 1) * per_position).sum()
    }

    /// Configuration of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Shape of the KV arena.
    pub fn kv_shape(&self) -> KvShape {
        kv_shape(&self.config, &self.options)
    }

    /// Weight bytes read for one decoded token (linears, norms, LM head); of a screened head the coarse copy, to which comes
    /// what is computed again.
    pub fn bytes_per_token(&self) -> usize {
        let layers: u64 = self.model.layers.iter().map(Layer::bytes).sum();
        usize::try_from(layers + self.model.output_norm.bytes + self.model.head.bytes)
            .expect("weights in memory have sizes that fit usize")
    }

    /// Bytes of weights held in the lane.
    pub fn weight_bytes(&self) -> usize {
        self.held.weight_bytes
    }

    /// Bytes of activation buffers and logits held in the lane.
    pub fn buffer_bytes(&self) -> usize {
        self.held.buffer_bytes
    }

    /// L2 norm of the cached K vectors of `layer` at an offset of a page, over all heads.
    pub fn key_norm(&self, lane: &dyn Lane, layer: usize, page: u32, offset: usize) -> f32 {
        lane.kv_key_norm(self.kv, layer, page, offset)
    }
}

/// Positions that a sequence can reach: the context of the file, or fewer when the cache is smaller.
fn positions(config: &Config, options: &ResidentOptions) -> usize {
    config.context_length.min(options.kv_pages.saturating_mul(PAGE_POSITIONS))
}

fn kv_shape(config: &Config, options: &ResidentOptions) -> KvShape {
    KvShape {
        n_layers: config.n_layers,
        n_kv_heads: config.n_kv_heads,
        head_dim: config.head_dim,
        n_pages: options.kv_pages,
        dtype: options.kv_dtype,
    }
}
