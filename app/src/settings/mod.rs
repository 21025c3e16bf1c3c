//! Every setting of the program, from one table: what it is called, what it may hold and what it holds when nobody chose.
//!
//! [`table`] is that table; [`Settings`] the values in force; `file` reads and edits `settings.toml`; [`Keeper`] does so on a
//! thread of its own; [`document`] writes the table down for people. Command-line flags override settings, settings override
//! defaults, and what is set for one model overrides what is set for all. Knows no window and no engine thread.

pub mod document;
mod file;
mod keeper;
pub mod table;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onebit_engine::lane::{KvDtype, LaneChoice};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{EngineOptions, Head};

use crate::folders::Folders;
use crate::theme::Appearance;
pub use file::{Loaded, Problem};
pub use keeper::{Keeper, Said};
pub use table::{Effect, Group, Key, MAX_SYSTEM_PROMPT_BYTES, Row};
pub use value::{DECIMALS, Kind, Value};

/// The settings file of a user.
pub fn path(folders: &Folders) -> PathBuf {
    folders.config.join("settings.toml")
}

/// Reads the settings file, waiting for the disk. A file that is not there is one without changes.
pub fn load(path: &Path) -> Loaded {
    file::load(path)
}

/// The values in force. Holds what differs from the defaults only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    chosen: BTreeMap<Key, Value>,
    models: BTreeMap<String, BTreeMap<Key, Value>>,
    shortcuts: BTreeMap<String, String>,
}

/// A change to the settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets a value, or goes back to the default with `None`.
    Set {
        /// Which.
        key: Key,
        /// For this model only.
        model: Option<String>,
        /// The value.
        value: Option<Value>,
    },
    /// Gives an action a key as text (empty for none), or goes back to its own with `None`.
    Shortcut {
        /// Id of the action.
        action: String,
        /// The key.
        keys: Option<String>,
    },
    /// Goes back to the defaults, shortcuts and models included.
    ResetAll,
}

impl Change {
    /// Sets a value for all models.
    pub fn set(key: Key, value: impl Into<Value>) -> Self {
        Self::Set { key, model: None, value: Some(value.into()) }
    }

    /// Goes back to the default.
    pub fn reset(key: Key) -> Self {
        Self::Set { key, model: None, value: None }
    }
}

impl Settings {
    /// The value for all models.
    pub fn get(&self, key: Key) -> &Value {
        self.chosen.get(&key).unwrap_or(&key.row().default)
    }

    /// The value for a model.
    pub fn get_for(&self, key: Key, model: &str) -> &Value {
        self.own(key, model).unwrap_or_else(|| self.get(key))
    }

    /// What is set for this model alone.
    pub fn own(&self, key: Key, model: &str) -> Option<&Value> {
        self.models.get(model)?.get(&key)
    }

    /// Whether the value for all models was changed.
    pub fn is_changed(&self, key: Key) -> bool {
        self.chosen.contains_key(&key)
    }

    /// Whether anything was changed.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// How many models override a setting.
    pub fn overriding(&self, key: Key) -> usize {
        self.models.values().filter(|values| values.contains_key(&key)).count()
    }

    /// Changed shortcuts: action ids and key texts.
    pub fn shortcuts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shortcuts.iter().map(|(action, keys)| (action.as_str(), keys.as_str()))
    }

    /// Applies a change. Values that equal the default are not kept; values out of range are refused by saying what is expected.
    ///
    /// # Errors
    /// What the setting expects.
    pub fn apply(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::Set { key, model, value } => {
                if let Some(value) = value {
                    key.row().kind.check(value)?;
                }
                self.set(*key, model.as_deref(), value.clone());
            }
            Change::Shortcut { action, keys: Some(keys) } => {
                self.shortcuts.insert(action.clone(), keys.clone());
            }
            Change::Shortcut { action, keys: None } => {
                self.shortcuts.remove(action);
            }
            Change::ResetAll => *self = Self::default(),
        }
        Ok(())
    }

    fn set(&mut self, key: Key, model: Option<&str>, value: Option<Value>) {
        match (model, value) {
            (None, Some(value)) if value != key.row().default => {
                self.chosen.insert(key, value);
            }
            (None, _) => {
                self.chosen.remove(&key);
            }
            // A model may well want the default where all others do not.
            (Some(model), Some(value)) => {
                self.models.entry(model.to_owned()).or_default().insert(key, value);
            }
            (Some(model), None) => {
                if let Some(values) = self.models.get_mut(model) {
                    values.remove(&key);
                    if values.is_empty() {
                        self.models.remove(model);
                    }
                }
            }
        }
    }
}

/// What the program takes out of the settings, typed. The table bounds every value, so that no conversion can lose anything.
impl Settings {
    /// The theme.
    pub fn appearance(&self) -> Appearance {
        Appearance::named(self.get(Key::Theme).text()).unwrap_or_default()
    }

    /// Factor by which everything is larger than designed.
    pub fn zoom(&self) -> f32 {
        self.get(Key::TextSize).whole() as f32 / 100.0
    }

    /// Whether nothing may move by itself, given what the desktop wishes.
    pub fn reduced_motion(&self, desktop: bool) -> bool {
        match self.get(Key::ReducedMotion).text() {
            "on" => true,
            "off" => false,
            _ => desktop,
        }
    }

    /// Whether Enter alone makes a new line and Ctrl+Enter sends.
    pub fn sends_with_ctrl(&self) -> bool {
        self.get(Key::SendWith).text() == "ctrl-enter"
    }

    /// Whether the chat that was open last is opened at start.
    pub fn opens_last_chat(&self) -> bool {
        self.get(Key::Start).text() == "last"
    }

    /// How long what was deleted is kept, to be brought back.
    pub fn keep_deleted(&self) -> Duration {
        Duration::from_secs(self.get(Key::KeepDeleted).whole().unsigned_abs() * 86_400)
    }

    /// System prompt for a model; empty for none.
    pub fn system_prompt(&self, model: &str) -> &str {
        self.get_for(Key::SystemPrompt, model).text()
    }

    /// How tokens are picked for a model. The seed is for the caller to choose.
    pub fn sampling(&self, model: &str) -> Sampling {
        let real = |key| self.get_for(key, model).real() as f32;
        // Below this the softmax is the argmax to the last bit, and the engine refuses the division.
        let temperature = Some(real(Key::Temperature)).filter(|value| *value >= 1e-4).unwrap_or(0.0);
        Sampling {
            temperature,
            top_k: self.get_for(Key::TopK, model).whole() as u32,
            top_p: real(Key::TopP),
            min_p: real(Key::MinP),
            repetition_penalty: real(Key::RepeatPenalty),
            ..Sampling::default()
        }
    }

    /// Longest answer of a model in tokens; 0 = until the context is full.
    pub fn max_new_tokens(&self, model: &str) -> u32 {
        self.get_for(Key::MaxTokens, model).whole() as u32
    }

    /// Context to load a model with, in tokens; 0 = what the file allows, at most 4096.
    pub fn context(&self, model: &str) -> usize {
        self.get_for(Key::Context, model).whole() as usize
    }

    /// KV storage to load a model with.
    pub fn kv_dtype(&self, model: &str) -> KvDtype {
        match self.get_for(Key::KvType, model).text() {
            "int8" => KvDtype::Int8,
            _ => KvDtype::F16,
        }
    }

    /// How to start the engine of the window.
    pub fn engine_options(&self) -> EngineOptions {
        let lane = match self.get(Key::Lane).text() {
            "cpu" => LaneChoice::Cpu,
            "reference" => LaneChoice::Reference,
            _ => LaneChoice::Auto,
        };
        let head = match self.get(Key::Head).text() {
            "exact" => Head::Exact,
            "4-bit" => Head::FourBit,
            _ => Head::Screened,
        };
        EngineOptions {
            lane,
            head,
            threads: self.get(Key::Threads).whole() as usize,
            memory_bytes: (self.get(Key::MemoryLimit).whole() as u64) << 20,
            ..EngineOptions::default()
        }
    }
}
