//! The engine thread: owns the backend, the resident models and the queue, and runs one batch per model and step.
//!
//! Each turn of [`Scheduler::run`] reads commands, ends what was cancelled, admits what fits, steps every model, and uploads a
//! slice of a model that is being loaded. Last events go out after the status snapshot that shows their effect.

mod admission;
mod batch;
mod generation;
mod load;
mod scoring;
mod share;
mod step;
mod upload;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Instant;

use super::backend::{Backend, Opened};
use super::board::Board;
use super::intake::{Job, Waiting};
use super::outbox::Outbox;
use super::{
    EngineOptions, EngineStatus, Event, LoadEvent, LoadFailure, LoadOptions, ModelStatus, ScoreEvent,
    SlotStatus,
};
use crate::kv::Slots;
use generation::Generating;
use scoring::Scoring;

/// Slots per generation that may run: the others keep conversations cached while their users think.
const SLOTS_PER_RUNNING: usize = 4;
/// Rows per step that a scoring may ask logits for: a bound on the logits buffer.
const SCORE_ROWS: usize = 64;

/// What reaches the engine thread.
pub(super) enum Command<F> {
    Run(Waiting),
    Load {
        options: LoadOptions,
        outbox: Outbox<LoadEvent>,
        cancel: Arc<AtomicBool>,
    },
    /// A loader thread is done with a file.
    Opened {
        load: u64,
        result: Result<Opened<F>, LoadFailure>,
    },
    Unload(String),
    Stop,
}

/// A resident model and everything that runs on it.
struct Model<M> {
    id: String,
    residency: u64,
    path: PathBuf,
    name: String,
    packing: String,
    context: usize,
    vocab: usize,
    n_layers: usize,
    weight_bytes: u64,
    bytes_per_token: u64,
    scratch_bytes: u64,
    page_bytes: u64,
    resident: M,
    slots: Slots,
    tasks: Vec<Task>,
    /// Rotates who gets the odd prompt token of a step.
    turn: usize,
}

/// Something that runs in a slot.
enum Task {
    Generate(Box<Generating>),
    Score(Box<Scoring>),
}

/// The last event of a task, waiting for the status snapshot.
enum Farewell {
    Generate(Outbox<Event>, Event),
    Score(Outbox<ScoreEvent>, ScoreEvent),
    Load(Outbox<LoadEvent>, LoadEvent),
}

impl Farewell {
    fn say(self) {
        match self {
            Farewell::Generate(outbox, event) => outbox.end(event),
            Farewell::Score(outbox, event) => outbox.end(event),
            Farewell::Load(outbox, event) => outbox.end(event),
        }
    }
}

/// See the module documentation.
pub(super) struct Scheduler<B: Backend> {
    backend: B,
    options: EngineOptions,
    commands: Receiver<Command<B::File>>,
    /// Given to loader threads.
    own_commands: Sender<Command<B::File>>,
    board: Arc<Board>,
    models: Vec<Model<B::Model>>,
    waiting: VecDeque<Waiting>,
    /// Loads whose files are being opened.
    loads: Vec<load::Pending>,
    /// Loads whose files are open, oldest first.
    uploads: Vec<upload::Upload<B::Loading>>,
    farewells: Vec<Farewell>,
    next_residency: u64,
}

impl<B: Backend> Scheduler<B> {
    pub(super) fn new(
        backend: B,
        options: EngineOptions,
        commands: Receiver<Command<B::File>>,
        own_commands: Sender<Command<B::File>>,
        board: Arc<Board>,
    ) -> Self {
        let options = EngineOptions {
            max_running: options.max_running.max(1),
            prefill_chunk: options.prefill_chunk.max(1),
            ..options
        };
        Self {
            backend,
            options,
            commands,
            own_commands,
            board,
            models: Vec::new(),
            waiting: VecDeque::new(),
            loads: Vec::new(),
            uploads: Vec::new(),
            farewells: Vec::new(),
            next_residency: 0,
        }
    }

    /// Runs until told to stop. What is queued or running then ends with `Stopped` as it is dropped.
    pub(super) fn run(mut self) {
        while self.read_commands() {
            self.end_cancelled();
            if self.admit() || !self.farewells.is_empty() {
                self.publish_and_say_farewell();
            }
            let start = (self.running() > 0).then(Instant::now);
            for model in 0..self.models.len() {
                self.step(model);
            }
            self.publish_and_say_farewell();
            if !self.uploads.is_empty() {
                self.upload(start.map(|start| start.elapsed()));
                self.publish_and_say_farewell();
            }
        }
        for upload in std::mem::take(&mut self.uploads) {
            self.backend.cancel_load(upload.loading);
        }
        for model in std::mem::take(&mut self.models) {
            self.backend.unload(model.resident);
        }
    }

    /// Handles all commands there are; waits for one when there is nothing else to do. False when the engine is to stop.
    fn read_commands(&mut self) -> bool {
        let has_work = self.running() > 0 || !self.waiting.is_empty() || !self.uploads.is_empty();
        if !has_work {
            let Ok(command) = self.commands.recv() else { return false };
            if !self.handle(command) {
                return false;
            }
        }
        loop {
            if self.board.stopping.load(Ordering::SeqCst) {
                return false;
            }
            let handled = match self.commands.try_recv() {
                Ok(command) => self.handle(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => false,
            };
            if !handled {
                return false;
            }
        }
    }

    fn handle(&mut self, command: Command<B::File>) -> bool {
        match command {
            Command::Run(waiting) => self.waiting.push_back(waiting),
            Command::Load { options, outbox, cancel } => self.begin_load(options, outbox, cancel),
            Command::Opened { load, result } => self.take_opened(load, result),
            Command::Unload(id) => self.unload(&id),
            Command::Stop => return false,
        }
        true
    }

    fn running(&self) -> usize {
        self.models.iter().map(|m| m.tasks.len()).sum()
    }

    /// Ends running and waiting tasks whose caller does not want them any more.
    fn end_cancelled(&mut self) {
        for model in &mut self.models {
            let mut i = 0;
            while i < model.tasks.len() {
                if !model.tasks[i].is_cancelled() {
                    i += 1;
                    continue;
                }
                let task = model.tasks.remove(i);
                // What is stored so far is whole, so it stays cached.
                model.slots.release(task.slot());
                self.farewells.push(task.cancelled());
            }
        }
        let mut i = 0;
        while i < self.waiting.len() {
            if !self.waiting[i].cancel.load(Ordering::SeqCst) {
                i += 1;
                continue;
            }
            let Some(waiting) = self.waiting.remove(i) else { break };
            self.farewells.push(waiting.cancelled());
        }
    }

    fn memory_used_bytes(&self) -> u64 {
        let uploads: u64 = self.uploads.iter().map(|upload| upload.plan.bytes()).sum();
        uploads + self.models.iter().map(Model::memory_bytes).sum::<u64>()
    }

    /// Shows what changed, then tells the callers of what ended, who may look at once.
    fn publish_and_say_farewell(&mut self) {
        self.publish();
        for farewell in self.farewells.drain(..) {
            farewell.say();
        }
    }

    fn publish(&self) {
        let info = self.board.status();
        let running = self.running();
        self.board.publish(EngineStatus {
            lane: info.lane,
            threads: info.threads,
            notice: info.notice.clone(),
            models: self.models.iter().map(Model::status).collect(),
            slots: self.models.iter().flat_map(Model::slot_statuses).collect(),
            running,
            queued: self.waiting.len(),
            memory_budget_bytes: info.memory_budget_bytes,
            memory_used_bytes: self.memory_used_bytes(),
        });
    }
}

impl<M> Model<M> {
    fn memory_bytes(&self) -> u64 {
        self.weight_bytes + self.scratch_bytes + self.kv_reserved_bytes()
    }

    fn kv_reserved_bytes(&self) -> u64 {
        self.slots.pages().total() as u64 * self.page_bytes
    }

    fn status(&self) -> ModelStatus {
        ModelStatus {
            id: self.id.clone(),
            path: self.path.clone(),
            name: self.name.clone(),
            packing: self.packing.clone(),
            context: self.context,
            weight_bytes: self.weight_bytes,
            bytes_per_token: self.bytes_per_token,
            kv_reserved_bytes: self.kv_reserved_bytes(),
            kv_used_bytes: self.slots.filled_pages() as u64 * self.page_bytes,
            n_layers: self.n_layers,
        }
    }

    fn slot_statuses(&self) -> impl Iterator<Item = SlotStatus> {
        self.slots.slots().iter().enumerate().map(|(index, slot)| SlotStatus {
            model: self.id.clone(),
            slot: index,
            positions: slot.tokens().len(),
            kv_bytes: slot.filled_pages() as u64 * self.page_bytes,
            session: slot.session().map(str::to_owned),
            busy: slot.busy(),
        })
    }
}

impl Waiting {
    fn cancelled(self) -> Farewell {
        match self.job {
            Job::Generate(job) => {
                let event = generation::cancelled_in_queue(&job, self.prompt.len());
                Farewell::Generate(job.outbox, event)
            }
            Job::Score(job) => Farewell::Score(job.outbox, scoring::cancelled()),
        }
    }

    fn failed(self, error: super::GenerateError) -> Farewell {
        match self.job {
            Job::Generate(job) => Farewell::Generate(job.outbox, Event::Failed(error)),
            Job::Score(job) => Farewell::Score(job.outbox, ScoreEvent::Failed(error)),
        }
    }
}
