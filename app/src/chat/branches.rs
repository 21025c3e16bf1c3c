//! The branches of a conversation that are not shown. The shown one is a plain list of messages; every function here takes it and
//! moves messages between it and the rest of the tree. Knows no store and no engine.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::store::{Message, MessageId};

/// A place in the tree: below a message, or at the beginning.
type Parent = Option<MessageId>;

/// Where a shown message stands among its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub number: usize,
    /// Siblings in all, itself included.
    pub of: usize,
}

/// Everything of a tree of messages but the branch that is shown.
#[derive(Debug, Default)]
pub struct Branches {
    aside: BTreeMap<MessageId, Message>,
    /// Which child was shown last below each message.
    last_shown: HashMap<Parent, MessageId>,
    /// Places of the shown messages, in order.
    places: Vec<Place>,
}

impl Branches {
    /// Parts a whole tree into the branch that ends at `leaf`, or at the newest message, and the rest.
    pub fn of(tree: Vec<Message>, leaf: Option<MessageId>) -> (Vec<Message>, Self) {
        let mut aside: BTreeMap<_, _> = tree.into_iter().map(|message| (message.id, message)).collect();
        let newest = aside.keys().next_back().copied();
        let leaf = leaf.filter(|leaf| aside.contains_key(leaf)).or(newest);
        // Taking each message out of the map ends the walk even if a damaged database holds a cycle.
        let mut shown: Vec<Message> =
            std::iter::successors(leaf.and_then(|leaf| aside.remove(&leaf)), |message| {
                message.parent.and_then(|parent| aside.remove(&parent))
            })
            .collect();
        shown.reverse();
        let mut branches = Self { aside, ..Self::default() };
        branches.note_shown(&shown);
        (shown, branches)
    }

    /// Place of the shown message at `index`.
    pub fn place(&self, index: usize) -> Place {
        self.places.get(index).copied().unwrap_or(Place { number: 1, of: 1 })
    }

    /// A message that is not shown.
    pub fn get(&self, id: MessageId) -> Option<&Message> {
        self.aside.get(&id)
    }

    /// A message that is not shown, to change it.
    pub fn get_mut(&mut self, id: MessageId) -> Option<&mut Message> {
        self.aside.get_mut(&id)
    }

    /// Adds a message below the last one shown.
    pub fn push(&mut self, shown: &mut Vec<Message>, message: Message) {
        shown.push(message);
        self.note_shown(shown);
    }

    /// Sets the shown message at `index` and all below it aside, so that a sibling can be pushed.
    pub fn cut(&mut self, shown: &mut Vec<Message>, index: usize) {
        let tail = shown.split_off(index.min(shown.len()));
        self.aside.extend(tail.into_iter().map(|message| (message.id, message)));
        self.note_shown(shown);
    }

    /// Shows the sibling `step` places after the shown message at `index`, with what was last shown below it; false if there is
    /// none.
    pub fn step(&mut self, shown: &mut Vec<Message>, index: usize, step: isize) -> bool {
        let Some(message) = shown.get(index) else { return false };
        let siblings = self.siblings(message);
        let at = siblings.iter().position(|id| *id == message.id);
        let Some(&wanted) = at.and_then(|at| at.checked_add_signed(step)).and_then(|to| siblings.get(to))
        else {
            return false;
        };
        self.cut(shown, index);
        self.descend(shown, Some(wanted));
        true
    }

    /// Takes the shown message at `index` and everything below it, on every branch, out of the tree, oldest first. A sibling, if
    /// there is one, is shown instead.
    pub fn remove(&mut self, shown: &mut Vec<Message>, index: usize) -> Vec<Message> {
        let Some(root) = shown.get(index) else { return Vec::new() };
        let siblings = self.siblings(root);
        let (root, at) = (root.id, siblings.iter().position(|id| *id == root.id).unwrap_or(0));
        let heir = siblings.get(at + 1).or_else(|| siblings.get(at.checked_sub(1)?)).copied();
        self.cut(shown, index);
        let mut doomed = HashSet::from([root]);
        // Ids rise from a parent to its children, so one pass in order finds the whole subtree.
        for message in self.aside.values() {
            if message.parent.is_some_and(|parent| doomed.contains(&parent)) {
                doomed.insert(message.id);
            }
        }
        let mut removed: Vec<_> = doomed.iter().filter_map(|id| self.aside.remove(id)).collect();
        removed.sort_by_key(|message| message.id);
        self.descend(shown, heir);
        removed
    }

    /// Puts removed messages back and shows the branch that ends at `leaf`.
    pub fn put_back(&mut self, shown: &mut Vec<Message>, removed: Vec<Message>, leaf: MessageId) {
        self.cut(shown, 0);
        self.aside.extend(removed.into_iter().map(|message| (message.id, message)));
        let mut path = vec![leaf];
        while let Some(parent) = path.last().and_then(|id| self.aside.get(id)?.parent) {
            if path.contains(&parent) || !self.aside.contains_key(&parent) {
                break;
            }
            path.push(parent);
        }
        shown.extend(path.iter().rev().filter_map(|id| self.aside.remove(id)));
        self.note_shown(shown);
    }

    /// Shows `child` and, below it, what was shown last or is newest.
    fn descend(&mut self, shown: &mut Vec<Message>, child: Option<MessageId>) {
        let newest: HashMap<Parent, MessageId> =
            self.aside.values().map(|message| (message.parent, message.id)).collect();
        let mut next = child.and_then(|id| self.aside.remove(&id));
        while let Some(message) = next.take() {
            let parent = Some(message.id);
            shown.push(message);
            let remembered = self.last_shown.get(&parent).filter(|id| self.aside.contains_key(id));
            next = remembered.or(newest.get(&parent)).copied().and_then(|id| self.aside.remove(&id));
        }
        self.note_shown(shown);
    }

    /// Ids of a shown message and its siblings, oldest first.
    fn siblings(&self, message: &Message) -> Vec<MessageId> {
        let others = self.aside.values().filter(|other| other.parent == message.parent).map(|other| other.id);
        let mut ids: Vec<_> = others.chain([message.id]).collect();
        ids.sort_unstable();
        ids
    }

    /// Remembers which branch is shown and counts the siblings along it.
    fn note_shown(&mut self, shown: &[Message]) {
        let mut others: HashMap<Parent, Vec<MessageId>> = HashMap::new();
        for message in self.aside.values() {
            others.entry(message.parent).or_default().push(message.id);
        }
        self.places.clear();
        for message in shown {
            self.last_shown.insert(message.parent, message.id);
            let siblings = others.get(&message.parent).map(Vec::as_slice).unwrap_or_default();
            let older = siblings.iter().filter(|id| **id < message.id).count();
            self.places.push(Place { number: older + 1, of: siblings.len() + 1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChatId, Role};

    fn message(id: i64, parent: Option<i64>) -> Message {
        let mut message =
            Message::complete(ChatId(1), parent.map(MessageId), Role::User, format!("text {id}"));
        message.id = MessageId(id);
        message
    }

    /// 1 has the answers 2 and 3; 4 follows 2, 5 follows 4; 6 is another beginning.
    fn tree() -> Vec<Message> {
        [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (5, Some(4)), (6, None)]
            .map(|(id, parent)| message(id, parent))
            .to_vec()
    }

    fn ids(shown: &[Message]) -> Vec<i64> {
        shown.iter().map(|message| message.id.0).collect()
    }

    #[test]
    fn the_branch_of_the_leaf_is_shown_else_the_newest() {
        assert_eq!(ids(&Branches::of(tree(), Some(MessageId(3))).0), [1, 3]);
        assert_eq!(ids(&Branches::of(tree(), Some(MessageId(5))).0), [1, 2, 4, 5]);
        assert_eq!(ids(&Branches::of(tree(), None).0), [6]);
        assert_eq!(ids(&Branches::of(tree(), Some(MessageId(99))).0), [6]);
    }

    #[test]
    fn a_cycle_of_parents_ends() {
        let cycle = vec![message(1, Some(2)), message(2, Some(1))];
        let (mut shown, mut branches) = Branches::of(cycle.clone(), None);
        assert_eq!(shown.len(), 2);
        branches.remove(&mut shown, 0);
        branches.put_back(&mut shown, cycle, MessageId(1));
        assert_eq!(shown.len(), 2);
    }

    #[test]
    fn arrows_go_to_the_sibling_and_back_to_the_same_branch() {
        let (mut shown, mut branches) = Branches::of(tree(), Some(MessageId(4)));
        assert_eq!(branches.place(1), Place { number: 1, of: 2 });
        assert!(!branches.step(&mut shown, 1, -1), "there is none before the first");
        assert!(branches.step(&mut shown, 1, 1));
        assert_eq!((ids(&shown), branches.place(1).number), (vec![1, 3], 2));
        assert!(branches.step(&mut shown, 1, -1));
        // Below 2, message 4 was shown, and 5, the newest below it, was not known to be left out on purpose.
        assert_eq!(ids(&shown), [1, 2, 4, 5]);
        assert!(branches.step(&mut shown, 0, 1));
        assert_eq!((ids(&shown), branches.place(0)), (vec![6], Place { number: 2, of: 2 }));
        assert!(branches.step(&mut shown, 0, -1));
        assert_eq!(ids(&shown), [1, 2, 4, 5]);
    }

    #[test]
    fn a_sibling_is_pushed_after_a_cut() {
        let (mut shown, mut branches) = Branches::of(tree(), Some(MessageId(5)));
        branches.cut(&mut shown, 2);
        branches.push(&mut shown, message(7, Some(2)));
        assert_eq!((ids(&shown), branches.place(2)), (vec![1, 2, 7], Place { number: 2, of: 2 }));
    }

    #[test]
    fn removing_takes_the_whole_subtree_and_putting_back_restores_it() {
        let (mut shown, mut branches) = Branches::of(tree(), Some(MessageId(5)));
        let removed = branches.remove(&mut shown, 1);
        assert_eq!((ids(&removed), ids(&shown)), (vec![2, 4, 5], vec![1, 3]));
        assert_eq!(branches.place(1), Place { number: 1, of: 1 });
        branches.put_back(&mut shown, removed, MessageId(5));
        assert_eq!((ids(&shown), branches.place(1)), (vec![1, 2, 4, 5], Place { number: 1, of: 2 }));
        // The last sibling of all leaves what is above it.
        let (mut shown, mut branches) = Branches::of(tree(), Some(MessageId(5)));
        assert_eq!(ids(&branches.remove(&mut shown, 2)), [4, 5]);
        assert_eq!(ids(&shown), [1, 2]);
    }
}
