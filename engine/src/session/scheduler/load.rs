//! Loading and unloading: files are opened on a thread of their own, counted against the memory budget, then uploaded here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::backend::{Backend, Opened};
use super::super::board::Entry;
use super::super::engine::spawn;
use super::super::outbox::Outbox;
use super::super::{GenerateError, LoadEvent, LoadFailure, LoadOptions, panic_text};
use super::generation::Ending;
use super::{Command, Farewell, Model, SCORE_ROWS, Scheduler};
use crate::arch::ResidentOptions;
use crate::kv::Slots;
use crate::lane::{KvShape, PAGE_POSITIONS};

/// Context when neither the caller nor the file asks for less.
const DEFAULT_CONTEXT: usize = 4096;
/// Slots per generation that may run: the others keep conversations cached while their users think.
const SLOTS_PER_RUNNING: usize = 4;
/// Progress events per load, so that a file of many small tensors does not flood its reader.
const PROGRESS_STEPS: u64 = 200;

/// A load whose file is being opened.
pub(super) struct Pending {
    load: u64,
    options: LoadOptions,
    outbox: Outbox<LoadEvent>,
    cancel: Arc<AtomicBool>,
}

/// How the budget is spent on one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    context: usize,
    kv_pages: usize,
    page_bytes: u64,
    scratch_bytes: u64,
}

impl<B: Backend> Scheduler<B> {
    pub(super) fn begin_load(
        &mut self,
        options: LoadOptions,
        outbox: Outbox<LoadEvent>,
        cancel: Arc<AtomicBool>,
    ) {
        let taken = self.models.iter().any(|m| m.id == options.id)
            || self.loads.iter().any(|l| l.options.id == options.id);
        if taken {
            let text = format!("a model is loaded as {} already; unload it first", options.id);
            self.farewells.push(Farewell::Load(outbox, LoadEvent::Failed(LoadFailure(text))));
            return;
        }
        self.next_residency += 1;
        let load = self.next_residency;
        let (opener, commands, path) = (self.backend.opener(), self.own_commands.clone(), options.clone());
        let thread = spawn("engine-load", move || {
            let result = catch_unwind(AssertUnwindSafe(|| opener(&path))).unwrap_or_else(|panic| {
                let panic = panic_text(panic.as_ref());
                Err(LoadFailure(format!("{}: internal error: {panic}", path.path.display())))
            });
            // An engine that stopped has told the reader.
            let _ = commands.send(Command::Opened { load, result });
        });
        match thread {
            Ok(_) => self.loads.push(Pending { load, options, outbox, cancel }),
            Err(error) => {
                let failure = LoadFailure(format!("{}: {error}", options.path.display()));
                self.farewells.push(Farewell::Load(outbox, LoadEvent::Failed(failure)));
            }
        }
    }

    pub(super) fn finish_load(&mut self, load: u64, result: Result<Opened<B::File>, LoadFailure>) {
        // A load that was unloaded meanwhile is not in the list any more.
        let Some(index) = self.loads.iter().position(|l| l.load == load) else { return };
        let pending = self.loads.swap_remove(index);
        let loaded = result.and_then(|opened| self.make_resident(&pending, opened));
        let event = match loaded {
            Ok(model) => {
                let status = model.status();
                self.models.push(model);
                LoadEvent::Loaded(status)
            }
            Err(failure) => LoadEvent::Failed(failure),
        };
        self.farewells.push(Farewell::Load(pending.outbox, event));
    }

    fn make_resident(
        &mut self,
        pending: &Pending,
        opened: Opened<B::File>,
    ) -> Result<Model<B::Model>, LoadFailure> {
        let path = &pending.options.path;
        let available = self.board.status().memory_budget_bytes.saturating_sub(self.memory_used_bytes());
        let plan = self.plan(&pending.options, &opened, available)?;
        let options = ResidentOptions {
            kv_dtype: pending.options.kv_dtype,
            kv_pages: plan.kv_pages,
            max_rows: self.max_rows(),
            max_logit_rows: self.max_logit_rows(),
            head: self.options.head,
        };
        let board = Arc::clone(&self.board);
        let mut reported = 0;
        let mut progress = |done_bytes: u64, total_bytes: u64| {
            if done_bytes - reported.min(done_bytes) > total_bytes / PROGRESS_STEPS
                || done_bytes == total_bytes
            {
                reported = done_bytes;
                pending.outbox.send(LoadEvent::Progress { done_bytes, total_bytes });
            }
            !pending.cancel.load(Ordering::SeqCst) && !board.stopping.load(Ordering::SeqCst)
        };
        if !progress(0, opened.weight_bytes) {
            return Err(LoadFailure(format!("{}: the load was cancelled", path.display())));
        }
        let (file, backend) = (opened.file, &mut self.backend);
        let (resident, facts) = catch_unwind(AssertUnwindSafe(|| backend.load(file, options, &mut progress)))
            .unwrap_or_else(|panic| {
                let panic = panic_text(panic.as_ref());
                Err(LoadFailure(format!("{}: internal error: {panic}", path.display())))
            })?;
        let used = facts.weight_bytes + plan.scratch_bytes + plan.kv_pages as u64 * plan.page_bytes;
        if used > available {
            self.backend.unload(resident);
            return Err(too_large(path, used, available));
        }
        let residency = pending.load;
        let vocab = opened.vocabulary.size();
        self.board.add_entry(
            &pending.options.id,
            Entry { residency, vocabulary: opened.vocabulary, context: plan.context },
        );
        Ok(Model {
            id: pending.options.id.clone(),
            residency,
            path: path.clone(),
            name: opened.name,
            packing: opened.packing,
            context: plan.context,
            vocab,
            n_layers: opened.kv_shape.n_layers,
            weight_bytes: facts.weight_bytes,
            bytes_per_token: facts.bytes_per_token,
            scratch_bytes: plan.scratch_bytes,
            page_bytes: plan.page_bytes,
            resident,
            slots: Slots::new(self.options.max_running * SLOTS_PER_RUNNING, plan.kv_pages),
            tasks: Vec::new(),
            turn: 0,
        })
    }

    fn max_rows(&self) -> usize {
        self.options.max_running + self.options.prefill_chunk
    }

    fn max_logit_rows(&self) -> usize {
        self.options.max_running + SCORE_ROWS
    }

    /// Decides context and KV pages, or refuses before anything is uploaded.
    ///
    /// KV gets what all generations together can fill, but at most half of what the weights leave, so that another model still
    /// fits; one full context is the least.
    fn plan(
        &self,
        options: &LoadOptions,
        opened: &Opened<B::File>,
        available: u64,
    ) -> Result<Plan, LoadFailure> {
        let context = context(options, opened.context_length)?;
        let page_bytes = KvShape { n_pages: 1, ..opened.kv_shape }.page_bytes() as u64;
        let scratch = &opened.scratch_bytes;
        let scratch_bytes = scratch.fixed
            + self.max_rows() as u64 * scratch.row
            + self.max_logit_rows() as u64 * scratch.logit_row;
        let least_pages = context.div_ceil(PAGE_POSITIONS);
        let least = opened.weight_bytes + scratch_bytes + least_pages as u64 * page_bytes;
        if least > available {
            return Err(too_large(&options.path, least, available));
        }
        let left = available - opened.weight_bytes - scratch_bytes;
        let half = usize::try_from(left / 2 / page_bytes.max(1)).unwrap_or(usize::MAX);
        let wanted = least_pages.saturating_mul(self.options.max_running);
        Ok(Plan { context, kv_pages: wanted.min(half).max(least_pages), page_bytes, scratch_bytes })
    }

    pub(super) fn unload(&mut self, id: &str) {
        self.board.remove_entry(id);
        if let Some(index) = self.loads.iter().position(|l| l.options.id == id) {
            let pending = self.loads.swap_remove(index);
            let failure =
                LoadFailure(format!("{}: unloaded before it was loaded", pending.options.path.display()));
            self.farewells.push(Farewell::Load(pending.outbox, LoadEvent::Failed(failure)));
        }
        let Some(index) = self.models.iter().position(|m| m.id == id) else { return };
        let model = self.models.remove(index);
        for task in model.tasks {
            self.farewells.push(task.end(Ending::Failed(GenerateError::Stopped)));
        }
        // Its queued requests are told when they are looked at next, see `admit`.
        self.backend.unload(model.resident);
    }
}

fn context(options: &LoadOptions, file_allows: usize) -> Result<usize, LoadFailure> {
    match options.context {
        0 => Ok(file_allows.min(DEFAULT_CONTEXT)),
        asked if asked <= file_allows => Ok(asked),
        asked => Err(LoadFailure(format!(
            "{}: a context of {asked} tokens was asked for, but this model allows at most {file_allows}",
            options.path.display()
        ))),
    }
}

fn too_large(path: &Path, needed: u64, available: u64) -> LoadFailure {
    LoadFailure(format!(
        "{}: this model needs {needed} bytes of memory with its context, but {available} bytes are available; unload \
         another model, ask for a shorter context, or choose a smaller model",
        path.display()
    ))
}
