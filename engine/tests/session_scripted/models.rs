//! Loading: one budget over all models, names used once, cancel, and what a failure says.

use onebit_engine::lane::KvDtype;
use onebit_engine::session::{EngineHandle, EngineOptions, LoadEvent, LoadOptions, Request};
use onebit_engine::tokenizer::Specials;

use crate::fixture::{engine, hashed, load, no_wake, options, request, run, until};

fn start(memory_bytes: u64, weight_bytes: u64) -> EngineHandle {
    let script = onebit_engine::session::scripted::Script { weight_bytes, ..hashed(1000) };
    let options = EngineOptions { memory_bytes, ..options() };
    EngineHandle::start_with(options, move |_| Ok(script.backend())).expect("starts")
}

#[test]
fn a_model_larger_than_memory_is_refused_with_both_numbers() {
    let engine = start(10_000_000, 50_000_000);
    let failure = load(&engine, "big", 512).expect_err("does not fit").text;
    assert!(failure.contains("big.gguf") && failure.contains("10000000 bytes are available"), "{failure}");
    assert!(failure.contains("needs 5"), "{failure}");
    assert_eq!(engine.status().memory_used_bytes, 0);
    assert!(engine.status().models.is_empty());
}

#[test]
fn models_share_one_budget() {
    let engine = start(10_000_000, 4_000_000);
    let first = load(&engine, "a", 512).expect("fits");
    load(&engine, "b", 512).expect("fits beside it");
    assert!(load(&engine, "c", 512).is_err());
    let status = engine.status();
    assert_eq!(status.models.len(), 2);
    assert!(status.memory_used_bytes > 8_000_000 && status.memory_used_bytes <= 10_000_000);
    engine.unload("a");
    until("a is gone", || engine.status().models.len() == 1);
    let third = load(&engine, "c", 512).expect("fits now");
    assert_eq!(third.weight_bytes, first.weight_bytes);
}

#[test]
fn each_request_is_answered_by_the_model_it_names() {
    let engine = engine(hashed(1000), options());
    let status = load(&engine, "n", 64).expect("fits");
    assert_eq!((status.context, status.n_layers, status.name.as_str()), (64, 1, "Scripted"));
    let on_n = |text: &str| run(&engine, Request { model: "n".into(), ..request(text, 0) });
    assert_eq!(on_n(&"x".repeat(60)).prompt_tokens, 60);
    assert!(on_n(&"x".repeat(64)).end.is_err(), "the shorter context is that of n");
    assert!(run(&engine, request(&"x".repeat(64), 3)).end.is_ok());
    let busy = engine.status();
    let positions =
        |id: &str| busy.slots.iter().filter(|s| s.model == id).map(|s| s.positions).sum::<usize>();
    assert!(positions("n") >= 60 && positions("m") >= 64);
}

#[test]
fn a_name_in_use_a_missing_file_and_a_long_context_are_refused() {
    let engine = engine(hashed(1000), options());
    assert!(load(&engine, "m", 64).expect_err("taken").text.contains("unload it first"));
    assert!(load(&engine, "missing", 64).expect_err("no file").text.contains("missing.gguf: no such file"));
    let failure = load(&engine, "n", 5000).expect_err("too long").text;
    assert!(failure.contains("5000") && failure.contains("4096"), "{failure}");
    assert_eq!(load(&engine, "n", 0).expect("fits").context, 4096);
    assert_eq!(engine.tokenize("m", "ab", Specials::Literal).expect("resident"), [97, 98]);
    assert!(engine.tokenize("x", "ab", Specials::Literal).is_err());
}

#[test]
fn a_load_reports_progress_and_its_end_once() {
    let engine = start(1 << 30, 1 << 20);
    let options =
        LoadOptions { id: "m".into(), path: "m.gguf".into(), context: 256, kv_dtype: KvDtype::Int8 };
    let load = engine.load(options, no_wake());
    let mut events = Vec::new();
    until("the load ends", || {
        events.extend(load.try_next());
        matches!(events.last(), Some(LoadEvent::Loaded(_) | LoadEvent::Failed(_)))
    });
    let mut last = 0;
    for event in &events[..events.len() - 1] {
        match event {
            LoadEvent::Progress { done_bytes, total_bytes } => {
                assert!(*done_bytes >= last && done_bytes <= total_bytes);
                last = *done_bytes;
            }
            event => panic!("{event:?} before the end"),
        }
    }
    assert_eq!(last, 1 << 20);
    assert!(load.try_next().is_none());
}

#[test]
fn a_dropped_load_leaves_nothing_behind() {
    for _ in 0..50 {
        let engine = start(1 << 30, 1 << 20);
        let options =
            LoadOptions { id: "m".into(), path: "m.gguf".into(), context: 256, kv_dtype: KvDtype::F16 };
        drop(engine.load(options, no_wake()));
        // It was cancelled, or was resident before the drop was felt: the name is usable either way.
        engine.unload("m");
        load(&engine, "m", 256).expect("nothing in the way");
        assert_eq!(engine.status().models.len(), 1);
    }
}

#[test]
fn loads_in_flight_end_at_shutdown() {
    let engine = start(1 << 30, 1 << 20);
    let options = LoadOptions { id: "m".into(), path: "m.gguf".into(), context: 256, kv_dtype: KvDtype::F16 };
    let load = engine.load(options.clone(), no_wake());
    engine.shutdown();
    // Loaded before the shutdown or stopped by it, but ended.
    let _ = load.wait();
    assert!(engine.load(options, no_wake()).wait().is_err());
}
