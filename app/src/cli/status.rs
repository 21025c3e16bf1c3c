//! `onebit status`: asks the running app what it is doing.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::output::Output;
use crate::folders::Folders;
use crate::instance;

/// Runs the command. That no app is running is an answer, not a failure.
///
/// # Errors
/// An app is running and does not answer.
pub fn run(folders: &Folders, output: &mut Output) -> Result<ExitCode> {
    let status = instance::status(folders)?;
    if output.is_json() {
        output.json(&status.unwrap_or_else(|| json!({ "running": false })))?;
        return Ok(ExitCode::SUCCESS);
    }
    match status {
        None => output.line("not running")?,
        Some(status) => {
            for line in lines(&status) {
                output.line(&line)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer for people. A field that an older or newer app does not send is shown as `?`.
fn lines(status: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Null => "?".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let megabytes =
        |value: &Value| value.as_f64().map_or("?".to_owned(), |bytes| format!("{:.1} MB", bytes / 1e6));
    let mut lines = vec![
        format!("running, version {}, process {}", text(&status["version"]), text(&status["pid"])),
        format!("lane {}, {} threads", text(&status["lane"]), text(&status["threads"])),
        format!(
            "{} generations running, {} waiting",
            text(&status["generations"]["running"]),
            text(&status["generations"]["queued"])
        ),
        format!(
            "memory {} of {}",
            megabytes(&status["memory"]["used_bytes"]),
            megabytes(&status["memory"]["budget_bytes"])
        ),
    ];
    for model in status["models"].as_array().into_iter().flatten() {
        lines.push(format!(
            "model {} ({}), weights {}, KV {}",
            text(&model["id"]),
            text(&model["packing"]),
            megabytes(&model["weight_bytes"]),
            megabytes(&model["kv_used_bytes"])
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_fields_is_shown_with_question_marks() {
        let shown = lines(&json!({ "running": true })).join("\n");
        assert!(shown.contains("lane ?"), "{shown}");
    }
}
