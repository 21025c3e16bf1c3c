//! Byte-pair merging: the pieces of a pre-tokenizer to ids, lowest rank first and leftmost among equals.
//!
//! A heap of candidate pairs makes a piece of n bytes cost n log n, so a text without any break cannot stall the engine.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::EncodeError;
use super::vocab::Vocabulary;

/// Longest piece in bytes; merging needs about 50 bytes of memory for each of them.
pub(super) const MAX_PIECE_BYTES: usize = 1 << 22;

/// No token: a byte the vocabulary lacks, or a symbol that went into its left neighbour.
const NONE: u32 = u32::MAX;

/// What a pair of ids becomes.
#[derive(Debug, Clone, Copy)]
struct Rule {
    rank: u32,
    id: u32,
}

/// The merge rules of a vocabulary.
#[derive(Debug)]
pub(super) struct Merges {
    rules: HashMap<(u32, u32), Rule>,
    takes_whole_pieces: bool,
}

#[derive(Debug, Clone, Copy)]
struct Symbol {
    id: u32,
    previous: u32,
    next: u32,
}

/// A pair that may merge: rank, position of its left symbol, ids of left, right and result. Compared in this order.
type Candidate = Reverse<(u32, u32, u32, u32, u32)>;

/// Buffers that one call of `encode` reuses for all its pieces.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    symbols: Vec<Symbol>,
    heap: BinaryHeap<Candidate>,
}

impl Merges {
    /// Rules in rank order. A rule with a side or a result that is no ordinary token can never apply and is left out.
    pub(super) fn new(
        merges: &[(String, String)],
        vocabulary: &Vocabulary,
        takes_whole_pieces: bool,
    ) -> Self {
        let mut rules = HashMap::with_capacity(merges.len());
        let (mut left, mut joined) = (Vec::new(), Vec::new());
        for (rank, (left_text, right_text)) in (0u32..).zip(merges) {
            left.clear();
            super::bytes::push_bytes(left_text, &mut left);
            joined.clear();
            joined.extend_from_slice(&left);
            super::bytes::push_bytes(right_text, &mut joined);
            let sides = (vocabulary.id(&left), vocabulary.id(&joined[left.len()..]));
            if let ((Some(left_id), Some(right_id)), Some(id)) = (sides, vocabulary.id(&joined)) {
                rules.entry((left_id, right_id)).or_insert(Rule { rank, id });
            }
        }
        Self { rules, takes_whole_pieces }
    }

    /// Appends the ids of one piece.
    ///
    /// # Errors
    /// The piece is longer than [`MAX_PIECE_BYTES`].
    pub(super) fn encode_piece(
        &self,
        piece: &[u8],
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        out: &mut Vec<u32>,
    ) -> Result<(), EncodeError> {
        if piece.len() > MAX_PIECE_BYTES {
            return Err(EncodeError { piece_bytes: piece.len() });
        }
        if self.takes_whole_pieces
            && let Some(id) = vocabulary.id(piece)
        {
            out.push(id);
            return Ok(());
        }
        self.start(piece, vocabulary, scratch);
        while let Some(Reverse((_, at, left, right, id))) = scratch.heap.pop() {
            self.merge(at, (left, right), id, scratch);
        }
        out.extend(scratch.symbols.iter().map(|symbol| symbol.id).filter(|&id| id != NONE));
        Ok(())
    }

    /// One symbol a byte, and the pairs of neighbours that may merge.
    fn start(&self, piece: &[u8], vocabulary: &Vocabulary, scratch: &mut Scratch) {
        scratch.symbols.clear();
        scratch.heap.clear();
        for (at, &byte) in (0u32..).zip(piece) {
            let id = vocabulary.byte_id(byte).unwrap_or(NONE);
            scratch.symbols.push(Symbol { id, previous: at.wrapping_sub(1), next: at + 1 });
        }
        if let Some(last) = scratch.symbols.last_mut() {
            last.next = NONE;
        }
        for at in 0..scratch.symbols.len() as u32 {
            self.propose(at, scratch);
        }
    }

    fn propose(&self, at: u32, scratch: &mut Scratch) {
        let Some(&left) = scratch.symbols.get(at as usize) else { return };
        let Some(&right) = scratch.symbols.get(left.next as usize) else { return };
        if let Some(rule) = self.rules.get(&(left.id, right.id)) {
            scratch.heap.push(Reverse((rule.rank, at, left.id, right.id, rule.id)));
        }
    }

    fn merge(&self, at: u32, pair: (u32, u32), id: u32, scratch: &mut Scratch) {
        let left = scratch.symbols[at as usize];
        let Some(&right) = scratch.symbols.get(left.next as usize) else { return };
        if (left.id, right.id) != pair {
            return; // One of the two merged with another neighbour since.
        }
        scratch.symbols[left.next as usize].id = NONE;
        scratch.symbols[at as usize] = Symbol { id, previous: left.previous, next: right.next };
        if let Some(after) = scratch.symbols.get_mut(right.next as usize) {
            after.previous = at;
        }
        self.propose(left.previous, scratch);
        self.propose(at, scratch);
    }
}
