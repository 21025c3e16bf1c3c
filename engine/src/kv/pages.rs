//! Page numbers of one KV arena: free or held, never both, never twice.

/// Allocator over page numbers `0..total`. Freed pages are handed out again first, so that an arena whose memory is
/// committed lazily touches as few pages as possible.
#[derive(Debug, Clone)]
pub struct Pages {
    /// Stack of free pages; the top goes out next.
    free: Vec<u32>,
    /// `held[page]`: whether somebody owns it.
    held: Vec<bool>,
}

impl Pages {
    /// All pages free.
    pub fn new(total: usize) -> Self {
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self { free: (0..total).rev().collect(), held: vec![false; total as usize] }
    }

    /// Pages in the arena.
    pub fn total(&self) -> usize {
        self.held.len()
    }

    /// Pages nobody owns.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Pages somebody owns.
    pub fn held(&self) -> usize {
        self.total() - self.free()
    }

    /// Appends `count` pages to `owner`, or takes nothing and returns false when fewer are free.
    #[must_use]
    pub fn take(&mut self, count: usize, owner: &mut Vec<u32>) -> bool {
        let Some(rest) = self.free.len().checked_sub(count) else { return false };
        for page in self.free.drain(rest..).rev() {
            self.held[page as usize] = true;
            owner.push(page);
        }
        true
    }

    /// Gives back the pages of `owner` beyond its first `keep`.
    ///
    /// # Panics
    /// A page that is not held: the caller owns it twice, which is a bug that would mix two conversations.
    pub fn give_back(&mut self, owner: &mut Vec<u32>, keep: usize) {
        while owner.len() > keep {
            let page = owner.pop().expect("the loop condition says it is longer than `keep`");
            let held = &mut self.held[page as usize];
            assert!(*held, "page {page} was given back twice");
            *held = false;
            self.free.push(page);
        }
    }
}
