//! The models one can choose from, and the one that is chosen: found files, the load in progress, the last refusal. Knows nothing of
//! conversations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use onebit_engine::lane::KvDtype;
use onebit_engine::session::{EngineStatus, LoadEvent, LoadFailure, LoadOptions, ModelStatus};

use super::backend::{Backend, Loading, Waker};
use crate::folders::Folders;
use crate::models::{self, FoundModel};
use crate::settings::Settings;

/// A model in the picker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Name requests use.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Size of the file; 0 when not known.
    pub bytes: u64,
}

/// A load in progress.
pub struct Loadings {
    /// What is loaded.
    pub choice: Choice,
    /// Bytes done.
    pub done_bytes: u64,
    /// Of; 0 until the engine has said.
    pub total_bytes: u64,
    load: Option<Box<dyn Loading>>,
}

/// A model that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub choice: Choice,
    /// Why, and what to do.
    pub failure: LoadFailure,
}

/// What a poll of the shelf brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This model is loaded and chosen.
    Loaded(String),
    /// This one was refused.
    Refused(Refusal),
}

/// What looking for models on the disk found.
pub struct Listing {
    /// Models with an id.
    pub found: Vec<FoundModel>,
    /// The model to begin with, or why there is none.
    pub first: Result<FoundModel, String>,
    /// Why the model of the last run is not there (text for the user), if it is not.
    pub lost: Option<String>,
}

/// The models one can choose from.
pub struct Shelf {
    listing: Option<Receiver<Listing>>,
    /// Known model files, in the order of the picker.
    pub choices: Vec<Choice>,
    /// Id of the model that answers; `None` until one is loaded.
    pub chosen: Option<String>,
    /// The load in progress.
    pub loading: Option<Loadings>,
    /// The last model that was refused, until another is loaded.
    pub refusal: Option<Refusal>,
    /// Why the model of the last run is not the one that is loaded, until somebody has told the user.
    pub lost: Option<String>,
    /// Whether nothing is loaded yet: the app was started without a window, and nobody has asked for anything.
    pub held: bool,
    /// Context and KV storage that resident models were loaded with, by id.
    pub loaded_with: HashMap<String, (usize, KvDtype)>,
}

impl Shelf {
    /// Begins to look for models on a thread. `wanted` is loaded first if it is there, else the starter model.
    pub fn open(folders: Folders, wanted: Option<String>, waker: Waker) -> Self {
        let (sender, receiver) = channel();
        let wake = Arc::clone(&waker);
        let spawned = std::thread::Builder::new().name("models".to_owned()).spawn(move || {
            let found = models::list(&folders);
            let wanted = wanted.map(|wanted| models::resolve(&folders, &wanted));
            let lost = wanted.as_ref().and_then(|wanted| wanted.as_ref().err()).map(ToString::to_string);
            let first = wanted
                .and_then(Result::ok)
                .map_or_else(|| models::resolve(&folders, models::STARTER), Ok)
                .map_err(|err| err.to_string());
            // The window may be gone by now.
            drop(sender.send(Listing { found, first, lost }));
            wake();
        });
        let mut shelf = Self::from_listing(receiver);
        if let Err(err) = spawned {
            shelf.listing = None;
            let failure = LoadFailure::told(format!("models could not be looked for: {err}"));
            shelf.refuse(&Choice::named(models::STARTER), failure);
        }
        shelf
    }

    /// A shelf that is filled by `listing`.
    pub fn from_listing(listing: Receiver<Listing>) -> Self {
        Self {
            listing: Some(listing),
            choices: Vec::new(),
            chosen: None,
            loading: None,
            refusal: None,
            lost: None,
            held: false,
            loaded_with: HashMap::new(),
        }
    }

    /// Chooses a model: at once if it is resident, else after loading it. A load in progress is replaced.
    pub fn choose(&mut self, choice: &Choice, status: Option<&EngineStatus>) -> Option<Change> {
        if status.is_some_and(|status| status.models.iter().any(|model| model.id == choice.id)) {
            self.loading = None;
            self.refusal = None;
            self.chosen = Some(choice.id.clone());
            return Some(Change::Loaded(choice.id.clone()));
        }
        self.loading = Some(Loadings { choice: choice.clone(), done_bytes: 0, total_bytes: 0, load: None });
        None
    }

    /// Loads the chosen model again, or the one on its way from the beginning.
    pub fn load_again(&mut self) {
        let coming = self.loading.take().map(|loading| loading.choice);
        let chosen = self.choices.iter().find(|choice| Some(&choice.id) == self.chosen.as_ref());
        if let Some(choice) = coming.or_else(|| chosen.cloned()) {
            self.loading = Some(Loadings { choice, done_bytes: 0, total_bytes: 0, load: None });
        }
    }

    /// Adds a file, named by its stem or, where that is taken by another file, by its whole path.
    pub fn add(&mut self, path: &Path) -> Choice {
        if let Some(known) = self.choices.iter().find(|choice| choice.path == path) {
            return known.clone();
        }
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let taken = self.choices.iter().any(|choice| choice.id == stem);
        let id = if taken { path.to_string_lossy().into_owned() } else { stem };
        let choice = Choice { id, path: path.to_owned(), bytes: 0 };
        self.choices.push(choice.clone());
        choice
    }

    /// Takes what has arrived: found models, progress, the end of a load.
    pub fn poll(&mut self, backend: &mut dyn Backend, settings: &Settings) -> Option<Change> {
        if let Some(listing) = self.listing.as_ref().and_then(|listing| listing.try_recv().ok()) {
            self.listing = None;
            self.take_listing(listing);
        }
        let loading = self.loading.as_mut().filter(|_| !self.held)?;
        if loading.load.is_none() {
            let id = loading.choice.id.clone();
            let (context, kv_dtype) = (settings.context(&id), settings.kv_dtype(&id));
            let path = loading.choice.path.clone();
            self.loaded_with.insert(id.clone(), (context, kv_dtype));
            loading.load = backend.load(LoadOptions { id, path, context, kv_dtype });
        }
        while let Some(event) = loading.load.as_ref().and_then(|load| load.try_next()) {
            match event {
                LoadEvent::Progress { done_bytes, total_bytes } => {
                    (loading.done_bytes, loading.total_bytes) = (done_bytes, total_bytes);
                }
                LoadEvent::Loaded(status) => {
                    self.loading = None;
                    self.refusal = None;
                    self.chosen = Some(status.id.clone());
                    return Some(Change::Loaded(status.id));
                }
                LoadEvent::Failed(failure) => {
                    let choice = loading.choice.clone();
                    self.loading = None;
                    return Some(self.refuse(&choice, failure));
                }
            }
        }
        None
    }

    /// Status of the chosen model.
    pub fn chosen_status<'a>(&self, status: Option<&'a EngineStatus>) -> Option<&'a ModelStatus> {
        let chosen = self.chosen.as_deref()?;
        status?.models.iter().find(|model| model.id == chosen)
    }

    fn take_listing(&mut self, listing: Listing) {
        self.lost = listing.lost;
        self.choices.extend(listing.found.iter().map(Choice::from));
        match listing.first {
            Ok(first) => {
                let choice = Choice::from(&first);
                if self.choices.iter().all(|known| known.path != choice.path) {
                    self.choices.push(choice.clone());
                }
                if self.chosen.is_none() && self.loading.is_none() {
                    self.choose(&choice, None);
                }
            }
            Err(problem) => {
                if self.chosen.is_none() && self.loading.is_none() {
                    self.refuse(&Choice::named(models::STARTER), LoadFailure::told(problem));
                }
            }
        }
    }

    fn refuse(&mut self, choice: &Choice, failure: LoadFailure) -> Change {
        let refusal = Refusal { choice: choice.clone(), failure };
        self.refusal = Some(refusal.clone());
        Change::Refused(refusal)
    }
}

impl Choice {
    fn named(id: &str) -> Self {
        Self { id: id.to_owned(), path: PathBuf::new(), bytes: 0 }
    }

    /// Name for the user: the id, made readable for the model that comes with the program.
    pub fn label(&self) -> &str {
        label(&self.id)
    }
}

impl From<&FoundModel> for Choice {
    fn from(found: &FoundModel) -> Self {
        Self { id: found.id.clone(), path: found.path.clone(), bytes: found.bytes }
    }
}

/// Name of a model id for the user.
pub fn label(id: &str) -> &str {
    if id == models::STARTER { "1bit Starter" } else { id }
}
