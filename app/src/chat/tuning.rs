//! Settings that the engine sees: which of them wait for a load or for a start of the engine, and applying them.

use std::sync::Arc;

use super::{Controller, Engine};
use crate::settings::{Key, Settings, Value};

/// What changed settings wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// The engine must be started again.
    Engine,
    /// The chosen model must be loaded again.
    Model,
}

/// The settings that the engine was started with.
pub(super) fn engine_values(settings: &Settings) -> [Value; 4] {
    [Key::Lane, Key::Threads, Key::Head, Key::MemoryLimit].map(|key| settings.get(key).clone())
}

impl Controller {
    /// With the settings that the engine was started with.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.started_with = engine_values(&settings);
        self.settings = Arc::new(settings);
        self.keep_deleted();
        self
    }

    /// The settings that requests and loads are made with.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Takes changed settings for requests and loads to come.
    pub fn set_settings(&mut self, settings: &Settings) {
        if *self.settings != *settings {
            let kept = self.settings.keep_deleted();
            self.settings = Arc::new(settings.clone());
            if kept != settings.keep_deleted() {
                self.keep_deleted();
                self.bin.changed();
            }
        }
    }

    /// What changed settings wait for, if they do.
    pub fn pending(&self, settings: &Settings) -> Option<Pending> {
        if engine_values(settings) != self.started_with && !matches!(self.engine, Engine::Starting) {
            return Some(Pending::Engine);
        }
        let model = self.model()?;
        let loaded = self.shelf.loaded_with.get(&model.id)?;
        (*loaded != (settings.context(&model.id), settings.kv_dtype(&model.id))).then_some(Pending::Model)
    }

    /// Restarts the engine, or loads the chosen model again, so that changed settings take effect. Running answers end.
    pub fn apply_settings(&mut self) {
        match self.pending(&self.settings) {
            None => return,
            Some(Pending::Engine) => {
                self.started_with = engine_values(&self.settings);
                self.shelf.loaded_with.clear();
                self.backend.restart(self.settings.engine_options());
                self.engine = self.backend.engine();
            }
            Some(Pending::Model) => {
                if let Some(model) = &self.shelf.chosen {
                    self.backend.unload(model);
                }
            }
        }
        self.shelf.load_again();
    }
}
