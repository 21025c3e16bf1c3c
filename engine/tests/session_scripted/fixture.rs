//! Engines over scripted models, and readers that check the promises every event stream keeps.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Once};

use onebit_engine::lane::{KvDtype, LaneError};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::scripted::{END, Script, VOCAB};
use onebit_engine::session::{
    EngineHandle, EngineOptions, Event, GenerateError, Generation, LoadFailure, LoadOptions, ModelStatus,
    Prompt, Request, StopReason, Usage, Waker,
};

pub fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix(*state)
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn no_wake() -> Waker {
    Arc::new(|| {})
}

/// Panics that a script asks for are part of the test and are not printed.
pub fn hide_scripted_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
            if !text.starts_with("scripted") {
                usual(info);
            }
        }));
    });
}

/// Logits that depend on every token of the history, so that one wrong KV page changes the text. About one history in
/// `end_every` ends the answer.
pub fn hashed(end_every: u64) -> Script {
    Script::replying(move |history| {
        let hash = history.iter().fold(0x5eed, |h: u64, &id| mix(h ^ u64::from(id)).wrapping_add(0x9e37));
        let mut logits: Vec<f32> =
            (0..VOCAB as u64).map(|id| (mix(hash ^ (id << 32)) >> 40) as f32 / (1u64 << 22) as f32).collect();
        // Printable ASCII only.
        for (id, logit) in logits.iter_mut().enumerate() {
            if !(32..127).contains(&id) {
                *logit = -20.0;
            }
        }
        if mix(hash).is_multiple_of(end_every) {
            logits[END as usize] = 30.0;
        }
        logits
    })
}

/// An engine with the model `m` loaded.
pub fn engine(script: Script, options: EngineOptions) -> EngineHandle {
    let engine = EngineHandle::start_with(options, move |_| Ok(script.backend())).expect("starts");
    load(&engine, "m", 1024).expect("fits");
    engine
}

pub fn load(engine: &EngineHandle, id: &str, context: usize) -> Result<ModelStatus, LoadFailure> {
    let options =
        LoadOptions { id: id.into(), path: format!("{id}.gguf").into(), context, kv_dtype: KvDtype::F16 };
    engine.load(options, no_wake()).wait()
}

pub fn options() -> EngineOptions {
    EngineOptions { memory_bytes: 1 << 30, ..EngineOptions::default() }
}

pub fn request(prompt: &str, max_new_tokens: u32) -> Request {
    Request {
        model: "m".into(),
        prompt: Prompt::Text(prompt.into()),
        sampling: Sampling::default(),
        max_new_tokens,
        stop: Vec::new(),
        session: None,
        logprobs: None,
    }
}

/// Everything one generation said.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub text: String,
    pub tokens: Vec<u32>,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    pub texts: Vec<String>,
    pub end: Result<(StopReason, Usage), GenerateError>,
}

impl Outcome {
    pub fn reason(&self) -> StopReason {
        self.end.clone().expect("ended well").0
    }
}

/// Reads to the end and checks the order of events: at most one `Started` first, prefill before text, one last event, then
/// nothing for ever.
pub fn finish(generation: &Generation) -> Outcome {
    let mut outcome = Outcome {
        text: String::new(),
        tokens: Vec::new(),
        prompt_tokens: 0,
        cached_tokens: 0,
        texts: Vec::new(),
        end: Err(GenerateError::Stopped),
    };
    let mut seen = 0;
    let mut prefilled = 0;
    loop {
        let event = generation.next().expect("a stream does not end before its last event");
        match event {
            Event::Started { prompt_tokens, cached_tokens, lane } => {
                assert_eq!(seen, 0, "Started comes first");
                assert_eq!(lane, "scripted");
                assert!(cached_tokens < prompt_tokens);
                (outcome.prompt_tokens, outcome.cached_tokens) = (prompt_tokens, cached_tokens);
                prefilled = cached_tokens;
            }
            Event::Prefill { done_tokens } => {
                assert!(done_tokens > prefilled && done_tokens <= outcome.prompt_tokens);
                assert!(outcome.tokens.is_empty(), "prefill comes before text");
                prefilled = done_tokens;
            }
            Event::Text { text, tokens } => {
                assert_eq!(prefilled, outcome.prompt_tokens, "text comes after the whole prompt");
                outcome.text.push_str(&text);
                outcome.texts.push(text);
                outcome.tokens.extend(tokens.iter().map(|t| t.id));
            }
            Event::Done { reason, usage } => {
                assert_eq!(usage.new_tokens as usize, outcome.tokens.len());
                outcome.end = Ok((reason, usage));
                break;
            }
            Event::Failed(error) => {
                outcome.end = Err(error);
                break;
            }
        }
        seen += 1;
    }
    assert!(generation.try_next().is_none() && generation.next().is_none(), "an event after the last one");
    assert!(generation.has_ended());
    outcome
}

pub fn run(engine: &EngineHandle, request: Request) -> Outcome {
    finish(&engine.submit(request, no_wake()).expect("accepted"))
}

/// Lets a test decide when each step of the engine happens.
#[derive(Clone)]
pub struct Steps(Sender<()>);

impl Steps {
    /// A script whose steps each wait for [`Steps::allow`].
    pub fn of(script: Script) -> (Script, Self) {
        let (allow, allowed) = channel();
        let allowed = Mutex::new(allowed);
        let script = script.before_step(move |_, _| {
            // When the test has ended nobody waits for anything.
            let _ = allowed.lock().map(|allowed| allowed.recv());
            Ok(())
        });
        (script, Self(allow))
    }

    pub fn allow(&self, n: usize) {
        for _ in 0..n {
            // An engine that has stopped needs no leave.
            let _ = self.0.send(());
        }
    }

    /// Waits for something that takes an unknown number of steps.
    pub fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        until(what, || {
            happened() || {
                self.allow(1);
                std::thread::sleep(std::time::Duration::from_millis(2));
                false
            }
        });
    }
}

/// Waits for something that another thread will do.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !happened() {
        assert!(start.elapsed().as_secs() < 60, "waited a minute for: {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

pub fn lost() -> LaneError {
    LaneError::Lost { lane: "scripted", op: "a test" }
}
