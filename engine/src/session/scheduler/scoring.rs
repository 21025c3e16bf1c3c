//! One running perplexity computation: windows of ids, each run from an empty slot, all logits wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::intake::ScoreJob;
use super::super::outbox::Outbox;
use super::super::{GenerateError, ScoreEvent};
use super::generation::Ending;

/// See the module documentation.
pub(super) struct Scoring {
    outbox: Outbox<ScoreEvent>,
    cancel: Arc<AtomicBool>,
    pub(super) slot: usize,
    /// Ids of all windows.
    ids: Vec<u32>,
    /// First id that is not in a window yet.
    next_id: usize,
    bos: Option<u32>,
    context: usize,
    /// The current window; its last token is only a target.
    window: Vec<u32>,
    stored: usize,
    scored: usize,
    nll_sum: f64,
}

/// Natural log of the sum of exponentials, in f64.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    max + logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum::<f64>().ln()
}

/// Last event of a cancelled scoring, which nobody reads.
pub(super) fn cancelled() -> ScoreEvent {
    ScoreEvent::Failed(GenerateError::Stopped)
}

impl Scoring {
    pub(super) fn start(job: ScoreJob, cancel: Arc<AtomicBool>, slot: usize) -> Self {
        let mut this = Self {
            outbox: job.outbox,
            cancel,
            slot,
            ids: job.tokens,
            next_id: 0,
            bos: job.bos,
            context: job.context,
            window: Vec::new(),
            stored: 0,
            scored: 0,
            nll_sum: 0.0,
        };
        this.next_window();
        this
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// Moves to the next window with something to score; false when there is none.
    fn next_window(&mut self) -> bool {
        self.window.clear();
        self.stored = 0;
        self.window.extend(self.bos);
        let room = self.context - self.window.len();
        let end = self.ids.len().min(self.next_id + room);
        self.window.extend_from_slice(&self.ids[self.next_id..end]);
        let more = end > self.next_id && self.window.len() > 1;
        self.next_id = end;
        more
    }

    /// Tokens of this window that are still to run.
    pub(super) fn wants(&self) -> usize {
        self.window.len() - 1 - self.stored
    }

    pub(super) fn next_tokens(&self, count: usize) -> &[u32] {
        &self.window[self.stored..self.stored + count]
    }

    pub(super) fn position(&self) -> usize {
        self.stored
    }

    /// Whether the window that was just finished leaves an empty slot to begin the next one.
    pub(super) fn begins_window(&self) -> bool {
        self.stored == 0
    }

    /// Takes logits `[count, vocab]` of the next `count` tokens. `Some` when that was all, or it cannot go on.
    pub(super) fn accept(&mut self, logits: &[f32], vocab: usize) -> Option<Ending> {
        for row in logits.chunks_exact(vocab) {
            let target = self.window[self.stored + 1] as usize;
            let nll = log_sum_exp(row) - f64::from(row[target]);
            if !nll.is_finite() {
                return Some(Ending::Failed(GenerateError::NotFinite { position: self.stored }));
            }
            self.nll_sum += nll;
            self.scored += 1;
            self.stored += 1;
        }
        if self.wants() == 0 && !self.next_window() {
            return Some(Ending::Done(super::super::StopReason::EndOfText));
        }
        self.outbox.send(ScoreEvent::Progress { scored: self.scored, nll_sum: self.nll_sum });
        None
    }

    pub(super) fn end(self, ending: Ending) -> (Outbox<ScoreEvent>, ScoreEvent) {
        let event = match ending {
            Ending::Done(_) => ScoreEvent::Done { scored: self.scored, nll_sum: self.nll_sum },
            Ending::Failed(error) => ScoreEvent::Failed(error),
        };
        (self.outbox, event)
    }
}
