//! One step of one model: a batch through the backend, then each task takes its logits. A panic or an error below ends the
//! tasks of this model and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::backend::Backend;
use super::super::{GenerateError, panic_text};
use super::batch::{Part, plan};
use super::generation::Ending;
use super::{Farewell, Model, Scheduler, Task};
use crate::arch::Batch;
use crate::kv::Slots;
use crate::lane::{Row, Wanted};
use crate::telemetry::{Phase, Telemetry};

/// The arrays of a [`Batch`], without the pages, which stay with the slots.
#[derive(Default)]
struct Columns {
    tokens: Vec<u32>,
    logit_rows: Vec<usize>,
    wanted: Vec<Wanted>,
}

impl<B: Backend> Scheduler<B> {
    /// Runs one batch of a model, if any of its tasks wants one.
    pub(super) fn step(&mut self, model: usize) {
        let model = &mut self.models[model];
        let parts = plan(&model.tasks, self.options.prefill_chunk, model.turn);
        model.turn = model.turn.wrapping_add(1);
        if parts.is_empty() {
            return;
        }
        let columns = columns(&model.tasks, &parts);
        let rows = rows(&model.tasks, &model.slots, &parts);
        let batch = Batch {
            tokens: &columns.tokens,
            rows: &rows,
            logit_rows: &columns.logit_rows,
            wanted: &columns.wanted,
        };
        let result = guarded_forward(&mut self.backend, &mut model.resident, &batch);
        let error = match result {
            Ok(logits) => {
                take_logits(model, &parts, &columns, logits, &self.board.telemetry, &mut self.farewells);
                return;
            }
            Err(error) => error,
        };
        // K and V of this model may be half written, so nothing of them is used again.
        model.slots.empty_all();
        for task in model.tasks.drain(..) {
            self.farewells.push(task.end(Ending::Failed(error.clone())));
        }
    }
}

/// Runs a batch; a panic below becomes an error.
fn guarded_forward<'b, B: Backend>(
    backend: &'b mut B,
    resident: &mut B::Model,
    batch: &Batch<'_>,
) -> Result<&'b [f32], GenerateError> {
    let run = (backend, resident);
    let result = catch_unwind(AssertUnwindSafe(move || {
        let (backend, resident) = { run };
        backend.forward(resident, batch)
    }));
    match result {
        Ok(Ok(logits)) => Ok(logits),
        Ok(Err(error)) => Err(GenerateError::Lane(error.to_string())),
        Err(panic) => Err(GenerateError::Panicked(panic_text(panic.as_ref()))),
    }
}

fn columns(tasks: &[Task], parts: &[Part]) -> Columns {
    let mut columns = Columns::default();
    for part in parts {
        columns.tokens.extend_from_slice(tasks[part.task].next_tokens(part.count));
        let end = columns.tokens.len();
        columns.logit_rows.extend(end - part.logits..end);
        let wanted = match &tasks[part.task] {
            Task::Generate(task) => task.wanted(),
            Task::Score(_) => Wanted::All,
        };
        columns.wanted.extend(std::iter::repeat_n(wanted, part.logits));
    }
    columns
}

fn rows<'s>(tasks: &[Task], slots: &'s Slots, parts: &[Part]) -> Vec<Row<'s>> {
    let mut rows = Vec::new();
    for part in parts {
        let task = &tasks[part.task];
        let pages = slots.slot(task.slot()).pages();
        rows.extend((task.position()..task.position() + part.count).map(|position| Row {
            pages,
            position: u32::try_from(position).expect("a context is shorter than 2^32"),
        }));
    }
    rows
}

/// Gives every task its rows of `logits` and ends those that are done.
fn take_logits<M>(
    model: &mut Model<M>,
    parts: &[Part],
    columns: &Columns,
    logits: &[f32],
    telemetry: &Telemetry,
    farewells: &mut Vec<Farewell>,
) {
    let vocab = model.vocab;
    let mut scratch = Vec::new();
    let (mut token_at, mut row_at) = (0, 0);
    let mut endings: Vec<(usize, Ending)> = Vec::new();
    for part in parts {
        let tokens = &columns.tokens[token_at..token_at + part.count];
        let rows = logits.get(row_at * vocab..(row_at + part.logits) * vocab).unwrap_or_default();
        token_at += part.count;
        row_at += part.logits;
        let task = &mut model.tasks[part.task];
        let slots = &mut model.slots;
        let ending = catch_unwind(AssertUnwindSafe(|| match task {
            Task::Generate(generating) => {
                slots.extend(generating.slot, tokens);
                generating.advance(tokens.len());
                if part.logits == 0 {
                    return None;
                }
                telemetry.time(Phase::Sampling, 0, || generating.accept(rows, &mut scratch))
            }
            Task::Score(scoring) => {
                if scoring.begins_window() {
                    slots.truncate(scoring.slot, 0);
                }
                slots.extend(scoring.slot, tokens);
                scoring.accept(rows, vocab)
            }
        }))
        .unwrap_or_else(|panic| Some(Ending::Failed(GenerateError::Panicked(panic_text(panic.as_ref())))));
        endings.extend(ending.map(|ending| (part.task, ending)));
    }
    for (index, ending) in endings.into_iter().rev() {
        let task = model.tasks.remove(index);
        match (&task, &ending) {
            (Task::Generate(_), Ending::Done(_)) => model.slots.release(task.slot()),
            // A scoring leaves nothing worth reusing, a failure nothing that can be trusted.
            _ => model.slots.empty(task.slot()),
        }
        farewells.push(task.end(ending));
    }
}

impl Task {
    pub(super) fn slot(&self) -> usize {
        match self {
            Task::Generate(task) => task.slot,
            Task::Score(task) => task.slot,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        match self {
            Task::Generate(task) => task.is_cancelled(),
            Task::Score(task) => task.is_cancelled(),
        }
    }

    fn next_tokens(&self, count: usize) -> &[u32] {
        match self {
            Task::Generate(task) => task.next_tokens(count),
            Task::Score(task) => task.next_tokens(count),
        }
    }

    fn position(&self) -> usize {
        match self {
            Task::Generate(task) => task.position(),
            Task::Score(task) => task.position(),
        }
    }

    pub(super) fn end(self, ending: Ending) -> Farewell {
        match self {
            Task::Generate(task) => {
                let (outbox, event) = task.end(ending);
                Farewell::Generate(outbox, event)
            }
            Task::Score(task) => {
                let (outbox, event) = task.end(ending);
                Farewell::Score(outbox, event)
            }
        }
    }

    pub(super) fn cancelled(self) -> Farewell {
        match self {
            Task::Generate(_) => self.end(Ending::Done(super::super::StopReason::Cancelled)),
            Task::Score(_) => self.end(Ending::Failed(GenerateError::Stopped)),
        }
    }
}
