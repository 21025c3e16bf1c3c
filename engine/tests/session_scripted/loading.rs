//! A load takes its turns between the steps of running generations, and however it ends, everything else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use onebit_engine::lane::KvDtype;
use onebit_engine::session::scripted::Script;
use onebit_engine::session::{EngineHandle, EngineOptions, Load, LoadEvent, LoadOptions, Request};

use crate::fixture::{
    engine, finish, hashed, hide_scripted_panics, load, no_wake, options, request, run, until,
};

/// An engine that serves `m`, and what its further loads depend on.
struct Bed {
    engine: EngineHandle,
    /// Parts of a load; a load of endless parts is in flight until it is cancelled or the number is lowered.
    parts: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Bed {
    fn new(script: Script) -> Self {
        let (parts, held) = (Arc::clone(&script.load_parts), Arc::clone(&script.held));
        Self { engine: engine(script, options()), parts, held }
    }

    /// A load of `id` that does not end by itself.
    fn begin(&self, id: &str) -> Load {
        self.parts.store(usize::MAX, Ordering::SeqCst);
        let (before, held) = (self.engine.status().memory_used_bytes, self.held.load(Ordering::SeqCst));
        let load = self.engine.load(load_options(id), no_wake());
        until("the upload begins", || self.held.load(Ordering::SeqCst) > held);
        until("its memory is counted", || self.engine.status().memory_used_bytes > before);
        load
    }

    fn serves(&self, id: &str) {
        let request = Request { model: id.into(), ..request("hello", 40) };
        assert_eq!(run(&self.engine, request).tokens.len(), 40, "{id} answers");
    }
}

fn load_options(id: &str) -> LoadOptions {
    LoadOptions { id: id.into(), path: format!("{id}.gguf").into(), context: 256, kv_dtype: KvDtype::F16 }
}

#[test]
fn whole_answers_arrive_while_a_load_is_in_flight() {
    let bed = Bed::new(hashed(100_000));
    let alone = run(&bed.engine, request("beside a load", 300)).tokens;
    let load = bed.begin("n");
    let beside = run(&bed.engine, request("beside a load", 300));
    assert_eq!(beside.tokens, alone);
    assert!(bed.engine.status().models.iter().all(|model| model.id != "n"), "the load has not ended");
    assert!(!matches!(load.try_next(), Some(LoadEvent::Loaded(_) | LoadEvent::Failed(_))));
    bed.parts.store(1, Ordering::SeqCst);
    assert_eq!(load.wait().expect("it fits").id, "n");
    bed.serves("n");
}

#[test]
fn a_cancelled_load_frees_everything_and_the_first_model_serves_on() {
    let bed = Bed::new(hashed(100_000));
    let before = bed.engine.status().memory_used_bytes;
    let running = bed.engine.submit(request("running", 300), no_wake()).expect("room");
    drop(bed.begin("n"));
    until("the load is freed", || bed.held.load(Ordering::SeqCst) == 1);
    until("its memory is free", || bed.engine.status().memory_used_bytes == before);
    assert_eq!(finish(&running).tokens.len(), 300);
    bed.parts.store(3, Ordering::SeqCst);
    load(&bed.engine, "n", 256).expect("the name is free");
    bed.serves("n");
    bed.engine.shutdown();
    assert_eq!(bed.held.load(Ordering::SeqCst), 0);
}

#[test]
fn a_load_that_fails_or_panics_in_the_middle_leaves_the_first_model_serving() {
    hide_scripted_panics();
    for panics in [false, true] {
        let broken = Arc::new(AtomicBool::new(false));
        let is_broken = Arc::clone(&broken);
        let before_part = move |part: usize| {
            let fails = is_broken.load(Ordering::SeqCst) && part == 5;
            assert!(!(fails && panics), "scripted panic");
            if fails { Err("n.gguf: a scripted failure".into()) } else { Ok(()) }
        };
        let bed = Bed::new(Script { before_part: Arc::new(before_part), ..hashed(100_000) });
        let before = bed.engine.status().memory_used_bytes;
        broken.store(true, Ordering::SeqCst);
        let running = bed.engine.submit(request("running", 300), no_wake()).expect("room");
        let failure = load(&bed.engine, "n", 256).expect_err("part 5 fails").text;
        let expected = if panics { "internal error: scripted panic" } else { "a scripted failure" };
        assert!(failure.contains("n.gguf") && failure.contains(expected), "{failure}");
        assert_eq!(bed.held.load(Ordering::SeqCst), 1, "what was uploaded is freed");
        assert_eq!(bed.engine.status().memory_used_bytes, before);
        assert_eq!(finish(&running).tokens.len(), 300);
        broken.store(false, Ordering::SeqCst);
        load(&bed.engine, "n", 256).expect("the next one loads");
        bed.serves("m");
    }
}

#[test]
fn loads_in_flight_count_against_the_budget() {
    let script = Script { weight_bytes: 4_000_000, ..hashed(1000) };
    let parts = Arc::clone(&script.load_parts);
    parts.store(usize::MAX, Ordering::SeqCst);
    let options = EngineOptions { memory_bytes: 10_000_000, ..options() };
    let engine = EngineHandle::start_with(options, move |_| Ok(script.backend())).expect("starts");
    let first = engine.load(load_options("a"), no_wake());
    let second = engine.load(load_options("b"), no_wake());
    until("both are in flight", || engine.status().memory_used_bytes > 8_000_000);
    let refused = load(&engine, "c", 256).expect_err("two others take the budget").text;
    assert!(refused.contains("unload another model"), "{refused}");
    assert!(load(&engine, "a", 256).expect_err("taken").text.contains("unload it first"));
    engine.unload("a");
    assert!(first.wait().expect_err("it was unloaded").text.contains("unloaded before it was loaded"));
    parts.store(1, Ordering::SeqCst);
    assert_eq!(second.wait().expect("it fits").id, "b");
    load(&engine, "c", 256).expect("room again");
}

#[test]
fn a_shutdown_ends_an_upload_and_frees_it() {
    let bed = Bed::new(hashed(1000));
    let load = bed.begin("n");
    bed.engine.shutdown();
    assert_eq!(load.wait().expect_err("the engine stopped").text, "the engine stopped");
    assert_eq!(bed.held.load(Ordering::SeqCst), 0);
}
