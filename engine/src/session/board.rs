//! What the engine thread publishes and every handle reads without waiting for it: the status snapshot, the resident models'
//! vocabularies, and the flags that end things.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::backend::Vocabulary;
use super::{EngineStatus, SharedTelemetry};

/// A resident model, as requests are prepared for it.
#[derive(Clone)]
pub(super) struct Entry {
    /// Changes whenever a model is loaded, so that a request prepared for an unloaded model never meets its successor.
    pub(super) residency: u64,
    pub(super) vocabulary: Arc<dyn Vocabulary>,
    pub(super) context: usize,
}

/// See the module documentation.
pub(super) struct Board {
    status: Mutex<Arc<EngineStatus>>,
    models: RwLock<HashMap<String, Entry>>,
    pub(super) telemetry: SharedTelemetry,
    /// Set once, by shutdown or by the last handle.
    pub(super) stopping: AtomicBool,
    /// Requests accepted and not yet ended.
    pub(super) places: Arc<AtomicUsize>,
}

impl Board {
    pub(super) fn new(status: EngineStatus, telemetry: SharedTelemetry) -> Self {
        Self {
            status: Mutex::new(Arc::new(status)),
            models: RwLock::default(),
            telemetry,
            stopping: AtomicBool::new(false),
            places: Arc::default(),
        }
    }

    // The locks guard whole-value swaps, so a poisoned one still holds a consistent value.

    pub(super) fn status(&self) -> Arc<EngineStatus> {
        Arc::clone(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn publish(&self, status: EngineStatus) {
        let status = Arc::new(status);
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    pub(super) fn entry(&self, model: &str) -> Option<Entry> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned()
    }

    pub(super) fn add_entry(&self, model: &str, entry: Entry) {
        self.models.write().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), entry);
    }

    pub(super) fn remove_entry(&self, model: &str) {
        self.models.write().unwrap_or_else(PoisonError::into_inner).remove(model);
    }
}
