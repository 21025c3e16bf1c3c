//! Who runs when: batching, fairness, the bounded queue, and how soon a cancel is felt.

use std::sync::{Arc, Mutex};

use onebit_engine::sampler::Sampling;
use onebit_engine::session::scripted::Script;
use onebit_engine::session::{EngineOptions, Event, Prompt, StopReason, SubmitError};

use crate::fixture::{Steps, engine, finish, hashed, no_wake, options, request, run, until};

#[test]
fn eight_at_once_equal_one_by_one_greedy_and_seeded() {
    let prompts: Vec<String> =
        (0..8).map(|i| format!("{i}: a prompt of its own, {}", "long ".repeat(i * 9))).collect();
    for temperature in [0.0, 1.3] {
        let request = |i: usize| {
            let mut request = request(&prompts[i], 60);
            request.sampling = Sampling { temperature, seed: 1000 + i as u64, ..Sampling::default() };
            request
        };
        let engine = engine(hashed(200), EngineOptions { prefill_chunk: 40, ..options() });
        let together: Vec<_> = (0..8).map(|i| engine.submit(request(i), no_wake()).expect("room")).collect();
        let together: Vec<_> = together.iter().map(finish).collect();
        for (i, together) in together.iter().enumerate() {
            let alone = run(&crate::fixture::engine(hashed(200), options()), request(i));
            assert_eq!(together.tokens, alone.tokens, "prompt {i}, temperature {temperature}");
            assert_eq!(together.text, alone.text);
            assert!(!alone.tokens.is_empty());
        }
    }
}

#[test]
fn requests_start_in_order_of_arrival() {
    let started = Arc::new(Mutex::new(Vec::new()));
    let engine = engine(hashed(1000), EngineOptions { max_running: 2, ..options() });
    let open: Vec<_> = (0..20)
        .map(|i| {
            let started = Arc::clone(&started);
            let first = std::sync::Once::new();
            // The first wake of a request follows its `Started`.
            let wake = Arc::new(move || first.call_once(|| started.lock().expect("whole").push(i)));
            engine.submit(request(&format!("request {i}"), 5), wake).expect("room")
        })
        .collect();
    open.iter().for_each(|g| assert_eq!(finish(g).reason(), StopReason::Length));
    assert_eq!(*started.lock().expect("whole"), (0..20).collect::<Vec<_>>());
}

#[test]
fn prompts_are_read_side_by_side_while_answers_go_on() {
    let seen: Arc<Mutex<Vec<Vec<Vec<u32>>>>> = Arc::default();
    let log = Arc::clone(&seen);
    let (gated, steps) = Steps::of(hashed(100_000));
    let gate = gated.before_step.clone();
    let script = gated.before_step(move |step, histories| {
        gate(step, histories)?;
        log.lock().expect("whole").push(histories.to_vec());
        Ok(())
    });
    let engine = engine(script, EngineOptions { prefill_chunk: 10, ..options() });
    let talker = engine.submit(request("t", 200), no_wake()).expect("room");
    steps.allow(5);
    until("the talker talks", || seen.lock().expect("whole").len() == 5);
    let long = |c: &str| engine.submit(request(&c.repeat(100), 1), no_wake()).expect("room");
    let (a, b) = (long("a"), long("b"));
    steps.until("all three run", || engine.status().running == 3);
    steps.allow(400);
    for generation in [&talker, &a, &b] {
        finish(generation);
    }
    let rows = |step: &Vec<Vec<u32>>, id: u8| {
        step.iter().filter(|h| h[0] == u32::from(id)).map(Vec::len).max().unwrap_or(0)
    };
    let mut both = 0;
    for step in seen.lock().expect("whole").iter() {
        let (a, b) = (rows(step, b'a'), rows(step, b'b'));
        if a > 0 && b > 0 {
            both += 1;
            assert!(a.abs_diff(b) <= 10, "one prompt ran ahead: {a} and {b} tokens");
        }
        if a > 0 || b > 0 {
            let talking = step.iter().filter(|h| h[0] == u32::from(b't')).count();
            assert_eq!(talking, 1, "the talker had to wait for a prompt");
            assert!(step.len() <= 10 + 3, "a step of {} rows", step.len());
        }
    }
    assert!(both >= 15, "the prompts were read one after the other ({both} shared steps)");
}

#[test]
fn the_queue_is_bounded_and_a_place_is_free_once_an_end_is_read() {
    let (script, steps) = Steps::of(hashed(100_000));
    let engine = engine(script, EngineOptions { max_running: 2, max_queued: 3, ..options() });
    let long = || engine.submit(request("x", 1000), no_wake());
    let mut open: Vec<_> = (0..5).map(|_| long().expect("room")).collect();
    steps.until("two run", || engine.status().running == 2);
    assert_eq!(long().err(), Some(SubmitError::QueueFull { queued: 3 }));
    assert_eq!(engine.status().queued, 3);
    for _ in 0..30 {
        let first = open.remove(0);
        first.cancel();
        steps.allow(2);
        assert_eq!(finish(&first).reason(), StopReason::Cancelled);
        open.push(long().expect("an end that was read leaves its place"));
    }
    assert!(matches!(long(), Err(SubmitError::QueueFull { .. })));
}

#[test]
fn a_cancel_is_felt_within_one_token() {
    for already in 1..6 {
        let (script, steps) = Steps::of(hashed(100_000));
        let engine = engine(script, options());
        let generation = engine.submit(request("count", 500), no_wake()).expect("room");
        steps.allow(already);
        let mut tokens = 0;
        while tokens < already {
            if let Some(Event::Text { tokens: new, .. }) = generation.next() {
                tokens += new.len();
            }
        }
        generation.cancel();
        // The step that waits in the script began before the cancel.
        steps.allow(1);
        let mut after = 0;
        loop {
            match generation.next().expect("ends with Done") {
                Event::Text { tokens, .. } => after += tokens.len(),
                Event::Done { reason, .. } => break assert_eq!(reason, StopReason::Cancelled),
                event => panic!("unexpected {event:?}"),
            }
        }
        assert!(after <= 1, "{after} tokens after the cancel");
    }
}

#[test]
fn a_cancel_is_felt_in_the_queue_and_in_a_prompt() {
    let (script, steps) = Steps::of(hashed(100_000));
    let engine = engine(script, EngineOptions { max_running: 1, prefill_chunk: 1, ..options() });
    let reading = engine.submit(request(&"p".repeat(1000), 10), no_wake()).expect("room");
    let queued = engine.submit(request("q", 10), no_wake()).expect("room");
    until("one runs and one waits", || engine.status().running == 1 && engine.status().queued == 1);
    queued.cancel();
    steps.until("nothing waits", || engine.status().queued == 0);
    let outcome = finish(&queued);
    assert_eq!(
        (outcome.reason(), outcome.tokens.len(), outcome.prompt_tokens),
        (StopReason::Cancelled, 0, 0)
    );
    reading.cancel();
    // The step that waits in the script began before the cancel.
    steps.allow(1);
    let outcome = finish(&reading);
    assert_eq!((outcome.reason(), outcome.tokens.len()), (StopReason::Cancelled, 0));
}

#[test]
fn a_reader_that_never_reads_holds_nobody_up() {
    let engine = engine(hashed(100_000), options());
    let silent = engine.submit(request("nobody listens", 900), no_wake()).expect("room");
    for i in 0..20 {
        assert_eq!(run(&engine, request(&format!("{i}"), 30)).tokens.len(), 30);
    }
    assert_eq!(finish(&silent).tokens.len(), 900);
}

#[test]
fn events_are_delivered_before_the_waker_is_called_and_a_panicking_waker_harms_nobody() {
    crate::fixture::hide_scripted_panics();
    let engine = engine(Script::saying("Hi"), options());
    let (woken, wakes) = std::sync::mpsc::channel();
    let mut chat = request("", 0);
    chat.prompt = Prompt::Chat(Vec::new());
    let wake = Arc::new(move || {
        woken.send(()).expect("the test listens");
        panic!("scripted panic of a waker");
    });
    let generation = engine.submit(chat, wake).expect("room");
    loop {
        wakes.recv().expect("a wake for each event");
        match generation.try_next().expect("delivered before the wake") {
            Event::Done { reason, .. } => break assert_eq!(reason, StopReason::EndOfText),
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    // The closure and its sender are gone with the request, without a wake too many.
    assert!(wakes.recv().is_err());
    assert_eq!(run(&engine, request("next", 3)).tokens.len(), 0);
}
