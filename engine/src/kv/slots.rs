//! Slots: one cached conversation each. A slot keeps its tokens and pages after a generation, so that the next turn
//! computes only what is new.

use super::Pages;
use crate::lane::PAGE_POSITIONS;

/// One cached conversation.
#[derive(Debug, Clone, Default)]
pub struct Slot {
    /// Tokens whose K and V are stored, by position.
    tokens: Vec<u32>,
    /// Pages, at least enough for `tokens`; while busy, enough for all the generation may need.
    pages: Vec<u32>,
    session: Option<String>,
    busy: bool,
    /// Value of the clock when it was last claimed or released.
    last_used: u64,
}

/// A slot given to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Index of the slot.
    pub slot: usize,
    /// Leading prompt tokens whose K and V are already there; always fewer than the prompt has.
    pub cached: usize,
}

/// The slots and pages of one model.
///
/// Invariants: no page belongs to two slots; idle slots own exactly the pages their tokens fill; a busy slot owns all the
/// pages its generation was admitted with, so a running generation can never run out of pages.
#[derive(Debug, Clone)]
pub struct Slots {
    pages: Pages,
    slots: Vec<Slot>,
    clock: u64,
}

/// Pages that hold `positions`.
fn pages_for(positions: usize) -> usize {
    positions.div_ceil(PAGE_POSITIONS)
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl Slot {
    /// Tokens whose K and V are stored.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Its pages in order of position.
    pub fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Pages that hold at least one position.
    pub fn filled_pages(&self) -> usize {
        pages_for(self.tokens.len())
    }

    /// Name it is pinned by.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether a generation uses it now.
    pub fn busy(&self) -> bool {
        self.busy
    }
}

/// How well an idle slot suits a prompt, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Another conversation: whole pages in common, then how long it has not been used.
    Other { common_pages: usize, last_used: std::cmp::Reverse<u64> },
    /// Nothing in it.
    Empty,
    /// Mostly this conversation: tokens in common.
    Same { common: usize },
}

impl Slot {
    /// All chats begin with the same few tokens, often with the same system prompt. A slot therefore counts as the same
    /// conversation only when taking it over keeps at least as much as it drops.
    fn worth_for(&self, prompt: &[u32]) -> Worth {
        let common = common_prefix(&self.tokens, prompt);
        if self.tokens.is_empty() {
            Worth::Empty
        } else if 2 * common >= self.tokens.len() {
            Worth::Same { common }
        } else {
            let last_used = std::cmp::Reverse(self.last_used);
            Worth::Other { common_pages: common / PAGE_POSITIONS, last_used }
        }
    }
}

impl Slots {
    /// `n_slots` empty slots over `n_pages` free pages.
    pub fn new(n_slots: usize, n_pages: usize) -> Self {
        Self { pages: Pages::new(n_pages), slots: vec![Slot::default(); n_slots], clock: 0 }
    }

    /// Slots by index.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// One slot.
    pub fn slot(&self, slot: usize) -> &Slot {
        &self.slots[slot]
    }

    /// Page counts.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Pages that hold at least one position, over all slots.
    pub fn filled_pages(&self) -> usize {
        self.slots.iter().map(Slot::filled_pages).sum()
    }

    /// Finds a slot for `prompt` with pages for `positions` positions, or `None` when the caller has to wait for a running
    /// generation to end.
    ///
    /// A named session gets the slot pinned by its name. Otherwise the idle unpinned slot that shares the longest prefix with the
    /// prompt is taken, if that keeps at least as much as it drops; then an empty slot; then the one that is missed least.
    /// What differs from the prompt is dropped. The last prompt token is never counted as cached, because its logits are needed. When pages are short, idle slots are emptied, least recently used first, pinned ones last; nothing
    /// is emptied when even that would not suffice.
    pub fn claim(&mut self, prompt: &[u32], positions: usize, session: Option<&str>) -> Option<Claim> {
        let slot = self.choose(prompt, session)?;
        let reusable = common_prefix(&self.slots[slot].tokens, prompt).min(prompt.len().saturating_sub(1));
        // A pinned slot taken over from another session keeps nothing of it.
        let taken_over = self.slots[slot].session.is_some() && self.slots[slot].session.as_deref() != session;
        let cached = if taken_over { 0 } else { reusable };
        let wanted = pages_for(positions.max(prompt.len()));
        let reclaimable: usize = self
            .slots
            .iter()
            .enumerate()
            .filter(|(i, s)| *i != slot && !s.busy)
            .map(|(_, s)| s.pages.len())
            .sum();
        let kept = pages_for(cached);
        let own = self.slots[slot].pages.len();
        if self.pages.free() + reclaimable + own < wanted {
            return None;
        }
        self.slots[slot].tokens.truncate(cached);
        self.pages.give_back(&mut self.slots[slot].pages, kept);
        let missing = wanted.saturating_sub(kept);
        while self.pages.free() < missing {
            let victim = self.least_recent_idle_except(slot)?;
            self.empty(victim);
        }
        let taken = self.pages.take(missing, &mut self.slots[slot].pages);
        assert!(taken, "pages were counted before they were taken");
        self.clock += 1;
        let claimed = &mut self.slots[slot];
        claimed.session = session.map(str::to_owned);
        claimed.busy = true;
        claimed.last_used = self.clock;
        Some(Claim { slot, cached })
    }

    /// Whether a generation runs in the slot pinned by this name.
    pub fn session_is_busy(&self, session: &str) -> bool {
        self.slots.iter().any(|s| s.busy && s.session.as_deref() == Some(session))
    }

    /// The slot a claim would use.
    fn choose(&self, prompt: &[u32], session: Option<&str>) -> Option<usize> {
        if session.is_some()
            && let Some(own) = self.slots.iter().position(|s| s.session.as_deref() == session)
        {
            // One session runs one generation at a time: the next turn needs the K and V of this one.
            return (!self.slots[own].busy).then_some(own);
        }
        let idle = || self.slots.iter().enumerate().filter(|(_, s)| !s.busy);
        let unpinned = idle().filter(|(_, s)| s.session.is_none()).max_by_key(|(_, s)| s.worth_for(prompt));
        let pinned = || idle().min_by_key(|(_, s)| s.last_used);
        unpinned.or_else(pinned).map(|(i, _)| i)
    }

    fn least_recent_idle_except(&self, slot: usize) -> Option<usize> {
        let owners =
            self.slots.iter().enumerate().filter(|(i, s)| *i != slot && !s.busy && !s.pages.is_empty());
        owners.min_by_key(|(_, s)| (s.session.is_some(), s.last_used)).map(|(i, _)| i)
    }

    /// Records that K and V of `tokens` are stored behind what the slot holds.
    ///
    /// # Panics
    /// More tokens than the slot has pages for, which is a bug of the caller.
    pub fn extend(&mut self, slot: usize, tokens: &[u32]) {
        let slot = &mut self.slots[slot];
        assert!(
            pages_for(slot.tokens.len() + tokens.len()) <= slot.pages.len(),
            "a slot outgrew the pages it was admitted with"
        );
        slot.tokens.extend_from_slice(tokens);
    }

    /// Forgets all but the first `positions` positions; the pages stay with the slot.
    pub fn truncate(&mut self, slot: usize, positions: usize) {
        self.slots[slot].tokens.truncate(positions);
    }

    /// Ends a generation: the slot stays cached, unused pages go back.
    pub fn release(&mut self, slot: usize) {
        self.clock += 1;
        let slot = &mut self.slots[slot];
        slot.busy = false;
        slot.last_used = self.clock;
        self.pages.give_back(&mut slot.pages, pages_for(slot.tokens.len()));
    }

    /// Ends a generation whose K and V cannot be trusted, or forgets an idle slot: everything goes back, the name as well.
    pub fn empty(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        self.pages.give_back(&mut slot.pages, 0);
        *slot = Slot { last_used: slot.last_used, ..Slot::default() };
    }

    /// Empties every slot.
    pub fn empty_all(&mut self) {
        for slot in 0..self.slots.len() {
            self.empty(slot);
        }
    }
}
