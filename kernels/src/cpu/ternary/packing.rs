//! How ternary codes lie in memory: two bits a weight for every instruction set, and two orders of five-bit codes for
//! instruction sets that can look up sixteen-bit partial sums (see [`super::lookup`]).
//!
//! **Two bits.** Sixteen rows lie together as `k_blocks` blocks of 64 bytes, a block is sixteen columns:
//!
//! ```text
//! byte 4 r + t of a block:  bits 0-1  row r, column t        code = trit + 1
//!                           bits 2-3  row r, column 4 + t
//!                           bits 4-5  row r, column 8 + t
//!                           bits 6-7  row r, column 12 + t
//! ```
//!
//! **Five-bit codes.** Thirty-two rows lie together as segments of 256 columns, a segment is some vectors of 32 words of 16 bits:
//!
//! ```text
//! word 2 r + h of a vector: row 16 h + r       bits 0-4, 5-9, 10-14: three codes, bit 15: a bit of a *carried* code
//! ```
//!
//! Five consecutive vectors hold fifteen codes and, highest bit first, a carried one. The codes in the order 15, carried, 15,
//! carried, ... are the *slots* of a segment:
//!
//! | packing | a slot is | slots | vectors | bits a weight |
//! |---|---|---|---|---|
//! | [`Packing::Sparse`] | 4 columns with exactly one zero, as in Sherry files | 64 | 20 | 1.25 |
//! | [`Packing::Triples`] | 3 columns in base 3 | 86 | 27 | 1.6875 |
//!
//! Slot s of `Sparse` is columns 4 s to 4 s + 3. `Triples` go through the four blocks of 64 columns: a block is sixteen quads of
//! columns; five slots hold the fourth columns of three quads each, sixteen slots the first three columns of a quad, and the last
//! column of a block stands in an *odd* slot, 15 for the first three blocks and 79 for the fourth. See [`COLUMNS`].

use super::{BLOCK_BYTES, BLOCK_COLS};

/// Columns of a segment of five-bit codes.
pub(super) const SEGMENT_COLS: usize = 256;
/// Bytes of a vector.
pub(super) const VECTOR_BYTES: usize = 64;
/// Vectors of a segment.
pub(super) const SPARSE_VECTORS: usize = 20;
/// Vectors of a segment.
pub(super) const TRIPLE_VECTORS: usize = 27;
/// Slots of a segment.
pub(super) const TRIPLE_SLOTS: usize = 86;
/// Slots of a segment.
pub(super) const SPARSE_SLOTS: usize = 64;
/// The odd slot of the first three blocks of triples: columns 63, 127 and 191.
pub(super) const ODD_SLOT: usize = 15;
/// Slots of five vectors, the last of them carried.
pub(super) const STEP_SLOTS: usize = 16;
/// Vectors that share a carried code.
pub(super) const STEP_VECTORS: usize = 5;
/// In [`COLUMNS`]: no column.
pub(super) const NONE: u16 = u16::MAX;

/// How the codes of a matrix lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Two bits a weight.
    TwoBits,
    /// Five bits for four columns with one zero.
    Sparse,
    /// Five bits for three columns.
    Triples,
}

/// Columns of the slots of a segment of triples, in blocks of 64 columns: those that share an activation scale.
pub(super) const COLUMNS: [[u16; 4]; TRIPLE_SLOTS] = triple_columns();

const fn triple_columns() -> [[u16; 4]; TRIPLE_SLOTS] {
    let mut columns = [[NONE; 4]; TRIPLE_SLOTS];
    columns[ODD_SLOT] = [63, 127, 191, NONE];
    columns[79] = [255, NONE, NONE, NONE];
    // The slots that the vectors of each block hold, carried ones of the fourth block first: they serve as its fourth columns.
    let mut block = 0;
    while block < 4 {
        let mut role = 0;
        if block == 3 {
            while role < 3 {
                columns[31 + 16 * role] = role_columns(3, role as u16);
                role += 1;
            }
        }
        let mut vector = 7 * block;
        while vector < TRIPLE_VECTORS && vector < 7 * block + 7 {
            let mut i = 0;
            while i < 3 {
                columns[vector / 5 * 16 + vector % 5 * 3 + i] = role_columns(block as u16, role as u16);
                role += 1;
                i += 1;
            }
            vector += 1;
        }
        assert!(role == 21);
        block += 1;
    }
    columns
}

/// The columns of the five fourth-column slots, then of the sixteen quads of a block.
const fn role_columns(block: u16, role: u16) -> [u16; 4] {
    let first = 64 * block;
    if role < 5 {
        let quad = first + 12 * role;
        [quad + 3, quad + 7, quad + 11, NONE]
    } else {
        let quad = first + 4 * (role - 5);
        [quad, quad + 1, quad + 2, NONE]
    }
}

/// What the 32 codes stand for: trit + 1 of each column, 1 where the packing has no column or no such code.
pub(super) const SPARSE_TRITS: [[u8; 4]; 32] = sparse_trits();
/// As [`SPARSE_TRITS`].
pub(super) const TRIPLE_TRITS: [[u8; 4]; 32] = triple_trits();

const fn sparse_trits() -> [[u8; 4]; 32] {
    let mut all = [[1; 4]; 32];
    let mut code = 0;
    while code < 32 {
        let (mut lane, mut sign) = (0, 0);
        while lane < 4 {
            if lane != code >> 3 {
                all[code][lane] = if code >> sign & 1 == 1 { 2 } else { 0 };
                sign += 1;
            }
            lane += 1;
        }
        code += 1;
    }
    all
}

const fn triple_trits() -> [[u8; 4]; 32] {
    let mut all = [[1; 4]; 32];
    let mut code = 0;
    while code < 27 {
        all[code] = [(code % 3) as u8, (code / 3 % 3) as u8, (code / 9) as u8, 1];
        code += 1;
    }
    all
}

/// Code of four two-bit trits, [`NO_CODE`] where there is none.
const SPARSE_CODES: [u8; 256] = codes();
const NO_CODE: u8 = u8::MAX;

const fn key(trits: [u8; 4]) -> usize {
    (trits[0] | trits[1] << 2 | trits[2] << 4 | trits[3] << 6) as usize
}

const fn codes() -> [u8; 256] {
    let mut codes = [NO_CODE; 256];
    let mut code = 0;
    while code < 32 {
        codes[key(SPARSE_TRITS[code])] = code as u8;
        code += 1;
    }
    codes
}

impl Packing {
    /// Rows that lie together: a bundle.
    pub fn rows(self) -> usize {
        match self {
            Self::TwoBits => 16,
            Self::Sparse | Self::Triples => 32,
        }
    }

    /// Bytes of a bundle of rows of `k_blocks` times sixteen columns.
    pub fn bundle_bytes(self, k_blocks: usize) -> usize {
        let segments = (k_blocks * BLOCK_COLS).div_ceil(SEGMENT_COLS);
        match self {
            Self::TwoBits => k_blocks * BLOCK_BYTES,
            Self::Sparse => segments * SPARSE_VECTORS * VECTOR_BYTES,
            Self::Triples => segments * TRIPLE_VECTORS * VECTOR_BYTES,
        }
    }

    /// Whether a row of these trits (-1, 0, +1) can be packed; what lies beyond it is padding.
    pub fn can_hold(self, trits: &[i8]) -> bool {
        self != Self::Sparse
            || trits
                .chunks(4)
                .all(|four| four.len() == 4 && four.iter().filter(|&&trit| trit == 0).count() == 1)
    }

    /// Packs row `row` of a bundle; columns beyond `trits` hold anything.
    ///
    /// # Panics
    /// When [`Packing::can_hold`] says no, or the row does not fit the bundle.
    pub fn write_row(self, bundle: &mut [u8], row: usize, trits: &[i8]) {
        assert!(row < self.rows(), "row of a bundle");
        match self {
            Self::TwoBits => {
                for (block, trits) in bundle.chunks_exact_mut(BLOCK_BYTES).zip(trits.chunks(BLOCK_COLS)) {
                    let mut sixteen = [0; BLOCK_COLS];
                    sixteen[..trits.len()].copy_from_slice(trits);
                    block[4 * row..4 * row + 4].copy_from_slice(&pack_sixteen(&sixteen));
                }
            }
            Self::Sparse | Self::Triples => {
                let segments = bundle.chunks_exact_mut(self.bundle_bytes(SEGMENT_COLS / BLOCK_COLS));
                for (segment, trits) in segments.zip(trits.chunks(SEGMENT_COLS)) {
                    // Trit + 1, behind the last column 1 for `NONE`.
                    let mut codes = [1u8; SEGMENT_COLS + 1];
                    for (code, trit) in codes.iter_mut().zip(trits) {
                        *code = (trit + 1).cast_unsigned();
                    }
                    let slots = if self == Self::Triples {
                        triple_slots(&codes)
                    } else {
                        sparse_slots(&codes, trits.len())
                    };
                    write_words(segment, row, &slots);
                }
            }
        }
    }

    /// Writes row `row` of a bundle of two bits from words of sixteen columns, column `4 p + t` in bits `2 p` of byte `t`.
    ///
    /// # Panics
    /// In another packing, or when the row does not fit the bundle.
    pub fn write_two_bits(self, bundle: &mut [u8], row: usize, words: &[u32]) {
        assert!(self == Self::TwoBits && row < self.rows() && words.len() * BLOCK_BYTES <= bundle.len());
        for (block, word) in bundle.chunks_exact_mut(BLOCK_BYTES).zip(words) {
            block[4 * row..4 * row + 4].copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Trits of row `row` of a bundle.
    pub fn read_row(self, bundle: &[u8], row: usize, out: &mut [i8]) {
        match self {
            Self::TwoBits => {
                for (col, out) in out.iter_mut().enumerate() {
                    let byte = bundle[col / BLOCK_COLS * BLOCK_BYTES + 4 * row + col % 4];
                    *out = (byte >> (col % BLOCK_COLS / 4 * 2) & 3).cast_signed() - 1;
                }
            }
            Self::Sparse | Self::Triples => {
                let segments = bundle.chunks_exact(self.bundle_bytes(SEGMENT_COLS / BLOCK_COLS));
                for (segment, out) in segments.zip(out.chunks_mut(SEGMENT_COLS)) {
                    for slot in 0..self.slots() {
                        let trits = self.trits()[usize::from(get_slot(segment, row, slot))];
                        for (col, trit) in self.columns(slot).into_iter().zip(trits) {
                            if let Some(out) = out.get_mut(usize::from(col)) {
                                *out = trit.cast_signed() - 1;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Slots of a segment.
    pub(super) fn slots(self) -> usize {
        match self {
            Self::TwoBits => 0,
            Self::Sparse => SPARSE_SLOTS,
            Self::Triples => TRIPLE_SLOTS,
        }
    }

    /// Columns of a slot within its segment, [`NONE`] for none.
    pub(super) fn columns(self, slot: usize) -> [u16; 4] {
        match self {
            Self::Triples => COLUMNS[slot],
            _ => [0, 1, 2, 3].map(|t| 4 * slot as u16 + t),
        }
    }

    /// What the 32 codes stand for.
    pub(super) fn trits(self) -> &'static [[u8; 4]; 32] {
        match self {
            Self::Triples => &TRIPLE_TRITS,
            _ => &SPARSE_TRITS,
        }
    }
}

/// Codes of a segment, a step more than there are whole ones.
type Slots = [u8; TRIPLE_SLOTS.next_multiple_of(STEP_SLOTS)];

/// Of the slots of triples: those that hold the first three columns of a quad, by quad, and the others.
const QUAD_SLOTS: [u8; SEGMENT_COLS / 4] = split_slots().0;
const OTHER_SLOTS: [u8; TRIPLE_SLOTS - SEGMENT_COLS / 4] = split_slots().1;

const fn split_slots() -> ([u8; SEGMENT_COLS / 4], [u8; TRIPLE_SLOTS - SEGMENT_COLS / 4]) {
    let (mut quads, mut others) = ([0; _], [0; _]);
    let (mut slot, mut n_others) = (0, 0);
    while slot < TRIPLE_SLOTS {
        let [first, second, third, _] = COLUMNS[slot];
        if first % 4 == 0 && second == first + 1 && third == first + 2 {
            quads[(first / 4) as usize] = slot as u8;
        } else {
            others[n_others] = slot as u8;
            n_others += 1;
        }
        slot += 1;
    }
    assert!(n_others == TRIPLE_SLOTS - SEGMENT_COLS / 4);
    (quads, others)
}

fn triple_slots(codes: &[u8; SEGMENT_COLS + 1]) -> Slots {
    let mut slots = [0; _];
    for (four, slot) in codes.as_chunks::<4>().0.iter().zip(QUAD_SLOTS) {
        // Byte 2 of the product is first + 3 second + 9 third; codes are at most 2, so that no byte overflows into it.
        let product = u32::from_le_bytes(*four).wrapping_mul(0x0001_0309);
        slots[usize::from(slot)] = (product >> 16) as u8;
    }
    for slot in OTHER_SLOTS.map(usize::from) {
        let [first, second, third] =
            [0, 1, 2].map(|i| codes[usize::from(COLUMNS[slot][i]).min(SEGMENT_COLS)]);
        slots[slot] = first + 3 * second + 9 * third;
    }
    slots
}

/// Slots beyond `cols` hold code 0.
fn sparse_slots(codes: &[u8; SEGMENT_COLS + 1], cols: usize) -> Slots {
    let mut slots = [0; _];
    for (slot, &four) in slots.iter_mut().zip(codes.as_chunks::<4>().0).take(cols.div_ceil(4)) {
        *slot = SPARSE_CODES[key(four)];
        assert!(*slot != NO_CODE, "four columns with exactly one zero");
    }
    slots
}

/// Four bytes: column `4 p + t` in bits `2 p` of byte `t`. Four codes at a time: a code is at most 2, so no shift leaves its byte.
fn pack_sixteen(trits: &[i8; BLOCK_COLS]) -> [u8; 4] {
    let (quads, _) = trits.as_chunks::<4>();
    let code = |p: usize| {
        let four = u32::from_le_bytes(quads[p].map(i8::cast_unsigned));
        // One is added to each byte; the carry out of -1 stays in its byte.
        (((four & 0x7f7f_7f7f) + 0x0101_0101) ^ (four & 0x8080_8080)) << (2 * p)
    };
    (code(0) | code(1) | code(2) | code(3)).to_le_bytes()
}

/// Bytes of the word of a row, in a vector.
fn word_at(row: usize, vector: usize) -> usize {
    vector * VECTOR_BYTES + 2 * (2 * (row % 16) + row / 16)
}

/// Writes the words of a row.
fn write_words(segment: &mut [u8], row: usize, slots: &Slots) {
    let (steps, _) = slots.as_chunks::<STEP_SLOTS>();
    for vector in 0..segment.len() / VECTOR_BYTES {
        let (step, i) = (&steps[vector / STEP_VECTORS], vector % STEP_VECTORS);
        let direct = [0, 1, 2].map(|code| u16::from(step[3 * i + code]) << (5 * code));
        let carried = u16::from(step[STEP_SLOTS - 1] >> (STEP_VECTORS - 1 - i) & 1) << 15;
        let at = word_at(row, vector);
        segment[at..at + 2].copy_from_slice(&(direct[0] | direct[1] | direct[2] | carried).to_le_bytes());
    }
}

fn get_slot(segment: &[u8], row: usize, slot: usize) -> u8 {
    let word = |vector: usize| {
        let at = word_at(row, vector);
        u16::from_le_bytes([segment[at], segment[at + 1]])
    };
    let (vector, i) = (slot / STEP_SLOTS * STEP_VECTORS, slot % STEP_SLOTS);
    if i < STEP_SLOTS - 1 {
        return (word(vector + i / 3) >> (5 * (i % 3)) & 31) as u8;
    }
    (0..STEP_VECTORS).fold(0, |code, bit| code << 1 | (word(vector + bit) >> 15) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_a_segment_has_one_slot() {
        for packing in [Packing::Sparse, Packing::Triples] {
            let mut seen: Vec<u16> = (0..packing.slots()).flat_map(|slot| packing.columns(slot)).collect();
            seen.retain(|&col| col != NONE);
            seen.sort_unstable();
            assert_eq!(seen, (0..256).collect::<Vec<_>>(), "{packing:?}");
        }
    }

    #[test]
    fn rows_of_any_length_come_back() {
        let mut state = 3u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as usize
        };
        for packing in [Packing::TwoBits, Packing::Sparse, Packing::Triples] {
            for cols in [1usize, 4, 5, 16, 64, 100, 255, 256, 257, 320, 576, 768] {
                if packing == Packing::Sparse && cols % 4 != 0 {
                    continue;
                }
                let k_blocks = cols.div_ceil(BLOCK_COLS);
                let mut bundle = vec![0; packing.bundle_bytes(k_blocks)];
                let mut rows = Vec::new();
                for row in 0..packing.rows() {
                    let mut trits: Vec<i8> = (0..cols).map(|_| (draw() % 3) as i8 - 1).collect();
                    if packing == Packing::Sparse {
                        for four in trits.chunks_mut(4) {
                            let trits = SPARSE_TRITS[draw() % 32].map(|code| code.cast_signed() - 1);
                            four.copy_from_slice(&trits);
                        }
                    }
                    packing.write_row(&mut bundle, row, &trits);
                    rows.push(trits);
                }
                for (row, trits) in rows.iter().enumerate() {
                    let mut back = vec![9; cols];
                    packing.read_row(&bundle, row, &mut back);
                    assert_eq!(&back, trits, "{packing:?}, {cols} columns, row {row}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_not_three_of_four_cannot_be_sparse() {
        assert!(Packing::Sparse.can_hold(&[1, 0, -1, 1]));
        assert!(!Packing::Sparse.can_hold(&[1, 0, 0, 1]));
        assert!(!Packing::Sparse.can_hold(&[1, 0, -1]));
        assert!(Packing::Triples.can_hold(&[1, 0, 0]));
    }
}
