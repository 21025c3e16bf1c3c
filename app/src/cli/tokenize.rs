//! `onebit tokenize`: ids of a text, special tokens in it included, BOS only if the file asks for it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use onebit_engine::tokenizer::Specials;
use serde_json::json;

use super::output::Output;
use super::running;
use crate::folders::Folders;
use crate::models;

#[derive(Debug, Args)]
pub struct Tokenize {
    /// Model: path, id or `starter`
    #[arg(short, long, default_value = models::STARTER)]
    model: String,
    /// Text; special tokens in it are recognised
    #[arg(short, long, value_name = "TEXT")]
    prompt: String,
}

impl Tokenize {
    /// Runs the command.
    ///
    /// # Errors
    /// The model cannot be opened.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let tokenizer = running::tokenizer(&models::resolve(folders, &self.model)?)?;
        let tokens = tokenizer.encode(&self.prompt, Specials::Parse, true)?;
        if output.is_json() {
            output.json(&json!({ "tokens": tokens }))?;
        } else {
            for id in tokens {
                let text = String::from_utf8_lossy(tokenizer.token_bytes(id)).into_owned();
                output.line(&format!("{id:>8}  {text:?}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
