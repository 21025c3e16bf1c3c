//! One model in one lane with one sequence: ids in, logits out.

use std::path::Path;

use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, Lane, LaneChoice, PAGE_POSITIONS, Row};
use onebit_engine::model;
use onebit_engine::telemetry::Telemetry;

/// A resident model and the pages of its one sequence.
pub struct Sequence {
    lane: Box<dyn Lane>,
    resident: Resident,
    telemetry: Telemetry,
    pages: Vec<u32>,
}

impl Sequence {
    /// Loads `path` with room for `positions` tokens, at most `max_rows` of them in one call. KV in f16.
    pub fn open(path: &Path, choice: LaneChoice, positions: usize, max_rows: usize) -> Self {
        let file = model::open(path).unwrap_or_else(|err| panic!("{err}"));
        let mut lane = lane::open(choice, 2).expect("the lane opens");
        let kv_pages = positions.div_ceil(PAGE_POSITIONS);
        let options = ResidentOptions {
            kv_dtype: KvDtype::F16,
            kv_pages,
            max_rows,
            max_logit_rows: max_rows,
            head: Head::default(),
        };
        let resident = Resident::load(&file, lane.as_mut(), options, &mut |_, _| true)
            .unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let pages = (0..u32::try_from(kv_pages).expect("few pages")).collect();
        Self { lane, resident, telemetry: Telemetry::default(), pages }
    }

    /// Runs `tokens` at positions `from..`, in one call, and returns logits `[tokens.len(), vocab]`.
    pub fn feed(&mut self, from: usize, tokens: &[u32]) -> &[f32] {
        let rows: Vec<Row<'_>> = (from..from + tokens.len())
            .map(|at| Row { pages: &self.pages, position: u32::try_from(at).expect("small positions") })
            .collect();
        let logit_rows: Vec<usize> = (0..tokens.len()).collect();
        let batch = Batch { tokens, rows: &rows, logit_rows: &logit_rows, wanted: &[] };
        self.resident.forward(self.lane.as_mut(), &batch, &self.telemetry).expect("the lane works")
    }
}
