//! Loading and unloading: files are opened on a thread of their own and counted against the memory budget here; `upload` does
//! the rest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::backend::{Backend, Opened};
use super::super::engine::spawn;
use super::super::outbox::Outbox;
use super::super::{GenerateError, LoadEvent, LoadFailure, LoadOptions, panic_text};
use super::generation::Ending;
use super::upload::{About, Upload};
use super::{Command, Farewell, SCORE_ROWS, Scheduler};
use crate::arch::ResidentOptions;
use crate::lane::{KvShape, PAGE_POSITIONS};

/// Context when neither the caller nor the file asks for less.
const DEFAULT_CONTEXT: usize = 4096;

/// Who wants what, of a load that has not ended.
pub(super) struct Pending {
    pub(super) load: u64,
    pub(super) options: LoadOptions,
    pub(super) outbox: Outbox<LoadEvent>,
    pub(super) cancel: Arc<AtomicBool>,
}

/// How the budget is spent on one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) context: usize,
    pub(super) kv_pages: usize,
    pub(super) page_bytes: u64,
    pub(super) scratch_bytes: u64,
    /// Estimated from the file.
    pub(super) weight_bytes: u64,
}

impl Plan {
    /// All of it.
    pub(super) fn bytes(&self) -> u64 {
        self.weight_bytes + self.scratch_bytes + self.kv_pages as u64 * self.page_bytes
    }
}

impl<B: Backend> Scheduler<B> {
    pub(super) fn begin_load(
        &mut self,
        options: LoadOptions,
        outbox: Outbox<LoadEvent>,
        cancel: Arc<AtomicBool>,
    ) {
        let taken = self.models.iter().any(|m| m.id == options.id)
            || self.loads.iter().any(|l| l.options.id == options.id)
            || self.uploads.iter().any(|u| u.pending.options.id == options.id);
        if taken {
            let text = format!("a model is loaded as {} already; unload it first", options.id);
            self.farewells.push(Farewell::Load(outbox, LoadEvent::Failed(LoadFailure::told(text))));
            return;
        }
        self.next_residency += 1;
        let load = self.next_residency;
        let (opener, commands, path) = (self.backend.opener(), self.own_commands.clone(), options.clone());
        let thread = spawn("engine-load", move || {
            let result = catch_unwind(AssertUnwindSafe(|| opener(&path))).unwrap_or_else(|panic| {
                let panic = panic_text(panic.as_ref());
                Err(LoadFailure::told(format!("{}: internal error: {panic}", path.path.display())))
            });
            // An engine that stopped has told the reader.
            let _ = commands.send(Command::Opened { load, result });
        });
        match thread {
            Ok(_) => self.loads.push(Pending { load, options, outbox, cancel }),
            Err(error) => {
                let failure = LoadFailure::told(format!("{}: {error}", options.path.display()));
                self.farewells.push(Farewell::Load(outbox, LoadEvent::Failed(failure)));
            }
        }
    }

    /// Takes a file that was opened and begins its upload.
    pub(super) fn take_opened(&mut self, load: u64, result: Result<Opened<B::File>, LoadFailure>) {
        // A load that was unloaded meanwhile is not in the list any more.
        let Some(index) = self.loads.iter().position(|l| l.load == load) else { return };
        let pending = self.loads.swap_remove(index);
        match result.and_then(|opened| self.begin_upload(&pending, opened)) {
            Ok((plan, loading, about)) => {
                self.uploads.push(Upload { pending, plan, loading, about, reported_bytes: 0 });
            }
            Err(failure) => {
                self.farewells.push(Farewell::Load(pending.outbox, LoadEvent::Failed(failure)));
            }
        }
    }

    fn begin_upload(
        &mut self,
        pending: &Pending,
        opened: Opened<B::File>,
    ) -> Result<(Plan, B::Loading, About), LoadFailure> {
        let plan = self.plan(&pending.options, &opened, self.available_bytes())?;
        let options = ResidentOptions {
            kv_dtype: pending.options.kv_dtype,
            kv_pages: plan.kv_pages,
            max_rows: self.max_rows(),
            max_logit_rows: self.max_logit_rows(),
            head: self.options.head,
        };
        let about = About {
            name: opened.name,
            packing: opened.packing,
            vocabulary: opened.vocabulary,
            n_layers: opened.kv_shape.n_layers,
        };
        Ok((plan, self.backend.begin_load(opened.file, options)?, about))
    }

    /// What models and uploads leave of the budget.
    pub(super) fn available_bytes(&self) -> u64 {
        self.board.status().memory_budget_bytes.saturating_sub(self.memory_used_bytes())
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
        let kv_pages = wanted.min(half).max(least_pages);
        Ok(Plan { context, kv_pages, page_bytes, scratch_bytes, weight_bytes: opened.weight_bytes })
    }

    pub(super) fn unload(&mut self, id: &str) {
        self.board.remove_entry(id);
        let failure = |options: &LoadOptions| {
            LoadFailure::told(format!("{}: unloaded before it was loaded", options.path.display()))
        };
        if let Some(index) = self.loads.iter().position(|l| l.options.id == id) {
            let pending = self.loads.swap_remove(index);
            let failure = failure(&pending.options);
            self.farewells.push(Farewell::Load(pending.outbox, LoadEvent::Failed(failure)));
        }
        if let Some(index) = self.uploads.iter().position(|u| u.pending.options.id == id) {
            let failure = failure(&self.uploads[index].pending.options);
            self.end_upload(index, failure);
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
        asked => Err(LoadFailure::told(format!(
            "{}: a context of {asked} tokens was asked for, but this model allows at most {file_allows}",
            options.path.display()
        ))),
    }
}

pub(super) fn too_large(path: &Path, needed: u64, available: u64) -> LoadFailure {
    LoadFailure::told(format!(
        "{}: this model needs {needed} bytes of memory with its context, but {available} bytes are available; unload \
         another model, ask for a shorter context, or choose a smaller model",
        path.display()
    ))
}
