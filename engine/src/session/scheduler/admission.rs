//! From the queue into slots: in order of arrival, so that callers are served alike. A request that waits for its session or for pages
//! lets requests of other sessions or models pass, never a later one that waits for the same.

use super::super::GenerateError;
use super::super::backend::Backend;
use super::super::intake::{Job, Waiting};
use super::generation::Generating;
use super::scoring::Scoring;
use super::{Scheduler, Task};
use crate::kv::Claim;

enum Verdict {
    /// It runs in this slot of this model.
    Start { model: usize, claim: Claim },
    /// The session's earlier generation still runs; others may pass.
    SessionBusy,
    /// The model has no pages or slots left; what arrived later for it waits as well.
    ModelFull,
    /// Its model was unloaded.
    Gone,
}

impl<B: Backend> Scheduler<B> {
    /// Starts what fits; true when something did.
    pub(super) fn admit(&mut self) -> bool {
        let running = self.running();
        let mut full: Vec<u64> = Vec::new();
        let mut held: Vec<(u64, String)> = Vec::new();
        let mut i = 0;
        while i < self.waiting.len() && self.running() < self.options.max_running {
            let residency = self.waiting[i].residency;
            let session = self.waiting[i].session.clone().map(|name| (residency, name));
            if full.contains(&residency) || session.as_ref().is_some_and(|s| held.contains(s)) {
                i += 1;
                continue;
            }
            match self.claim(i) {
                Verdict::SessionBusy => {
                    held.extend(session);
                    i += 1;
                }
                Verdict::ModelFull => {
                    full.push(residency);
                    i += 1;
                }
                Verdict::Gone => {
                    let waiting = self.waiting.remove(i).expect("`i` is below the queue's length");
                    self.farewells.push(waiting.failed(GenerateError::Stopped));
                }
                Verdict::Start { model, claim } => {
                    let waiting = self.waiting.remove(i).expect("`i` is below the queue's length");
                    self.start(model, claim, waiting);
                }
            }
        }
        self.running() > running
    }

    fn claim(&mut self, waiting: usize) -> Verdict {
        let waiting = &self.waiting[waiting];
        let Some(index) = self.models.iter().position(|m| m.residency == waiting.residency) else {
            return Verdict::Gone;
        };
        let slots = &mut self.models[index].slots;
        let session = waiting.session.as_deref();
        if session.is_some_and(|name| slots.session_is_busy(name)) {
            return Verdict::SessionBusy;
        }
        match slots.claim(&waiting.prompt, waiting.positions, session) {
            Some(claim) => Verdict::Start { model: index, claim },
            None => Verdict::ModelFull,
        }
    }

    fn start(&mut self, model: usize, claim: Claim, waiting: Waiting) {
        let lane = self.board.status().lane;
        let task = match waiting.job {
            Job::Generate(job) => {
                let generating = Generating::start(*job, waiting.prompt, waiting.cancel, claim, lane);
                Task::Generate(Box::new(generating))
            }
            Job::Score(job) => Task::Score(Box::new(Scoring::start(job, waiting.cancel, claim.slot))),
        };
        self.models[model].tasks.push(task);
    }
}
