//! Tokens of texts, counted by the chosen model's tokenizer on a thread of its own. What has not been counted yet is estimated, and
//! says so.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Waker;
use crate::store::Message;

/// Counts the tokens of a text under a resident model; `None` when it cannot. Called on the counter's thread.
pub type CountTokens = Arc<dyn Fn(&str, &str) -> Option<usize> + Send + Sync>;

/// Most counts remembered.
const MAX_KNOWN: usize = 20_000;

/// A number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How many.
    pub tokens: usize,
    /// Whether they were counted, not estimated.
    pub exact: bool,
}

/// Tells texts apart without holding them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextKey(u64);

impl TextKey {
    /// Key of a text. Reads all of it: make it once for a long one.
    pub fn of(text: &str) -> Self {
        Self(hash_of(text))
    }

    /// Key of a message as prompts hold it. Messages only grow, so their length tells versions apart.
    pub fn of_message(message: &Message) -> Self {
        Self(hash_of((message.id, message.content.len())))
    }
}

struct Job {
    key: (u64, TextKey),
    model: String,
    text: String,
    count: CountTokens,
}

/// See the module documentation.
pub struct Counter {
    jobs: Option<Sender<Job>>,
    counted: Receiver<((u64, TextKey), Option<usize>)>,
    known: HashMap<(u64, TextKey), Option<usize>>,
    asked: HashSet<(u64, TextKey)>,
    count: Option<CountTokens>,
}

impl Counter {
    /// Starts the thread. Without it everything is estimated.
    pub fn start(waker: Waker) -> Self {
        let (jobs, to_do) = channel::<Job>();
        let (done, counted) = channel();
        let spawned = std::thread::Builder::new().name("counter".to_owned()).spawn(move || {
            while let Ok(job) = to_do.recv() {
                if done.send((job.key, (job.count)(&job.model, &job.text))).is_err() {
                    return;
                }
                waker();
            }
        });
        Self {
            jobs: spawned.is_ok().then_some(jobs),
            counted,
            known: HashMap::new(),
            asked: HashSet::new(),
            count: None,
        }
    }

    /// Counts with this from now on.
    pub fn count_with(&mut self, count: Option<CountTokens>) {
        self.count = count;
    }

    /// Forgets what could not be counted, so that it is tried again: another engine or model may do it.
    pub fn forget_failures(&mut self) {
        self.known.retain(|_, count| count.is_some());
    }

    /// Takes what has been counted.
    pub fn take_counted(&mut self) {
        while let Ok((key, count)) = self.counted.try_recv() {
            self.asked.remove(&key);
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(key, count);
        }
    }

    /// Tokens of a text of `bytes` bytes, as far as they are known; estimated otherwise.
    pub fn look_up(&self, model: &str, key: TextKey, bytes: usize) -> Count {
        if bytes == 0 {
            return Count { tokens: 0, exact: true };
        }
        match self.known.get(&(hash_of(model), key)) {
            Some(Some(tokens)) => Count { tokens: *tokens, exact: true },
            Some(None) | None => Count { tokens: estimate(bytes), exact: false },
        }
    }

    /// Has a text counted unless it was; says whether it is known now, or never will be.
    pub fn ask(&mut self, model: &str, key: TextKey, text: impl FnOnce() -> String) -> bool {
        let key = (hash_of(model), key);
        if self.known.contains_key(&key) {
            return true;
        }
        let (Some(jobs), Some(count)) = (&self.jobs, &self.count) else { return true };
        if !self.asked.insert(key) {
            return false;
        }
        let job = Job { key, model: model.to_owned(), text: text(), count: Arc::clone(count) };
        jobs.send(job).is_err()
    }
}

/// Four bytes a token, as in English text.
fn estimate(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_text_is_estimated_until_it_is_counted() {
        let mut counter = Counter::start(Arc::new(|| {}));
        counter.count_with(Some(Arc::new(|_, text| Some(text.split(' ').count()))));
        let text = "one two three";
        let key = TextKey::of(text);
        assert_eq!(counter.look_up("m", key, text.len()), Count { tokens: 4, exact: false });
        assert!(!counter.ask("m", key, || text.to_owned()));
        let end = Instant::now() + Duration::from_secs(60);
        while !counter.ask("m", key, || panic!("asked already")) {
            assert!(Instant::now() < end, "never counted");
            counter.take_counted();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(counter.look_up("m", key, text.len()), Count { tokens: 3, exact: true });
        assert!(!counter.look_up("other", key, text.len()).exact, "each model has its own");
    }

    #[test]
    fn without_a_tokenizer_nothing_is_waited_for() {
        let mut counter = Counter::start(Arc::new(|| {}));
        let key = TextKey::of("text");
        assert!(counter.ask("m", key, || "text".to_owned()));
        assert_eq!(counter.look_up("m", key, 4), Count { tokens: 1, exact: false });
    }
}
