//! Perplexity: windows that start afresh, every token after the first scored, beside running generations.

use onebit_engine::session::scripted::{Script, VOCAB};
use onebit_engine::session::{EngineHandle, GenerateError, ScoreEvent, ScoreRequest};

use crate::fixture::{Steps, engine, finish, hashed, no_wake, options, request, run, until};

fn score(engine: &EngineHandle, tokens: Vec<u32>, context: usize) -> Result<(usize, f64), GenerateError> {
    let score = engine.score(ScoreRequest { model: "m".into(), tokens, context }, no_wake()).expect("room");
    let mut last = 0;
    loop {
        match score.next().expect("an end") {
            ScoreEvent::Progress { scored, .. } => {
                assert!(scored > last, "progress goes forward");
                last = scored;
            }
            ScoreEvent::Done { scored, nll_sum } => {
                assert!(score.next().is_none());
                return Ok((scored, nll_sum));
            }
            ScoreEvent::Failed(error) => return Err(error),
        }
    }
}

/// The same sum, token by token, without an engine.
fn expected(script: &Script, tokens: &[u32], context: usize) -> (usize, f64) {
    let mut sum = 0.0;
    let mut scored = 0;
    for window in tokens.chunks(context) {
        for at in 1..window.len() {
            let logits = (script.reply)(&window[..at]);
            let norm: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
            sum += norm - f64::from(logits[window[at] as usize]);
            scored += 1;
        }
    }
    (scored, sum)
}

#[test]
fn every_token_after_the_first_of_each_window_is_scored() {
    let script = hashed(100_000);
    let engine = engine(script.clone(), options());
    let tokens: Vec<u32> = (0..700u32).map(|i| (i * 7) % 256).collect();
    for (count, context) in
        [(700, 128), (700, 1024), (65, 64), (66, 64), (128, 64), (2, 2), (3, 2), (200, 65)]
    {
        let (scored, nll) = score(&engine, tokens[..count].to_vec(), context).expect("scores");
        let (expected_scored, expected_nll) = expected(&script, &tokens[..count], context);
        assert_eq!(scored, expected_scored, "{count} tokens in windows of {context}");
        assert!((nll - expected_nll).abs() < 1e-6 * expected_nll, "{nll} and {expected_nll}");
    }
}

#[test]
fn uniform_logits_give_the_vocabulary_as_perplexity() {
    let engine = engine(Script::replying(|_| vec![3.0; VOCAB]), options());
    let (scored, nll) = score(&engine, vec![65; 300], 100).expect("scores");
    assert_eq!(scored, 297);
    assert!(((nll / 297.0).exp() - VOCAB as f64).abs() < 1e-9);
}

#[test]
fn scoring_and_generating_do_not_disturb_each_other() {
    let script = hashed(100_000);
    let engine = engine(script.clone(), options());
    let tokens: Vec<u32> = (0..600u32).map(|i| (i * 11) % 256).collect();
    let alone = run(&engine, request("meanwhile", 80));
    let scores = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| score(&engine, tokens.clone(), 200))).collect();
        let beside: Vec<_> =
            (0..4).map(|_| engine.submit(request("meanwhile", 80), no_wake()).expect("room")).collect();
        for generation in &beside {
            assert_eq!(finish(generation).tokens, alone.tokens);
        }
        threads.into_iter().map(|t| t.join().expect("no panic").expect("scores")).collect::<Vec<_>>()
    });
    let expected = expected(&script, &tokens, 200);
    for (scored, nll) in scores {
        assert_eq!(scored, expected.0);
        assert!((nll - expected.1).abs() < 1e-6 * expected.1);
    }
}

#[test]
fn bad_windows_and_ids_are_refused_and_nan_is_told() {
    let engine = engine(Script::replying(|_| vec![f32::NAN; VOCAB]), options());
    assert!(matches!(score(&engine, vec![1; 10], 1), Err(GenerateError::Invalid(_))));
    assert!(matches!(score(&engine, vec![1; 10], 2000), Err(GenerateError::Invalid(_))));
    assert!(matches!(score(&engine, vec![1, 100_000], 10), Err(GenerateError::Invalid(_))));
    assert_eq!(score(&engine, vec![1], 10), Err(GenerateError::EmptyPrompt));
    assert_eq!(score(&engine, vec![1; 10], 10), Err(GenerateError::NotFinite { position: 0 }));
}

#[test]
fn a_dropped_scoring_frees_its_slot() {
    let (script, steps) = Steps::of(hashed(100_000));
    let engine = engine(script, options());
    let request = ScoreRequest { model: "m".into(), tokens: vec![65; 1000], context: 500 };
    let score = engine.score(request, no_wake()).expect("room");
    until("it runs", || engine.status().running == 1);
    drop(score);
    steps.allow(2);
    until("it ended", || engine.status().running == 0);
    assert!(engine.status().slots.iter().all(|s| !s.busy));
}
