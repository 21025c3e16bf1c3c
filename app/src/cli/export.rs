//! `onebit export`: chats into a file or onto stdout, also while the app runs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::{Output, note};
use crate::folders::Folders;
use crate::store::{ChatHead, ChatId, Snapshot};
use crate::transfer::{self, Exported, Format, Progress};

#[derive(Debug, Args)]
pub struct Export {
    /// Chats, by id or whole title
    #[arg(required_unless_present_any = ["all", "list"])]
    chats: Vec<String>,
    /// Every chat
    #[arg(long, conflicts_with = "chats")]
    all: bool,
    /// Show ids and titles of all chats instead
    #[arg(long, conflicts_with_all = ["chats", "all", "file"])]
    list: bool,
    /// What to write
    #[arg(long, value_enum, default_value = "json")]
    format: FormatName,
    /// Write into this file instead of stdout; an existing one is replaced
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Json,
    Markdown,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Json => Self::Json,
            FormatName::Markdown => Self::Markdown,
        }
    }
}

impl Export {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such chat, or chats cannot be read or the file cannot be written.
    pub fn run(&self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let database = folders.chats();
        let mut snapshot = Snapshot::open(&database).map_err(anyhow::Error::msg)?;
        let heads = snapshot.heads().map_err(anyhow::Error::msg)?;
        if self.list {
            return list(&heads, output);
        }
        let wanted: Vec<ChatId> = self.chats.iter().map(|name| find(&heads, name)).collect::<Result<_>>()?;
        let chats = (!self.all).then_some(wanted.as_slice());
        let format = self.format.into();
        let progress = Progress::default();
        let exported = match &self.file {
            Some(path) => transfer::write_whole(path, |out| {
                transfer::export(&mut snapshot, chats, format, out, path, &progress)
            })?,
            None => {
                let mut out = std::io::BufWriter::new(std::io::stdout().lock());
                let exported =
                    transfer::export(&mut snapshot, chats, format, &mut out, Path::new("stdout"), &progress)?;
                out.flush()?;
                exported
            }
        };
        for problem in &exported.problems {
            note(&format!("warning: {problem}"));
        }
        match &self.file {
            Some(path) => report(&exported, path, output)?,
            None => note(&counted(&exported)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(heads: &[ChatHead], output: &mut Output) -> Result<ExitCode> {
    if output.is_json() {
        let chats: Vec<_> = heads
            .iter()
            .map(|head| {
                let id = head.id.0.to_string();
                json!({ "id": id, "title": head.title, "updated_millis": head.updated_millis, "pinned": head.pinned })
            })
            .collect();
        output.json(&json!({ "chats": chats }))?;
    } else {
        for head in heads {
            let title = head.title.replace(char::is_control, " ");
            output.line(&format!("{:>19}  {title}", head.id.0))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The chat with this id, else the one with this title.
fn find(heads: &[ChatHead], name: &str) -> Result<ChatId> {
    if let Some(head) = heads.iter().find(|head| head.id.0.to_string() == name) {
        return Ok(head.id);
    }
    let titled: Vec<&ChatHead> = heads.iter().filter(|head| head.title == name).collect();
    match titled[..] {
        [head] => Ok(head.id),
        [] => bail!("no chat has the id or title {name:?}; `onebit export --list` shows all"),
        _ => bail!(
            "{} chats have the title {name:?}; name one by its id, see `onebit export --list`",
            titled.len()
        ),
    }
}

fn report(exported: &Exported, path: &Path, output: &mut Output) -> Result<()> {
    if output.is_json() {
        let bytes = path.metadata().map_or(0, |found| found.len());
        let value = json!({
            "file": path,
            "chats": exported.chats,
            "messages": exported.messages,
            "bytes": bytes,
            "problems": exported.problems,
        });
        return output.json(&value);
    }
    note(&format!("{}: {}", counted(exported), path.display()));
    Ok(())
}

fn counted(exported: &Exported) -> String {
    format!("exported {} chats with {} messages", exported.chats, exported.messages)
}
