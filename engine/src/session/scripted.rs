//! A backend without arithmetic, for tests of the scheduler and of front ends: logits are a function of the tokens that the
//! KV pages hold, so that a page given to the wrong conversation changes the answer. Text is bytes: ids 0 to 255.
//!
//! A script may also panic, fail, or wait at a step. Nothing in the product uses this module.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::backend::{Backend, LoadProgress, Opened, Opener, ResidentFacts, ScratchBytes, Vocabulary};
use super::{LoadFailure, LoadOptions};
use crate::arch::{Batch, ResidentOptions};
use crate::lane::{KvShape, LaneError, LaneInfo, PAGE_POSITIONS};
use crate::tokenizer::{Message, Specials};

/// Ids of the scripted vocabulary.
pub const VOCAB: usize = 260;
/// Ends an answer.
pub const END: u32 = 256;
/// Begins a text.
pub const BOS: u32 = 257;
/// Stands between the prompt of a chat and its answer.
pub const ANSWER: u32 = 258;
/// A control token without text.
pub const CONTROL: u32 = 259;

/// What a scripted model does with a history of tokens.
pub type Reply = Arc<dyn Fn(&[u32]) -> Vec<f32> + Send + Sync>;
/// What happens before a step of a model: given the number of the step and its batch as histories.
pub type BeforeStep = Arc<dyn Fn(usize, &[Vec<u32>]) -> Result<(), LaneError> + Send + Sync>;

/// What happens before a part of a load, given its number: an error is the load's failure; it may panic or wait.
pub type BeforePart = Arc<dyn Fn(usize) -> Result<(), String> + Send + Sync>;

/// How scripted models behave. All models of one engine share it; `BeforeStep` may panic, sleep or return an error.
#[derive(Clone)]
pub struct Script {
    /// Logits `[VOCAB]` behind a history.
    pub reply: Reply,
    /// Called before each step.
    pub before_step: BeforeStep,
    /// Context the "file" allows.
    pub context_length: usize,
    /// Bytes the "weights" take.
    pub weight_bytes: u64,
    /// Parts in which a model is loaded; a test may change it while a load is in flight.
    pub load_parts: Arc<AtomicUsize>,
    /// Called before each of them.
    pub before_part: BeforePart,
    /// Loads and models that were begun and not freed.
    pub held: Arc<AtomicUsize>,
}

impl Script {
    /// A model that answers every chat with `text`, and ends.
    pub fn saying(text: &str) -> Self {
        let bytes = text.as_bytes().to_vec();
        Self::replying(move |history| {
            let said = history.iter().rev().take_while(|&&id| id != ANSWER).count();
            only(bytes.get(said).map_or(END, |&b| u32::from(b)))
        })
    }

    /// A model with these logits.
    pub fn replying(reply: impl Fn(&[u32]) -> Vec<f32> + Send + Sync + 'static) -> Self {
        Self {
            reply: Arc::new(reply),
            before_step: Arc::new(|_, _| Ok(())),
            context_length: 4096,
            weight_bytes: 1 << 20,
            load_parts: Arc::new(AtomicUsize::new(16)),
            before_part: Arc::new(|_| Ok(())),
            held: Arc::default(),
        }
    }

    /// The same with something before each step.
    #[must_use]
    pub fn before_step(
        self,
        before_step: impl Fn(usize, &[Vec<u32>]) -> Result<(), LaneError> + Send + Sync + 'static,
    ) -> Self {
        Self { before_step: Arc::new(before_step), ..self }
    }

    /// The backend for [`super::EngineHandle::start_with`].
    pub fn backend(self) -> ScriptedBackend {
        ScriptedBackend { script: self, logits: Vec::new() }
    }
}

/// Logits that leave one choice.
pub fn only(id: u32) -> Vec<f32> {
    let mut logits = vec![-10.0; VOCAB];
    logits[id as usize] = 10.0;
    logits
}

/// See the module documentation.
pub struct ScriptedBackend {
    script: Script,
    logits: Vec<f32>,
}

/// A scripted load.
pub struct ScriptedLoading {
    options: ResidentOptions,
    parts: usize,
}

/// A scripted model: the tokens its pages hold.
pub struct ScriptedModel {
    /// `[kv_pages][PAGE_POSITIONS]`.
    stored: Vec<[u32; PAGE_POSITIONS]>,
    options: ResidentOptions,
    steps: usize,
}

struct Bytes {
    texts: Vec<Vec<u8>>,
}

impl Vocabulary for Bytes {
    fn size(&self) -> usize {
        VOCAB
    }

    fn encode(&self, text: &str, _specials: Specials, _add_bos: bool) -> Result<Vec<u32>, String> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let mut ids = vec![BOS];
        for message in messages {
            ids.extend(message.content.bytes().map(u32::from));
            ids.push(CONTROL);
        }
        ids.push(ANSWER);
        Ok(ids)
    }

    fn encode_continuation(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let (begun, said) = messages.split_last().ok_or("an empty chat")?;
        let mut ids = self.encode_chat(said)?;
        ids.extend(begun.content.bytes().map(u32::from));
        Ok(ids)
    }

    fn token_bytes(&self, id: u32) -> &[u8] {
        self.texts.get(id as usize).map_or(&[], Vec::as_slice)
    }

    fn ends_generation(&self, id: u32) -> bool {
        id == END
    }

    fn is_control(&self, id: u32) -> bool {
        id >= END
    }
}

impl Backend for ScriptedBackend {
    type File = ();
    type Loading = ScriptedLoading;
    type Model = ScriptedModel;

    fn info(&self) -> LaneInfo {
        LaneInfo { name: "scripted", threads: 1, notice: None }
    }

    /// "Files" whose path contains `missing` cannot be opened.
    fn opener(&self) -> Opener<()> {
        let (context_length, weight_bytes) = (self.script.context_length, self.script.weight_bytes);
        Arc::new(move |options: &LoadOptions| {
            if options.path.to_string_lossy().contains("missing") {
                return Err(LoadFailure::told(format!("{}: no such file", options.path.display())));
            }
            Ok(Opened {
                file: (),
                vocabulary: Arc::new(Bytes { texts: (0..=255u8).map(|b| vec![b]).collect() }),
                name: "Scripted".into(),
                packing: "TQ1_0".into(),
                context_length,
                weight_bytes,
                kv_shape: KvShape {
                    n_layers: 1,
                    n_kv_heads: 1,
                    head_dim: 1,
                    n_pages: 0,
                    dtype: options.kv_dtype,
                },
                scratch_bytes: ScratchBytes { fixed: 0, row: 4, logit_row: 4 * VOCAB as u64 },
            })
        })
    }

    fn begin_load(&mut self, (): (), options: ResidentOptions) -> Result<ScriptedLoading, LoadFailure> {
        self.script.held.fetch_add(1, Ordering::SeqCst);
        Ok(ScriptedLoading { options, parts: 0 })
    }

    fn load_part(&mut self, loading: &mut ScriptedLoading) -> Result<LoadProgress, LoadFailure> {
        (self.script.before_part)(loading.parts).map_err(LoadFailure::told)?;
        loading.parts += 1;
        let (done, all) = (loading.parts, self.script.load_parts.load(Ordering::SeqCst));
        let total_bytes = self.script.weight_bytes;
        let done_bytes = total_bytes / all as u64 * done.min(all) as u64;
        Ok(LoadProgress { done_bytes, total_bytes, is_whole: done >= all })
    }

    fn finish_load(
        &mut self,
        loading: ScriptedLoading,
    ) -> Result<(ScriptedModel, ResidentFacts), LoadFailure> {
        let options = loading.options;
        let stored = vec![[u32::MAX; PAGE_POSITIONS]; options.kv_pages];
        let weight_bytes = self.script.weight_bytes;
        let facts = ResidentFacts { weight_bytes, bytes_per_token: weight_bytes };
        Ok((ScriptedModel { stored, options, steps: 0 }, facts))
    }

    fn cancel_load(&mut self, _loading: ScriptedLoading) {
        self.script.held.fetch_sub(1, Ordering::SeqCst);
    }

    fn unload(&mut self, _model: ScriptedModel) {
        self.script.held.fetch_sub(1, Ordering::SeqCst);
    }

    /// # Panics
    /// On a batch that breaks the promises of [`Batch`], or when the script says so.
    fn forward<'b>(
        &'b mut self,
        model: &mut ScriptedModel,
        batch: &Batch<'_>,
    ) -> Result<&'b [f32], LaneError> {
        assert!(batch.rows.len() <= model.options.max_rows, "batch larger than max_rows");
        assert!(batch.logit_rows.len() <= model.options.max_logit_rows, "more logits than max_logit_rows");
        for (&token, row) in batch.tokens.iter().zip(batch.rows) {
            let position = row.position as usize;
            let page = row.pages[position / PAGE_POSITIONS] as usize;
            model.stored[page][position % PAGE_POSITIONS] = token;
        }
        let histories: Vec<Vec<u32>> = batch
            .rows
            .iter()
            .map(|row| {
                let held = row.pages.iter().flat_map(|&page| model.stored[page as usize]);
                held.take(row.position as usize + 1).collect()
            })
            .collect();
        let step = model.steps;
        model.steps += 1;
        (self.script.before_step)(step, &histories)?;
        self.logits.clear();
        for &row in batch.logit_rows {
            self.logits.extend((self.script.reply)(&histories[row]));
        }
        Ok(&self.logits)
    }
}
