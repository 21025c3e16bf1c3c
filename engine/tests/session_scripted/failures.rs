//! What goes wrong is told once, to whom it concerns, and the engine goes on.

use onebit_engine::sampler::Sampling;
use onebit_engine::session::scripted::{Script, VOCAB, only};
use onebit_engine::session::{EngineOptions, GenerateError, Prompt, Request};

use crate::fixture::{
    Steps, engine, finish, hashed, hide_scripted_panics, load, lost, no_wake, options, request, run,
};

#[test]
fn a_panic_in_a_step_fails_its_model_and_spares_the_other() {
    hide_scripted_panics();
    // Histories that begin with `!` panic at their 300th token.
    let script = hashed(100_000).before_step(|_, histories| {
        assert!(!histories.iter().any(|h| h[0] == 33 && h.len() == 300), "scripted panic");
        Ok(())
    });
    let (gated, steps) = Steps::of(script.clone());
    let gate = gated.before_step.clone();
    let inner = script.before_step.clone();
    let script = gated.before_step(move |step, histories| {
        gate(step, histories)?;
        inner(step, histories)
    });
    let engine = engine(script, options());
    load(&engine, "n", 512).expect("fits");
    let spared =
        engine.submit(Request { model: "n".into(), ..request("calm", 400) }, no_wake()).expect("room");
    let neighbour = engine.submit(request("neighbour", 500), no_wake()).expect("room");
    let culprit = engine.submit(request("!", 500), no_wake()).expect("room");
    steps.until("all run", || engine.status().running == 3);
    steps.allow(2000);
    for victim in [&culprit, &neighbour] {
        match finish(victim).end.unwrap_err() {
            GenerateError::Panicked(text) => assert_eq!(text, "scripted panic"),
            error => panic!("{error}"),
        }
    }
    assert_eq!(finish(&spared).tokens.len(), 400);
    let status = engine.status();
    assert!(
        status.slots.iter().filter(|s| s.model == "m").all(|s| s.positions == 0 && !s.busy),
        "{status:?}"
    );
    assert_eq!(status.models[0].kv_used_bytes, 0);
    // The model still answers, from the beginning and as before.
    let after = run(&engine, request("neighbour", 20));
    assert_eq!(after.cached_tokens, 0);
    assert_eq!(
        after.tokens,
        run(&crate::fixture::engine(hashed(100_000), options()), request("neighbour", 20)).tokens
    );
}

#[test]
fn a_lane_error_is_told_and_the_engine_goes_on() {
    let script = hashed(100_000).before_step(|step, _| if step == 4 { Err(lost()) } else { Ok(()) });
    let engine = engine(script, options());
    let error = run(&engine, request("hello", 50)).end.unwrap_err();
    assert_eq!(error, GenerateError::Lane("scripted stopped answering during a test".into()));
    assert_eq!(run(&engine, request("hello", 50)).tokens.len(), 50);
}

#[test]
fn numbers_that_are_not_finite_name_their_position() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let script = Script::replying(move |history| {
            let mut logits = only(65);
            if history[0] == 33 && history.len() == 7 {
                logits[200] = bad;
            }
            logits
        });
        let engine = engine(script, options());
        let fine = engine.submit(request("fine", 30), no_wake()).expect("room");
        let outcome = run(&engine, request("!!!!", 30));
        assert_eq!(outcome.end, Err(GenerateError::NotFinite { position: 6 }));
        assert_eq!(outcome.tokens.len(), 3, "what came before is kept");
        assert_eq!(finish(&fine).tokens.len(), 30);
        assert!(engine.status().slots.iter().all(|s| s.positions != 6), "bad K and V stayed cached");
    }
}

#[test]
fn what_cannot_run_is_refused_with_its_reason() {
    let engine = engine(hashed(1000), options());
    let error = |request: Request| run(&engine, request).end.unwrap_err();
    assert_eq!(
        error(Request { model: "x".into(), ..request("a", 1) }),
        GenerateError::ModelNotLoaded("x".into())
    );
    assert_eq!(error(request("", 1)), GenerateError::EmptyPrompt);
    assert_eq!(
        error(request(&"a".repeat(1024), 1)),
        GenerateError::PromptTooLong { prompt_tokens: 1024, context: 1024 }
    );
    assert_eq!(
        run(&engine, request(&"a".repeat(1023), 0)).tokens.len(),
        1,
        "a prompt that leaves room for one"
    );
    let beyond = u32::try_from(VOCAB).expect("small");
    let tokens = Request { prompt: Prompt::Tokens(vec![1, beyond]), ..request("", 1) };
    assert!(matches!(error(tokens), GenerateError::Invalid(text) if text.contains("260")));
    let samplings = [
        Sampling { temperature: f32::NAN, ..Sampling::default() },
        Sampling { temperature: -1.0, ..Sampling::default() },
        Sampling { top_p: 1.5, ..Sampling::default() },
        Sampling { min_p: -0.1, ..Sampling::default() },
        Sampling { repetition_penalty: 0.0, ..Sampling::default() },
        Sampling { logit_bias: vec![(beyond, 1.0)], ..Sampling::default() },
        Sampling { logit_bias: vec![(1, f32::INFINITY)], ..Sampling::default() },
    ];
    for sampling in samplings {
        let refused = error(Request { sampling: sampling.clone(), ..request("a", 1) });
        assert!(matches!(refused, GenerateError::Invalid(_)), "{sampling:?}: {refused}");
    }
    let refused = error(Request { stop: vec![String::new()], ..request("a", 1) });
    assert!(matches!(refused, GenerateError::Invalid(_)));
    let refused = error(Request { logprobs: Some(1_000_000), ..request("a", 1) });
    assert!(matches!(refused, GenerateError::Invalid(_)));
}

#[test]
fn unloading_a_model_ends_its_generations_and_no_others() {
    let (script, steps) = Steps::of(hashed(100_000));
    let engine = engine(script, EngineOptions { max_running: 3, ..options() });
    load(&engine, "n", 512).expect("fits");
    let on_n = || Request { model: "n".into(), ..request("n", 300) };
    let running: Vec<_> = (0..2).map(|_| engine.submit(on_n(), no_wake()).expect("room")).collect();
    let other = engine.submit(request("m", 300), no_wake()).expect("room");
    let queued: Vec<_> = (0..3).map(|_| engine.submit(on_n(), no_wake()).expect("room")).collect();
    steps.until("three run", || engine.status().running == 3);
    engine.unload("n");
    // Unloading takes its turn between steps, so the steps are held until it has had it.
    steps.until("n is gone", || engine.status().models.iter().all(|model| model.id != "n"));
    steps.allow(1000);
    for generation in running.iter().chain(&queued) {
        assert_eq!(finish(generation).end.unwrap_err(), GenerateError::Stopped);
    }
    assert_eq!(finish(&other).tokens.len(), 300);
    assert_eq!(run(&engine, on_n()).end.unwrap_err(), GenerateError::ModelNotLoaded("n".into()));
    // The name and the memory are free again.
    load(&engine, "n", 512).expect("fits again");
    assert_eq!(run(&engine, on_n()).tokens.len(), 300);
}
