//! Which tokens of which task run in the next step of a model.

use super::share::shares;
use super::{SCORE_ROWS, Task};

/// Tokens of one task in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Index of the task.
    pub(super) task: usize,
    /// Tokens, from the task's first one that is not stored.
    pub(super) count: usize,
    /// Rows of it that want logits: none, the last one, or all.
    pub(super) logits: usize,
}

/// Every task that wants a single token (all that decode) gets it; the others share `prefill_chunk` tokens.
pub(super) fn plan(tasks: &[Task], prefill_chunk: usize, turn: usize) -> Vec<Part> {
    let mut score_rows = SCORE_ROWS;
    let wants: Vec<usize> = tasks
        .iter()
        .map(|task| match task {
            Task::Generate(g) if g.wants() == 1 => 0,
            Task::Generate(g) => g.wants(),
            Task::Score(s) => {
                // Scorings want logits for every row, and that buffer is bounded over all of them.
                let want = s.wants().min(score_rows);
                score_rows -= want;
                want
            }
        })
        .collect();
    let given = shares(&wants, prefill_chunk, turn);
    let part = |(task, prefill): (usize, usize)| match &tasks[task] {
        Task::Generate(g) => {
            let count = if g.wants() == 1 { 1 } else { prefill };
            Part { task, count, logits: usize::from(count == g.wants()) }
        }
        Task::Score(_) => Part { task, count: prefill, logits: prefill },
    };
    given.into_iter().enumerate().map(part).filter(|p| p.count > 0).collect()
}
