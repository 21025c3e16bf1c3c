//! `onebit import`: chats from an exported file. Only one process writes the chats, so a running app has to do it itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::output::{Output, note, progress};
use crate::folders::Folders;
use crate::store::{Event, Imported, Saving, Store};
use crate::transfer::{self, Progress};

#[derive(Debug, Args)]
pub struct Import {
    /// JSON file that `onebit export` or the app wrote
    file: PathBuf,
}

impl Import {
    /// Runs the command.
    ///
    /// # Errors
    /// The app is running, the file is not an export, or the chats cannot be written. Nothing was imported then.
    pub fn run(&self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let (sender, arrived) = channel();
        let sender = Mutex::new(sender);
        let store = Store::open(
            &folders.chats(),
            Arc::new(move || {
                // The receiver goes only when this command ends.
                let _ = sender.lock().map(|sender| sender.send(()));
            }),
        )?;
        let done = Arc::new(Progress::default());
        store.import(transfer::import_job(self.file.clone(), Arc::clone(&done)))?;
        let imported = loop {
            // With time-outs only to show how far it is.
            let _ = arrived.recv_timeout(std::time::Duration::from_millis(250));
            let (read, total) = done.get();
            if let Some(percent) = read.saturating_mul(100).checked_div(total) {
                progress(&format!("importing: {percent} %"));
            }
            if let Some(ended) = next_end(&store)? {
                break ended;
            }
        };
        progress("");
        match store.close() {
            Saving::Yes => {}
            Saving::No { reason, .. } => bail!("{reason}"),
        }
        report(imported, output)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes what the store says until the import has ended or there is nothing more.
fn next_end(store: &Store) -> Result<Option<Imported>> {
    while let Some(event) = store.try_next() {
        match event {
            Event::Opened(Saving::No { reason, .. }) => {
                bail!("nothing was imported: {reason}; with 1bit Desktop open, import there")
            }
            Event::SetAside { kept_at, problem } => {
                note(&format!(
                    "warning: the chat database was damaged ({problem}); it is kept at {}",
                    kept_at.display()
                ));
            }
            Event::IndexRemade { problem } => {
                note(&format!("warning: the search index was damaged ({problem}) and has been made anew"));
            }
            Event::Imported(outcome) => {
                return outcome.map(Some).map_err(|problem| anyhow!("nothing was imported: {problem}"));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn report(imported: Imported, output: &mut Output) -> Result<()> {
    let Imported { chats, renewed, duplicates, messages, personas, folders } = imported;
    if output.is_json() {
        return output.json(&json!({
            "chats": chats,
            "renewed": renewed,
            "duplicates": duplicates,
            "messages": messages,
            "personas": personas,
            "folders": folders,
        }));
    }
    note(&format!(
        "imported {chats} chats with {messages} messages, {personas} personas and {folders} folders; {duplicates} were here already"
    ));
    Ok(())
}
