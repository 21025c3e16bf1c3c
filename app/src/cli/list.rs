//! `onebit list`: the models of this machine, without opening them.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::output::Output;
use crate::folders::Folders;
use crate::models;

/// Runs the command.
///
/// # Errors
/// Stdout cannot be written.
pub fn run(folders: &Folders, output: &mut Output) -> Result<ExitCode> {
    let found = models::list(folders);
    if output.is_json() {
        let found: Vec<_> = found
            .iter()
            .map(|model| {
                json!({ "id": model.id, "path": model.path, "origin": model.origin.name(), "bytes": model.bytes })
            })
            .collect();
        output.json(&json!({ "models": found, "folder": folders.models() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = found.iter().map(|model| model.id.chars().count()).max().unwrap_or(0);
    for model in &found {
        let megabytes = model.bytes as f64 / 1e6;
        output.line(&format!(
            "{:width$}  {megabytes:>9.1} MB  {:7}  {}",
            model.id,
            model.origin.name(),
            model.path.display()
        ))?;
    }
    if found.is_empty() {
        super::output::note(&format!("no models in {}", folders.models().display()));
    }
    Ok(ExitCode::SUCCESS)
}
