use std::collections::HashSet;

use super::{Claim, Pages, Slots};
use crate::lane::PAGE_POSITIONS;

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn check_invariants(slots: &Slots, context: &str) {
    let mut seen = HashSet::new();
    let mut owned = 0;
    for (i, slot) in slots.slots().iter().enumerate() {
        for &page in slot.pages() {
            assert!(seen.insert(page), "{context}: page {page} owned twice (slot {i})");
            assert!((page as usize) < slots.pages().total(), "{context}: page {page} out of range");
        }
        owned += slot.pages().len();
        let filled = slot.tokens().len().div_ceil(PAGE_POSITIONS);
        assert_eq!(slot.filled_pages(), filled, "{context}: slot {i}");
        if slot.busy() {
            assert!(slot.pages().len() >= filled, "{context}: slot {i} holds more than it owns");
        } else {
            assert_eq!(slot.pages().len(), filled, "{context}: idle slot {i} hoards pages");
        }
    }
    assert_eq!(owned, slots.pages().held(), "{context}: pages lost or counted twice");
    assert_eq!(slots.pages().held() + slots.pages().free(), slots.pages().total(), "{context}");
}

fn numbered(from: u32, count: usize) -> Vec<u32> {
    (from..).take(count).collect()
}

#[test]
fn taking_more_pages_than_free_takes_nothing() {
    let mut pages = Pages::new(3);
    let mut owner = Vec::new();
    assert!(!pages.take(4, &mut owner));
    assert!(owner.is_empty());
    assert_eq!((pages.free(), pages.held()), (3, 0));
    assert!(pages.take(3, &mut owner));
    assert_eq!((pages.free(), pages.held()), (0, 3));
    pages.give_back(&mut owner, 1);
    assert_eq!((owner.len(), pages.free()), (1, 2));
}

#[test]
#[should_panic(expected = "given back twice")]
fn giving_a_page_back_twice_is_caught() {
    let mut pages = Pages::new(2);
    let mut owner = Vec::new();
    assert!(pages.take(1, &mut owner));
    let mut copy = owner.clone();
    pages.give_back(&mut owner, 0);
    pages.give_back(&mut copy, 0);
}

#[test]
fn random_claims_never_share_or_lose_a_page() {
    for seed in 0..40u64 {
        let mut rng = seed;
        let mut below = |n: usize| usize::try_from(splitmix64(&mut rng) % n as u64).expect("small");
        let (n_slots, n_pages) = (1 + below(6), 4 + below(20));
        let mut slots = Slots::new(n_slots, n_pages);
        // Busy slots with the positions they may still fill.
        let mut busy: Vec<(usize, usize)> = Vec::new();
        for op in 0..600 {
            let context = format!("seed {seed}, operation {op}");
            match below(6) {
                0 | 1 => {
                    let prompt_len = 1 + below(2 * PAGE_POSITIONS);
                    let mut prompt = numbered(0, prompt_len);
                    let change_at = below(prompt_len);
                    prompt[change_at] = 1000 + u32::try_from(below(3)).expect("small");
                    let positions = (prompt_len + below(100)).min(n_pages * PAGE_POSITIONS);
                    if prompt_len > positions {
                        continue;
                    }
                    let names = [None, Some("a"), Some("b"), Some("c")];
                    let session = names[below(4)];
                    let before = slots.clone();
                    match slots.claim(&prompt, positions, session) {
                        Some(Claim { slot, cached }) => {
                            assert!(!before.slot(slot).busy(), "{context}: slot {slot} was busy");
                            assert!(cached < prompt_len, "{context}: nothing left to run");
                            assert_eq!(slots.slot(slot).tokens(), &prompt[..cached], "{context}");
                            assert_eq!(before.slot(slot).tokens()[..cached], prompt[..cached], "{context}");
                            assert_eq!(
                                before.slot(slot).pages()[..cached / PAGE_POSITIONS],
                                slots.slot(slot).pages()[..cached / PAGE_POSITIONS],
                                "{context}: cached pages changed"
                            );
                            assert_eq!(slots.slot(slot).session(), session, "{context}");
                            slots.extend(slot, &prompt[cached..]);
                            busy.push((slot, positions - prompt_len));
                        }
                        None => {
                            assert_eq!(
                                before.pages().held(),
                                slots.pages().held(),
                                "{context}: refusal evicted"
                            );
                            assert!(!busy.is_empty(), "{context}: refused with nothing running");
                        }
                    }
                }
                2 | 3 if !busy.is_empty() => {
                    let i = below(busy.len());
                    let (slot, left) = busy[i];
                    if left > 0 {
                        slots.extend(slot, &[7]);
                        busy[i].1 -= 1;
                    }
                }
                4 if !busy.is_empty() => {
                    let (slot, _) = busy.swap_remove(below(busy.len()));
                    slots.release(slot);
                }
                5 if !busy.is_empty() => {
                    let (slot, _) = busy.swap_remove(below(busy.len()));
                    slots.empty(slot);
                }
                _ => {}
            }
            check_invariants(&slots, &context);
        }
        slots.empty_all();
        check_invariants(&slots, "at the end");
        assert_eq!(slots.pages().held(), 0, "seed {seed}");
    }
}

#[test]
fn the_next_turn_finds_its_prefix() {
    let mut slots = Slots::new(2, 16);
    let first = numbered(1, 100);
    let claim = slots.claim(&first, 150, None).expect("all free");
    assert_eq!(claim.cached, 0);
    slots.extend(claim.slot, &first);
    slots.release(claim.slot);

    let other = slots.claim(&numbered(5000, 70), 80, None).expect("free");
    assert_ne!(other.slot, claim.slot, "an empty slot is taken before a cached conversation is dropped");
    slots.extend(other.slot, &numbered(5000, 70));
    slots.release(other.slot);

    let mut second = first.clone();
    second.extend([9, 9, 9]);
    let again = slots.claim(&second, 200, None).expect("free");
    assert_eq!(again, Claim { slot: claim.slot, cached: 100 });
}

#[test]
fn the_last_prompt_token_is_always_run_again() {
    let mut slots = Slots::new(1, 4);
    let prompt = numbered(1, 64);
    let claim = slots.claim(&prompt, 65, None).expect("free");
    slots.extend(claim.slot, &prompt);
    slots.release(claim.slot);
    assert_eq!(slots.claim(&prompt, 65, None), Some(Claim { slot: 0, cached: 63 }));
}

#[test]
fn pinned_slots_are_emptied_last_and_only_under_pressure() {
    let mut slots = Slots::new(4, 4);
    for (from, session) in [(100, Some("keep")), (200, None), (300, None)] {
        let prompt = numbered(from, 10);
        let claim = slots.claim(&prompt, 10, session).expect("free");
        slots.extend(claim.slot, &prompt);
        slots.release(claim.slot);
    }
    // Three pages are idle, one is free: a claim of three empties the two unpinned ones.
    let big = slots.claim(&numbered(900, 10), 3 * PAGE_POSITIONS, None).expect("two can be emptied");
    let keeps = slots.slots().iter().find(|s| s.session() == Some("keep")).expect("still pinned");
    assert_eq!(keeps.tokens(), numbered(100, 10));
    // With one page left the pinned slot goes when two are wanted.
    slots.extend(big.slot, &numbered(900, 10));
    slots.release(big.slot);
    let all = slots.claim(&numbered(950, 10), 4 * PAGE_POSITIONS, None).expect("everything can be emptied");
    assert!(slots.slots().iter().all(|s| s.session().is_none()));
    assert_eq!(slots.slot(all.slot).pages().len(), 4);
}

#[test]
fn a_busy_session_waits_for_its_own_slot() {
    let mut slots = Slots::new(3, 8);
    let claim = slots.claim(&[1, 2, 3], 64, Some("s")).expect("free");
    assert_eq!(slots.claim(&[1, 2, 3, 4], 64, Some("s")), None);
    slots.extend(claim.slot, &[1, 2, 3]);
    slots.release(claim.slot);
    assert_eq!(slots.claim(&[1, 2, 3, 4], 64, Some("s")), Some(Claim { slot: claim.slot, cached: 3 }));
}

#[test]
fn a_pinned_slot_is_not_lent_for_its_prefix() {
    let mut slots = Slots::new(2, 8);
    let prompt = numbered(1, 80);
    let claim = slots.claim(&prompt, 90, Some("s")).expect("free");
    slots.extend(claim.slot, &prompt);
    slots.release(claim.slot);
    let other = slots.claim(&prompt, 90, None).expect("free");
    assert_ne!(other.slot, claim.slot);
    assert_eq!(other.cached, 0);
}

#[test]
fn chats_that_begin_alike_do_not_take_each_others_slots() {
    let mut slots = Slots::new(4, 64);
    let opening = numbered(1, 20);
    let chats: Vec<Vec<u32>> =
        (1..4).map(|chat| opening.iter().copied().chain(numbered(1000 * chat, 200)).collect()).collect();
    for chat in &chats {
        let claim = slots.claim(&chat[..100], 120, None).expect("free");
        assert_eq!(claim.cached, 0, "an empty slot is taken rather than another chat");
        slots.extend(claim.slot, &chat[..100]);
        slots.release(claim.slot);
    }
    for chat in &chats {
        let claim = slots.claim(chat, 300, None).expect("free");
        assert_eq!(claim.cached, 100, "the second turn finds the first");
        slots.extend(claim.slot, &chat[100..]);
        slots.release(claim.slot);
    }
    // A fifth chat, when the fourth took the last empty slot, replaces the one that was not used for longest.
    for from in [7000, 8000] {
        let prompt: Vec<u32> = opening.iter().copied().chain(numbered(from, 80)).collect();
        let claim = slots.claim(&prompt, 120, None).expect("free");
        slots.extend(claim.slot, &prompt[claim.cached..]);
        slots.release(claim.slot);
    }
    let kept = slots.claim(&chats[2], 300, None).expect("free");
    assert_eq!(kept.cached, 219);
    assert!(slots.slots().iter().all(|s| s.tokens().get(20) != Some(&1000)), "the oldest chat stayed");
}
