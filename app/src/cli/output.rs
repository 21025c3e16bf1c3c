//! The two streams of a terminal program. The only place that writes to them.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Stdout, and whether it carries JSON.
pub struct Output {
    json: bool,
}

impl Output {
    /// For results as JSON, or as text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes text at once, as it is.
    ///
    /// # Errors
    /// Stdout was closed or cannot be written.
    pub fn text(&mut self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the result")
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }

    /// Writes one JSON value on a line of its own.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn json(&mut self, value: &Value) -> Result<()> {
        self.line(&value.to_string())
    }
}

/// Whether somebody watches stderr, so that progress is worth showing.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Says something beside the result.
pub fn note(text: &str) {
    // A closed stderr must not stop a result from being written.
    let _ = writeln!(std::io::stderr(), "{}", one_line(text));
}

/// Asks for a line at a terminal.
pub fn prompt(text: &str) {
    let mut err = std::io::stderr();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Replaces the line of progress on a terminal; nothing elsewhere.
pub fn progress(text: &str) {
    if is_watched() {
        let _ = write!(std::io::stderr(), "\r\x1b[K{}", one_line(text));
    }
}

/// The one line of a failure.
pub fn report(err: &anyhow::Error) {
    report_line(&format!("{err:#}"));
}

/// As [`report`], for text.
pub fn report_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", one_line(text));
}

/// Whether an error is a reader of stdout that went away, e.g. `head`.
pub fn is_closed_pipe(err: &anyhow::Error) -> bool {
    err.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|err| err.kind() == ErrorKind::BrokenPipe)
    })
}

/// Control characters (a file name may hold some) must neither break the line nor reach the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_without_terminal_codes() {
        assert_eq!(one_line("a\nb\u{1b}[31mc"), "a b [31mc");
    }

    #[test]
    fn a_closed_pipe_is_found_below_other_causes() {
        let err = anyhow::Error::from(std::io::Error::from(ErrorKind::BrokenPipe)).context("cannot write");
        assert!(is_closed_pipe(&err));
        assert!(!is_closed_pipe(&anyhow::anyhow!("other")));
    }
}
