//! A model on its way into a lane, a part at a time: who loads beside running generations gives them the lane between two parts.
//! Everything about the file's shapes is checked before the first part; its codes are checked as they are packed.

use super::layer::Buffers;
use super::resident::{Held, Model};
use super::weights::{Tensors, Wanted, stored_bytes};
use super::{Head, Resident, ResidentError, ResidentOptions};
use crate::lane::{Form, Lane, LaneError, WeightId};
use crate::model::{ModelFile, TensorView, inspect};

/// File bytes of a part: less than a millisecond of packing, far more than what starting it costs.
const PART_BYTES: u64 = 1 << 20;
/// File bytes that the system is asked for at a time, before they are needed.
const AHEAD_BYTES: u64 = 32 << 20;

/// See the module documentation. It must end with [`Loading::finish`] or [`Loading::cancel`] on the lane it was begun with;
/// dropping it leaks what the lane holds.
pub struct Loading {
    options: ResidentOptions,
    /// Every tensor, in the order of upload.
    wanted: Vec<Wanted>,
    held: Held,
    /// Rows of the last weight in `held` that are still to come.
    rows_left: usize,
    /// Bytes of the file that are uploaded: whole tensors, and of the last one.
    done_bytes: u64,
    part_bytes: u64,
    /// Bytes of the last tensor that the system was asked for.
    ahead_bytes: u64,
    total_bytes: u64,
    screen: Screen,
}

/// The coarse copy of the LM head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    /// Nobody asked the lane yet.
    Open,
    Growing {
        head: WeightId,
        bytes: usize,
    },
    /// Bytes of the copy; 0 for none.
    Done {
        bytes: usize,
    },
}

impl Loading {
    /// Checks every shape of `file` against its configuration. Nothing is in the lane after an error.
    ///
    /// # Errors
    /// A missing, unused or misshapen tensor.
    pub fn begin(file: &ModelFile, options: ResidentOptions) -> Result<Self, ResidentError> {
        // Before anything is allocated: until its tensors are seen, a file's numbers may be absurd.
        let mut tensors = Tensors::check(file);
        Model::load(&mut tensors, file.config(), &Buffers::NONE, options.head)?;
        let wanted = tensors.finish_check()?;
        let total_bytes = wanted.iter().map(|wanted| Ok(stored_bytes(&file.tensor(&wanted.name)?)));
        let total_bytes = total_bytes.sum::<Result<u64, ResidentError>>()?;
        Ok(Self {
            options,
            wanted,
            held: Held::default(),
            rows_left: 0,
            done_bytes: 0,
            part_bytes: 0,
            ahead_bytes: 0,
            total_bytes,
            screen: Screen::Open,
        })
    }

    /// Bytes of the file that are in the lane, and all of them. What is done falls back when a lane must keep a tensor in another
    /// way than it thought.
    pub fn progress(&self) -> (u64, u64) {
        (self.done_bytes + self.part_bytes, self.total_bytes)
    }

    /// Uploads one part, about a mebibyte of the file. `false` when nothing is left. After an error the load can only be cancelled.
    ///
    /// # Errors
    /// A cut file, a code that a format does not use, not enough memory.
    pub fn part(&mut self, file: &ModelFile, lane: &mut dyn Lane) -> Result<bool, ResidentError> {
        if self.rows_left == 0 && self.held.weights.len() == self.wanted.len() {
            return self.screen_part(file, lane);
        }
        if self.rows_left == 0 {
            let wanted = &self.wanted[self.held.weights.len()];
            let tensor = file.tensor(&wanted.name)?;
            self.held.weights.push(lane.begin_upload(&tensor, wanted.form)?);
            (self.rows_left, self.ahead_bytes) = (tensor.rows, 0);
        }
        let at = self.held.weights.len() - 1;
        let tensor = file.tensor(&self.wanted[at].name)?;
        if self.part_bytes >= self.ahead_bytes {
            file.read_ahead(&tensor, tensor.rows - self.rows_left, AHEAD_BYTES);
            self.ahead_bytes = self.part_bytes + AHEAD_BYTES;
        }
        self.rows_left = match lane.upload_rows(self.held.weights[at], &tensor, part_rows(&tensor)) {
            Ok(rows_left) => rows_left,
            Err(LaneError::UnusedCode { .. }) => return Err(unused_code(file, &tensor)),
            Err(error) => return Err(error.into()),
        };
        let row_bytes = stored_bytes(&tensor) / tensor.rows.max(1) as u64;
        self.part_bytes = row_bytes * (tensor.rows - self.rows_left) as u64;
        if self.rows_left == 0 {
            self.done_bytes += stored_bytes(&tensor);
            self.part_bytes = 0;
            file.release(&tensor);
        }
        Ok(true)
    }

    fn screen_part(&mut self, file: &ModelFile, lane: &mut dyn Lane) -> Result<bool, ResidentError> {
        match self.screen {
            Screen::Done { .. } => {}
            Screen::Open => {
                // Nothing more is read of the file.
                file.check_map()?;
                let (head, _) = self.head(file)?;
                let is_large = lane.weight_bytes(head) as u64 >= inspect::SCREENED_HEAD_BYTES;
                let bytes = match self.options.head == Head::Screened && is_large {
                    true => lane.begin_screen(head)?,
                    false => 0,
                };
                self.screen =
                    if bytes > 0 { Screen::Growing { head, bytes } } else { Screen::Done { bytes } };
            }
            Screen::Growing { head, bytes } => {
                if lane.screen_rows(head, part_rows(&self.head(file)?.1))? == 0 {
                    self.screen = Screen::Done { bytes };
                }
            }
        }
        Ok(matches!(self.screen, Screen::Growing { .. }))
    }

    /// The weight that gives logits: what the graph asks for last, or the embedding.
    fn head<'f>(&self, file: &'f ModelFile) -> Result<(WeightId, TensorView<'f>), ResidentError> {
        let is_own = |wanted: &Wanted| wanted.name == "output.weight" || wanted.form == Form::FourBit;
        let at = self.wanted.iter().position(is_own).unwrap_or(0);
        Ok((self.held.weights[at], file.tensor(&self.wanted[at].name)?))
    }

    /// Reserves buffers and cache once every part is uploaded. On error everything is freed.
    ///
    /// # Errors
    /// The file was cut, or there is not enough memory.
    ///
    /// # Panics
    /// When parts are missing.
    pub fn finish(mut self, file: &ModelFile, lane: &mut dyn Lane) -> Result<Resident, ResidentError> {
        let Screen::Done { bytes } = self.screen else { panic!("parts of the model are missing") };
        match Resident::build(file, self.options, &mut self.held, bytes, lane) {
            Ok(resident) => Ok(resident.holding(self.held)),
            Err(error) => {
                self.held.free(lane);
                Err(error)
            }
        }
    }

    /// Frees what was uploaded.
    pub fn cancel(self, lane: &mut dyn Lane) {
        self.held.free(lane);
    }
}

/// What a lane found, with the place in the file.
fn unused_code(file: &ModelFile, tensor: &TensorView<'_>) -> ResidentError {
    match file.verify_codes(tensor).and_then(|()| file.check_map()) {
        Err(error) => error.into(),
        // The file was changed back in the meantime.
        Ok(()) => LaneError::UnusedCode { tensor: tensor.name.to_owned() }.into(),
    }
}

/// Rows of a part.
fn part_rows(tensor: &TensorView<'_>) -> usize {
    let row_bytes = (stored_bytes(tensor) / tensor.rows.max(1) as u64).max(1);
    usize::try_from(PART_BYTES / row_bytes).unwrap_or(usize::MAX).max(1)
}
