//! Weights on their way into the lane, in slices between the steps of running generations, one model after another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::backend::{Backend, LoadProgress, ResidentFacts, Vocabulary};
use super::super::board::Entry;
use super::super::{LoadEvent, LoadFailure, panic_text};
use super::load::{Pending, Plan, too_large};
use super::{Farewell, Model, SLOTS_PER_RUNNING, Scheduler};
use crate::kv::Slots;

/// An upload takes this part of the time that the steps before it took: running generations keep two thirds of their speed.
const SLICE_DIVISOR: u32 = 2;
/// How long the engine uploads before it looks at its commands, when nothing runs.
const IDLE_SLICE: Duration = Duration::from_millis(20);
/// Progress events per load, so that many small parts do not flood its reader.
const PROGRESS_STEPS: u64 = 200;

/// A model that is being uploaded.
pub(super) struct Upload<L> {
    pub(super) pending: Pending,
    pub(super) plan: Plan,
    pub(super) loading: L,
    pub(super) about: About,
    /// What the last progress event said.
    pub(super) reported_bytes: u64,
}

/// What the file says about a model.
pub(super) struct About {
    pub(super) name: String,
    pub(super) packing: String,
    pub(super) vocabulary: Arc<dyn Vocabulary>,
    pub(super) n_layers: usize,
}

impl<L> Upload<L> {
    fn report(&mut self, progress: LoadProgress) {
        let LoadProgress { done_bytes, total_bytes, is_whole } = progress;
        // A part that is done again is not news.
        let news = done_bytes.saturating_sub(self.reported_bytes);
        if news > total_bytes / PROGRESS_STEPS || (is_whole && news > 0) {
            self.reported_bytes = done_bytes;
            self.pending.outbox.send(LoadEvent::Progress { done_bytes, total_bytes });
        }
    }
}

impl<B: Backend> Scheduler<B> {
    /// Uploads for a while, given how long the steps before took; nothing when nothing ran.
    pub(super) fn upload(&mut self, stepped: Option<Duration>) {
        self.end_cancelled_uploads();
        let slice = stepped.map_or(IDLE_SLICE, |stepped| stepped / SLICE_DIVISOR);
        let start = Instant::now();
        while !self.uploads.is_empty() && !self.board.stopping.load(Ordering::SeqCst) {
            self.upload_part();
            if start.elapsed() >= slice {
                break;
            }
        }
    }

    /// One part of the oldest upload, which leaves the list when that was the last one.
    fn upload_part(&mut self) {
        let upload = &mut self.uploads[0];
        let backend = &mut self.backend;
        let part = catch_unwind(AssertUnwindSafe(|| backend.load_part(&mut upload.loading)));
        let part = part.unwrap_or_else(|panic| {
            let panic = panic_text(panic.as_ref());
            Err(LoadFailure::told(format!(
                "{}: internal error: {panic}",
                upload.pending.options.path.display()
            )))
        });
        match part {
            Ok(progress) => {
                upload.report(progress);
                if progress.is_whole {
                    let upload = self.uploads.remove(0);
                    self.finish_upload(upload);
                }
            }
            Err(failure) => self.end_upload(0, failure),
        }
    }

    fn finish_upload(&mut self, upload: Upload<B::Loading>) {
        let Upload { pending, plan, loading, about, .. } = upload;
        let path = &pending.options.path;
        let backend = &mut self.backend;
        let finished = catch_unwind(AssertUnwindSafe(|| backend.finish_load(loading)));
        let finished = finished.unwrap_or_else(|panic| {
            let panic = panic_text(panic.as_ref());
            Err(LoadFailure::told(format!("{}: internal error: {panic}", path.display())))
        });
        let event = match finished.and_then(|model| self.within_budget(&pending, plan, model)) {
            Ok((resident, facts)) => {
                let model = self.make_model(&pending, plan, about, resident, facts);
                let status = model.status();
                self.models.push(model);
                LoadEvent::Loaded(status)
            }
            Err(failure) => LoadEvent::Failed(failure),
        };
        self.farewells.push(Farewell::Load(pending.outbox, event));
    }

    /// Frees a model that turned out larger than was estimated and does not fit.
    fn within_budget(
        &mut self,
        pending: &Pending,
        plan: Plan,
        (resident, facts): (B::Model, ResidentFacts),
    ) -> Result<(B::Model, ResidentFacts), LoadFailure> {
        let available = self.available_bytes();
        let used = Plan { weight_bytes: facts.weight_bytes, ..plan }.bytes();
        if used > available {
            self.backend.unload(resident);
            return Err(too_large(&pending.options.path, used, available));
        }
        Ok((resident, facts))
    }

    fn make_model(
        &self,
        pending: &Pending,
        plan: Plan,
        about: About,
        resident: B::Model,
        facts: ResidentFacts,
    ) -> Model<B::Model> {
        let id = pending.options.id.clone();
        let residency = pending.load;
        let vocab = about.vocabulary.size();
        let entry = Entry { residency, vocabulary: about.vocabulary, context: plan.context };
        self.board.add_entry(&id, entry);
        Model {
            id,
            residency,
            path: pending.options.path.clone(),
            name: about.name,
            packing: about.packing,
            context: plan.context,
            vocab,
            n_layers: about.n_layers,
            weight_bytes: facts.weight_bytes,
            bytes_per_token: facts.bytes_per_token,
            scratch_bytes: plan.scratch_bytes,
            page_bytes: plan.page_bytes,
            resident,
            slots: Slots::new(self.options.max_running * SLOTS_PER_RUNNING, plan.kv_pages),
            tasks: Vec::new(),
            turn: 0,
        }
    }

    fn end_cancelled_uploads(&mut self) {
        let mut i = 0;
        while i < self.uploads.len() {
            if self.uploads[i].pending.cancel.load(Ordering::SeqCst) {
                let text =
                    format!("{}: the load was cancelled", self.uploads[i].pending.options.path.display());
                self.end_upload(i, LoadFailure::told(text));
            } else {
                i += 1;
            }
        }
    }

    /// Ends an upload before it is whole, and frees what it has in the lane.
    pub(super) fn end_upload(&mut self, index: usize, failure: LoadFailure) {
        let upload = self.uploads.remove(index);
        self.backend.cancel_load(upload.loading);
        self.farewells.push(Farewell::Load(upload.pending.outbox, LoadEvent::Failed(failure)));
    }
}
