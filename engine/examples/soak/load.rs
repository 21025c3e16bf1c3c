//! The requests of a soak run, and what became of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onebit_engine::sampler::Sampling;
use onebit_engine::session::{
    EngineHandle, Event, Generation, Prompt, Request, ScoreEvent, ScoreRequest, StopReason,
};
use onebit_engine::tokenizer::{Message, Role};

/// Requests in flight.
const AT_ONCE: usize = 8;
/// Requests between two readings of resident memory.
const RSS_EVERY: usize = 500;
/// Request after which memory must not grow any more.
const WARM: usize = 1000;

/// Counts of one phase.
#[derive(Default)]
pub struct Tally {
    pub submitted: usize,
    pub length: usize,
    pub end_of_text: usize,
    pub stop_string: usize,
    pub cancelled: usize,
    pub dropped: usize,
    pub scored: usize,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub new_tokens: u64,
    /// (requests submitted, resident KiB).
    pub rss: Vec<(usize, u64)>,
}

impl Tally {
    /// Resident memory at the end relative to that after request 1,000; none when there was no such request.
    pub fn growth(&self) -> Option<f64> {
        let warm = self.rss.iter().find(|(requests, _)| *requests >= WARM)?;
        let (_, last) = self.rss.last()?;
        Some(*last as f64 / warm.1 as f64)
    }

    fn note_rss(&mut self) -> Result<(), String> {
        let kib = resident_kib()?;
        eprintln!("{} requests, {} MiB resident", self.submitted, kib / 1024);
        self.rss.push((self.submitted, kib));
        Ok(())
    }
}

/// `VmRSS` of this process.
fn resident_kib() -> Result<u64, String> {
    let status =
        std::fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| "/proc/self/status: no VmRSS".to_owned())
}

struct Random(u64);

impl Random {
    /// splitmix64.
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A request in flight, and after how many tokens its caller loses interest.
struct Open {
    generation: Generation,
    cancel_after: Option<u64>,
    tokens: u64,
    cancelled: bool,
}

fn request(prompt: Prompt, random: &mut Random, max_new_tokens: u64) -> Request {
    let seed = random.below(1 << 40);
    let temperature = if random.below(2) == 0 { 0.0 } else { 0.8 };
    Request {
        model: "soak".into(),
        prompt,
        sampling: Sampling { temperature, top_p: 0.95, seed, ..Sampling::default() },
        max_new_tokens: u32::try_from(max_new_tokens).unwrap_or(u32::MAX),
        stop: if random.below(8) == 0 { vec!["the".into()] } else { Vec::new() },
        session: (random.below(10) == 0).then(|| format!("session {}", random.below(4))),
        logprobs: (random.below(16) == 0).then_some(3),
    }
}

/// Eight to 24 ids that real prompts may have, with prefixes in common.
fn short_prompt(random: &mut Random) -> Prompt {
    let shared = 1000 + u32::try_from(random.below(4)).unwrap_or(0);
    let own = 4 + random.below(20);
    let ids = (0..own).map(|_| 200 + u32::try_from(random.below(40_000)).unwrap_or(0));
    Prompt::Tokens([shared; 4].into_iter().chain(ids).collect())
}

fn submit(engine: &EngineHandle, request: Request, cancel_after: Option<u64>) -> Result<Open, String> {
    let generation = engine.submit(request, Arc::new(|| {})).map_err(|e| e.to_string())?;
    Ok(Open { generation, cancel_after, tokens: 0, cancelled: false })
}

/// Reads what is there. True when the generation ended, exactly once.
fn drain(open: &mut Open, tally: &mut Tally) -> Result<bool, String> {
    while let Some(event) = open.generation.try_next() {
        match event {
            Event::Started { prompt_tokens, cached_tokens, .. } => {
                tally.prompt_tokens += u64::from(prompt_tokens);
                tally.cached_tokens += u64::from(cached_tokens);
            }
            Event::Prefill { .. } => {}
            Event::Text { tokens, .. } => open.tokens += tokens.len() as u64,
            Event::Done { reason, usage } => {
                check_end(open, reason, u64::from(usage.new_tokens))?;
                tally.new_tokens += u64::from(usage.new_tokens);
                match reason {
                    StopReason::Length => tally.length += 1,
                    StopReason::EndOfText => tally.end_of_text += 1,
                    StopReason::StopString => tally.stop_string += 1,
                    StopReason::Cancelled => tally.cancelled += 1,
                }
                return Ok(true);
            }
            Event::Failed(error) => return Err(format!("a generation failed: {error}")),
        }
        if open.cancel_after.is_some_and(|after| open.tokens >= after) && !open.cancelled {
            open.generation.cancel();
            open.cancelled = true;
        }
    }
    if open.generation.has_ended() {
        return Err("a generation ended without a last event".into());
    }
    Ok(false)
}

fn check_end(open: &Open, reason: StopReason, new_tokens: u64) -> Result<(), String> {
    if open.generation.next().is_some() {
        return Err("an event came after the last one".into());
    }
    if new_tokens != open.tokens {
        return Err(format!("{new_tokens} tokens were counted, {} delivered", open.tokens));
    }
    if reason == StopReason::Cancelled && !open.cancelled {
        return Err("a generation was cancelled by nobody".into());
    }
    Ok(())
}

/// `count` short requests, [`AT_ONCE`] in flight; one in five is cancelled, one in twenty dropped.
pub fn short_requests(engine: &EngineHandle, count: usize, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random(1);
    let mut open: Vec<Open> = Vec::new();
    while tally.submitted < count || !open.is_empty() {
        while open.len() < AT_ONCE && tally.submitted < count {
            let cancel_after = (random.below(5) == 0).then(|| random.below(6));
            let prompt = short_prompt(&mut random);
            let max_new_tokens = 4 + random.below(13);
            let request = request(prompt, &mut random, max_new_tokens);
            let mut next = submit(engine, request, cancel_after)?;
            tally.submitted += 1;
            if tally.submitted.is_multiple_of(RSS_EVERY) {
                tally.note_rss()?;
            }
            if random.below(20) == 0 {
                tally.dropped += 1;
                continue;
            }
            if cancel_after == Some(0) {
                next.generation.cancel();
                next.cancelled = true;
            }
            open.push(next);
        }
        sweep(&mut open, tally)?;
    }
    wait_until_idle(engine)?;
    tally.note_rss()
}

/// Reads all that are in flight, and rests for a moment when none of them ended.
fn sweep(open: &mut Vec<Open>, tally: &mut Tally) -> Result<(), String> {
    let before = open.len();
    let mut i = 0;
    while i < open.len() {
        if drain(&mut open[i], tally)? {
            open.swap_remove(i);
        } else {
            i += 1;
        }
    }
    if open.len() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Chats of several turns, long prompts, short requests and perplexity windows side by side, for `time`.
pub fn mixed_load(engine: &EngineHandle, time: Duration, tally: &mut Tally) -> Result<(), String> {
    let began = Instant::now();
    let mut random = Random(2);
    let mut open: Vec<Open> = Vec::new();
    let mut next_rss = Duration::ZERO;
    while began.elapsed() < time || !open.is_empty() {
        while open.len() < AT_ONCE && began.elapsed() < time {
            let kind = random.below(10);
            let prompt = match kind {
                0 | 1 => long_prompt(&mut random),
                2..=5 => chat(&mut random),
                _ => short_prompt(&mut random),
            };
            let max_new_tokens = 1 + random.below(if kind < 6 { 120 } else { 16 });
            let request = request(prompt, &mut random, max_new_tokens);
            let cancel_after = (random.below(4) == 0).then(|| 1 + random.below(40));
            open.push(submit(engine, request, cancel_after)?);
            tally.submitted += 1;
            if random.below(40) == 0 {
                score(engine, &mut random, tally)?;
            }
        }
        if began.elapsed() >= next_rss {
            tally.note_rss()?;
            next_rss += Duration::from_secs(60);
        }
        sweep(&mut open, tally)?;
    }
    wait_until_idle(engine)?;
    tally.note_rss()
}

fn long_prompt(random: &mut Random) -> Prompt {
    let ids = (0..100 + random.below(700)).map(|_| 200 + u32::try_from(random.below(40_000)).unwrap_or(0));
    Prompt::Tokens(ids.collect())
}

fn chat(random: &mut Random) -> Prompt {
    let questions = ["Why is the sky blue?", "Name three rivers.", "Tell me a story.", "And then? é漢🚀"];
    let turns = 1 + random.below(3);
    let mut messages = Vec::new();
    for turn in 0..turns {
        let question = questions[usize::try_from(random.below(4)).unwrap_or(0)];
        messages.push(Message { role: Role::User, content: question.into() });
        if turn + 1 < turns {
            messages.push(Message { role: Role::Assistant, content: "I will think about it.".into() });
        }
    }
    Prompt::Chat(messages)
}

fn score(engine: &EngineHandle, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let tokens = (0..200).map(|_| 200 + u32::try_from(random.below(40_000)).unwrap_or(0)).collect();
    let request = ScoreRequest { model: "soak".into(), tokens, context: 128 };
    let score = engine.score(request, Arc::new(|| {})).map_err(|e| e.to_string())?;
    while let Some(event) = score.next() {
        match event {
            ScoreEvent::Progress { .. } => {}
            ScoreEvent::Done { scored: 198, .. } => tally.scored += 1,
            ScoreEvent::Done { scored, .. } => return Err(format!("{scored} of 198 tokens were scored")),
            ScoreEvent::Failed(error) => return Err(format!("a scoring failed: {error}")),
        }
    }
    Ok(())
}

/// Dropped generations end on their own; afterwards nothing runs and the KV bytes add up.
fn wait_until_idle(engine: &EngineHandle) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let status = engine.status();
        if status.running == 0 && status.queued == 0 {
            let slots: u64 = status.slots.iter().map(|s| s.kv_bytes).sum();
            let models: u64 = status.models.iter().map(|m| m.kv_used_bytes).sum();
            return match slots == models && status.slots.iter().all(|s| !s.busy) {
                true => Ok(()),
                false => Err(format!("slots hold {slots} KV bytes, models say {models}")),
            };
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err(format!("{} running and {} queued after a minute", status.running, status.queued));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
