//! Thousands of requests with random cancels, drops, panics and errors: each ends exactly once, and nothing leaks.

use std::sync::Mutex;

use onebit_engine::session::scripted::Script;
use onebit_engine::session::{EngineHandle, EngineOptions, Event, GenerateError, Generation, SubmitError};

use crate::fixture::{
    Outcome, engine, finish, hashed, hide_scripted_panics, load, lost, no_wake, options, request, run,
    splitmix64,
};

fn text(rng: &mut u64, longest: u64) -> String {
    let start = usize::try_from(splitmix64(rng) % 4).expect("small");
    let len = usize::try_from(1 + splitmix64(rng) % longest).expect("small");
    // Prompts share prefixes, so that slots are reused.
    let source = "In the beginning the scheduler created the slot and the page. ".repeat(6);
    source[start..start + len].to_owned()
}

/// Submits `count` requests from one thread; returns how many were submitted.
fn storm(engine: &EngineHandle, seed: u64, count: usize) -> usize {
    let mut rng = seed;
    let mut open: Vec<Generation> = Vec::new();
    let mut submitted = 0;
    while submitted < count {
        let mut request =
            request(&text(&mut rng, 200), u32::try_from(splitmix64(&mut rng) % 12).expect("small"));
        request.model = ["m", "n"][usize::try_from(splitmix64(&mut rng) % 2).expect("small")].into();
        if splitmix64(&mut rng).is_multiple_of(3) {
            request.session = Some(format!("s{}", splitmix64(&mut rng) % 5));
        }
        if request.max_new_tokens == 0 {
            request.max_new_tokens = 40;
        }
        match engine.submit(request, no_wake()) {
            Ok(generation) => {
                submitted += 1;
                open.push(generation);
            }
            Err(SubmitError::QueueFull { .. }) => drop(end_one(&mut open, &mut rng)),
            Err(SubmitError::Stopped) => panic!("seed {seed}: the engine stopped"),
        }
        if splitmix64(&mut rng).is_multiple_of(2) {
            drop(end_one(&mut open, &mut rng));
        }
    }
    for generation in &open {
        finish(generation);
    }
    submitted
}

/// Reads, cancels and reads, or drops one generation.
fn end_one(open: &mut Vec<Generation>, rng: &mut u64) -> Option<Outcome> {
    if open.is_empty() {
        return None;
    }
    let at = usize::try_from(splitmix64(rng) % open.len() as u64).expect("small");
    let generation = open.swap_remove(at);
    match splitmix64(rng) % 4 {
        0 => return None,
        1 => generation.cancel(),
        2 => {
            // The end may be the first event already.
            let mut last = generation.next();
            generation.cancel();
            while let Some(event) = generation.next() {
                assert!(!is_last(last.as_ref()), "an event after the last one");
                last = Some(event);
            }
            assert!(is_last(last.as_ref()), "a stream without a last event");
            return None;
        }
        _ => {}
    }
    Some(finish(&generation))
}

fn is_last(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Done { .. } | Event::Failed(_)))
}

fn unruly(seed: u64) -> Script {
    let rng = Mutex::new(seed);
    hashed(20).before_step(move |_, _| {
        let dice = splitmix64(&mut rng.lock().unwrap_or_else(|poisoned| poisoned.into_inner())) % 300;
        match dice {
            0 => panic!("scripted panic"),
            1 => Err(lost()),
            _ => Ok(()),
        }
    })
}

fn storm_options() -> EngineOptions {
    EngineOptions { max_queued: 24, prefill_chunk: 64, ..options() }
}

fn check_idle(engine: &EngineHandle, seed: u64) {
    crate::fixture::until("everything ended", || engine.status().running + engine.status().queued == 0);
    let status = engine.status();
    for model in &status.models {
        let slots = status.slots.iter().filter(|s| s.model == model.id);
        assert_eq!(
            slots.map(|s| s.kv_bytes).sum::<u64>(),
            model.kv_used_bytes,
            "seed {seed}: KV bytes of {} do not add up",
            model.id
        );
    }
    assert!(status.slots.iter().all(|s| !s.busy), "seed {seed}: a slot stayed busy");
}

#[test]
fn every_generation_ends_exactly_once_whatever_happens() {
    hide_scripted_panics();
    for seed in [1u64, 2, 3] {
        let engine = engine(unruly(seed), storm_options());
        load(&engine, "n", 512).expect("fits");
        let submitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|t| (&engine, t))
                .map(|(e, t)| scope.spawn(move || storm(e, seed * 100 + t, 500)))
                .collect();
            threads.into_iter().map(|t| t.join().expect("no promise was broken")).sum()
        });
        assert_eq!(submitted, 2000, "seed {seed}");
        check_idle(&engine, seed);
    }
}

#[test]
fn a_storm_leaves_no_trace_in_later_answers() {
    let seed = 77;
    let engine = engine(hashed(20), storm_options());
    load(&engine, "n", 512).expect("fits");
    storm(&engine, seed, 800);
    check_idle(&engine, seed);
    let after = run(&engine, request("In the beginning the scheduler created", 40));
    let fresh = run(
        &crate::fixture::engine(hashed(20), options()),
        request("In the beginning the scheduler created", 40),
    );
    assert_eq!((after.tokens, after.text), (fresh.tokens, fresh.text), "seed {seed}");
}

#[test]
fn shutdown_in_a_storm_ends_everything_exactly_once() {
    for seed in 10..16u64 {
        let engine = engine(hashed(50), storm_options());
        let mut rng = seed;
        let open: Vec<_> = (0..30)
            .map(|_| engine.submit(request(&text(&mut rng, 300), 200), no_wake()).expect("room"))
            .collect();
        for _ in 0..splitmix64(&mut rng) % 40 {
            std::thread::yield_now();
        }
        engine.shutdown();
        for generation in &open {
            if let Err(error) = finish(generation).end {
                assert_eq!(error, GenerateError::Stopped, "seed {seed}");
            }
        }
        assert_eq!(
            engine.submit(request("late", 1), no_wake()).err(),
            Some(SubmitError::Stopped),
            "seed {seed}"
        );
        engine.shutdown();
    }
}

#[test]
fn dropping_the_last_handle_ends_everything() {
    let (script, steps) = crate::fixture::Steps::of(hashed(1000));
    let engine = engine(script, options());
    let other = engine.clone();
    let running = engine.submit(request("one", 100), no_wake()).expect("room");
    drop(engine);
    steps.allow(3);
    crate::fixture::until("it runs", || other.status().running == 1);
    drop(other);
    // The step that is under way may end; the next one never begins.
    steps.allow(1);
    assert_eq!(finish(&running).end.unwrap_err(), GenerateError::Stopped);
}
