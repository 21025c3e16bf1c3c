//! The session layer on real weights and the real CPU lane: what shares a batch never changes an answer.

use std::path::PathBuf;
use std::sync::Arc;

use onebit_engine::lane::{KvDtype, LaneChoice};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{
    EngineHandle, EngineOptions, Event, LoadOptions, Prompt, Request, StopReason, Waker,
};
use onebit_engine::tokenizer::{Message, Role};

fn no_wake() -> Waker {
    Arc::new(|| {})
}

fn engine(options: EngineOptions) -> EngineHandle {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
    let engine = EngineHandle::start(options).expect("the CPU lane opens");
    let load = LoadOptions { id: "starter".into(), path, context: 512, kv_dtype: KvDtype::F16 };
    engine.load(load, no_wake()).wait().expect("the starter loads");
    engine
}

fn options() -> EngineOptions {
    EngineOptions { lane: LaneChoice::Cpu, threads: 2, ..EngineOptions::default() }
}

fn request(question: &str, temperature: f32) -> Request {
    let message = Message { role: Role::User, content: question.into() };
    Request {
        model: "starter".into(),
        prompt: Prompt::Chat(vec![message]),
        sampling: Sampling { temperature, seed: 7, ..Sampling::default() },
        max_new_tokens: 12,
        stop: Vec::new(),
        session: None,
        logprobs: None,
    }
}

/// Tokens, text and cached prompt tokens.
fn run(engine: &EngineHandle, request: Request) -> (Vec<u32>, String, u32) {
    collect(&engine.submit(request, no_wake()).expect("room"))
}

fn collect(generation: &onebit_engine::session::Generation) -> (Vec<u32>, String, u32) {
    let (mut ids, mut all, mut cached) = (Vec::new(), String::new(), 0);
    while let Some(event) = generation.next() {
        match event {
            Event::Started { cached_tokens, .. } => cached = cached_tokens,
            Event::Prefill { .. } => {}
            Event::Text { text, tokens } => {
                all.push_str(&text);
                ids.extend(tokens.iter().map(|t| t.id));
            }
            Event::Done { reason, .. } => assert_ne!(reason, StopReason::Cancelled),
            Event::Failed(error) => panic!("{error}"),
        }
    }
    (ids, all, cached)
}

const QUESTIONS: [&str; 8] = [
    "Why is the sky blue?",
    "Name three rivers.",
    "Hi",
    "What is 2 + 2?",
    "Write one sentence about the sea, its waves, its wind and the people who live by it.",
    "Who are you?",
    "Count to five.",
    "Say something in French.",
];

#[test]
fn eight_at_once_equal_one_by_one_to_the_token() {
    // A short chunk spreads the prompts over several steps, so that reading and answering overlap.
    let together = engine(EngineOptions { prefill_chunk: 24, ..options() });
    let alone = engine(EngineOptions { max_running: 1, threads: 1, ..options() });
    for temperature in [0.0, 0.9] {
        let open: Vec<_> = QUESTIONS
            .iter()
            .map(|q| together.submit(request(q, temperature), no_wake()).expect("room"))
            .collect();
        let together: Vec<_> = open.iter().map(collect).collect();
        for (question, (ids, text, _)) in QUESTIONS.iter().zip(together) {
            let (alone_ids, alone_text, _) = run(&alone, request(question, temperature));
            assert_eq!(ids, alone_ids, "{question}, temperature {temperature}");
            assert_eq!(text, alone_text);
            assert!(!ids.is_empty(), "{question}");
        }
    }
}

#[test]
fn a_second_turn_on_cached_positions_says_what_a_fresh_engine_says() {
    let warm = engine(options());
    let (_, answer, _) = run(&warm, request("Tell me about rivers.", 0.0));
    let mut second = request("", 0.0);
    let message = |role, content: &str| Message { role, content: content.into() };
    second.prompt = Prompt::Chat(vec![
        message(Role::User, "Tell me about rivers."),
        message(Role::Assistant, &answer),
        message(Role::User, "And lakes?"),
    ]);
    let (warm_ids, warm_text, cached) = run(&warm, second.clone());
    let (fresh_ids, fresh_text, fresh_cached) = run(&engine(options()), second);
    assert!(cached > 0, "nothing was reused");
    assert_eq!(fresh_cached, 0);
    assert_eq!((warm_ids, warm_text), (fresh_ids, fresh_text));
}
