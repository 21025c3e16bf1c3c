//! `onebit inspect`: what is in a model file. The engine counts; this module lays out the table.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use onebit_engine::model;
use onebit_engine::model::inspect::{self, Inspection};

use super::output::Output;
use crate::folders::Folders;
use crate::models;

#[derive(Debug, Args)]
pub struct Inspect {
    /// Model: path, id or `starter`
    #[arg(value_name = "FILE")]
    file: String,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    /// The file cannot be opened, or was cut while it was read.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let found = models::resolve(folders, &self.file)?;
        let inspection = inspect::inspect(&model::open(&found.path)?)?;
        if output.is_json() {
            let mut json = serde_json::to_value(&inspection)?;
            json["path"] = serde_json::to_value(&found.path)?;
            output.json(&json)?;
        } else {
            for (name, value) in rows(&inspection) {
                output.line(&format!("{name:18} {value}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(found: &Inspection) -> Vec<(String, String)> {
    let percent = |part: Option<f64>| part.map_or("none".to_owned(), |part| format!("{:.1} %", 100.0 * part));
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![
        row("name", shown(&found.name)),
        row("format", format!("{}, {}", found.container, megabytes(found.file_bytes))),
        row("architecture", shown(&found.arch)),
        row(
            "shape",
            format!(
                "{} layers, hidden {}, ffn {}, {} heads of {}, {} KV heads",
                found.n_layers, found.hidden, found.ffn, found.n_heads, found.head_dim, found.n_kv_heads
            ),
        ),
        row("context", format!("{} tokens", found.context_length)),
        row(
            "weights",
            format!("{}, of these ternary {}", millions(found.n_weights), millions(found.n_ternary_weights)),
        ),
        row("bits per weight", bits(found)),
        row("zero fraction", percent(found.zero_fraction)),
    ];
    let mut types: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for tensor in &found.tensors {
        let entry = types.entry(tensor.ty).or_default();
        *entry = (entry.0 + 1, entry.1 + tensor.bytes);
    }
    rows.push(row("tensors", found.tensors.len().to_string()));
    for (ty, (count, bytes)) in types {
        rows.push(row(&format!("  {ty}"), format!("{count} tensors, {}", megabytes(bytes))));
    }
    let tokenizer = found.tokenizer.as_ref().map_or("none".to_owned(), |name| {
        format!("{}, {} tokens, {} merges", shown(name), found.n_tokens, found.n_merges)
    });
    rows.push(row("tokenizer", tokenizer));
    let template = match &found.chat_template {
        Some(template) => format!("in the file, {} characters", template.chars().count()),
        None => "none in the file".to_owned(),
    };
    rows.push(row("chat template", template));
    for memory in &found.memory {
        rows.push(row(
            &format!("memory at {}", memory.context),
            format!(
                "{} (weights {}, {}KV {})",
                megabytes(
                    memory
                        .weight_bytes
                        .saturating_add(memory.head_copy_bytes)
                        .saturating_add(memory.kv_bytes)
                ),
                megabytes(memory.weight_bytes),
                match memory.head_copy_bytes {
                    0 => String::new(),
                    bytes => format!("coarse copy of the LM head {}, ", megabytes(bytes)),
                },
                megabytes(memory.kv_bytes)
            ),
        ));
    }
    rows
}

fn bits(found: &Inspection) -> String {
    match found.ternary_bits_per_weight {
        Some(ternary) => format!("{:.3} over all, {ternary:.3} over ternary tensors", found.bits_per_weight),
        None => format!("{:.3}", found.bits_per_weight),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn millions(count: u64) -> String {
    format!("{:.1} M", count as f64 / 1e6)
}

/// Text of a file, which may hold anything, for a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
