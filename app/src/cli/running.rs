//! An engine with one model in it, for the length of a command.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use onebit_engine::model;
use onebit_engine::session::{EngineHandle, EngineOptions, LoadEvent, LoadOptions, ModelStatus, Waker};
use onebit_engine::tokenizer::Tokenizer;

use super::flags::EngineFlags;
use super::output;
use crate::folders::Folders;
use crate::models::{self, FoundModel};
use crate::settings::Settings;

/// See the module documentation. Ends the engine when dropped.
pub struct Running {
    pub engine: EngineHandle,
    pub model: ModelStatus,
}

/// The terminal waits in its own loop, so nobody needs to be woken.
pub fn no_waker() -> Waker {
    Arc::new(|| {})
}

impl Running {
    /// Starts an engine and loads `model` (path, id or `starter`) with room for `context` tokens (0 = the model's own, at most
    /// 4096; `None` = what the settings say).
    ///
    /// # Errors
    /// No such model or lane, a broken file, not enough memory.
    pub fn start(
        folders: &Folders,
        model: &str,
        flags: &EngineFlags,
        settings: &Settings,
        context: Option<usize>,
    ) -> Result<Self> {
        let found = models::resolve(folders, model)?;
        let choice = flags.choose(settings, &found.id)?;
        let context = context.unwrap_or_else(|| settings.context(&found.id));
        let engine = EngineHandle::start(EngineOptions {
            lane: choice.lane,
            threads: choice.threads,
            memory_bytes: choice.memory_bytes,
            max_running: 1,
            head: choice.head,
            ..EngineOptions::default()
        })
        .context("the engine did not start")?;
        let options = LoadOptions { id: found.id, path: found.path, context, kv_dtype: choice.kv };
        let model = match wait_for_load(&engine, options) {
            Ok(model) => model,
            Err(err) => {
                engine.shutdown();
                return Err(err);
            }
        };
        if let Some(notice) = engine.status().notice {
            output::note(&format!("note: {notice}"));
        }
        Ok(Self { engine, model })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

fn wait_for_load(engine: &EngineHandle, options: LoadOptions) -> Result<ModelStatus> {
    let id = options.id.clone();
    let (send, receive) = std::sync::mpsc::sync_channel::<()>(1);
    let wake = move || {
        // A full channel means that a wake-up is waiting already.
        let _ = send.try_send(());
    };
    let load = engine.load(options, Arc::new(wake));
    let loaded = loop {
        match load.try_next() {
            Some(LoadEvent::Progress { done_bytes, total_bytes }) if total_bytes > 0 => {
                let percent = done_bytes.saturating_mul(100) / total_bytes;
                output::progress(&format!("loading {id} {percent} %"));
            }
            Some(LoadEvent::Progress { .. }) => {}
            Some(LoadEvent::Loaded(model)) => break Ok(model),
            Some(LoadEvent::Failed(failure)) => break Err(failure.into()),
            None => {
                if receive.recv().is_err() {
                    break Err(anyhow::anyhow!("the engine stopped while it loaded {id}"));
                }
            }
        }
    };
    output::progress("");
    loaded
}

/// The tokenizer of a model, without an engine.
///
/// # Errors
/// No such model, a broken file, a tokenizer this program does not know.
pub fn tokenizer(found: &FoundModel) -> Result<Tokenizer> {
    let file = model::open(&found.path)?;
    let tokenizer = Tokenizer::new(file.tokenizer()).with_context(|| found.path.display().to_string())?;
    file.check_map()?;
    Ok(tokenizer)
}

/// Refuses a prompt given as an empty string where it is probably an unset shell variable.
pub fn require_text(text: &str, flag: &str) -> Result<()> {
    if text.is_empty() {
        bail!("the text of {flag} is empty");
    }
    Ok(())
}
