//! `onebit chat`: a conversation in the terminal, over the same session layer as the window. The conversation has a session name,
//! so that its cached keys and values are kept from turn to turn. Nothing is written to the chats of the window.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use onebit_engine::session::{Prompt, Request};
use onebit_engine::tokenizer::{Message, Role};

use super::INTERRUPTED;
use super::answer::{self, Answer};
use super::flags::{self, EngineFlags, SamplingFlags};
use super::interrupts::Interrupts;
use super::output::{self, Output};
use super::running::{self, Running};
use crate::folders::Folders;
use crate::models;
use crate::settings::{Key, Settings};

/// Name under which the engine keeps this conversation's cache.
const SESSION: &str = "terminal";
/// Longest line that is read.
const MAX_LINE_BYTES: u64 = 16 << 20;
const HELP: &str = "/new starts over, /system TEXT sets the system prompt and starts over, /exit ends; Ctrl-C stops an answer";

#[derive(Debug, Args)]
pub struct Chat {
    /// Model: path, id or `starter`
    #[arg(short, long, default_value = models::STARTER)]
    model: String,
    #[arg(short, long, value_name = "SYSTEM", help = flags::help(Key::SystemPrompt))]
    system: Option<String>,
    /// Answer this and end
    #[arg(short, long, value_name = "PROMPT")]
    prompt: Option<String>,
    #[arg(short = 'n', long = "max-tokens", value_name = "N", help = flags::help(Key::MaxTokens))]
    max_tokens: Option<u32>,
    #[arg(long, value_name = "T", help = flags::help(Key::Temperature))]
    temp: Option<f32>,
    #[command(flatten)]
    sampling: SamplingFlags,
    #[arg(long, value_name = "N", help = flags::help(Key::Context))]
    context: Option<usize>,
    #[command(flatten)]
    engine: EngineFlags,
}

/// A line of the user.
#[derive(Debug, PartialEq, Eq)]
enum Line<'l> {
    Exit,
    New,
    System(&'l str),
    Help,
    Unknown(&'l str),
    Empty,
    Say(&'l str),
}

struct Conversation<'c> {
    command: &'c Chat,
    settings: &'c Settings,
    running: &'c Running,
    interrupts: Interrupts,
    system: Option<String>,
    messages: Vec<Message>,
}

impl Chat {
    /// Runs the command.
    ///
    /// # Errors
    /// The model cannot be loaded; with -p, or without a terminal, also a generation that failed.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        if let Some(prompt) = &self.prompt {
            running::require_text(prompt, "-p")?;
        }
        let interrupts = Interrupts::install()?;
        let settings = flags::settings(folders);
        let running = Running::start(folders, &self.model, &self.engine, &settings, self.context)?;
        let system =
            self.system.clone().unwrap_or_else(|| settings.system_prompt(&running.model.id).to_owned());
        let system = Some(system).filter(|text| !text.is_empty());
        let mut conversation = Conversation {
            command: &self,
            settings: &settings,
            running: &running,
            interrupts,
            system,
            messages: Vec::new(),
        };
        match &self.prompt {
            Some(prompt) => conversation.turn(prompt, output).map(|answer| status_of(&answer)),
            None => conversation.converse(output),
        }
    }
}

fn status_of(answer: &Answer) -> ExitCode {
    if answer.was_cancelled() { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
}

impl Conversation<'_> {
    fn converse(&mut self, output: &mut Output) -> Result<ExitCode> {
        let at_terminal = std::io::stdin().is_terminal();
        if at_terminal {
            output::note(&format!("{} — {HELP}", self.running.model.name));
        }
        loop {
            if at_terminal {
                output::prompt("> ");
            }
            let Some(line) = read_line()? else { return Ok(ExitCode::SUCCESS) };
            match parse(&line) {
                Line::Empty => {}
                Line::Exit => return Ok(ExitCode::SUCCESS),
                Line::Help => output::note(HELP),
                Line::Unknown(name) => output::note(&format!("{name} is not a command; {HELP}")),
                Line::New => self.messages.clear(),
                Line::System(text) => {
                    self.system = (!text.is_empty()).then(|| text.to_owned());
                    self.messages.clear();
                }
                Line::Say(text) => match self.turn(text, output) {
                    Ok(_) => {}
                    // A person can go on after a failed answer; a script has to know.
                    Err(err) if at_terminal && !output::is_closed_pipe(&err) => output::report(&err),
                    Err(err) => return Err(err),
                },
            }
        }
    }

    /// Asks and answers. The question stays in the conversation only when it got an answer.
    fn turn(&mut self, text: &str, output: &mut Output) -> Result<Answer> {
        let mut messages = Vec::with_capacity(self.messages.len() + 2);
        messages.extend(self.system.iter().map(|text| message(Role::System, text)));
        messages.extend(self.messages.iter().cloned());
        messages.push(message(Role::User, text));
        let model = &self.running.model.id;
        let request = Request {
            model: model.clone(),
            prompt: Prompt::Chat(messages),
            sampling: self.command.sampling.sampling(self.command.temp, self.settings.sampling(model)),
            max_new_tokens: self.command.max_tokens.unwrap_or_else(|| self.settings.max_new_tokens(model)),
            stop: self.command.sampling.stop.clone(),
            session: Some(SESSION.to_owned()),
            logprobs: None,
        };
        let is_json = output.is_json();
        let answer = answer::generate(&self.running.engine, request, &self.interrupts, |text| {
            if is_json { Ok(()) } else { output.text(text) }
        })?;
        if is_json {
            output.json(&answer.json(None))?;
        } else {
            output.line("")?;
            if output::is_watched() {
                output::note(&format!("[{}]", answer.summary()));
            }
        }
        self.messages.push(message(Role::User, text));
        self.messages.push(message(Role::Assistant, &answer.text));
        Ok(answer)
    }
}

fn message(role: Role, content: &str) -> Message {
    Message { role, content: content.to_owned() }
}

/// The next line without its end; `None` at the end of input.
fn read_line() -> Result<Option<String>> {
    let mut line = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), MAX_LINE_BYTES);
    let n_read = input.read_line(&mut line).context("cannot read the question")?;
    if input.limit() == 0 {
        bail!("a question may have at most {MAX_LINE_BYTES} bytes");
    }
    Ok((n_read > 0).then_some(line))
}

fn parse(line: &str) -> Line<'_> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "" => Line::Empty,
        "/exit" | "/quit" => Line::Exit,
        "/new" => Line::New,
        "/system" => Line::System(rest.trim()),
        "/help" => Line::Help,
        // `/etc/fstab` is something to talk about.
        command if command.starts_with('/') && !command[1..].contains('/') => Line::Unknown(command),
        _ => Line::Say(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_something_to_say() {
        assert_eq!(parse("  \n"), Line::Empty);
        assert_eq!(parse("/exit\n"), Line::Exit);
        assert_eq!(parse("/system  Be brief. \n"), Line::System("Be brief."));
        assert_eq!(parse("/system\n"), Line::System(""));
        assert_eq!(parse("/nwe\n"), Line::Unknown("/nwe"));
        assert_eq!(parse("/etc/fstab is broken\n"), Line::Say("/etc/fstab is broken"));
        assert_eq!(parse("1 / 2\n"), Line::Say("1 / 2"));
    }
}
