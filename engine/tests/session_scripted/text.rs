//! From ids to what a reader sees: whole characters, stop strings, counts, log-probabilities.

use std::sync::Arc;

use onebit_engine::session::scripted::{CONTROL, END, Script, only};
use onebit_engine::session::{EngineHandle, Event, Prompt, Request, StopReason};
use onebit_engine::tokenizer::{Message, Role};

use crate::fixture::{Outcome, engine, hashed, no_wake, options, request, run};

fn chat(engine: &EngineHandle, stop: &[&str], max_new_tokens: u32) -> Outcome {
    let message = Message { role: Role::User, content: "Say it.".into() };
    let stop = stop.iter().map(|s| (*s).to_owned()).collect();
    run(engine, Request { prompt: Prompt::Chat(vec![message]), stop, ..request("", max_new_tokens) })
}

#[test]
fn characters_spread_over_tokens_come_out_whole() {
    let said = "naïve 漢字 👩\u{200d}🚀 end";
    let engine = engine(Script::saying(said), options());
    let outcome = chat(&engine, &[], 0);
    assert_eq!(outcome.text, said);
    assert_eq!(outcome.reason(), StopReason::EndOfText);
    assert_eq!(outcome.tokens.len(), said.len(), "one token a byte, the end not counted");
    assert!(outcome.texts.iter().all(|t| !t.contains('\u{fffd}')));
}

#[test]
fn an_answer_cut_inside_a_character_says_so_at_its_end() {
    let engine = engine(Script::saying("ab漢"), options());
    let outcome = chat(&engine, &[], 4);
    assert_eq!(outcome.reason(), StopReason::Length);
    assert_eq!(outcome.text, "ab\u{fffd}");
}

#[test]
fn stop_strings_end_the_answer_and_are_not_part_of_it() {
    let engine = engine(Script::saying("one two STOP three"), options());
    for (stop, text) in
        [(&["STOP"][..], "one two "), (&["two", "STOP"], "one "), (&["wo STOP th"], "one t"), (&["o"], "")]
    {
        let outcome = chat(&engine, stop, 0);
        assert_eq!((outcome.text.as_str(), outcome.reason()), (text, StopReason::StopString), "{stop:?}");
    }
}

#[test]
fn what_only_looked_like_a_stop_string_is_delivered() {
    let engine = engine(Script::saying("a STO b ST"), options());
    let outcome = chat(&engine, &["STOP"], 0);
    assert_eq!((outcome.text.as_str(), outcome.reason()), ("a STO b ST", StopReason::EndOfText));
    let outcome = chat(&engine, &["STOP"], 5);
    assert_eq!((outcome.text.as_str(), outcome.reason()), ("a STO", StopReason::Length));
}

#[test]
fn no_part_of_a_stop_string_is_ever_delivered() {
    let engine = engine(Script::saying("text ABCDEF more"), options());
    let outcome = chat(&engine, &["ABCDEF"], 0);
    assert_eq!(outcome.text, "text ");
    assert!(outcome.texts.iter().all(|t| !t.contains('A')));
}

#[test]
fn the_first_token_is_part_of_the_answer() {
    let engine = engine(Script::saying("X"), options());
    let outcome = chat(&engine, &[], 1);
    assert_eq!((outcome.text.as_str(), outcome.tokens.as_slice()), ("X", &[88][..]));
    assert_eq!(outcome.reason(), StopReason::Length);
}

#[test]
fn control_tokens_count_but_have_no_text() {
    let script = Script::replying(|history| match history.len() {
        4 => only(CONTROL),
        5 => only(66),
        _ => only(END),
    });
    let outcome = run(&engine(script, options()), request("four", 0));
    assert_eq!((outcome.text.as_str(), outcome.tokens.as_slice()), ("B", &[CONTROL, 66][..]));
}

#[test]
fn log_probabilities_are_those_of_the_model() {
    let script = Script::replying(|_| {
        let mut logits = vec![f32::MIN_POSITIVE.ln(); 260];
        (logits[65], logits[66], logits[67]) = (0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln());
        logits
    });
    let engine = engine(script, options());
    let mut asked = request("a", 2);
    asked.logprobs = Some(2);
    asked.sampling.logit_bias = vec![(66, 5.0)];
    let generation = engine.submit(asked, no_wake()).expect("room");
    let mut tokens = Vec::new();
    while let Some(event) = generation.next() {
        if let Event::Text { tokens: new, .. } = event {
            tokens.extend(new);
        }
    }
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert_eq!(token.id, 66, "bias decides the pick");
        assert!((token.logprob.expect("asked for").exp() - 0.3).abs() < 1e-5, "but not the probability");
        let top: Vec<_> = token.top.iter().map(|t| (t.id, (t.logprob.exp() * 10.0).round())).collect();
        assert_eq!(top, [(65, 5.0), (66, 3.0)]);
    }
}

#[test]
fn usage_counts_and_times_the_parts() {
    let engine = engine(hashed(100_000), options());
    run(&engine, request("some prompt", 1));
    let (reason, usage) = run(&engine, request("some prompt and more", 7)).end.expect("ends well");
    assert_eq!(reason, StopReason::Length);
    assert_eq!((usage.prompt_tokens, usage.cached_tokens, usage.new_tokens), (20, 11, 7));
    assert!(usage.queue_millis >= 0.0 && usage.prefill_millis > 0.0 && usage.decode_millis > 0.0);
}

#[test]
fn telemetry_counts_sampling_when_it_is_on() {
    let engine = engine(hashed(100_000), options());
    let telemetry = engine.telemetry();
    let sampled = || {
        let totals = telemetry.totals();
        totals.iter().find(|t| t.phase.name() == "sampling").map_or(0, |t| t.calls)
    };
    run(&engine, request("quiet", 5));
    assert_eq!(sampled(), 0);
    telemetry.set_on(true);
    run(&engine, request("counted", 5));
    assert_eq!(sampled(), 5);
    assert!(Arc::ptr_eq(&telemetry, &engine.clone().telemetry()), "one set of counters for all handles");
}
