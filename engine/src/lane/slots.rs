//! Things a lane owns by number: freed numbers are used again, and a stale one is a bug that panics with its kind.

/// See the module documentation.
pub(in crate::lane) struct Slots<T> {
    kind: &'static str,
    slots: Vec<Option<T>>,
}

impl<T> Slots<T> {
    pub(in crate::lane) fn new(kind: &'static str) -> Self {
        Slots { kind, slots: Vec::new() }
    }

    pub(in crate::lane) fn insert(&mut self, value: T) -> u32 {
        let free = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[free] = Some(value);
        u32::try_from(free).expect("fewer than 2^32 things are alive")
    }

    pub(in crate::lane) fn remove(&mut self, id: u32) {
        let removed = self.slots.get_mut(id as usize).and_then(Option::take);
        assert!(removed.is_some(), "{} {id} was freed before", self.kind);
    }

    #[cfg(test)]
    pub(in crate::lane) fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(in crate::lane) fn get(&self, id: u32) -> &T {
        match self.slots.get(id as usize) {
            Some(Some(value)) => value,
            _ => panic!("{} {id} is not alive", self.kind),
        }
    }

    pub(in crate::lane) fn get_mut(&mut self, id: u32) -> &mut T {
        match self.slots.get_mut(id as usize) {
            Some(Some(value)) => value,
            _ => panic!("{} {id} is not alive", self.kind),
        }
    }

    /// Two different things at once.
    pub(in crate::lane) fn pair_mut(&mut self, a: u32, b: u32) -> (&mut T, &mut T) {
        match self.slots.get_disjoint_mut([a as usize, b as usize]) {
            Ok([Some(a), Some(b)]) => (a, b),
            _ => panic!("{} {a} or {b} is not alive, or they are the same", self.kind),
        }
    }
}
