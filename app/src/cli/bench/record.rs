//! The ledger of measurements: one JSON object a line in `bench.jsonl` of the state folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::folders::Folders;
use crate::models::FoundModel;
use crate::store::now_millis;

/// Appends a result with when, what and where. Returns the file.
///
/// # Errors
/// The file cannot be written.
pub fn append(folders: &Folders, model: &FoundModel, result: &Value) -> Result<PathBuf> {
    let path = folders.state.join("bench.jsonl");
    let line = json!({
        "time_millis": now_millis(),
        "version": env!("CARGO_PKG_VERSION"),
        "machine": machine(),
        "path": model.path,
        "model_bytes": model.bytes,
        "result": result,
    });
    std::fs::create_dir_all(&folders.state)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        // One write, so that two runs at once do not mix their lines.
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("the result cannot be recorded in {}", path.display()))?;
    Ok(path)
}

/// The processor as the kernel names it.
fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}
