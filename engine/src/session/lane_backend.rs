//! The product's backend: model files over `arch` and a lane.

use std::sync::Arc;

use super::backend::{Backend, LoadProgress, Opened, Opener, ResidentFacts, ScratchBytes, Vocabulary};
use super::{LoadFailure, LoadOptions};
use crate::arch::{Batch, Head, Loading, Resident, ResidentError, ResidentOptions};
use crate::lane::{self, KvShape, Lane, LaneChoice, LaneError, LaneInfo};
use crate::model::{self, Config, ModelFile, TensorView};
use crate::telemetry::Telemetry;
use crate::tokenizer::{ChatTemplate, Message, Specials, Tokenizer};

/// A lane and the counters of its phases.
pub(super) struct LaneBackend {
    lane: Box<dyn Lane>,
    head: Head,
    telemetry: Arc<Telemetry>,
}

impl LaneBackend {
    pub(super) fn open(
        choice: LaneChoice,
        threads: usize,
        head: Head,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, LaneError> {
        Ok(Self { lane: lane::open(choice, threads)?, head, telemetry })
    }
}

/// Bytes a lane needs for a tensor: lanes may unpack ternary weights to two bits, all else stays near its size in the file.
fn upload_bytes(tensor: &TensorView<'_>) -> u64 {
    let stored = tensor.data.len() as u64 + tensor.scales.len() as u64;
    if !tensor.ty.is_ternary() {
        return stored;
    }
    let (rows, cols) = (tensor.rows as u64, tensor.cols as u64);
    let scales = rows * cols.div_ceil(tensor.scale_block().max(1) as u64) * 4;
    stored.max(rows * cols.div_ceil(4) + scales)
}

/// The buffers of `arch::Resident`: residual, normed input, q, k, v, attention output, gate and up, and the rotary table.
fn scratch_bytes(config: &Config) -> ScratchBytes {
    let q_width = config.n_heads * config.head_dim;
    let kv_width = config.n_kv_heads * config.head_dim;
    let floats = |n: usize| n as u64 * size_of::<f32>() as u64;
    ScratchBytes {
        fixed: floats(config.rope.dims) * config.context_length as u64,
        row: floats(2 * config.hidden + 2 * q_width + 2 * kv_width + 2 * config.ffn),
        logit_row: floats(config.vocab),
    }
}

fn packing(file: &ModelFile) -> String {
    // The type that holds most of the weights of the blocks names the packing.
    let mut totals: Vec<(&str, usize)> = Vec::new();
    for tensor in file.tensors().filter(|t| t.rows > 1 && t.name.starts_with("blk.")) {
        let name = tensor.ty.name();
        let elements = tensor.rows.saturating_mul(tensor.cols);
        match totals.iter_mut().find(|(n, _)| *n == name) {
            Some((_, total)) => *total = total.saturating_add(elements),
            None => totals.push((name, elements)),
        }
    }
    totals.into_iter().max_by_key(|(_, n)| *n).map_or("none", |(name, _)| name).to_owned()
}

fn open(options: &LoadOptions, head: Head) -> Result<Opened<ModelFile>, LoadFailure> {
    let failure = |e: &dyn std::fmt::Display| LoadFailure::told(format!("{}: {e}", options.path.display()));
    let file = model::open(&options.path)?;
    let data = file.tokenizer();
    let tokenizer = Tokenizer::new(data).map_err(|e| failure(&e))?;
    let template = ChatTemplate::for_model(data).map_err(|e| failure(&e))?;
    let config = file.config();
    if tokenizer.vocab() > config.vocab {
        return Err(LoadFailure::told(format!(
            "{}: the tokenizer has {} ids, but the model's vocabulary holds {}; the file is inconsistent",
            options.path.display(),
            tokenizer.vocab(),
            config.vocab
        )));
    }
    Ok(Opened {
        vocabulary: Arc::new(ModelVocabulary { size: config.vocab, tokenizer, template }),
        name: config.name.clone(),
        packing: packing(&file),
        context_length: config.context_length,
        weight_bytes: file.tensors().map(|t| upload_bytes(&t)).sum::<u64>()
            + Resident::head_copy_bytes(&file, head),
        kv_shape: KvShape {
            n_layers: config.n_layers,
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            n_pages: 0,
            dtype: options.kv_dtype,
        },
        scratch_bytes: scratch_bytes(config),
        file,
    })
}

struct ModelVocabulary {
    /// Rows of the LM head, which may exceed the tokenizer's ids by padding.
    size: usize,
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

impl Vocabulary for ModelVocabulary {
    fn size(&self) -> usize {
        self.size
    }

    fn encode(&self, text: &str, specials: Specials, add_bos: bool) -> Result<Vec<u32>, String> {
        self.tokenizer.encode(text, specials, add_bos).map_err(|e| e.to_string())
    }

    fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        self.tokenizer.encode_chat(&self.template, messages, true).map_err(|e| e.to_string())
    }

    fn encode_continuation(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        self.tokenizer.encode_continuation(&self.template, messages).map_err(|e| e.to_string())
    }

    fn token_bytes(&self, id: u32) -> &[u8] {
        self.tokenizer.token_bytes(id)
    }

    fn ends_generation(&self, id: u32) -> bool {
        self.tokenizer.ends_generation(id)
    }

    fn is_control(&self, id: u32) -> bool {
        self.tokenizer.is_control(id)
    }
}

fn failure(file: &ModelFile, error: ResidentError) -> LoadFailure {
    match error {
        // These name the file themselves.
        ResidentError::File(error) => error.into(),
        error => LoadFailure::told(format!("{}: {error}", file.path().display())),
    }
}

impl Backend for LaneBackend {
    type File = ModelFile;
    type Loading = (ModelFile, Loading);
    type Model = Resident;

    fn info(&self) -> LaneInfo {
        self.lane.info().clone()
    }

    fn opener(&self) -> Opener<ModelFile> {
        let head = self.head;
        Arc::new(move |options: &LoadOptions| open(options, head))
    }

    fn begin_load(
        &mut self,
        file: ModelFile,
        options: ResidentOptions,
    ) -> Result<(ModelFile, Loading), LoadFailure> {
        let loading = Loading::begin(&file, options).map_err(|e| failure(&file, e))?;
        Ok((file, loading))
    }

    fn load_part(&mut self, (file, loading): &mut (ModelFile, Loading)) -> Result<LoadProgress, LoadFailure> {
        let more = loading.part(file, self.lane.as_mut()).map_err(|e| failure(file, e))?;
        let (done_bytes, total_bytes) = loading.progress();
        Ok(LoadProgress { done_bytes, total_bytes, is_whole: !more })
    }

    fn finish_load(
        &mut self,
        (file, loading): (ModelFile, Loading),
    ) -> Result<(Resident, ResidentFacts), LoadFailure> {
        let resident = loading.finish(&file, self.lane.as_mut()).map_err(|e| failure(&file, e))?;
        let facts = ResidentFacts {
            weight_bytes: resident.weight_bytes() as u64,
            bytes_per_token: resident.bytes_per_token() as u64,
        };
        Ok((resident, facts))
    }

    fn cancel_load(&mut self, (_, loading): (ModelFile, Loading)) {
        loading.cancel(self.lane.as_mut());
    }

    fn unload(&mut self, model: Resident) {
        model.unload(self.lane.as_mut());
    }

    fn forward<'b>(&'b mut self, model: &mut Resident, batch: &Batch<'_>) -> Result<&'b [f32], LaneError> {
        model.forward(self.lane.as_mut(), batch, &self.telemetry)
    }
}
