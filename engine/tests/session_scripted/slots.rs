//! KV slots as front ends see them: prefixes found again, sessions pinned, bytes counted.

use onebit_engine::lane::{KvDtype, KvShape, PAGE_POSITIONS};
use onebit_engine::session::{EngineOptions, Prompt};

use crate::fixture::{Steps, engine, finish, hashed, no_wake, options, request, run, splitmix64};

fn ids(rng: &mut u64, n: usize) -> Vec<u32> {
    (0..n).map(|_| 32 + u32::try_from(splitmix64(rng) % 90).expect("small")).collect()
}

#[test]
fn the_next_turn_reuses_the_first_and_says_the_same_as_a_fresh_engine() {
    for seed in 0..12u64 {
        let mut rng = seed;
        let warm = engine(hashed(30), EngineOptions { prefill_chunk: 33, ..options() });
        let mut conversation = ids(&mut rng, 1 + usize::try_from(seed).expect("small") * 23);
        for turn in 0..4 {
            let mut next = request("", 40);
            next.prompt = Prompt::Tokens(conversation.clone());
            let reused = run(&warm, next.clone());
            let fresh = run(&engine(hashed(30), options()), next);
            assert_eq!(reused.tokens, fresh.tokens, "seed {seed}, turn {turn}");
            assert_eq!(reused.text, fresh.text, "seed {seed}, turn {turn}");
            assert_eq!(fresh.cached_tokens, 0);
            if turn > 0 {
                // All of the earlier turn but its last token, whose K and V were never needed.
                assert!(reused.cached_tokens > 0, "seed {seed}, turn {turn}");
            }
            conversation.extend(&reused.tokens);
            let more = ids(&mut rng, 5);
            conversation.extend(more);
            if turn == 2 {
                // Editing an earlier message drops only what follows it.
                let middle = conversation.len() / 2;
                conversation[middle] = 31;
            }
        }
    }
}

#[test]
fn a_repeated_prompt_runs_only_its_last_token() {
    let engine = engine(hashed(1000), options());
    let first = run(&engine, request("the very same prompt", 10));
    let second = run(&engine, request("the very same prompt", 10));
    assert_eq!((first.cached_tokens, second.cached_tokens), (0, 19));
    assert_eq!(first.tokens, second.tokens);
}

#[test]
fn a_session_keeps_its_slot_while_others_come_and_go() {
    let engine = engine(hashed(1000), options());
    let mut mine = request("my long conversation about slots", 10);
    mine.session = Some("mine".into());
    let first = run(&engine, mine.clone());
    for i in 0..100 {
        run(&engine, request(&format!("{i} something else entirely"), 3));
    }
    let status = engine.status();
    let pinned: Vec<_> = status.slots.iter().filter(|s| s.session.as_deref() == Some("mine")).collect();
    assert_eq!(pinned.len(), 1);
    assert_eq!(pinned[0].positions, 32 + 9, "prompt and answer, but for the last token");
    let again = run(&engine, mine);
    assert_eq!(again.cached_tokens, 31);
    assert_eq!(again.tokens, first.tokens);
}

#[test]
fn requests_of_one_session_run_one_after_the_other_and_others_pass() {
    let (script, steps) = Steps::of(hashed(100_000));
    let engine = engine(script, options());
    let mut named = request("turn", 200);
    named.session = Some("s".into());
    let first = engine.submit(named.clone(), no_wake()).expect("room");
    let second = engine.submit(named, no_wake()).expect("room");
    let other = engine.submit(request("other", 200), no_wake()).expect("room");
    steps.until("two run", || engine.status().running == 2);
    steps.allow(600);
    assert_eq!(finish(&first).cached_tokens, 0);
    assert_eq!(finish(&other).cached_tokens, 0);
    assert_eq!(finish(&second).cached_tokens, 3);
}

#[test]
fn kv_bytes_are_pages_times_page_bytes() {
    let engine = engine(hashed(100_000), options());
    let shape = KvShape { n_layers: 1, n_kv_heads: 1, head_dim: 1, n_pages: 1, dtype: KvDtype::F16 };
    let page = shape.page_bytes() as u64;
    let model = engine.status().models.remove(0);
    assert_eq!(model.kv_reserved_bytes, 8 * (1024 / PAGE_POSITIONS) as u64 * page);
    assert_eq!(model.kv_used_bytes, 0);
    // 60 prompt tokens and 5 new ones, the last of which is not stored: exactly one page. Then one position more.
    run(&engine, request(&"a".repeat(60), 5));
    assert_eq!(engine.status().models[0].kv_used_bytes, page);
    run(&engine, request(&"b".repeat(60), 6));
    assert_eq!(engine.status().models[0].kv_used_bytes, 3 * page);
    let used = engine.status();
    assert_eq!(used.slots.iter().map(|s| s.kv_bytes).sum::<u64>(), 3 * page);
    assert!(used.memory_used_bytes >= used.models[0].weight_bytes + used.models[0].kv_reserved_bytes);
    assert!(used.memory_used_bytes <= used.memory_budget_bytes);
}

#[test]
fn generations_wait_for_pages_and_never_run_out_of_them() {
    // Room for the weights, the scratch and little more than one full context of KV (4096 bytes), for eight that want it.
    let engine = engine(hashed(100_000), EngineOptions { memory_bytes: (1 << 20) + 82_000, ..options() });
    assert_eq!(engine.status().models[0].kv_reserved_bytes, 4096);
    let open: Vec<_> = (0..8)
        .map(|i| engine.submit(request(&format!("{i}").repeat(300), 0), no_wake()).expect("room"))
        .collect();
    for generation in &open {
        assert_eq!(finish(generation).tokens.len(), 1024 - 300);
    }
}
